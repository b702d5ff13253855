"""kill -9 at any moment of an import or of live ingest, then on again, ends like a run nobody disturbed (I1, I8).

`MONITOR_KILLS` says how often (by default a few times, for a quick run); the seed of what is drawn is printed, and
`MONITOR_SEED` gives it back.
"""

import json
import os
import random
import signal
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Condition
from typing import Any, NamedTuple

import httpx
import pytest

from monitor.ledger import Ledger
from monitor.ledger.verify import verify
from monitor.rulebook.load import load
from streams.engine import Delivery, Engine
from tests.integration import town
from tests.integration.crash_at import COMMIT, END_IMPORT, INSERT
from tests.integration.program import (
    Up,
    digest_of,
    events_of,
    received,
    rejected_of,
    run,
    started,
    transactions,
)

KILLS = int(os.environ.get("MONITOR_KILLS", "2"))
SEED = int(os.environ.get("MONITOR_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
CASES = 700
HORIZON = "2026-08-01T00:00:00+08:00"
"""Long after the last event of the log, the same for all ledgers compared."""
SENDERS = 4
START_SECONDS = 60


def url(path: Path) -> str:
    """Name the database of a ledger's file."""
    return f"sqlite:///{path}"


def digest(path: Path, horizon: str = HORIZON) -> dict[str, Any]:
    """Print a ledger's digest."""
    return dict(run("digest", "--ledger", url(path), "--horizon", horizon, "--json"))


class Log(NamedTuple):
    """A log, what is in it, and what an undisturbed import of it ends in."""

    folder: Path
    counted: dict[str, int]
    summary: dict[str, Any]
    digest: dict[str, Any]

    def arguments(self, ledger: Path) -> list[str]:
        """Write the command that imports it."""
        mapping = str(self.folder / "mapping.yaml")
        return ["import", str(self.folder / "log.csv"), "--mapping", mapping, "--ledger", url(ledger), "--json"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log of some four thousand events, imported undisturbed."""
    folder = tmp_path_factory.mktemp("log")
    town.write_mapping(folder)
    counted = town.write_log(folder / "log.csv", CASES, seed=1)
    undisturbed = folder / "undisturbed.sqlite"
    summary = run(*Log(folder, counted, {}, {}).arguments(undisturbed))
    return Log(folder, counted, summary, digest(undisturbed))


def complete(log: Log, ledger: Path) -> None:
    """Import to the end, and check that the ledger is that of an undisturbed import, and counts what is in the log."""
    summary = run(*log.arguments(ledger))
    figures = ("cases", "events", "rejected", "unmapped", "on_time", "overdue", "open", "unjudged", "complete_until")
    assert {name: summary[name] for name in figures} == {name: log.summary[name] for name in figures}
    assert {name: summary[name] for name in log.counted} == log.counted
    taken = log.counted["events"] - log.counted["rejected"]
    assert summary["applied"] + summary["duplicates"] == taken
    assert digest(ledger) == log.digest
    assert run("verify", "--ledger", url(ledger), "--json")["difference"] is None
    with Ledger.open(url(ledger)) as book:
        assert len(events_of(book)) == book.source_states()["files"].applied == taken
        received(book)


def sound(ledger: Path) -> None:
    """Check a ledger as a kill left it: it verifies, and nothing absent was held against anyone."""
    with Ledger.open(url(ledger)) as book:
        if book.has_rulebook():
            assert verify(book).difference is None
            received(book)


def test_the_undisturbed_import_is_worth_comparing(log: Log) -> None:
    """Its log has cases on time, overdue and open, rejects, and rows that are no step."""
    assert {name: log.summary[name] for name in log.counted} == log.counted
    assert min(log.summary[name] for name in ("on_time", "overdue", "open", "rejected", "unmapped")) > 0
    assert log.summary["applied"] == log.counted["events"] - log.counted["rejected"]


@pytest.mark.timeout(120 + 10 * KILLS)
def test_an_import_killed_at_chosen_moments_ends_undisturbed(log: Log, tmp_path: Path) -> None:
    """Killed in turn: its tables just made, in mid-transaction, around each commit, before and after the hold ends."""
    ledger, errors = tmp_path / "ledger.sqlite", tmp_path / "errors.txt"
    every_commit = [(moment, n // 2, COMMIT) for n, moment in enumerate(("before", "after") * 5, start=2)]
    moments = [
        ("after", 1, COMMIT),
        ("after", 2, INSERT),
        *every_commit[: KILLS if "MONITOR_KILLS" in os.environ else 0],
        ("before", 1, END_IMPORT),
        ("after", 1, END_IMPORT),
    ]
    for moment, number, place in moments:
        command = ("-m", "tests.integration.crash_at", moment, str(number), place, *log.arguments(ledger))
        with started(*command, log=errors) as process:
            assert process.wait(START_SECONDS) == -signal.SIGKILL, f"{moment} {number} {place}: {errors.read_text()}"
        sound(ledger)
    complete(log, ledger)
    assert "Traceback" not in errors.read_text(encoding="utf-8")


@pytest.mark.timeout(120 + 10 * KILLS)
def test_an_import_killed_at_random_moments_ends_undisturbed(log: Log, tmp_path: Path) -> None:
    """Wherever in its work the process was killed, importing again completes it, with the counts of the log."""
    draw = random.Random(SEED)
    ledger, errors = tmp_path / "ledger.sqlite", tmp_path / "errors.txt"
    killed = []
    for _ in range(KILLS):
        transactions_more, seconds = draw.randrange(9), draw.uniform(0, 0.15)
        before = transactions(ledger)
        with started("-m", "monitor.cli", *log.arguments(ledger), log=errors) as process:
            deadline = time.monotonic() + START_SECONDS
            while process.poll() is None and transactions(ledger) < before + transactions_more:
                assert time.monotonic() < deadline, "the import stands still"
                time.sleep(0.005)
            time.sleep(seconds)
            process.kill()
        killed.append(f"after {transactions(ledger) - before} transactions: exit {process.returncode}")
        sound(ledger)
    print(f"MONITOR_SEED={SEED}", *killed, sep="\n")  # noqa: T201 - how to see a failure again
    assert any(line.endswith("-9") for line in killed), "no import was killed under way"
    complete(log, ledger)


class Sending(NamedTuple):
    """One request: its events as they are written, alone or as an array."""

    events: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The body to post."""
        return self.events[0] if len(self.events) == 1 else b"[" + b",".join(self.events) + b"]"


class Answered(NamedTuple):
    """A request that was acknowledged, with the verdict on each of its events."""

    sending: Sending
    verdicts: tuple[str, ...]


def cut(events: list[bytes], draw: random.Random) -> Iterator[Sending]:
    """Cut events into requests of one or of several."""
    left = deque(events)
    while left:
        size = draw.choice((1, 1, 2, 20))
        yield Sending(tuple(left.popleft() for _ in range(min(size, len(left)))))


class Senders:
    """Post requests side by side until all are acknowledged, or the server is gone."""

    def __init__(self, base_url: str, key: str, sendings: list[Sending]) -> None:
        self._waiting, self.sent = deque(sendings), 0
        self.answered: list[Answered] = []
        self.unanswered: list[Sending] = []
        self.refused: list[str] = []
        self._news = Condition()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=60, trust_env=False)
        self._pool = ThreadPoolExecutor(SENDERS)
        self._working = [self._pool.submit(self._work) for _ in range(SENDERS)]

    def wait(self, count: int) -> None:
        """Wait until so many requests are acknowledged."""
        with self._news:
            self._news.wait_for(lambda: len(self.answered) >= count or self.refused, START_SECONDS)
            assert len(self.answered) >= count, self.refused

    def finish(self) -> None:
        """Wait for the senders to end."""
        for working in self._working:
            working.result(START_SECONDS)
        self._pool.shutdown()
        self._client.close()
        assert not self.refused
        self.unanswered.extend(self._waiting)

    def _work(self) -> None:
        while self._waiting:
            with self._news:
                if not self._waiting:
                    return
                sending = self._waiting.popleft()
                self.sent += len(sending.events)
            try:
                answer = self._client.post("/api/events", content=sending.body)
            except httpx.TransportError:
                with self._news:
                    self.unanswered.append(sending)
                return
            with self._news:
                if answer.status_code in {200, 422}:
                    verdicts = tuple(event["status"] for event in answer.json()["events"])
                    self.answered.append(Answered(sending, verdicts))
                else:
                    self.refused.append(f"{answer.status_code} {answer.text}")
                self._news.notify_all()


def said_of(raw: bytes) -> tuple[str, str, str]:
    """Give case, source and id of an event as written."""
    event = json.loads(raw)
    return event["case"], event["source"], event["id"]


@pytest.mark.timeout(120 + 10 * KILLS)
def test_live_ingest_killed_at_random_moments_ends_undisturbed(tmp_path: Path) -> None:
    """Nothing acknowledged is lost, and sending the rest again (and some of it twice) ends undisturbed.

    The two ledgers receive the same events at different times of the wall clock. The hall may be a month late and
    nothing here is older than three weeks, so that when an event was received plays no part in any verdict; the
    digest is taken at one horizon, at which everything may be judged.
    """
    draw = random.Random(SEED)
    ledger, errors = tmp_path / "ledger.sqlite", tmp_path / "errors.txt"
    rulebook = town.write_rulebook(tmp_path)
    now = datetime.now(UTC).replace(microsecond=0)
    events = [json.dumps(event, ensure_ascii=False).encode() for event in town.feed(100 * KILLS + 100, now, SEED)]
    waiting, acknowledged, key, before = list(cut(events, draw)), list[Answered](), "", 0
    for kills_left in range(KILLS, -1, -1):
        server = Up(url(ledger), rulebook, errors)
        key = key or run("keys", "create", "hall", "--ledger", url(ledger), "--json")["key"]
        again = [answered.sending for answered in draw.sample(acknowledged, min(5, len(acknowledged)))]
        senders = Senders(server.url, key, [*again, *waiting])
        if kills_left:
            senders.wait(len(again) + draw.randrange(1, 1 + len(waiting) // (kills_left + 1)))
            server.kill()
        senders.finish()
        if not kills_left:
            assert server.stop() == 0
        acknowledged += senders.answered
        waiting = senders.unanswered
        with Ledger.open(url(ledger)) as book:
            total = received(book)
        in_this_run = sum(len(answered.verdicts) for answered in senders.answered)
        assert in_this_run <= total - before <= senders.sent, "an acknowledged event is missing, or one is too many"
        before = total
    print(f"MONITOR_SEED={SEED}: {len(events)} events, {before} received, {KILLS} kills")  # noqa: T201
    assert not waiting

    with Ledger.open(url(ledger)) as book:
        kept, refused = events_of(book), rejected_of(book)
    for answered in acknowledged:
        for raw, verdict in zip(answered.sending.events, answered.verdicts, strict=True):
            assert digest_of(raw) in refused if verdict == "rejected" else said_of(raw) in kept, (verdict, raw)
    assert run("verify", "--ledger", url(ledger), "--json")["difference"] is None
    undisturbed = tmp_path / "undisturbed.sqlite"
    with Ledger.open(url(undisturbed)) as book:
        book.publish(load(rulebook))
        engine = Engine(book)
        outcomes = engine.process([Delivery(raw, now, bound_source="hall") for raw in events], now)
        engine.close()
    assert {outcome.status for outcome in outcomes} == {"applied", "rejected"}
    horizon = (now + timedelta(days=60)).isoformat()
    assert digest(ledger, horizon) == digest(undisturbed, horizon)
    assert "Traceback" not in errors.read_text(encoding="utf-8")
