"""The pulse of a partition: a record a second from its owner, so that its horizon moves while no events come.

The broker stamps it with its append time, and whatever was appended before it was read before it: that is what makes
an absence judgeable. A pulse of somebody who does not own the partition any more does no harm.
"""

import threading
import time
from collections.abc import Collection
from typing import Any, Final

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.kafka.connecting import connected
from streams.kafka.records import Control, control
from streams.kafka.settings import KafkaSettings

log = structlog.get_logger(__name__)

PULSE_SECONDS: Final = 1.0
GIVEN_UP_SECONDS: Final = 5.0
"""A pulse that did not arrive by then is of no use: later ones say more."""


class Pulses:
    """Sends a pulse to each of `partitions` every second, from a thread of its own.

    `ends` are the offsets at which they landed: each the last of its partition, at that moment.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self.partitions: Collection[int] = ()
        self.ends: dict[int, int] = {}
        self.failure: BaseException | None = None
        self._settings = settings
        self._landed: dict[int, tuple[int, float]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulses", daemon=True)

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def stop(self) -> None:
        """Stop sending."""
        self._stopping.set()
        self._thread.join(GIVEN_UP_SECONDS)

    def beat_for(self, partitions: Collection[int]) -> None:
        """Send to these partitions from now on, and to no others."""
        self.partitions = tuple(partitions)
        self._landed.clear()
        self.ends.clear()

    def is_unread(self, partition: int, position: int, before: float) -> bool:
        """Tell whether a pulse that arrived before an instant of the monotonic clock lies at or behind a position."""
        known = self._landed.get(partition)
        if known is not None and known[0] < position:
            self._landed.pop(partition, None)  # read; the next to arrive counts
            return False
        return known is not None and known[1] < before

    def _run(self) -> None:
        try:
            self._send_until_stopped()
        except BaseException as failure:
            self.failure = failure
            log.critical("the pulses failed; no deadline passes any more", exc_info=failure)

    def _send_until_stopped(self) -> None:
        producer: KafkaProducer | None = None
        failing = False
        while not self._stopping.wait(PULSE_SECONDS):
            try:
                producer = producer or self._connect()
                for partition in self.partitions:
                    self._send(producer, partition)
                producer.flush(GIVEN_UP_SECONDS)
            except KafkaError as error:
                if not failing:
                    log.warning("no pulse could be sent; the horizon stands until one can", error=str(error))
                failing = True
            else:
                failing = False
        if producer is not None:
            producer.close(GIVEN_UP_SECONDS)

    def _connect(self) -> KafkaProducer:
        return connected(
            KafkaProducer,
            self._settings,
            GIVEN_UP_SECONDS,
            acks=1,
            enable_idempotence=False,
            request_timeout_ms=int(GIVEN_UP_SECONDS * 1000) - 1000,
            delivery_timeout_ms=int(GIVEN_UP_SECONDS * 1000),
            max_block_ms=int(GIVEN_UP_SECONDS * 1000),
        )

    def _send(self, producer: KafkaProducer, partition: int) -> None:
        record = control(Control.PULSE, self._settings.topic, partition)
        sent = producer.send(record.topic, record.value, record.key, record.headers, record.partition)

        def note(told: Any) -> None:
            # The first one not read yet is what counts: whoever reads it forgets it.
            self.ends[partition] = told.offset
            self._landed.setdefault(partition, (told.offset, time.monotonic()))

        sent.add_callback(note)
