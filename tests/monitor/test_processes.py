"""Complaints, enterprises' requests and consultations: clocks, rounds, stages, and rules V28 and V32."""

from typing import Any

import pytest
from msgspec.structs import replace

from monitor.explain import explain
from monitor.rulebook.model import Limits, Rulebook
from monitor.verdict import Assessment, Severity, Stage
from tests.monitor.cases import BOOK, Line, at, book_with, case, clock, end_of, finding, found, history, judge, when

LIMITS = Limits(complaint_accept="5 wd", complaint="10 wd", request="3 wd", reply="3 wd")
SET = book_with(limits=LIMITS)
LATER = "2009-06-01 00:00"

FILED = at("2009-03-02 09:00", "complaint_filed", department="land", against="o7")
ACCEPTED = at("2009-03-04 09:00", "complaint_accepted", department="water", operator="o1")
CLOSED = at("2009-03-10 09:00", "complaint_closed", department="water", operator="o1")
ASKED = at("2009-03-02 09:00", "request_filed")
APPLICATION = (at("2009-03-01 09:00", "apply"), at("2009-03-01 10:00", "accept"))


def judged(*lines: Line, until: str = LATER, book: Rulebook = SET, item: str = "permit") -> Assessment:
    """Judge a case of an item."""
    return judge(case(*lines, item=item), until, book)


def of(assessment: Assessment, rule: str) -> list[str]:
    """List the subjects of a rule's findings."""
    return [each.subject for each in assessment.findings if each.rule == rule]


def test_a_complaint_runs_from_filed_to_accepted_to_closed() -> None:
    """Two clocks one after the other, each charged to whoever has the complaint then."""
    assessment = judged(FILED, ACCEPTED, CLOSED)
    first, second = clock(assessment, "complaint_accept", "1"), clock(assessment, "complaint", "1")
    assert (first.due, first.phase, first.department) == (end_of("2009-03-09"), "met", "land")
    assert (second.due, second.phase, second.department) == (end_of("2009-03-18"), "met", "water")
    assert of(assessment, "V28") == []


@pytest.mark.parametrize(
    ("lines", "until", "subject", "department"),
    [
        ((FILED,), "2009-03-10 00:00", "complaint_accept:1", "land"),
        ((FILED, ACCEPTED), "2009-03-19 00:00", "complaint:1", "water"),
        ((ASKED,), "2009-03-06 00:00", "request:1", "land"),
    ],
)
def test_over_a_limit(lines: tuple[Line, ...], until: str, subject: str, department: str) -> None:
    """A complaint not accepted or closed in time, a request not closed: V28, when the limit has passed."""
    said = finding(judged(*lines, until=until), "V28")
    assert (said.subject, said.department, said.severity) == (subject, department, Severity.PROMISED_BREACH)
    assert judged(*lines, until=until).light == "promised_breach"
    assert found(judged(*lines, until=f"{until[:8]}{int(until[8:10]) - 1:02} 12:00")) == []


def test_no_limit_no_clock() -> None:
    """What the deployment sets no limit for is not measured, and no source can be silent about it."""
    unset = book_with(limits=Limits())
    assert judged(FILED, ACCEPTED, CLOSED, book=unset).clocks == ()
    assert found(judged(FILED, book=unset)) == []


def test_what_the_source_cannot_send_is_not_observed() -> None:
    """A feed without the closing of complaints shows grey, and accuses nobody."""
    blind = book_with(
        limits=LIMITS,
        sources=tuple(replace(source, types=(FILED.kind, ACCEPTED.kind)) for source in BOOK.sources),
    )
    assessment = judged(FILED, ACCEPTED, book=blind)
    assert clock(assessment, "complaint", "1").phase == "unobserved"
    assert (assessment.light, found(assessment)) == ("grey", [])


def test_closed_without_acceptance_needs_none() -> None:
    """A complaint answered at once was never kept waiting for its acceptance."""
    assessment = judged(FILED, at("2009-03-03 09:00", "complaint_closed"))
    assert clock(assessment, "complaint_accept", "1").phase == "met"
    assert assessment.clock("complaint", "1") is None


AGAIN = at("2009-03-16 09:00", "complaint_filed", department="land")


def test_filed_again_it_begins_a_new_round() -> None:
    """The second round has its own clock; that it was needed is charged to whoever had closed it."""
    assessment = judged(FILED, ACCEPTED, CLOSED, AGAIN, until="2009-03-17 09:00")
    assert clock(assessment, "complaint_accept", "2").due == end_of("2009-03-23")
    said = finding(assessment, "V28")
    assert (said.subject, said.department) == ("reopened:complaint:2", "water")
    assert (said.severity, said.occurred_at) == (Severity.WARNING, AGAIN.time)


def test_clocks_that_disagree_do_not_reopen_a_complaint() -> None:
    """Accepted by one system minutes after another one says it was closed: within tolerance that is one round."""
    filed = at("2009-03-09 09:00", "complaint_filed")
    rough = at("2009-03-10 09:40", "complaint_accepted", source="rough")
    assert of(judged(filed, CLOSED, rough), "V28") == []
    closed = at("2009-03-10 00:00", "complaint_closed", source="daily")
    same_day = (closed, at("2009-03-10 16:00", "complaint_accepted"))
    assert of(judged(filed, *same_day), "V28") == []


