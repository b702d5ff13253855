"""Timing: how one clock is run, once it is known what starts and ends it (design section 6).

`Armory` holds what arming a clock needs; `run` counts it under its profile, `run_against` holds it against an instant
the source has set. What an event *is* compares event times; what is *absent* is judged up to the case's `judged_at`.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from monitor.calendar import CalendarError
from monitor.case import TERMINAL, CaseFile
from monitor.counting import MICROSECOND, Counting, Interval, counting_for
from monitor.events import Event, EventType
from monitor.rulebook.model import (
    ClockProfile,
    Item,
    Limit,
    Limits,
    Rulebook,
    RulebookVersion,
    parse_limit,
)
from monitor.senders import EVERY_TYPE
from monitor.verdict import Clock, ClockPhase, Pause

T = EventType


class Terms(msgspec.Struct, frozen=True):
    """What clocks are counted by, the same for all cases of an item: limits and profile as frozen, the calendar of now.

    `profile` is the item's or else the rulebook's, None where there is no such profile. `by_days`: of cases whose
    sources know no times of day. `countings` keeps what was chosen for a limit.
    """

    limits: Limits
    profile: ClockProfile | None
    current: Rulebook
    by_days: bool
    warning: Decimal
    countings: dict[str, tuple[Decimal, Counting]]

    @property
    def known_profile(self) -> ClockProfile:
        """The profile. Raises CalendarError where there is none."""
        if self.profile is None:
            raise CalendarError("the rulebook does not have the clock profile it names")
        return self.profile

    def counted(self, limit: str) -> tuple[Decimal, Counting]:
        """Read a limit and choose its counting. Raises CalendarError where there is no profile."""
        known = self.countings.get(limit)
        if known is None:
            parsed = parse_limit(limit)
            known = self.countings[limit] = (parsed.days, self.counting(parsed))
        return known

    def counting(self, limit: Limit) -> Counting:
        """Choose the counting of a limit. Raises CalendarError where there is no profile."""
        profile = self.known_profile
        known: dict[tuple[ClockProfile, Limit, bool], Counting] = self.current.__dict__.setdefault("_countings", {})
        place = (profile, limit, self.by_days)
        if place not in known:
            known[place] = counting_for(profile, self.current.days, limit, by_days=self.by_days)
        return known[place]


def terms_of(case: CaseFile, version: RulebookVersion, item: Item | None) -> Terms:
    """Look up the terms of an item in a version, None: of what is about none; kept with the rulebooks of the case."""
    known: dict[tuple[int, str | None, bool], Terms] = case.rulebooks.__dict__.setdefault("_terms", {})
    place = (version.version, item.code if item else None, case.by_days)
    if place not in known:
        limits = version.rulebook.limits
        profile = version.rulebook.profile.get((item and item.profile) or limits.profile)
        warning = Decimal(str(limits.warning_days))
        known[place] = Terms(limits, profile, case.current, case.by_days, warning, {})
    return known[place]


class Armory(msgspec.Struct, frozen=True):
    """What arming a clock needs: the case, its item and terms as frozen onto it, its valid pauses.

    Of a process beside the approval (`monitor.processes`) the terms are those of no item.
    """

    case: CaseFile
    item: Item | None
    terms: Terms
    pauses: tuple[Pause, ...] = ()
    beside: bool = False

    @property
    def limits(self) -> Limits:
        """The limits that hold where the item states none."""
        return self.terms.limits

    def observed(self, *groups: tuple[EventType, ...]) -> bool:
        """Tell whether, of every group, the case's sources are able to send at least one type."""
        sendable = self.case.senders.sendable
        return sendable is EVERY_TYPE or not any(map(sendable.isdisjoint, groups))


def armory_of(case: CaseFile, version: RulebookVersion, *, beside: bool = False) -> Armory:
    """Lay out what arming the clocks of a case needs, by a version of the catalogue."""
    item = case.item(version)
    return Armory(case, item, terms_of(case, version, None if beside else item), beside=beside)


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
    terms, stop = armory.terms, _stop(armory, end)
    pauses = armory.pauses if pausable else ()
    try:
        days, counting = terms.counted(limit)
        reckoned = counting.reckon(
            days + extension if extension else days,
            terms.warning,
            started_at,
            stop.time if stop else None,
            [interval(pause) for pause in pauses] if pauses else (),
        )
    except CalendarError:
        return msgspec.structs.replace(blank, phase="unarmable", limit=limit)
    return Clock(
        name=blank.name,
        phase=_phase(armory.case, reckoned.due, pauses, stop),
        subject=blank.subject,
        department=blank.department,
        profile=terms.known_profile.code,
        limit=limit,
        extension_days=float(extension),
        started_at=started_at,
        start_event=start_event,
        due=reckoned.due,
        warn_from=reckoned.warn_from,
        ended_at=stop.time if stop else None,
        end_event=key(stop) if stop else "",
        pauses=pauses,
        budget=reckoned.budget,
        per_day=counting.per_day,
        used=reckoned.used,
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
    terminal = None if apart else armory.case.terminal
    if end is None or (terminal is not None and terminal.order < end.order):
        return terminal
    return end


def _phase(case: CaseFile, due: datetime | None, pauses: tuple[Pause, ...], stop: Event | None) -> ClockPhase:
    """Say where a clock stands: by the event that stopped it, or by its absence up to the judged instant."""
    if due is not None and (stop.time if stop else case.judged_at) > due:
        return "breached"
    if stop is not None:
        return "cancelled" if stop.type in TERMINAL else "met"
    return "paused" if pauses and any(_holds(pause, case.judged_at) for pause in pauses) else "running"


def _holds(pause: Pause, judged_at: datetime) -> bool:
    return pause.until is None and (pause.planned_until is None or judged_at <= pause.planned_until)


def next_change(clock: Clock, judged_at: datetime) -> datetime | None:
    """Find the earliest instant later than `judged_at` at which a clock would stand otherwise with no new event."""
    if clock.phase not in ("running", "paused"):
        return None
    instants = [clock.warn_from, clock.due, *(p.planned_until for p in clock.pauses if p.until is None)]
    return min((i + MICROSECOND for i in instants if i is not None and i >= judged_at), default=None)
