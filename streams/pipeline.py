"""What the embedded runtime tells of itself: queue, batches, horizon, requests, and how soon breaches are found.

These are of this process and start at zero with it; what the ledger holds is `monitor.metrics`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from sqlalchemy import Connection, Engine, event

from streams.ticker import Horizon

BATCH_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
COMMIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
LAG_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600)
"""Finest around the budget of 5 s (invariant I6)."""
BATCH_EVENTS: Final = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
STATUSES: Final = ("200", "400", "401", "403", "408", "409", "413", "415", "422", "503")


class _Commits(threading.local):
    """When the last commit of this thread began, by the monotonic clock; 0: there was none."""

    began = 0.0


_commits = _Commits()


@event.listens_for(Engine, "commit")
def _note_commit(connection: Connection) -> None:
    _commits.began = time.monotonic()


class Pipeline:
    """The meters of one runtime, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the counters for little
        self.registry = registry = CollectorRegistry()
        self._batch_seconds = Histogram(
            "supervision_batch_seconds",
            "Time of one transaction of the engine, waiting for the database included.",
            ["work"],
            buckets=BATCH_SECONDS,
            registry=registry,
        )
        self._batch_events = Histogram(
            "supervision_batch_events",
            "Events committed together.",
            buckets=BATCH_EVENTS,
            registry=registry,
        )
        self._commit_seconds = Histogram(
            "supervision_commit_seconds",
            "Time of the commit alone, the write to disk included.",
            buckets=COMMIT_SECONDS,
            registry=registry,
        )
        self.detection_lag_seconds = Histogram(
            "supervision_detection_lag_seconds",
            "From the instant a violation could be judged to its committed finding; budget 5 s.",
            buckets=LAG_SECONDS,
            registry=registry,
        )
        self.queue_events = Gauge("supervision_queue_events", "Events waiting for the engine.", registry=registry)
        self._horizon = Gauge(
            "supervision_horizon_timestamp_seconds",
            "Instant up to which time is known to have passed.",
            registry=registry,
        )
        self._parted = Gauge(
            "supervision_clock_parted_seconds",
            "How far the wall clock is ahead of where a steady clock says it should be.",
            registry=registry,
        )
        self._stopped = Gauge(
            "supervision_ticks_stopped",
            "1 while wall and steady clock disagree, so that no deadline is judged.",
            registry=registry,
        )
        self.ledger_available = Gauge(
            "supervision_ledger_available", "1 while the last write to the ledger succeeded.", registry=registry
        )
        self.ledger_errors = Counter(
            "supervision_ledger_errors", "Failed attempts to write the ledger.", registry=registry
        )
        self._requests = Counter(
            "supervision_ingest_requests", "Requests to the ingest, by their answer.", ["status"], registry=registry
        )
        for work in ("ingest", "tick"):
            self._batch_seconds.labels(work)
        for status in STATUSES:
            self._requests.labels(status)
        self.ledger_available.set(1)

    @contextmanager
    def batch(self, events: int) -> Iterator[None]:
        """Measure a transaction over events."""
        with self._transaction("ingest"):
            yield
        self._batch_events.observe(events)

    @contextmanager
    def tick(self) -> Iterator[None]:
        """Measure a transaction over what has become due."""
        with self._transaction("tick"):
            yield

    @contextmanager
    def _transaction(self, work: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        ended = time.monotonic()
        self._batch_seconds.labels(work).observe(ended - began)
        if _commits.began > began:
            # The database is told to commit last of all: from there to the end is the commit.
            self._commit_seconds.observe(ended - _commits.began)

    def horizon(self, horizon: Horizon) -> None:
        """Show where the horizon stands."""
        self._horizon.set(horizon.now.timestamp())
        self._parted.set(horizon.parted.total_seconds())
        self._stopped.set(horizon.stopped)

    def request(self, status: int) -> None:
        """Count one answered request."""
        code = str(status)
        # Only the statuses known: a label set grows by our code, never by what somebody sends.
        self._requests.labels(code if code in STATUSES else "503").inc()
