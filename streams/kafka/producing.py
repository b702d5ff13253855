"""Producing to Kafka: what the broker has acknowledged is on its disks, and nothing else is acknowledged to anybody."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import structlog
from kafka import KafkaProducer
from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from streams.kafka.connecting import BrokerUnusable, connected, explained
from streams.kafka.records import Outgoing
from streams.kafka.settings import KafkaSettings

log = structlog.get_logger()

DELIVERY_SECONDS: Final = 20.0
"""How long a record may take until the broker has it; later it is given up, and whoever sent it is told."""

CONNECT_SECONDS: Final = 5.0
"""How long a broker is tried that nothing has been sent to yet."""

TRY_AGAIN_SECONDS: Final = 1.0
"""Who finds that the broker could not be reached just now is told so without another try: many may be waiting."""

RECORD_BYTES_MAX: Final = 1_000_000
"""What a record may have, headers and all. Topics take a little more (`topics.RECORD_BYTES_MAX`)."""

UNACKNOWLEDGED_BYTES_MAX: Final = 32 * 1024 * 1024
"""So much waits for the broker at most; whoever comes then waits too, and is told when it takes too long."""

BATCH_BYTES: Final = 65_536
"""Of one partition: what comes while a request is under way goes in the next, with the checks of one record."""

_RECORD_OVERHEAD_BYTES: Final = 128
_GRACE_SECONDS: Final = 5.0


class Unsent(RuntimeError):
    """The broker did not acknowledge every record; what was not may have been taken all the same."""


class NotSent(Unsent):
    """Nothing was sent: the broker cannot be reached, or too much is waiting for it."""


class TooLarge(Unsent):
    """Some records are larger than any record may be. All others were acknowledged."""

    def __init__(self, records: Sequence[Outgoing]) -> None:
        self.records = tuple(records)
        super().__init__(f"{len(records)} records are larger than {RECORD_BYTES_MAX} bytes")


class Producer:
    """An idempotent producer that waits for all replicas. Any number of threads may share it.

    It connects when it is first needed, and anew after a failure: a producer that has given up a record no longer knows
    which of its numbers the broker has seen, and one that was refused for good never asks again.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._room = _Room(UNACKNOWLEDGED_BYTES_MAX)
        self._connecting = threading.Lock()
        self._connected: KafkaProducer | None = None
        self._closed = False
        self._failed: tuple[float, BrokerUnusable] | None = None

    def deliver(self, records: Sequence[Outgoing]) -> None:
        """Produce records and wait until the broker has acknowledged them all.

        Raises TooLarge where it has acknowledged all but the records named, NotSent, and Unsent for all else.
        """
        deadline = time.monotonic() + DELIVERY_SECONDS
        with self._room.taken(sum(map(_bytes, records)), deadline):
            producer = self._producer(deadline)
            sent = _sent(producer, records)
            refused = [record for record, each in zip(records, sent, strict=False) if _is_size(each)]
            outcomes = [_awaited(each, deadline) for each in sent if not _is_size(each)]
            failures = [error for error in outcomes if error is not None]
            if failures:
                self._abandon(producer, failures)
                count = len(failures) + len(records) - len(sent)
                why = _explained(failures[0], self._settings)
                raise Unsent(f"{count} of {len(records)} records were not acknowledged: {why}") from why
            if refused:
                raise TooLarge(refused) from next(each for each in sent if _is_size(each))

    def partitions(self, topic: str) -> int:
        """Tell how many partitions a topic has. Raises NotSent."""
        try:
            return len(self._producer(time.monotonic() + DELIVERY_SECONDS).partitions_for(topic))
        except KafkaError as error:
            why = _explained(error, self._settings)
            raise NotSent(f"the broker does not tell the partitions of topic {topic}: {why}") from why

    def close(self) -> None:
        """Send what is waiting, and close every connection."""
        self._closed = True
        with self._connecting:
            if self._connected is not None:
                _close(self._connected)
                self._connected = None

    def _producer(self, deadline: float) -> KafkaProducer:
        if not self._connecting.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise NotSent("another thread is still connecting to the broker")
        try:
            if self._closed:
                raise NotSent("the producer is closed")
            if self._connected is None:
                self._connected = self._connect()
            return self._connected
        finally:
            self._connecting.release()

    def _connect(self) -> KafkaProducer:
        if self._failed is not None and time.monotonic() < self._failed[0] + TRY_AGAIN_SECONDS:
            raise NotSent(str(self._failed[1])) from self._failed[1]
        try:
            return connected(
                KafkaProducer,
                self._settings,
                CONNECT_SECONDS,
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                batch_size=BATCH_BYTES,
                delivery_timeout_ms=DELIVERY_SECONDS * 1000,
                linger_ms=5,
                max_block_ms=int(CONNECT_SECONDS * 1000),
                max_request_size=RECORD_BYTES_MAX,
                metrics_enabled=False,
                reconnect_backoff_max_ms=1000,
                request_timeout_ms=int(DELIVERY_SECONDS * 500),
            )
        except BrokerUnusable as error:
            self._failed = (time.monotonic(), error)
            raise NotSent(str(error)) from error

    def _abandon(self, producer: KafkaProducer, failures: Sequence[Exception]) -> None:
        """Have the next one connect anew; what others have given this producer still has its time."""
        if all(isinstance(error, TopicAuthorizationFailedError) for error in failures):
            return
        with self._connecting:
            if self._connected is not producer:
                return
            self._connected = None
        threading.Thread(target=_close, args=(producer,), name="closing a producer", daemon=True).start()


