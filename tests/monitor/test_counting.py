"""Counting limits: the documented examples of every convention (domain.md 1.3)."""

from datetime import datetime, time
from decimal import Decimal

import pytest

from monitor.calendar import CalendarError
from monitor.counting import Interval, counting_for
from monitor.rulebook.model import ClockProfile, ProfileKind, Season, parse_limit
from tests.monitor.offices import AMSTERDAM, CHINA, DUTCH, KINDS, at, last_of, profile

HUNAN = ClockProfile(
    code="hunan", kind="work_time", seasons=(Season(sessions=((time(8), time(12)), (time(14), time(18)))),)
)


def due(rules: ClockProfile, limit: str, start: str, *pauses: tuple[str, str | None]) -> datetime | None:
    """When a limit is due in China, for a start and pauses written as wall-clock time."""
    counting, begin = counting_for(rules, CHINA, parse_limit(limit)), at(start)
    held = [Interval(at(since), until and at(until)) for since, until in pauses]  # type: ignore[arg-type]
    return counting.due(begin, counting.budget(parse_limit(limit).days, begin), held)


# -- the documented examples -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "days", "last_day"),
    [
        ("2009-01-23", 5, "2009-02-04"),
        ("2009-09-25", 5, "2009-10-09"),
        ("2009-09-25", 20, "2009-10-29"),
        ("2009-09-30", 1, "2009-10-09"),
        ("2009-05-27", 3, "2009-06-02"),
        ("2009-03-02", 14, "2009-03-20"),
        ("2009-03-02", 20, "2009-03-30"),
    ],
)
@pytest.mark.parametrize("time_of_day", ["00:00", "09:30", "23:59"])
def test_next_day_follows_the_table(accepted: str, days: int, last_day: str, time_of_day: str) -> None:
    """CN_DATE_NEXTDAY: due is the N-th working day after acceptance, whatever the time of day of acceptance."""
    start = f"{accepted} {time_of_day}"
    assert due(profile("next_day"), f"{days} wd", start) == last_of(last_day)
    closing = due(profile("next_day", day_end="closing"), f"{days} wd", start)
    assert closing == at(f"{last_day} {'16:30' if not '03-01' <= last_day[5:] < '10-08' else '17:00'}")


def hunan_used(finish: str, *pauses: Interval) -> Decimal:
    """Standard days used from the acceptance of Hunan's note up to a finish."""
    counting = counting_for(HUNAN, CHINA, parse_limit("7 wd"))
    return Decimal(counting.used(at("2018-10-15 10:00:00"), at(finish), pauses)) / counting.per_day


@pytest.mark.parametrize(
    ("finish", "shifted", "verdict"),
    [
        ("2018-10-19 10:00:00", "2018-10-24 10:00:00", "none"),
        ("2018-10-19 10:00:01", "2018-10-24 10:00:01", "warning"),
        ("2018-10-24 10:00:00", "2018-10-29 10:00:00", "warning"),
        ("2018-10-24 10:00:01", "2018-10-29 10:00:01", "promised_breach"),
        ("2018-10-29 10:00:00", "2018-11-01 10:00:00", "promised_breach"),
        ("2018-10-29 10:00:01", "2018-11-01 10:00:01", "statutory_breach"),
    ],
)
def test_work_time_follows_hunans_note(finish: str, shifted: str, verdict: str) -> None:
    """HUNAN_WORKTIME: promised 7, statutory 10, warned from ceil(used) − promised ≥ −2; 3 special days shift all."""
    accepted = at("2018-10-15 10:00:00")
    counting = counting_for(HUNAN, CHINA, parse_limit("7 wd"))
    since = at("2018-10-17 15:00:00")
    special = Interval(since, counting.planned_until(since, 3))
    assert special.until == at("2018-10-22 15:00:00")
    for instant, pauses in ((at(finish), ()), (at(shifted), (special,))):
        limits = [
            counting.due(accepted, counting.budget(Decimal(days), accepted), pauses) for days in (4, 7, 10)
        ]  # ceil(used) ≥ 5 is used > 4
        passed = sum(instant > limit for limit in limits if limit is not None)
        assert ["none", "warning", "promised_breach", "statutory_breach"][passed] == verdict


