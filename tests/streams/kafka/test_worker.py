"""The worker as a process: what it takes, what it refuses, and how it ends."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from msgspec.structs import replace

from monitor.events import Event, content
from monitor.ledger import Ledger
from monitor.ledger.schema import journal, positions
from monitor.ledger.verify import verify
from streams.admission import Delivery
from streams.engine import Engine
from streams.kafka.producing import Producer
from streams.kafka.records import outgoing
from streams.kafka.settings import KafkaSettings
from tests.databases import PostgresDatabases
from tests.integration.program import run, started
from tests.kafka import KafkaBroker
from tests.small_centre import RULEBOOK, event

PARTITIONS = 3
SECONDS = 60


class City:
    """A topic, a ledger on PostgreSQL, and workers that can be started."""

    def __init__(self, broker: KafkaBroker, ledger: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broker, self.ledger, self.folder = broker, ledger, folder
        self.topic = broker.make_topic(PARTITIONS)
        self._monkeypatch = monkeypatch
        self.configure(SERVERS=broker.servers, TOPIC=self.topic, GROUP=self.topic, SESSION_SECONDS="6")
        with Ledger.open(ledger, folder=folder) as book:
            book.publish(RULEBOOK)

    def configure(self, **settings: str) -> None:
        """Set MONITOR_KAFKA_… for the processes started from now on."""
        for name, value in settings.items():
            self._monkeypatch.setenv(f"MONITOR_KAFKA_{name}", value)

    def worker(self) -> "subprocess.Popen[str]":
        """Start a worker."""
        return started("-m", "monitor.cli", "worker", "--ledger", self.ledger, log=self.folder / "worker.log")

    def said(self) -> list[dict[str, Any]]:
        """Read what workers logged."""
        lines = (self.folder / "worker.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def produce(self, events: list[Event]) -> None:
        """Put events into the topic."""
        with closing(Producer(KafkaSettings())) as producer:
            producer.deliver(
                [outgoing(Delivery(content(each)), each.case or each.source, self.topic, PARTITIONS) for each in events]
            )

    def journalled(self) -> set[tuple[str, str]]:
        """Name the events in the journal."""
        with Ledger.open(self.ledger, folder=self.folder) as book, book.read() as connection:
            return {(row.case, row.id) for row in connection.execute(journal.select())}


@pytest.fixture
def city(
    kafka: KafkaBroker, postgres: PostgresDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[City]:
    """Give a city whose ledger nobody has written yet."""
    monkeypatch.setenv("MONITOR_DATA", str(tmp_path))
    with postgres.empty() as url:
        yield City(kafka, url, tmp_path, monkeypatch)


def eventually(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def applications(count: int) -> list[Event]:
    """Give applications made a moment ago."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    return [replace(event("apply", f"case-{number}"), time=now) for number in range(count)]


def ended(process: "subprocess.Popen[str]", seconds: float = SECONDS) -> int:
    """Wait until a process has ended; give its status."""
    status = process.wait(seconds)
    assert process.stdout is not None
    process.stdout.close()
    return status


def test_workers_take_every_event_once_between_them(city: City) -> None:
    """Two workers share the partitions; every event is in the ledger once, and each worker ends when it is told to."""
    events = applications(60)
    city.produce(events[:30])
    workers = [city.worker(), city.worker()]
    eventually(lambda: len(city.journalled()) == 30)
    city.produce(events[30:])
    eventually(lambda: len(city.journalled()) == 60)
    for process in workers:
        process.send_signal(signal.SIGTERM)
    assert [ended(process, 10) for process in workers] == [0, 0]
    with Ledger.open(city.ledger, folder=city.folder) as book:
        checked = verify(book)
        assert (checked.difference, checked.events) == (None, 60)
        with book.read() as connection:
            streams = {row.stream for row in connection.execute(positions.select())}
    assert streams == {f"{city.topic}/{partition}" for partition in range(PARTITIONS)}
    owned = [line["partitions"] for line in city.said() if line["event"] == "ready"]
    assert owned
    assert all(set(partitions) <= set(range(PARTITIONS)) for partitions in owned)


