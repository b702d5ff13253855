"""The eight clocks: what starts and ends each, its limit, whether it pauses, and when it says nothing (design 6)."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import pytest

from monitor.events import EventType
from monitor.rulebook.model import CalendarRules, ClosedDay, Limits
from monitor.verdict import ClockName
from tests.monitor.cases import (
    BOOK,
    TICK,
    Line,
    at,
    book_with,
    case,
    clock,
    end_of,
    found,
    history,
    judge,
    sending,
    when,
    with_item,
    with_source,
)

T = EventType
APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")


@dataclass(frozen=True)
class Course:
    """A clock under way: what begins it, what may end it, the day it is due, the day with two days paused."""

    name: ClockName
    begin: tuple[Line, ...]
    ends: tuple[str, ...]
    due: str
    paused: str = ""  # empty: a suspension moves nothing
    blind: tuple[tuple[str, ...], ...] = ()  # unable to send any one of these groups, a source cannot show the clock
    item: str = "permit"
    subject: str = ""
    department: str = "land"

    def run(self, *more: Line, until: Any, book: Any = BOOK) -> Any:
        assessment = judge(case(*self.begin, *more, item=self.item), until, book)
        return clock(assessment, self.name, self.subject)

    @property
    def last(self) -> Line:
        return self.begin[-1]

    def end(self, kind: str, time: Any) -> Line:
        return at(time, kind, department=self.department)


COURSES = (
    Course(
        name="notice",
        begin=(APPLY,),
        ends=("accept", "refuse", "supplement_notice"),
        due="2009-03-09",
        blind=(("accept",), ("refuse",), ("supplement_notice",)),
    ),
    Course(
        name="accept",
        subject="1",
        begin=(APPLY, at("2009-03-02 10:00", "supplement_notice"), at("2009-03-03 10:00", "supplement_received")),
        ends=("accept", "refuse"),
        due="2009-03-03",
        blind=(("supplement_received",), ("accept",), ("refuse",)),
    ),
    Course(
        name="promised",
        begin=(APPLY, ACCEPT),
        ends=("finish", "refuse"),
        due="2009-03-09",
        paused="2009-03-11",
        blind=(("accept",), ("finish",)),
    ),
    Course(
        name="statutory",
        begin=(APPLY, ACCEPT),
        ends=("approve", "finish", "refuse"),
        due="2009-03-30",
        paused="2009-04-01",
        blind=(("accept",), ("approve", "finish")),
    ),
    Course(
        name="leg",
        item="joint",
        subject="fire",
        department="fire",
        begin=(APPLY, ACCEPT, at("2009-03-02 11:00", "transfer", to=("fire",))),
        ends=("approve",),
        due="2009-03-05",
        paused="2009-03-09",
        blind=(("transfer",), ("approve",)),
    ),
    Course(
        name="step",
        item="stepped",
        subject="accept",
        begin=(APPLY, ACCEPT),
        ends=("transfer", "approve", "finish", "issue", "archive"),
        due="2009-03-04",
        paused="2009-03-06",
        blind=(("consult", "apply", "transfer", "approve", "finish", "issue", "archive"),),
    ),
    Course(
        name="issue",
        begin=(APPLY, ACCEPT, at("2009-03-02 11:00", "approve", outcome="granted")),
        ends=("issue", "ready"),
        due="2009-03-16",
        blind=(("approve",), ("issue", "ready")),
    ),
    Course(
        name="archive",
        begin=(APPLY, ACCEPT, at("2009-03-02 11:00", "approve"), at("2009-03-02 12:00", "finish")),
        ends=("archive",),
        due="2009-03-09",
        blind=(("finish",), ("archive",)),
    ),
    Course(
        name="reply",
        begin=(at("2009-03-02 09:00", "consult"),),
        ends=("reply", "apply"),
        due="2009-03-05",
        blind=(("consult",), ("reply",)),
    ),
)
every_clock = pytest.mark.parametrize("course", COURSES, ids=lambda course: course.name)
every_end = pytest.mark.parametrize(
    ("course", "kind"), [pytest.param(c, kind, id=f"{c.name}-{kind}") for c in COURSES for kind in c.ends]
)
every_blindness = pytest.mark.parametrize(
    ("course", "group"), [pytest.param(c, group, id=f"{c.name}-{group[0]}") for c in COURSES for group in c.blind]
)


@every_clock
def test_a_clock_runs_from_its_start_and_is_due_at_the_end_of_the_last_day(course: Course) -> None:
    """A clock starts with its event, names it, and is due at midnight of the last working day of its limit."""
    running = course.run(until=course.last.time)
    assert (running.phase, running.started_at, running.due) == ("running", course.last.time, end_of(course.due))
    assert running.start_event == f"hall/{course.last.kind}"
    assert (running.used, running.ended_at, running.department) == (None, None, course.department)


@every_clock
def test_absence_is_a_breach_only_beyond_the_due_instant(course: Course) -> None:
    """A clock nobody answers stands until its due instant, that instant included, and is breached right after."""
    due = end_of(course.due)
    assert course.run(until=due).phase == "running"
    breached = course.run(until=due + TICK)
    assert (breached.phase, breached.is_open, breached.used) == ("breached", True, None)


@every_end
def test_an_end_in_time_meets_the_clock(course: Course, kind: str) -> None:
    """Any of its ends, dated up to the due instant, meets a clock, however much later it is judged."""
    met = course.run(course.end(kind, end_of(course.due)), until="2009-12-31 00:00")
    assert (met.phase, met.ended_at, met.end_event) == ("met", end_of(course.due), f"hall/{kind}")
    assert met.used == met.budget
    assert met.remaining == 0


@every_end
def test_an_end_after_the_due_instant_breaches_the_clock(course: Course, kind: str) -> None:
    """An end dated after the due instant is a breach, whatever moment is judged up to."""
    late = end_of(course.due) + TICK
    breached = course.run(course.end(kind, late), until=course.last.time)
    assert (breached.phase, breached.ended_at, breached.is_open) == ("breached", late, False)


@every_clock
@pytest.mark.parametrize("kind", ["withdraw", "void", "forward"])
def test_the_end_of_the_case_cancels_its_clocks(course: Course, kind: str) -> None:
    """A withdrawn, voided or forwarded case has no clock left to breach."""
    over = course.run(at(end_of(course.due), kind), until="2009-12-31 00:00")
    assert (over.phase, over.ended_at, over.is_open) == ("cancelled", end_of(course.due), False)


@every_clock
@pytest.mark.parametrize("kind", ["withdraw", "void", "forward"])
def test_a_breach_before_the_end_of_the_case_stands(course: Course, kind: str) -> None:
    """Voiding a case after the due instant does not undo the breach."""
    assert course.run(at(end_of(course.due) + TICK, kind), until="2009-12-31 00:00").phase == "breached"


@every_clock
def test_only_the_clocks_that_can_pause_are_moved_by_a_suspension(course: Course) -> None:
    """A valid suspension of two working days moves the promised, statutory, step and leg clocks, and no other."""
    held = (at("2009-03-02 15:00", "suspend", procedure="testing"), at("2009-03-04 15:00", "resume"))
    assert course.run(*held, until=course.last.time).due == end_of(course.paused or course.due)


@every_blindness
def test_a_clock_is_not_observed_where_a_source_cannot_send_its_events(course: Course, group: tuple[str, ...]) -> None:
    """A clock whose events its sources cannot send is never breached: it says that it is not observed."""
    blind = with_source("hall", types=sending(*group))
    unseen = course.run(until="2009-12-31 00:00", book=blind)
    assert (unseen.phase, unseen.due, unseen.is_open) == ("unobserved", None, False)
    if len(group) > 1:
        assert course.run(until=course.last.time, book=with_source("hall", types=sending(group[0]))).phase == "running"


def test_another_source_of_the_case_makes_a_clock_observed() -> None:
    """What one source cannot send, another that spoke in the case can."""
    book = with_source("hall", types=sending("finish"))
    alone = case(APPLY, ACCEPT)
    assert clock(judge(alone, "2009-03-02 12:00", book), "promised").phase == "unobserved"
    both = case(APPLY, ACCEPT, at("2009-03-02 11:00", "fee", source="night"))
    assert clock(judge(both, "2009-03-02 12:00", book), "promised").phase == "running"


def test_an_unobserved_notice_clock_deems_nothing() -> None:
    """Where no supplement notice can be sent, silence accepts nothing and accuses nobody; the case is grey."""
    book = with_source("hall", types=sending("supplement_notice"))
    assessment = judge(case(APPLY), "2009-12-31 00:00", book)
    assert (assessment.deemed, assessment.accepted_at, assessment.light) == (False, None, "grey")
    assert found(assessment) == []
    assert assessment.clock("promised") is None


@pytest.mark.parametrize(("item", "names"), [("misfiled", ["notice", "promised", "statutory"]), ("unknown", None)])
def test_a_clock_that_cannot_be_armed_says_so(item: str, names: list[str] | None) -> None:
    """An item without a usable profile, or unknown, leaves clocks unarmable, never on time: grey, with a finding."""
    assessment = judge(case(APPLY, ACCEPT, item=item), "2009-12-31 00:00")
    unarmable = [c.name for c in assessment.clocks if c.phase == "unarmable"]
    assert unarmable == (names or ["promised", "statutory"])
    assert assessment.light == "grey"
    assert sum(f.rule == "D03" for f in assessment.findings) == len(unarmable)


# Notice and deemed acceptance


def test_notice_starts_at_receipt_where_there_is_one() -> None:
    """The notice clock starts when the materials were received, else at the application."""
    entries = case(APPLY, at("2009-03-04 14:00", "received"))
    notice = clock(judge(entries, "2009-03-05 00:00"), "notice")
    assert (notice.started_at, notice.due) == (when("2009-03-04 14:00"), end_of("2009-03-11"))


def test_silence_accepts_from_the_day_the_materials_were_received() -> None:
    """Five working days without a word deem the case accepted when the materials were received (art. 32(1)(4))."""
    entries = case(APPLY, at("2009-03-03 14:00", "received"))
    due = end_of("2009-03-10")
    before, after = judge(entries, due), judge(entries, due + TICK)
    assert (before.deemed, before.accepted_at, before.clock("promised")) == (False, None, None)
    assert (after.deemed, after.accepted_at) == (True, when("2009-03-03 14:00"))
    assert clock(after, "promised").due == end_of("2009-03-10")
    assert clock(after, "statutory").due == end_of("2009-03-31")
    assert clock(after, "statutory").start_event == "hall/received"


@pytest.mark.parametrize("kind", ["accept", "supplement_notice"])
def test_an_answer_after_the_notice_breach_leaves_the_case_deemed(kind: str) -> None:
    """An accept dated after the breach does not restart the clocks of a deemed case."""
    assessment = judge(case(APPLY, at("2009-03-10 00:00", kind)), "2009-03-10 12:00")
    assert (assessment.deemed, assessment.accepted_at) == (True, APPLY.time)
    assert clock(assessment, "statutory").started_at == APPLY.time
    assert clock(assessment, "statutory").due == end_of("2009-03-30")


def test_a_case_refused_late_was_deemed_accepted_and_is_answered() -> None:
    """A refusal after the breach ends the clocks that began when the materials were received."""
    assessment = judge(case(APPLY, at("2009-03-12 10:00", "refuse")), "2009-12-31 00:00")
    assert assessment.deemed
    assert clock(assessment, "promised").phase == "breached"
    assert clock(assessment, "statutory").phase == "met"


def test_a_refusal_in_time_starts_no_decision_clock() -> None:
    """An application refused in time is neither deemed accepted nor under a promised or statutory clock."""
    assessment = judge(case(APPLY, at("2009-03-06 10:00", "refuse")), "2009-12-31 00:00")
    assert (assessment.deemed, assessment.accepted_at, assessment.stage) == (False, None, "refused")
    assert {(c.name, c.phase) for c in assessment.clocks} == {("notice", "met")}


def test_an_accept_in_time_undoes_the_deeming_whenever_it_arrives() -> None:
    """An accept dated in time takes the deemed acceptance back, and the clocks start with it."""
    silent = case(APPLY)
    assert judge(silent, "2009-03-20 00:00").deemed
    answered = case(APPLY, at("2009-03-09 16:00", "accept", received="2009-03-19 08:00"))
    assessment = judge(answered, "2009-03-20 00:00")
    assert (assessment.deemed, assessment.accepted_at) == (False, when("2009-03-09 16:00"))
    assert clock(assessment, "notice").phase == "met"
    assert clock(assessment, "promised").started_at == when("2009-03-09 16:00")


def test_a_supplement_notice_in_time_keeps_the_case_unaccepted() -> None:
    """A one-time notice in time stops the notice clock: the case waits for its materials, however long."""
    assessment = judge(case(APPLY, at("2009-03-04 10:00", "supplement_notice")), "2009-12-31 00:00")
    assert (assessment.deemed, assessment.stage, found(assessment)) == (False, "supplementing", [])


# Acceptance after a supplement


def test_every_round_of_supplements_has_its_own_day() -> None:
    """Each supplement received must lead to an answer the same day; every round is a clock of its own."""
    entries = case(
        APPLY,
        at("2009-03-03 10:00", "supplement_notice"),
        at("2009-03-05 09:00", "supplement_received"),
        at("2009-03-05 11:00", "supplement_notice"),
        at("2009-03-10 09:00", "supplement_received"),
        at("2009-03-11 09:00", "accept"),
    )
    assessment = judge(entries, "2009-03-12 00:00")
    first, second = clock(assessment, "accept", "1"), clock(assessment, "accept", "2")
    assert (first.phase, first.due) == ("met", end_of("2009-03-05"))
    assert (second.phase, second.due) == ("breached", end_of("2009-03-10"))
    assert second.started_at == when("2009-03-10 09:00")
    assert (assessment.deemed, assessment.accepted_at) == (False, when("2009-03-11 09:00"))


def test_a_supplement_received_on_a_closed_day_is_answered_on_the_next_working_day() -> None:
    """`0 wd` from a Saturday means Monday."""
    entries = case(APPLY, at("2009-03-03 10:00", "supplement_notice"), at("2009-03-07 09:00", "supplement_received"))
    assert clock(judge(entries, "2009-03-07 10:00"), "accept", "1").due == end_of("2009-03-09")


def test_materials_that_come_after_acceptance_expect_no_second_one() -> None:
    """A supplement after acceptance opens no accept clock: the case is accepted, nobody owes a second acceptance."""
    entries = case(
        APPLY,
        ACCEPT,
        at("2009-03-03 10:00", "supplement_notice"),
        at("2009-03-05 09:00", "supplement_received"),
    )
    assessment = judge(entries, "2009-03-06 12:00")
    assert assessment.clock("accept", "1") is None
    assert found(assessment) == [("V12", "live")]


# Promised


def test_the_due_instant_of_the_source_is_compared_as_it_stands() -> None:
    """A due instant set by the source is kept as an instant: no acceptance needed, no pause, late one tick after it."""
    due = when("2009-03-05 17:30")
    entries = [APPLY, at("2009-03-03 10:00", "ticket", due="2009-03-05 17:30")]
    held = [at("2009-03-03 11:00", "suspend", procedure="testing"), at("2009-03-20 11:00", "resume")]
    running = clock(judge(case(*entries, *held), due), "promised")
    assert (running.due, running.limit, running.started_at) == (due, "due", when("2009-03-03 10:00"))
    assert running.phase == "running"
    assert clock(judge(case(*entries, *held), due + TICK), "promised").phase == "breached"
    assert clock(judge(case(*entries, at(due, "finish")), "2009-12-31 00:00"), "promised").phase == "met"
    assert clock(judge(case(*entries, at(due + TICK, "finish")), due), "promised").phase == "breached"


@pytest.mark.parametrize("carrier", ["consult", "apply", "accept", "transfer", "approve", "finish"])
def test_any_event_may_carry_the_due_instant(carrier: str) -> None:
    """The due instant holds whichever event carries it, before or after the others."""
    lines = [at("2009-03-02 09:00", "consult"), at("2009-03-03 09:00", "apply"), at("2009-03-04 09:00", "accept")]
    lines += [at("2009-03-05 09:00", "transfer"), at("2009-03-06 09:00", "approve"), at("2009-03-25 09:00", "finish")]
    told = [at(line.time, line.kind, due="2009-03-24 09:00") if line.kind == carrier else line for line in lines]
    promised = clock(judge(case(*told), "2009-03-26 00:00"), "promised")
    assert (promised.phase, promised.due, promised.limit) == ("breached", when("2009-03-24 09:00"), "due")


def test_a_due_instant_is_observed_without_acceptance() -> None:
    """With `data.due` a source that cannot send acceptances is still held to its promise, one without finishes not."""
    entries = case(at("2009-03-02 09:00", "apply", due="2009-03-05 17:30"))
    blind = with_source("hall", types=sending("accept"))
    assert clock(judge(entries, "2009-03-06 00:00", blind), "promised").phase == "breached"
    unfinished = with_source("hall", types=sending("finish"))
    assert clock(judge(entries, "2009-03-06 00:00", unfinished), "promised").phase == "unobserved"


def test_a_due_instant_of_an_unknown_item_is_still_kept() -> None:
    """The source's own due instant needs no catalogue."""
    entries = case(at("2009-03-02 09:00", "apply", due="2009-03-05 17:30"), item="unknown")
    assert clock(judge(entries, "2009-03-06 00:00"), "promised").phase == "breached"


