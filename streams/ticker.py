"""The horizon of the embedded runtime: the wall clock, watched by a clock that nobody can set.

Deadlines pass because this instant moves. A wall clock stepped by an hour would make punctual cases late, so
while the two clocks disagree the horizon stands still, and an operator is told (design section 3).
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

TICK_SECONDS: Final = 1.0
PARTING_MAX: Final = timedelta(seconds=5)
"""How far wall and steady clock may part between two readings; NTP slewing stays far below, a step not."""

Wall = Callable[[], datetime]
Steady = Callable[[], float]


def utc_now() -> datetime:
    """Read the wall clock."""
    return datetime.now(UTC)


def steady_now() -> float:
    """Read a clock in seconds that cannot be set and that, on Linux, also counts while the machine sleeps."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class Horizon:
    """The instant up to which time is known to have passed; it never goes back.

    While the wall clock is more than PARTING_MAX away from where the steady clock says it should be, counted
    from the last reading at which they agreed, `stopped` is true and the horizon stands still. It moves again
    by itself once the clocks agree again (the step was undone). A step that is right (the clock had been
    wrong before) is confirmed by restarting the process: a new Horizon believes the wall clock it starts
    with.
    """

    def __init__(self, since: datetime | None = None, wall: Wall = utc_now, steady: Steady = steady_now) -> None:
        self._wall, self._steady = wall, steady
        self._anchor, self._anchor_steady = wall(), steady()
        self._now = self._anchor if since is None else max(since, self._anchor)
        self._parted = timedelta(0)

    def read(self) -> datetime:
        """Return the horizon of this moment, and take the two clocks' agreement anew."""
        wall, steady = self._wall(), self._steady()
        self._parted = wall - self._expected(steady)
        if not self.stopped:
            self._anchor, self._anchor_steady = wall, steady
            self._now = max(self._now, wall)
        return self._now

    def received(self) -> datetime:
        """Return the moment a delivery arrives: wall clock, or steady clock while they disagree."""
        wall, expected = self._wall(), self._expected(self._steady())
        return wall if abs(wall - expected) <= PARTING_MAX else expected

    def _expected(self, steady: float) -> datetime:
        return self._anchor + timedelta(seconds=steady - self._anchor_steady)

    @property
    def now(self) -> datetime:
        """The horizon as last read."""
        return self._now

    @property
    def parted(self) -> timedelta:
        """How far the wall clock is ahead of (or, negative, behind) where it should be."""
        return self._parted

    @property
    def stopped(self) -> bool:
        """Tell whether the clocks disagree, so that the horizon stands still."""
        return abs(self._parted) > PARTING_MAX
