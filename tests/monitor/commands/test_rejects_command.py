"""`monitor rejects` as an operator uses it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.events import content
from monitor.ledger import Ledger, audit
from streams.engine import Delivery
from tests.small_centre import at, event, opened_engine

SAID = "申请人张三"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with two rejects: of a source that is not registered, and of one that misspelt a field."""
    misspelt = json.dumps({**json.loads(content(event())), "applcant": SAID}, ensure_ascii=False).encode()
    with opened_engine(tmp_path) as engine:
        batch = [Delivery(content(event(source="nobody"))), Delivery(misspelt, bound_source="hall")]
        engine.process(batch, at())
    return engine.ledger.url


def rejects(url: str, *arguments: str) -> Result:
    """Run `monitor rejects`."""
    return CliRunner().invoke(app, ["rejects", *arguments, "--ledger", url, "--lang", "en"])


def document(url: str, *arguments: str) -> Any:
    """Run it; give the document it printed."""
    return json.loads(rejects(url, *arguments, "--json").stdout)


def test_rejects_are_listed_newest_first(url: str) -> None:
    """Each with source, field, reason and remedy; by source and by reason if asked."""
    listed = document(url, "list")
    assert [(each["source"], each["code"], each["field"]) for each in listed] == [
        ("hall", "unknown_field", "applcant"),
        ("nobody", "unregistered_source", "source"),
    ]
    assert listed[0]["remedy"]
    assert [each["seq"] for each in document(url, "list", "--code", "unregistered_source")] == [1]
    assert [each["seq"] for each in document(url, "list", "--source", "hall", "--limit", "1")] == [2]
    assert "applcant: No event has this field" in rejects(url, "list").stdout


def test_what_was_delivered_is_shown_masked(url: str) -> None:
    """Field names show the fault; nobody's name or number is shown, and nothing is written to the audit."""
    shown = document(url, "show", "2")
    assert json.loads(shown["delivered"])["applcant"] == "*****"
    assert SAID not in rejects(url, "show", "2").stdout
    assert audited(url) == []


def test_revealing_is_audited(url: str) -> None:
    """Who asks for the bytes in clear gets them, and stands in the audit."""
    assert SAID in rejects(url, "show", "2", "--reveal").stdout
    assert audited(url) == [("reject.reveal", "reject:2")]


def test_what_has_expired_is_said_to_have(url: str) -> None:
    """Reason and digest are still shown."""
    with Ledger.open(url) as ledger, ledger.write() as connection:
        assert ledger.vault.expire(connection, ["embedded"], at(40)) == 2
    shown = document(url, "show", "2", "--reveal")
    assert (shown["delivered"], shown["code"], len(shown["digest"])) == (None, "unknown_field", 64)
    assert "has expired" in rejects(url, "show", "2").stdout
    assert audited(url) == []


def test_an_unknown_number_is_refused(url: str) -> None:
    """The answer says where the numbers are."""
    answer = rejects(url, "show", "7")
    assert answer.exit_code == 2
    assert "monitor rejects list" in answer.stderr


def audited(url: str) -> list[tuple[str, str]]:
    """Read what the audit has of rejects."""
    with Ledger.open(url) as ledger, ledger.read() as connection:
        return [(line.act, line.object) for line in audit.entries(connection, act="reject.")]