def test_special_time_is_capped_at_the_days_applied_for() -> None:
    """HUNAN_WORKTIME: a special procedure of 3 days planned stops the clock 3 days, however long it lasts."""
    counting = counting_for(HUNAN, CHINA, parse_limit("7 wd"))
    planned = counting.planned_until(at("2018-10-17 15:00:00"), 3)
    assert hunan_used("2018-10-29 10:00:00", Interval(at("2018-10-17 15:00:00"), planned)) == 7


@pytest.mark.parametrize(
    ("start", "full_days"),
    [
        ("2018-10-15 07:00:00", 1),
        ("2018-10-15 18:30:00", 0),
        ("2018-10-13 10:00:00", 1),
        ("2018-10-15 13:00:00", "0.5"),
    ],
)
def test_work_time_counts_office_hours_only(start: str, full_days: str | int) -> None:
    """HUNAN_WORKTIME: before opening the whole day is left, after closing none of it, at noon half."""
    counting = counting_for(HUNAN, CHINA, parse_limit("7 wd"))
    assert counting.used(at(start), at("2018-10-16 00:00:00"), ()) == Decimal(full_days) * counting.per_day


@pytest.mark.parametrize(
    ("accepted", "days", "expected"),
    [
        ("2009-09-25 10:20:30", 5, "2009-10-09 10:20:30"),  # 09-27 is worked, eight days of holidays
        ("2009-09-30 16:00:00", 1, "2009-10-09 16:00:00"),
        ("2009-03-02 00:00:00", 14, "2009-03-20 00:00:00"),
        ("2009-03-02 23:59:59", 20, "2009-03-30 23:59:59"),
        ("2009-10-03 11:15:00", 2, "2009-10-10 11:15:00"),  # accepted on a holiday, due on a Saturday worked
    ],
)
def test_same_time_is_due_at_the_time_of_acceptance(accepted: str, days: int, expected: str) -> None:
    """VENDOR_TOD: due on the N-th working day after acceptance, at the same time of day."""
    assert due(profile("same_time"), f"{days} wd", accepted) == at(expected)


