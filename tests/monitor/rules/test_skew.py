"""Clock skew: order within two sources' measured skew is a defect of the data (D06), no reproach (V07)."""

import pytest

from monitor.rulebook.model import Rulebook
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, Line, at, book_with, case, finding, found, judge, with_source

APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")
FINISH = at("2009-03-04 10:00", "finish", outcome="refused")
ARCHIVE = at("2009-03-04 11:00", "archive")
UNTIL = "2009-03-06 00:00"


def measured(hall: float, night: float) -> Rulebook:
    """Give the rulebook with the skew two sources were measured to have, in minutes."""
    skews = {"hall": hall, "night": night}
    sources = (with_source(code, skew_minutes=skew).source[code] for code, skew in skews.items())
    return book_with(sources=(*sources, *(source for source in BOOK.sources if source.code not in skews)))


def rules_of(*lines: Line, book: Rulebook = BOOK) -> list[str]:
    """Judge a case; list the rules that found something."""
    return [rule for rule, _ in found(judge(case(*lines), UNTIL, book))]


@pytest.mark.parametrize(
    ("approved", "hall", "night", "rules"),
    [
        ("2009-03-02 09:56", 3, 4, []),  # within the tolerance of 5 minutes
        ("2009-03-02 09:54", 3, 4, ["D06"]),
        ("2009-03-02 09:48", 3, 4, ["D06"]),  # 12 minutes: 5 of tolerance, 3 and 4 of skew
        ("2009-03-02 09:47", 3, 4, ["V07"]),
        ("2009-03-02 09:54", 0, 0, ["V07"]),
    ],
)
def test_order_within_the_measured_skew_is_no_reproach(
    approved: str, hall: float, night: float, rules: list[str]
) -> None:
    """Of two sources, the skew of both comes on top of the tolerance; beyond that the order is a violation."""
    approve = at(approved, "approve", source="night", outcome="refused")
    assert rules_of(APPLY, ACCEPT, approve, FINISH, ARCHIVE, book=measured(hall, night)) == rules


def test_one_clock_cannot_disagree_with_itself() -> None:
    """Within one source the measured skew excuses nothing."""
    approve = at("2009-03-02 09:54", "approve", outcome="refused")
    assert rules_of(APPLY, ACCEPT, approve, FINISH, ARCHIVE, book=measured(30, 0)) == ["V07"]


def test_a_step_within_the_skew_is_not_missing() -> None:
    """An approval that a slow clock dates behind the finish was still taken before it."""
    approve = at("2009-03-04 10:10", "approve", source="night", outcome="refused")
    assert rules_of(APPLY, ACCEPT, approve, FINISH, ARCHIVE, book=measured(5, 5)) == ["D06"]
    assert rules_of(APPLY, ACCEPT, approve, FINISH, ARCHIVE, book=measured(1, 1)) == ["V06", "V07"]


def test_the_skew_is_one_ticket_for_the_two_sources() -> None:
    """The cause names both, whichever was early; the sentence says what disagrees."""
    approve = at("2009-03-02 09:50", "approve", source="night", outcome="refused")
    said = finding(judge(case(APPLY, ACCEPT, approve, FINISH, ARCHIVE), UNTIL, measured(3, 4)), "D06")
    assert (said.kind, said.cause, said.subject) == ("data", "skew:hall:night", "order:approve<accept")
    assert "night and hall disagree: approve (2009-03-02 09:50) precedes accept" in say_finding(said, "en", BOOK)
    assert "来源 night 与 hall 的时钟不一致" in say_finding(said, "zh", BOOK)


@pytest.mark.parametrize(("received", "rules"), [("2009-03-02 09:55", []), ("2009-03-02 09:54:59", ["D06"])])
def test_a_clock_ahead(received: str, rules: list[str]) -> None:
    """What is dated later than it was received, by more than the tolerance, was dated by a clock that runs ahead."""
    approve = at("2009-03-03 10:00", "approve", outcome="refused")
    early = at("2009-03-02 10:00", "accept", received=received)
    assert rules_of(APPLY, early, approve, FINISH, ARCHIVE) == rules


def test_a_clock_ahead_is_one_ticket_a_source() -> None:
    """However many of its events are ahead, a case has one finding on it, and the source one cause."""
    ahead = (
        at("2009-03-02 10:00", "accept", received="2009-03-02 09:30"),
        at("2009-03-03 10:00", "approve", received="2009-03-03 09:30", outcome="refused"),
    )
    said = finding(judge(case(APPLY, *ahead, FINISH, ARCHIVE), UNTIL), "D06")
    assert (said.cause, said.subject) == ("ahead:hall", "ahead:hall")
    sentence = "The clock of source hall runs ahead: accept dated 2009-03-02 10:00 was received at 2009-03-02 09:30."
    assert say_finding(said, "en", BOOK) == sentence
    assert "时钟偏快" in say_finding(said, "zh", BOOK)
