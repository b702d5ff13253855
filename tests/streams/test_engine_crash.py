"""A writer killed at any moment loses nothing it acknowledged, and counts nothing twice."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.events import Event
from monitor.ledger.digest import digest
from monitor.ledger.schema import journal
from monitor.ledger.verify import verify
from tests.conftest import ROOT
from tests.databases import ledger_url
from tests.small_centre import assess_plainly, at, delivered, event, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")

BATCHES = 400
WRITER = """
import sys
from tests.small_centre import at, delivered, engine_at
from tests.streams.test_engine_crash import BATCHES, batch
with engine_at(sys.argv[1]) as engine:
    for number in range(BATCHES):
        engine.process(delivered(*batch(number)), at(9))
        engine.tick(at(9))
        print(number, flush=True)
"""


def batch(number: int) -> list[Event]:
    """Make the events of a batch; each case goes on over several batches."""
    steps = ("apply", "accept", "approve", "finish")
    return [event(steps[(number + n) % 4], f"c{(number + n) // 4}", at(number / 50)) for n in range(8)]


@pytest.mark.parametrize("after_seconds", [0.0, 0.05, 0.2])
def test_kill_9_and_on_again_ends_like_an_undisturbed_run(tmp_path: Path, after_seconds: float) -> None:
    """What was acknowledged is in the journal, the ledger is sound, and sending all again completes it (I1, I8)."""
    command = [sys.executable, "-c", WRITER, ledger_url(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(after_seconds)
        writer.kill()
        acknowledged = max([0, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    with opened_engine(tmp_path) as engine:
        assert verify(engine.ledger, assess_plainly).difference is None
        promised = {(each.case, each.id) for number in range(acknowledged + 1) for each in batch(number)}
        with engine.ledger.read() as connection:
            kept = {(row.case, row.id) for row in connection.execute(select(journal.c.case, journal.c.id))}
        assert promised <= kept
        everything = delivered(*(each for number in range(BATCHES) for each in batch(number)))
        engine.process(everything, at(9))
        assert verify(engine.ledger, assess_plainly).difference is None
        with opened_engine(tmp_path, "undisturbed") as other:
            other.process(everything, at(9))
            assert digest(other.ledger, at(9), assess_plainly) == digest(engine.ledger, at(9), assess_plainly)
