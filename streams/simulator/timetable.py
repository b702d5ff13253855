"""Office time: the working days one after the other, each with its sessions end to end.

A moment of the simulated centre is a working day (its index) and a number of office days since that day's opening:
1.5 is noon of office time on the next working day. What is told in office time falls into office hours by itself.
"""

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta
from math import floor, inf
from typing import Final, Literal

from monitor.rulebook.model import Limit, Rulebook, Season

_CLOSING: Final = 1e-4
"""How far before closing the last act of a day may be (some seconds), in office days."""
_LIVE_DAY: Final = 0.1
"""How much office time an act of the same day may take once the doors no longer close."""

_UNSTATED: Final = (Season(sessions=((time(8), time(12)), (time(15), time(18)))),)
"""Guangxi's usual office hours, for a rulebook whose profile states none."""


class Timetable:
    """Working days between two dates and the instants of their office time.

    With `open_from` the doors never close again from that instant on: office time then passes as fast as wall time,
    day and night, so that what stays within so many office days also stays within so many working days.
    """

    def __init__(self, rulebook: Rulebook, first: date, last: date, open_from: datetime | None = None) -> None:
        calendar = rulebook.days
        self.zone = calendar.zone
        span = (first + timedelta(days=n) for n in range((last - first).days + 1))
        self.days = [day for day in span if calendar.is_working(day)]
        if not self.days:
            raise ValueError(f"no working day between {first} and {last}: choose a longer period")
        profile = rulebook.profile.get(rulebook.limits.profile)
        seasons = (profile.seasons if profile is not None else ()) or _UNSTATED
        self._sessions = [self._lay_out(day, _season(seasons, day)) for day in self.days]
        self._live: tuple[float, datetime, float] | None = None
        if open_from is not None:
            day, at = self.position(open_from)
            self._live = (day + at, open_from.astimezone(UTC), self.seconds(day))

    def _lay_out(self, day: date, season: Season) -> list[tuple[float, int]]:
        """Give for each session the office second it ends with, and the instant of its office second zero."""
        laid: list[tuple[float, int]] = []
        passed = 0.0
        for opening, closing in season.sessions:
            opens, closes = (datetime.combine(day, clock, self.zone).timestamp() for clock in (opening, closing))
            laid.append((passed + closes - opens, int(opens - passed)))
            passed += closes - opens
        return laid

    def seconds(self, day: int) -> float:
        """Tell how many office seconds a working day has."""
        return self._sessions[day][-1][0]

    def index(self, day: date) -> int:
        """Find the first working day that is not before a date."""
        return bisect_left(self.days, day)

    def instant(self, day: int, at: float) -> datetime:
        """Turn office time into an instant of UTC, to the second."""
        live = self._live
        if live is not None and day + at >= live[0]:
            return (live[1] + timedelta(seconds=(day + at - live[0]) * live[2])).replace(microsecond=0)
        whole = floor(at)
        sessions = self._sessions[day + whole]
        second = (at - whole) * sessions[-1][0]
        for end, origin in sessions:
            if second < end:
                return datetime.fromtimestamp(origin + int(second), UTC)
        return datetime.fromtimestamp(origin + int(second) - 1, UTC)

    def day_of(self, day: int, at: float) -> date:
        """Tell on which day an office time falls."""
        if self._live is None or day + at < self._live[0]:
            return self.days[day + floor(at)]
        return self.instant(day, at).astimezone(self.zone).date()

    def blurred(self, moment: datetime, precision: Literal["minute", "day"]) -> datetime:
        """Give a moment as a source knows it that writes down minutes or days only."""
        if precision == "minute":
            return moment.replace(second=0)
        local = moment.astimezone(self.zone)
        return datetime.combine(local.date(), time(), self.zone).astimezone(UTC)

    def position(self, instant: datetime) -> tuple[int, float]:
        """Turn an instant into office time; a moment when the doors are closed becomes the next opening."""
        if self._live is not None and instant > self._live[1]:
            start, since, seconds = self._live
            return int(start), start % 1 + (instant - since).total_seconds() / seconds
        day = self.index(instant.astimezone(self.zone).date())
        if day == len(self.days):
            raise ValueError(f"{instant.isoformat()}: after the last working day of the timetable")
        stamp, passed = instant.timestamp(), 0.0
        for end, origin in self._sessions[day]:
            if stamp < origin + end:
                return day, max(stamp - origin, passed) / self.seconds(day)
            passed = end
        return day + 1, 0.0

    def closing(self, day: int, at: float) -> float:
        """Tell until when an act counts as done on the same day, in office days since the opening of `day`."""
        if self._live is None or day + at < self._live[0]:
            return floor(at) + 1 - _CLOSING
        start, since, seconds = self._live
        now = self.instant(day, at).astimezone(self.zone)
        midnight = datetime.combine(now.date() + timedelta(days=1), time(), self.zone)
        until_midnight = start + ((midnight - since).total_seconds() - 1) / seconds - day
        return max(at, min(at + _LIVE_DAY, until_midnight))

    def latest(self, day: int, at: float, limit: Limit) -> float:
        """Tell until when an act is in time by every counting convention, as `closing` does.

        Below a whole day that is the same day; above, as many whole office days, which neither dates nor hours exceed.
        """
        if limit.unit == "wd":
            whole = int(limit.days)
        else:
            start = self.days[day + floor(at)]
            whole = bisect_right(self.days, start + timedelta(days=int(limit.days))) - 1 - day - floor(at)
        if whole >= 1:
            return at + whole - _CLOSING
        closing = self.closing(day, at)
        return min(closing, at + float(limit.days)) if limit.unit == "wd" and limit.days else closing


def overdue(latest: float) -> float:
    """Give the opening of the first office day after a limit: late by every counting convention."""
    return latest if latest == inf else float(floor(latest + 0.001) + 1)


def _season(seasons: tuple[Season, ...], day: date) -> Season:
    """Find the season of a day; before the year's first change the last one still holds."""
    ordered = sorted(seasons, key=lambda season: season.from_day)
    begun = [season for season in ordered if season.from_day <= f"{day:%m-%d}"]
    return begun[-1] if begun else ordered[-1]
