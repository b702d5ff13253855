"""The runtime of `monitor serve`: events to the topic, and everything there is to read, over the workers' ledger.

It writes nothing into the ledger, so that any number of them may run side by side; each shows the same figures.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, disable_created_metrics

from monitor.api import Health
from monitor.language import Lang, text
from monitor.ledger import Ledger, LedgerError
from monitor.ledger.positions import common_horizon
from monitor.live import Notice
from streams.access import token_path, write_token
from streams.application import Application
from streams.kafka.intake import IntakeMeters, KafkaIntake
from streams.kafka.settings import KafkaSettings
from streams.kafka.topic_watch import TopicWatch
from streams.requests import RequestCounter

log = structlog.get_logger(__name__)

BEHIND_AFTER: Final = timedelta(seconds=60)
"""So old the data may be before the page says so: the workers put a mark into every partition each second."""


class ServingHealth(Health, frozen=True):
    """How a serving process is; ready while the broker and its topic can be reached, for it takes events there."""

    broker_reachable: bool = False


class Serving:
    """One serving process over the ledger of workers. `close` must be called in the end; `server.serve` does.

    Raises LedgerError where the ledger has no rulebook, or belongs to another topic than the settings name.
    """

    def __init__(self, ledger: Ledger, settings: KafkaSettings) -> None:
        if not ledger.has_rulebook():
            raise LedgerError(
                f"{ledger.name}: this ledger has no rulebook, so nothing can be judged; publish one with "
                "'monitor rulebook publish FOLDER'"
            )
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the counters for little
        self.ledger = ledger
        self.watch = TopicWatch(ledger, settings)
        self.watch.start()
        self.stop_serving: Callable[[], None] = lambda: None
        registry = CollectorRegistry()
        self.intake = KafkaIntake(ledger, settings, self.watch, IntakeMeters(registry))
        self._run = f"serve-{os.getpid()}"
        token, count = write_token(ledger, self._run), RequestCounter(registry).count
        application = Application(ledger, self.intake, token, registry, count, self.health, self.notices)
        self.gate, self.app = application.gate, application.app

    @property
    def alive(self) -> bool:
        """Tell whether the topic still is the ledger's: what is produced to another would be judged by nobody."""
        return not self.failed

    @property
    def failed(self) -> bool:
        """Tell whether the topic was found not to be the ledger's."""
        return self.watch.failure is not None

    @property
    def stalled_seconds(self) -> float:
        """Return 0: what takes too long is given up and told to who waits for it."""
        return 0.0

    def start(self) -> None:
        """Do nothing: the topic is looked at already."""

    def announce(self, url: str) -> None:
        """Tell nobody: senders know the address, and who imports produces to the topic."""

    def begin_stop(self) -> None:
        """Take nothing new; what was taken is still produced."""
        self.intake.begin_stop()

    def close(self) -> None:
        """Wait for what was taken, and close every connection to the broker."""
        self.gate.close()
        self.intake.close()
        self.watch.stop()
        token_path(self.ledger, self._run).unlink(missing_ok=True)

    def health(self) -> ServingHealth:
        """Tell how the runtime is, for /healthz and /readyz."""
        return ServingHealth(
            alive=self.alive, ready=self.intake.ready, ticks_stopped=False, broker_reachable=self.watch.reachable
        )

    def notices(self, lang: Lang) -> list[Notice]:
        """Say what is wrong, for the top of the page: no events are taken, or those shown are old."""
        said = []
        if not self.watch.reachable:
            said.append(Notice("alert", text("live.alert.broker", lang)))
        with self.ledger.read() as connection:
            reached = common_horizon(connection)
        if reached is not None and (age := datetime.now(UTC) - reached) > BEHIND_AFTER:
            said.append(Notice("alert", text("live.alert.behind", lang, minutes=f"{age / timedelta(minutes=1):,.0f}")))
        return said
