"""Office time turned into instants, and back."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from monitor.rulebook.model import Rulebook, parse_limit
from streams.simulator.timetable import Timetable

YULIN = timezone(timedelta(hours=8))
FRIDAY = date(2009, 9, 25)


@pytest.fixture(scope="module")
def timetable(rulebook: Rulebook) -> Timetable:
    """The working days around the long holiday of 2009."""
    return Timetable(rulebook, date(2009, 9, 1), date(2009, 12, 31))


def local(timetable: Timetable, day: int, at: float) -> datetime:
    """Give an office time as people read it."""
    return timetable.instant(day, at).astimezone(YULIN)


def test_office_time_skips_lunch_nights_and_holidays(timetable: Timetable) -> None:
    """An office day is its sessions end to end, and the next one is the next working day, made-up Sundays included."""
    day = timetable.index(FRIDAY)
    assert local(timetable, day, 0) == datetime(2009, 9, 25, 8, tzinfo=YULIN)
    assert local(timetable, day, 4.5 / 7 + 1e-9) == datetime(2009, 9, 25, 15, 30, tzinfo=YULIN)
    assert local(timetable, day, 1).date() == date(2009, 9, 27)  # a Sunday worked for the holiday
    assert local(timetable, day, 5).date() == date(2009, 10, 9)
    assert local(timetable, day, 5).time() == time(8, 30)  # winter hours


def test_position_is_the_inverse_of_instant(timetable: Timetable) -> None:
    """What an instant's office time is turned back into is the same instant, to the second."""
    day = timetable.index(FRIDAY)
    for hundredth in range(1, 700, 7):
        instant = timetable.instant(day, hundredth / 100)
        found, at = timetable.position(instant)
        assert abs(timetable.instant(found, at + 1e-9) - instant) <= timedelta(seconds=1)


def test_closed_doors_become_the_next_opening(timetable: Timetable) -> None:
    """A moment at night or on a holiday is the next opening in office time, one over lunch the afternoon's."""
    day = timetable.index(FRIDAY)
    assert timetable.position(datetime(2009, 9, 25, 23, tzinfo=YULIN)) == (day + 1, 0)
    assert timetable.position(datetime(2009, 10, 3, 12, tzinfo=YULIN)) == (day + 5, 0)
    assert timetable.position(datetime(2009, 9, 25, 13, tzinfo=YULIN)) == (day, 4 / 7)


@pytest.mark.parametrize(
    ("limit", "due"),
    [("5 wd", date(2009, 10, 9)), ("20 wd", date(2009, 10, 29)), ("0 wd", FRIDAY), ("14 cd", date(2009, 10, 9))],
)
def test_latest_lies_on_the_due_day(timetable: Timetable, limit: str, due: date) -> None:
    """The latest office time within a limit falls on its due day (domain.md 1.3)."""
    day = timetable.index(FRIDAY)
    assert local(timetable, day, timetable.latest(day, 0.4, parse_limit(limit))).date() == due


def test_half_a_day_is_half_an_office_day(timetable: Timetable) -> None:
    """A limit below a day is counted in office hours, and never reaches beyond the day."""
    day = timetable.index(FRIDAY)
    assert timetable.latest(day, 0.1, parse_limit("0.5 wd")) == pytest.approx(0.6)
    assert timetable.latest(day, 0.8, parse_limit("0.5 wd")) < 1


def test_doors_do_not_close_once_live(rulebook: Rulebook) -> None:
    """From the live instant on office time passes as fast as wall time, and what lay before is unchanged."""
    sunday = datetime(2009, 10, 11, 3, 30, tzinfo=UTC)
    plain = Timetable(rulebook, date(2009, 9, 1), date(2009, 12, 31))
    live = Timetable(rulebook, date(2009, 9, 1), date(2009, 12, 31), open_from=sunday)
    day, at = live.position(sunday)
    assert live.instant(day, at + 3600 / live.seconds(day) + 1e-9) == sunday + timedelta(hours=1)
    assert live.instant(day - 1, 0.5) == plain.instant(day - 1, 0.5)
    back, later = live.position(sunday + timedelta(hours=30))
    assert abs(live.instant(back, later) - sunday - timedelta(hours=30)) <= timedelta(seconds=1)


def test_same_day_ends_at_midnight_once_live(rulebook: Rulebook) -> None:
    """Once the doors do not close, what must be done on the same day is done before midnight."""
    evening = datetime(2009, 10, 11, 15, 50, tzinfo=UTC)
    live = Timetable(rulebook, date(2009, 9, 1), date(2009, 12, 31), open_from=evening)
    day, at = live.position(evening)
    closing = local(live, day, live.closing(day, at + 0.0001))
    assert closing.date() == date(2009, 10, 11)
    assert closing.time() > time(23, 55)


def test_a_period_without_working_days_is_refused(rulebook: Rulebook) -> None:
    """A timetable needs at least one working day, and says so."""
    with pytest.raises(ValueError, match="no working day between 2009-10-01 and 2009-10-05"):
        Timetable(rulebook, date(2009, 10, 1), date(2009, 10, 5))