@pytest.mark.parametrize("handled", ["complaint_accepted", "complaint_closed"])
def test_handled_by_the_person_complained_of(handled: str) -> None:
    """Whoever is complained of neither takes up nor closes the complaint; the evidence holds no code of a person."""
    lines = [FILED, ACCEPTED, CLOSED]
    own = at("2009-03-06 09:00", handled, department="land", operator="o7")
    lines[1 if handled == "complaint_accepted" else 2] = own
    said = finding(judged(*lines), "V28")
    assert (said.subject, said.department, said.occurred_at) == ("own_case:1", "land", own.time)
    assert "o7" not in str(said.evidence)


def test_nobody_complained_of_nobody_accused() -> None:
    """Where neither is told who is meant nor who handled it, nothing is concluded."""
    nameless = (at("2009-03-02 09:00", "complaint_filed"), at("2009-03-04 09:00", "complaint_closed"))
    assert of(judged(*nameless), "V28") == []


@pytest.mark.parametrize(
    ("lines", "stage", "closed"),
    [
        ((FILED,), Stage.COMPLAINT_FILED, False),
        ((FILED, ACCEPTED), Stage.COMPLAINT_ACCEPTED, False),
        ((FILED, ACCEPTED, CLOSED), Stage.COMPLAINT_CLOSED, True),
        ((FILED, ACCEPTED, CLOSED, AGAIN), Stage.COMPLAINT_FILED, False),
        ((ASKED,), Stage.REQUEST_FILED, False),
        ((ASKED, at("2009-03-03 09:00", "request_closed")), Stage.REQUEST_CLOSED, True),
        ((FILED, at("2009-03-03 09:00", "withdraw")), Stage.WITHDRAWN, True),
    ],
)
def test_stage_of_a_process_of_its_own(lines: tuple[Line, ...], stage: Stage, closed: bool) -> None:
    """A complaint or request with a case number of its own has stages of its own."""
    assessment = judged(*lines)
    assert (assessment.stage, assessment.closed) == (stage, closed)


def test_within_an_application_it_changes_nothing_of_it() -> None:
    """A complaint about a case under way touches neither its stage, its department nor its clocks."""
    plain, with_complaint = judged(*APPLICATION), judged(*APPLICATION, FILED, ACCEPTED)
    assert (with_complaint.stage, with_complaint.department) == (plain.stage, plain.department)
    assert [c for c in with_complaint.clocks if not c.name.startswith("complaint")] == list(plain.clocks)


def test_the_end_of_an_application_does_not_end_a_complaint_about_it() -> None:
    """Withdrawing the application leaves the complaint to be answered; withdrawing the complaint itself ends it."""
    gone = at("2009-03-03 09:00", "withdraw")
    assert clock(judged(*APPLICATION, FILED, gone), "complaint_accept", "1").phase == "breached"
    assert clock(judged(FILED, gone), "complaint_accept", "1").phase == "cancelled"


def test_a_complaint_is_counted_by_the_default_profile() -> None:
    """The item of an application has its own way of counting; a complaint about it has not."""
    assert clock(judged(*APPLICATION, FILED, item="natural"), "complaint_accept", "1").profile == "next_day"


def test_an_unanswered_consultation() -> None:
    """V32 when the limit for a reply has passed; a reply or an application in time is none."""
    asked = at("2009-03-02 09:00", "consult")
    said = finding(judged(asked, until="2009-03-06 00:00"), "V32")
    assert (said.severity, said.occurred_at) == (Severity.NOTICE, end_of("2009-03-05"))
    for kind in ("reply", "apply"):
        assert of(judged(asked, at("2009-03-05 16:00", kind)), "V32") == []
    assert of(judged(asked, at("2009-03-06 09:00", "reply")), "V32") == ["reply"]
    assert of(judged(asked, book=book_with(limits=Limits())), "V32") == []


@pytest.mark.parametrize(
    ("lines", "zh", "en"),
    [
        ((FILED,), "应于 2009-03-09 24:00 前办理", "due 2009-03-09 24:00"),
        ((FILED, ACCEPTED, CLOSED, AGAIN), "办结后于 2009-03-16 09:00 再次提出", "Filed again at 2009-03-16 09:00"),
        ((FILED, at("2009-03-04 09:00", "complaint_closed", operator="o7")), "由被投诉人本人", "the very person"),
    ],
)
def test_explain_shows_clocks_and_findings(lines: tuple[Line, ...], zh: str, en: str) -> None:
    """The new clocks are counted day by day, and each finding is a sentence."""
    for lang, sentence in (("zh", zh), ("en", en)):
        told: Any = explain(case(*lines), history(SET), when("2009-03-17 09:00"), lang)  # type: ignore[arg-type]
        assert told.clocks[0].days
        assert any(sentence in said for said, _ in told.findings)
