"""Producing to Kafka: what the broker has acknowledged is on its disks, and nothing else is acknowledged to anybody."""

from collections.abc import Sequence
from typing import Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from streams.kafka.records import Outgoing
from streams.kafka.settings import KafkaSettings

DELIVERY_SECONDS: Final = 20.0
"""How long a record may take until the broker has it; later it is given up, and whoever sent it is told."""


class Unsent(RuntimeError):
    """The broker did not acknowledge every record; what was not may have been taken all the same."""


class Producer:
    """An idempotent producer that waits for all replicas. Any number of threads may share it."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._producer = KafkaProducer(
            **settings.client_options(),
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=DELIVERY_SECONDS * 1000,
            request_timeout_ms=int(DELIVERY_SECONDS * 500),
            max_block_ms=int(DELIVERY_SECONDS * 1000),
            linger_ms=5,
        )

    def deliver(self, records: Sequence[Outgoing]) -> None:
        """Produce records and wait until the broker has acknowledged them all. Raises Unsent."""
        try:
            sent = [
                self._producer.send(each.topic, each.value, each.key, each.headers, each.partition) for each in records
            ]
            for future in sent:
                future.get(DELIVERY_SECONDS)
        except KafkaError as error:
            raise Unsent(f"the broker did not acknowledge {len(records)} records: {error}") from error

    def partitions(self, topic: str) -> int:
        """Count the partitions of a topic. Raises Unsent while no broker tells."""
        try:
            found = self._producer.partitions_for(topic)
        except KafkaError as error:
            raise Unsent(f"no broker tells the partitions of topic {topic}: {error}") from error
        return len(found)

    def close(self) -> None:
        """Send what is waiting, and close every connection."""
        self._producer.close(DELIVERY_SECONDS)
