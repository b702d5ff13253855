"""`monitor emit` as the operator of a source uses it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from streams.emit.emitter import prepared
from streams.emit.spool import Spool
from tests.small_centre import event
from tests.streams.emit.receivers import applied
from tests.streams.running import Running, running

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Running]:
    """A running monitor."""
    with running(tmp_path / "monitor") as found:
        yield found


def emit(spool: Path, *arguments: str, key: str = "esm_key", code: int = 0) -> Result:
    """Run `monitor emit`; it must end with an exit code."""
    environment = {"MONITOR_KEY": key, "MONITOR_SPOOL": str(spool), "MONITOR_LANG": "en"}
    result = CliRunner().invoke(app, ["emit", *arguments], env=environment)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def written(path: Path, *lines: bytes) -> str:
    """Write lines into a file; give its name."""
    path.write_bytes(b"\n".join(lines))
    return str(path)


def summed(result: Result) -> Any:
    """Read the document a run printed."""
    return json.loads(result.stdout)


def test_a_file_is_delivered_and_faults_are_put_aside(monitor: Running, tmp_path: Path) -> None:
    """What is no event and what the monitor rejects cost themselves alone; both are listed, tried again, discarded."""
    spool, foreign = tmp_path / "spool.sqlite", prepared(event(case="c2", region="4501"))
    day = written(tmp_path / "day.ndjson", applied(1), b'{"id": "2"}', foreign, applied(3))
    to = ("--to", monitor.url)
    done = emit(spool, day, *to, "--json", key=monitor.key, code=1)
    assert summed(done) == {"taken": 3, "refused": 1, "rejected": 1, "waiting": 0}
    assert "A line is no event and was put aside." in done.stderr
    assert 'Event "c2" "hall" "apply" was rejected and put aside. region: ' in done.stderr
    assert [entry.event.id for entry in monitor.ledger.entries("c1")] == ["1", "3"]

    listed = summed(emit(spool, "--rejected", "--json", code=1))
    assert [(each["code"], each["field"]) for each in listed] == [("missing", "source"), ("foreign_region", "region")]
    shown = emit(spool, "--rejected", "--lang", "zh", code=1).stdout
    assert shown.count("\n") == 2
    assert "字段" in shown

    again = emit(spool, *to, "--again", "--json", key=monitor.key, code=1)
    assert "1 events that were put aside are delivered again" in again.output
    assert len(summed(emit(spool, "--rejected", "--json", code=1))) == 2, "still no event, still foreign"
    assert "2 events" in emit(spool, "--discard").stdout
    assert "Nothing was put aside" in emit(spool, "--rejected").stdout


def test_what_could_not_be_delivered_waits_for_the_next_run(
    monitor: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nobody there the events are kept, and it is said; with a wrong key too, and the exit code is another."""
    monkeypatch.setattr("streams.emit.emitter.CLOSE_SECONDS", 0.1)
    spool = tmp_path / "spool.sqlite"
    day = written(tmp_path / "day.ndjson", applied(1), applied(2))
    gone = emit(spool, day, "--to", NOWHERE, "--wait", "0.1", "--json", code=1)
    assert summed(gone)["waiting"] == 2
    assert "Events wait in the spool." in gone.stderr
    stopped = emit(spool, day, "--to", monitor.url, code=2)
    assert "refuses: 401" in stopped.stderr
    assert "4 events wait" in stopped.stdout
    nothing = written(tmp_path / "nothing", b"")
    assert summed(emit(spool, nothing, "--to", monitor.url, "--json", key=monitor.key))["waiting"] == 0
    assert [entry.event.id for entry in monitor.ledger.entries("c1")] == ["1", "2"]


def test_the_key_may_stand_in_a_file_of_its_owner(monitor: Running, tmp_path: Path) -> None:
    """One that others can read is refused."""
    spool, key = tmp_path / "spool.sqlite", tmp_path / "hall.key"
    key.write_text(f"{monitor.key}\n", encoding="ascii")
    day = written(tmp_path / "day.ndjson", applied(1))
    key.chmod(0o644)
    refused = emit(spool, day, "--to", monitor.url, "--key-file", str(key), code=2)
    assert f"chmod 600 {key}" in refused.stderr
    key.chmod(0o600)
    emit(spool, day, "--to", monitor.url, "--key-file", str(key))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "monitor:8450", "-"), "this is no destination"),
        (("--follow",), "--follow takes exactly one file"),
        (("--to", NOWHERE, "absent.ndjson", "--wait", "0"), "absent.ndjson"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """A wrong address, a wrong use, a file that is not there."""
    assert said in emit(tmp_path / "spool.sqlite", *arguments, code=2).stderr


def test_a_spool_that_is_none_is_said(tmp_path: Path) -> None:
    """Another file is not written over."""
    (tmp_path / "spool.sqlite").write_text("mine", encoding="ascii")
    assert "the spool cannot be used" in emit(tmp_path / "spool.sqlite", "--rejected", code=2).stderr
    assert (tmp_path / "spool.sqlite").read_text(encoding="ascii") == "mine"


def test_the_spool_lies_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another is named."""
    monkeypatch.setenv("MONITOR_DATA", str(tmp_path / "data"))
    assert CliRunner().invoke(app, ["emit", "--rejected"]).exit_code == 0
    Spool(tmp_path / "data" / "spool.sqlite").close()
    assert (tmp_path / "data" / "spool.sqlite").exists()
