"""Rules on the order of steps: V06 skipped step, V07 order inversion."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from monitor.events import Event, EventType
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Severity

T = EventType

_AFTER_FINISH = frozenset({T.FINISH, T.ISSUE, T.ARCHIVE})
_STATED_ALWAYS = (T.ACCEPT, T.APPROVE)


def _settled_at(subject: Subject) -> datetime | None:
    """Find when every step before the finish must have arrived: the tolerance of the clocks after it."""
    finish = subject.case.first(T.FINISH)
    if finish is None:
        return None
    return subject.case.settled_at(finish)


def _when_settled(subject: Subject) -> Iterator[datetime]:
    settled = _settled_at(subject)
    if settled is not None and subject.case.judged_at < settled:
        yield settled


@rule("V06", version=1, basis="行政许可法第三十二条、第三十四条；目录必经环节", wake=_when_settled, about=(T.FINISH,))
def skipped_step(subject: Subject) -> Iterator[Violation]:
    """Find finished cases that lack a required step up to their finish.

    Judged once the steps before the finish must have arrived. A case deemed accepted lacks no acceptance, a
    returned or lapsed one neither that nor an approval, and an application that was refused, never accepted, lacks
    nothing.
    """
    case, settled = subject.case, _settled_at(subject)
    finish = case.first(T.FINISH)
    if finish is None or settled is None or case.judged_at < settled or subject.clocks.item is None:
        return
    if case.refusal is not None and case.first(T.ACCEPT) is None:
        return
    required = subject.clocks.item.steps or _STATED_ALWAYS
    seen = {event.type for event in case.events if not case.before(finish, event)}
    if subject.clocks.deemed:
        seen.add(T.ACCEPT)
    if finish.data.outcome in ("returned", "lapsed"):
        seen |= {T.ACCEPT, T.APPROVE}
    sendable = (step for step in required if step not in _AFTER_FINISH and case.can_send(step))
    missing = [step.value for step in sendable if step not in seen]
    if missing:
        yield Violation(
            occurred_at=finish.time,
            severity=Severity.PROMISED_BREACH,
            department=case.department,
            events=(key(finish),),
            evidence={
                "missing": missing,
                "required": [step.value for step in required],
                "finished_at": stamp(finish.time),
            },
        )


@rule("V07", version=1, basis="行政许可法第六十九条第一款第三项", about=(T.APPROVE,))
def order_inversion(subject: Subject) -> Iterator[Violation]:
    """Find steps dated before the step they must follow, beyond the tolerance of the clocks that dated them."""
    case, decision = subject.case, subject.clocks.decision
    approve, finish, issue = case.first(T.APPROVE), case.first(T.FINISH), case.first(T.ISSUE)
    accept = None if subject.clocks.deemed else case.first(T.ACCEPT)
    pairs = (
        ("approve<accept", approve, accept, Severity.STATUTORY_BREACH),
        ("finish<approve", finish, decision, Severity.WARNING),
        ("issue<approve", issue, decision, Severity.WARNING),
    )
    for name, early, late, severity in pairs:
        if early is not None and late is not None and case.before(early, late):
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
