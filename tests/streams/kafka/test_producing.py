"""Producing to a real broker: what was acknowledged is there once, what was not is told, and nobody is in the way."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from streams.kafka import producing
from streams.kafka.producing import RECORD_BYTES_MAX, NotSent, Producer, TooLarge, Unsent
from streams.kafka.records import Outgoing
from streams.kafka.settings import KafkaSettings
from tests.kafka import KafkaBroker, KafkaServer


@pytest.fixture
def producer(kafka: KafkaBroker) -> Iterator[Producer]:
    """A producer to the shared broker."""
    with closing(Producer(kafka.settings())) as made:
        yield made


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up sooner than one would on duty."""
    monkeypatch.setattr(producing, "DELIVERY_SECONDS", 3.0)
    monkeypatch.setattr(producing, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(producing, "TRY_AGAIN_SECONDS", 0.3)


def record(topic: str, number: int, partition: int = 0, size: int = 0) -> Outgoing:
    """A record that is told from others by its number."""
    return Outgoing(topic, partition, f"k{number}".encode(), str(number).encode() + b" " * size, [("n", b"1")])


def numbers(broker: KafkaBroker, topic: str) -> Counter[int]:
    """Count how often each record is in a topic."""
    return Counter(int(each.value) for each in broker.read(topic))


def test_delivered_is_in_the_topic_in_order(kafka: KafkaBroker, producer: Producer) -> None:
    """Once deliver returns, every record lies in its partition with key and headers, in the order given."""
    topic = kafka.make_topic(2)
    assert producer.partitions(topic) == 2
    producer.deliver([record(topic, number, number % 2) for number in range(500)])
    read = kafka.read(topic)
    assert [int(each.value) for each in read] == [*range(0, 500, 2), *range(1, 500, 2)]
    assert (read[0].key, read[0].headers) == (b"k0", [("n", b"1")])


def test_many_threads_share_a_producer(kafka: KafkaBroker, producer: Producer) -> None:
    """Requests of many threads go through one producer, each is answered for its own, and all are there once."""
    topic = kafka.make_topic(4)
    with ThreadPoolExecutor(16) as threads:
        for each in [
            threads.submit(producer.deliver, [record(topic, 10 * request + number, number % 4) for number in range(10)])
            for request in range(100)
        ]:
            each.result()
    assert numbers(kafka, topic) == Counter(range(1000))


def test_killed_broker_costs_nothing_acknowledged_and_doubles_nothing(own_kafka: KafkaServer) -> None:
    """With the broker killed and restarted under load every delivery is acknowledged in the end, and there once."""
    broker = own_kafka.broker
    topic, acknowledged, stop = broker.make_topic(3), [], threading.Event()
    with closing(Producer(broker.settings())) as producer:

        def load() -> None:
            while not stop.is_set():
                first = len(acknowledged)
                batch = range(first, first + 30)
                producer.deliver([record(topic, number, number % 3) for number in batch])
                acknowledged.extend(batch)

        with ThreadPoolExecutor(1) as thread:
            loading = thread.submit(load)
            for _ in range(2):
                before = len(acknowledged)
                while len(acknowledged) < before + 300 and not loading.done():
                    time.sleep(0.01)
                own_kafka.restart()
            stop.set()
            loading.result()
    assert len(acknowledged) > 600
    assert numbers(broker, topic) == Counter(acknowledged)


def test_broker_down_at_the_start_is_told_and_found_once_it_is_there(own_kafka: KafkaServer, hasty: None) -> None:
    """Nothing is sent to a broker that is down, which is told as such; once it is up the same producer delivers."""
    topic = own_kafka.broker.make_topic(1)
    own_kafka.kill()
    with closing(Producer(own_kafka.broker.settings())) as producer:
        with pytest.raises(NotSent, match=f"No broker answers at {own_kafka.servers}"):
            producer.deliver([record(topic, 1)])
        with pytest.raises(NotSent, match="No broker answers"):
            producer.partitions(topic)
        own_kafka.start()
        time.sleep(producing.TRY_AGAIN_SECONDS)
        producer.deliver([record(topic, 2)])
    assert numbers(own_kafka.broker, topic) == Counter([2])


def test_broker_gone_for_longer_than_a_delivery_may_take(own_kafka: KafkaServer, hasty: None) -> None:
    """What is not acknowledged in time is told as not acknowledged; the next works once the broker is back."""
    broker = own_kafka.broker
    topic = broker.make_topic(1)
    with closing(Producer(broker.settings())) as producer:
        producer.deliver([record(topic, 1)])
        own_kafka.kill()
        with pytest.raises(Unsent, match="1 of 1 records were not acknowledged"):
            producer.deliver([record(topic, 2)])
        own_kafka.start()
        time.sleep(producing.TRY_AGAIN_SECONDS)
        producer.deliver([record(topic, 3)])
    found = numbers(broker, topic)
    assert (found[1], found[3]) == (1, 1)


def test_too_large_is_refused_and_the_rest_goes_on(kafka: KafkaBroker, producer: Producer) -> None:
    """A record no topic would take is named; all others of the delivery are in the topic, and so are later ones."""
    topic = kafka.make_topic(1)
    large = record(topic, 1, size=RECORD_BYTES_MAX)
    with pytest.raises(TooLarge, match="1 records are larger") as refused:
        producer.deliver([record(topic, 0), large, record(topic, 2)])
    assert refused.value.records == (large,)
    producer.deliver([record(topic, 3)])
    assert numbers(kafka, topic) == Counter([0, 2, 3])


def test_topic_that_takes_less_is_told_and_does_not_end_the_producer(kafka: KafkaBroker, producer: Producer) -> None:
    """Where somebody made the topic for smaller records, that is said; what comes later is delivered as ever."""
    topic = kafka.make_topic(1, **{"max.message.bytes": "2000"})
    with pytest.raises(Unsent, match=r"max\.message\.bytes in 'monitor topics show'"):
        producer.deliver([record(topic, 1, size=5000)])
    producer.deliver([record(topic, 2)])
    assert numbers(kafka, topic) == Counter([2])


def test_record_of_the_largest_size_is_taken_by_our_topics(kafka: KafkaBroker, producer: Producer) -> None:
    """What the producer does not refuse fits a topic as `monitor topics create` makes it."""
    topic = kafka.make_topic(1, **{"max.message.bytes": "1048588"})
    producer.deliver([record(topic, 1, size=RECORD_BYTES_MAX - 200)])
    assert numbers(kafka, topic) == Counter([1])


def test_what_waits_for_the_broker_is_bounded(
    own_kafka: KafkaServer, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the broker gone no more than the limit waits; who comes then is told that nothing was sent."""
    monkeypatch.setattr(producing, "UNACKNOWLEDGED_BYTES_MAX", 10_000)
    broker = own_kafka.broker
    topic = broker.make_topic(1)
    with closing(Producer(broker.settings())) as producer:
        producer.deliver([record(topic, 0)])
        own_kafka.kill()
        with ThreadPoolExecutor(4) as threads:
            waiting = [threads.submit(producer.deliver, [record(topic, number, size=6000)]) for number in range(3)]
        errors = [each.exception() for each in waiting]
    assert [isinstance(error, Unsent) for error in errors] == [True] * 3
    assert any(isinstance(error, NotSent) and "waiting for the broker already" in str(error) for error in errors)


def test_topic_or_partition_there_is_none_of_is_named(kafka: KafkaBroker, hasty: None) -> None:
    """Records for a topic nobody made, or a partition it does not have, are told as not acknowledged, with its name."""
    with closing(Producer(kafka.settings())) as producer:
        with pytest.raises(Unsent, match=r"3 of 3 .* where topic nowhere lies; see 'monitor topics show'"):
            producer.deliver([record("nowhere", number) for number in range(3)])
        topic = kafka.make_topic(1)
        with pytest.raises(Unsent, match=f"partition 7 for topic {topic}"):
            producer.deliver([record(topic, 1, partition=7)])
        producer.deliver([record(topic, 2)])


def test_closed_producer_takes_nothing() -> None:
    """After close, or without a broker configured, nothing is sent and that is said."""
    producer = Producer(KafkaSettings(servers="127.0.0.1:9"))
    producer.close()
    with pytest.raises(NotSent, match="closed"):
        producer.deliver([record("t", 1)])
    with closing(Producer(KafkaSettings())) as nowhere, pytest.raises(NotSent, match="MONITOR_KAFKA_SERVERS"):
        nowhere.deliver([record("t", 1)])