def test_an_instant_item_is_finished_the_same_day() -> None:
    """An instant item (即办件) is promised for the day of its acceptance."""
    entries = [APPLY, ACCEPT]
    assert clock(judge(case(*entries, item="instant"), "2009-03-02 12:00"), "promised").due == end_of("2009-03-02")
    friday = [at("2009-03-06 16:59", "apply"), at("2009-03-06 17:30", "accept")]
    assert clock(judge(case(*friday, item="instant"), "2009-03-07 00:00"), "promised").phase == "breached"


def test_an_item_without_a_promise_has_no_promised_clock() -> None:
    """Nobody is held to a promise that was not made."""
    assert judge(case(APPLY, ACCEPT, item="unpromised"), "2009-12-31 00:00").clock("promised") is None


# Statutory


@pytest.mark.parametrize(
    ("item", "limit", "due"),
    [
        ("permit", "20 wd", "2009-03-30"),
        ("joint", "45 wd", "2009-05-05"),
        ("long", "60 wd", "2009-05-26"),
        ("approval", "30 cd", "2009-04-01"),
        ("service", None, ""),
        ("instant", None, ""),
    ],
)
def test_the_legal_limit_is_the_licence_laws_only_for_licences(item: str, limit: str | None, due: str) -> None:
    """Licences have 20 or, jointly handled, 45 working days or their own limit; others that of their basis or none."""
    statutory = judge(case(APPLY, ACCEPT, item=item), "2009-03-02 12:00").clock("statutory")
    assert (statutory and (statutory.limit, statutory.due)) == (limit and (limit, end_of(due)))


