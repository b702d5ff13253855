"""Drawing by weight."""

from collections import Counter
from random import Random

import pytest

from streams.simulator.draw import Draw


def test_values_come_as_often_as_they_weigh() -> None:
    """Each value is drawn in proportion to its weight, and one without weight never."""
    draw, rng = Draw([("a", 1.0), ("b", 0.0), ("c", 3.0)]), Random(1)
    drawn = Counter(draw(rng) for _ in range(10_000))
    assert drawn["c"] / 10_000 == pytest.approx(0.75, abs=0.02)
    assert drawn["b"] == 0


@pytest.mark.parametrize("weighted", [[], [("a", 0.0)], [("a", 1.0), ("b", -1.0)]])
def test_impossible_weights_are_refused(weighted: list[tuple[str, float]]) -> None:
    """There must be something to draw, and no weight below zero."""
    with pytest.raises(ValueError, match="at least one must be above 0"):
        Draw(weighted)