@pytest.mark.parametrize(
    ("rules", "limit", "expected"),
    [
        (profile("calendar_day"), "7 cd", "2009-10-02"),
        (profile("calendar_day"), "7 wd", "2009-10-02"),
        (profile("next_day"), "7 cd", "2009-10-02"),
        (profile("work_time"), "7 cd", "2009-10-02"),
        (profile("calendar_day", roll_end=True), "7 cd", "2009-10-09"),
        (profile("calendar_day", roll_end=True), "2 cd", "2009-09-27"),  # a Sunday worked
        (profile("calendar_day"), "0.5 cd", "2009-09-26"),
    ],
)
def test_calendar_days_count_holidays(rules: ClockProfile, limit: str, expected: str) -> None:
    """NATURAL_DAY: acceptance plus N days, moved off a holiday only where the profile says so (Civil Code 203)."""
    assert due(rules, limit, "2009-09-25 10:00") == last_of(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_day_is_counted_in_sessions(kind: ProfileKind) -> None:
    """Half a working day runs from the moment in office hours, whatever the profile counts whole days by."""
    assert due(profile(kind), "0.5 wd", "2009-09-30 15:00") == at("2009-10-09 10:45")


def test_zero_days_mean_the_same_working_day() -> None:
    """A limit of 0 ends with the day it starts on, and with the next working day where that one is closed."""
    for kind in ("next_day", "same_time", "work_time"):
        assert due(profile(kind), "0 wd", "2009-09-30 15:00") == last_of("2009-09-30")
        assert due(profile(kind), "0 wd", "2009-10-01 15:00") == last_of("2009-10-09")


def test_intake_rolls_over_where_the_profile_says_so() -> None:
    """What comes after the cut-off, or on a closed day, is accepted on the next working day."""
    cutoff = profile("next_day", intake_cutoff=time(16))
    assert due(cutoff, "1 wd", "2009-09-25 16:00") == last_of("2009-09-27")
    assert due(cutoff, "1 wd", "2009-09-25 16:01") == last_of("2009-09-28")
    weekend = "2009-09-26 10:00"  # Dongguan: the date of acceptance rolls to the first working day
    assert due(profile("next_day"), "1 wd", weekend) == last_of("2009-09-27")
    assert due(profile("next_day", roll_start=True), "1 wd", weekend) == last_of("2009-09-28")
    assert due(profile("work_time", roll_start=True), "1 wd", weekend) == at("2009-09-28 08:30")


# -- pauses ----------------------------------------------------------------------------------------------------


def test_a_pause_takes_out_the_days_after_it_began() -> None:
    """Paused from day S to day E, a case loses S+1 … E; days off in between are not given back."""
    rules = profile("next_day")
    assert due(rules, "5 wd", "2009-03-02 09:00", ("2009-03-04 10:00", "2009-03-06 16:00")) == last_of("2009-03-11")
    assert due(rules, "5 wd", "2009-03-02 09:00", ("2009-03-06 10:00", "2009-03-09 16:00")) == last_of("2009-03-10")
    assert due(rules, "5 wd", "2009-03-02 09:00", ("2009-03-04 10:00", "2009-03-04 16:00")) == last_of("2009-03-09")


@pytest.mark.parametrize("kind", KINDS)
def test_a_pause_without_end_leaves_no_due_instant(kind: ProfileKind) -> None:
    """While a pause without end holds the clock nothing is due; one that begins after the due instant is too late."""
    assert due(profile(kind), "2 wd", "2009-03-02 09:00", ("2009-03-03 10:00", None)) is None
    late = due(profile(kind), "2 wd", "2009-03-02 09:00", ("2009-03-05 10:00", None))
    assert late == due(profile(kind), "2 wd", "2009-03-02 09:00")


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        (("2009-03-03 15:00", "2009-03-03 16:59"), "2009-03-03 17:00"),
        (("2009-03-03 15:00", "2009-03-03 17:00"), "2009-03-03 17:00"),
        (("2009-03-03 15:00", "2009-03-03 20:00"), "2009-03-04 17:00"),  # closing time passed while paused
        (("2009-03-03 15:00", "2009-03-05 10:00"), "2009-03-05 17:00"),
        (("2009-03-03 15:00", "2009-03-05 20:00"), "2009-03-06 17:00"),
        (("2009-03-03 15:00", "2009-03-07 10:00"), "2009-03-09 17:00"),  # a Saturday
        (("2009-03-03 17:00", "2009-03-04 10:00"), "2009-03-04 17:00"),
        (("2009-03-03 17:01", "2009-03-04 10:00"), "2009-03-03 17:00"),  # late before it was paused
    ],
)
def test_who_is_paused_at_the_end_of_his_last_day_is_not_late(pause: tuple[str, str], expected: str) -> None:
    """The day on which the pause ends takes the place of the last day, if it is still open then (I5)."""
    assert due(profile("next_day", day_end="closing"), "1 wd", "2009-03-02 09:00", pause) == at(expected)


def test_two_pauses_on_the_last_day() -> None:
    """A second pause over closing time counts as much as the first."""
    rules = profile("next_day", day_end="closing")
    first, second = ("2009-03-03 15:00", "2009-03-04 10:00"), ("2009-03-04 16:00", "2009-03-04 18:00")
    assert due(rules, "1 wd", "2009-03-02 09:00", first, second) == at("2009-03-05 17:00")


def test_what_starts_after_closing_is_due_the_next_day() -> None:
    """Nothing is due before it has started: same-day business taken in after hours is due the next day."""
    assert due(profile("next_day", day_end="closing"), "0 wd", "2009-03-06 17:30") == at("2009-03-09 17:00")


@pytest.mark.parametrize(("since", "until"), [("2009-09-25 10:00", "2009-09-29"), ("2009-09-26 10:00", "2009-09-29")])
def test_planned_days_of_a_pause_are_working_days(since: str, until: str) -> None:
    """Three planned days are used up with the third working day after the pause began."""
    for limit in ("5 wd", "5 cd"):
        counting = counting_for(profile("next_day"), CHINA, parse_limit(limit))
        assert counting.planned_until(at(since), 3) == last_of(until)


# -- telling why -----------------------------------------------------------------------------------------------


def test_every_day_says_why_it_counts() -> None:
    """Day by day one reads what was counted and why: first, working, opened, weekend, holiday with its name, pause."""
    counting = counting_for(profile("next_day"), CHINA, parse_limit("5 wd"))
    pause = Interval(at("2009-09-28 10:00"), at("2009-09-29 16:00"))
    days = list(counting.walk(at("2009-09-25 10:00"), at("2009-10-09 12:00"), [pause]))
    assert [(day.day.day, day.units, day.why) for day in days] == [
        (25, 0, "first"),
        (26, 0, "weekend"),
        (27, 1, "opened"),
        (28, 1, "working"),
        (29, 0, "pause"),
        (30, 1, "working"),
        *((day, 0, "holiday") for day in (1, 2)),
        *((day, 0, "weekend") for day in (3, 4)),
        *((day, 0, "holiday") for day in (5, 6, 7, 8)),
        (9, 1, "working"),
    ]
    assert {day.name for day in days if day.why == "holiday"} == {"国庆节"}
    assert not any(day.provisional for day in days)


