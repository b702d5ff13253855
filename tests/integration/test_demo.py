"""`monitor demo` as a newcomer starts it, only smaller."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from monitor.ledger.digest import digests
from monitor.ledger.verify import verify
from streams.demo import City
from tests.small_centre import RULEBOOK
from tests.streams.running import new_ledger


def demo(folder: Path, *options: str) -> str:
    """Run a small demonstration to its end; return what it printed."""
    command = [sys.executable, "-m", "monitor.cli", "demo", "--port", "0", "--days", "20", "--cases", "2500"]
    environment = {**os.environ, "MONITOR_DATA": str(folder), "MONITOR_LANG": "en"}
    environment.pop("MONITOR_LEDGER", None)
    ended = subprocess.run(
        [*command, *options], capture_output=True, text=True, env=environment, timeout=100, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_demo_loads_its_past_goes_on_live_and_starts_again(tmp_path: Path) -> None:
    """The past is loaded and judged, events go on arriving, a restart adds no second past, and all of it verifies."""
    said = demo(tmp_path, "--exit-after", "4")
    assert "http://127.0.0.1:" in said
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", create=False) as ledger:
        city = msgspec.json.decode((tmp_path / "demo.json").read_bytes(), type=City)
        assert city.loaded
        first = _counts(ledger)
        assert first["applied"] > 500
        newest = max(s.last_received_at for s in ledger.source_states().values() if s.last_received_at)
        assert newest > city.until, "something happened after the past had ended"
        demo(tmp_path, "--exit-after", "2", "--seed", "99")
        second = _counts(ledger)
        assert 0 <= second["applied"] - first["applied"] < 100, "the second start went on with the same city"
        assert verify(ledger).difference is None
        assert (tmp_path / "demo.key").stat().st_mode & 0o077 == 0


def test_same_city_has_the_same_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two demonstrations of one seed and one end, and one key for the marks of texts, hold the same ledger."""
    monkeypatch.setenv("MONITOR_TEXT_KEY", str(tmp_path / "texts.key"))
    until = datetime(2026, 3, 31, 12, tzinfo=UTC)
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        city = City(7, datetime(2026, 3, 11, 12, tzinfo=UTC), until, 2500)
        (folder / "demo.json").write_bytes(msgspec.json.encode(city))
        demo(folder, "--no-live", "--exit-after", "0")
        with Ledger.open(f"sqlite:///{folder / 'ledger.sqlite'}", create=False) as ledger:
            found.append(digests(ledger, until))
    assert found[0] == found[1]


def test_demo_never_mixes_with_real_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that is in use is refused, with a remedy, before anything is written to it."""
    from streams.engine import Engine
    from tests.small_centre import at, delivered, event

    with new_ledger(tmp_path, RULEBOOK) as ledger:
        engine = Engine(ledger)
        engine.process(delivered(event()), at(1))
        engine.close()
        refused = CliRunner().invoke(app, ["demo", "--port", "0", "--ledger", ledger.url])
        assert refused.exit_code == 2
        assert "MONITOR_DATA" in refused.stderr
        assert _counts(ledger)["applied"] == 1


def _counts(ledger: Ledger) -> dict[str, int]:
    states = ledger.source_states().values()
    return {name: sum(getattr(state, name) for state in states) for name in ("applied", "duplicate")}
