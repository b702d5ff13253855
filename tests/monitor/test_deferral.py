"""Acceptance with deferred materials (容缺受理): the clock up to their date, and rule V33."""

import pytest

from monitor.explain import explain
from monitor.rulebook.model import Rulebook, RuleSetting
from monitor.verdict import Assessment, Severity
from tests.monitor.cases import (
    BOOK,
    TICK,
    Line,
    at,
    book_with,
    case,
    clock,
    end_of,
    finding,
    found,
    history,
    judge,
    sending,
    when,
    with_source,
)

DUE = when("2009-03-09 17:30")
"""A Monday; the department has until the end of Tuesday to end a case without its materials."""
OWED = (
    at("2009-03-02 09:00", "apply"),
    at("2009-03-02 10:00", "accept", deferred_until=DUE),
)
RECEIVED = at("2009-03-09 17:00", "deferred_received")
GRANTED = (at("2009-03-06 10:00", "approve", outcome="granted"), at("2009-03-06 11:00", "finish", outcome="granted"))
ISSUED = at("2009-03-06 12:00", "issue")
LAPSED = end_of("2009-03-10")


def judged(*lines: Line, until: object = "2009-03-11 09:00", book: Rulebook = BOOK) -> Assessment:
    """Judge a case of an item with a long promise."""
    return judge(case(*lines, item="long"), until, book)  # type: ignore[arg-type]


def v33(assessment: Assessment) -> list[str]:
    """List what V33 says of a case."""
    return [each.evidence["act"] for each in assessment.findings if each.rule == "V33"]


def test_the_clock_runs_from_acceptance_to_the_instant_promised() -> None:
    """Compared as an instant; what is received up to then is in time."""
    armed = clock(judged(*OWED, RECEIVED), "deferred")
    assert (armed.due, armed.phase, armed.end_event) == (DUE, "met", "hall/deferred_received")
    assert clock(judged(*OWED, until=DUE), "deferred").phase == "running"
    assert clock(judged(*OWED, until=DUE + TICK), "deferred").phase == "breached"
    assert judged(*OWED[:1], at("2009-03-02 10:00", "accept")).clock("deferred") is None


@pytest.mark.parametrize(
    "end",
    [
        at("2009-03-10 16:00", "finish", outcome="lapsed"),
        at("2009-03-10 16:00", "refuse"),
        at("2009-03-10 16:00", "withdraw"),
        at("2009-03-10 16:00", "void"),
        at("2009-03-10 16:00", "deferred_received"),
    ],
)
def test_the_department_has_a_working_day_to_end_the_case(end: Line) -> None:
    """That the materials do not come is the applicant's doing; ended on the next working day nobody is to blame."""
    ended = judged(*OWED, end, until="2009-03-20 09:00")
    assert clock(ended, "deferred").ended_at == end.time
    assert v33(ended) == []
    assert v33(judged(*OWED, until=LAPSED)) == []


def test_carried_on_without_the_materials() -> None:
    """V33 once the working day after their date is over and the case is not ended, also where it ended later."""
    said = finding(judged(*OWED, until=LAPSED + TICK), "V33")
    assert (said.evidence["act"], said.occurred_at, said.severity) == ("lapsed", LAPSED, Severity.PROMISED_BREACH)
    late = at("2009-03-11 09:00", "finish", outcome="lapsed")
    assert v33(judged(*OWED, late, until="2009-03-20 09:00")) == ["lapsed"]


def test_a_grant_does_not_make_the_materials_superfluous() -> None:
    """Finished with a grant, the case still lacks them."""
    assert clock(judged(*OWED, *GRANTED), "deferred").phase == "breached"
    assert v33(judged(*OWED, *GRANTED, until=LAPSED + TICK)) == ["lapsed"]


def test_the_licence_issued_without_the_materials() -> None:
    """V33 at once, before they are even due; not where they came first, or minutes apart by clocks that disagree."""
    said = finding(judged(*OWED, *GRANTED, ISSUED, until="2009-03-06 13:00"), "V33")
    assert (said.evidence["act"], said.occurred_at) == ("issued", ISSUED.time)
    assert "hall/issue" in said.evidence["events"]
    after = at("2009-03-08 09:00", "deferred_received")
    assert v33(judged(*OWED, *GRANTED, ISSUED, after)) == ["issued"]
    for received in ("2009-03-05 09:00", "2009-03-06 12:04"):
        assert v33(judged(*OWED, *GRANTED, ISSUED, at(received, "deferred_received"))) == []


def test_issue_is_judged_once_the_clocks_have_settled() -> None:
    """Until the tolerance after the issue has passed, the receipt may still be on its way."""
    early = judged(*OWED, *GRANTED, ISSUED, until="2009-03-06 12:04")
    assert v33(early) == []
    assert early.next_change == when("2009-03-06 12:05")
    assert v33(judged(*OWED, *GRANTED, ISSUED, until="2009-03-06 12:05")) == ["issued"]


def test_the_grace_is_a_parameter() -> None:
    """A deployment may give three working days, or none."""
    for days, lapses in ((3, end_of("2009-03-12")), (0, DUE)):
        book = book_with(rules={**BOOK.rules, "V33": RuleSetting(mode="card", parameters={"grace_days": days})})
        assert v33(judged(*OWED, until=lapses, book=book)) == []
        assert v33(judged(*OWED, until=lapses + TICK, book=book)) == ["lapsed"]


def test_a_source_that_cannot_tell_of_the_receipt_accuses_nobody() -> None:
    """Not observed: grey, no finding."""
    blind = with_source("hall", types=sending("deferred_received"))
    assessment = judged(*OWED, until="2009-03-20 09:00", book=blind)
    assert clock(assessment, "deferred").phase == "unobserved"
    assert (v33(assessment), assessment.light) == ([], "grey")


def test_late_news_of_the_receipt_is_contested() -> None:
    """Materials in time that were told of beyond lateness do not quietly erase the finding."""
    told_late = at("2009-03-09 09:00", "deferred_received", received="2009-03-12 09:00")
    assert ("V33", "contested") in found(judged(*OWED, told_late, until="2009-03-20 09:00"))


@pytest.mark.parametrize(
    ("lines", "zh", "en"),
    [
        (OWED, "至 2009-03-10 24:00 办件仍未终结", "not ended by 2009-03-10 24:00"),
        ((*OWED, *GRANTED, ISSUED), "未补齐即于 2009-03-06 12:00 出件", "issued without them at 2009-03-06 12:00"),
    ],
)
def test_explain_says_what_was_owed(lines: tuple[Line, ...], zh: str, en: str) -> None:
    """The clock is shown with the instant the source has set, and the finding as a sentence."""
    for lang, sentence in (("zh", zh), ("en", en)):
        told = explain(case(*lines, item="long"), history(BOOK), when("2009-03-11 09:00"), lang)  # type: ignore[arg-type]
        assert any(sentence in said for said, _ in told.findings)
        assert any("2009-03-09 17:30" in each.dates for each in told.clocks)
