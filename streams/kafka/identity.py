"""Which topic of which cluster it is that a ledger is read from: names can be given again, ids cannot."""

from typing import Final

import msgspec

from streams.kafka.connecting import BrokerUnusable, administrator
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import described

ANSWER_SECONDS: Final = 10
"""How long the broker may take to answer."""

_TIMESTAMPS: Final = "message.timestamp.type"


class TopicUnusable(RuntimeError):
    """The topic cannot be used as it is; the message says what to do."""


class TopicMissing(TopicUnusable):
    """There is no such topic."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"there is no topic {topic}; make it with 'monitor topics create'")


class Identity(msgspec.Struct, frozen=True):
    """A topic as its broker describes it."""

    cluster: str
    topic_id: str
    partitions: int
    timestamp_type: str


def identity(settings: KafkaSettings) -> Identity:
    """Ask the broker for the topic of events. Raises KafkaError while it cannot be asked, TopicMissing."""
    with administrator(settings, ANSWER_SECONDS) as admin:
        topics = described(admin, {settings.topic: [_TIMESTAMPS]})
        cluster = admin.describe_cluster()["cluster_id"]
    if not topics:
        raise TopicMissing(settings.topic)
    (topic,) = topics
    if _TIMESTAMPS not in topic.configs:
        raise BrokerUnusable("kafka.no_configs", topic=settings.topic, user=settings.user or "-")
    return Identity(cluster, topic.id, topic.partitions, topic.configs[_TIMESTAMPS])
