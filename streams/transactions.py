"""What every process that writes a ledger tells of its transactions: how long they take, and whether they succeed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from sqlalchemy import Connection, Engine, event

BATCH_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
COMMIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
LAG_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600)
"""Finest around the budget of 5 s (invariant I6)."""
BATCH_EVENTS: Final = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


class _Commits(threading.local):
    """When the last commit of this thread began, by the monotonic clock; 0: there was none."""

    began = 0.0


_commits = _Commits()


@event.listens_for(Engine, "commit")
def _note_commit(connection: Connection) -> None:
    _commits.began = time.monotonic()


class Transactions:
    """The meters of an engine's transactions, in the registry of its process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the counters for little
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
        self._last_commit = Gauge(
            "supervision_last_commit_timestamp_seconds",
            "When a transaction of the engine was last committed.",
            registry=registry,
        )
        self.detection_lag_seconds = Histogram(
            "supervision_detection_lag_seconds",
            "From the instant a violation could be judged to its committed finding; budget 5 s.",
            buckets=LAG_SECONDS,
            registry=registry,
        )
        self.ledger_available = Gauge(
            "supervision_ledger_available", "1 while the last write to the ledger succeeded.", registry=registry
        )
        self.ledger_errors = Counter(
            "supervision_ledger_errors", "Failed attempts to write the ledger.", registry=registry
        )
        for work in ("ingest", "tick"):
            self._batch_seconds.labels(work)
        self.ledger_available.set(1)

    @contextmanager
    def batch(self, events: int) -> Iterator[None]:
        """Measure a transaction over events."""
        with self._measured("ingest"):
            yield
        self._batch_events.observe(events)

    @contextmanager
    def tick(self) -> Iterator[None]:
        """Measure a transaction over what has become due."""
        with self._measured("tick"):
            yield

    @contextmanager
    def _measured(self, work: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        ended = time.monotonic()
        self._batch_seconds.labels(work).observe(ended - began)
        if _commits.began > began:
            # The database is told to commit last of all: from there to the end is the commit.
            self._commit_seconds.observe(ended - _commits.began)
        self._last_commit.set_to_current_time()
