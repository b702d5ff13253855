"""How much is measured: a form of a few minutes, and everything."""

from typing import Final

import msgspec


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the benchmarks are."""

    days: int  # of simulated past, from the first of January
    crowded_days: int  # the same of the crowded centre
    crowd: int = 100  # how many times larger than Yulin's it is: in a province few events of a batch share a case
    runs: int  # repetitions of what is cheap to repeat
    http_events: int
    open_cases: int
    live_seconds: int  # how long events keep coming at a steady pace
    events_per_second: tuple[int, ...] = (500, 1_000, 2_000)
    lead_seconds: float = 30.0  # from the start of the monitor to the instant of the storm, and more
    postgresql: bool = True

    @property
    def due_cases(self) -> int:
        """How many of the open cases fall due at one instant: 70,000 of a million."""
        return self.open_cases * 7 // 100


QUICK: Final = Size(days=90, crowded_days=4, runs=2, http_events=20_000, open_cases=100_000, live_seconds=20)
FULL: Final = Size(days=365, crowded_days=7, runs=3, http_events=100_000, open_cases=1_000_000, live_seconds=120)
