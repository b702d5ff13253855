"""How durations are spread: counted to the second, so that millions of them cost the memory of their variety."""

from collections import Counter
from datetime import timedelta

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Durations in seconds: how many, the least, the middle one, two of the highest and the greatest."""

    count: int
    least: int
    p50: int
    p95: int
    p99: int
    most: int


class Durations:
    """Collect durations, rounded down to seconds; they may be negative."""

    def __init__(self) -> None:
        self._seconds: Counter[int] = Counter()

    def add(self, duration: timedelta) -> None:
        """Count one."""
        self._seconds[duration // timedelta(seconds=1)] += 1

    def beyond(self, limit: timedelta) -> int:
        """Count those longer than a limit."""
        return sum(count for seconds, count in self._seconds.items() if seconds > limit.total_seconds())

    def spread(self) -> Spread | None:
        """Sum up; None: there are none. A percentile is the smallest duration that so many are not above."""
        total = self._seconds.total()
        if not total:
            return None
        ordered = sorted(self._seconds)
        p50, p95, p99 = (self._at(ordered, -(-total * part // 100)) for part in (50, 95, 99))
        return Spread(total, ordered[0], p50, p95, p99, ordered[-1])

    def _at(self, ordered: list[int], rank: int) -> int:
        counted = 0
        for seconds in ordered:
            counted += self._seconds[seconds]
            if counted >= rank:
                return seconds
        return ordered[-1]
