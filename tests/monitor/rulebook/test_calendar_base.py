"""The calendar a rulebook carries: the national base, the overlays, the days of the file itself."""

from datetime import date, timedelta
from importlib.metadata import version

import holidays
import pytest

from monitor.rulebook.base_calendar import ANNOUNCED, CalendarFile, expand
from monitor.rulebook.model import CalendarRules, ClosedDay


def works(rules: CalendarRules, day: date) -> bool:
    """Read the lists as written: closed days off, opened days worked, else the week decides."""
    if day in {closed.day for closed in rules.closed}:
        return False
    return day in rules.open or day.weekday() < 5


def days_of(first: int, last: int) -> list[date]:
    """List every day from the first year to the last."""
    start = date(first, 1, 1)
    return [start + timedelta(days=n) for n in range((date(last + 1, 1, 1) - start).days)]


def test_base_agrees_with_an_independent_calendar_day_by_day() -> None:
    """Over 2004 to 2026 the national base and the package `holidays` part on 2005-12-31 alone."""
    china = expand(CalendarFile(base="china"))
    closed, opened = {day.day for day in china.closed}, set(china.open)
    independent = holidays.country_holidays("CN", years=range(ANNOUNCED[0] - 1, ANNOUNCED[1] + 2))
    differ = [
        day
        for day in days_of(*ANNOUNCED)
        if (day in opened or (day.weekday() < 5 and day not in closed)) != independent.is_working_day(day)
    ]
    assert differ == [date(2005, 12, 31)]


def test_year_of_the_reference_deployment_has_its_working_days() -> None:
    """January to October 2009 has 206 working days, and the six make-up days of that year are worked."""
    china = expand(CalendarFile(base="china"))
    assert sum(works(china, day) for day in days_of(2009, 2009) if day.month <= 10) == 206
    made_up = ["2009-01-04", "2009-01-24", "2009-02-01", "2009-05-31", "2009-09-27", "2009-10-10"]
    assert [str(day) for day in china.open if day.year == 2009] == made_up


def test_closed_days_are_named_in_both_languages() -> None:
    """A day off says which holiday it belongs to, in Chinese and English."""
    china = expand(CalendarFile(base="china"))
    named = {day.day: (day.name, day.name_en) for day in china.closed}
    assert named[date(2009, 10, 1)] == ("国庆节", "National Day")
    assert all(name and name_en for name, name_en in named.values())


@pytest.mark.parametrize(
    ("year", "closed", "opened"),
    [
        (2014, ["04-02", "04-03"], []),
        (2015, ["04-20", "04-21"], []),
        (2016, ["04-08", "04-11"], []),
        (2017, ["03-30", "03-31"], ["04-08"]),
        (2018, ["04-18", "04-19", "04-20"], ["04-15"]),
        (2019, ["04-04", "04-08"], []),
        (2020, [], []),
        (2021, ["04-14", "04-15", "04-16"], ["04-18"]),
        (2022, ["04-06"], []),
        (2023, ["04-21"], []),
        (2024, ["04-11", "04-12"], []),
        (2025, ["03-31", "04-01"], []),
        (2026, ["04-20", "04-21"], []),
    ],
)
def test_guangxi_closes_and_opens_its_own_days(year: int, closed: list[str], opened: list[str]) -> None:
    """With the overlay, 三月三 is closed and its make-up days are worked, and no other weekday of the year changes."""
    china, guangxi = expand(CalendarFile(base="china")), expand(CalendarFile(base="china", regional=("guangxi",)))
    before = {day.day for day in china.closed if day.day.year == year}
    after = {day.day for day in guangxi.closed if day.day.year == year}
    assert before <= after
    assert sorted(day.strftime("%m-%d") for day in after - before) == closed
    more = {day for day in guangxi.open if day.year == year} - set(china.open)
    assert sorted(day.strftime("%m-%d") for day in more) == opened


@pytest.mark.parametrize("day", [date(2017, 4, 1), date(2022, 4, 2), date(2023, 4, 23)])
def test_guangxi_rests_on_a_day_the_country_makes_up(day: date) -> None:
    """A national make-up weekend that the region gives back is closed there."""
    assert works(expand(CalendarFile(base="china")), day)
    assert not works(expand(CalendarFile(base="china", regional=("guangxi",))), day)


def test_days_of_the_file_win_over_base_and_overlay() -> None:
    """What the rulebook itself lists closed or open holds, whatever base and overlay say."""
    own = CalendarFile(
        base="china",
        regional=("guangxi",),
        closed=(ClosedDay(day=date(2018, 4, 15), name="停电"), ClosedDay(day=date(2009, 3, 2), name="停电")),
        open=(date(2024, 4, 11), date(2009, 3, 7)),
    )
    rules = expand(own)
    assert not works(rules, date(2018, 4, 15))
    assert not works(rules, date(2009, 3, 2))
    assert works(rules, date(2024, 4, 11))
    assert works(rules, date(2009, 3, 7))


def test_plain_week_is_never_provisional() -> None:
    """The calendar `weekdays` has no exceptions and no years of announcement."""
    assert expand(CalendarFile()) == CalendarRules(version="weekdays")


def test_version_names_what_the_calendar_was_made_of() -> None:
    """A verdict can name its calendar: package with version, overlays with theirs, days of the file."""
    own = CalendarFile(base="china", regional=("guangxi",), open=(date(2009, 3, 7),))
    assert expand(own).version == f"chinesecalendar {version('chinesecalendar')} + guangxi 2026.1 + local days"
    assert expand(own).announced == (2004, 2026)