def test_the_vectors_of_the_domain_hold() -> None:
    """Accepted on Monday 2 March 2009, 20 working days end on Monday 30 March and 14 on Friday 20 (domain 1.3)."""
    book = with_item("permit", promised_limit="14 wd")
    assessment = judge(case(APPLY, ACCEPT), "2009-03-02 12:00", book)
    assert clock(assessment, "promised").due == end_of("2009-03-20")
    assert clock(assessment, "statutory").due == end_of("2009-03-30")


def test_the_statutory_clock_stops_at_the_last_approval_up_to_the_finish() -> None:
    """Of several approvals the final one before the finish is the decision."""
    entries = case(
        APPLY,
        ACCEPT,
        at("2009-03-05 10:00", "approve", name="review"),
        at("2009-03-10 10:00", "approve", name="decision"),
        at("2009-03-11 10:00", "finish"),
    )
    statutory = clock(judge(entries, "2009-03-12 00:00"), "statutory")
    assert (statutory.end_event, statutory.used) == ("hall/decision", 6)


def test_an_approval_of_the_same_instant_as_the_finish_is_the_decision() -> None:
    """A source that stamps approval and finish alike has decided with that approval."""
    entries = case(
        APPLY,
        ACCEPT,
        at("2009-03-05 10:00", "approve", name="review"),
        at("2009-03-11 10:00", "approve", name="decision"),
        at("2009-03-11 10:00", "finish"),
    )
    assert clock(judge(entries, "2009-03-12 00:00"), "statutory").end_event == "hall/decision"


