"""Figures of a benchmark: how often it was run, and the spread of what came out."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import msgspec


class Spent(msgspec.Struct):
    """Time spent on a piece of work: by the wall clock, and by the processor in this process."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def spending(spent: Spent) -> Iterator[None]:
    """Add the time the block takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    spent.wall_seconds += time.perf_counter() - wall
    spent.cpu_seconds += time.process_time() - cpu


def spread(values: Sequence[float], digits: int = 0) -> dict[str, float]:
    """Give least, median and greatest of repeated measurements."""
    return {
        "min": round(min(values), digits),
        "median": round(median(values), digits),
        "max": round(max(values), digits),
    }


def rates(count: int, runs: Sequence[Spent]) -> dict[str, Any]:
    """Give how many a second, of as many runs as there were."""
    return {
        "runs": len(runs),
        "per_second": spread([count / run.wall_seconds for run in runs]),
        "per_cpu_second": spread([count / run.cpu_seconds for run in runs]),
    }


def quantile_ms(seconds: Sequence[float], share: float) -> float:
    """Give the quantile of durations in milliseconds."""
    ranked = sorted(seconds)
    return round(1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))], 2)


def repeated(runs: int, act: Callable[[], Spent]) -> list[Spent]:
    """Do a piece of work several times."""
    return [act() for _ in range(runs)]
