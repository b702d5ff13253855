"""A version that may hide a breach needs two people, and the ledger itself sees to it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from monitor.ledger import Ledger, LedgerError, audit
from monitor.ledger.digest import misreported
from monitor.ledger.errors import Refusal
from monitor.ledger.proposals import approve, list_proposals, propose, proposed, reject
from monitor.ledger.publication import Approval, NeedsApproval
from monitor.ledger.schema import outbox
from monitor.people import Actor, Role, add_user, disable, this_account
from monitor.rulebook.model import ClosedDay, Rulebook, RuleSetting
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK, at

pytestmark = pytest.mark.usefixtures("each_database")

SECRET = "correct horse battery"
BOOK = replace(RULEBOOK, rules={"V01": RuleSetting(mode="card")})
WEAKER = replace(RULEBOOK, rules={"V01": RuleSetting(mode="lead")})
OFF = replace(RULEBOOK, rules={"V01": RuleSetting(mode="off")})
STRICTER = replace(BOOK, rules={**BOOK.rules, "V02": RuleSetting(mode="card")})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with one version, in which V01 makes cards, and without users."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(BOOK)
        yield ledger


def people(ledger: Ledger, **roles: Role) -> dict[str, Actor]:
    """Add users by name and role, an admin last."""
    with ledger.write() as connection:
        return {
            name: Actor(name, add_user(connection, this_account(), name, role, SECRET))
            for name, role in sorted(roles.items(), key=lambda pair: pair[1] == "admin")
        }


def proposal(ledger: Ledger, actor: Actor, rulebook: Rulebook = WEAKER, reason: str = "试点") -> int:
    """Propose a version as the command does."""
    with pytest.raises(NeedsApproval) as needed:
        ledger.publish(rulebook)
    with ledger.write() as connection:
        return propose(connection, actor, rulebook, None, reason, needed.value.dangers)


def versions(ledger: Ledger) -> int:
    """Count the versions."""
    return len(ledger.rulebooks().versions)


def test_a_dangerous_version_is_not_published_by_one(ledger: Ledger) -> None:
    """Whoever publishes it, nothing changes; what is dangerous is told. What is not dangerous needs nobody else."""
    with pytest.raises(NeedsApproval) as needed:
        ledger.publish(WEAKER)
    assert [(danger.what, danger.before, danger.after) for danger in needed.value.dangers] == [("V01", "card", "lead")]
    assert versions(ledger) == 1
    assert ledger.publish(STRICTER) == 2


def test_two_people_publish_it(ledger: Ledger) -> None:
    """Proposed by one and approved by another it is in force; both, reason and dangers are in the audit."""
    who = people(ledger, li="inspector", chen="admin")
    number = proposal(ledger, who["li"])
    assert versions(ledger) == 1
    with ledger.read() as connection:
        assert proposed(connection, number) == WEAKER
    with ledger.write() as connection:
        assert approve(connection, ledger.publications, who["chen"], number) == 2
    assert ledger.rulebooks(datetime.now(UTC)).current.rulebook == WEAKER
    with ledger.read() as connection:
        published, asked = audit.entries(connection, act="rulebook.p", limit=2)
        (known,) = list_proposals(connection)
    assert (asked.actor, asked.object, asked.detail["reason"]) == ("li", f"proposal:{number}", "试点")
    assert (published.actor, published.object) == ("chen", "rulebook:2")
    assert (published.detail["proposed_by"], published.detail["approved_by"]) == ("li", "chen")
    danger = {"kind": "mode", "what": "V01", "before": "card", "after": "lead", "about": "V01"}
    assert published.detail["dangers"] == {"count": 1, "named": [danger]}
    assert (known.state, known.decided_by, known.version) == ("approved", "chen", 2)


def test_inspectors_are_told(ledger: Ledger) -> None:
    """Proposal and publication each leave a notice for inspectors alone, which no finding's account counts."""
    who = people(ledger, li="inspector", chen="admin")
    number = proposal(ledger, who["li"])
    with ledger.write() as connection:
        approve(connection, ledger.publications, who["chen"], number)
    with ledger.read() as connection:
        rows = connection.execute(select(outbox).order_by(outbox.c.seq)).all()
        assert misreported(connection) == set()
    told = [(row.act, row.finding, row.mode, row.delivery) for row in rows]
    assert told == [("notice", f"proposal:{number}", "lead", "send"), ("notice", "rulebook:2", "lead", "send")]