def test_the_approval_counts_for_the_law_and_the_finish_for_the_promise() -> None:
    """A decision in time meets the statutory clock though the finish comes after both due days."""
    entries = case(APPLY, ACCEPT, at("2009-03-30 17:00", "approve"), at("2009-04-10 09:00", "finish"))
    assessment = judge(entries, "2009-04-11 00:00")
    assert clock(assessment, "statutory").phase == "met"
    assert clock(assessment, "promised").phase == "breached"


# Extension


def extension(time: str = "2009-03-20 10:00", **data: Any) -> Line:
    """Extend by ten days with the approval of the organ's head, unless said otherwise."""
    return at(time, "extend", **{"days": 10, "approver_role": "organ_head", "approver": "p1", **data})


@pytest.mark.parametrize(
    ("lines", "due"),
    [
        pytest.param([extension()], "2009-04-14", id="valid"),
        pytest.param([extension(days=3)], "2009-04-02", id="some-days"),
        pytest.param([extension("2009-03-30 23:59:59")], "2009-04-14", id="on-the-last-day"),
        pytest.param([extension(approver_role="clerk")], "2009-03-30", id="wrong-role"),
        pytest.param([extension(approver_role="government_head")], "2009-03-30", id="role-of-joint-cases"),
        pytest.param([extension("2009-03-31 00:00")], "2009-03-30", id="after-the-due-day"),
        pytest.param([extension(days=None)], "2009-03-30", id="no-days"),
        pytest.param([extension(days=4), extension("2009-03-24 10:00", days=4)], "2009-04-03", id="once-only"),
        pytest.param(
            [extension(), extension("2009-04-02 10:00", days=10)], "2009-04-14", id="a-second-beyond-the-first"
        ),
    ],
)
def test_the_statutory_limit_is_extended_once_by_the_head_of_the_organ(lines: list[Line], due: str) -> None:
    """Up to ten days are added once, by the head of the organ, before the due instant (art. 42(1))."""
    statutory = clock(judge(case(APPLY, ACCEPT, *lines), "2009-03-02 12:00"), "statutory")
    assert statutory.due == end_of(due)
    assert statutory.remaining is None


