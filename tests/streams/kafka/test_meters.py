"""What a worker tells of itself is about what it owns at that moment, and there from the first scrape."""

from datetime import UTC, datetime

import pytest

from monitor.events import TIME_MIN
from streams.admission import Outcome
from streams.kafka.meters import Reach, WorkerMeters
from streams.kafka.records import Control
from streams.neighbours import Elsewhere

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def value(meters: WorkerMeters, name: str, **labels: str) -> float | None:
    """Read one series."""
    return meters.registry.get_sample_value(f"supervision_{name}", labels)


def test_a_worker_that_owns_nothing_has_no_horizon() -> None:
    """It says that it owns nothing and has nothing to read, and nothing of how far time has come."""
    meters = WorkerMeters()
    assert [value(meters, f"worker_{name}") for name in ("partitions", "lag_records", "lag_records_max")] == [0, 0, 0]
    assert value(meters, "horizon_timestamp_seconds") is None


def test_reach_is_that_of_the_partitions_owned_now() -> None:
    """Lag is the sum and the most of one partition, the horizon the least; what was let go counts no more."""
    meters, owned = WorkerMeters(), {3: Reach(NOON, 5), 7: Reach(TIME_MIN, 12)}
    meters.reach = lambda: owned
    assert [value(meters, f"worker_{name}") for name in ("partitions", "lag_records", "lag_records_max")] == [2, 17, 12]
    assert value(meters, "horizon_timestamp_seconds") == TIME_MIN.timestamp()
    del owned[7]
    assert (value(meters, "worker_lag_records_max"), value(meters, "horizon_timestamp_seconds")) == (
        5,
        NOON.timestamp(),
    )


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("worker_events_total", {"outcome": "passed_on"}),
        ("worker_controls_total", {"control": "import_end"}),
        ("worker_passed_on_total", {"why": "misplaced"}),
        ("worker_rebalances_total", {}),
        ("relay_messages_total", {}),
    ],
)
def test_every_count_begins_at_zero(name: str, labels: dict[str, str]) -> None:
    """A first event is a change from zero, not a series that appears."""
    assert value(WorkerMeters(), name, **labels) == 0


def test_what_is_counted_stands_under_what_became_of_it() -> None:
    """Outcomes, words and what was passed on, each under its own name."""
    meters = WorkerMeters()
    meters.taken([Outcome("applied"), Outcome("applied"), Outcome("passed_on")])
    meters.control(Control.PULSE)
    meters.passed_on(Elsewhere("case-events/0", live=["hall", "night"]))
    assert value(meters, "worker_events_total", outcome="applied") == 2
    assert value(meters, "worker_events_total", outcome="passed_on") == 1
    assert value(meters, "worker_controls_total", control="pulse") == 1
    assert value(meters, "worker_passed_on_total", why="live") == 2