def test_time_says_how_much_of_a_day_counts() -> None:
    """Where time is counted, each day says how much of it was used, also on a day partly paused."""
    counting = counting_for(profile("work_time"), CHINA, parse_limit("5 wd"))
    pause = Interval(at("2009-03-03 11:00"), at("2009-03-03 14:00"))
    days = list(counting.walk(at("2009-03-02 16:00"), at("2009-03-04 09:00"), [pause]))
    hours = [(day.units / 3_600_000_000, day.why) for day in days]
    assert hours == [(1, "working"), (5.5, "pause"), (0.5, "working")]


def test_days_of_an_unannounced_year_are_provisional() -> None:
    """A count that runs into a year nobody has announced says so on each of its days."""
    counting = counting_for(profile("next_day"), CHINA, parse_limit("2 wd"))
    days = list(counting.walk(at("2026-12-31 10:00"), at("2027-01-04 10:00"), ()))
    assert [day.provisional for day in days] == [False, True, True, True, True]
    assert due(profile("next_day"), "2 wd", "2026-12-31 10:00") == last_of("2027-01-04")


# -- elsewhere -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("friday", "monday"), [("2009-03-27 10:00", "2009-03-30 10:00"), ("2009-10-23 10:00", "2009-10-26 10:00")]
)
def test_summer_time_keeps_the_time_of_day(friday: str, monday: str) -> None:
    """Over the change of summer time a day ends at its own midnight, and the same time stays the same."""
    start, one = at(friday, AMSTERDAM), parse_limit("1 wd")
    for rules, expected in (
        (profile("next_day"), last_of(monday[:10], AMSTERDAM)),
        (profile("same_time"), at(monday, AMSTERDAM)),
        (HUNAN, at(monday, AMSTERDAM)),
    ):
        counting = counting_for(rules, DUTCH, one)
        assert counting.due(start, counting.budget(one.days, start), ()) == expected


def test_a_standard_day_is_one_of_the_first_season() -> None:
    """A day of work time is a day of the profile's first season, so it takes longer in shorter winter hours."""
    assert due(profile("work_time"), "1 wd", "2009-10-12 09:00") == at("2009-10-13 10:00")


@pytest.mark.parametrize(("sunday", "hours"), [("2009-03-29", 23), ("2009-10-25", 25)])
def test_a_day_of_changed_clocks_is_one_day(sunday: str, hours: int) -> None:
    """A Sunday of 23 or 25 hours is one calendar day like any other."""
    counting = counting_for(profile("calendar_day"), DUTCH, parse_limit("1 cd"))
    start = at(f"{sunday} 00:00", AMSTERDAM)
    before = counting.due(start, 0, ())
    assert before is not None
    assert (before - start).total_seconds() == pytest.approx(hours * 3600)
    assert [day.units for day in counting.walk(start, before, ())] == [0]


def test_a_day_is_a_day_of_the_calendars_zone() -> None:
    """Half past midnight in China is the next day there, though it is still yesterday in UTC."""
    assert due(profile("next_day"), "1 wd", "2009-03-03 00:30") == last_of("2009-03-04")
    assert due(profile("next_day"), "1 wd", "2009-03-02 23:30") == last_of("2009-03-03")


# -- what cannot be counted ------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["9999 wd", "0.5 wd", "30 cd"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_beyond_the_calendar_cannot_be_counted(kind: ProfileKind, limit: str) -> None:
    """A limit that ends after the last day of the calendar is an error, never a due instant made up."""
    with pytest.raises(CalendarError, match="beyond the calendar"):
        due(profile(kind), limit, "2120-12-31 16:00")


def test_sessions_are_needed_to_count_time() -> None:
    """A profile without office sessions cannot count half a day, and says so."""
    bare = ClockProfile(code="bare", kind="next_day", seasons=())
    with pytest.raises(CalendarError, match="clock profile bare has no office sessions"):
        due(bare, "0.5 wd", "2009-03-02 10:00")
