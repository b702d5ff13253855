"""`monitor readiness` as an operator reads it."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from tests.small_centre import at, delivered, event, opened_engine


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with a case in which an item is unknown."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event(), event("accept", "c2")), at(0))
        engine.tick(at(9))
        return engine.ledger.url


def readiness(url: str, *arguments: str) -> Result:
    """Run `monitor readiness`."""
    return CliRunner().invoke(app, ["readiness", *arguments, "--ledger", url])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_feed_is_told_in_tables_and_ends_with_what_to_change(url: str, lang: str) -> None:
    """Figures, hits of rules with cases, and numbered advice, in the language asked for."""
    result = readiness(url, "hall", "--lang", lang)
    assert result.exit_code == 0, result.output
    shown = result.stdout
    assert ("正式启用之前" if lang == "zh" else "Before going live") in shown
    assert "V01" in shown
    assert "c1" in shown
    assert "1. " in shown


def test_a_feed_is_told_to_programs(url: str) -> None:
    """With --json everything is in one document, the advice with its code and its sentence."""
    found = json.loads(readiness(url, "hall", "--json", "--lang", "en").stdout)
    assert (found["source"], found["events"], found["cases"]) == ("hall", 2, 2)
    assert {"unknown", "items", "fields", "lateness", "inversions", "rules"} <= found.keys()
    assert all(each["code"] and each["says"] for each in found["advice"])


def test_an_unknown_source_is_named_with_those_there_are(url: str) -> None:
    """A misspelt source is an error that lists the others."""
    result = readiness(url, "hal", "--lang", "zh")
    assert (result.exit_code, "hall" in result.stderr) == (2, True)
