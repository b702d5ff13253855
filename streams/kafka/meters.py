"""What a worker tells of itself: what it reads, commits and passes on, and how far it has come.

These are of this process and start at zero with it; what the ledger holds is `monitor.metrics`.
"""

from collections import Counter as Counts
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.admission import Outcome
from streams.kafka.records import Control
from streams.neighbours import Elsewhere
from streams.pipeline import Pipeline

OUTCOMES = ("applied", "duplicate", "rejected", "passed_on")


class WorkerMeters:
    """The meters of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.pipeline = Pipeline()
        registry: CollectorRegistry = self.pipeline.registry
        self.registry = registry
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
        self._partitions = Gauge("supervision_worker_partitions", "Partitions owned.", registry=registry)
        self._lag = Gauge(
            "supervision_worker_lag_records", "Records of owned partitions not read yet.", registry=registry
        )
        for outcome in OUTCOMES:
            self._events.labels(outcome)
        for control in Control:
            self._controls.labels(control.value)
        for why in ("misplaced", "heartbeat", "live"):
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

    def rebalanced(self, partitions: int) -> None:
        """Note the partitions a rebalance left."""
        self._rebalances.inc()
        self._partitions.set(partitions)

    def lag(self, records: int) -> None:
        """Show how many records wait."""
        self._lag.set(records)
