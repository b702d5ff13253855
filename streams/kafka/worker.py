"""A worker process: what it is made of, the order in which that starts, and how it ends."""

import asyncio
import time
from contextlib import ExitStack
from typing import Final

import faust
import faust.streams
import structlog

from monitor.ledger import Ledger, LedgerError
from monitor.ledger.deployment import Deployment, claim
from streams.kafka.app import Worker
from streams.kafka.connecting import BrokerUnusable
from streams.kafka.exposition import Exposition, WorkerHealth
from streams.kafka.identity import Identity, TopicMissing, TopicUnusable, identity
from streams.kafka.loglines import write_json_lines
from streams.kafka.meters import WorkerMeters
from streams.kafka.producing import Producer
from streams.kafka.pulse import Pulses
from streams.kafka.relay import Relay, RelayThread, streams_to_relay
from streams.kafka.settings import KafkaSettings
from streams.kafka.supervision import Supervision
from streams.kafka.watchdog import STALL_SECONDS, WORK_SECONDS, LastResort, Watchdog

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 2.0
MISSING_MAX: Final = 3
TROUBLED_SECONDS: Final = 6.0
"""A worker is not ready for so long after it failed to commit: a little more than the longest pause between tries."""
APPEND_TIME: Final = "LogAppendTime"


def run(ledger: Ledger, settings: KafkaSettings, host: str = "127.0.0.1", port: int = 0) -> int:
    """Supervise the partitions the group gives to this process, until it is told to stop; return its exit status.

    How it is can be asked at an address, `port` 0: a free one that the log names. Raises CannotExpose.
    Waits for a broker that cannot be reached. Raises LedgerError where ledger and topic do not go together, LeaseHeld
    where an embedded runtime writes the ledger, TopicUnusable.
    """
    write_json_lines()
    _confirm_compiled()
    if not ledger.has_rulebook():
        raise LedgerError(
            f"{ledger.name}: this ledger has no rulebook, so nothing can be judged; publish one with "
            "'monitor rulebook publish FOLDER'"
        )
    topic = _usable(_awaited(settings), settings)
    deployment = Deployment(topic.cluster, topic.topic_id, settings.topic, topic.partitions, settings.group)
    with ExitStack() as at_end:
        lease = ledger.lease(shared=True)
        at_end.callback(lease.release)
        with ledger.write() as connection:
            claim(connection, deployment)
        producer = Producer(settings)
        at_end.callback(producer.close)
        meters = WorkerMeters()
        confirm = _Confirming(settings, topic)
        supervision = Supervision(ledger, lease, producer, deployment, confirm, meters)
        worker = Worker(supervision, settings, meters, confirm)
        pulses = Pulses(settings)
        worker.on_owned = pulses.beat_for
        pulses.start()
        at_end.callback(pulses.stop)
        meters.reach = lambda: supervision.reach(pulses.ends)
        relay = RelayThread(
            Relay(ledger, producer, settings),
            lambda: streams_to_relay(settings.topic, supervision.partitions),
            meters.relay,
        )
        relay.start()
        at_end.callback(relay.stop)
        progress = Progress(worker, pulses, relay)
        exposition = Exposition(meters.registry, progress.health, host, port)
        at_end.callback(exposition.close)
        log.info("listening", url=exposition.url)
        watchdog = Watchdog(progress)
        watchdog.start()
        at_end.callback(watchdog.stop)
        LastResort(lambda: worker.app.should_stop, lambda: worker.app.crashed).start()
        return _serve(worker)


