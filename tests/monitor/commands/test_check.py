"""`monitor check` on the command line."""

import json
from pathlib import Path

from typer.testing import CliRunner

from monitor.cli import app
from tests.conftest import ROOT
from tests.monitor.rulebook.small import SMALL, written

SPOILT = SMALL.replace("promised_limit: 10 wd", "promised_limit: 10 days").replace("region: R1}", "region: R9}", 1)


def test_every_fault_is_printed_with_its_line(tmp_path: Path) -> None:
    """A rulebook with faults ends with exit code 1 and a line per fault: file, line, reason, remedy."""
    path = written(tmp_path, SPOILT)
    result = CliRunner().invoke(app, ["check", str(path), "--lang", "en"])
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{path}:7: departments[D1].region: There is no region R9.")
    assert lines[1].startswith(f"{path}:18: items[I1].promised_limit: '10 days' is not a limit. Write days and unit")
    assert lines[2] == "2 faults."


def test_faults_are_told_in_chinese(tmp_path: Path) -> None:
    """The same faults in the language of those who keep the catalogue."""
    result = CliRunner().invoke(app, ["check", str(written(tmp_path, SPOILT)), "--lang", "zh"])
    assert "没有地区 R9。请改正编码" in result.stdout
    assert result.stdout.endswith("共 2 处错误。\n")


def test_json_is_one_document(tmp_path: Path) -> None:
    """With --json the faults are one document, reasons and remedies in both languages."""
    result = CliRunner().invoke(app, ["check", str(written(tmp_path, SPOILT)), "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["valid"] is False
    assert [(fault["line"], fault["code"]) for fault in document["faults"]] == [
        (7, "unknown_region"),
        (18, "limit_form"),
    ]
    assert set(document["faults"][0]["remedy"]) == {"zh", "en"}


def test_valid_rulebook_is_counted() -> None:
    """A rulebook without faults ends with exit code 0 and says what it holds."""
    yulin = ROOT / "monitor" / "rulebooks" / "yulin"
    result = CliRunner().invoke(app, ["check", str(yulin), "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (document["valid"], document["counts"]["items"]) == (True, 507)
    assert "507 items" in CliRunner().invoke(app, ["check", str(yulin), "--lang", "en"]).stdout
