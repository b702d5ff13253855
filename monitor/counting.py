"""Counting: how much of a limit is used, and when it is due, under each counting convention.

A `Counting` joins a clock profile with a calendar (domain.md 1.3). Two kinds cover all conventions:

* `DayCounting` counts whole days. The first day is not counted (Civil Code art. 201); a limit of N days is due at
  the end of the N-th counted day. A pause from day S to day E takes the days S+1 … E out of the count, as
  acceptance on a day starts the count on the next. `next_day`, `calendar_day`, and every limit of 0 days.
* `TimeCounting` counts time inside segments of working days: office sessions (`work_time`) or whole days
  (`same_time`). A limit is due at the last instant at which no more than the budget is used.

Late always means: later than due. Units are whole numbers, `per_day` to a day, so that used + remaining = budget
holds exactly.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple, Protocol

import msgspec

from monitor.calendar import LAST, Calendar, CalendarError
from monitor.rulebook.model import ClockProfile, Limit

DAY: Final = timedelta(days=1)
MICROSECOND: Final = timedelta(microseconds=1)
_MIDNIGHT: Final = time()
_ENDS_MAX: Final = 5_000  # due days kept for a limit: those of ten years
_COUNTED: Final = frozenset({"working", "opened", "day"})


class Interval(msgspec.Struct, frozen=True, order=True):
    """A pause: from `since`, to `until`, or without end yet."""

    since: datetime
    until: datetime | None = None


class DayCount(msgspec.Struct, frozen=True):
    """What one calendar day contributes: `units` used, and why (`first working weekend holiday opened pause`)."""

    day: date
    units: int
    why: str
    name: str = ""
    provisional: bool = False


class Reckoning(NamedTuple):
    """What a limit comes to: the units allowed, the last instant that is not late, the same for the warning.

    `due` None: a pause without end holds the clock. `warn_from` None: nothing is left to warn of. `used` None: the
    clock has not stopped.
    """

    budget: int
    due: datetime | None
    warn_from: datetime | None
    used: int | None


class Counting(Protocol):
    """One way of counting a limit; instants are aware, units are `per_day` to a day."""

    @property
    def per_day(self) -> int: ...

    def budget(self, days: Decimal, start: datetime) -> int:
        """Turn a limit in days into units."""
        ...

    def due(self, start: datetime, budget: int, pauses: Sequence[Interval]) -> datetime | None:
        """Find the last instant that is not late; None while a pause without end holds the clock."""
        ...

    def used(self, start: datetime, until: datetime, pauses: Sequence[Interval]) -> int:
        """Count the units used from start up to an instant."""
        ...

    def reckon(
        self, days: Decimal, warning: Decimal, start: datetime, stop: datetime | None, pauses: Sequence[Interval]
    ) -> Reckoning:
        """Work out all of it at once, for a limit in days and a warning so many days before; `stop` None: open."""
        ...

    def planned_until(self, since: datetime, days: float) -> datetime:
        """Find when the planned days of a pause are used up."""
        ...

    def walk(self, start: datetime, until: datetime, pauses: Sequence[Interval]) -> Iterator[DayCount]:
        """Tell day by day what was counted and why; the units add up to `used`."""
        ...


def counting_for(profile: ClockProfile, calendar: Calendar, limit: Limit, *, by_days: bool = False) -> Counting:
    """Choose the way of counting a limit under a profile.

    Calendar days are counted as days whatever the profile. Fractions of a working day are counted in office
    sessions. A limit of 0 days means the same day under every profile. `by_days`: the times of day are not known, so
    that whole days are counted, and a due day ends at midnight.
    """
    if by_days:
        dated = msgspec.structs.replace(profile, day_end="midnight")
        return DayCounting(dated, calendar, working=limit.unit == "wd" and profile.kind != "calendar_day")
    whole = limit.days == limit.days.to_integral_value()
    if limit.unit == "cd" or (profile.kind == "calendar_day" and whole):
        return DayCounting(profile, calendar, working=False)
    if limit.days == 0 or (profile.kind == "next_day" and whole):
        return DayCounting(profile, calendar, working=True)
    if profile.kind == "same_time" and whole:
        return TimeCounting(profile, calendar, sessions=False)
    return TimeCounting(profile, calendar, sessions=True)


class DayCounting:
    """Count whole days: working days, or all days where `working` is false."""

    per_day: Final = 1

    def __init__(self, profile: ClockProfile, calendar: Calendar, *, working: bool) -> None:
        self._profile, self._calendar, self._working = profile, calendar, working
        self._ends: dict[tuple[date, int], datetime] = {}

    def budget(self, days: Decimal, start: datetime) -> int:
        """Give the limit in days; a fraction of a day counts as a whole one."""
        whole = int(days)
        return whole if whole == days else whole + 1

    def reckon(
        self, days: Decimal, warning: Decimal, start: datetime, stop: datetime | None, pauses: Sequence[Interval]
    ) -> Reckoning:
        """Work out all of it at once."""
        first = self._first_day(start)
        budget = self.budget(days, start)
        due, warn_from = self._due(first, start, budget, pauses), None
        if days > warning:
            warn_from = self._due(first, start, self.budget(days - warning, start), pauses)
        return Reckoning(budget, due, warn_from, None if stop is None else self._used(first, start, stop, pauses))

    def due(self, start: datetime, budget: int, pauses: Sequence[Interval]) -> datetime | None:
        """Find the end of the last counted day, moved by every pause that begins before it."""
        return self._due(self._first_day(start), start, budget, pauses)

    def _due(self, first: date, start: datetime, budget: int, pauses: Sequence[Interval]) -> datetime | None:
        last, left = first, budget
        due = self._end_after(first, budget)
        if due < start:
            due = self._end_from(self._last(first, budget), start)
        for pause in _merged(pauses, start) if pauses else ():
            if pause.since > due:
                break
            if pause.until is None:
                return None
            since, until = self._calendar.day(pause.since), self._calendar.day(pause.until)
            if until > last:
                left -= min(left, self._count(last, max(since, last)))
                last = until
            # Whoever is paused at the end of his last day is not late: the day the pause ends takes its place.
            due = max(due, self._end_from(self._last(last, left), pause.until))
        return due

    def used(self, start: datetime, until: datetime, pauses: Sequence[Interval]) -> int:
        """Count the days begun since the first day, without those taken out by pauses."""
        return self._used(self._first_day(start), start, until, pauses)

    def _used(self, first: date, start: datetime, until: datetime, pauses: Sequence[Interval]) -> int:
        last = self._calendar.day(until)
        if not pauses:
            return self._count(first, last)
        out = _paused_days(_merged(pauses, start), self._calendar)
        return self._count(first, last) - sum(self._count(max(a, first), min(b, last)) for a, b in out)

    def planned_until(self, since: datetime, days: float) -> datetime:
        """Give the end of the last planned working day after the day the pause began."""
        day = self._calendar.day(since)
        whole = int(Decimal(str(days)).to_integral_value(rounding="ROUND_CEILING"))
        return self._calendar.end(self._calendar.nth_after(day, max(whole, 1)))

    def walk(self, start: datetime, until: datetime, pauses: Sequence[Interval]) -> Iterator[DayCount]:
        """Tell day by day what was counted and why."""
        first, last = self._first_day(start), self._calendar.day(until)
        out = _paused_days(_merged(pauses, start), self._calendar)
        day = self._calendar.day(start)
        while day <= last:
            if day <= first:
                why = "first"
            elif any(a < day <= b for a, b in out):
                why = "pause"
            else:
                why = _why(self._calendar, day) if self._working else "day"
            yield _day_count(self._calendar, day, int(why in _COUNTED), why)
            day += DAY

    def _first_day(self, start: datetime) -> date:
        """Find the day that is not counted: the start's, or the next working day's where intake rolls over."""
        local = self._calendar.local(start)
        day, profile = local.date(), self._profile
        if profile.intake_cutoff is not None and local.time() > profile.intake_cutoff:
            return self._calendar.nth_after(day, 1)
        return self._calendar.on_or_after(day) if profile.roll_start else day

    def _count(self, after: date, until: date) -> int:
        return self._calendar.count(after, until) if self._working else max(0, (until - after).days)

    def _after(self, day: date, n: int) -> date:
        if self._working:
            return self._calendar.nth_after(day, n) if n else self._calendar.on_or_after(day)
        if n > (LAST - day).days:
            raise CalendarError(f"{n} days after {day} lie beyond the calendar's last day {LAST}")
        return day + n * DAY

    def _last(self, day: date, n: int) -> date:
        """Find the day on which n more days after a day are used up, moved off a closed one if the profile rolls."""
        last = self._after(day, n)
        return self._calendar.on_or_after(last) if self._profile.roll_end else last

    def _end_after(self, first: date, budget: int) -> datetime:
        """Give the end of the due day; on most days many cases begin that have the same limit."""
        end = self._ends.get((first, budget))
        if end is None:
            if len(self._ends) >= _ENDS_MAX:
                self._ends.clear()
            end = self._ends[first, budget] = self._end(self._last(first, budget))
        return end

    def _end_from(self, day: date, instant: datetime) -> datetime:
        """Give the end of a due day, or of the next one where closing time has passed at an instant of that day."""
        end = self._end(day)
        return end if end >= instant else self._end(self._last(day, 1))

    def _end(self, day: date) -> datetime:
        """Give the last instant of a due day: before midnight, or closing time where the profile says so."""
        if self._profile.day_end == "closing" and (sessions := _sessions(self._profile, day)):
            return self._calendar.instant(datetime.combine(day, sessions[-1][1]))
        return self._calendar.end(day)


class TimeCounting:
    """Count time inside segments of working days: office sessions, or whole days where `sessions` is false."""

    def __init__(self, profile: ClockProfile, calendar: Calendar, *, sessions: bool) -> None:
        self._profile, self._calendar, self._in_sessions = profile, calendar, sessions

    @cached_property
    def per_day(self) -> int:
        """Give the microseconds of a standard day."""
        if not self._in_sessions:
            return DAY // MICROSECOND
        if not self._profile.seasons:
            raise CalendarError(f"clock profile {self._profile.code} has no office sessions to count time in")
        sessions = self._profile.seasons[0].sessions
        return sum((_span(opening, closing) for opening, closing in sessions), timedelta()) // MICROSECOND

    def budget(self, days: Decimal, start: datetime) -> int:
        """Give the limit in microseconds of standard days.

        `same_time`: what starts on a closed day is due on the N-th working day at the same time of day, so of
        the first working day only the part before that time is left.
        """
        budget = int(days * self.per_day)
        if not self._in_sessions:
            local = self._calendar.local(self._start(start))
            if not self._calendar.is_working(local.date()):
                budget -= (datetime.combine(local.date() + DAY, _MIDNIGHT) - local) // MICROSECOND
        return budget

    def reckon(
        self, days: Decimal, warning: Decimal, start: datetime, stop: datetime | None, pauses: Sequence[Interval]
    ) -> Reckoning:
        """Work out all of it at once."""
        budget = self.budget(days, start)
        due, warn_from = self.due(start, budget, pauses), None
        if days > warning:
            warn_from = self.due(start, self.budget(days - warning, start), pauses)
        return Reckoning(budget, due, warn_from, None if stop is None else self.used(start, stop, pauses))

    def due(self, start: datetime, budget: int, pauses: Sequence[Interval]) -> datetime | None:
        """Find the last instant at which no more than the budget is used."""
        return self._reached(self._start(start), budget, pauses)

    def used(self, start: datetime, until: datetime, pauses: Sequence[Interval]) -> int:
        """Add up the time inside segments, without pauses, in microseconds."""
        start = self._start(start)
        spans = self._segments(start, until, _merged(pauses, start))
        return sum(((b - a) // MICROSECOND for a, b in spans if b is not None), 0)

    def planned_until(self, since: datetime, days: float) -> datetime:
        """Find when the planned standard days have passed since the pause began, whatever the intake hours."""
        reached = self._reached(since, int(Decimal(str(days)) * self.per_day), ())
        assert reached is not None, "a count without pauses ends"
        return reached

    def walk(self, start: datetime, until: datetime, pauses: Sequence[Interval]) -> Iterator[DayCount]:
        """Tell day by day how much was counted and why."""
        begin = self._start(start)
        merged = _merged(pauses, begin)
        per_day: dict[date, int] = {}
        for a, b in self._segments(begin, until, merged):
            if b is not None:
                per_day[a.date()] = per_day.get(a.date(), 0) + (b - a) // MICROSECOND
        out = [(self._calendar.local(p.since), self._calendar.local(p.until or until)) for p in merged]
        day, last = self._calendar.day(start), self._calendar.day(until)
        while day <= last:
            why = _why(self._calendar, day)
            opens, closes = datetime.combine(day, _MIDNIGHT), datetime.combine(day + DAY, _MIDNIGHT)
            if why in ("working", "opened") and any(a < closes and b > opens for a, b in out):
                why = "pause"
            yield _day_count(self._calendar, day, per_day.get(day, 0), why)
            day += DAY

    def _reached(self, start: datetime, units: int, pauses: Sequence[Interval]) -> datetime | None:
        left = units * MICROSECOND
        for since, until in self._segments(start, None, _merged(pauses, start)):
            if until is None:
                return None
            if until - since > left:
                return self._calendar.instant(since + left)
            left -= until - since
        raise AssertionError("segments without end ended")

    def _start(self, start: datetime) -> datetime:
        """Move the start to the next working day's opening where intake rolls over."""
        local, profile, calendar = self._calendar.local(start), self._profile, self._calendar
        late = profile.intake_cutoff is not None and local.time() > profile.intake_cutoff
        if not late and not (profile.roll_start and not calendar.is_working(local.date())):
            return start
        day = calendar.nth_after(local.date(), 1)
        sessions = _sessions(profile, day)
        return calendar.instant(datetime.combine(day, sessions[0][0] if sessions else _MIDNIGHT))

    def _segments(
        self, start: datetime, until: datetime | None, pauses: Sequence[Interval]
    ) -> Iterator[tuple[datetime, datetime | None]]:
        """Yield local `(since, until)` of the time that counts; `until` None: a pause without end has begun."""
        begin = self._calendar.local(start)
        end = None if until is None else self._calendar.local(until)
        out = [
            (self._calendar.local(p.since), None if p.until is None else self._calendar.local(p.until)) for p in pauses
        ]
        day = self._calendar.on_or_after(begin.date())
        while end is None or datetime.combine(day, _MIDNIGHT) < end:
            for opening, closing in self._open(day):
                a, b = max(opening, begin), closing if end is None else min(closing, end)
                for since, stop in out:
                    if since >= b or (stop is not None and stop <= a):
                        continue
                    if since > a:
                        yield a, since
                    if stop is None:
                        yield since, None
                        return
                    a = max(a, stop)
                if a < b:
                    yield a, b
            day = self._calendar.nth_after(day, 1)

    def _open(self, day: date) -> list[tuple[datetime, datetime]]:
        if not self._in_sessions:
            return [(datetime.combine(day, _MIDNIGHT), datetime.combine(day + DAY, _MIDNIGHT))]
        return [
            (datetime.combine(day, opening), datetime.combine(day, opening) + _span(opening, closing))
            for opening, closing in _sessions(self._profile, day)
        ]


