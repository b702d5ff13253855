"""The oracle of day counting: it walks a clock minute by minute, knowing only the documents (I7; domain.md 1.3).

It shares nothing with `monitor.counting` but the profile, the limit and the pauses it is given, and knows no
arithmetic of days: midnights and closing times are noticed when the walk comes past them. All instants must lie on
whole minutes.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from math import ceil
from typing import Literal
from zoneinfo import ZoneInfo

from monitor.counting import Interval
from monitor.rulebook.model import ClockProfile, Limit, Season

MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
Convention = Literal["working_days", "calendar_days", "same_time", "sessions"]


def convention(profile: ClockProfile, limit: Limit) -> Convention:
    """Say how a limit is counted: domain.md 1.3, and for fractions and 0 what is said below its table."""
    whole = limit.days % 1 == 0
    if limit.unit == "cd" or (profile.kind == "calendar_day" and whole):
        return "calendar_days"
    if limit.days == 0 or (profile.kind == "next_day" and whole):
        return "working_days"
    return "same_time" if profile.kind == "same_time" and whole else "sessions"


@dataclass(frozen=True)
class Walk:
    """Every minute of a clock from its start for `length` minutes, under one profile, in one place."""

    profile: ClockProfile
    limit: Limit
    works: Callable[[date], bool]
    zone: ZoneInfo
    start: datetime
    pauses: Sequence[Interval] = ()
    length: int = 21 * 24 * 60
    _opened: dict[date, bytearray] = field(default_factory=dict, repr=False)
    _seasons: dict[date, list[tuple[int, int]]] = field(default_factory=dict, repr=False)

    @property
    def end(self) -> datetime:
        """The instant the walk ends at."""
        return self.start + self.length * MINUTE

    @property
    def is_held_at_the_end(self) -> bool:
        """Tell whether the walk ends inside a pause."""
        return bool(self._held[-1])

    def used(self, until: datetime) -> int:
        """Give the units used at an instant: days, or microseconds where time is counted."""
        passed = (until - self.start) // MINUTE
        return self._used[passed] if passed >= 0 else 0

    @cached_property
    def units(self) -> Counter[date]:
        """Give the units each day of the walk contributes: a day in its first minute, time after each minute."""
        counted: Counter[date] = Counter()
        for (day, _), (before, after) in zip(self._minutes[self._by_day :], pairwise(self._used), strict=False):
            counted[day] += after - before
        return counted

    @cached_property
    def budget(self) -> int:
        """Turn the limit into units. `same_time`: of a first closed day only the part before the time of day."""
        if self._by_day:
            return ceil(self.limit.days)
        if self._convention == "sessions":
            return int(self.limit.days * 60_000_000 * sum(b - a for a, b in _in_minutes(self.profile.seasons[0])))
        day, minute = self._minutes[self._begin]
        rest = 0 if self.works(day) else 1440 - minute
        return (int(self.limit.days) * 1440 - rest) * 60_000_000

    @cached_property
    def due(self) -> datetime | None:
        """Find the last instant that is not late; None where the walk does not reach it."""
        return self._day_due() if self._by_day else self._time_due()

    def days_until(self, until: datetime) -> list[date]:
        """List the days the walk has entered by an instant, the first one included."""
        return sorted({day for day, _ in self._minutes[: (until - self.start) // MINUTE + 1]})

    @property
    def changes(self) -> list[datetime]:
        """List the instants at which the count starts or stops to grow, or steps."""
        grown = [after - before for before, after in pairwise(self._used)]
        return [self.start + i * MINUTE for i in range(1, len(grown)) if grown[i] != grown[i - 1]]

    # -- the minutes -------------------------------------------------------------------------------------------

    @cached_property
    def _convention(self) -> Convention:
        return convention(self.profile, self.limit)

    @property
    def _by_day(self) -> bool:
        return self._convention in ("working_days", "calendar_days")

    @cached_property
    def _minutes(self) -> list[tuple[date, int]]:
        """For every minute its day and its minute of the day, by the wall clock; zones change on quarters of hours."""
        early = self.start.minute % 15
        walked: list[tuple[date, int]] = []
        for quarter in range(0, self.length + 15, 15):
            local = (self.start + (quarter - early) * MINUTE).astimezone(self.zone)
            day, minute = local.date(), _minute(local.time())
            walked += [(day, minute + i) for i in range(15)]
        return walked[early : early + self.length]

    @cached_property
    def _held(self) -> bytearray:
        """For every minute, whether a pause covers it."""
        held = bytearray(self.length)
        for pause in self.pauses:
            since = max(0, (pause.since - self.start) // MINUTE)
            until = self.length if pause.until is None else (pause.until - self.start) // MINUTE
            for i in range(since, min(until, self.length)):
                held[i] = 1
        return held

    @cached_property
    def _begin(self) -> int:
        """Walk to the minute the clock begins at: the start, or the next working day's opening."""
        first, minute = self._minutes[0]
        too_late = self.profile.intake_cutoff is not None and minute > _minute(self.profile.intake_cutoff)
        if not too_late and not (self.profile.roll_start and not self.works(first)):
            return 0
        for i, (day, minute) in enumerate(self._minutes):
            if day > first and minute == self._hours(day)[0][0] and self.works(day):
                return i
        raise ValueError(f"no working day within {self.length} minutes of {self.start}")

    @cached_property
    def _used(self) -> list[int]:
        return self._days_used() if self._by_day else self._time_used()

    def _days_used(self) -> list[int]:
        """Add a day as it begins, unless the minute before it was paused: the first day is not counted."""
        used, (first, _) = [0], self._minutes[self._begin]
        for i, ((yesterday, _), (today, _)) in enumerate(pairwise(self._minutes)):
            counts = today > yesterday and today > first and not self._held[i]
            counts = counts and (self._convention == "calendar_days" or self.works(today))
            used.append(used[-1] + counts)
        return used

    def _time_used(self) -> list[int]:
        """Add every minute that is open and not paused, from where the clock begins."""
        used = [0]
        for i, (day, minute) in enumerate(self._minutes):
            counts = i >= self._begin and not self._held[i] and self._open(day)[minute]
            used.append(used[-1] + 60_000_000 * counts)
        return used

    def _open(self, day: date) -> bytearray:
        """Tell for every minute of a day whether time counts in it."""
        if day not in self._opened:
            opened = bytearray(1440)
            if self.works(day):
                for opening, closing in [(0, 1440)] if self._convention == "same_time" else self._hours(day):
                    opened[opening:closing] = b"\1" * (closing - opening)
            self._opened[day] = opened
        return self._opened[day]

    def _hours(self, day: date) -> list[tuple[int, int]]:
        """Give a day's sessions in minutes of the day: the season begun last, the year being a circle."""
        if day not in self._seasons:
            seasons = sorted(self.profile.seasons, key=lambda season: season.from_day)
            begun = bisect_right([season.from_day for season in seasons], f"{day:%m-%d}")
            self._seasons[day] = _in_minutes(seasons[begun - 1])
        return self._seasons[day]

    # -- when it is due ----------------------------------------------------------------------------------------

    def _day_due(self) -> datetime | None:
        """Find the first end of a day at which all days are counted, nobody is paused, and which may be a last day.

        A last working day is a working day; a last calendar day is one where the profile says so (Civil Code 203).
        """
        first, _ = self._minutes[self._begin]
        may_be_closed = self._convention == "calendar_days" and not self.profile.roll_end
        for i, (day, minute) in enumerate(self._minutes):
            if self._used[i] < self.budget or self._held[i] or day < first:
                continue
            end = self._end_of_day(i, day, minute)
            if end is not None and (may_be_closed or self.works(day)):
                return end
        return None

    def _end_of_day(self, i: int, day: date, minute: int) -> datetime | None:
        """Give the instant the day ends at if this is the minute: closing time, or the last one before midnight."""
        if self.profile.day_end == "closing":
            return self.start + i * MINUTE if minute == self._hours(day)[-1][1] else None
        return self.start + (i + 1) * MINUTE - MICROSECOND if minute == 1439 else None

    def _time_due(self) -> datetime | None:
        """Find the instant after which the next counted moment overdraws the budget."""
        for i, (before, after) in enumerate(pairwise(self._used)):
            if after > self.budget:
                return self.start + i * MINUTE + (self.budget - before) * MICROSECOND
        return None


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def _in_minutes(season: Season) -> list[tuple[int, int]]:
    return [(_minute(opening), _minute(closing)) for opening, closing in season.sessions]
