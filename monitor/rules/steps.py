"""Rules on the order of steps: V06 skipped step, V07 order inversion."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from monitor.events import Event, EventType
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Severity

T = EventType

_AFTER_FINISH = frozenset({T.ISSUE, T.ARCHIVE})
STATED_ALWAYS = (T.ACCEPT, T.APPROVE, T.FINISH)


def _required(subject: Subject) -> tuple[EventType, ...]:
    """List the steps asked for by their end: those the item states, else the three that every decision has."""
    item = subject.clocks.item
    return () if item is None else item.steps or STATED_ALWAYS


def _ended(subject: Subject) -> tuple[Event, datetime] | None:
    """Find the event up to which a case must have had its steps, and when it may be judged whether it had.

    That is its finish. Issued or archived without one, a case lacks it: unless it was withdrawn, voided, forwarded or
    refused, or the finish is not asked for or cannot be told. It may be entered until the next working day is over.
    """
    case = subject.case
    finish = case.first(T.FINISH)
    if finish is not None:
        return finish, case.settled_at(finish)
    end = case.first(T.ISSUE, T.ARCHIVE)
    if end is None or T.FINISH not in _required(subject) or not case.can_send(T.FINISH):
        return None
    ended_otherwise = case.refusal is not None or case.terminal is not None
    if ended_otherwise or not (case.is_application or case.first(T.ISSUE)):
        return None
    days = case.current.days
    return end, days.end(days.nth_after(days.day(end.time), 1))


def _when_settled(subject: Subject) -> Iterator[datetime]:
    ended = _ended(subject)
    if ended is not None and subject.case.judged_at < ended[1]:
        yield ended[1]


@rule(
    "V06",
    version=2,
    basis="行政许可法第三十二条、第三十四条；目录必经环节",
    wake=_when_settled,
    about=(T.FINISH, T.ISSUE, T.ARCHIVE),
)
def skipped_step(subject: Subject) -> Iterator[Violation]:
    """Find cases that lack a required step up to their finish, or were issued or archived without a finish.

    Judged once what is missing must have arrived. A case deemed accepted lacks no acceptance, a returned or lapsed
    one neither that nor an approval, and an application that was refused, never accepted, lacks nothing.
    """
    case, required, ended = subject.case, _required(subject), _ended(subject)
    if ended is None or case.judged_at < ended[1] or (case.refusal is not None and case.first(T.ACCEPT) is None):
        return
    end, _ = ended
    seen = {event.type for event in case.events if not case.before(end, event)}
    if subject.clocks.deemed:
        seen.add(T.ACCEPT)
    if end.data.outcome in ("returned", "lapsed"):
        seen |= {T.ACCEPT, T.APPROVE}
    sendable = (step for step in required if step not in _AFTER_FINISH and case.can_send(step))
    missing = [step.value for step in sendable if step not in seen]
    if missing:
        yield Violation(
            occurred_at=end.time,
            severity=Severity.PROMISED_BREACH,
            department=case.department,
            events=(key(end),),
            evidence={
                "missing": missing,
                "required": [step.value for step in required],
                "step": end.type.value,
                "at": stamp(end.time),
            },
        )


def pairs_of(subject: Subject) -> Iterator[tuple[str, Event, Event, Severity]]:
    """List the steps of which the second must come first, as `(name, the one to be later, the one to be earlier)`."""
    case, decision = subject.case, subject.clocks.decision
    approve, finish, issue = case.first(T.APPROVE), case.first(T.FINISH), case.first(T.ISSUE)
    accept = None if subject.clocks.deemed else case.first(T.ACCEPT)
    pairs = (
        ("approve<accept", approve, accept, Severity.STATUTORY_BREACH),
        ("finish<approve", finish, decision, Severity.WARNING),
        ("issue<approve", issue, decision, Severity.WARNING),
    )
    for name, early, late, severity in pairs:
        if early is not None and late is not None:
            yield name, early, late, severity


@rule("V07", version=2, basis="行政许可法第六十九条第一款第三项", about=(T.APPROVE,))
def order_inversion(subject: Subject) -> Iterator[Violation]:
    """Find steps dated before the step they must follow, beyond what the clocks that dated them may differ."""
    for name, early, late, severity in pairs_of(subject):
        if subject.case.before(early, late):
            yield _inverted(subject, name, early, late, severity)


def _inverted(subject: Subject, name: str, early: Event, late: Event, severity: Severity) -> Violation:
    tolerance: timedelta = subject.case.tolerance(early, late)
    return Violation(
        occurred_at=early.time,
        severity=severity,
        subject=name,
        department=early.department or subject.case.department,
        events=(key(early), key(late)),
        evidence={
            "early": early.type.value,
            "early_at": stamp(early.time),
            "late": late.type.value,
            "late_at": stamp(late.time),
            "tolerance_seconds": tolerance.total_seconds(),
        },
    )
