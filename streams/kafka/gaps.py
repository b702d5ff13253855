"""Whether offsets that were not delivered are missing in the log itself: asked of the broker, not inferred."""

import time
from collections.abc import Callable
from typing import Final

from kafka import KafkaConsumer, TopicPartition

from streams.kafka.connecting import connected
from streams.kafka.settings import KafkaSettings

LOOK_SECONDS: Final = 10.0

FirstOffset = Callable[[int, int], int | None]
"""Given a partition and an offset: the offset of the first record there or behind it; None: there is none yet."""


def first_offset(settings: KafkaSettings, partition: int, offset: int) -> int | None:
    """Read the log of a partition from an offset with a client of its own, up to its first record.

    Where that offset is not in the log any more, its first record is what is found. Raises KafkaError.
    """
    place = TopicPartition(settings.topic, partition)
    consumer = connected(KafkaConsumer, settings, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        consumer.assign([place])
        end = consumer.end_offsets([place])[place]
        consumer.seek(place, offset)
        deadline = time.monotonic() + LOOK_SECONDS
        while consumer.position(place) < end and time.monotonic() < deadline:
            for record in consumer.poll(timeout_ms=200, max_records=1).get(place, []):
                found: int = record.offset
                return found
        return None
    finally:
        consumer.close()
