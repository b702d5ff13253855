"""The real Apache Kafka of the tests: it keeps what it acknowledged, is where it was, and leaves nothing behind."""

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer

from tests import kafka as started
from tests.kafka import KafkaBroker, KafkaServer, NoBroker


def test_a_killed_broker_comes_back_where_it_was_with_what_it_had(own_kafka: KafkaServer) -> None:
    """After kill -9 and a restart the same address serves the same cluster with every acknowledged record."""
    broker = own_kafka.broker
    topic = broker.make_topic(partitions=2)
    with closing(broker.admin()) as admin:
        before = admin.describe_cluster()
    with closing(KafkaProducer(bootstrap_servers=broker.servers, acks="all")) as producer:
        for number in range(100):
            producer.send(topic, str(number).encode(), partition=number % 2)
        producer.flush()
    own_kafka.restart()
    assert [int(record.value) for record in broker.read(topic)] == [*range(0, 100, 2), *range(1, 100, 2)]
    with closing(broker.admin()) as admin:
        assert admin.describe_cluster()["cluster_id"] == before["cluster_id"]


def test_topics_are_kept_apart_and_stamped_by_the_broker(kafka: KafkaBroker) -> None:
    """Each test gets a topic of its own, whose records carry the time of the append whatever the sender says."""
    topic, other = kafka.make_topic(partitions=1), kafka.make_topic(partitions=3)
    with closing(KafkaProducer(bootstrap_servers=kafka.servers, acks="all")) as producer:
        producer.send(topic, b"a past", timestamp_ms=1).get(10)
    (record,) = kafka.read(topic)
    assert record.timestamp > 1_600_000_000_000
    assert kafka.read(other) == []
    kafka.delete_topic(topic)
    with closing(kafka.admin()) as admin:
        assert topic not in admin.list_topics()


def test_broker_ends_with_its_starter(kafka: KafkaBroker) -> None:
    """A broker whose starter was killed ends by itself and leaves no folder behind."""
    program = (
        "import time; from tests.kafka import KafkaServer; print(KafkaServer().folder, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        folder = Path(starter.stdout.readline().strip())
        assert (folder / "server.properties").is_file()
        starter.kill()
    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()


def test_machine_without_jars_or_java_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the broker cannot be started the reason names what is missing and the command that brings it."""
    monkeypatch.setattr(started, "LIBRARIES", tmp_path / "nowhere")
    with pytest.raises(NoBroker, match=r"no jars of Apache Kafka in .*nowhere: .*`make tools`"):
        KafkaServer()
    monkeypatch.setattr(started, "LIBRARIES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBroker, match=r"no `java`: .*`make tools`"):
        KafkaServer()


def test_broker_that_cannot_run_says_why() -> None:
    """A setting the broker refuses stops the start at once, with the broker's own words."""
    with pytest.raises(NoBroker, match="listener name from nonsense"):
        KafkaServer({"listeners": "nonsense"})
