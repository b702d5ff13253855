"""Whether the broker can be reached, and whether its topic is still the one the ledger belongs to."""

import socket
import threading
from collections.abc import Callable
from typing import Final

import structlog
from kafka.errors import KafkaError
from sqlalchemy.exc import InterfaceError, OperationalError

from monitor.ledger import Ledger, LedgerError
from monitor.ledger.deployment import Deployment, refuse_other
from streams.kafka.identity import Identity, TopicUnusable, identity
from streams.kafka.settings import KafkaSettings

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 3.0
CONNECT_SECONDS: Final = 3.0


class TopicWatch:
    """Looks at the topic every few seconds, in a thread of its own.

    `reachable` tells whether the last look found it, `topic` what it is once it was ever found. `failure` says why
    nothing more may be produced: what was found is not the topic the ledger belongs to.
    """

    def __init__(
        self, ledger: Ledger, settings: KafkaSettings, ask: Callable[[KafkaSettings], Identity] = identity
    ) -> None:
        self.reachable = False
        self.topic: Identity | None = None
        self.failure: str | None = None
        self._ledger, self._settings, self._ask = ledger, settings, ask
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="topic-watch", daemon=True)

    def start(self) -> None:
        """Look once, and go on looking. Raises LedgerError where the topic is not the ledger's."""
        self.look()
        if self.failure is not None:
            raise LedgerError(self.failure)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look at the topic."""
        try:
            _connect(self._settings)
            found = self._ask(self._settings)
        except (OSError, KafkaError, TopicUnusable) as error:
            if self.reachable or self.topic is None:
                log.warning("the broker cannot be asked for the topic; trying again", error=str(error))
            self.reachable = False
            return
        topic = Deployment(found.cluster, found.topic_id, self._settings.topic, found.partitions, self._settings.group)
        try:
            with self._ledger.read() as connection:
                refuse_other(connection, topic)
        except (OperationalError, InterfaceError) as error:
            log.warning("the ledger cannot be asked whose it is; trying again", error=str(error))
            return
        except LedgerError as error:
            self.failure, self.reachable = str(error), False
            log.critical("the topic is not the ledger's", error=self.failure)
            return
        self.topic, self.reachable = found, True

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.look()


def _connect(settings: KafkaSettings) -> None:
    """Make sure that a broker listens, before a client is made that would try for much longer. Raises OSError."""
    refused: OSError | None = None
    for server in settings.bootstrap:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            refused = error
        else:
            return
    raise refused or ConnectionError("no broker is named")
