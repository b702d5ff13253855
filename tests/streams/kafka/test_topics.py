"""The topics on a real broker: made as they must be, never changed, their differences named."""

import asyncio
from contextlib import closing
from itertools import count

import pytest
from aiokafka import AIOKafkaConsumer

from streams.kafka.connecting import BrokerUnusable, administrator
from streams.kafka.identity import TopicMissing, identity
from streams.kafka.producing import Producer
from streams.kafka.records import Outgoing
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import Difference, Topic, TopicSettings, create, describe, differences, wanted
from tests.kafka import KafkaBroker

_numbers = count()


@pytest.fixture
def settings(kafka: KafkaBroker) -> KafkaSettings:
    """Names of topics nobody has made."""
    stem = f"topics-{next(_numbers)}"
    return kafka.settings(topic=stem, rejected_topic=f"{stem}-rejected", findings_topic=f"{stem}-findings")


def alone(**others: object) -> TopicSettings:
    """What topics are like on the one broker of the tests."""
    return TopicSettings.model_validate({"replication": 1, "partitions": 4, **others})


def remove(settings: KafkaSettings, topics: tuple[Topic, ...]) -> None:
    """Delete what a test made."""
    with administrator(settings) as admin:
        admin.delete_topics([topic.name for topic in topics])


def test_topics_are_made_so_that_nothing_is_lost(settings: KafkaSettings) -> None:
    """All three are made, keep the broker's time and thirty days, and do not differ; made once, they are left alone."""
    topics = wanted(settings, alone())
    assert create(settings, topics) == [topic.name for topic in topics]
    assert create(settings, topics) == []
    found = describe(settings, topics)
    assert differences(topics, found) == []
    events = found[0]
    assert (events.partitions, events.replication) == (4, 1)
    assert events.configs["message.timestamp.type"] == "LogAppendTime"
    assert events.configs["cleanup.policy"] == "delete"
    assert events.configs["unclean.leader.election.enable"] == "false"
    assert int(events.configs["retention.ms"]) == 30 * 24 * 3600 * 1000
    remove(settings, topics)


def test_production_asks_for_three_copies_and_two_of_them_at_once() -> None:
    """Unless told otherwise a record lies on three brokers, and two have it before it counts as taken."""
    topics = wanted(KafkaSettings(), TopicSettings())
    assert [(topic.name, topic.partitions, topic.replication) for topic in topics] == [
        ("case-events", 64, 3),
        ("case-events-rejected", 8, 3),
        ("findings", 8, 3),
    ]
    assert {topic.configs["min.insync.replicas"] for topic in topics} == {"2"}


def test_differences_are_named_and_nothing_is_changed(kafka: KafkaBroker, settings: KafkaSettings) -> None:
    """A topic somebody made otherwise is described setting by setting and stays as it is; a missing one is named."""
    kafka.make_topic(2, settings.topic, **{"message.timestamp.type": "CreateTime", "retention.ms": "1000"})
    topics = wanted(settings, alone())
    create(settings, topics[:2])
    expected = [
        Difference(settings.topic, "partitions", "2", "4"),
        Difference(settings.topic, "message.timestamp.type", "CreateTime", "LogAppendTime"),
        Difference(settings.topic, "retention.ms", "1000", str(30 * 24 * 3600 * 1000)),
        Difference(settings.findings_topic, "", "", ""),
    ]
    assert differences(topics, describe(settings, topics)) == expected
    create(settings, topics[:2])
    assert differences(topics, describe(settings, topics)) == expected


def test_topic_of_another_count_of_partitions_is_told_only_of_events(settings: KafkaSettings) -> None:
    """Nothing hangs on how many partitions the topics for others have, everything on that of the events."""
    made, topics = wanted(settings, alone()), wanted(settings, alone(partitions=5))
    create(settings, [*made[:1], *(Topic(each.name, 3, 1, each.configs) for each in made[1:])])
    assert differences(topics, describe(settings, topics)) == [Difference(settings.topic, "partitions", "4", "5")]
    remove(settings, made)


def test_too_few_brokers_are_told(settings: KafkaSettings) -> None:
    """Three copies on one broker cannot be; the error says how many brokers there are and what to set."""
    with pytest.raises(BrokerUnusable, match=r"3 brokers: the cluster has 1\. Set MONITOR_KAFKA_REPLICATION"):
        create(settings, wanted(settings, TopicSettings(partitions=1)))


def test_identity_tells_a_topic_from_its_namesake(kafka: KafkaBroker, settings: KafkaSettings) -> None:
    """A topic deleted and made again has another id on the same cluster; a missing one is told as missing."""
    with pytest.raises(TopicMissing, match="monitor topics create"):
        identity(settings)
    kafka.make_topic(3, settings.topic)
    first = identity(settings)
    with closing(kafka.admin()) as admin:
        assert first.cluster == admin.describe_cluster()["cluster_id"]
    assert (first.partitions, first.timestamp_type) == (3, "LogAppendTime")
    assert identity(settings) == first
    kafka.delete_topic(settings.topic)
    kafka.make_topic(3, settings.topic)
    second = identity(settings)
    assert second.topic_id != first.topic_id
    assert second.cluster == first.cluster


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_records_can_be_read_however_the_brokers_keep_them(kafka: KafkaBroker, codec: str) -> None:
    """The client under Faust reads every compression that a topic, or somebody's producer, may have."""
    topic = kafka.make_topic(1, **{"compression.type": codec})
    with closing(Producer(kafka.settings())) as producer:
        producer.deliver([Outgoing(topic, 0, b"c1", b"1" * 1000), Outgoing(topic, 0, b"c1", b"2" * 1000)])
    assert asyncio.run(_read_two(kafka.servers, topic)) == [b"1" * 1000, b"2" * 1000]


async def _read_two(servers: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(2)]
    finally:
        await consumer.stop()


def test_broker_that_is_not_there_is_named() -> None:
    """Without a broker the error says where it was looked for, why it failed and what to check."""
    with (
        pytest.raises(BrokerUnusable, match=r"No broker answers at 127\.0\.0\.1:9: .*ECONNREFUSED.*KAFKA_SERVERS"),
        administrator(KafkaSettings(servers="127.0.0.1:9"), 1),
    ):
        raise AssertionError
    with pytest.raises(BrokerUnusable, match="MONITOR_KAFKA_SERVERS"), administrator(KafkaSettings(), 1):
        raise AssertionError
