"""The calendar: which days are working days, and working-day arithmetic in constant time.

Monday to Friday, less the closed days, plus the opened ones (调休). A year nobody has announced follows the week
alone and is *provisional*. A day is a day of the calendar's zone. Administrative Licensing Law art. 82.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo

FIRST: Final = date(1989, 1, 1)
LAST: Final = date(2120, 12, 31)
"""A margin beyond the times an event may carry, so that every limit of an admissible event can be counted."""

_BASE: Final = FIRST.toordinal()
_SIZE: Final = LAST.toordinal() - _BASE + 1
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class CalendarError(ValueError):
    """A day beyond the calendar: the clock that needs it cannot be armed."""


class Calendar:
    """Working days of one place. `closed` maps days off to their name, `opened` are weekend days worked.

    `announced` holds the first and last year whose holidays are known; None: a plain week, never provisional.
    """

    def __init__(
        self,
        zone: str,
        closed: Mapping[date, str],
        opened: Iterable[date],
        announced: tuple[int, int] | None,
        version: str = "",
    ) -> None:
        self.zone: Final = ZoneInfo(zone)
        self.version: Final = version
        self._closed, self._opened, self._announced = dict(closed), frozenset(opened), announced
        working = bytearray((_BASE + i - 1) % 7 < 5 for i in range(_SIZE))
        for day in self._closed:
            working[day.toordinal() - _BASE] = False
        for day in self._opened:
            working[day.toordinal() - _BASE] = True
        self._working = working
        self._changes, self._offsets = _changes_of(self.zone)
        self._settled = self._changes[-1]
        self._ends: dict[date, datetime] = {}
        self._count = list(accumulate(working))
        self._nth = [i for i, flag in enumerate(working) if flag]

    def is_working(self, day: date) -> bool:
        """Tell whether a day is a working day. Raises CalendarError beyond the calendar."""
        return bool(self._working[self._index(day)])

    def is_provisional(self, day: date) -> bool:
        """Tell whether the year of a day has not been announced, so that it counts weekends only."""
        return self._announced is not None and not self._announced[0] <= day.year <= self._announced[1]

    def name(self, day: date) -> str:
        """Name the holiday a day belongs to, empty if it is none."""
        return self._closed.get(day, "")

    def is_opened(self, day: date) -> bool:
        """Tell whether a day is a weekend day worked (调休)."""
        return day in self._opened and day.weekday() >= 5

    def count(self, after: date, until: date) -> int:
        """Count the working days later than `after`, up to and including `until`; 0 if there are none."""
        if until <= after:
            return 0
        return self._count[self._index(until)] - self._count[self._index(after)]

    def nth_after(self, day: date, n: int) -> date:
        """Find the n-th working day after a day, n ≥ 1. Raises CalendarError beyond the calendar."""
        position = self._count[self._index(day)] + n - 1
        if position >= len(self._nth):
            raise CalendarError(f"{n} working days after {day} lie beyond the calendar's last day {LAST}")
        return date.fromordinal(self._nth[position] + _BASE)

    def on_or_after(self, day: date) -> date:
        """Find the first working day that is not before a day."""
        return day if self.is_working(day) else self.nth_after(day, 1)

    def local(self, instant: datetime) -> datetime:
        """Give an instant as wall-clock time of the calendar's zone, without zone information."""
        return (instant.astimezone(UTC) + self._offset(instant)).replace(tzinfo=None)

    def day(self, instant: datetime) -> date:
        """Give the day of the calendar's zone an instant falls on."""
        return (instant.astimezone(UTC) + self._offset(instant)).date()

    def end(self, day: date) -> datetime:
        """Give the last instant of a day of the calendar's zone, in UTC."""
        end = self._ends.get(day)
        if end is None:
            end = self.instant(datetime.combine(day + timedelta(days=1), time())) - timedelta(microseconds=1)
            self._ends[day] = end
        return end

    def instant(self, local: datetime) -> datetime:
        """Give wall-clock time of the calendar's zone as an instant in UTC."""
        return local.replace(tzinfo=self.zone).astimezone(UTC)

    def _offset(self, instant: datetime) -> timedelta:
        """Look up the zone's offset: among few changes the last one nearly always holds."""
        if instant >= self._settled:
            return self._offsets[-1]
        return self._offsets[max(0, bisect_right(self._changes, instant) - 1)]

    def _index(self, day: date) -> int:
        index = day.toordinal() - _BASE
        if not 0 <= index < _SIZE:
            raise CalendarError(f"{day} lies beyond the calendar ({FIRST} to {LAST})")
        return index


@cache
def _changes_of(zone: ZoneInfo) -> tuple[list[datetime], list[timedelta]]:
    """List the instants at which a zone changes its offset, to the second, and the offset from each on."""
    day = datetime.combine(FIRST, time(), UTC) - 2 * _DAY
    changes, offsets = [day], [_offset_at(zone, day)]
    while day.date() <= LAST:
        day += _DAY
        offset = _offset_at(zone, day)
        if offset != offsets[-1]:
            before, after = day - _DAY, day
            while after - before > _SECOND:
                middle = before + (after - before) // 2
                before, after = (middle, after) if _offset_at(zone, middle) == offsets[-1] else (before, middle)
            changes.append(after.replace(microsecond=0))
            offsets.append(offset)
    return changes, offsets


def _offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()
