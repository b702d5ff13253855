"""The real programs together: workers, two serving processes and an import around one topic and one ledger."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from monitor.ledger import Ledger
from monitor.ledger.verify import verify
from streams.engine import Delivery, Engine
from tests.databases import PostgresDatabases
from tests.integration import town
from tests.integration.program import STOP_SECONDS, run, started
from tests.kafka import KafkaBroker
from tests.streams.running import make_key

WORKERS = 2
SERVING = 2
PARTITIONS = 4
PATIENCE_SECONDS = 60
HORIZON = "2027-06-01T00:00:00+08:00"
"""Long after the last event, the same for all ledgers compared."""


class City:
    """The programs of a city that are under way, and what they say."""

    def __init__(self, ledger: str, folder: Path) -> None:
        self.ledger, self.log = ledger, folder / "said"
        self._ends = ExitStack()

    def start(self, *command: str) -> str:
        """Start a command; give the first line it prints, where it prints one."""
        process = started("-m", "monitor.cli", *command, "--ledger", self.ledger, log=self.log)
        assert process.stdout is not None
        self._ends.callback(process.stdout.close)
        self._ends.callback(lambda: process.wait(STOP_SECONDS))
        self._ends.callback(lambda: process.send_signal(signal.SIGTERM))
        return process.stdout.readline() if command[0] == "serve" else ""

    def serve(self) -> str:
        """Start a serving process; give its address."""
        found = re.search(r"http://127\.0\.0\.1:\d+", self.start("serve", "--port", "0", "--lang", "en"))
        assert found, self.log.read_text(encoding="utf-8")
        return found.group()

    def close(self) -> None:
        """Ask all of them to stop, and wait until they have."""
        self._ends.close()


@pytest.fixture
def city(
    kafka: KafkaBroker, postgres: PostgresDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[City]:
    """Start workers and a topic around an empty ledger with the rulebook of the town."""
    monkeypatch.setenv("MONITOR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MONITOR_TEXT_KEY", str(tmp_path / "texts.key"))
    with postgres.empty() as url:
        run("rulebook", "publish", str(town.write_rulebook(tmp_path)), "--ledger", url, "--json")
        monkeypatch.setenv("MONITOR_KAFKA_SERVERS", kafka.servers)
        monkeypatch.setenv("MONITOR_KAFKA_TOPIC", kafka.make_topic(PARTITIONS))
        monkeypatch.setenv("MONITOR_KAFKA_GROUP", f"city-{os.getpid()}")
        monkeypatch.setenv("MONITOR_KAFKA_SESSION_SECONDS", "6")
        found = City(url, tmp_path)
        try:
            for _ in range(WORKERS):
                found.start("worker")
            yield found
        finally:
            found.close()


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch, events: list[bytes]) -> str:
    """Import the log and take the events with one engine, in a ledger on a file; give its URL."""
    url = f"sqlite:///{folder / 'alone.sqlite'}"
    with monkeypatch.context() as patch:
        patch.delenv("MONITOR_KAFKA_SERVERS")
        run("import", str(folder / "log.csv"), "--mapping", str(folder / "mapping.yaml"), "--ledger", url, "--json")
    with Ledger.open(url, text_key=folder / "texts.key") as ledger:
        engine = Engine(ledger)
        now = datetime.now(UTC)
        engine.process([Delivery(event, now) for event in events], now)
        engine.close()
    return url


def test_a_city_on_kafka_ends_as_one_process(city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import and live events, two doors, two workers: the same digest, and no figure depends on who is asked."""
    town.write_mapping(tmp_path)
    counted = town.write_log(tmp_path / "log.csv", 200, seed=5)
    events = [msgspec.json.encode(each) for each in town.feed(150, datetime.now(UTC) - timedelta(days=1), seed=6)]
    expected = alone(tmp_path, monkeypatch, events)

    arguments = (str(tmp_path / "log.csv"), "--mapping", str(tmp_path / "mapping.yaml"), "--ledger", city.ledger)
    summary = run("import", *arguments, "--json")
    assert summary["accepted"] + summary["rejected"] == counted["events"]
    doors = [city.serve() for _ in range(SERVING)]
    with Ledger.open(city.ledger) as ledger:
        key = make_key(ledger, "hall")
        answered = [post(doors[number % 2], key, events[number::SERVING]) for number in range(SERVING)]
        assert sum(told["accepted"] + told["rejected"] for told in answered) == len(events)
        assert sum(told["rejected"] for told in answered) > 0
        until(lambda: taken(ledger) >= len(events) + counted["events"])
        until(lambda: all(state.hold is None for state in ledger.source_states().values()))
        assert verify(ledger).difference is None, "while the workers go on"
        assert taken(ledger) == len(events) + counted["events"]
    assert digest(city.ledger) == digest(expected)
    shown = [figures(door) for door in doors]
    assert shown[0] == shown[1]
    kpi = run("kpi", "--ledger", city.ledger, "--period", "2026", "--json")
    assert kpi["figures"] == run("kpi", "--ledger", expected, "--period", "2026", "--json")["figures"]


def post(door: str, key: str, events: list[bytes]) -> dict[str, int]:
    """Post events as lines."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    answer = httpx.post(f"{door}/api/events", content=b"\n".join(events), headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def taken(ledger: Ledger) -> int:
    """Count what the workers have taken."""
    return sum(state.applied + state.duplicate + state.rejected for state in ledger.source_states().values())


def digest(ledger: str) -> dict[str, Any]:
    """Print a ledger's digest."""
    return dict(run("digest", "--ledger", ledger, "--horizon", HORIZON, "--json"))


def figures(door: str) -> list[str]:
    """Scrape what is counted of the cases; the horizon moves from one scrape to the next."""
    lines = httpx.get(f"{door}/metrics", trust_env=False, timeout=60).text.splitlines()
    found = [line for line in lines if line.startswith(("supervision_cases", "supervision_events", "supervision_find"))]
    assert len(found) > 50
    return found


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.2)
