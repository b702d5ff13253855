"""Which topic of which cluster it is that a ledger is read from: names can be given again, ids cannot."""

from typing import Final

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams.kafka.settings import KafkaSettings

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
    admin = KafkaAdminClient(**settings.client_options(), bootstrap_timeout_ms=ANSWER_SECONDS * 1000)
    try:
        described = admin.describe_topics([settings.topic])
        if not described or described[0]["error_code"]:
            raise TopicMissing(settings.topic)
        return Identity(
            admin.describe_cluster()["cluster_id"],
            described[0]["topic_id"],
            len(described[0]["partitions"]),
            _timestamp_type(admin, settings.topic),
        )
    finally:
        admin.close()


def _timestamp_type(admin: KafkaAdminClient, topic: str) -> str:
    asked = ConfigResource(ConfigResourceType.TOPIC, topic, [_TIMESTAMPS])
    told: str = admin.describe_configs([asked], config_filter="all")["topic"][topic][_TIMESTAMPS]["value"]
    return told
