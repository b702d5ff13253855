"""`monitor texts` as an inspector and an operator use it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.events import EventData, TextMark
from monitor.ledger import Ledger, audit
from monitor.people import add_user, this_account
from tests.small_centre import RULEBOOK, at, delivered, event, opened_engine

SAID = "材料不齐"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with a case of which somebody wrote something."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event(), event("refuse", time=at(1), data=EventData(text=SAID))), at(1))
    return engine.ledger.url


def texts(url: str, *arguments: str) -> Result:
    """Run `monitor texts`."""
    return CliRunner().invoke(app, ["texts", *arguments, "--ledger", url, "--lang", "zh"])


def audited(url: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Read what the audit has of texts."""
    with Ledger.open(url) as ledger, ledger.read() as connection:
        return [(line.act, line.object, line.detail) for line in audit.entries(connection, act="text.")]


def test_reading_texts_is_audited(url: str) -> None:
    """They are shown with when and by whom, and that somebody read them stands in the audit, the words do not."""
    shown = texts(url, "show", "c1").stdout
    assert SAID in shown
    assert "hall refuse" in shown
    assert json.loads(texts(url, "show", "c1", "--json").stdout)[0]["said"] == SAID
    assert "没有文本" in texts(url, "show", "c9").stdout
    assert audited(url) == [
        ("text.show", "case:c9", {"texts": 0}),
        ("text.show", "case:c1", {"texts": 1}),
        ("text.show", "case:c1", {"texts": 1}),
    ]


def test_erased_texts_are_shown_as_erased(url: str) -> None:
    """Erasing needs a reason, is audited, and leaves a line that says when."""
    assert texts(url, "erase", "c1", "--reason", " ").exit_code == 2
    assert texts(url, "erase", "c1", "--reason", "依申请").exit_code == 0
    assert "正文已于" in texts(url, "show", "c1").stdout
    assert audited(url)[1][2]["reason"] == "依申请"
    again = texts(url, "erase", "c1", "--reason", "依申请")
    assert again.exit_code == 2
    assert "could be erased" in again.stderr


def test_a_text_its_source_kept_is_said_to_be_absent(tmp_path: Path) -> None:
    """A mark without words is not shown as erased."""
    with opened_engine(tmp_path) as engine:
        sealed = event(data=EventData(text=TextMark(hash="abc", length=3)))
        engine.process(delivered(sealed), at())
    assert "从未收到" in texts(engine.ledger.url, "show", "c1").stdout


def test_where_there_are_inspectors_texts_are_theirs(url: str, tmp_path: Path) -> None:
    """Then a user must be named: an inspector or admin, and of the region of the case."""
    secret = "一句容易记住的长密码 2026"
    (tmp_path / "password").write_text(secret, encoding="utf-8")
    with Ledger.open(url) as ledger, ledger.write() as connection:
        for name, role, region in (("wu", "inspector", "4509"), ("he", "inspector", "4501"), ("li", "leader", None)):
            add_user(connection, this_account(), name, role, secret, region, None, RULEBOOK)  # type: ignore[arg-type]

    def as_user(name: str) -> Result:
        return texts(url, "show", "c1", "--as", name, "--as-password-file", str(tmp_path / "password"))

    assert SAID in as_user("wu").stdout
    assert "不在您的范围内" in as_user("he").stderr
    assert as_user("li").exit_code == 2
    assert texts(url, "show", "c1").exit_code == 2
    assert texts(url, "erase", "c1", "--reason", "x").exit_code == 2
    with Ledger.open(url) as ledger, ledger.read() as connection:
        assert [line.actor for line in audit.entries(connection, act="text.")] == ["wu"]
