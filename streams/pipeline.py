"""What the embedded runtime tells of itself: queue, transactions, horizon, requests, and how soon breaches are found.

These are of this process and start at zero with it; what the ledger holds is `monitor.metrics`.
"""

from prometheus_client import CollectorRegistry, Gauge

from streams.requests import RequestCounter
from streams.ticker import Horizon
from streams.transactions import Transactions


class Pipeline:
    """The meters of one runtime, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.transactions = transactions = Transactions(registry)
        self.batch, self.tick = transactions.batch, transactions.tick
        self.detection_lag_seconds = transactions.detection_lag_seconds
        self.ledger_available, self.ledger_errors = transactions.ledger_available, transactions.ledger_errors
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
        self.request = RequestCounter(registry).count

    def horizon(self, horizon: Horizon) -> None:
        """Show where the horizon stands."""
        self._horizon.set(horizon.now.timestamp())
        self._parted.set(horizon.parted.total_seconds())
        self._stopped.set(horizon.stopped)
