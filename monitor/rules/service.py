"""Rules on what surrounds the approval: V28 complaints and enterprises' requests, V32 consultations."""

from collections.abc import Iterator
from itertools import pairwise

from monitor.events import NO_ITEM, Event
from monitor.processes import COMPLAINT, REQUEST, rounds_of
from monitor.rules.evidence import stamp
from monitor.rules.limits import breach
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Severity


@rule("V28", version=1, basis="投诉与企业诉求办理时限", about=NO_ITEM)
def complaint_mishandled(subject: Subject) -> Iterator[Violation]:
    """Find complaints and requests over a limit, opened again, or handled by the person complained of."""
    for clock in subject.breached("complaint_accept", "complaint", "request"):
        yield breach(subject, clock, Severity.PROMISED_BREACH, act="overdue")
    yield from _reopened(subject)
    yield from _own_case(subject)


def _reopened(subject: Subject) -> Iterator[Violation]:
    """Find those that had to be filed again; charged to whoever had closed them."""
    for process in (COMPLAINT, REQUEST):
        for before, again in pairwise(rounds_of(subject.case, process)):
            if before.closed is not None and again.opened is not None:
                about = f"{process.name}:{again.number}"
                yield _act(subject, "reopened", about, again.opened, before.closed, Severity.WARNING)


def _own_case(subject: Subject) -> Iterator[Violation]:
    """Find complaints taken up or closed by the very person they were about; nobody is named, events have the code."""
    for turn in rounds_of(subject.case, COMPLAINT):
        against = turn.filed and turn.filed.data.against
        handled = (event for event in (turn.taken_up, turn.closed) if event is not None and event.operator is not None)
        own = next((event for event in handled if event.operator == against), None)
        if own is not None and turn.filed is not None:
            yield _act(subject, "own_case", str(turn.number), own, turn.filed, Severity.PROMISED_BREACH, charged=own)


def _act(
    subject: Subject, act: str, about: str, event: Event, other: Event, severity: Severity, charged: Event | None = None
) -> Violation:
    return Violation(
        occurred_at=event.time,
        severity=severity,
        subject=f"{act}:{about}",
        department=(charged or other).department or subject.case.department,
        events=(key(other), key(event)),
        evidence={"act": act, "at": stamp(event.time)},
    )


@rule("V32", version=1, basis="行政许可法第三十条第二款；咨询答复时限", clocks=("reply",))
def consultation_unanswered(subject: Subject) -> Iterator[Violation]:
    """Find consultations without a reply within the limit set here; no law sets one."""
    for clock in subject.breached("reply"):
        yield breach(subject, clock, Severity.NOTICE)
