"""A rule accuses nobody before a sample, which nobody chose, was looked at and found right."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from monitor.ledger import audit
from monitor.ledger.errors import Refusal
from monitor.ledger.publication import NeedsApproval
from monitor.people import Actor, add_user, this_account
from monitor.promotion import Promoted, Wish, changed_by, in_force, present_mode, promote
from monitor.rulebook.danger import dangers
from monitor.rulebook.model import Department, Rulebook, RuleException, RuleSetting
from monitor.sampling import Drawn, Selection, Verdict, draw, hits, review, reviews
from monitor.scope import Scope, scope_of
from tests.monitor.readiness.feed import BOOK, ITEM, Feed, T, case
from tests.small_centre import at

pytestmark = pytest.mark.usefixtures("each_database")

QUIET = replace(
    BOOK,
    departments=(*BOOK.departments, Department(code="health", name="卫生局", name_en="Health", region="450902")),
    items=(*BOOK.items, replace(ITEM, code="i3", department="health")),
    rules={"V06": RuleSetting(mode="shadow"), "V07": RuleSetting(mode="off")},
)
ALL = Selection()


class Office:
    """A ledger in which V06 finds 25 cases, 5 of them of the health department, in shadow; and who reviews them."""

    def __init__(self, folder: Path) -> None:
        self.feed = Feed(folder, QUIET)
        self.ledger = self.feed.ledger
        health = {"department": "health", "item": "i3", "region": "450902"}
        cases = [case(f"c{number:02}", number, **(health if number >= 20 else {})) for number in range(25)]
        self.feed.deliver(*(each for events in cases for each in events if each.type is not T.APPROVE))
        with self.ledger.write() as connection:
            self.li, self.wu, self.chen = (
                Actor(name, add_user(connection, this_account(), name, role, "correct horse battery"))
                for name, role in (("li", "inspector"), ("wu", "leader"), ("chen", "admin"))
            )

    def sample(self, of: Selection = ALL, size: int = 20) -> list[Drawn]:
        """Draw the sample of V06 in shadow."""
        with self.ledger.read() as connection:
            return draw(connection, "V06", "shadow", of, size)

    def review(self, drawn: Drawn, verdict: Verdict = "right", actor: Actor | None = None) -> list[str]:
        """Review one finding."""
        with self.ledger.write() as connection:
            user = (actor or self.li).user
            scope = Scope(None, None, (), persons=False) if user is None else scope_of(user, QUIET)
            return review(connection, actor or self.li, scope, "V06", drawn.case, verdict)

    def promote(self, wish: Wish | None = None, actor: Actor | None = None) -> Promoted:
        """Promote V06, by default to a lead."""
        with self.ledger.write() as connection:
            return promote(self.ledger, connection, actor or self.li, wish or Wish("V06", "lead"))

    @property
    def rulebook(self) -> Rulebook:
        """The rulebook in force."""
        with self.ledger.read() as connection:
            return in_force(self.ledger, connection).rulebook


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with findings in shadow."""
    made = Office(tmp_path)
    yield made
    made.feed.close()


def test_a_sample_is_drawn_by_chance_and_the_same_for_everybody(office: Office) -> None:
    """Twenty of the findings in the order of their hashes, not of cases or time; all of them where there are fewer."""
    drawn = office.sample()
    assert len({each.finding for each in drawn}) == 20
    assert drawn == office.sample()
    assert drawn == office.sample(size=25)[:20]
    assert [each.case for each in drawn] != sorted(each.case for each in drawn)
    assert {each.department for each in office.sample(Selection(department="health"))} == {"health"}
    assert len(office.sample(Selection(item="i3", source="hall"))) == 5
    assert office.sample(Selection(source="night")) == []
    with office.ledger.read() as connection:
        assert hits(connection)["V06"] == {"shadow": 25}


