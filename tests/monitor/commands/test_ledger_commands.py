"""`verify`, `digest`, `seal` and `reassess` on the command line."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import text
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from streams.engine import Engine
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK, at, delivered, event


@pytest.fixture
def url(each_database: None, tmp_path: Path) -> str:
    """Make a ledger with two cases, assessed by the real rules."""
    name = ledger_url(tmp_path)
    with Ledger.open(name) as ledger:
        ledger.publish(RULEBOOK)
        engine = Engine(ledger)
        engine.process(delivered(event(), event(case="c2"), event("accept", time=at(1))), at(2))
        engine.close()
    return name


def run(*arguments: str) -> Result:
    """Run a command as a person would."""
    return CliRunner().invoke(app, list(arguments))


def change(url: str, statement: str) -> None:
    """Change the ledger behind its back."""
    with Ledger.open(url) as ledger, ledger.write() as connection:
        assert connection.execute(text(statement)).rowcount == 1


def test_verify_says_what_it_looked_at(url: str) -> None:
    """A sound ledger ends with code 0 and the counts, in the language asked for."""
    result = run("verify", "--ledger", url, "--lang", "en")
    assert result.exit_code == 0
    assert "3 events, 2 cases" in result.stdout
    assert "3 个" in run("verify", "--ledger", url, "--lang", "zh").stdout


def test_verify_names_the_first_difference(url: str) -> None:
    """A changed row ends with code 1; the document has table, key and field."""
    change(url, "UPDATE cases SET light = 'normal' || light WHERE \"case\" = 'c2'")
    result = run("verify", "--ledger", url, "--json")
    assert result.exit_code == 1
    difference = json.loads(result.stdout)["difference"]
    assert (difference["table"], difference["key"], difference["field"]) == ("cases", "c2", "light")
    assert "cases [c2] light" in run("verify", "--ledger", url, "--lang", "en").stdout


def test_a_seal_is_checked_with_the_ledger(url: str, tmp_path: Path) -> None:
    """The document holds until the journal before it is changed; then the code is 1."""
    document = tmp_path / "seal.json"
    assert run("seal", "--ledger", url, "--output", str(document)).exit_code == 0
    held = run("verify", "--ledger", url, "--seal", str(document), "--json")
    assert (held.exit_code, json.loads(held.stdout)["seal"]) == (0, "holds")
    change(url, "UPDATE journal SET chain_hash = zeroblob(32) WHERE seq = 3")
    broken = run("verify", "--ledger", url, "--seal", str(document), "--lang", "en")
    assert broken.exit_code == 1
    assert "changed at or before row 3" in broken.stdout


def test_a_public_key_needs_its_seal(url: str) -> None:
    """A key given without a seal would check nothing, so that it is refused."""
    result = run("verify", "--ledger", url, "--public-key", "any")
    assert result.exit_code == 2
    assert "--seal" in result.stderr


def test_a_seal_is_one_document_on_standard_output(url: str) -> None:
    """What is printed can be piped to a file and read back."""
    result = run("seal", "--ledger", url, "--json")
    assert json.loads(result.stdout)["statement"]["heads"][0]["seq"] == 3


def test_digest_prints_whole_and_parts(url: str) -> None:
    """The first line is the digest; `--json` says the same."""
    lines = run("digest", "--ledger", url, "--lang", "en").stdout.splitlines()
    document = json.loads(run("digest", "--ledger", url, "--json").stdout)
    assert lines[0] == document["digest"]
    assert len(lines) == 8


def test_digest_takes_an_instant_with_its_offset(url: str) -> None:
    """A horizon without offset is refused with the form to write; with one it is used."""
    assert run("digest", "--ledger", url, "--horizon", "2026-03-09T09:00:00").exit_code == 2
    result = run("digest", "--ledger", url, "--json", "--horizon", "2026-03-09T09:00:00+08:00")
    assert json.loads(result.stdout)["horizon"] == "2026-03-09T01:00:00Z"


def test_reassess_marks_and_changes_nothing(url: str) -> None:
    """The cases named, else all, wait for the next ticks; these find nothing to change."""
    before = run("digest", "--ledger", url).stdout
    named = run("reassess", "c1", "nobody", "--ledger", url, "--json")
    assert (named.exit_code, json.loads(named.stdout)) == (1, {"marked": 1})
    assert "nobody" in named.stderr
    assert json.loads(run("reassess", "--ledger", url, "--json").stdout) == {"marked": 1}
    with Ledger.open(url) as ledger:
        engine = Engine(ledger)
        assert engine.tick(at(2)) == 2
        engine.close()
    assert run("digest", "--ledger", url).stdout == before


def test_a_missing_ledger_is_said_and_not_made(tmp_path: Path) -> None:
    """A reading command on nothing ends with code 2 and says what to do."""
    result = run("verify", "--ledger", f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert result.exit_code == 2
    assert "there is no ledger here" in result.stderr
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize("command", ["verify", "digest", "explain c1", "up"])
def test_what_is_no_ledger_is_said_in_one_line(tmp_path: Path, command: str) -> None:
    """A file that is no database ends every command with code 2 and a sentence, not with a traceback."""
    path = tmp_path / "notes.txt"
    path.write_text("These are no tables.\n" * 100, encoding="ascii")
    result = run(*command.split(), "--ledger", f"sqlite:///{path}")
    assert result.exit_code == 2
    assert "file is not a database" in result.stderr


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    """A data directory below a file cannot be made; the message names it."""
    (tmp_path / "file").touch()
    result = run("up", "--ledger", f"sqlite:///{tmp_path / 'file' / 'data' / 'ledger.sqlite'}")
    assert result.exit_code == 2
    assert "cannot be opened" in result.stderr
