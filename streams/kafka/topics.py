"""The topics: what each must be like for nothing to be lost, making those that are missing, and where others differ.

A topic that is there is never changed: whoever runs the cluster decides that, and `differences` says what to decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    InvalidReplicationFactorError,
    NoError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.kafka.connecting import BrokerUnusable, administrator
from streams.kafka.settings import KafkaSettings

DAY_MS: Final = 24 * 60 * 60 * 1000

OTHER_PARTITIONS: Final = 8
"""Of the topics that tell others; nothing depends on how many they are, so topics with more or fewer are well."""

RECORD_BYTES_MAX: Final = 1_048_588
"""The largest batch a topic takes: Kafka's own default, stated because a cluster may have another."""

Compression = Literal["producer", "uncompressed", "gzip", "lz4", "snappy", "zstd"]


class TopicSettings(BaseSettings):
    """What new topics are made like, and existing ones compared with; from the environment, `MONITOR_KAFKA_…`."""

    model_config = SettingsConfigDict(env_prefix="MONITOR_KAFKA_", env_file=".env", extra="ignore")

    partitions: int = Field(default=64, ge=1, le=10_000)
    """Of the topic of events, for good: a case stays in its partition, so more of them means another topic and ledger.
    No more than so many workers share the work."""
    replication: int = Field(default=3, ge=1, le=32_767)
    """On how many brokers each record lies."""
    min_insync: int = Field(default=2, ge=1, le=32_767)
    """How many of them must have a record before it counts as taken."""
    retention_days: int = Field(default=30, ge=1, le=36_500)
    """How long records stay. Longer than workers can be down unnoticed: the longest public holidays are nine days, with
    the same again to notice, to repair and to catch up. The past beyond is in the ledger."""
    compression: Compression = "producer"
    """How the brokers keep records; `producer`: as they were sent."""


class Topic(msgspec.Struct, frozen=True):
    """A topic as it should be. The count of partitions is only for its making where it is `any_count`."""

    name: str
    partitions: int
    replication: int
    configs: dict[str, str]
    any_count: bool = False


class Difference(msgspec.Struct, frozen=True):
    """What an existing topic has otherwise; without a setting: there is no such topic."""

    topic: str
    setting: str
    found: str
    expected: str


class Described(msgspec.Struct, frozen=True):
    """A topic as it is; a setting that the broker does not tell is not in `configs`."""

    name: str
    id: str
    partitions: int
    replication: int
    configs: dict[str, str]


def wanted(kafka: KafkaSettings, settings: TopicSettings) -> tuple[Topic, ...]:
    """Say what the three topics should be like."""
    common = {
        "cleanup.policy": "delete",
        "compression.type": settings.compression,
        "max.message.bytes": str(RECORD_BYTES_MAX),
        "min.insync.replicas": str(min(settings.min_insync, settings.replication)),
        "retention.bytes": "-1",
        "retention.ms": str(settings.retention_days * DAY_MS),
        "unclean.leader.election.enable": "false",
    }
    events = {**common, "message.timestamp.type": "LogAppendTime"}
    return (
        Topic(kafka.topic, settings.partitions, settings.replication, events),
        Topic(kafka.rejected_topic, OTHER_PARTITIONS, settings.replication, common, any_count=True),
        Topic(kafka.findings_topic, OTHER_PARTITIONS, settings.replication, common, any_count=True),
    )


def create(kafka: KafkaSettings, topics: Sequence[Topic]) -> list[str]:
    """Make the topics that are missing, and name them. Raises BrokerUnusable."""
    with administrator(kafka) as admin:
        there = {topic.name for topic in described(admin, _settings(topics))}
        missing = [topic for topic in topics if topic.name not in there]
        for topic in missing:
            _create(admin, kafka, topic)
        return [topic.name for topic in missing]


def describe(kafka: KafkaSettings, topics: Sequence[Topic]) -> list[Described]:
    """Tell what those of the topics that exist are like. Raises BrokerUnusable."""
    with administrator(kafka) as admin:
        return described(admin, _settings(topics))


def differences(topics: Sequence[Topic], found: Sequence[Described]) -> list[Difference]:
    """Compare the topics there are with those there should be."""
    existing = {topic.name: topic for topic in found}
    return [
        difference
        for topic in topics
        for difference in (
            _differences(topic, existing[topic.name])
            if topic.name in existing
            else [Difference(topic.name, "", "", "")]
        )
    ]


def _differences(topic: Topic, found: Described) -> list[Difference]:
    pairs = [("replication", str(found.replication), str(topic.replication))]
    if not topic.any_count:
        pairs.append(("partitions", str(found.partitions), str(topic.partitions)))
    pairs += [(name, found.configs.get(name, "?"), value) for name, value in sorted(topic.configs.items())]
    return [Difference(topic.name, name, is_, should) for name, is_, should in pairs if is_ != should]


def described(admin: KafkaAdminClient, topics: Mapping[str, Iterable[str]]) -> list[Described]:
    """Tell what topics are like; of each that exists the settings named. Raises KafkaError."""
    there = []
    for told in admin.describe_topics(list(topics)):
        error = for_code(told["error_code"])
        if error is NoError:
            there.append(told)
        elif error is not UnknownTopicOrPartitionError:
            raise error(told["name"])
    if not there:
        return []
    asked = [ConfigResource(ConfigResourceType.TOPIC, told["name"], sorted(topics[told["name"]])) for told in there]
    configs = admin.describe_configs(asked, config_filter="all").get("topic", {})
    return [
        Described(
            told["name"],
            str(told["topic_id"]),
            len(told["partitions"]),
            min(len(partition["replica_nodes"]) for partition in told["partitions"]),
            {name: config["value"] for name, config in configs.get(told["name"], {}).items()},
        )
        for told in there
    ]


def _settings(topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    return {topic.name: topic.configs for topic in topics}


def _create(admin: KafkaAdminClient, kafka: KafkaSettings, topic: Topic) -> None:
    made = {
        "num_partitions": topic.partitions,
        "replication_factor": topic.replication,
        "configs": topic.configs,
    }
    try:
        admin.create_topics({topic.name: made}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return  # somebody else was quicker; what they made is compared all the same
    except InvalidReplicationFactorError as error:
        brokers = len(admin.describe_cluster()["brokers"])
        raise BrokerUnusable(
            "kafka.too_few_brokers", topic=topic.name, replication=topic.replication, brokers=brokers
        ) from error
    except PolicyViolationError as error:
        raise BrokerUnusable("kafka.policy", topic=topic.name, detail=type(error).__name__) from error
    except AuthorizationError as error:
        raise BrokerUnusable(
            "kafka.may_not_create", topic=topic.name, user=kafka.user or "-", detail=type(error).__name__
        ) from error
