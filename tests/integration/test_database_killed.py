"""The database server killed under load and started again: the monitor heals by itself and loses no event.

`MONITOR_KILLS` and `MONITOR_SEED` as in `test_kill`.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from monitor.ledger import LeaseHeld, Ledger
from monitor.rulebook.load import load
from streams.engine import Delivery, Engine
from tests.integration import town
from tests.integration.program import START_SECONDS, Up, digest_of, events_of, received, rejected_of, run
from tests.integration.senders import Senders, cut, said_of
from tests.lacking import skip_without
from tests.postgres import CannotStart, PostgresServer

KILLS = int(os.environ.get("MONITOR_KILLS", "2"))
SEED = int(os.environ.get("MONITOR_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresServer]:
    """A server of its own that keeps what it says it has kept, with an empty database `ledger`."""
    monkeypatch.setenv("MONITOR_DATA", str(tmp_path))
    try:
        started = PostgresServer()
    except CannotStart as reason:
        skip_without(reason)
    with started.connect() as connection:
        connection.execute("CREATE DATABASE ledger")
        connection.execute("CREATE DATABASE undisturbed")
    yield started
    started.stop()


def wait_until_ready(url: str) -> None:
    """Wait until the monitor takes events again."""
    deadline = time.monotonic() + START_SECONDS
    while httpx.get(f"{url}/readyz", trust_env=False).status_code != httpx.codes.OK:
        assert time.monotonic() < deadline, "the monitor has not recovered"
        time.sleep(0.1)


@pytest.mark.timeout(120 + 20 * KILLS)
def test_a_database_killed_under_load_costs_time_and_no_event(server: PostgresServer, tmp_path: Path) -> None:
    """The monitor lives on, takes its lease again, answers nobody before the commit, and ends undisturbed (I1, I12)."""
    draw = random.Random(SEED)
    ledger, errors = server.url("ledger"), tmp_path / "errors.txt"
    rulebook = town.write_rulebook(tmp_path)
    now = datetime.now(UTC).replace(microsecond=0)
    events = [json.dumps(event, ensure_ascii=False).encode() for event in town.feed(100 * KILLS + 100, now, SEED)]
    monitor = Up(ledger, rulebook, errors)
    sendings = list(cut(events, draw))
    senders = Senders(monitor.url, run("keys", "create", "hall", "--ledger", ledger, "--json")["key"], sendings)
    for number in range(1, KILLS + 1):
        senders.wait(draw.randrange(len(sendings) * number // (KILLS + 2), len(sendings) * (number + 1) // (KILLS + 2)))
        server.kill()
        time.sleep(draw.uniform(0, 1))
        server.start()
        wait_until_ready(monitor.url)
    senders.finish()
    assert not senders.unanswered, "the monitor went away"
    with Ledger.open(ledger) as book:
        assert book.holder().url == monitor.url
    assert monitor.stop() == 0
    print(f"MONITOR_SEED={SEED}: {len(events)} events, {KILLS} kills, {senders.turned_away} turned away")  # noqa: T201

    with Ledger.open(ledger) as book:
        kept, refused, total = events_of(book), rejected_of(book), received(book)
    # A commit whose answer was lost is tried again: its events count as duplicates, its rejects twice.
    assert total >= len(events)
    for answered in senders.answered:
        for raw, verdict in zip(answered.sending.events, answered.verdicts, strict=True):
            assert digest_of(raw) in refused if verdict == "rejected" else said_of(raw) in kept, (verdict, raw)
    assert run("verify", "--ledger", ledger, "--json")["difference"] is None
    with Ledger.open(server.url("undisturbed")) as book:
        book.publish(load(rulebook))
        engine = Engine(book)
        engine.process([Delivery(raw, now, bound_source="hall") for raw in events], now)
        engine.close()
    horizon = (now + timedelta(days=60)).isoformat()
    digests = [
        run("digest", "--ledger", url, "--horizon", horizon, "--json") for url in (ledger, server.url("undisturbed"))
    ]
    assert digests[0] == digests[1]
    said = errors.read_text(encoding="utf-8")
    assert "trying again" in said
    assert "Traceback" not in said


def test_a_monitor_that_lost_its_lease_to_another_ends(server: PostgresServer, tmp_path: Path) -> None:
    """Within seconds, though nothing is sent to it, with a status that has it looked at, and saying why."""
    ledger, errors = server.url("ledger"), tmp_path / "errors.txt"
    monitor = Up(ledger, town.write_rulebook(tmp_path), errors)
    with Ledger.open(ledger) as book, server.connect() as connection:
        locked = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        deadline = time.monotonic() + START_SECONDS
        lease = None
        while lease is None:
            assert time.monotonic() < deadline, "the monitor takes its lease again each time"
            connection.execute(locked)
            with suppress(LeaseHeld):
                lease = book.lease()
        assert monitor.ended() == 1
        lease.release()
    assert "is writing this ledger, and only one may" in errors.read_text(encoding="utf-8")
