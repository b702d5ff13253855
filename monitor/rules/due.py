"""How near its due instant a case was when something was done to it, as that instant stood then."""

from datetime import datetime

from monitor.events import Event
from monitor.rulebook.model import parse_limit
from monitor.rules.rule import Subject
from monitor.timing import armory_of, interval
from monitor.verdict import Clock


def due_before(subject: Subject, clock: Clock, event: Event, *, extended: bool = True) -> datetime | None:
    """Find when a clock was due but for the suspensions that began with an event or later; None while it stood.

    Not `extended`: nor for any extension of its limit.
    """
    earlier = [pause for pause in clock.pauses if pause.since < event.time]
    as_it_is = len(earlier) == len(clock.pauses) and (extended or not clock.extension_days)
    if clock.started_at is None or clock.limit == "due" or as_it_is:
        return clock.due
    limit = parse_limit(clock.limit)
    counting = armory_of(subject.case, subject.clocks.catalogue).terms.counting(limit)
    budget = clock.budget if extended else counting.budget(limit.days, clock.started_at)
    return counting.due(clock.started_at, budget, [interval(pause) for pause in earlier])


def pressing(subject: Subject, event: Event, days: float) -> tuple[Clock, datetime] | None:
    """Find the clock of promise or law that an event came within so many working days of, or after, with its due.

    A limit no longer than twice those days is always near its end: of it only what comes after the due instant counts.
    """
    case, calendar = subject.case, subject.case.current.days
    for clock in subject.clocks.clocks:
        due = due_before(subject, clock, event) if clock.name in ("promised", "statutory") else None
        if due is None or clock.started_at is None:
            continue
        whole = calendar.count(calendar.day(clock.started_at), calendar.day(due))
        left = calendar.count(calendar.day(event.time), calendar.day(due))
        if case.is_after(event, due) or (left <= days < whole / 2):
            return clock, due
    return None
