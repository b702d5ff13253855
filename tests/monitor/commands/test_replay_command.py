"""`monitor replay` as an operator uses it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from streams.engine import Delivery, Engine
from streams.kafka.producing import Producer
from streams.kafka.records import outgoing
from tests.databases import ledger_url, unmade_ledger_url
from tests.integration import town
from tests.kafka import KafkaBroker
from tests.small_centre import MONDAY, RULEBOOK, at, delivered, event

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A ledger with two cases."""
    url = ledger_url(tmp_path, "old")
    with Ledger.open(url) as ledger:
        ledger.publish(RULEBOOK)
        engine = Engine(ledger)
        engine.process(delivered(event(), event(case="c2"), event("finish", time=at(1))), at(1))
        engine.tick(MONDAY + timedelta(days=90))
        engine.close()
    return url


def replay(old: str, new: str, *arguments: str, code: int = 0) -> Result:
    """Run `monitor replay`; it must end with an exit code."""
    result = CliRunner().invoke(app, ["replay", "--from", old, "--ledger", new, "--lang", "en", *arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def test_both_digests_are_told(old: str, tmp_path: Path) -> None:
    """The new ledger is made, and `monitor digest` says of both what the replay said."""
    new = unmade_ledger_url(tmp_path, "new")
    told = json.loads(replay(old, new, "--json").stdout)
    assert (told["events"], told["streams"], told["agrees"]) == (3, 1, True)
    said = [
        json.loads(CliRunner().invoke(app, ["digest", "--ledger", url, "--json"]).stdout)["digest"]
        for url in (old, new)
    ]
    assert said == [told["digest"], told["digest_of_source"]]


def test_an_operator_reads_what_was_done(old: str, tmp_path: Path) -> None:
    """In sentences; a second replay into the same ledger is refused with the reason."""
    new = unmade_ledger_url(tmp_path, "new")
    said = replay(old, new).stdout
    assert said.startswith("3 events of 1 streams were replayed.")
    assert "The old ledger has the same digest." in said
    assert "this ledger is not empty" in replay(old, new, code=2).stderr


def test_what_cannot_be_replayed_is_said(old: str, tmp_path: Path) -> None:
    """A ledger into itself, and one that is not there."""
    assert "cannot be replayed into itself" in replay(old, old, code=2).stderr
    absent = f"sqlite:///{tmp_path}/absent.sqlite"
    assert "there is no ledger here" in replay(absent, unmade_ledger_url(tmp_path, "new"), code=2).stderr


def test_a_topic_is_replayed_by_a_rulebook(kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events are judged by the one named, without which nothing begins; the digest is told."""
    topic, producer = kafka.make_topic(2), Producer(kafka.settings())
    events = [json.dumps(town.said(case), ensure_ascii=False).encode() for case in ("甲", "乙")]
    producer.deliver([outgoing(Delivery(each), json.loads(each)["case"], topic, 2) for each in events])
    producer.close()
    new = unmade_ledger_url(tmp_path, "new")
    said = replay(f"kafka://{topic}", new, code=2).stderr
    assert "name the one to judge by with --rulebook" in said
    rulebook = ("--rulebook", str(town.write_rulebook(tmp_path)))
    assert "Set MONITOR_KAFKA_SERVERS" in replay(f"kafka://{topic}", new, *rulebook, code=2).stderr
    monkeypatch.setenv("MONITOR_KAFKA_SERVERS", kafka.servers)
    told = json.loads(replay(f"kafka://{topic}", new, *rulebook, "--json").stdout)
    assert (told["streams"], told["records"]) == (2, 2)
    at = ("--horizon", told["horizon"])
    digest = CliRunner().invoke(app, ["digest", "--ledger", new, *at, "--json"]).stdout
    assert json.loads(digest)["digest"] == told["digest"]
    assert "this ledger belongs to topic" in replay(f"kafka://{topic}", new, *rulebook, code=2).stderr


def test_ledgers_that_differ_are_told_apart(old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old ledger whose findings do not follow from its events has another digest, and the exit code says so."""
    with Ledger.open(old) as ledger, ledger.write() as connection:
        changed = connection.exec_driver_sql("UPDATE findings SET severity = severity + 1").rowcount
    assert changed
    assert "do not say the same" in replay(old, unmade_ledger_url(tmp_path, "new"), code=1).stderr
