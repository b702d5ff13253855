"""What holds for every clock (I7): each way of counting against a walk minute by minute."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.calendar import Calendar
from monitor.counting import Counting, Interval, counting_for
from monitor.rulebook.model import ClockProfile, Limit, ProfileKind
from tests.monitor.brute_force import MICROSECOND, MINUTE, Walk, convention
from tests.monitor.offices import CHINA, DUTCH, KINDS, at, profile

SPRING_FESTIVAL, DRAGON_BOAT, NATIONAL_DAY = date(2009, 1, 20), date(2009, 5, 25), date(2009, 9, 24)
SUMMER_TIME, WINTER_TIME = date(2009, 3, 26), date(2009, 10, 22)
TIMES = [time(0), time(8, 30), time(10, 7), time(12), time(12, 30), time(16, 30), time(17), time(17, 1), time(23, 59)]


class Clock:
    """One limit counted in one place, with its pauses, and its walk."""

    def __init__(self, walk: Walk, calendar: Calendar) -> None:
        self.walk = walk
        self.counting: Counting = counting_for(walk.profile, calendar, walk.limit)
        self.budget = self.counting.budget(walk.limit.days, walk.start)
        self.due = self.counting.due(walk.start, self.budget, walk.pauses)

    def __repr__(self) -> str:
        return repr(self.walk)

    def used(self, until: datetime) -> int:
        return self.counting.used(self.walk.start, until, self.walk.pauses)

    def instants(self) -> list[datetime]:
        """Every sixth hour, and all instants at which a pause begins or ends, with a minute to both sides."""
        walk = self.walk
        ends = [end for pause in walk.pauses for end in (pause.since, pause.until) if end is not None]
        near = {mark + shift * MINUTE for mark in (walk.start, *ends) for shift in (-1, 0, 1)}
        near |= {walk.start + timedelta(hours=6 * i) for i in range(4 * 20)}
        return sorted(instant for instant in near if instant < walk.end)


def profiles(kind: ProfileKind) -> st.SearchStrategy[ClockProfile]:
    """Every setting of a kind of profile."""
    return st.builds(
        profile,
        st.just(kind),
        day_end=st.sampled_from(["midnight", "closing"]),
        intake_cutoff=st.sampled_from([None, None, time(16)]),
        roll_start=st.booleans(),
        roll_end=st.booleans(),
    )


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    """Whole and broken limits in both units."""
    days = draw(st.sampled_from(["0", "1", "2", "5", "0.5", "1.333"]))
    return Limit(Decimal(days), draw(st.sampled_from(["wd", "wd", "cd"])))


@st.composite
def pauses(draw: st.DrawFn, instants: st.SearchStrategy[datetime]) -> Interval:
    """A pause between two instants, for whole days, or without end."""
    since, other = draw(instants), draw(instants)
    how = draw(st.sampled_from(["between", "between", "days", "open"]))
    if how == "open":
        return Interval(since)
    if how == "days":
        return Interval(since, since + timedelta(days=draw(st.integers(0, 7))))
    return Interval(min(since, other), max(since, other))


@st.composite
def clocks(
    draw: st.DrawFn, kind: ProfileKind, calendar: Calendar, works: Callable[[date], bool], periods: Sequence[date]
) -> Clock:
    """A clock that starts within nine days of a period, with up to three pauses around its start and after."""
    origin, zone = draw(st.sampled_from(periods)), calendar.zone
    instants = st.builds(
        lambda days, moment: datetime.combine(origin + timedelta(days=days), moment, zone).astimezone(UTC),
        st.integers(0, 8),
        st.sampled_from(TIMES),
    )
    held = draw(st.lists(pauses(instants), max_size=3))
    return Clock(Walk(draw(profiles(kind)), draw(limits()), works, zone, draw(instants), held), calendar)


def in_china(kind: ProfileKind) -> st.SearchStrategy[Clock]:
    """A clock near holidays with days worked in exchange for them."""
    return clocks(kind, CHINA, cache(chinese_calendar.is_workday), [SPRING_FESTIVAL, DRAGON_BOAT, NATIONAL_DAY])


def in_amsterdam(kind: ProfileKind) -> st.SearchStrategy[Clock]:
    """A clock near the change to summer time or back."""
    return clocks(kind, DUTCH, lambda day: day.weekday() < 5, [SUMMER_TIME, WINTER_TIME])


def check_against_the_walk(clock: Clock) -> None:
    """Compare what is used, what each day adds to it, and when it is due, with the walk."""
    walk = clock.walk
    assert clock.budget == walk.budget
    if walk.due is not None:
        assert clock.due == walk.due
    elif walk.is_held_at_the_end:
        assert clock.due is None
    else:
        assert clock.due is not None
        assert clock.due > walk.end
    for instant in {*clock.instants(), *walk.changes}:
        assert clock.used(instant) == walk.used(instant), instant
    until = walk.start + timedelta(days=14, hours=9)
    days = list(clock.counting.walk(walk.start, until, walk.pauses))
    assert sum(day.units for day in days) == clock.used(until)
    assert [day.day for day in days] == walk.days_until(until)
    assert [day.units for day in days[:-1]] == [walk.units[day.day] for day in days[:-1]]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_clock_equals_its_walk(kind: ProfileKind, data: st.DataObject) -> None:
    """Used at every instant, day by day, and the last instant that is not late, are what a walk counts.

    Nothing is due if, and only if, a pause without end holds the clock.
    """
    check_against_the_walk(data.draw(in_china(kind)))


@given(st.sampled_from(KINDS).flatmap(in_amsterdam))
def test_summer_time_moves_no_clock(clock: Clock) -> None:
    """Where the clocks change on a Sunday, days and sessions are counted by the wall clock as ever."""
    check_against_the_walk(clock)


@given(st.sampled_from(KINDS).flatmap(in_china))
def test_used_never_decreases(clock: Clock) -> None:
    """Used never decreases, and stands still from one end of a pause to the other, and on closed days."""
    walk = clock.walk
    for earlier, later in pairwise(clock.instants()):
        assert clock.used(earlier) <= clock.used(later)
    for pause in walk.pauses:
        until = walk.end if pause.until is None else pause.until
        assert clock.used(until) == clock.used(max(pause.since, walk.start))
    if convention(walk.profile, walk.limit) != "calendar_days":
        for day in (day for day in walk.days_until(walk.end) if not walk.works(day)):
            midnight = datetime.combine(day, time(), walk.zone).astimezone(UTC)
            assert clock.used(midnight) == clock.used(midnight + timedelta(days=1) - MICROSECOND)


@given(st.sampled_from(KINDS).flatmap(in_china))
def test_nobody_becomes_late_while_paused(clock: Clock) -> None:
    """The due instant is not before the start, and no pause goes on after it (I5)."""
    if clock.due is not None:
        assert clock.due >= clock.walk.start
        for pause in clock.walk.pauses:
            assert not (pause.since <= clock.due and (pause.until is None or clock.due < pause.until))


@given(st.sampled_from(KINDS).flatmap(in_china))
def test_due_uses_the_budget_up(clock: Clock) -> None:
    """At the due instant all is used that may be; where time is counted, never more, and more with the next moment."""
    if clock.due is None:
        return
    used = clock.used(clock.due)
    assert used >= clock.budget
    if clock.counting.per_day > 1:
        assert used == clock.budget
        assert clock.used(clock.due + MICROSECOND) == clock.budget + 1


@given(
    st.sampled_from(["next_day", "calendar_day"]),
    st.integers(1, 40),
    st.builds(at, st.dates(date(2008, 12, 1), date(2010, 2, 1)).map(str)),
)
def test_days_without_pauses_are_used_up_exactly(kind: ProfileKind, days: int, start: datetime) -> None:
    """With no pause as much is used at the due instant as the limit says, to the day, and one more after."""
    counting = counting_for(profile(kind), CHINA, Limit(Decimal(days), "wd"))
    due = counting.due(start, days, ())
    assert due is not None
    assert counting.used(start, due, ()) == days
    later = due + MICROSECOND if kind == "calendar_day" else due + timedelta(days=11)
    assert counting.used(start, later, ()) > days