def test_an_extension_never_adds_more_than_the_law_allows() -> None:
    """Whatever an extension claims, no more than ten days are added."""
    due = clock(judge(case(APPLY, ACCEPT, extension(days=30)), "2009-03-02 12:00"), "statutory").due
    assert due is not None
    assert due <= end_of("2009-04-14")


def test_an_extension_is_in_time_up_to_the_due_day_a_suspension_has_moved() -> None:
    """Granted after the plain due day and before the one a suspension moved it to, an extension is valid."""
    held = (at("2009-03-03 10:00", "suspend", procedure="testing"), at("2009-03-05 10:00", "resume"))
    statutory = clock(judge(case(APPLY, ACCEPT, *held, extension("2009-04-01 10:00")), "2009-03-02 12:00"), "statutory")
    assert statutory.due == end_of("2009-04-16")


def test_a_joint_case_is_extended_by_the_head_of_the_government() -> None:
    """Fifteen days are added to a joint case by the head of the government, not of the organ (art. 42(2))."""
    granted = extension(days=15, approver_role="government_head")
    joint = clock(judge(case(APPLY, ACCEPT, granted, item="joint"), "2009-03-02 12:00"), "statutory")
    assert (joint.due, joint.extension_days) == (end_of("2009-05-26"), 15)
    own = clock(judge(case(APPLY, ACCEPT, extension(), item="joint"), "2009-03-02 12:00"), "statutory")
    assert own.due == end_of("2009-05-05")


def test_an_extension_moves_the_statutory_clock_alone() -> None:
    """A promise is not extended: the law's extension is no excuse for it."""
    assert clock(judge(case(APPLY, ACCEPT, extension("2009-03-03 10:00")), "2009-03-04 00:00"), "promised").due == (
        end_of("2009-03-09")
    )


# Suspension


def suspension(time: str = "2009-03-03 10:00", procedure: str | None = "testing", **data: Any) -> Line:
    """Suspend for testing, unless said otherwise."""
    return at(time, "suspend", procedure=procedure, **data)


def resumption(time: str = "2009-03-05 10:00", **data: Any) -> Line:
    """Resume whatever is suspended, unless a procedure is named."""
    return at(time, "resume", **data)


@pytest.mark.parametrize(
    "procedure",
    ["hearing", "tender", "auction", "inspection", "testing", "quarantine", "appraisal", "expert_review"],
)
def test_each_of_the_eight_procedures_stops_the_clock(procedure: str) -> None:
    """The time of the eight procedures of art. 45 does not count."""
    entries = case(APPLY, ACCEPT, suspension(procedure=procedure), resumption())
    promised = clock(judge(entries, "2009-03-06 00:00"), "promised")
    assert (promised.due, len(promised.pauses)) == (end_of("2009-03-11"), 1)


@pytest.mark.parametrize("procedure", ["site_check", "publicity", "waiting_for_materials", None])
def test_what_is_not_on_the_closed_list_stops_nothing(procedure: str | None) -> None:
    """Site visits, publicity and waiting for materials stop no clock."""
    entries = case(APPLY, ACCEPT, suspension(procedure=procedure), resumption())
    assert clock(judge(entries, "2009-03-06 00:00"), "promised").due == end_of("2009-03-09")
    assert judge(case(APPLY, ACCEPT, suspension(procedure=procedure)), "2009-03-04 00:00").stage == "accepted"


def test_a_procedure_the_item_does_not_need_stops_nothing() -> None:
    """An item that lists its procedures is paused by those alone."""
    for procedure, due in (("testing", "2009-03-11"), ("hearing", "2009-03-09")):
        entries = case(APPLY, ACCEPT, suspension(procedure=procedure), resumption(), item="tested")
        assert clock(judge(entries, "2009-03-06 00:00"), "promised").due == end_of(due)


def test_a_pause_lasts_no_longer_than_the_days_told() -> None:
    """Past the planned days the clock runs again, with or without a resume."""
    planned = suspension(planned_days=2)
    for more in ((), (resumption("2009-03-20 10:00"),)):
        promised = clock(judge(case(APPLY, ACCEPT, planned, *more), "2009-03-06 00:00"), "promised")
        assert (promised.due, promised.phase) == (end_of("2009-03-11"), "running")
    shorter = case(APPLY, ACCEPT, suspension(planned_days=9), resumption("2009-03-04 10:00"))
    assert clock(judge(shorter, "2009-03-06 00:00"), "promised").due == end_of("2009-03-10")


