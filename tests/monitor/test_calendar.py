"""Working days: the documented numbers, and arithmetic against counting one by one."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.calendar import FIRST, LAST, Calendar, CalendarError
from tests.monitor.brute_force import MINUTE
from tests.monitor.offices import AMSTERDAM, CHINA, DUTCH

DAY = timedelta(days=1)
DAYS = st.dates(date(2003, 6, 1), date(2028, 6, 1))


def works(day: date) -> bool:
    """What chinesecalendar says of a day, and the week alone outside its years."""
    return chinese_calendar.is_workday(day) if 2004 <= day.year <= 2026 else day.weekday() < 5


def days(first: date, last: date) -> list[date]:
    """Every day from the first to the last, both included."""
    return [first + i * DAY for i in range((last - first).days + 1)]


def test_2009_has_the_working_days_of_the_documents() -> None:
    """From January to October 2009 there are 206 working days, six of them weekend days worked (domain.md 1.3)."""
    assert CHINA.count(date(2008, 12, 31), date(2009, 10, 31)) == 206
    opened = [day for day in days(date(2009, 1, 1), date(2009, 12, 31)) if CHINA.is_opened(day)]
    assert [f"{day:%m-%d}" for day in opened] == ["01-04", "01-24", "02-01", "05-31", "09-27", "10-10"]
    assert all(CHINA.is_working(day) for day in opened)


def test_china_works_as_announced() -> None:
    """On every day of the announced years the calendar agrees with the package it comes from."""
    announced = days(date(2004, 1, 1), date(2026, 12, 31))
    assert [day for day in announced if CHINA.is_working(day) != works(day)] == []


def test_holidays_have_names_and_weekends_none() -> None:
    """A weekday off bears the name of its holiday; a weekend and a working day bear none."""
    assert CHINA.name(date(2009, 1, 26)) == "春节"
    assert CHINA.name(date(2009, 3, 7)) == ""
    assert CHINA.name(date(2009, 3, 9)) == ""


@given(DAYS, st.integers(-400, 400))
def test_count_is_counting_one_by_one(after: date, length: int) -> None:
    """Working days later than one day up to another are as many as one counts, none if the other is not later."""
    until = after + length * DAY
    assert CHINA.count(after, until) == sum(works(day) for day in days(after + DAY, until))


@given(DAYS, st.integers(1, 90))
def test_nth_after_is_found_by_walking(day: date, n: int) -> None:
    """The n-th working day after a day is the one a walk from day to day comes to, and counting back gives n."""
    found = CHINA.nth_after(day, n)
    walked = [later for later in days(day + DAY, found) if works(later)]
    assert len(walked) == n
    assert walked[-1] == found
    assert CHINA.count(day, found) == n


@given(DAYS)
def test_on_or_after_stays_on_a_working_day(day: date) -> None:
    """The first working day not before a day is that day itself if it is one."""
    expected = day
    while not works(expected):
        expected += DAY
    assert CHINA.on_or_after(day) == expected


@given(
    st.sets(st.dates(date(2009, 1, 1), date(2009, 2, 28)), max_size=20),
    st.sets(st.dates(date(2009, 1, 1), date(2009, 2, 28)), max_size=20),
)
def test_closed_and_opened_days_are_exceptions_to_the_week(closed: set[date], opened: set[date]) -> None:
    """A day works if it is opened, or neither closed nor a weekend."""
    calendar = Calendar("Asia/Shanghai", dict.fromkeys(closed, "holiday"), opened, None)
    for day in days(date(2009, 1, 1), date(2009, 2, 28)):
        assert calendar.is_working(day) == (day in opened or (day.weekday() < 5 and day not in closed))
        assert calendar.is_opened(day) == (day in opened and day.weekday() >= 5)


def test_years_not_announced_are_provisional() -> None:
    """China's calendar is announced for 2004 to 2026; other years follow the week and say so."""
    assert [CHINA.is_provisional(date(year, 5, 1)) for year in (2003, 2004, 2026, 2027)] == [True, False, False, True]
    assert CHINA.is_working(date(2027, 10, 1))
    assert not CHINA.is_working(date(2027, 10, 2))


def test_a_plain_week_is_never_provisional() -> None:
    """Where no holidays are to be announced, no year waits for them."""
    assert not DUTCH.is_provisional(date(2050, 1, 1))


@pytest.mark.parametrize("day", [FIRST - DAY, LAST + DAY, date.min, date.max])
def test_days_beyond_the_calendar_are_errors(day: date) -> None:
    """A day the calendar does not hold is an error that names the day and the calendar's years."""
    for ask in (CHINA.is_working, CHINA.on_or_after, lambda day: CHINA.nth_after(day, 1)):
        with pytest.raises(CalendarError, match=rf"{day} lies beyond the calendar \(1989-01-01 to 2120-12-31\)"):
            ask(day)
    with pytest.raises(CalendarError, match="beyond the calendar"):
        CHINA.count(min(day, FIRST), max(day, LAST))


def test_working_days_end_with_the_calendar() -> None:
    """The last working day can still be found, the one after it cannot."""
    assert CHINA.nth_after(date(2120, 12, 30), 1) == LAST
    with pytest.raises(CalendarError, match="2 working days after 2120-12-30 lie beyond"):
        CHINA.nth_after(date(2120, 12, 30), 2)


@given(st.integers(0, 100 * 365 * 24 * 60).map(lambda minutes: datetime(1990, 1, 1, tzinfo=UTC) + minutes * MINUTE))
def test_local_time_and_instant_are_each_others_reverse(instant: datetime) -> None:
    """An instant shown as wall-clock time and read back is the same, but for the hour the clocks run through twice."""
    for calendar, zone in ((CHINA, ZoneInfo("Asia/Shanghai")), (DUTCH, AMSTERDAM)):
        local = calendar.local(instant)
        assert local.tzinfo is None
        assert calendar.day(instant) == local.date()
        if instant.astimezone(zone).fold == 0:
            assert calendar.instant(local) == instant


@pytest.mark.parametrize(
    ("day", "offset_hours"),
    [("2009-03-28", 1), ("2009-03-29", 1), ("2009-03-30", 2), ("2009-10-25", 2), ("2009-10-26", 1)],
)
def test_midnight_follows_summer_time(day: str, offset_hours: int) -> None:
    """A day in Amsterdam begins at its own midnight, an hour earlier in UTC while summer time lasts."""
    midnight = datetime.combine(date.fromisoformat(day), time())
    assert DUTCH.instant(midnight) == (midnight - timedelta(hours=offset_hours)).replace(tzinfo=UTC)