class Progress:
    """What a worker's watchdog looks at: its loop, rebalances, group membership, what it reads, and its relay."""

    def __init__(self, worker: Worker, pulses: Pulses, relay: RelayThread) -> None:
        self._worker, self._pulses, self._relay = worker, pulses, relay
        self._moved: dict[int, tuple[int, float]] = {}

    def health(self) -> WorkerHealth:
        """Tell how the worker is, for whoever asks; it is not ready while it owns nothing or cannot commit."""
        now, worker = time.monotonic(), self._worker
        partitions = worker.supervision.partitions
        ready = bool(partitions) and worker.rebalancing_since is None and worker.troubled < now - TROUBLED_SECONDS
        return WorkerHealth(self.standstill(now) is None, ready, partitions)

    def standstill(self, now: float) -> str | None:
        """Say what has stood still for too long, at an instant of the monotonic clock."""
        worker, before = self._worker, now - STALL_SECONDS
        if worker.beat < before:
            return "the event loop"
        if self._relay.failure is not None:
            return "the relay"
        if self._pulses.failure is not None:
            return "the pulses"
        if worker.membership_ended:
            return "membership in the group"
        if worker.troubled > before:
            return None  # it is tried again and again, and said so
        if worker.worked < now - WORK_SECONDS:
            return "the work"
        if worker.rebalancing_since is not None and worker.rebalancing_since < before:
            return "a rebalance"
        for partition in worker.supervision.partitions:
            position = worker.supervision.position(partition)
            if position is not None and self._stands(partition, position, now):
                return f"reading of partition {partition}, at offset {position}"
        return None

    def _stands(self, partition: int, position: int, now: float) -> bool:
        """Tell whether a partition has not moved for too long while there is something to read in it.

        One that moves slowly has too much to do, which ending its worker would only make worse.
        """
        known = self._moved.get(partition)
        if known is None or known[0] != position:
            self._moved[partition] = (position, now)
            return False
        before = now - STALL_SECONDS
        return known[1] < before and self._pulses.is_unread(partition, position, before)


def _serve(worker: Worker) -> int:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    process = faust.Worker(worker.app, override_logging=False, redirect_stdouts=False, quiet=True, loop=loop)
    process.spinner = None  # it would draw into the log
    try:
        process.execute_from_commandline()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0


def _confirm_compiled() -> None:
    """Make sure that Faust runs as it was tested: its parts in plain Python treat skipped records otherwise."""
    if getattr(faust.streams, "_CStreamIterator", None) is None:
        raise TopicUnusable("Faust was installed without its compiled parts, or NO_CYTHON is set; install its wheel")


def _awaited(settings: KafkaSettings) -> Identity:
    """Ask for the topic until the broker answers. Raises BrokerUnusable for what will not pass by itself."""
    while True:
        try:
            return identity(settings)
        except BrokerUnusable as error:
            if error.lasting:
                raise
            log.warning("the broker cannot be asked; trying again", servers=settings.servers, error=str(error))
            time.sleep(RETRY_SECONDS)


def _usable(topic: Identity, settings: KafkaSettings) -> Identity:
    if topic.timestamp_type != APPEND_TIME:
        raise TopicUnusable(
            f"the topic {settings.topic} keeps the time its producers state ({topic.timestamp_type}), but deadlines "
            f"are judged by when the broker received an event; set message.timestamp.type={APPEND_TIME} on it"
        )
    return topic


class _Confirming:
    """Makes sure that the topic is still the one the ledger was read from."""

    def __init__(self, settings: KafkaSettings, topic: Identity) -> None:
        self._settings, self._topic = settings, topic

    def __call__(self) -> None:
        """Raise TopicUnusable where it is another or gone, KafkaError while the broker cannot be asked."""
        for attempt in range(MISSING_MAX):
            if attempt:
                time.sleep(1.0)
            try:
                found = identity(self._settings)
            except TopicMissing:
                continue  # a broker that starts may not know its topics yet
            if found.topic_id != self._topic.topic_id:
                raise TopicUnusable(
                    f"the topic {self._settings.topic} was deleted and made again: its offsets count other records now "
                    f"({found.topic_id}, the ledger was read from {self._topic.topic_id}). Nothing was taken. Restore "
                    "the topic, or accept with 'monitor positions accept' that what was not read of the old one is lost"
                )
            _usable(found, self._settings)  # by any other times deadlines would pass when a producer says so
            return
        raise TopicMissing(self._settings.topic)
