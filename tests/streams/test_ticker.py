"""When the horizon moves, and when it must not."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.ticker import Horizon

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


class Clocks:
    """A wall clock and a steady clock set by hand."""

    def __init__(self) -> None:
        self.wall_time, self.steady_time = NOON, 100.0

    def wall(self) -> datetime:
        return self.wall_time

    def steady(self) -> float:
        return self.steady_time

    def pass_by(self, seconds: float) -> None:
        self.wall_time += timedelta(seconds=seconds)
        self.steady_time += seconds

    def step(self, seconds: float) -> None:
        self.wall_time += timedelta(seconds=seconds)


@pytest.fixture
def clocks() -> Clocks:
    """Clocks that agree."""
    return Clocks()


def horizon(clocks: Clocks, since: datetime | None = None) -> Horizon:
    """A horizon over the clocks given."""
    return Horizon(since, clocks.wall, clocks.steady)


def test_horizon_follows_the_wall_clock(clocks: Clocks) -> None:
    """With clocks that agree the horizon is the wall clock."""
    watched = horizon(clocks)
    clocks.pass_by(3600)
    assert watched.read() == NOON + timedelta(hours=1)
    assert not watched.stopped


@pytest.mark.parametrize("step", [3600, -3600, 6, -6])
def test_stepped_clock_stops_the_horizon(clocks: Clocks, step: float) -> None:
    """A clock set by an hour, forward or back, judges nobody: the horizon stands, and says that it does."""
    watched = horizon(clocks)
    clocks.step(step)
    clocks.pass_by(1)
    assert watched.read() == NOON
    assert watched.stopped
    assert watched.parted == timedelta(seconds=step)
    clocks.pass_by(60)
    assert watched.read() == NOON
    assert watched.received() == NOON + timedelta(seconds=61), "arrival goes by the steady clock meanwhile"


def test_step_undone_starts_the_horizon_again(clocks: Clocks) -> None:
    """Once the clock is put right the horizon goes on by itself."""
    watched = horizon(clocks)
    clocks.step(3600)
    watched.read()
    clocks.pass_by(30)
    clocks.step(-3600)
    assert watched.read() == NOON + timedelta(seconds=30)
    assert not watched.stopped


def test_slow_slewing_never_stops_it(clocks: Clocks) -> None:
    """A clock that NTP draws by ten seconds over hours is not a stepped clock."""
    watched = horizon(clocks)
    for _ in range(100):
        clocks.pass_by(60)
        clocks.step(0.1)
        watched.read()
        assert not watched.stopped
    assert watched.now == clocks.wall_time


def test_long_pause_of_the_process_is_no_disagreement(clocks: Clocks) -> None:
    """A frozen process that wakes after an hour goes on at once: both clocks ran."""
    watched = horizon(clocks)
    clocks.pass_by(3600)
    assert watched.read() == NOON + timedelta(hours=1)


def test_horizon_never_goes_back_over_a_restart(clocks: Clocks) -> None:
    """What the ledger has seen pass stays passed, though the machine came up with an older clock."""
    watched = horizon(clocks, since=NOON + timedelta(minutes=5))
    clocks.pass_by(60)
    assert watched.read() == NOON + timedelta(minutes=5)
    clocks.pass_by(600)
    assert watched.read() == NOON + timedelta(minutes=11)
