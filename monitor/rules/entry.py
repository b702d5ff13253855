"""Rules on how steps were entered: V08 late entry or back-filling, V10 several steps at one instant."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

from monitor.calendar import CalendarError
from monitor.counting import MICROSECOND, counting_for
from monitor.events import STEPS, Event, EventType
from monitor.rulebook.model import parse_limit
from monitor.rules.evidence import opinion, stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import armory_of, key
from monitor.verdict import Severity

T = EventType

_ACTS: Final = frozenset(
    {
        *(T.SUPPLEMENT_NOTICE, T.ACCEPT, T.REFUSE, T.TRANSFER, T.SITE_CHECK, T.HEARING, T.SUSPEND, T.RESUME, T.EXTEND),
        *(T.APPROVE, T.FINISH, T.FORWARD, T.VOID, T.READY, T.ISSUE, T.ARCHIVE),
    }
)
"""What the office does itself. What an applicant or a payer does may reach the system on paper, and later."""

_STEPS: Final = frozenset(STEPS)
_LISTED_MAX: Final = 20
"""So many entries are listed in the evidence; their number is told in full."""

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_LATE_ANYWAY: Final = timedelta(days=15)
"""No holiday lasts so long: nothing is counted day by day beyond it."""


@rule(
    "V08",
    version=1,
    basis="及时、如实录入；政务服务平台数据规范",
    parameters={"window_hours": 2, "external_hours": 24},
    about=_ACTS,
)
def late_entry(subject: Subject) -> Iterator[Violation]:
    """Find acts entered long after they were done, or steps entered after a later step had been.

    Entered at a window: more than `window_hours` of office time after the act; elsewhere more than `external_hours`,
    closed days not counted. A source that knows days only is late from the end of the day. Not meant: suspensions of
    a source that tells them at their end, and what applicants do.
    """
    case = subject.case
    if not _is_suspect(subject):
        return
    entered: dict[str, list[Event]] = {}
    for event in entries(subject):
        entered.setdefault(event.source, []).append(event)
    for source, events in entered.items():
        late = [(event, delay) for event in events if (delay := delay_of(subject, event)) is not None]
        overtaken = list(_overtaken(subject, events))
        if late or overtaken:
            first = min((event for event, _ in (*late, *overtaken)), key=lambda event: event.order)
            yield Violation(
                occurred_at=first.time,
                severity=Severity.WARNING,
                subject=source,
                department=first.department or case.department,
                events=tuple(dict.fromkeys(key(event) for event, _ in (*late, *overtaken)))[:_LISTED_MAX],
                evidence={
                    "source": source,
                    "step": first.type.value,
                    **_times(first),
                    "count": len({event.id for event, _ in (*late, *overtaken)}),
                    "delays": [{**_entry(event), **delay} for event, delay in late[:_LISTED_MAX]],
                    "overtaken": [{**_entry(a), "by": _entry(b)} for a, b in overtaken[:_LISTED_MAX]],
                },
            )


def _is_suspect(subject: Subject) -> bool:
    """Tell whether anything at all was entered later than the least allowed, or before what came before it."""
    least = timedelta(hours=min(subject.parameters["window_hours"], subject.parameters["external_hours"]))
    latest: dict[str, datetime] = {}
    for event in subject.case.events:
        recorded = event.recorded
        if recorded is not None:
            if recorded - event.time > least or recorded < latest.get(event.source, recorded):
                return True
            latest[event.source] = recorded
    return False


def entries(subject: Subject) -> list[Event]:
    """List the acts of which it is told when they were entered, and of which that says anything."""
    case = subject.case
    return [
        event
        for event in case.events
        if event.recorded is not None
        and event.type in _ACTS
        and not (event.type in (T.SUSPEND, T.RESUME) and case.is_told_at_end(event))
    ]


def delay_of(subject: Subject, event: Event) -> dict[str, float] | None:
    """Measure how late an act was entered, in hours, where that is more than is allowed."""
    case, recorded = subject.case, event.recorded
    assert recorded is not None, "only what has been entered can be late"
    allowed = subject.parameters["window_hours" if event.window else "external_hours"]
    days = case.current.days
    done = days.end(days.day(event.time)) + MICROSECOND if case.precision(event) == "day" else event.time
    hours = (recorded - done) / _HOUR
    if hours <= allowed:
        return None
    if recorded - done <= _LATE_ANYWAY:
        hours = _office_hours(subject, done, recorded) if event.window else _open_hours(subject, done, recorded)
    return None if hours <= allowed else {"hours": round(hours, 2), "hours_allowed": allowed}


def _office_hours(subject: Subject, since: datetime, until: datetime) -> float:
    """Count the office hours between two instants; all hours where the rulebook knows no office hours."""
    part_of_a_day = parse_limit("0.5 wd")
    try:
        profile = armory_of(subject.case, subject.clocks.catalogue).terms.known_profile
        counting = counting_for(profile, subject.case.current.days, part_of_a_day)
        return counting.used(since, until, ()) * MICROSECOND / _HOUR if counting.per_day else (until - since) / _HOUR
    except CalendarError:
        return (until - since) / _HOUR


def _open_hours(subject: Subject, since: datetime, until: datetime) -> float:
    """Count the hours between two instants, without the closed days begun in between."""
    days = subject.case.current.days
    first, last = days.day(since), days.day(until)
    closed = (last - first).days - days.count(first, last)
    return (until - since - closed * _DAY) / _HOUR


def _overtaken(subject: Subject, events: Sequence[Event]) -> Iterator[tuple[Event, Event]]:
    """Find steps of one source that were entered after a step that came later, beyond its tolerance."""
    case = subject.case
    soonest: Event | None = None  # of the steps that came later, the one entered first
    for step in reversed([event for event in events if event.type in _STEPS]):
        if soonest is None or _recorded(step) <= _recorded(soonest):
            soonest = step
        elif _recorded(step) - _recorded(soonest) > case.tolerance(step) and case.before(step, soonest):
            yield step, soonest


def _recorded(event: Event) -> datetime:
    assert event.recorded is not None, "only what has been entered is compared"
    return event.recorded


def _times(event: Event) -> dict[str, str]:
    return {"at": stamp(event.time), "recorded": stamp(_recorded(event))}


def _entry(event: Event) -> dict[str, str]:
    return {"event": key(event), "step": event.type.value, **_times(event)}


@rule(
    "V10",
    version=1,
    basis="如实办理；环节办理意见",
    parameters={"seconds": 5, "steps": 3},
    lead=True,
    about=STEPS,
)
def steps_at_once(subject: Subject) -> Iterator[Violation]:
    """Find promised-time cases whose steps were taken within seconds of each other, as a fabricated course is.

    Compared across required steps alone, where the source knows the second: one step may end when it begins.
    """
    case, item = subject.case, subject.clocks.item
    if item is None or item.type != "promised":
        return
    required, least = item.steps or STEPS, subject.parameters["steps"]
    steps = [event for event in case.events if event.type in required and case.precision(event) == "second"]
    apart = timedelta(seconds=subject.parameters["seconds"])
    neighbours = zip(steps, steps[max(ceil(least) - 1, 0) :], strict=False)
    if not any(last.time - first.time <= apart for first, last in neighbours):
        return
    together = _together(steps, apart)
    if len(together) >= least:
        yield Violation(
            occurred_at=together[0].time,
            severity=Severity.WARNING,
            department=case.department,
            events=tuple(key(event) for event in together),
            evidence={
                "at": stamp(together[0].time),
                "seconds": (together[-1].time - together[0].time).total_seconds(),
                "steps": [event.type.value for event in together],
                "rows": [_row(event) for event in together],
            },
        )


def _together(steps: Sequence[Event], apart: timedelta) -> list[Event]:
    """Find the most steps, each once, that were taken within so short a time."""
    most: list[Event] = []
    start, counts = 0, Counter[EventType]()
    for end, event in enumerate(steps):
        counts[event.type] += 1
        while event.time - steps[start].time > apart:
            counts[steps[start].type] -= 1
            start += 1
        if sum(1 for count in counts.values() if count) > len(most):
            within = reversed(steps[start : end + 1])
            most = sorted({step.type: step for step in within}.values(), key=lambda step: step.order)
    return most


def _row(event: Event) -> dict[str, Any]:
    return {"event": key(event), "step": event.type.value, "at": stamp(event.time), "opinion": opinion(event)}
