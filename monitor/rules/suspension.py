"""Rules on special procedures: V13 suspension abuse (Licensing Law art. 45), one small function a letter."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from monitor.case import TERMINAL
from monitor.counting import MICROSECOND
from monitor.events import TIME_MIN, Event, EventType
from monitor.rules.due import pressing
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.suspensions import Suspension, allowed_procedures
from monitor.timing import key
from monitor.verdict import Severity

T = EventType

_HEADS: Final = ("organ_head", "government_head")
_HANDLING: Final = (T.ACCEPT, T.TRANSFER, T.SITE_CHECK, T.FINISH)
_GOES_ON: Final = (T.APPROVE, T.FINISH, T.REFUSE, T.ISSUE, *TERMINAL)
"""What shows that a procedure was over, where nobody told of its end."""


_LOOKED_AT_MAX: Final = 100
"""A real case has a few suspensions; of more than so many the first say enough."""


def _when_overrun(subject: Subject) -> Iterator[datetime]:
    for suspension in subject.clocks.suspensions:
        if suspension.planned_until is not None and suspension.ended is None:
            settled = subject.case.settled_after(suspension.planned_until)
            if subject.case.judged_at <= settled:
                yield settled + MICROSECOND


@rule(
    "V13",
    version=1,
    basis="行政许可法第四十五条",
    parameters={"days_before_due": 1},
    wake=_when_overrun,
    about=(T.SUSPEND,),
)
def suspension_abuse(subject: Subject) -> Iterator[Violation]:
    """Find suspensions the law does not allow, or that look as if they were made for the clock.

    (a) a procedure that is none of the eight, or that the item has not; (b) no legal basis, or nothing told in
    writing; (c) begun shortly before or after the due instant; (d) entered once the decision was known, or begun the
    moment the case was accepted; (e) approved by who handles the case, or by nobody's head; (g) the same procedure
    again; (h) longer than told; (i) ended without a document.
    """
    for suspension in subject.clocks.suspensions[:_LOOKED_AT_MAX]:
        yield from _not_listed(subject, suspension)
        yield from _not_told(subject, suspension)
        yield from _pressing(subject, suspension)
        yield from _afterwards(subject, suspension)
        yield from _at_acceptance(subject, suspension)
        yield from _approved_by_himself(subject, suspension)
        yield from _again(subject, suspension)
        yield from _too_long(subject, suspension)
        yield from _without_result(subject, suspension)


def _not_listed(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (a); a suspension without any code stops nothing, and is not held against anyone here."""
    allowed = allowed_procedures(subject.clocks.item)
    if suspension.procedure and suspension.procedure not in allowed:
        yield _abuse(subject, "a", suspension, {"procedure": suspension.procedure, "allowed": sorted(allowed)})