def test_nobody_approves_his_own(ledger: Ledger) -> None:
    """The proposer is refused, whatever the role; so are other roles, and the account of the machine."""
    who = people(ledger, li="inspector", wu="leader", op="operator", chen="admin")
    number = proposal(ledger, who["chen"])
    for actor, said in (
        (who["chen"], "cannot be the second person"),
        (who["wu"], "has the role leader"),
        (who["op"], "has the role operator"),
        (this_account(), "--as NAME"),
    ):
        with pytest.raises(Refusal, match=said), ledger.write() as connection:
            approve(connection, ledger.publications, actor, number)
    assert versions(ledger) == 1


def test_an_approval_is_checked_by_the_ledger(ledger: Ledger) -> None:
    """Whoever calls the ledger with names that nobody has, of the wrong role, disabled or twice the same is refused."""
    people(ledger, li="inspector", wu="leader", gone="inspector", chen="admin")
    with ledger.write() as connection:
        disable(connection, _admin(), "gone")
    for approval, said in (
        (Approval("why", "li", "li"), "cannot be the second person"),
        (Approval("why", "li", "nobody"), "nobody is no active user"),
        (Approval("why", "wu", "li"), "wu is no active user"),
        (Approval("why", "gone", "li"), "gone is no active user"),
        (Approval(" ", "chen", "li"), "needs a reason"),
        (Approval("why"), "--alone is for a ledger without any"),
    ):
        with pytest.raises(Refusal, match=said):
            ledger.publish(WEAKER, approval=approval)
    assert ledger.publish(WEAKER, approval=Approval("why", "chen", "li")) == 2


def _admin() -> Actor:
    from monitor.people import User

    return Actor("chen", User("chen", "admin", None, None, datetime.now(UTC)))


def test_alone_only_where_there_are_no_users(ledger: Ledger) -> None:
    """A ledger without users takes a reason instead, and the audit says that nobody supervised it."""
    with pytest.raises(Refusal, match="--alone"):
        proposal(ledger, this_account())
    with pytest.raises(Refusal, match="needs a reason"):
        ledger.publish(WEAKER, approval=Approval(""))
    assert ledger.publish(WEAKER, approval=Approval("nobody else is here yet")) == 2
    with ledger.read() as connection:
        line = audit.entries(connection, object="rulebook:2")[0]
    assert line.detail["unsupervised"] is True
    assert (line.detail["why"], line.detail["approved_by"]) == ("nobody else is here yet", None)


def test_one_user_is_not_enough(ledger: Ledger) -> None:
    """Where nobody could approve it, a proposal is refused with what to do."""
    who = people(ledger, li="inspector", wu="leader")
    with pytest.raises(Refusal, match="an admin adds another user"):
        proposal(ledger, who["li"])
    with pytest.raises(Refusal, match="has the role leader"):
        proposal(ledger, who["wu"])
    assert proposal(ledger, {**who, **people(ledger, chen="admin")}["li"]) == 1


def test_a_proposal_without_a_reason_is_refused(ledger: Ledger) -> None:
    """Why is asked before anything is kept."""
    who = people(ledger, li="inspector", chen="admin")
    with pytest.raises(Refusal, match="needs a reason"):
        proposal(ledger, who["li"], reason="  ")
    with ledger.read() as connection:
        assert list_proposals(connection) == []