class _Room:
    """So many bytes and no more; a request larger than all of them gets them alone."""

    def __init__(self, bytes_max: int) -> None:
        self._max, self._free = bytes_max, bytes_max
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int, deadline: float) -> Iterator[None]:
        """Take room, and give it back in the end. Raises NotSent where there is none in time."""
        wanted = min(size, self._max)
        with self._changed:
            if not self._changed.wait_for(lambda: self._free >= wanted, max(0.0, deadline - time.monotonic())):
                raise NotSent(f"{self._max - self._free} bytes are waiting for the broker already")
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


def _bytes(record: Outgoing) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers + _RECORD_OVERHEAD_BYTES


def _sent(producer: KafkaProducer, records: Sequence[Outgoing]) -> list[Any]:
    """Hand records over, up to the first that cannot be; give for each its future, or why there is none."""
    outcomes: list[Any] = []
    for each in records:
        try:
            outcome = producer.send(each.topic, each.value, each.key, each.headers, each.partition)
        except KafkaTimeoutError:
            outcome = KafkaTimeoutError(f"it does not tell where topic {each.topic} lies; see 'monitor topics show'")
        except KafkaError as error:
            outcome = error
        except ValueError as error:  # a partition that the topic does not have
            outcome = KafkaConnectionError(str(error))
        else:
            outcome = outcome.exception if outcome.failed() else outcome
        outcomes.append(outcome)
        if isinstance(outcome, Exception) and not _is_size(outcome):
            break
    return outcomes


def _is_size(outcome: Any) -> bool:
    """Tell whether a record was refused before anything was done with it.

    The broker's own refusal is not that: it ends the whole producer, and whatever waits in it fails with that error.
    """
    return isinstance(outcome, MessageSizeTooLargeError)


def _explained(error: Exception, settings: KafkaSettings) -> Exception:
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        why = "a topic takes less than a record may have, see max.message.bytes in 'monitor topics show'"
        return MessageSizeTooLargeError(why)  # type: ignore[no-any-return]  # it has no types
    return explained(error, settings)


def _awaited(sent: Any, deadline: float) -> Exception | None:
    """Wait until a record is acknowledged; give what went wrong."""
    if isinstance(sent, Exception):
        return sent
    try:
        sent.get(max(0.0, deadline + _GRACE_SECONDS - time.monotonic()))
    except KafkaError as error:
        found: Exception = error
        return found
    return None


def _close(producer: KafkaProducer) -> None:
    try:
        producer.close(DELIVERY_SECONDS + _GRACE_SECONDS)
    except KafkaTimeoutError as error:
        log.warning("records were given up unsent when a producer was closed", error=str(error))