def _sessions(profile: ClockProfile, day: date) -> tuple[tuple[time, time], ...]:
    """Find the office sessions of a day: those of the last season begun, the year being a circle."""
    begun = [s for s in profile.seasons if s.from_day <= f"{day:%m-%d}"]
    seasons = begun or profile.seasons
    return max(seasons, key=lambda s: s.from_day).sessions if seasons else ()


def _span(opening: time, closing: time) -> timedelta:
    origin = date.min
    return datetime.combine(origin, closing) - datetime.combine(origin, opening)


def _merged(pauses: Sequence[Interval], start: datetime) -> list[Interval]:
    """Cut pauses at the start of the clock, drop the empty ones, join those that overlap or touch."""
    merged: list[Interval] = []
    if not pauses:
        return merged
    for pause in sorted(pauses, key=lambda p: p.since):
        since = max(pause.since, start)
        if pause.until is not None and pause.until <= since:
            continue
        if merged and (merged[-1].until is None or since <= merged[-1].until):
            last = merged[-1].until
            until = None if last is None or pause.until is None else max(last, pause.until)
            merged[-1] = Interval(merged[-1].since, until)
        else:
            merged.append(Interval(since, pause.until))
    return merged


def _paused_days(pauses: Sequence[Interval], calendar: Calendar) -> list[tuple[date, date]]:
    return [(calendar.day(p.since), LAST if p.until is None else calendar.day(p.until)) for p in pauses]


def _why(calendar: Calendar, day: date) -> str:
    if calendar.is_working(day):
        return "opened" if calendar.is_opened(day) else "working"
    return "holiday" if calendar.name(day) else "weekend"


def _day_count(calendar: Calendar, day: date, units: int, why: str) -> DayCount:
    return DayCount(day, units, why, calendar.name(day), calendar.is_provisional(day))
