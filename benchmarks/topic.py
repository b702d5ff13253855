"""A topic of single-event JSON records, as approval systems produce them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from kafka import KafkaProducer
from msgspec.structs import replace

from monitor.events import Event, content
from streams.kafka.partitions import partition_of
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import TopicSettings, create, wanted

PARTITIONS: Final = 64
"""As `monitor topics create` makes them."""
SIMULATED: Final = "CreateTime"
YEARS_MS: Final = 10 * 366 * 86_400_000


def make(settings: KafkaSettings, *, simulated: bool = False) -> None:
    """Make the topics as `monitor topics create` does on one broker; `simulated`: each event dated by its producer.

    By such dates time passes for who reads the topic as it passed in the simulated past, however long ago that was. A
    fetch does not reach beyond a segment of the log, and by such dates a new one would begin every few records.
    """
    events, *others = wanted(settings, TopicSettings(partitions=PARTITIONS, replication=1))
    if simulated:
        configs = {
            **events.configs,
            "message.timestamp.type": SIMULATED,
            "retention.ms": "-1",
            "segment.ms": str(YEARS_MS),
        }
        events = replace(events, configs=configs)
    create(settings, [events, *others])


def fill(settings: KafkaSettings, events: Iterable[Event]) -> int:
    """Produce events in their order, dated when they were recorded; return how many."""
    produced = 0
    with producing(settings, linger_ms=20, batch_size=64 * 1024) as produce:
        for event in events:
            produce(event)
            produced += 1
    return produced


@contextmanager
def producing(settings: KafkaSettings, **options: Any) -> Iterator[Callable[[Event], None]]:
    """Give a way to produce events; at the end all of them are there, or an error is raised."""
    failed: list[Exception] = []
    producer = KafkaProducer(**settings.client_options(), acks="all", **options)

    def produce(event: Event) -> None:
        key = event.case or event.source
        partition, at = partition_of(key, PARTITIONS), int((event.recorded or event.time).timestamp() * 1000)
        sent = producer.send(settings.topic, content(event), key.encode(), partition=partition, timestamp_ms=at)
        sent.add_errback(failed.append)

    with closing(producer):
        yield produce
        producer.flush()
    if failed:
        raise failed[0]
