"""The topic as the sink of an import and of a simulation: produced to, and read by the workers in their own time."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from kafka.errors import KafkaError

from monitor.events import Event
from monitor.ledger import Ledger
from monitor.ledger.deployment import Deployment, refuse_other
from streams.admission import Delivery, Outcome
from streams.http_sink import SinkRefused
from streams.kafka.door import Door
from streams.kafka.identity import TopicUnusable, identity
from streams.kafka.producing import Producer, Unsent
from streams.kafka.records import in_turn, outgoing
from streams.kafka.settings import KafkaSettings
from streams.simulator.posting import Posted

PATIENCE_SECONDS: Final = 300.0
"""How long a broker that does not acknowledge is tried again; what was produced twice is a duplicate, not an error."""
RETRY_SECONDS: Final = 2.0

T = TypeVar("T")


class KafkaSink:
    """Produces an import to the topic; see `streams.importer.Sink`. A delivery is accepted, or rejected and why."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def begin(self, source: str) -> None:
        """Have every partition hold the source back, before the first event of it is produced."""
        _patiently(lambda: self._door.begin_import(source))

    def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """Produce a batch; return once the broker has acknowledged it."""
        return _patiently(lambda: self._door.take(batch))

    def end(self, source: str, complete_until: datetime | None) -> None:
        """Have every partition release the hold, once it has read the events."""
        _patiently(lambda: self._door.end_import(source, complete_until))


@contextmanager
def kafka_sink(ledger: Ledger, settings: KafkaSettings) -> Iterator[KafkaSink]:
    """Connect to the topic of the workers whose ledger this is.

    Raises SinkRefused where there is no broker or no topic, LedgerError where the ledger belongs to another topic.
    """
    with _producer(settings) as (producer, partitions, deployment):
        with ledger.read() as connection:
            refuse_other(connection, deployment)
        yield KafkaSink(Door(ledger, producer, settings.topic, partitions))


class KafkaPoster:
    """Produces the live events of a simulation; `waiting` is told why each time the broker does not acknowledge."""

    def __init__(self, producer: Producer, topic: str, partitions: int, waiting: Callable[[str], None]) -> None:
        self._producer, self._topic, self._partitions, self._waiting = producer, topic, partitions, waiting

    def post(self, events: Sequence[Event]) -> Posted:
        """Produce events; return once the broker has acknowledged them all."""
        records = [
            outgoing(
                Delivery(event=event), event.case or event.source, self._topic, self._partitions, event.case is None
            )
            for event in events
        ]
        for turn in in_turn(records):
            _patiently(partial(self._producer.deliver, turn), self._waiting)
        return Posted(accepted=len(records))


@contextmanager
def kafka_poster(settings: KafkaSettings, waiting: Callable[[str], None]) -> Iterator[KafkaPoster]:
    """Connect to the topic. Raises SinkRefused where there is no broker or no topic."""
    with _producer(settings) as (producer, partitions, _):
        yield KafkaPoster(producer, settings.topic, partitions, waiting)


@contextmanager
def _producer(settings: KafkaSettings) -> Iterator[tuple[Producer, int, Deployment]]:
    try:
        topic = identity(settings)
        producer = Producer(settings)
    except (KafkaError, TopicUnusable) as error:
        raise SinkRefused(f"{settings.servers}: {error}") from error
    with closing(producer):
        deployment = Deployment(topic.cluster, topic.topic_id, settings.topic, topic.partitions, settings.group)
        yield producer, topic.partitions, deployment


def _patiently(act: Callable[[], T], waiting: Callable[[str], None] = lambda why: None) -> T:
    """Do something until the broker has acknowledged it. Raises SinkRefused when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except Unsent as error:
            if time.monotonic() >= deadline:
                raise SinkRefused(str(error)) from error
            waiting(str(error))
            time.sleep(RETRY_SECONDS)
