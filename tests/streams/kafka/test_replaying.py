"""A topic read anew ends in the ledger its events make, whatever partition, order and repetition they stand in."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.ledger import Ledger, LedgerError
from monitor.ledger.deployment import owner_of
from monitor.ledger.digest import digests
from monitor.ledger.schema import outbox, positions
from monitor.ledger.verify import verify
from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from streams.engine import Delivery, Engine
from streams.kafka.identity import TopicUnusable
from streams.kafka.partitions import partition_of
from streams.kafka.producing import Producer
from streams.kafka.records import Outgoing, instant
from streams.kafka.replaying import replay_topic
from tests.databases import ledger_url
from tests.integration import town
from tests.kafka import KafkaBroker

pytestmark = pytest.mark.usefixtures("each_database")

PARTITIONS = 3


@pytest.fixture
def rulebook(tmp_path: Path) -> Rulebook:
    """The town's rulebook."""
    return load(town.write_rulebook(tmp_path))


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with Ledger.open(ledger_url(tmp_path, "new")) as ledger:
        yield ledger


def produce(broker: KafkaBroker, topic: str) -> list[bytes]:
    """Produce the town's events: some in a wrong partition, some twice, with a heartbeat and poison behind them."""
    draw, now = random.Random(5), datetime.now(UTC).replace(microsecond=0)
    values = [json.dumps(event, ensure_ascii=False).encode() for event in town.feed(40, now, 5)]
    beat = {"id": "hb", "source": "hall", "type": "heartbeat", "time": now.isoformat()}
    beat["data"] = {"complete_until": (now - timedelta(hours=3)).isoformat()}
    values = [*values, *values[::7], b"no event", json.dumps(beat).encode()]
    records = []
    for number, value in enumerate(values):
        case = json.loads(value).get("case", "hall") if value != b"no event" else "?"
        home = draw.randrange(PARTITIONS) if number % 5 == 0 else partition_of(case, PARTITIONS)
        records.append(Outgoing(topic, home, case.encode(), value, []))
    producer = Producer(broker.settings())
    producer.deliver(records)
    producer.close()
    return values


def test_a_topic_read_anew_ends_in_the_ledger_its_events_make(
    kafka: KafkaBroker, new: Ledger, tmp_path: Path, rulebook: Rulebook
) -> None:
    """The digest is that of one engine given the same events; workers can read on from where the topic ended (I8)."""
    topic = kafka.make_topic(PARTITIONS)
    values = produce(kafka, topic)
    seen: list[tuple[int, int]] = []
    settings = kafka.settings(topic=topic)
    done = replay_topic(new, rulebook, settings, lambda at, total: seen.append((at, total)))
    records = kafka.read(topic)
    assert (done.streams, done.records, seen[-1]) == (PARTITIONS, len(values), (len(values), len(values)))
    assert done.horizon == max(instant(record.timestamp) for record in records)
    with Ledger.open(ledger_url(tmp_path, "plain"), text_key=new.folder / "texts.key") as plain:
        plain.publish(rulebook)
        engine = Engine(plain)
        engine.process([Delivery(record.value, instant(record.timestamp)) for record in records], done.horizon)
        while engine.tick(done.horizon):
            pass
        engine.close()
        later = done.horizon + timedelta(days=30)
        for horizon in (done.horizon, later):
            assert digests(plain, horizon) == digests(new, horizon)
        assert digests(plain, done.horizon).whole == done.digest
    assert verify(new).difference is None
    with new.read() as connection:
        assert owner_of(connection) is not None
        stands = dict(map(tuple, connection.execute(select(positions.c.stream, positions.c.next)).all()))
        deliveries = set(connection.execute(select(outbox.c.delivery)).scalars())
    ends = [sum(record.partition == number for record in records) for number in range(PARTITIONS)]
    assert stands == {f"{topic}/{number}": end for number, end in enumerate(ends)}
    assert deliveries == {"none"}


def test_what_cannot_be_replayed_is_refused(kafka: KafkaBroker, new: Ledger, rulebook: Rulebook) -> None:
    """A topic that keeps its producers' times, and a ledger that is not empty."""
    stated = kafka.make_topic(1, **{"message.timestamp.type": "CreateTime"})
    with pytest.raises(TopicUnusable, match="nobody knows when its events were received"):
        replay_topic(new, rulebook, kafka.settings(topic=stated))
    new.publish(rulebook)
    with pytest.raises(LedgerError, match="is not empty"):
        replay_topic(new, rulebook, kafka.settings(topic=kafka.make_topic(1)))