def test_a_rule_is_promoted_once_its_sample_was_reviewed(office: Office) -> None:
    """Until the last of the twenty was looked at it is refused, and the cases that are left are named."""
    drawn = office.sample()
    for each in drawn[:-1]:
        office.review(each)
    with pytest.raises(Refusal, match=f"1 of the 20 findings of V06 .* {drawn[-1].case}"):
        office.promote()
    office.review(drawn[-1], "wrong")
    assert office.promote() == Promoted(2, "V06", "shadow", "lead", 20, 1)
    assert office.rulebook.rules["V06"] == RuleSetting(mode="lead")
    while office.feed.engine.tick(datetime.now(UTC) + timedelta(seconds=1)):
        pass
    with office.ledger.read() as connection:
        assert hits(connection)["V06"] == {"lead": 25}
        line = audit.entries(connection, act="rule.promote")[0]
    assert (line.actor, line.object) == ("li", "rule:V06")
    assert (line.detail["from"], line.detail["to"], line.detail["wrong"], line.detail["version"]) == (
        "shadow",
        "lead",
        1,
        2,
    )
    assert line.detail["sample"] == [each.finding for each in drawn]


def test_two_wrong_of_twenty_are_too_many(office: Office) -> None:
    """More than one in twenty wrong, and nobody is accused by the rule; asked for less, none may be."""
    drawn = office.sample()
    for each in drawn:
        office.review(each, "wrong" if each in drawn[:2] else "right")
    with pytest.raises(Refusal, match="2 of the 20 findings of V06 that were reviewed are wrong, more than 5 %"):
        office.promote()
    office.review(drawn[0])
    with pytest.raises(Refusal, match="more than 0 %"):
        office.promote(Wish("V06", "lead", wrong_share=0))
    with pytest.raises(Refusal, match="have not been reviewed"):
        office.promote(Wish("V06", "lead", sample=25))
    office.review(drawn[1])
    assert office.promote(Wish("V06", "lead", sample=1, wrong_share=1)).sample == 20, "never less than twenty"


def test_reviews_beside_the_sample_do_not_count(office: Office) -> None:
    """Whoever reviews what he likes does not get the rule through: the twenty are drawn."""
    chosen = [each for each in office.sample(size=25) if each not in office.sample()]
    for each in chosen:
        office.review(each)
    with pytest.raises(Refusal, match="20 of the 20"):
        office.promote()


def test_where_there_are_fewer_all_are_reviewed(office: Office) -> None:
    """Five findings of a department are its sample; promoted, it is so for that department alone."""
    wish = Wish("V06", "card", Selection(department="health"))
    for each in office.sample(Selection(department="health")):
        office.review(each)
    assert office.promote(wish).sample == 5
    setting = office.rulebook.rules["V06"]
    assert setting == RuleSetting(mode="shadow", exceptions=(RuleException(mode="card", department="health"),))
    with pytest.raises(Refusal, match="is in mode card there already"):
        office.promote(wish)


def test_the_last_verdict_counts_for_the_version_it_was_given_for(office: Office) -> None:
    """A verdict may be changed; one on what another version of the rule found says nothing of this one."""
    first = office.sample()[0]
    office.review(first, "wrong")
    office.review(first, "right")
    said = office.sample()[0].review
    assert said is not None
    assert (said.verdict, said.by) == ("right", "li")
    with office.ledger.write() as connection:
        connection.execute(text("UPDATE findings SET rule_version = rule_version + 1"))
    assert office.sample()[0].review is None
    with office.ledger.read() as connection:
        assert len(reviews(connection)) == 1


def test_reviews_are_for_inspectors_within_their_scope(office: Office) -> None:
    """A leader, or the account of the machine, reviews nothing; neither does an inspector of elsewhere."""
    first = office.sample()[0]
    for actor, said in ((office.wu, "has the role leader"), (this_account(), "--as NAME")):
        with pytest.raises(Refusal, match=said):
            office.review(first, actor=actor)
        with pytest.raises(Refusal, match=said):
            office.promote(actor=actor)
    elsewhere = Scope(frozenset({"4501"}), None, ("card", "lead"), persons=True)
    with pytest.raises(Refusal, match="finds nothing in case"), office.ledger.write() as connection:
        review(connection, office.li, elsewhere, "V06", first.case, "right")


