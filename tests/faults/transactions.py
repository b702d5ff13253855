"""A producer that sends in transactions, each of which leaves an offset with nothing in it, and some of which fail."""

from collections.abc import Sequence
from itertools import count
from typing import Final

from kafka import KafkaProducer

from streams.kafka.producing import Producer
from streams.kafka.records import Outgoing
from streams.kafka.settings import KafkaSettings

ABORTED_EVERY: Final = 5
"""One transaction in so many is broken off and tried again."""


class TransactionalProducer(Producer):
    """Delivers every run of records in a transaction of its own. Belongs to one thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings)
        self._numbers = count(1)
        self._transactional = KafkaProducer(
            **settings.client_options(), transactional_id=settings.topic, acks="all", linger_ms=5
        )
        self._transactional.init_transactions()

    def deliver(self, records: Sequence[Outgoing]) -> None:
        """Produce records in one transaction, now and then at the second attempt."""
        if next(self._numbers) % ABORTED_EVERY == 0:
            self._begin(records)
            self._transactional.abort_transaction()
        self._begin(records)
        self._transactional.commit_transaction()

    def close(self) -> None:
        """Close every connection."""
        self._transactional.close()
        super().close()

    def _begin(self, records: Sequence[Outgoing]) -> None:
        self._transactional.begin_transaction()
        for each in records:
            self._transactional.send(each.topic, each.value, each.key, each.headers, each.partition)
        self._transactional.flush()
