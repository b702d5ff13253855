"""The calendars, office hours and instants the tests of counting speak of."""

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from monitor.calendar import Calendar
from monitor.rulebook.base_calendar import CalendarFile, expand
from monitor.rulebook.model import ClockProfile, ProfileKind, Season

SHANGHAI, AMSTERDAM = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Amsterdam")

SUMMER = Season(from_day="03-01", sessions=((time(8, 30), time(12)), (time(13), time(17))))
WINTER = Season(from_day="10-08", sessions=((time(9), time(12)), (time(13), time(16, 30))))
"""As in Penglai, winter hours begin on 8 October; January is still last year's winter."""
KINDS: tuple[ProfileKind, ...] = ("next_day", "same_time", "work_time", "calendar_day")


def china() -> Calendar:
    """The working days of China, as a rulebook with that base has them."""
    rules = expand(CalendarFile(base="china"))
    closed = {day.day: day.name for day in rules.closed}
    return Calendar(rules.zone, closed, rules.open, rules.announced, rules.version)


CHINA = china()
DUTCH = Calendar("Europe/Amsterdam", {}, (), None)


def profile(kind: ProfileKind, **settings: Any) -> ClockProfile:
    """A profile with summer and winter hours."""
    return ClockProfile(code=kind, kind=kind, seasons=(SUMMER, WINTER), **settings)


def at(written: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """An instant written as wall-clock time of a zone."""
    return datetime.fromisoformat(written).replace(tzinfo=zone).astimezone(UTC)


def last_of(day: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """The last instant of a day."""
    return at(f"{day} 23:59:59.999999", zone)