def test_a_planned_pause_holds_the_clock_until_its_days_are_used_up() -> None:
    """While the planned days last the clock is paused and the case suspended; then it runs, with no event."""
    entries = case(APPLY, ACCEPT, suspension(planned_days=2))
    last = end_of("2009-03-05")
    during, after = judge(entries, last), judge(entries, last + TICK)
    assert (clock(during, "promised").phase, during.stage) == ("paused", "suspended")
    assert (clock(after, "promised").phase, after.stage) == ("running", "accepted")
    assert during.next_change is not None
    assert during.next_change <= last + TICK


def test_an_open_suspension_holds_the_clock_without_end() -> None:
    """A suspension nobody ended and nobody limited has no due day and breaches nothing."""
    entries = case(APPLY, ACCEPT, suspension())
    assessment = judge(entries, "2009-12-31 00:00")
    promised = clock(assessment, "promised")
    assert (promised.phase, promised.due, assessment.stage) == ("paused", None, "suspended")
    assert found(assessment) == []


def test_a_pause_over_the_due_day_saves_the_case_a_pause_after_it_does_not() -> None:
    """Whoever is paused on the last day is not late; a suspension that begins after the due instant changes nothing."""
    over = case(APPLY, ACCEPT, suspension("2009-03-09 16:00"), resumption("2009-03-16 09:00"))
    assert clock(judge(over, "2009-03-16 12:00"), "promised").due == end_of("2009-03-16")
    after = case(APPLY, ACCEPT, suspension("2009-03-10 00:00"), resumption("2009-03-16 09:00"))
    assert clock(judge(after, "2009-03-16 12:00"), "promised").phase == "breached"


def test_two_procedures_at_once_are_subtracted_once() -> None:
    """Overlapping procedures stop the clock from the first one's start to the last one's end."""
    entries = case(
        APPLY,
        ACCEPT,
        suspension("2009-03-03 10:00", "testing"),
        suspension("2009-03-04 10:00", "hearing"),
        resumption("2009-03-05 10:00", procedure="testing"),
        resumption("2009-03-06 10:00", procedure="hearing"),
    )
    assert clock(judge(entries, "2009-03-07 00:00"), "promised").due == end_of("2009-03-12")


def test_a_resume_that_names_its_procedure_ends_that_one_alone() -> None:
    """Ending a hearing does not end the testing that goes on beside it."""
    entries = case(
        APPLY,
        ACCEPT,
        suspension("2009-03-03 10:00", "testing"),
        suspension("2009-03-04 10:00", "hearing"),
        resumption("2009-03-05 10:00", procedure="hearing"),
    )
    assert clock(judge(entries, "2009-12-31 00:00"), "promised").phase == "paused"


def test_the_end_of_an_invalid_procedure_does_not_end_a_valid_one() -> None:
    """A resume naming a hearing the item does not need leaves its testing going on."""
    entries = case(
        APPLY,
        ACCEPT,
        suspension("2009-03-03 10:00", "testing"),
        suspension("2009-03-04 10:00", "hearing"),
        resumption("2009-03-05 10:00", procedure="hearing"),
        item="tested",
    )
    assert clock(judge(entries, "2009-12-31 00:00"), "promised").phase == "paused"


def test_a_resume_without_a_name_ends_every_procedure() -> None:
    """A source that does not say which procedure ended has ended them all."""
    entries = case(
        APPLY,
        ACCEPT,
        suspension("2009-03-03 10:00", "testing"),
        suspension("2009-03-04 10:00", "hearing"),
        resumption("2009-03-05 10:00"),
    )
    assert clock(judge(entries, "2009-03-06 00:00"), "promised").due == end_of("2009-03-11")


def test_a_procedure_may_be_needed_again_once_its_days_are_used_up() -> None:
    """A second suspension counts after the first ran out of its planned days without a resume."""
    entries = case(
        APPLY,
        ACCEPT,
        suspension("2009-03-03 10:00", planned_days=1),
        suspension("2009-03-05 10:00", planned_days=2),
    )
    assert clock(judge(entries, "2009-03-06 00:00"), "promised").due == end_of("2009-03-12")


# Joint cases


TRANSFER = at("2009-03-02 11:00", "transfer", to=("fire", "water"))


def test_a_transfer_opens_a_leg_for_every_department() -> None:
    """Each department of a joint case has its own limit from the transfer on."""
    assessment = judge(case(APPLY, ACCEPT, TRANSFER, item="joint"), "2009-03-02 12:00")
    legs = [(c.subject, c.department, c.due) for c in assessment.clocks if c.name == "leg"]
    assert legs == [("fire", "fire", end_of("2009-03-05")), ("water", "water", end_of("2009-03-09"))]


def test_the_statutory_clock_of_a_joint_case_stops_when_the_last_leg_is_decided() -> None:
    """One leg's approval decides nothing; the last one's does."""
    one = case(APPLY, ACCEPT, TRANSFER, at("2009-03-04 10:00", "approve", department="fire"), item="joint")
    assert clock(judge(one, "2009-03-05 00:00"), "statutory").phase == "running"
    both = case(
        APPLY,
        ACCEPT,
        TRANSFER,
        at("2009-03-06 10:00", "approve", name="water", department="water"),
        at("2009-03-04 10:00", "approve", name="fire", department="fire"),
        item="joint",
    )
    statutory = clock(judge(both, "2009-03-07 00:00"), "statutory")
    assert (statutory.phase, statutory.end_event, statutory.department) == ("met", "hall/water", "land")


