"""Drawing by weight, quicker than the standard library's, which builds what it needs anew for each draw."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Draw(Generic[T]):
    """Values to draw from, each as likely as its weight; called with a generator, it draws one."""

    def __init__(self, weighted: Iterable[tuple[T, float]]) -> None:
        pairs = list(weighted)
        if not pairs or min(weight for _, weight in pairs) < 0 or not any(weight for _, weight in pairs):
            raise ValueError("weights: at least one must be above 0, none below")
        self._values = [value for value, _ in pairs]
        self._bounds = list(accumulate(weight for _, weight in pairs))
        self._total, self._last = self._bounds[-1], len(pairs) - 1

    def __call__(self, rng: Random) -> T:
        return self._values[bisect_right(self._bounds, rng.random() * self._total, 0, self._last)]
