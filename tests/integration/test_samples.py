"""What the README tells a newcomer to do: send the samples with curl, and see them taken."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from monitor.ledger.schema import cases
from monitor.rulebook.load import load
from streams.emit import Spool
from tests.conftest import ROOT
from tests.lacking import program
from tests.streams.running import Running, make_key, running

SAMPLES = ROOT / "samples"


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running monitor with the rulebook of Yulin."""
    with running(tmp_path_factory.mktemp("samples"), load(ROOT / "monitor" / "rulebooks" / "yulin")) as found:
        yield found


def send(monitor: Running, *files: Path, key: str | None = None) -> tuple[int, dict[str, Any]]:
    """Run samples/send.sh; return its exit status and what the monitor answered."""
    program("curl")
    environment = {"PATH": "/usr/bin:/bin", "MONITOR_URL": monitor.url, "MONITOR_KEY": key or monitor.key}
    command = [str(SAMPLES / "send.sh"), *map(str, files)]
    sent = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    return sent.returncode, json.loads(sent.stdout)


@pytest.mark.parametrize("name", ["one_case.json", "one_day.ndjson"])
def test_sample_is_taken_whole(monitor: Running, name: str) -> None:
    """Every event of a sample is applied, in whatever shape the file is."""
    status, told = send(monitor, SAMPLES / name)
    assert (status, told["rejected"], told["duplicate"]) == (0, 0, 0)
    text = (SAMPLES / name).read_text(encoding="utf-8")
    assert told["applied"] == len(json.loads(text) if name.endswith(".json") else text.splitlines())


def test_event_made_by_hand_is_taken(monitor: Running) -> None:
    """Without a file the script sends one application of now."""
    status, told = send(monitor)
    assert (status, told["applied"]) == (0, 1)


def test_script_fails_where_the_monitor_refuses(monitor: Running) -> None:
    """With a key of another source the script ends with an error and prints why."""
    status, told = send(monitor, key=make_key(monitor.ledger, "gaj"))
    assert status != 0
    assert told["events"][0]["error"]["code"] == "foreign_source"


def test_the_example_of_the_client_delivers(monitor: Running, tmp_path: Path) -> None:
    """Ten lines deliver an event, and leave an empty spool that is its owner's alone."""
    environment = {"PATH": "/usr/bin:/bin", "MONITOR_URL": monitor.url, "MONITOR_KEY": monitor.key}
    environment["PYTHONPATH"] = str(ROOT)
    script = [sys.executable, str(SAMPLES / "emit.py")]
    assert len((SAMPLES / "emit.py").read_text(encoding="utf-8").splitlines()) <= 15
    began = datetime.now(UTC).strftime("EMIT-%Y%m%d-%H%M%S")
    subprocess.run(script, check=True, env=environment, cwd=tmp_path, timeout=60)
    with monitor.ledger.read() as connection:
        found = connection.execute(select(cases.c.case).where(cases.c.case >= began, cases.c.case < "EMIT-3")).all()
    assert len(found) == 1
    assert stat.S_IMODE((tmp_path / "spool.sqlite").stat().st_mode) == 0o600
    with Spool(tmp_path / "spool.sqlite") as spool:
        assert (spool.waiting(), spool.aside()) == (0, [])
