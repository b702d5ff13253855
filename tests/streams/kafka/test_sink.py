"""Imports and simulations into a topic: what workers read of them, in the order in which they must read it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.events import Event
from monitor.ledger import Ledger, LedgerError
from monitor.ledger.deployment import Deployment, claim
from streams.admission import Delivery
from streams.http_sink import SinkRefused
from streams.kafka import sink
from streams.kafka.identity import identity
from streams.kafka.producing import Unsent
from streams.kafka.records import control_of, delivery, said
from streams.kafka.sink import KafkaSink, kafka_sink
from tests.kafka import KafkaBroker
from tests.monitor.commands.test_import_command import Desk
from tests.streams.logs_at_hand import RULEBOOK, log, many, row, trace, write
from tests.streams.running import new_ledger

PARTITIONS = 3


@pytest.fixture
def topic(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a topic, and configure it as an operator does."""
    name = kafka.make_topic(PARTITIONS)
    monkeypatch.setenv("MONITOR_KAFKA_SERVERS", kafka.servers)
    monkeypatch.setenv("MONITOR_KAFKA_TOPIC", name)
    return name


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk whose ledger has its rulebook."""
    made = Desk(tmp_path)
    with Ledger.open(made.url) as ledger:
        ledger.publish(RULEBOOK)
    return made


def test_an_import_is_read_between_its_begin_and_its_end(kafka: KafkaBroker, topic: str, desk: Desk) -> None:
    """In every partition; its events are a past, and what it said everything up to stands in the end."""
    result = desk.imports(write(desk.folder / "log.xes", many(30)), "--json")
    assert result.exit_code == 0, result.output
    records = kafka.read(topic)
    for partition in range(PARTITIONS):
        ours = [record for record in records if record.partition == partition]
        words = [control_of(record) for record in ours]
        assert (words[0], words[-1], set(words[1:-1])) == ("import_begin", "import_end", {None})
        assert {said(ours[0]).source, said(ours[-1]).source} == {"files"}
        assert said(ours[-1]).complete_until is not None
        assert all(delivery(record).backfill for record in ours[1:-1])
    told = json.loads(result.stdout)
    assert told["accepted"] == len(records) - 2 * PARTITIONS
    assert {"applied", "on_time"}.isdisjoint(told), "that is the workers' to find out"
    with Ledger.open(desk.url) as ledger:
        assert ledger.horizon() is None, "nothing was written here"


def test_a_row_that_cannot_be_taken_is_told_and_produced(kafka: KafkaBroker, topic: str, desk: Desk) -> None:
    """The summary names it with place and reason; the workers keep it among the rejects."""
    path = write(desk.folder / "log.xes", log(trace("c1", row("check", "soon"))))
    result = desk.imports(path, "--lang", "en")
    assert result.exit_code == 0, result.output
    assert "accepted; the workers will take them" in result.stdout
    assert "Rejected rows" in result.stdout
    assert f"Producing to topic {topic}" in result.stderr
    events = [record for record in kafka.read(topic) if control_of(record) is None]
    assert len(events) == json.loads(desk.imports(path, "--json").stdout)["events"]


def test_an_import_needs_the_broker_the_topic_and_its_ledger(
    kafka: KafkaBroker, topic: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one is missing, or the ledger is of other workers, the command says so and ends with 2."""
    path = write(desk.folder / "log.xes", many(1))
    found = identity(kafka.settings(topic=topic))
    with Ledger.open(desk.url) as ledger, ledger.write() as connection:
        claim(connection, Deployment(found.cluster, found.topic_id, topic, PARTITIONS, "theirs"))
    assert desk.imports(path).exit_code == 0, "the group that reads is no matter of who produces"
    other = kafka.make_topic(1)
    monkeypatch.setenv("MONITOR_KAFKA_TOPIC", other)
    refused = desk.imports(path, "--lang", "en")
    assert (refused.exit_code, kafka.read(other)) == (2, [])
    assert "check MONITOR_KAFKA_TOPIC" in refused.stderr
    monkeypatch.setenv("MONITOR_KAFKA_TOPIC", "nowhere")
    assert "there is no topic nowhere" in desk.imports(path, "--lang", "en").stderr
    monkeypatch.setenv("MONITOR_KAFKA_SERVERS", "")
    assert "its workers write it" in desk.imports(path, "--lang", "en").stderr


class Balking:
    """A door where the broker balks some times before it acknowledges."""

    def __init__(self, times: int) -> None:
        self.times, self.taken = times, 0

    def take(self, deliveries: Sequence[Delivery]) -> list[Any]:
        """Take deliveries at last."""
        if self.times:
            self.times -= 1
            raise Unsent("no answer")
        self.taken += len(deliveries)
        return []


def test_a_broker_that_does_not_acknowledge_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """For minutes, as its restart takes; then the import ends and says why."""
    monkeypatch.setattr(sink, "RETRY_SECONDS", 0.0)
    door: Any = Balking(3)
    KafkaSink(door).send([Delivery(b"{}")])
    assert (door.times, door.taken) == (0, 1)
    monkeypatch.setattr(sink, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(SinkRefused, match="no answer"):
        KafkaSink(Balking(1)).send([Delivery(b"{}")])  # type: ignore[arg-type]


def test_a_sink_of_another_cluster_is_refused(kafka: KafkaBroker, topic: str, tmp_path: Path) -> None:
    """What is produced there would never reach this ledger."""
    settings = kafka.settings(topic=topic)
    with new_ledger(tmp_path) as ledger:
        with ledger.write() as connection:
            claim(connection, Deployment("elsewhere", "id", topic, PARTITIONS, "supervision"))
        with pytest.raises(LedgerError, match="check MONITOR_KAFKA_SERVERS"), kafka_sink(ledger, settings):
            pass


def test_a_simulation_runs_into_the_topic(kafka: KafkaBroker, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --to its events go where the broker is; it says how many, and each is in its case's partition."""
    seen: list[Event] = []

    def some(self: Any, instant: object) -> list[Event]:
        if seen:
            raise KeyboardInterrupt
        seen.extend(self._heartbeats(self._now))
        return seen

    monkeypatch.setattr("streams.simulator.LiveCentre.events_until", some)
    result = CliRunner().invoke(app, ["simulate", "--live", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["accepted"] == len(seen) > 0
    assert {record.key.decode() for record in kafka.read(topic)} == {event.source for event in seen}
