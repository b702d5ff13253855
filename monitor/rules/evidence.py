"""The evidence of a breach: the arithmetic of the clock, its pauses, the events it rests on, who held the case."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
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


def of_clock(case: CaseFile, clock: Clock, all_clocks: Iterable[Clock] = ()) -> dict[str, Any]:
    """Lay out a clock: limit, start, due, end, pauses subtracted, and the working days each unit held the case.

    Of a joint case `all_clocks` tell whose legs ran when.
    """
    legs = [each for each in all_clocks if each.name == "leg" and each.started_at is not None]
    evidence: dict[str, Any] = {"clock": clock.name, "limit": clock.limit, "held": _held(case, clock, legs)}
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


def _held(case: CaseFile, clock: Clock, legs: list[Clock]) -> dict[str, int]:
    """Count the working days each department held the case, from the clock's start to its end or due instant.

    Of a joint case each leg is held by its department, side by side; the lead holds what no leg was under way for.
    """
    until = clock.ended_at or clock.due
    if clock.started_at is None or until is None:
        return {}
    calendar = case.current.days
    first, last = calendar.day(clock.started_at), calendar.day(until)
    if clock.name == "leg":
        spans = [(clock.department, first, last)]
    elif legs:
        spans = _side_by_side(case, legs, first, last)
    else:
        spans = _one_after_another(case, clock.started_at, until)
    held: dict[str, int] = {}
    for department, since, to in spans:
        if days := calendar.count(since, to):
            held[department] = held.get(department, 0) + days
    return held


def _one_after_another(case: CaseFile, since: datetime, until: datetime) -> list[tuple[str, date, date]]:
    """List who held the case from when to when: whoever did the last thing to it."""
    day, spans = case.current.days.day, list[tuple[str, date, date]]()
    holder = case.department
    for event in case.events:
        if since <= event.time <= until:
            spans.append((holder, day(since), day(event.time)))
            holder, since = event.department or holder, event.time
    return [*spans, (holder, day(since), day(until))]


def _side_by_side(case: CaseFile, legs: list[Clock], first: date, last: date) -> list[tuple[str, date, date]]:
    """List the legs within a time, and the lead's days between them."""
    day, spans, free_from = case.current.days.day, list[tuple[str, date, date]](), first
    for leg in sorted(legs, key=lambda leg: (leg.started_at, leg.department)):
        assert leg.started_at is not None, "only legs that began are held by anybody"
        since = min(max(day(leg.started_at), first), last)
        to = min(max(day(leg.ended_at), first), last) if leg.ended_at is not None else last
        spans += [(leg.department, since, to), (case.department, free_from, since)]
        free_from = max(free_from, to)
    return [*spans, (case.department, free_from, last)]
