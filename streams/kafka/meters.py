"""What a worker tells of itself: what it reads, commits and passes on, and how far it has come.

These are of this process and start at zero with it; what the ledger holds is `monitor.metrics`.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.admission import Outcome
from streams.kafka.records import Control
from streams.kafka.relay import RelayMeters
from streams.neighbours import Elsewhere
from streams.transactions import Transactions

OUTCOMES: Final = ("applied", "duplicate", "rejected", "passed_on")
PASSED_ON: Final = ("misplaced", "heartbeat", "live")


class Reach(NamedTuple):
    """How far a partition was read: the largest append time, and how many records are known to lie beyond."""

    horizon: datetime
    unread: int


class WorkerMeters:
    """The meters of one worker, in a registry of their own; `reach` is asked for the partitions owned when scraped."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.pipeline = Transactions(registry)
        self.relay = RelayMeters(registry)
        build = Gauge("supervision_build_info", "Version of the monitor; always 1.", ["version"], registry=registry)
        build.labels(version("supervision-monitor")).set(1)
        self._events = Counter(
            "supervision_worker_events", "Events taken from the topic, by outcome.", ["outcome"], registry=registry
        )
        self._dropped = Counter(
            "supervision_worker_records_dropped", "Records read again that were committed before.", registry=registry
        )
        self._controls = Counter(
            "supervision_worker_controls", "Control records read, by what they say.", ["control"], registry=registry
        )
        self._passed_on = Counter(
            "supervision_worker_passed_on",
            "Deliveries brought to other partitions, by reason.",
            ["why"],
            registry=registry,
        )
        self._healed = Counter("supervision_worker_holes_healed", "Times a hole was read again.", registry=registry)
        self._fenced = Counter(
            "supervision_worker_fenced", "Times another writer had taken a partition over.", registry=registry
        )
        self._rebalances = Counter("supervision_worker_rebalances", "Rebalances completed.", registry=registry)
        self.reach: Callable[[], Mapping[int, Reach]] = dict
        registry.register(_ReachCollector(self))
        for outcome in OUTCOMES:
            self._events.labels(outcome)
        for control in Control:
            self._controls.labels(control.value)
        for why in PASSED_ON:
            self._passed_on.labels(why)

    @contextmanager
    def batch(self, events: int) -> Iterator[None]:
        """Measure a transaction over events."""
        with self.pipeline.batch(events):
            yield

    @contextmanager
    def tick(self) -> Iterator[None]:
        """Measure a transaction over what has become due."""
        with self.pipeline.tick():
            yield

    def taken(self, outcomes: Sequence[Outcome]) -> None:
        """Count what became of events."""
        for outcome, count in Counts(each.status for each in outcomes).items():
            self._events.labels(outcome).inc(count)

    def dropped(self, records: int) -> None:
        """Count records that were committed before."""
        self._dropped.inc(records)

    def control(self, word: Control) -> None:
        """Count a control record."""
        self._controls.labels(word.value).inc()

    def passed_on(self, elsewhere: Elsewhere) -> None:
        """Count what went to other partitions."""
        self._passed_on.labels("misplaced").inc(len(elsewhere.misplaced))
        self._passed_on.labels("heartbeat").inc(len(elsewhere.heartbeats))
        self._passed_on.labels("live").inc(len(elsewhere.live))

    def healed(self) -> None:
        """Count a hole that is read again."""
        self._healed.inc()

    def fenced(self) -> None:
        """Count a partition lost to another writer."""
        self._fenced.inc()

    def rebalanced(self) -> None:
        """Count a rebalance that is over."""
        self._rebalances.inc()


class _ReachCollector(Collector):
    """Say when scraped how far the partitions owned at that moment have come."""

    def __init__(self, meters: WorkerMeters) -> None:
        self._meters = meters

    def collect(self) -> Iterator[Metric]:
        owned = self._meters.reach().values()
        unread = [each.unread for each in owned]
        yield GaugeMetricFamily("supervision_worker_partitions", "Partitions owned.", len(owned))
        yield GaugeMetricFamily(
            "supervision_worker_lag_records", "Records of owned partitions not read yet.", sum(unread)
        )
        yield GaugeMetricFamily(
            "supervision_worker_lag_records_max", "The same of the partition that has most.", max(unread, default=0)
        )
        # A worker that owns nothing has no horizon: what it once was says nothing of the partitions any more.
        least = min(each.horizon for each in owned).timestamp() if owned else None
        yield GaugeMetricFamily(
            "supervision_horizon_timestamp_seconds",
            "Instant up to which time is known to have passed, in the partition where that is least.",
            least,
        )