def _not_told(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (b): the law makes both mandatory, so that what no event of the beginning says is lacking."""
    data = [event.data for event in suspension.told]
    lacks = [name for name in ("legal_basis", "told_at") if all(getattr(each, name) is None for each in data)]
    if lacks:
        yield _abuse(subject, "b", suspension, {"lacks": lacks})


def _pressing(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (c), against the due instant as it stood without this suspension."""
    near = pressing(subject, suspension.begun, subject.parameters["days_before_due"])
    if near is not None:
        clock, due = near
        yield _abuse(subject, "c", suspension, {"clock": clock.name, "due_at": stamp(due)})


def _afterwards(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (d): dated before the decision, entered after it and later than its source's lateness explains.

    Of a source that tells suspensions at their end, later than the end explains.
    """
    case, begun = subject.case, suspension.begun
    at_end = case.is_told_at_end(begun)
    since = suspension.ended if at_end else begun
    if begun.recorded is None or since is None or case.precision(begun) == "day":
        return
    source = case.registered.get(begun.source)
    explained = timedelta() if source is None else source.lateness + source.tolerance
    if begun.recorded - since.time <= explained:
        return
    for known in (subject.clocks.decision, case.first(T.FINISH)):
        if known is None or case.precision(known) == "day" or not begun.time < known.time:
            continue
        if begun.recorded >= known.time + _apart(subject, begun, known):
            evidence = {"recorded": stamp(begun.recorded), "step": known.type.value, "known_at": stamp(known.time)}
            yield _abuse(subject, "d", suspension, evidence, known)
            return


def _apart(subject: Subject, a: Event, b: Event) -> timedelta:
    """Tell by how much two times must differ for their order to be sure: nothing within one exact source."""
    case = subject.case
    if a.source != b.source:
        return case.tolerance(a, b)
    return timedelta(minutes=1) if case.precision(a) == "minute" else timedelta()


def _at_acceptance(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (d): begun in the very second of the acceptance; in the very minute where one source knows no seconds."""
    case, begun, accept = subject.case, suspension.begun, subject.case.first(T.ACCEPT)
    if accept is None or case.precision(begun) == "day" or case.precision(accept) == "day":
        return
    unit = timedelta(seconds=1 if case.precision(begun) == case.precision(accept) == "second" else 60)
    if (begun.time - TIME_MIN) // unit == (accept.time - TIME_MIN) // unit:
        yield _abuse(subject, "d_accept", suspension, {"accepted_at": stamp(accept.time)}, accept)


def _approved_by_himself(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (e): approved by whoever asked for it, or accepted, handled or finished the case; or by no head's post."""
    approvers = {event.data.approver for event in suspension.told} - {None}
    handling = (*suspension.told, *subject.case.all(*_HANDLING))
    by_himself = [event for event in handling if event.operator in approvers][:_LOOKED_AT_MAX]
    if by_himself:
        yield _abuse(subject, "e", suspension, {"steps": _types(by_himself)}, *by_himself)
    roles = {event.data.approver_role for event in suspension.told} - {None}
    if roles and roles.isdisjoint(_HEADS):
        role = next(event.data.approver_role for event in suspension.told if event.data.approver_role)
        yield _abuse(subject, "e_role", suspension, {"role": role})


def _types(events: list[Event]) -> list[str]:
    return list(dict.fromkeys(event.type.value for event in events))


def _again(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (g): a procedure that had been before; in a joint case, in the same department."""
    if not suspension.procedure:
        return
    item = subject.clocks.item
    joint = item is not None and item.type == "joint"
    for other in subject.clocks.suspensions:
        if other is suspension:
            return
        same = not joint or other.begun.department == suspension.begun.department
        if same and other.procedure == suspension.procedure:
            evidence = {"procedure": suspension.procedure, "before": stamp(other.begun.time)}
            yield _abuse(subject, "g", suspension, evidence, other.begun)
            return


def _too_long(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (h): ended after the days told were used up; or used up, and nobody has told of its end."""
    case, planned, ended = subject.case, suspension.planned_until, suspension.ended
    if planned is None:
        return
    evidence = {"planned_days": suspension.begun.data.planned_days, "planned_until": stamp(planned)}
    if ended is not None:
        if case.is_after(ended, planned):
            yield _abuse(subject, "h", suspension, {**evidence, "ended_at": stamp(ended.time)}, at=planned)
        return
    gone_on = (event for event in case.all(*_GOES_ON) if event.order > suspension.begun.order)
    over = next(gone_on, None)
    still_on = over is None or case.is_after(over, planned)
    if still_on and case.can_send(T.RESUME) and case.judged_at > case.settled_after(planned):
        yield _abuse(subject, "h", suspension, evidence, at=planned, act="h_open")


def _without_result(subject: Subject, suspension: Suspension) -> Iterator[Violation]:
    """Find (i): told as ended, and without the document it ended with."""
    ended = suspension.ended
    if ended is not None and ended.data.result is None:
        yield _abuse(subject, "i", suspension, {"ended_at": stamp(ended.time)}, at=ended.time)


def _abuse(
    subject: Subject,
    letter: str,
    suspension: Suspension,
    evidence: dict[str, Any],
    *others: Event,
    at: datetime | None = None,
    act: str | None = None,
) -> Violation:
    begun, ended = suspension.begun, suspension.ended
    rests_on = (*suspension.told, *((ended,) if ended is not None else ()), *others)
    return Violation(
        occurred_at=at or begun.time,
        severity=Severity.WARNING,
        subject=f"{letter}:{key(begun)}",
        department=begun.department or subject.case.department,
        events=tuple(dict.fromkeys(key(event) for event in rests_on)),
        evidence={"act": act or letter, "at": stamp(begun.time), **evidence},
    )
