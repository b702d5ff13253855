"""The order of steps as a measure of clocks: a step dated before the one it follows shows that two clocks differ.

Or that somebody did things in the wrong order: gaps of minutes in one direction are clocks, gaps of days are not.
"""

from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise

import msgspec

from monitor.events import Event, EventType
from monitor.readiness.spread import Durations, Spread

_FOLLOW: tuple[tuple[EventType, ...], ...] = (
    (EventType.APPLY, EventType.RECEIVED),
    (EventType.ACCEPT,),
    (EventType.APPROVE,),
    (EventType.FINISH,),
    (EventType.ISSUE,),
)
"""Steps of which each follows the one before."""


class Inversions(msgspec.Struct, frozen=True):
    """Steps in the wrong order between a source and another, or within the source itself.

    Of `pairs` of neighbouring steps `inverted` are dated the wrong way round; in `ahead` of these the source surveyed
    dated the earlier step later, as if its clock ran ahead. `gap` tells by how much.
    """

    other: str
    pairs: int
    inverted: int
    ahead: int
    gap: Spread | None


class _Pair:
    def __init__(self) -> None:
        self.pairs = self.inverted = self.ahead = 0
        self.gaps = Durations()


class StepOrder:
    """Compare the steps of cases."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._pairs: dict[str, _Pair] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Take a case's events."""
        firsts: dict[int, Event] = {}
        for event in events:
            for rank, kinds in enumerate(_FOLLOW):
                if event.type in kinds and (rank not in firsts or event.time < firsts[rank].time):
                    firsts[rank] = event
        chain = [firsts[rank] for rank in sorted(firsts)]
        for sooner, later in pairwise(chain):
            if self._source in (sooner.source, later.source):
                self._compare(sooner, later)

    def _compare(self, sooner: Event, later: Event) -> None:
        other = later.source if sooner.source == self._source else sooner.source
        pair = self._pairs.setdefault(other, _Pair())
        pair.pairs += 1
        gap = sooner.time - later.time
        if gap > timedelta():
            pair.inverted += 1
            pair.ahead += sooner.source == self._source
            pair.gaps.add(gap)

    def inversions(self) -> list[Inversions]:
        """Sum up by the other source, the source itself first."""
        return [
            Inversions(other, pair.pairs, pair.inverted, pair.ahead, pair.gaps.spread())
            for other, pair in sorted(self._pairs.items(), key=lambda item: (item[0] != self._source, item[0]))
        ]
