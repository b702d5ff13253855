"""The real program as the integration tests meet it: commands, a server that can be killed, a ledger looked into."""

import json
import os
import re
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import func, inspect, select
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from monitor.ledger.database import database_at
from monitor.ledger.schema import journal, positions, rejects
from tests.conftest import ROOT

START_SECONDS = 60
STOP_SECONDS = 30


def run(*arguments: str, code: int = 0) -> Any:
    """Run a command in this process; give the document it printed. It must end with an exit code."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, f"{arguments}: {result.output}" + repr(result.exception)
    return json.loads(result.stdout)


def started(*command: str, log: Path) -> "subprocess.Popen[str]":
    """Start Python in a process of its own; what it says on standard error is added to a file."""
    with log.open("a", encoding="utf-8") as said:
        return subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True, env=os.environ | {}
        )


class Up:
    """`monitor up` in a process of its own, begun when it says where it listens."""

    def __init__(self, url: str, rulebook: Path, log: Path, port: int = 0) -> None:
        options = ("--port", str(port), "--lang", "en", "--ledger", url, "--rulebook", str(rulebook))
        self._process = started("-m", "monitor.cli", "up", *options, log=log)
        assert self._process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", self._process.stdout.readline())
        assert found, f"the server did not start: {log.read_text(encoding='utf-8')}"
        self.url = found.group()

    def kill(self) -> None:
        """Kill it with signal 9."""
        self._process.kill()
        assert self._process.wait(STOP_SECONDS) == -signal.SIGKILL
        self._close()

    def stop(self) -> int:
        """Ask it to stop; give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended; give its exit code."""
        code = self._process.wait(STOP_SECONDS)
        self._close()
        return code

    def _close(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()


def transactions(ledger: str) -> int:
    """Count the transactions a ledger's stream has seen; 0 while it is still being made."""
    reader = database_at(ledger).reader
    with reader.connect() as connection:
        made = inspect(connection).has_table(positions.name)
        found = connection.execute(select(positions.c.version)).scalar() if made else None
    reader.dispose()
    return found or 0


def events_of(ledger: Ledger) -> set[tuple[str | None, str, str]]:
    """Give case, source and id of every event in the journal; each content stands there once."""
    with ledger.read() as connection:
        rows = connection.execute(select(journal.c.case, journal.c.source, journal.c.id, journal.c.content_hash)).all()
    assert len(set(map(tuple, rows))) == len(rows), "an event stands in the journal twice"
    return {(row.case, row.source, row.id) for row in rows}


def rejected_of(ledger: Ledger) -> set[str]:
    """Give the digests of what was rejected."""
    with ledger.read() as connection:
        return set(connection.execute(select(rejects.c.digest)).scalars())


def digest_of(raw: bytes) -> str:
    """Give the digest a reject of these bytes is kept under."""
    return sha256(raw).hexdigest()


def received(ledger: Ledger) -> int:
    """Count what was ever received; all of it is in the journal, was known already, or is in the rejects (I1)."""
    states = ledger.source_states().values()
    applied, duplicate, rejected = (
        sum(getattr(state, name) for state in states) for name in ("applied", "duplicate", "rejected")
    )
    with ledger.read() as connection:
        assert applied == connection.execute(select(func.count()).select_from(journal)).scalar_one()
        assert rejected == connection.execute(select(func.count()).select_from(rejects)).scalar_one()
        taken = connection.exec_driver_sql("SELECT sum(next) FROM positions").scalar_one()
    assert taken == applied + duplicate + rejected
    return applied + duplicate + rejected