def test_the_leads_own_approval_decides_no_leg() -> None:
    """While a leg is undecided, approvals by the others do not stop the statutory clock."""
    decided = [at(f"2009-03-04 1{i}:00", "approve", department=d) for i, d in enumerate(("fire", "land"))]
    assessment = judge(case(APPLY, ACCEPT, TRANSFER, *decided, item="joint"), "2009-03-05 00:00")
    assert clock(assessment, "statutory").phase == "running"


def test_another_departments_approval_does_not_end_a_leg() -> None:
    """A leg is answered by its own department alone."""
    entries = case(APPLY, ACCEPT, TRANSFER, at("2009-03-04 10:00", "approve", department="water"), item="joint")
    assessment = judge(entries, "2009-03-06 00:00")
    assert clock(assessment, "leg", "fire").phase == "breached"
    assert clock(assessment, "leg", "water").phase == "met"


def test_a_leg_of_a_department_the_item_does_not_know_cannot_be_armed() -> None:
    """A transfer to a department without a leg limit is a data finding, not a leg on time."""
    entries = case(APPLY, ACCEPT, at("2009-03-02 11:00", "transfer", to=("land",)), item="joint")
    assessment = judge(entries, "2009-03-03 00:00")
    assert clock(assessment, "leg", "land").phase == "unarmable"
    assert ("D03", "live") in found(assessment)


# Issue, steps, archive, reply


@pytest.mark.parametrize(
    ("outcome", "finish_outcome"), [("refused", None), ("returned", None), ("lapsed", None), ("granted", "refused")]
)
def test_only_a_grant_must_be_issued(outcome: str, finish_outcome: str | None) -> None:
    """A decision that grants nothing leaves nothing to issue."""
    lines = [APPLY, ACCEPT, at("2009-03-03 10:00", "approve", outcome=outcome)]
    if finish_outcome:
        lines.append(at("2009-03-03 11:00", "finish", outcome=finish_outcome))
    assert judge(case(*lines), "2009-12-31 00:00").clock("issue") is None


def test_nothing_is_issued_before_a_decision() -> None:
    """Without an approval there is no issue clock, and a public service has none unless its item says so."""
    assert judge(case(APPLY, ACCEPT), "2009-12-31 00:00").clock("issue") is None
    granted = [APPLY, ACCEPT, at("2009-03-03 10:00", "approve", outcome="granted")]
    assert judge(case(*granted, item="service"), "2009-12-31 00:00").clock("issue") is None
    book = with_item("service", issue_limit="3 wd")
    assert clock(judge(case(*granted, item="service"), "2009-03-03 12:00", book), "issue").due == end_of("2009-03-06")


def test_a_step_is_charged_to_the_department_that_held_it() -> None:
    """The step clock of a transfer belongs to the department of that event."""
    entries = case(APPLY, ACCEPT, at("2009-03-03 10:00", "transfer", department="fire"), item="stepped")
    step = clock(judge(entries, "2009-03-05 00:00"), "step", "transfer")
    assert (step.phase, step.department, step.due) == ("breached", "fire", end_of("2009-03-04"))


def test_archive_and_reply_have_no_limit_unless_one_is_configured() -> None:
    """Clocks without a configured limit do not exist."""
    book = book_with(limits=Limits())
    entries = case(at("2009-03-02 08:00", "consult"), APPLY, ACCEPT, at("2009-03-03 09:00", "finish"))
    names = {c.name for c in judge(entries, "2009-12-31 00:00", book).clocks}
    assert names.isdisjoint({"archive", "reply", "step", "leg"})


# Frozen limits, current calendar


def test_a_later_catalogue_does_not_move_an_accepted_case() -> None:
    """Limits and profile are those in force at acceptance; what is published later is for later cases."""
    later = with_item("permit", promised_limit="2 wd", statutory_limit="3 wd")
    books = history(BOOK, later, since=["2009-03-02 10:00:01"])
    assessment = judge(case(APPLY, ACCEPT), "2009-03-02 12:00", books)
    assert (assessment.catalogue, assessment.rulebook) == (1, 2)
    assert clock(assessment, "promised").limit == "5 wd"
    assert clock(assessment, "statutory").limit == "20 wd"
    books = history(BOOK, later, since=["2009-03-02 10:00"])
    assert clock(judge(case(APPLY, ACCEPT), "2009-03-02 12:00", books), "promised").limit == "2 wd"


def test_the_limits_of_a_deemed_case_are_those_of_the_day_of_receipt() -> None:
    """A case accepted by silence is held to the catalogue of the instant it counts as accepted."""
    books = history(BOOK, with_item("permit", promised_limit="2 wd"), since=["2009-03-05 00:00"])
    assessment = judge(case(APPLY), "2009-03-10 12:00", books)
    assert (assessment.deemed, clock(assessment, "promised").limit) == (True, "5 wd")


def test_before_acceptance_the_version_at_the_first_event_holds() -> None:
    """The notice limit is that of the rulebook in force when the case began."""
    later = book_with(limits=msgspec.structs.replace(BOOK.limits, notice="1 wd"))
    books = history(BOOK, later, since=["2009-03-03 00:00"])
    assert clock(judge(case(APPLY), "2009-03-04 00:00", books), "notice").due == end_of("2009-03-09")


