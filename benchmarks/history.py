"""What the benchmarks feed in: a simulated past of the centre that ships, as events and as deliveries."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.resources import as_file, files
from itertools import islice
from typing import Final

import msgspec

from monitor.events import Event, content
from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from streams.engine import Delivery
from streams.simulator import YULIN, SimulatedCase, simulate_cases

SEED: Final = 2009
FIRST_DAY: Final = date(2009, 1, 1)
BATCH: Final = 5_000


@cache
def rulebook() -> Rulebook:
    """Load the rulebook of Yulin."""
    with as_file(files("monitor") / "rulebooks" / "yulin") as shipped:
        return load(shipped)


def simulated(days: int, scale: float = 1) -> Iterator[SimulatedCase]:
    """Simulate so many days from the first of January 2009, of a centre so many times the size of Yulin's."""
    zone = rulebook().days.zone
    start = datetime.combine(FIRST_DAY, time(), zone)
    mix = msgspec.structs.replace(YULIN, accepted_per_day=YULIN.accepted_per_day * scale)
    return simulate_cases(rulebook(), SEED, start, start + timedelta(days=days), mix)


def batches(events: Iterator[Event], size: int = BATCH) -> Iterator[tuple[list[Delivery], datetime]]:
    """Cut a stream of events into batches, delivered the moment they were recorded, each with its horizon."""
    horizon = datetime.combine(FIRST_DAY, time(), rulebook().days.zone)
    while part := list(islice(events, size)):
        deliveries = [Delivery(content(event), event.recorded or event.time) for event in part]
        horizon = max(horizon, *(event.recorded or event.time for event in part))
        yield deliveries, horizon
