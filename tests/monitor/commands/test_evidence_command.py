"""`monitor evidence` as an inspector exports with it, and a witness checks with it."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger, audit
from monitor.ledger.seal import public_key_of, seal, to_document
from tests.monitor.evidence.made import SAID, SECRET, fall_late, finish_late, opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with a late case, its people, and the file with their password."""
    with opened(tmp_path) as engine:
        fall_late(engine)
        finish_late(engine)
    (tmp_path / "password").write_text(SECRET, encoding="utf-8")
    return tmp_path


def run(*arguments: str, lang: str = "en") -> Result:
    """Run `monitor evidence`."""
    return CliRunner().invoke(app, ["evidence", *arguments, "--lang", lang])


def exported(folder: Path, *options: str, name: str = "wu") -> Result:
    """Export the case as somebody."""
    who = ("--as", name, "--as-password-file", str(folder / "password"))
    return run("c1", "-o", str(folder / "c1.zip"), "--ledger", url(folder), *who, *options)


def url(folder: Path) -> str:
    """Name the ledger."""
    return f"sqlite:///{folder / 'ledger.sqlite'}"


def test_a_bundle_is_exported_and_verified(folder: Path) -> None:
    """An inspector exports it, the audit says so, and anybody with the key can check it anywhere."""
    told = exported(folder)
    assert told.exit_code == 0, told.output
    assert "The evidence on case c1 is in" in told.stdout
    assert (folder / "c1.zip").stat().st_mode & 0o777 == 0o600
    with Ledger.open(url(folder)) as ledger:
        key = public_key_of(ledger)
        with ledger.read() as connection:
            (line,) = audit.entries(connection, act="evidence.")
    assert (line.actor, line.object, line.detail["texts"]) == ("wu", "case:c1", False)
    (folder / "ledger.sqlite").unlink()
    checked = run("verify", str(folder / "c1.zip"), "--public-key", key)
    assert checked.exit_code == 0
    assert "The bundle is sound" in checked.stdout
    assert "exported by wu" in checked.stdout
    assert "证据包完整" in run("verify", str(folder / "c1.zip"), lang="zh").stdout
    assert key in run("verify", str(folder / "c1.zip")).stdout


def test_a_changed_bundle_is_named_with_exit_code_1(folder: Path) -> None:
    """Each problem with the file it stands in; as a document too."""
    exported(folder)
    bundle = folder / "c1.zip"
    bundle.write_bytes(bundle.read_bytes().replace(b'"exported_by": "wu"', b'"exported_by": "li"'))
    told = run("verify", str(bundle))
    assert told.exit_code == 1
    assert "manifest.json" in told.stdout
    assert "cannot be trusted: 1 problems" in told.stdout
    document = json.loads(run("verify", str(bundle), "--json").stdout)
    assert [problem["file"] for problem in document["problems"]] == ["manifest.json"]


def test_a_witness_brings_his_seal(folder: Path) -> None:
    """The bundle is tied to it, and says what came later."""
    kept = folder / "seal.json"
    with Ledger.open(url(folder)) as ledger:
        kept.write_bytes(to_document(seal(ledger)))
    assert exported(folder, "--seal", str(kept)).exit_code == 0
    assert json.loads(run("verify", str(folder / "c1.zip"), "--seal", str(kept), "--json").stdout)["problems"] == []
    kept.write_text("{}", encoding="utf-8")
    refused = run("verify", str(folder / "c1.zip"), "--seal", str(kept))
    assert refused.exit_code == 2
    assert "not a seal" in refused.stderr


def test_texts_are_in_it_only_with_the_option(folder: Path) -> None:
    """And the audit says that they are."""
    exported(folder, "--with-texts", "--json")
    assert SAID.encode() in (folder / "c1.zip").read_bytes()
    with Ledger.open(url(folder)) as ledger, ledger.read() as connection:
        (line,) = audit.entries(connection, act="evidence.export")
    assert line.detail["texts"] is True


def test_evidence_is_for_inspectors(folder: Path) -> None:
    """A department gets none, nobody without a name, and a case nobody knows is refused."""
    assert "this is for inspector" in exported(folder, name="land").stderr
    assert "--as" in run("c1", "-o", str(folder / "x.zip"), "--ledger", url(folder)).stderr
    who = ("--as", "wu", "--as-password-file", str(folder / "password"), "--ledger", url(folder))
    assert "no case c9" in run("c9", "-o", str(folder / "x.zip"), *who).stderr
    nowhere = str(folder / "no" / "where.zip")
    assert "cannot be written" in run("c1", "-o", nowhere, *who).stderr
    assert not (folder / "x.zip").exists()


def test_a_case_may_be_called_as_a_command(folder: Path) -> None:
    """`export` before its number says what is meant; without a file to write to, the option is named."""
    who = ("--as", "wu", "--as-password-file", str(folder / "password"), "--ledger", url(folder))
    assert "no case verify" in run("export", "verify", "-o", str(folder / "x.zip"), *who).stderr
    assert "--output" in run("c1").stderr
