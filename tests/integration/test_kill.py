"""kill -9 at any moment of an import or of live ingest, then on again, ends like a run nobody disturbed (I1, I8).

`MONITOR_KILLS` says how often (by default a few times, for a quick run); the seed of what is drawn is printed, and
`MONITOR_SEED` gives it back.
"""

import json
import os
import random
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor.ledger import Ledger
from monitor.ledger.verify import verify
from monitor.rulebook.load import load
from streams.engine import Delivery, Engine
from tests.databases import unmade_ledger_url
from tests.integration import town
from tests.integration.crash_at import COMMIT, END_IMPORT, WRITTEN
from tests.integration.program import (
    START_SECONDS,
    Up,
    digest_of,
    events_of,
    received,
    rejected_of,
    run,
    started,
    transactions,
)
from tests.integration.senders import Answered, Senders, cut, said_of

pytestmark = pytest.mark.usefixtures("each_database")

KILLS = int(os.environ.get("MONITOR_KILLS", "2"))
SEED = int(os.environ.get("MONITOR_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
CASES = 700
HORIZON = "2026-08-01T00:00:00+08:00"
"""Long after the last event of the log, the same for all ledgers compared."""


def digest(ledger: str, horizon: str = HORIZON) -> dict[str, Any]:
    """Print a ledger's digest."""
    return dict(run("digest", "--ledger", ledger, "--horizon", horizon, "--json"))


class Log(NamedTuple):
    """A log, what is in it, and what an undisturbed import of it ends in."""

    folder: Path
    counted: dict[str, int]
    summary: dict[str, Any]
    digest: dict[str, Any]

    def arguments(self, ledger: str) -> list[str]:
        """Write the command that imports it."""
        mapping = str(self.folder / "mapping.yaml")
        return ["import", str(self.folder / "log.csv"), "--mapping", mapping, "--ledger", ledger, "--json"]


@pytest.fixture(scope="module")
def log(database_kind: None, tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log of some four thousand events, imported undisturbed."""
    folder = tmp_path_factory.mktemp("log")
    town.write_mapping(folder)
    counted = town.write_log(folder / "log.csv", CASES, seed=1)
    undisturbed = unmade_ledger_url(folder, "undisturbed")
    summary = run(*Log(folder, counted, {}, {}).arguments(undisturbed))
    return Log(folder, counted, summary, digest(undisturbed))


def complete(log: Log, ledger: str) -> None:
    """Import to the end, and check that the ledger is that of an undisturbed import, and counts what is in the log."""
    summary = run(*log.arguments(ledger))
    figures = ("cases", "events", "rejected", "unmapped", "on_time", "overdue", "open", "unjudged", "complete_until")
    assert {name: summary[name] for name in figures} == {name: log.summary[name] for name in figures}
    assert {name: summary[name] for name in log.counted} == log.counted
    taken = log.counted["events"] - log.counted["rejected"]
    assert summary["applied"] + summary["duplicates"] == taken
    assert digest(ledger) == log.digest
    assert run("verify", "--ledger", ledger, "--json")["difference"] is None
    with Ledger.open(ledger) as book:
        assert len(events_of(book)) == book.source_states()["files"].applied == taken
        received(book)


def sound(ledger: str) -> None:
    """Check a ledger as a kill left it: it verifies, and nothing absent was held against anyone."""
    with Ledger.open(ledger) as book:
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
    ledger, errors = unmade_ledger_url(tmp_path), tmp_path / "errors.txt"
    every_commit = [(moment, n // 2, COMMIT) for n, moment in enumerate(("before", "after") * 5, start=2)]
    moments = [
        ("after", 1, COMMIT),
        ("after", 2, WRITTEN),
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
    ledger, errors = unmade_ledger_url(tmp_path), tmp_path / "errors.txt"
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


@pytest.mark.timeout(120 + 10 * KILLS)
def test_live_ingest_killed_at_random_moments_ends_undisturbed(tmp_path: Path) -> None:
    """Nothing acknowledged is lost, and sending the rest again (and some of it twice) ends undisturbed.

    The two ledgers receive the same events at different times of the wall clock. The hall may be a month late and
    nothing here is older than three weeks, so that when an event was received plays no part in any verdict; the
    digest is taken at one horizon, at which everything may be judged.
    """
    draw = random.Random(SEED)
    ledger, errors = unmade_ledger_url(tmp_path), tmp_path / "errors.txt"
    rulebook = town.write_rulebook(tmp_path)
    now = datetime.now(UTC).replace(microsecond=0)
    events = [json.dumps(event, ensure_ascii=False).encode() for event in town.feed(100 * KILLS + 100, now, SEED)]
    waiting, acknowledged, key, before = list(cut(events, draw)), list[Answered](), "", 0
    for kills_left in range(KILLS, -1, -1):
        server = Up(ledger, rulebook, errors)
        key = key or run("keys", "create", "hall", "--ledger", ledger, "--json")["key"]
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
        with Ledger.open(ledger) as book:
            total = received(book)
        in_this_run = sum(len(answered.verdicts) for answered in senders.answered)
        assert in_this_run <= total - before <= senders.sent, "an acknowledged event is missing, or one is too many"
        before = total
    print(f"MONITOR_SEED={SEED}: {len(events)} events, {before} received, {KILLS} kills")  # noqa: T201
    assert not waiting

    with Ledger.open(ledger) as book:
        kept, refused = events_of(book), rejected_of(book)
    for answered in acknowledged:
        for raw, verdict in zip(answered.sending.events, answered.verdicts, strict=True):
            assert digest_of(raw) in refused if verdict == "rejected" else said_of(raw) in kept, (verdict, raw)
    assert run("verify", "--ledger", ledger, "--json")["difference"] is None
    undisturbed = unmade_ledger_url(tmp_path, "undisturbed")
    with Ledger.open(undisturbed) as book:
        book.publish(load(rulebook))
        engine = Engine(book)
        outcomes = engine.process([Delivery(raw, now, bound_source="hall") for raw in events], now)
        engine.close()
    assert {outcome.status for outcome in outcomes} == {"applied", "rejected"}
    horizon = (now + timedelta(days=60)).isoformat()
    assert digest(ledger, horizon) == digest(undisturbed, horizon)
    assert "Traceback" not in errors.read_text(encoding="utf-8")
