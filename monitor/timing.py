"""Timing: how one clock is run, once it is known what starts and ends it (design section 6).

`Armory` holds what arming a clock needs; `run` counts it under its profile, `run_against` holds it against an instant
the source has set. What an event *is* compares event times; what is *absent* is judged up to the case's `judged_at`.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from monitor.calendar import CalendarError
from monitor.case import CaseFile
from monitor.counting import MICROSECOND, Counting, Interval, counting_for
from monitor.events import Event, EventType
from monitor.rulebook.model import ClockProfile, Item, Limit, Limits, RulebookVersion, parse_limit
from monitor.verdict import Clock, ClockPhase, Pause

T = EventType

TERMINAL: Final = (T.WITHDRAW, T.VOID, T.FORWARD)
"""What ends every clock of a case without an answer to it."""


class Armory(msgspec.Struct, frozen=True):
    """What arming a clock needs: the case, the catalogue version frozen onto it, its valid pauses.

    `beside`: for a process beside the approval (`monitor.processes`), which has nothing of the item it is about.
    """

    case: CaseFile
    version: RulebookVersion
    pauses: tuple[Pause, ...]
    beside: bool = False

    @property
    def item(self) -> Item | None:
        return self.case.item(self.version)

    @property
    def limits(self) -> Limits:
        return self.version.rulebook.limits

    def observed(self, *groups: tuple[EventType, ...]) -> bool:
        """Tell whether, of every group, the case's sources are able to send at least one type."""
        sendable = self.case.senders.sendable
        return all(not sendable.isdisjoint(group) for group in groups)

    @property
    def profile(self) -> ClockProfile:
        """Find the clock profile, the item's or else the rulebook's; it is frozen with the catalogue.

        Raises CalendarError where the rulebook has no such profile.
        """
        item = None if self.beside else self.item
        code = (item and item.profile) or self.limits.profile
        profile = self.version.rulebook.profile.get(code)
        if profile is None:
            raise CalendarError(f"the rulebook has no clock profile {code!r}")
        return profile

    def counting(self, limit: Limit) -> Counting:
        """Choose the counting of a limit, under the frozen profile and the calendar of now. Raises CalendarError."""
        current, profile, by_days = self.case.current, self.profile, self.case.by_days
        known: dict[tuple[ClockProfile, Limit, bool], Counting] = current.__dict__.setdefault("_countings", {})
        if (profile, limit, by_days) not in known:
            known[profile, limit, by_days] = counting_for(profile, current.days, limit, by_days=by_days)
        return known[profile, limit, by_days]


def key(event: Event) -> str:
    """Name an event within its case: `source/id`."""
    return f"{event.source}/{event.id}"


def interval(pause: Pause) -> Interval:
    """Give the time a pause takes out: up to its resume or the end of its planned days, whichever is first."""
    ends = [end for end in (pause.until, pause.planned_until) if end is not None]
    return Interval(pause.since, min(ends) if ends else None)


def run(
    armory: Armory,
    blank: Clock,
    started_at: datetime,
    start_event: str,
    end: Event | None,
    limit: str,
    *,
    pausable: bool = False,
    extension: Decimal = Decimal(0),
) -> Clock:
    """Count a clock from its start under the frozen profile and the current calendar."""
    parsed, stop = parse_limit(limit), _stop(armory, end)
    pauses = armory.pauses if pausable else ()
    intervals = [interval(pause) for pause in pauses]
    warning = Decimal(str(armory.limits.warning_days))
    days = parsed.days + extension
    try:
        counting = armory.counting(parsed)
        budget = counting.budget(days, started_at)
        due = counting.due(started_at, budget, intervals)
        warn_from = None
        if days > warning:
            warn_from = counting.due(started_at, counting.budget(days - warning, started_at), intervals)
        used = counting.used(started_at, stop.time, intervals) if stop else None
    except CalendarError:
        return msgspec.structs.replace(blank, phase="unarmable", limit=limit)
    return Clock(
        name=blank.name,
        phase=_phase(armory.case, due, pauses, stop),
        subject=blank.subject,
        department=blank.department,
        profile=armory.profile.code,
        limit=limit,
        extension_days=float(extension),
        started_at=started_at,
        start_event=start_event,
        due=due,
        warn_from=warn_from,
        ended_at=stop.time if stop else None,
        end_event=key(stop) if stop else "",
        pauses=pauses,
        budget=budget,
        per_day=counting.per_day,
        used=used,
    )


def run_against(armory: Armory, blank: Clock, carrier: Event, end: Event | None, due: datetime) -> Clock:
    """Hold a clock against an instant the source has set: compared as it stands, not shifted by pauses.

    Where the times of day are not known, it is held against the end of that day.
    """
    due = armory.case.due_at(due)
    warn_from = due - timedelta(days=armory.limits.warning_days)
    stop = _stop(armory, end)
    return msgspec.structs.replace(
        blank,
        phase=_phase(armory.case, due, (), stop),
        limit="due",
        started_at=carrier.time,
        start_event=key(carrier),
        due=due,
        warn_from=warn_from if warn_from > carrier.time else None,
        ended_at=stop.time if stop else None,
        end_event=key(stop) if stop else "",
    )


def _stop(armory: Armory, end: Event | None) -> Event | None:
    """Choose what stops a clock: its end, or what ends the case before it; of a process of its own not the case's."""
    apart = armory.beside and armory.case.is_application
    terminal = None if apart else armory.case.first(*TERMINAL)
    if end is None or (terminal is not None and terminal.order < end.order):
        return terminal
    return end


def _phase(case: CaseFile, due: datetime | None, pauses: tuple[Pause, ...], stop: Event | None) -> ClockPhase:
    """Say where a clock stands: by the event that stopped it, or by its absence up to the judged instant."""
    if due is not None and (stop.time if stop else case.judged_at) > due:
        return "breached"
    if stop is not None:
        return "cancelled" if stop.type in TERMINAL else "met"
    return "paused" if any(_holds(pause, case.judged_at) for pause in pauses) else "running"


def _holds(pause: Pause, judged_at: datetime) -> bool:
    return pause.until is None and (pause.planned_until is None or judged_at <= pause.planned_until)


def next_change(clock: Clock, judged_at: datetime) -> datetime | None:
    """Find the earliest instant later than `judged_at` at which a clock would stand otherwise with no new event."""
    if clock.phase not in ("running", "paused"):
        return None
    instants = [clock.warn_from, clock.due, *(p.planned_until for p in clock.pauses if p.until is None)]
    return min((i + MICROSECOND for i in instants if i is not None and i >= judged_at), default=None)
