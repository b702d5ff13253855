"""The relay and a real broker: what is committed arrives, also when the broker is killed in between."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from kafka.consumer.fetcher import ConsumerRecord
from prometheus_client import CollectorRegistry

from monitor.ledger import Ledger
from monitor.ledger.relays import FindingMessage, RejectMessage
from monitor.verdict import finding_id
from streams.engine import Delivery, Engine
from streams.kafka import relay as relaying
from streams.kafka.partitions import partition_of
from streams.kafka.producing import Producer
from streams.kafka.relay import Relay, RelayMeters, RelayThread
from tests.databases import ledger_url
from tests.kafka import KafkaBroker, KafkaServer
from tests.owned import STREAM, owned
from tests.small_centre import RULEBOOK, assess_plainly, at, delivered, event

CASES = 60
SECONDS = 60


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give the engine of the one partition of a deployment's ledger."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(RULEBOOK)
        with owned(ledger) as partitions:
            yield partitions.engine(assess_plainly)


def find(engine: Engine, first: int, cases: int) -> None:
    """Have some cases found late, and then a finish of each disprove it."""
    names = [f"c{number}" for number in range(first, first + cases)]
    engine.process(delivered(*(event(case=name) for name in names)), at(9))
    engine.process(delivered(*(event("finish", case=name, time=at(1)) for name in names)), at(9))


def by_finding(records: list[ConsumerRecord]) -> dict[str, list[FindingMessage]]:
    """Sort the messages of the topic by finding, in the order they have there."""
    told: dict[str, list[FindingMessage]] = defaultdict(list)
    for record in records:
        message = msgspec.json.decode(record.value, type=FindingMessage)
        assert record.key.decode() == message.id
        told[message.id].append(message)
    return told


def test_each_finding_has_its_messages_in_the_partition_of_its_key(engine: Engine, kafka: KafkaBroker) -> None:
    """Raise and withdrawal of every finding are there in this order, and every reject in its own topic."""
    findings, rejected = kafka.make_topic(4), kafka.make_topic(1)
    find(engine, 0, CASES)
    engine.process([Delivery(b"{", at(9), bound_source="hall")], at(9))
    settings = kafka.settings(findings_topic=findings, rejected_topic=rejected)
    with closing(Producer(settings)) as producer:
        assert Relay(engine.ledger, producer, settings).relay({STREAM}) == 2 * CASES + 1
    records = kafka.read(findings)
    told = by_finding(records)
    assert {key: [message.act for message in messages] for key, messages in told.items()} == {
        finding_id(f"c{number}", "V01"): ["raise", "withdraw"] for number in range(CASES)
    }
    assert all(record.partition == partition_of(record.key.decode(), 4) for record in records)
    (reject,) = kafka.read(rejected)
    assert msgspec.json.decode(reject.value, type=RejectMessage).code == "malformed"


def test_nothing_is_lost_when_the_broker_is_killed(
    engine: Engine, own_kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed and restarted while findings come in: all arrive, and without repetitions each finding's are in order."""
    monkeypatch.setattr(relaying, "MESSAGES_MAX", 20)
    topic = own_kafka.broker.make_topic(2)
    settings = own_kafka.broker.settings(findings_topic=topic)
    with closing(Producer(settings)) as producer:
        thread = RelayThread(
            Relay(engine.ledger, producer, settings), lambda: {STREAM}, RelayMeters(CollectorRegistry())
        )
        thread.start()
        find(engine, 0, CASES)
        own_kafka.kill()
        find(engine, CASES, CASES)
        own_kafka.start()
        deadline = time.monotonic() + SECONDS
        while waiting(engine.ledger) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert thread.stop(SECONDS)
        assert thread.failure is None
    told = by_finding(own_kafka.broker.read(topic))
    assert len(told) == 2 * CASES
    for messages in told.values():
        newer = [each for number, each in enumerate(messages) if all(each.seq > one.seq for one in messages[:number])]
        assert [message.act for message in newer] == ["raise", "withdraw"]


def waiting(ledger: Ledger) -> int:
    """Count what was not relayed yet."""
    with ledger.read() as connection:
        return relaying.relays.backlog(connection, {STREAM})
