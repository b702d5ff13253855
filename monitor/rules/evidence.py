"""The evidence of a breach: the arithmetic of the clock, its pauses, the events it rests on, who held the case."""

from datetime import UTC, datetime
from typing import Any

from monitor.case import CaseFile
from monitor.events import Event, EventType
from monitor.timing import key
from monitor.verdict import Clock

PAUSABLE = ("promised", "statutory", "step", "leg")
"""Clocks that a valid suspension stops."""


def stamp(instant: datetime) -> str:
    """Write an instant as it stands in evidence: ISO 8601 in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def opinion(event: Event) -> dict[str, Any] | None:
    """Lay out what is known of the free text of an event: its length, and whether it says more than a step's name.

    None where no text was told. One that was not sealed (it is, before the ledger judges it) shows its length alone.
    """
    written = event.data.text
    if written is None:
        return None
    if isinstance(written, str):
        return {"characters": len(written.strip()), "names_step": False}
    return {"characters": written.length, "names_step": written.names_step}


def of_clock(case: CaseFile, clock: Clock) -> dict[str, Any]:
    """Lay out a clock: limit, start, due, end, pauses subtracted, and the working days each unit held the case."""
    evidence: dict[str, Any] = {"clock": clock.name, "limit": clock.limit, "held": _held(case, clock)}
    if clock.subject:
        evidence["subject"] = clock.subject
    if clock.profile:
        evidence["profile"] = clock.profile
    if clock.extension_days:
        evidence["extension_days"] = clock.extension_days
    for name in ("started_at", "due", "ended_at"):
        instant = getattr(clock, name)
        if instant is not None:
            evidence[name] = stamp(instant)
    if clock.used is not None and clock.limit != "due":
        evidence |= {"used": clock.used, "budget": clock.budget, "per_day": clock.per_day}
    evidence["pauses"] = [
        {
            name: stamp(instant)
            for name in ("since", "until", "planned_until")
            if (instant := getattr(pause, name)) is not None
        }
        for pause in clock.pauses
    ]
    return evidence


def events_of(case: CaseFile, clock: Clock) -> tuple[str, ...]:
    """Name the events a clock rests on: its start and end, and what paused or extended it."""
    kinds: tuple[EventType, ...] = ()
    if clock.name in PAUSABLE and clock.limit != "due":
        kinds = (EventType.SUSPEND, EventType.RESUME)
    if clock.name == "statutory":
        kinds = (*kinds, EventType.EXTEND)
    keys = [clock.start_event, *(key(event) for event in case.all(*kinds)), clock.end_event]
    return tuple(dict.fromkeys(name for name in keys if name))


def _held(case: CaseFile, clock: Clock) -> dict[str, int]:
    """Count the working days each department held the case, from the clock's start to its end or due instant."""
    until = clock.ended_at or clock.due
    if clock.started_at is None or until is None:
        return {}
    calendar, held = case.current.days, dict[str, int]()
    holder, since = case.department, clock.started_at
    for event in case.events:
        if clock.started_at <= event.time <= until:
            _add(held, holder, calendar.count(calendar.day(since), calendar.day(event.time)))
            holder, since = event.department or holder, event.time
    _add(held, holder, calendar.count(calendar.day(since), calendar.day(until)))
    return held


def _add(held: dict[str, int], holder: str, days: int) -> None:
    if days:
        held[holder] = held.get(holder, 0) + days
