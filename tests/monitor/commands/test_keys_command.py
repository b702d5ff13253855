"""`monitor keys` as an operator uses it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.keys import find_key
from monitor.ledger import Ledger
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with a rulebook."""
    name = ledger_url(tmp_path)
    with Ledger.open(name) as ledger:
        ledger.publish(RULEBOOK)
    return name


def keys(url: str, *arguments: str) -> Any:
    """Run `monitor keys`; give the document it printed."""
    result = CliRunner().invoke(app, ["keys", *arguments, "--ledger", url, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_key_is_shown_once_and_then_known_by_its_id(url: str) -> None:
    """A new key is printed when it is made; the list names it by id and source, never its secret."""
    made = keys(url, "create", "hall")
    listed = CliRunner().invoke(app, ["keys", "list", "--ledger", url, "--lang", "en"]).stdout
    assert made["id"] in listed
    assert "hall" in listed
    assert made["key"] not in listed
    with Ledger.open(url) as ledger, ledger.read() as connection:
        found = find_key(connection, made["key"])
        assert found is not None
        assert (found.source, found.revoked_at) == ("hall", None)
        assert find_key(connection, made["key"] + "x") is None


def test_revoked_key_stays_revoked(url: str) -> None:
    """Revoking twice keeps the first instant; the list says so."""
    made = keys(url, "create", "hall")
    first = keys(url, "revoke", made["id"])
    assert keys(url, "revoke", made["id"]) == first
    assert [key["revoked_at"] for key in keys(url, "list")] == [first["revoked_at"]]


def test_key_for_a_source_that_is_not_registered_is_refused(url: str) -> None:
    """A misspelt source gets no key; the answer lists those there are."""
    result = CliRunner().invoke(app, ["keys", "create", "hal", "--ledger", url, "--lang", "en"])
    assert result.exit_code == 2
    assert "hall" in result.stderr


def test_unknown_key_cannot_be_revoked(url: str) -> None:
    """A wrong id is an error that says where to look."""
    result = CliRunner().invoke(app, ["keys", "revoke", "nobody", "--ledger", url])
    assert result.exit_code == 2
    assert "keys list" in " ".join(result.stderr.split())
