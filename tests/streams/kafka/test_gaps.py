"""What the log itself does not have is told by the broker, many gaps at a time."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from streams.kafka import gaps
from streams.kafka.gaps import LogReader, Stretch
from tests.kafka import KafkaBroker, KafkaServer

TRANSACTIONS = 30


@pytest.fixture
def reader(kafka: KafkaBroker) -> Iterator[LogReader]:
    """Give a reader of a topic with two partitions: transactions of two records in each, an offset between them."""
    topic = kafka.make_topic(2)
    options = {"bootstrap_servers": kafka.servers, "transactional_id": topic, "acks": "all"}
    with closing(KafkaProducer(**options)) as producer:
        producer.init_transactions()
        for number in range(TRANSACTIONS):
            producer.begin_transaction()
            for partition in (0, 1, 0, 1):
                producer.send(topic, b"x", partition=partition)
            producer.flush()
            if number % 5 == 0:
                producer.abort_transaction()
            else:
                producer.commit_transaction()
    with closing(LogReader(kafka.settings(topic=topic))) as opened:
        yield opened


def test_a_stretch_names_its_gaps() -> None:
    """A gap is known by the offset awaited in front of it, the first one too."""
    assert Stretch(0, 3, (4, 5, 9)).gaps == {3: 4, 6: 9}
    assert Stretch(0, 4, (4, 5)).gaps == Stretch(0, 4, (0, 1)).gaps == {}
    assert (Stretch(0, 4, ()).gaps, Stretch(0, 4, ()).first) == ({}, None)


def test_one_question_tells_all_gaps(reader: LogReader) -> None:
    """Behind each transaction stands its end, which is no record, whether it was committed or broken off."""
    stretch = reader.read(0, 2)
    assert stretch.first == 3
    assert stretch.gaps == {3 * number + 2: 3 * number + 3 for number in range(TRANSACTIONS - 1)}
    assert stretch.begins == 0


def test_questions_may_come_in_any_order(reader: LogReader) -> None:
    """Each is answered from its own partition and offset, whatever the client still had under way for another."""
    for partition, offset in ((0, 60), (1, 3), (0, 3), (1, 60), (0, 60), (0, 0)):
        stretch = reader.read(partition, offset)
        assert stretch.offsets == tuple(each for each in range(offset, 3 * TRANSACTIONS) if each % 3 < 2)


def test_behind_the_end_there_is_nothing_yet(reader: LogReader) -> None:
    """Neither at the end, nor where the log has only the end of a transaction."""
    for offset in (3 * TRANSACTIONS, 3 * TRANSACTIONS - 1):
        assert reader.read(0, offset) == Stretch(0, offset, ())


def test_a_log_that_begins_later_says_so(reader: LogReader, kafka: KafkaBroker) -> None:
    """Records that were deleted are no gap: the log begins behind what was asked for."""
    place = TopicPartition(reader._settings.topic, 0)
    with closing(kafka.admin()) as admin:
        admin.delete_records({place: 30})
    assert reader.read(0, 2) == Stretch(30, 2, ())
    assert reader.read(0, 30).first == 30


def test_an_offset_behind_the_log_is_not_looked_for_elsewhere(reader: LogReader) -> None:
    """A log that is shorter than what was read of it, as a broker that lost records leaves it, has no gap there."""
    assert reader.read(0, 1000) == Stretch(0, 1000, ())
    consumer = reader._consumer
    with pytest.MonkeyPatch.context() as patch:  # it is cut after its end was asked for
        patch.setattr(consumer, "end_offsets", lambda places: dict.fromkeys(places, 2000))
        assert reader.read(0, 1000) == Stretch(0, 1000, ())


def test_after_an_error_it_connects_again(own_kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is down is an error each time; once it is back the same reader answers."""
    topic = own_kafka.broker.make_topic(1)
    with closing(KafkaProducer(bootstrap_servers=own_kafka.servers)) as producer:
        producer.send(topic, b"x", partition=0).get(10)
    monkeypatch.setattr(gaps, "LOOK_SECONDS", 2.0)
    monkeypatch.setattr(gaps, "CONNECT_SECONDS", 2.0)
    with closing(LogReader(own_kafka.broker.settings(topic=topic))) as reader:
        assert reader.read(0, 0).first == 0
        own_kafka.kill()
        for _ in range(2):
            with pytest.raises(KafkaError):
                reader.read(0, 0)
        own_kafka.start()
        assert reader.read(0, 0).first == 0
