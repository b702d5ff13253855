"""Periods: a day, month, quarter or year, or from one day to another, of the calendar's zone."""

import re
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

_DAY: Final = timedelta(days=1)
_FORMS: Final = re.compile(r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d))?|-Q(?P<quarter>[1-4]))?")


class Period(msgspec.Struct, frozen=True):
    """The days from first to last, both included."""

    first: date
    last: date

    def begins(self, zone: ZoneInfo) -> datetime:
        """Give the first instant."""
        return _midnight(self.first, zone)

    def ends(self, zone: ZoneInfo) -> datetime:
        """Give the first instant behind it."""
        return _midnight(self.last + _DAY, zone)

    def __str__(self) -> str:
        """Write the shortest form that `parse_period` reads back."""
        if self == EVER:
            return "ever"
        for written in (f"{self.first.year:04}", f"{self.first.year:04}-Q{(self.first.month + 2) // 3}"):
            if _parse(written) == self:
                return written
        if _parse(f"{self.first:%Y-%m}") == self:
            return f"{self.first:%Y-%m}"
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"


EVER: Final = Period(date(1990, 1, 1), date(2099, 12, 31))
"""Every day an event may be of."""


class Day(NamedTuple):
    """A day of the calendar's zone as the instants between which it lies."""

    date: date
    begins: datetime
    ends: datetime


def day_of(instant: datetime, zone: ZoneInfo) -> Day:
    """Give the day an instant falls on."""
    local = instant.astimezone(zone).date()
    return Day(local, _midnight(local, zone), _midnight(local + _DAY, zone))


def month_of(day: date) -> Period:
    """Give the month a day is in."""
    return _month(day.year, day.month, 1)


def year_of(day: date) -> Period:
    """Give the year a day is in."""
    return _month(day.year, 1, 12)


def parse_period(written: str) -> Period:
    """Read `2009-03-02`, `2009-03`, `2009-Q1`, `2009`, `2009-01-01..2009-10-31` or `ever`. Raises ValueError."""
    if written == "ever":
        return EVER
    first, dots, last = written.partition("..")
    if not dots:
        return _parse(first)
    period = Period(_parse(first).first, _parse(last).last)
    if period.last < period.first:
        raise ValueError(written)
    return period


def _parse(written: str) -> Period:
    found = _FORMS.fullmatch(written)
    if found is None:
        raise ValueError(written)
    year = int(found["year"])
    if found["day"]:
        day = date(year, int(found["month"]), int(found["day"]))
        return Period(day, day)
    if found["month"]:
        return _month(year, int(found["month"]), 1)
    if found["quarter"]:
        return _month(year, 3 * int(found["quarter"]) - 2, 3)
    return _month(year, 1, 12)


def _month(year: int, month: int, months: int) -> Period:
    first = date(year, month, 1)
    years, following = divmod(month - 1 + months, 12)
    return Period(first, date(year + years, following + 1, 1) - _DAY)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
