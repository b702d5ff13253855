"""What people do about a finding: by whom, in which order, and sealed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.events import EventType
from monitor.ledger import Ledger
from monitor.ledger.actions import ACTS, Act, Action, check, of_findings, record
from monitor.ledger.errors import Refusal
from monitor.ledger.verify import verify
from monitor.people import Actor, Role, add_user, this_account
from monitor.verdict import finding_id
from streams.engine import Engine
from tests.small_centre import RULEBOOK, assess_plainly, at, delivered, event, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")

SECRET = "一句容易记住的长密码 2026"
SAID = "经办人李四生病，已补办"
FINDING = finding_id("c1", "V01")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine with a late case, and people of two departments."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event()), at(0))
        engine.tick(at(4))
        yield engine


def person(ledger: Ledger, name: str, role: Role, department: str | None = None, region: str | None = None) -> Actor:
    """Add a user."""
    with ledger.write() as connection:
        return Actor(name, add_user(connection, this_account(), name, role, SECRET, region, department, RULEBOOK))


def does(ledger: Ledger, actor: Actor, act: Act, said: str | None = None, finding: str = FINDING) -> Action:
    """Have somebody act on a finding."""
    with ledger.write() as connection:
        return record(connection, ledger.texts, RULEBOOK, actor, finding, act, said)


def test_a_finding_goes_from_acknowledgement_to_close(engine: Engine) -> None:
    """Each act is kept with who and when, in its order; the ledger verifies, and no word of it lies in clear."""
    ledger = engine.ledger
    land, wu = person(ledger, "land", "department", "land"), person(ledger, "wu", "inspector")
    done = [
        does(ledger, land, "acknowledge"),
        does(ledger, land, "answer", SAID),
        does(ledger, land, "appeal", SAID),
        does(ledger, wu, "close", "属实"),
        does(ledger, wu, "supervise", "请补办"),
        does(ledger, land, "answer", SAID),
    ]
    with ledger.read() as connection:
        assert of_findings(connection, [FINDING]) == done
        kept = {(text.source, text.said) for text in ledger.texts.of_case(connection, "c1")}
    assert [each.actor for each in done] == ["land", "land", "land", "wu", "wu", "land"]
    assert kept == {("actions", SAID), ("actions", "属实"), ("actions", "请补办")}
    checked = verify(ledger, assess_plainly)
    assert (checked.difference, checked.actions, checked.texts) == (None, 6, 5)
    for path in ledger.folder.rglob("*"):
        assert not path.is_file() or SAID.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("past", "allowed"),
    [
        ((), {"acknowledge", "supervise", "close"}),
        (("acknowledge",), {"answer", "appeal", "supervise", "close"}),
        (("acknowledge", "answer"), {"answer", "appeal", "supervise", "close"}),
        (("acknowledge", "appeal"), {"answer", "supervise", "close"}),
        (("supervise",), {"acknowledge", "supervise", "close"}),
        (("close",), {"supervise"}),
        (("acknowledge", "close"), {"supervise"}),
        (("acknowledge", "close", "supervise"), {"answer", "appeal", "supervise", "close"}),
        (("close", "supervise", "close"), {"supervise"}),
    ],
)
@pytest.mark.parametrize("state", ["live", "provisional", "contested"])
def test_what_may_follow_on_a_finding_that_stands(state: str, past: tuple[Act, ...], allowed: set[Act]) -> None:
    """First acknowledged, appealed once, closed for all but supervising, which opens it again."""
    assert {act for act in ACTS if may(state, past, act)} == allowed


@pytest.mark.parametrize("state", ["withdrawn", "cancelled"])
def test_a_finding_that_does_not_stand_can_only_be_closed(state: str) -> None:
    """Nobody answers for what was not so."""
    assert {act for act in ACTS if may(state, ("acknowledge",), act)} == {"close"}
    assert not may(state, ("close",), "close")


def may(state: str, past: tuple[Act, ...], act: Act) -> bool:
    """Tell whether an act is allowed."""
    try:
        check(state, past, act)
    except Refusal:
        return False
    return True


def test_an_act_on_a_withdrawn_finding_is_refused(engine: Engine) -> None:
    """The ledger's state of the finding counts, not what somebody saw before."""
    land = person(engine.ledger, "land", "department", "land")
    engine.process(delivered(event(EventType.FINISH.value, time=at(2))), at(5))
    with pytest.raises(Refusal, match="withdrawn or cancelled"):
        does(engine.ledger, land, "acknowledge")


def test_only_who_sees_a_finding_may_act_on_it(engine: Engine) -> None:
    """A department acts on its own findings, an inspector in his regions; nobody else, and nobody without a name."""
    ledger = engine.ledger
    elsewhere = person(ledger, "elsewhere", "inspector", region="4501")
    leader, wu = person(ledger, "leader", "leader"), person(ledger, "wu", "inspector")
    land = person(ledger, "land", "department", "land")
    with pytest.raises(Refusal, match="out of your scope"):
        does(ledger, elsewhere, "close")
    with pytest.raises(Refusal, match="out of your scope"):
        does(ledger, wu, "close", finding="no such")
    for actor, act in ((leader, "close"), (land, "close"), (wu, "answer"), (leader, "acknowledge")):
        with pytest.raises(Refusal, match="this is for"):
            does(ledger, actor, act)  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="--as"):
        does(ledger, this_account(), "close")
    with ledger.read() as connection:
        assert of_findings(connection, [FINDING]) == []


def test_what_must_say_something_says_it_in_bounds(engine: Engine) -> None:
    """An empty answer is none, and one without end is refused; an acknowledgement may be silent."""
    land = person(engine.ledger, "land", "department", "land")
    assert does(engine.ledger, land, "acknowledge", " ").text is None
    for said, why in ((" ", "say something"), ("长" * 2_001, "2,000 characters")):
        with pytest.raises(Refusal, match=why):
            does(engine.ledger, land, "answer", said)
    mark = does(engine.ledger, land, "answer", "长" * 2_000).text
    assert mark is not None
    assert mark.length == 2_000
