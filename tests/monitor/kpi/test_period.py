"""Periods: read as written, written as read, in days of the calendar's zone."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.kpi.period import EVER, Period, day_of, month_of, parse_period, year_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2009-03-02", date(2009, 3, 2), date(2009, 3, 2)),
        ("2009-02", date(2009, 2, 1), date(2009, 2, 28)),
        ("2008-12", date(2008, 12, 1), date(2008, 12, 31)),
        ("2009-Q1", date(2009, 1, 1), date(2009, 3, 31)),
        ("2009-Q4", date(2009, 10, 1), date(2009, 12, 31)),
        ("2009", date(2009, 1, 1), date(2009, 12, 31)),
        ("2009-01-01..2009-10-31", date(2009, 1, 1), date(2009, 10, 31)),
        ("2009-01..2009-10", date(2009, 1, 1), date(2009, 10, 31)),
        ("ever", EVER.first, EVER.last),
    ],
)
def test_periods_are_read_as_people_write_them(written: str, first: date, last: date) -> None:
    """A day, month, quarter or year, or from one to another, both included."""
    assert parse_period(written) == Period(first, last)


@pytest.mark.parametrize(
    "written",
    ["", "2009-13", "2009-3", "2009-Q5", "2009-02-30", "march", "2009-10..2009-01", "..", "2009..", "20090302"],
)
def test_what_is_no_period_is_refused(written: str) -> None:
    """Nothing is guessed, and nothing runs backwards."""
    with pytest.raises(ValueError, match=r".*"):
        parse_period(written)


@given(st.dates(date(1990, 1, 1), date(2099, 12, 31)), st.dates(date(1990, 1, 1), date(2099, 12, 31)))
def test_what_is_written_is_read_back(one: date, other: date) -> None:
    """A period's shortest form means the same period."""
    for period in (Period(min(one, other), max(one, other)), month_of(one), year_of(one), Period(one, one)):
        assert parse_period(str(period)) == period


def test_a_day_is_a_day_of_the_calendars_zone() -> None:
    """Nine in the evening in London is already tomorrow in Yulin."""
    evening = datetime(2026, 3, 2, 21, tzinfo=ZoneInfo("Europe/London"))
    day = day_of(evening, SHANGHAI)
    assert day.date == date(2026, 3, 3)
    assert day.begins <= evening < day.ends
    period = Period(day.date, day.date)
    assert (period.begins(SHANGHAI), period.ends(SHANGHAI)) == (day.begins, day.ends)
