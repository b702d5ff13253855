"""The topic of a distributed monitor as the destination, on a real broker."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka.errors import KafkaError

from monitor.events import decode
from streams.emit import Emitter
from streams.emit.destinations import Stopped, Unreachable
from streams.emit.producing import KafkaDestination
from streams.kafka.connecting import BrokerUnusable
from streams.kafka.partitions import partition_of
from streams.kafka.settings import KafkaSettings
from tests.kafka import KafkaBroker, KafkaServer
from tests.streams.emit.receivers import applied, beat, first_times

SECONDS = 60.0

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
"""Kafka's client leaves the socket of a refused connection to the garbage collector."""


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    """Collect it here, where that is known."""
    yield
    gc.collect()


def by_case(values: list[bytes]) -> dict[str | None, list[bytes]]:
    """Sort events by their case, in the order they come."""
    found: dict[str | None, list[bytes]] = {}
    for value in values:
        found.setdefault(decode(value).case, []).append(value)
    return found


def test_events_go_to_the_partition_of_their_case(kafka: KafkaBroker, tmp_path: Path) -> None:
    """Keyed by it, in their order; a heartbeat goes to that of its source."""
    topic = kafka.make_topic(4)
    events = [applied(number, f"c{number % 9}") for number in range(90)]
    with Emitter(KafkaDestination(topic, kafka.settings()), tmp_path / "spool.sqlite") as emitter:
        emitter.emit_all([*events, beat(1)])
        assert emitter.flush(SECONDS)
    records = kafka.read(topic)
    assert by_case([record.value for record in records]) == by_case([*events, beat(1)])
    for record in records:
        key = decode(record.value).case or "hall"
        assert (record.key, record.partition) == (key.encode(), partition_of(key, 4))


def test_a_topic_that_is_not_there_is_waited_for(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that starts may not know its topics yet: it is worth another try."""
    monkeypatch.setattr("streams.kafka.producing.CONNECT_SECONDS", 1.0)
    to = KafkaDestination("absent", kafka.settings())
    with pytest.raises(Unreachable, match=r"kafka://absent.*partitions of topic absent"):
        to.deliver([applied(1)])
    to.close()


@pytest.mark.timeout(180)
def test_a_broker_that_was_down_gets_everything_in_order(own_kafka: KafkaServer, tmp_path: Path) -> None:
    """Down at the start, killed with events under way: afterwards every case has its events, in their order."""
    topic = own_kafka.broker.make_topic(4)
    events = [applied(number, f"c{number % 7}") for number in range(210)]
    own_kafka.kill()
    with Emitter(KafkaDestination(topic, own_kafka.broker.settings()), tmp_path / "spool.sqlite") as emitter:
        emitter.emit_all(events[:70])
        assert not emitter.flush(0.5)
        own_kafka.start()
        assert emitter.flush(SECONDS)
        for each in events[70:140]:
            emitter.emit(each)
        own_kafka.kill()
        emitter.emit_all(events[140:])
        own_kafka.start()
        assert emitter.flush(SECONDS)
    arrived = by_case([record.value for record in own_kafka.broker.read(topic)])
    assert {case: first_times(values) for case, values in arrived.items()} == by_case(events)


def test_a_broker_that_refuses_stops_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password or missing rights are put right by people; that nobody answers is not."""

    def failing(error: KafkaError) -> Callable[..., None]:
        def connect(*arguments: object, **options: object) -> None:
            raise error

        return connect

    to = KafkaDestination("case-events", KafkaSettings(servers="127.0.0.1:9", user="hall"))
    who = {"servers": "127.0.0.1:9", "user": "hall", "mechanism": "-", "security": "-", "detail": "no"}
    monkeypatch.setattr("streams.kafka.producing.TRY_AGAIN_SECONDS", 0.0)
    for key, expected in (("kafka.credentials", Stopped), ("kafka.unreachable", Unreachable)):
        monkeypatch.setattr("streams.kafka.producing.connected", failing(BrokerUnusable(key, **who)))
        with pytest.raises(expected, match="kafka://case-events"):
            to.deliver([applied(1)])
    to.close()


def test_without_a_broker_named_nothing_begins(tmp_path: Path) -> None:
    """The message names the variable to set."""
    with pytest.raises(ValueError, match="set MONITOR_KAFKA_SERVERS"):
        KafkaDestination("case-events", KafkaSettings())
    with pytest.raises(ValueError, match="set MONITOR_KAFKA_SERVERS"):
        Emitter("kafka://case-events", tmp_path / "spool.sqlite")
