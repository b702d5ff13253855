"""The relay: publish on their topics what the ledger tells of findings and rejects, after it is committed.

A message is taken out of the ledger once the broker has acknowledged it, so that a relay that is killed, or whose
partition goes to another worker, has it published once more rather than never. Within a stream the order is kept.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.exc import InterfaceError, OperationalError

from monitor.ledger import Ledger, LedgerError, relays
from monitor.ledger.apart import OF_RULEBOOKS
from monitor.ledger.deployment import owner_of
from streams.kafka.producing import Unsent
from streams.kafka.records import Outgoing
from streams.kafka.settings import KafkaSettings

log = structlog.get_logger(__name__)

MESSAGES_MAX: Final = 500
"""Published with one pass: what has to be published once more when a worker is killed meanwhile."""
PAUSE_SECONDS: Final = 0.25
BACKOFF_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
STOP_SECONDS: Final = 5.0


class Deliverer(Protocol):
    """What the relay needs of a producer."""

    def deliver(self, records: Sequence[Outgoing]) -> object:
        """Produce records and wait until the broker has acknowledged them all. Raises Unsent."""


def streams_to_relay(topic: str, partitions: Collection[int]) -> set[str]:
    """Name the streams that the owner of some partitions relays; what is about rulebooks goes with the first one."""
    return {f"{topic}/{partition}" for partition in partitions} | ({OF_RULEBOOKS} if 0 in partitions else set())


class Relay:
    """Publish the messages of a ledger that belongs to a deployment. Raises LedgerError for any other."""

    def __init__(self, ledger: Ledger, producer: Deliverer, settings: KafkaSettings) -> None:
        with ledger.read() as connection:
            if owner_of(connection) is None:
                raise LedgerError(f"{ledger.name}: this ledger belongs to no deployment, so it keeps no messages")
        self._ledger, self._producer = ledger, producer
        self._names: dict[relays.Topic, str] = {
            "findings": settings.findings_topic,
            "rejected": settings.rejected_topic,
        }

    def relay(self, streams: Collection[str]) -> int:
        """Publish the oldest messages of some streams, at most MESSAGES_MAX to each topic; return how many.

        Raises Unsent or the database's error: then they are published once more by the next pass. A topic that takes
        nothing keeps nothing back from the other.
        """
        relayed, failure = 0, None
        for topic in relays.TOPICS:
            try:
                relayed += self._relay(topic, streams)
            except Unsent as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return relayed

    def backlog(self, streams: Collection[str]) -> int:
        """Count the messages of some streams that wait."""
        with self._ledger.read() as connection:
            return relays.backlog(connection, streams)

    def _relay(self, topic: relays.Topic, streams: Collection[str]) -> int:
        with self._ledger.read() as connection:
            waiting = relays.waiting(connection, self._ledger.id, topic, streams, MESSAGES_MAX)
        if waiting:
            self._producer.deliver([_record(self._names[topic], each) for each in waiting])
            with self._ledger.write() as connection:
                relays.take_out(connection, [each.seq for each in waiting])
        return len(waiting)


def _record(topic: str, waiting: relays.Waiting) -> Outgoing:
    return Outgoing(topic, None, waiting.key.encode() or None, msgspec.json.encode(waiting.message))


class RelayMeters:
    """What a relay tells of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.backlog = Gauge(
            "supervision_relay_backlog_messages", "Messages to systems downstream that wait.", registry=registry
        )
        self.relayed = Counter("supervision_relay_messages", "Messages published.", registry=registry)
        self.errors = Counter("supervision_relay_errors", "Failed attempts to publish.", registry=registry)
        self.last_success = Gauge(
            "supervision_relay_last_success_timestamp_seconds",
            "When nothing failed the last time, whether there was something to publish or not.",
            registry=registry,
        )


class RelayThread:
    """A thread that relays the streams a worker owns at the time.

    Errors of broker and database are tried again with back-off and without end; any other ends the thread, and
    `failure` holds it: the worker ends too, for nobody would notice what is not published.
    """

    def __init__(self, relay: Relay, streams: Callable[[], Collection[str]], meters: RelayMeters) -> None:
        self.failure: BaseException | None = None
        self._relay, self._streams, self._meters = relay, streams, meters
        self._stopping = threading.Event()
        self._failed = 0
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Start relaying."""
        self._thread.start()

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """Stop after the pass under way; tell whether it has ended in time. What waits is the next owner's."""
        self._stopping.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._stopping.wait(self._pass())
        except BaseException as failure:
            self.failure = failure
            log.critical("the relay failed; nothing more is published", exc_info=failure)

    def _pass(self) -> float:
        """Relay what waits, up to a limit; give the seconds until the next pass."""
        streams = self._streams()
        try:
            relayed = self._relay.relay(streams)
        except (Unsent, OperationalError, InterfaceError) as error:
            self._meters.errors.inc()
            self._failed += 1
            log.error("findings could not be published; trying again", attempt=self._failed, error=str(error))
            self._count(streams)
            return BACKOFF_SECONDS[min(self._failed, len(BACKOFF_SECONDS)) - 1]
        self._failed = 0
        self._meters.relayed.inc(relayed)
        self._meters.last_success.set(time.time())
        if relayed < MESSAGES_MAX:  # to none of the topics was there more
            self._meters.backlog.set(0)
            return PAUSE_SECONDS
        self._count(streams)
        return 0.0

    def _count(self, streams: Collection[str]) -> None:
        try:
            self._meters.backlog.set(self._relay.backlog(streams))
        except (OperationalError, InterfaceError) as error:
            log.warning("what waits to be published could not be counted", error=str(error))
