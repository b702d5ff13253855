"""V06 on cases that were issued or archived without ever being finished."""

import pytest

from monitor.events import EventType
from tests.monitor.cases import BOOK, Line, at, case, finding, found, judge, sending, when, with_item, with_source

T = EventType
APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")
APPROVE = at("2009-03-03 10:00", "approve", outcome="granted")
ISSUE = at("2009-03-06 11:00", "issue")
"""A Friday: the finish may be entered until the end of Monday the 9th."""
SETTLED = "2009-03-09 23:59:59.999999"
LACKING = (APPLY, ACCEPT, APPROVE, ISSUE)


def v06(*lines: Line, until: str = SETTLED, book: object = BOOK, item: str = "long") -> list[list[str]]:
    """List what V06 says is missing."""
    judged = judge(case(*lines, item=item), until, book)  # type: ignore[arg-type]
    return [each.evidence["missing"] for each in judged.findings if each.rule == "V06"]


def test_issued_without_a_finish() -> None:
    """It lacks the finish from the end of the next working day on, and is looked at again then."""
    said = finding(judge(case(*LACKING, item="long"), SETTLED), "V06")
    assert (said.evidence["missing"], said.evidence["step"], said.occurred_at) == (["finish"], "issue", ISSUE.time)
    early = judge(case(*LACKING, item="long"), "2009-03-09 23:00")
    assert ("V06", "live") not in found(early)
    assert early.next_change == when(SETTLED)


def test_archived_without_a_finish() -> None:
    """So does a case that was archived; whatever else it lacks is listed too."""
    assert v06(APPLY, ACCEPT, at("2009-03-06 11:00", "archive")) == [["approve", "finish"]]


def test_a_finish_entered_the_next_working_day_is_none_missing() -> None:
    """An office may hand out on Friday and close the file on Monday."""
    assert v06(*LACKING, at("2009-03-09 17:00", "finish", outcome="granted")) == []


@pytest.mark.parametrize("end", ["withdraw", "void", "forward", "refuse"])
def test_a_case_that_ended_otherwise_needs_no_finish(end: str) -> None:
    """What was withdrawn, voided, forwarded or refused is archived without one."""
    assert v06(APPLY, ACCEPT, at("2009-03-05 10:00", end), at("2009-03-06 11:00", "archive")) == []


def test_a_consultation_that_is_archived_needs_none() -> None:
    """Nothing was applied for."""
    assert v06(at("2009-03-02 09:00", "consult"), at("2009-03-06 11:00", "archive")) == []


def test_a_finish_nobody_can_send_is_not_missing() -> None:
    """A source without the finish accuses nobody of it."""
    assert v06(*LACKING, book=with_source("hall", types=sending("finish"))) == []


def test_the_item_may_ask_for_no_finish() -> None:
    """Steps the item states take the place of acceptance, approval and finish."""
    assert v06(*LACKING, book=with_item("long", steps=(T.ACCEPT, T.APPROVE))) == []
    assert v06(*LACKING, book=with_item("long", steps=(T.ACCEPT, T.FINISH))) == [["finish"]]
