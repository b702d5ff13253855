"""`monitor topics` as an operator uses it."""

import json
from itertools import count

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from tests.kafka import KafkaBroker

_numbers = count()


@pytest.fixture
def broker(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> KafkaBroker:
    """A broker that the environment names, and names of topics nobody has made."""
    stem = f"command-{next(_numbers)}"
    monkeypatch.setenv("MONITOR_KAFKA_SERVERS", kafka.servers)
    monkeypatch.setenv("MONITOR_KAFKA_TOPIC", stem)
    monkeypatch.setenv("MONITOR_KAFKA_REJECTED_TOPIC", f"{stem}-rejected")
    monkeypatch.setenv("MONITOR_KAFKA_FINDINGS_TOPIC", f"{stem}-findings")
    return kafka


def topics(*arguments: str) -> Result:
    """Run `monitor topics` in English."""
    return CliRunner().invoke(app, ["topics", *arguments, "--lang", "en"])


def test_create_makes_what_is_missing_and_says_so(broker: KafkaBroker) -> None:
    """The first run makes three topics and succeeds, the second makes none; show has id, partitions and settings."""
    made = topics("create", "--partitions", "3", "--replication", "1")
    assert made.exit_code == 0, made.output
    assert made.stdout.count("is made") == 3
    again = topics("create", "--partitions", "3", "--replication", "1", "--json")
    document = json.loads(again.stdout)
    assert (again.exit_code, document["created"], document["differences"]) == (0, [], [])
    shown = topics("show", "--partitions", "3", "--replication", "1")
    assert shown.exit_code == 0
    assert document["topics"][0]["id"] in shown.stdout
    assert "message.timestamp.type=LogAppendTime" in shown.stdout


def test_differences_end_with_1_and_are_listed(broker: KafkaBroker) -> None:
    """What differs is listed with what is and what should be, and the exit code says so; nothing was changed."""
    topics("create", "--partitions", "3", "--replication", "1")
    for command in ("show", "create"):
        different = topics(command, "--partitions", "4", "--replication", "1", "--retention-days", "60")
        assert different.exit_code == 1
        assert "Nothing was changed" in different.stderr
        rows = [line.split()[1:] for line in different.stdout.splitlines()]
        assert ["partitions", "3", "4"] in rows
        assert rows.count(["retention.ms", str(30 * 86_400_000), str(60 * 86_400_000)]) == 3


def test_show_of_nothing_makes_nothing(broker: KafkaBroker) -> None:
    """Looking at topics that are not there lists all three as missing, twice."""
    for _ in range(2):
        shown = topics("show")
        assert shown.exit_code == 1
        assert shown.stdout.count("missing") == 3


def test_unusable_settings_end_with_2(broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compression there is none of, too few brokers, and no broker at all are each said on standard error."""
    assert "compression" in topics("show", "--compression", "rar").stderr
    few = topics("create")
    assert few.exit_code == 2
    assert "the cluster has 1" in few.stderr
    monkeypatch.delenv("MONITOR_KAFKA_SERVERS")
    none = topics("show")
    assert none.exit_code == 2
    assert "MONITOR_KAFKA_SERVERS" in none.stderr