def test_a_decided_proposal_stays_decided(ledger: Ledger) -> None:
    """Rejected, or taken back, it cannot be approved any more; approved, it cannot be rejected."""
    who = people(ledger, li="inspector", chen="admin")
    first, second = proposal(ledger, who["li"]), proposal(ledger, who["li"], OFF)
    with ledger.write() as connection:
        reject(connection, who["li"], first, "a mistake")
        approve(connection, ledger.publications, who["chen"], second)
    for number, said in ((first, "rejected by li already"), (second, "approved by chen already"), (9, "no proposal 9")):
        with pytest.raises(Refusal, match=said), ledger.write() as connection:
            approve(connection, ledger.publications, who["chen"], number)
        with pytest.raises(Refusal, match=said), ledger.write() as connection:
            reject(connection, who["chen"], number, "")
    with ledger.read() as connection:
        assert list_proposals(connection, "open") == []
        assert audit.entries(connection, act="rulebook.reject")[0].detail == {"note": "a mistake"}


def test_what_is_approved_is_what_was_proposed(ledger: Ledger) -> None:
    """A rulebook published meanwhile makes the proposal mean something else: it must be proposed again."""
    who = people(ledger, li="inspector", chen="admin")
    number = proposal(ledger, who["li"])
    ledger.publish(STRICTER)
    with pytest.raises(Refusal, match="propose it again"), ledger.write() as connection:
        approve(connection, ledger.publications, who["chen"], number)


def test_what_is_planned_is_not_forgotten(ledger: Ledger) -> None:
    """A version for today that drops a stricter rule planned for next month is dangerous as well."""
    ledger.publish(STRICTER, datetime.now(UTC) + timedelta(days=30))
    with pytest.raises(NeedsApproval) as needed:
        ledger.publish(replace(BOOK, name="二"))
    assert [danger.what for danger in needed.value.dangers] == ["V02"]
    assert ledger.publish(replace(STRICTER, name="三")) == 3


def test_a_weakening_planned_is_no_licence_for_today(ledger: Ledger) -> None:
    """What two people decided for next month may not be put in force today by one."""
    ledger.publish(WEAKER, datetime.now(UTC) + timedelta(days=30), approval=Approval("next month"))
    with pytest.raises(NeedsApproval):
        ledger.publish(replace(WEAKER, name="二"))


def test_a_holiday_for_the_past_is_dangerous_twice(ledger: Ledger) -> None:
    """Effect for the past is refused unless it is asked for, and then needs a second person for that alone."""
    begins = at(0)
    with pytest.raises(LedgerError, match="say it is retroactive"):
        ledger.publish(STRICTER, begins)
    closed = replace(STRICTER.calendar, closed=(ClosedDay(day=at(1).date(), name="停电"),))
    with pytest.raises(NeedsApproval) as needed:
        ledger.publish(replace(STRICTER, calendar=closed), begins, retroactive=True)
    assert [danger.kind for danger in needed.value.dangers] == ["retroactive", "closed"]
    assert ledger.publish(STRICTER, begins, retroactive=True, approval=Approval("forgotten")) == 2
    assert [version.in_force_from for version in ledger.rulebooks(at(1)).versions] == [None, begins]
    assert ledger.rulebooks(at(1)).at(begins).version == 2


def test_a_retroactive_version_does_not_hide_what_cases_were_judged_by(ledger: Ledger) -> None:
    """An assessment taken by a version is checked against it, though a later one has taken its place for the past."""
    ledger.publish(STRICTER)
    begins = datetime.now(UTC) - timedelta(days=1)
    ledger.publish(replace(STRICTER, name="三"), begins, retroactive=True, approval=Approval("forgotten"))
    assert [version.version for version in ledger.rulebooks().versions] == [1, 3]
    with ledger.read() as connection:
        until = ledger.publications.history(connection, version=2)
    assert [version.version for version in until.versions] == [1, 2]


def test_the_first_version_is_never_dangerous(tmp_path: Path) -> None:
    """There is nothing to compare it with: a demo, or a first set-up, needs nobody's approval."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        assert ledger.publish(OFF) == 1
        assert ledger.publish(OFF) == 1
        with ledger.read() as connection:
            (line,) = audit.entries(connection)
    assert (line.act, line.object, "unsupervised" in line.detail) == ("rulebook.publish", "rulebook:1", False)