def test_deadline_passes_without_an_event(city: City) -> None:
    """While nothing is sent, time passes in every partition all the same."""
    city.produce(applications(6))
    process = city.worker()
    eventually(lambda: len(city.journalled()) == 6)

    def horizons() -> list[datetime]:
        with Ledger.open(city.ledger, folder=city.folder) as book, book.read() as connection:
            return [row.horizon for row in connection.execute(positions.select())]

    begun = datetime.now(UTC)
    eventually(lambda: len(horizons()) == PARTITIONS and min(horizons()) > begun)
    process.send_signal(signal.SIGTERM)
    assert ended(process, 10) == 0


def test_recreated_topic_is_refused_until_it_is_accepted(city: City, capsys: pytest.CaptureFixture[str]) -> None:
    """A topic deleted and made again ends the worker with the remedy; accepted with a reason, it is read on from."""
    events = applications(20)
    city.produce(events[:10])
    process = city.worker()
    eventually(lambda: len(city.journalled()) == 10)
    city.broker.delete_topic(city.topic)
    city.broker.make_topic(PARTITIONS, city.topic)
    city.produce(events[10:])
    assert ended(process) == 2
    assert any("deleted and made again" in line["event"] or "no topic" in line["event"] for line in city.said())
    assert len(city.journalled()) == 10
    assert ended(city.worker()) == 2
    assert len(city.journalled()) == 10

    found = run("positions", "accept", "--ledger", city.ledger, "--json", code=1)
    assert (found["recreated"], found["accepted"]) == (True, False)
    accepted = run("positions", "accept", "--ledger", city.ledger, "--reason", "restored from nothing", "--json")
    assert accepted["accepted"]
    process = city.worker()
    eventually(lambda: len(city.journalled()) == 20)
    process.send_signal(signal.SIGTERM)
    assert ended(process, 10) == 0
    with Ledger.open(city.ledger, folder=city.folder) as book:
        assert verify(book).difference is None


def test_another_group_is_refused_the_ledger(city: City) -> None:
    """A second deployment on the same ledger by mistake is told whose it is, and changes nothing."""
    process = city.worker()
    eventually(lambda: any(line["event"] == "ready" for line in city.said()))
    city.configure(GROUP="another")
    assert ended(city.worker()) == 2
    assert "check MONITOR_KAFKA_GROUP" in (city.folder / "worker.log").read_text(encoding="utf-8")
    process.send_signal(signal.SIGTERM)
    assert ended(process, 10) == 0


def test_topic_with_the_times_of_its_producers_is_refused(city: City) -> None:
    """Deadlines are judged by when the broker received an event; a topic that keeps other times cannot be used."""
    topic = city.broker.make_topic(PARTITIONS, **{"message.timestamp.type": "CreateTime"})
    city.configure(TOPIC=topic)
    assert ended(city.worker()) == 2
    assert "message.timestamp.type=LogAppendTime" in (city.folder / "worker.log").read_text(encoding="utf-8")


def test_worker_ends_when_its_topic_takes_the_times_of_producers(city: City) -> None:
    """Once a producer could say when it is, and so make cases late, the worker ends and names the setting."""
    process = city.worker()
    eventually(lambda: any(line["event"] == "ready" for line in city.said()))
    with closing(city.broker.admin()) as admin:
        changed = {"message.timestamp.type": "CreateTime"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, city.topic, changed)])
    assert ended(process) == 2
    assert any("message.timestamp.type=LogAppendTime" in line["event"] for line in city.said())


def test_worker_without_a_broker_is_told_how_to_name_one(city: City) -> None:
    """Where no broker is configured the command says so."""
    city.configure(SERVERS="")
    assert ended(city.worker()) == 2
    assert "MONITOR_KAFKA_SERVERS" in (city.folder / "worker.log").read_text(encoding="utf-8")


def test_partition_taken_over_by_nobody_of_the_group_is_taken_back(city: City) -> None:
    """Who overtakes a worker without the group's word and then goes leaves no partition that nobody reads."""
    process = city.worker()
    city.produce(applications(1))
    eventually(lambda: len(city.journalled()) == 1)
    with Ledger.open(city.ledger, folder=city.folder) as book:
        lease = book.lease(shared=True)
        for partition in range(PARTITIONS):
            Engine(book, f"{city.topic}/{partition}", lease=lease)
        lease.release()
    city.produce(applications(12))
    eventually(lambda: len(city.journalled()) == 12)
    assert any("taken back" in line["event"] for line in city.said())
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 0