@pytest.mark.parametrize(
    ("rule", "case_of", "said"),
    [
        ("V06", "nobody", "finds nothing in case nobody"),
        ("V99", "c00", "no rule V99"),
        ("D01", "c00", "about the data"),
    ],
)
def test_what_cannot_be_reviewed_is_said(office: Office, rule: str, case_of: str, said: str) -> None:
    """An unknown case or rule, and a rule that accuses nobody, are errors that say so."""
    scope = Scope(None, None, (), persons=True)
    with pytest.raises(Refusal, match=said), office.ledger.write() as connection:
        review(connection, office.li, scope, rule, case_of, "right")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish("V99", "lead"), "no rule V99"),
        (Wish("D01", "card"), "no mode to promote"),
        (Wish("V07", "lead"), "V07 is off there"),
        (Wish("V06", "lead", Selection(source="nobody")), "no source nobody"),
        (Wish("V06", "lead", Selection(item="i77")), "no item i77"),
    ],
)
def test_what_cannot_be_promoted_is_said(office: Office, wish: Wish, said: str) -> None:
    """A rule that is off has no findings to look at; a selection of nothing is a mistake."""
    with pytest.raises(Refusal, match=said):
        office.promote(wish)


def test_a_rule_that_finds_nothing_has_nothing_to_review(office: Office) -> None:
    """It may be promoted, and the audit says that the sample was empty."""
    assert office.promote(Wish("V05", "card")).sample == 0


def test_a_weaker_mode_takes_a_second_person(office: Office) -> None:
    """From card back to lead, or a baseline for what was told already, is a dangerous version."""
    office.promote(Wish("V05", "card"))
    with pytest.raises(NeedsApproval):
        office.promote(Wish("V05", "lead"))
    with pytest.raises(NeedsApproval):
        office.promote(Wish("V05", "card", baseline=date(2026, 3, 9)))
    assert office.rulebook.rules["V05"] == RuleSetting(mode="card")


def test_dates_go_with_the_promotion(office: Office) -> None:
    """Start and baseline of a rule nobody was told of before are set with it, and need nobody else."""
    for each in office.sample():
        office.review(each)
    office.promote(Wish("V06", "card", start=date(2026, 3, 5), baseline=date(2026, 3, 4)))
    assert office.rulebook.rules["V06"] == RuleSetting(mode="card", start=date(2026, 3, 5), baseline=date(2026, 3, 4))


def test_a_version_planned_is_not_taken_the_place_of(office: Office) -> None:
    """While a later rulebook waits, a promotion is refused rather than undoing it; one just published is in force."""
    office.ledger.publish(replace(QUIET, name="二"), at(500))
    with pytest.raises(Refusal, match="Version 2 of the rulebook is planned"):
        office.promote(Wish("V05", "card"))


EXCEPT_ITEM = RuleException(mode="shadow", source="hall", item="i1")
EXCEPT_SOURCE = RuleException(mode="shadow", source="hall")
EXCEPT_OTHER = RuleException(mode="off", department="health")


@pytest.mark.parametrize(
    ("before", "of", "after"),
    [
        ((), Selection(source="hall"), ["hall"]),
        ((EXCEPT_ITEM,), Selection(source="hall"), ["i1", "hall"]),
        ((EXCEPT_SOURCE,), Selection(source="hall"), ["hall"]),
        ((EXCEPT_SOURCE,), Selection(source="hall", item="i2"), ["hall i2", "hall"]),
        ((EXCEPT_OTHER, EXCEPT_SOURCE), Selection(item="i2", source="hall"), ["health", "hall i2", "hall"]),
    ],
)
def test_a_promotion_takes_nothing_from_what_is_excepted(
    before: tuple[RuleException, ...], of: Selection, after: list[str]
) -> None:
    """It counts for its selection, stands before what would hide it, and behind what others except from it."""
    book = replace(QUIET, rules={"V06": RuleSetting(mode="shadow", exceptions=before)})
    changed = changed_by(book, Wish("V06", "lead", of))
    placed = changed.rules["V06"].exceptions
    assert list(map(_named, placed)) == after
    assert present_mode(changed, "V06", of) == "lead"
    assert dangers(book, changed) == []
    for exception in before:
        if exception != EXCEPT_SOURCE:
            excepted = Selection(exception.source, exception.department, exception.item)
            assert present_mode(changed, "V06", excepted) == exception.mode


def _named(exception: RuleException) -> str:
    codes = [code for code in (exception.source, exception.department, exception.item) if code is not None]
    return " ".join(codes) if codes != ["hall", "i1"] else "i1"
