"""What a transaction found is known without reading it back, and measured from when it could be judged."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram

from monitor.rulebook.model import RulebookVersion
from streams.engine import Engine
from streams.lag import Detected, Violation, measure
from tests.small_centre import LIMIT, RULEBOOK, at, delivered, event, opened_engine

NOBODY: dict[str, datetime] = {}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine of a small centre."""
    with opened_engine(tmp_path) as opened:
        yield opened


def cases_detected(engine: Engine) -> list[str]:
    """Name the cases in which the last transaction found a violation."""
    return [] if engine.detected is None else [each.case for each in engine.detected.violations]


def measured(
    *violations: Violation,
    received: dict[str, datetime] = NOBODY,
    committed: datetime,
    horizon: datetime | None = None,
    in_force_from: datetime | None = None,
) -> list[float]:
    """Give the seconds measured, of one violation after the other."""
    found: list[float] = []
    for each in violations:
        histogram = Histogram("lag", "", registry=CollectorRegistry())
        in_force = RulebookVersion(1, RULEBOOK, in_force_from)
        measure(histogram, Detected([each], horizon or each.judged_at, in_force), received, committed)
        totals = {sample.name: sample.value for metric in histogram.collect() for sample in metric.samples}
        found += [totals["lag_sum"]] if totals["lag_count"] else []
    return found


def test_what_time_brings_up_is_detected_once(engine: Engine) -> None:
    """A case becomes late by a tick; the next transaction has found nothing new."""
    engine.process(delivered(event("apply")), at(0))
    assert cases_detected(engine) == []
    engine.tick(at(4))
    assert cases_detected(engine) == ["c1"]
    assert engine.detected is not None
    assert engine.detected.horizon == at(4)
    assert [each.occurred_at for each in engine.detected.violations] == [at(0) + LIMIT]
    engine.process(delivered(event("finish", time=at(5))), at(5))
    assert cases_detected(engine) == []


def test_what_an_event_proves_is_detected(engine: Engine) -> None:
    """Of several cases of a batch the one that is late."""
    batch = delivered(event("apply"), event("finish", time=at(4)), event("apply", "c2", at(4)), received_at=at(4))
    engine.process(batch, at(4))
    assert cases_detected(engine) == ["c1"]


def test_a_loaded_past_is_not_detected(engine: Engine) -> None:
    """What was late before the monitor was there says nothing about how soon it finds."""
    engine.process(delivered(event("apply"), event("finish", time=at(4)), backfill=True), at(4))
    assert cases_detected(engine) == []


def test_data_tickets_are_no_violations(engine: Engine) -> None:
    """Nobody broke a rule where two events contradict each other."""
    changed = event("apply", name="apply", region="450902")
    engine.process(delivered(event("apply"), changed, received_at=at(0)), at(0))
    assert cases_detected(engine) == []


def test_the_lag_begins_when_all_is_known() -> None:
    """With the instant itself, the lateness of the sources, the arrival of the last event, or the rulebook."""
    second = timedelta(seconds=1)
    hall = Violation("c1", at(3), at(3), "hall")
    assert measured(hall, committed=at(3) + 2 * second) == [2]
    assert measured(hall, committed=at(4) + second, received={"c1": at(4)}) == [1]
    assert measured(hall, committed=at(5) + 4 * second, in_force_from=at(5)) == [4]
    night = Violation("c1", at(3), at(3), "night")
    assert measured(night, committed=at(4) + 3 * second, horizon=at(4)) == [3]


def test_sources_that_say_how_far_they_are_complete_are_not_measured() -> None:
    """Judged at another instant than the horizon and the lateness would give, or by sources nobody knows."""
    assert measured(Violation("c1", at(3), at(3), "hall"), committed=at(5), horizon=at(5)) == []
    assert measured(Violation("c1", at(3), at(3), "nobody"), committed=at(3)) == []


def test_a_clock_behind_the_broker_gives_no_negative_lag() -> None:
    """Clocks differ by milliseconds."""
    assert measured(Violation("c1", at(3), at(3), "hall"), committed=at(2)) == [0]
