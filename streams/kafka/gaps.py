"""Whether offsets that were not delivered are missing in the log itself: asked of the broker, not inferred."""

import time
from typing import Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from streams.kafka.connecting import CONNECT_SECONDS, connected
from streams.kafka.settings import KafkaSettings

LOOK_SECONDS: Final = 10.0
"""How long a broker may take for each part of an answer."""
RECORDS_MAX: Final = 2_000
FETCH_BYTES_MAX: Final = 1024 * 1024


class Stretch(NamedTuple):
    """A stretch of a partition's log, as it was read from an offset on: the offsets at which records stand.

    `begins` is where the log began after that: a gap found in front of it may be records that were deleted.
    """

    begins: int
    asked: int
    offsets: tuple[int, ...]

    @property
    def first(self) -> int | None:
        """The offset of the first record; None: there is none yet."""
        return self.offsets[0] if self.offsets else None

    @property
    def gaps(self) -> dict[int, int]:
        """Where an offset is awaited that has no record: that of the next record."""
        awaited = (self.asked, *(offset + 1 for offset in self.offsets))
        return {each: offset for each, offset in zip(awaited, self.offsets, strict=False) if each < offset}


class LogReader:
    """Reads what stands in the log itself, with a client of its own. Belongs to one thread at a time.

    It stays connected between questions: a log that was written in transactions has a gap behind each of them.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._consumer: Any = None

    def read(self, partition: int, offset: int) -> Stretch:
        """Read the log of a partition from an offset on, up to its end or some thousand records.

        Where that offset is not in the log any more, nothing is found: `begins` tells why. Raises KafkaError.
        """
        try:
            return self._read(TopicPartition(self._settings.topic, partition), offset)
        except BaseException:
            self.close()  # whatever it is in the middle of
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _read(self, place: TopicPartition, offset: int) -> Stretch:
        if self._consumer is None:
            self._consumer = connected(
                KafkaConsumer,
                self._settings,
                CONNECT_SECONDS,
                enable_auto_commit=False,
                auto_offset_reset="none",  # else it would read on elsewhere, which looks like a gap
                max_poll_records=RECORDS_MAX,
                max_partition_fetch_bytes=FETCH_BYTES_MAX,
                request_timeout_ms=1000 * LOOK_SECONDS,
                metadata_max_age_ms=1_000,  # a leader that moved meanwhile would be asked again and again
            )
        self._consumer.assign([place])
        self._consumer.seek(place, offset)
        end = self._consumer.end_offsets([place])[place]
        try:
            offsets = self._offsets(place, end)
        except OffsetOutOfRangeError:
            offsets = ()
        self._consumer.assign([])
        return Stretch(self._consumer.beginning_offsets([place])[place], offset, offsets)

    def _offsets(self, place: TopicPartition, end: int) -> tuple[int, ...]:
        deadline = time.monotonic() + LOOK_SECONDS
        while self._consumer.position(place) < end and time.monotonic() < deadline:
            if records := self._consumer.poll(timeout_ms=200).get(place):
                return tuple(record.offset for record in records)
        return ()
