"""A source killed at any moment, a monitor killed under it: nothing emitted is lost, each case is in order (I1, I2).

`MONITOR_KILLS` and `MONITOR_SEED` as in `test_kill`.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.ledger import Ledger
from monitor.ledger.schema import journal
from monitor.ledger.verify import verify
from streams.emit import Spool
from tests.databases import ledger_url
from tests.integration import town
from tests.integration.program import START_SECONDS, Up, received, run, started

KILLS = int(os.environ.get("MONITOR_KILLS", "2"))
SEED = int(os.environ.get("MONITOR_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
CASES = 40
STEPS = ("apply", "accept", "approve", "finish")
START = datetime(2026, 3, 2, 9, tzinfo=town.ZONE)

EMITTING = """
import sys
from pathlib import Path
from streams.emit import Emitter
url, key, spool, file, first = sys.argv[1:]
lines = Path(file).read_bytes().splitlines()
with Emitter(url, Path(spool), key=key) as emitter:
    for number in range(int(first), len(lines)):
        emitter.emit(lines[number])
        print(number, flush=True)
    emitter.flush()
"""


class Town:
    """A monitor on an address that stays, killed and started at will; events to send it, and what it has of them."""

    def __init__(self, folder: Path) -> None:
        self._url, self._log, self._rulebook = ledger_url(folder), folder / "errors.txt", town.write_rulebook(folder)
        self.monitor = Up(self._url, self._rulebook, self._log)
        self._port = int(self.monitor.url.rpartition(":")[2])
        self.url = self.monitor.url
        self.key = run("keys", "create", "hall", "--ledger", self._url, "--json")["key"]
        minutes = [START + timedelta(minutes=number) for number in range(CASES * len(STEPS))]
        self.events = [
            json.dumps(town.said(f"甲{number % CASES}", STEPS[number // CASES], time), ensure_ascii=False).encode()
            for number, time in enumerate(minutes)
        ]

    def restart(self) -> None:
        """Kill it, leave it down for a moment, and start it on the same address."""
        self.monitor.kill()
        time.sleep(0.3)
        self.monitor = Up(self._url, self._rulebook, self._log, self._port)

    def check(self, spool: Path) -> None:
        """Stop it, and check that it has all events, each once, those of a case in their order; nothing is left."""
        assert self.monitor.stop() == 0
        with Ledger.open(self._url) as ledger:
            with ledger.read() as connection:
                rows = connection.execute(select(journal.c.case, journal.c.id).order_by(journal.c.seq)).all()
            received(ledger)
            assert verify(ledger).difference is None
        arrived: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            arrived[row.case].append(row.id)
        assert arrived == {f"甲{number}": list(STEPS) for number in range(CASES)}
        with Spool(spool) as kept:
            assert (kept.waiting(), kept.aside()) == (0, [])


@pytest.fixture
def draw() -> random.Random:
    """What is drawn, and how to draw it again."""
    print(f"MONITOR_SEED={SEED}")  # noqa: T201 - how to see a failure again
    return random.Random(SEED)


@pytest.mark.timeout(120 + 20 * KILLS)
def test_a_source_killed_at_random_moments_loses_nothing(tmp_path: Path, draw: random.Random) -> None:
    """Whatever `emit` returned for arrives, in order, though source and monitor are killed again and again."""
    place, spool = Town(tmp_path), tmp_path / "spool.sqlite"
    file, errors = tmp_path / "events.ndjson", tmp_path / "errors.txt"
    file.write_bytes(b"\n".join(place.events))
    done = -1
    for number in range(KILLS + 1):
        command = ("-c", EMITTING, place.url, place.key, str(spool), str(file), str(done + 1))
        with started(*command, log=errors) as source:
            assert source.stdout is not None
            last = number == KILLS
            for _ in range(0 if last else draw.randrange(1, len(place.events) // KILLS)):
                done = int(source.stdout.readline() or done)
            if number % 2 == 0:
                place.restart()
            if not last:
                source.send_signal(signal.SIGKILL)
                done = max([done, *(int(line) for line in source.stdout if line.endswith("\n"))])
            else:
                source.communicate(timeout=60)
                assert source.returncode == 0, errors.read_text(encoding="utf-8")
    place.check(spool)


@pytest.mark.timeout(120 + 20 * KILLS)
def test_a_file_followed_by_a_program_that_is_killed_loses_no_line(tmp_path: Path, draw: random.Random) -> None:
    """`monitor emit --follow` goes on where it was, over kills, rotation, and a monitor that was away."""
    place, spool, errors = Town(tmp_path), tmp_path / "spool.sqlite", tmp_path / "errors.txt"
    key = tmp_path / "hall.key"
    key.touch(mode=0o600)
    key.write_text(place.key, encoding="ascii")
    folder = tmp_path / "log"
    folder.mkdir()
    file = folder / "steps.ndjson"
    options = ("--to", place.url, "--spool", str(spool), "--key-file", str(key), "--follow", str(file))
    command = ("-m", "monitor.cli", "emit", *options)
    part = len(place.events) // (KILLS + 1)
    follower = started(*command, log=errors)
    for number in range(KILLS + 1):
        written = (
            place.events[number * part :] if number == KILLS else place.events[number * part : (number + 1) * part]
        )
        with file.open("ab") as log:
            for line in written:
                log.write(line + b"\n")
                log.flush()
        if number < KILLS:
            time.sleep(draw.uniform(0, 1.5))
            kill(follower)
            place.restart()
            if number == 0:
                wait_until_read(spool, file, command, errors)
                file.rename(folder / "steps.ndjson.1")
            follower = started(*command, log=errors)
    wait_until_read(spool, file, None, errors)
    deadline = time.monotonic() + START_SECONDS
    with Spool(spool) as kept:
        while kept.waiting():
            assert time.monotonic() < deadline, errors.read_text(encoding="utf-8")
            time.sleep(0.1)
    follower.send_signal(signal.SIGTERM)
    follower.communicate(timeout=30)
    assert follower.returncode == 0, errors.read_text(encoding="utf-8")
    place.check(spool)


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a process with signal 9."""
    process.kill()
    process.communicate()


def wait_until_read(spool: Path, file: Path, command: tuple[str, ...] | None, log: Path) -> None:
    """Wait until a file was read to its end, by a program started for it if need be."""
    reader = None if command is None else started(*command, log=log)
    deadline = time.monotonic() + START_SECONDS
    with Spool(spool) as kept:
        while (mark := kept.bookmark(str(file))) is None or mark.offset < file.stat().st_size:
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.05)
    if reader is not None:
        kill(reader)
