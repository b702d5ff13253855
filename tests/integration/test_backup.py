"""Backup and restore, as the page on running the monitor tells it: its commands are run here as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copy

import pytest
from sqlalchemy.engine.url import make_url

from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from monitor.ledger.verify import verify
from streams.engine import Delivery, Engine
from tests.conftest import ROOT
from tests.databases import PostgresDatabases
from tests.postgres import programs
from tests.small_centre import RULEBOOK, at, delivered, event

PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
BEFORE = (*delivered(event(), event(case="c2"), event("finish", "c2", at(1))), Delivery(b"{"))
AFTER = delivered(event("finish", "c1", at(2)))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder to run commands in, with `monitor` on the path and the data in `data`."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "monitor"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m monitor.cli "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join((str(tmp_path / "bin"), str(programs()), os.environ["PATH"]))
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("MONITOR_DATA", str(tmp_path / "data"))
    return tmp_path


def told(beginning: str) -> str:
    """Find the block of commands on the page that begins so."""
    (block,) = [each for each in re.findall(r"(?s)```\n(.*?)```", PAGE) if each.startswith(beginning)]
    return str(block)


def follow(commands: str, folder: Path, **environment: str) -> None:
    """Run commands one after the other; none may fail."""
    subprocess.run(["sh", "-eu", "-c", commands], cwd=folder, env=os.environ | environment, check=True)


def at_work(ledger: Ledger) -> Engine:
    """Begin a ledger; its engine goes on writing while the backup is made."""
    ledger.publish(RULEBOOK)
    engine = Engine(ledger)
    engine.process(BEFORE, at(1))
    return engine


def check_restored(url: str, folder: Path, then: str, later: str) -> None:
    """Check that it is the ledger of the moment of the backup, opens its rejects, and goes on from there."""
    with Ledger.open(url, create=False, folder=folder) as restored:
        assert verify(restored).difference is None
        assert digest(restored, at(9)) == then
        with restored.read() as connection:
            assert restored.vault.open(connection, restored.rejects()[0].seq)[1] == b"{"
        engine = Engine(restored)
        outcomes = engine.process([*BEFORE[:3], *AFTER], at(2))
        assert [outcome.status for outcome in outcomes] == ["duplicate", "duplicate", "duplicate", "applied"]
        engine.close()
        assert digest(restored, at(9)) == later


def test_an_sqlite_ledger_is_restored_from_its_backup(desk: Path) -> None:
    """The copy made beside a running monitor is whole, and what was sent after it is simply sent again."""
    (copying,) = re.findall(r'`python3 -c "(import sqlite3 .*?)"`', PAGE)
    backup = [line for line in told("install -d -m 700 backup\nsqlite3").splitlines() if "sqlite3 data" not in line]
    with Ledger.open(f"sqlite:///{desk}/data/ledger.sqlite") as ledger:
        engine = at_work(ledger)
        then = digest(ledger, at(9))
        follow("\n".join((backup[0], f'{sys.executable} -c "{copying}"', *backup[1:])), desk)
        engine.process(AFTER, at(2))
        engine.close()
        later = digest(ledger, at(9))
    (desk / "new").mkdir(mode=0o700)
    for path in (desk / "backup").iterdir():
        if path.suffix in {".sqlite", ".key"}:
            copy(path, desk / "new")
            (desk / "new" / path.name).chmod(0o600)
    check_restored(f"sqlite:///{desk}/new/ledger.sqlite", desk / "new", then, later)


def test_a_postgresql_ledger_is_restored_from_its_backup(desk: Path, postgres: PostgresDatabases) -> None:
    """The dump made beside a running monitor is whole, loads into a new database, and verifies there."""
    with postgres.empty() as url, Ledger.open(url) as ledger:
        engine = at_work(ledger)
        then = digest(ledger, at(9))
        follow(told("install -d -m 700 backup\npg_dump"), desk, MONITOR_LEDGER=url)
        engine.process(AFTER, at(2))
        engine.close()
        later = digest(ledger, at(9))
    parsed = make_url(url)
    host, port = (parsed.host or parsed.query["host"]), (parsed.port or parsed.query["port"])
    server = {"PGHOST": str(host), "PGPORT": str(port), "PGUSER": str(parsed.username)}
    name = f"restored_{parsed.database}"
    commands = told("createdb restored").replace("restored", name)
    try:
        follow(commands, desk, **server)
        restored = parsed.set(database=name).render_as_string(hide_password=False)
        check_restored(restored, desk / "backup", then, later)
    finally:
        postgres.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