def test_a_later_calendar_moves_an_accepted_case() -> None:
    """The calendar is always the current one: a holiday announced later gives a day more."""
    closed = (*BOOK.calendar.closed, ClosedDay(day=date(2009, 3, 5), name="假"))
    holiday = CalendarRules(version="2009b", closed=closed)
    books = history(BOOK, book_with(calendar=holiday), since=["2009-03-03 00:00"])
    assert clock(judge(case(APPLY, ACCEPT), "2009-03-03 12:00", books), "promised").due == end_of("2009-03-10")


def test_a_holiday_in_the_limit_is_not_counted() -> None:
    """Monday 6 April is closed: five working days from Friday 3 April end on Monday 13 April."""
    entries = case(at("2009-04-03 09:00", "apply"), at("2009-04-03 10:00", "accept"))
    assert clock(judge(entries, "2009-04-03 12:00"), "promised").due == end_of("2009-04-13")


@pytest.mark.parametrize(("source", "asked", "brought"), [("daily", "00:00", "00:00"), ("hall", "09:58", "10:00")])
def test_what_was_asked_next_answers_what_was_brought(source: str, asked: str, brought: str) -> None:
    """Where days alone are known, or clocks differ, a second notice about the time of the supplement follows it."""
    entries = case(
        at("2009-03-02 00:00", "apply", source=source),
        at("2009-03-02 00:00", "supplement_notice", source=source),
        at(f"2009-03-04 {asked}", "supplement_notice", source=source, name="more"),
        at(f"2009-03-04 {brought}", "supplement_received", source=source),
        at("2009-03-09 10:00", "supplement_received", source=source, name="rest"),
        at("2009-03-09 12:00", "accept", source=source),
    )
    rounds = [each for each in judge(entries, "2009-03-31 00:00").clocks if each.name == "accept"]
    assert [(each.subject, each.phase, each.end_event) for each in rounds] == [
        ("1", "met", f"{source}/more"),
        ("2", "met", f"{source}/accept"),
    ]


def test_a_notice_well_before_what_was_brought_is_no_answer_to_it() -> None:
    """Asked twice and then brought, it has to be accepted that day."""
    entries = case(
        APPLY,
        at("2009-03-02 10:00", "supplement_notice"),
        at("2009-03-03 10:00", "supplement_notice", name="again"),
        at("2009-03-04 10:00", "supplement_received"),
        at("2009-03-05 10:00", "accept"),
    )
    assert clock(judge(entries, "2009-03-31 00:00"), "accept", "1").phase == "breached"


@pytest.mark.parametrize("kind", ["ready", "issue", "archive"])
def test_what_was_issued_was_decided_by_then(kind: str) -> None:
    """Where no decision is told, what shows that there was one ends the limit; a late decision still breaks it."""
    entries = (APPLY, ACCEPT, at("2009-03-04 10:00", kind))
    undecided = clock(judge(case(*entries, item="unpromised"), "2009-12-31 00:00"), "statutory")
    assert (undecided.phase, undecided.end_event) == ("met", f"hall/{kind}")
    decided = case(*entries, at("2009-06-01 10:00", "approve"), item="unpromised")
    assert clock(judge(decided, "2009-12-31 00:00"), "statutory").phase == "breached"


def test_a_step_whose_next_step_nobody_tells_is_not_observed() -> None:
    """Where the step the item has next is never sent, what comes after it says nothing of when it was taken."""
    entries = case(APPLY, ACCEPT, at("2009-03-20 10:00", "finish"), item="stepped")
    blind = with_source("hall", types=sending("transfer"))
    assert clock(judge(entries, "2009-03-31 00:00"), "step", "accept").phase == "breached"
    assert clock(judge(entries, "2009-03-31 00:00", blind), "step", "accept").phase == "unobserved"
    direct = with_item("stepped", steps=(T.ACCEPT, T.APPROVE, T.FINISH))
    no_transfer = msgspec.structs.replace(direct, sources=blind.sources)
    assert clock(judge(entries, "2009-03-31 00:00", no_transfer), "step", "accept").phase == "breached"


def test_a_step_put_before_its_forerunner_by_the_clock_still_ends_it() -> None:
    """A finish dated some minutes before the approval, within the tolerance, is the step that follows it."""
    book = with_item("permit", step_limits={"approve": "2 wd"})
    finish, much_earlier = at("2009-03-04 09:57", "finish"), at("2009-03-04 09:50", "finish")
    entries = (APPLY, ACCEPT, at("2009-03-04 10:00", "approve"))
    judged = judge(case(*entries, finish), "2009-03-31 00:00", book)
    assert clock(judged, "step", "approve").phase == "met"
    inverted = judge(case(*entries, much_earlier), "2009-03-31 00:00", book)
    assert clock(inverted, "step", "approve").phase == "breached"


def test_the_approval_step_of_a_joint_case_begins_with_its_last_leg() -> None:
    """Approval is not done while a leg is undecided, so the limit on what follows it starts at the last leg's."""
    book = with_item("joint", step_limits={"approve": "2 wd"})
    legs = (
        APPLY,
        ACCEPT,
        at("2009-03-02 11:00", "transfer"),
        at("2009-03-03 10:00", "approve", department="fire"),
        at("2009-03-06 10:00", "approve", department="water"),
    )
    undecided = judge(case(*legs[:-1], item="joint"), "2009-03-31 00:00", book)
    assert undecided.clock("step", "approve") is None
    decided = judge(case(*legs, at("2009-03-09 10:00", "finish"), item="joint"), "2009-03-31 00:00", book)
    assert clock(decided, "step", "approve").started_at == legs[-1].time
    assert clock(decided, "step", "approve").phase == "met"
