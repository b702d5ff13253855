"""`monitor act` as a department and an inspector use it."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.people import add_user, this_account
from monitor.verdict import finding_id
from tests.small_centre import RULEBOOK, at, delivered, event, opened_engine

SECRET = "一句容易记住的长密码 2026"
FINDING = finding_id("c1", "V01")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with a late case, its department and an inspector; their password is in a file."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event()), at(0))
        engine.tick(at(4))
        with engine.ledger.write() as connection:
            add_user(connection, this_account(), "land", "department", SECRET, None, "land", RULEBOOK)
            add_user(connection, this_account(), "wu", "inspector", SECRET)
    (tmp_path / "password").write_text(SECRET, encoding="utf-8")
    return engine.ledger.url


def act(url: str, what: str, *arguments: str, name: str = "land", lang: str = "zh") -> Result:
    """Run `monitor act` as somebody."""
    file = str(Path(url.removeprefix("sqlite:///")).parent / "password")
    options = ["--as", name, "--as-password-file", file, "--ledger", url, "--lang", lang]
    return CliRunner().invoke(app, ["act", FINDING, what, *arguments, *options])


def test_acts_are_told_and_kept(url: str, tmp_path: Path) -> None:
    """What was done is said in words; as a document it has the mark of what was written, not the words."""
    assert f"land 已对办件 c1 的发现 {FINDING} 签收" in act(url, "acknowledge").stdout
    (tmp_path / "answer.txt").write_text("已补办", encoding="utf-8")
    document = json.loads(act(url, "answer", "--text-file", str(tmp_path / "answer.txt"), "--json").stdout)
    assert (document["act"], document["case"], document["text"]["length"]) == ("answer", "c1", 3)
    assert "已补办" not in str(document)
    assert act(url, "close", name="wu", lang="en").stdout.startswith(f"wu: finding {FINDING} of case c1 closed")


def test_what_may_not_be_done_is_said_with_a_remedy(url: str, tmp_path: Path) -> None:
    """An unknown act, one out of order, one without words, an unreadable file: exit code 2 and what to do."""
    for arguments, said in (
        (("dance",), "acknowledge, answer"),
        (("answer", "--text", "x"), "Acknowledge the finding first"),
        (("supervise",), "this is for inspector"),
        (("acknowledge", "--text-file", str(tmp_path / "none")), "cannot be read"),
    ):
        result = act(url, *arguments, lang="en")
        assert result.exit_code == 2
        assert said in result.stderr
    alone = CliRunner().invoke(app, ["act", FINDING, "close", "--ledger", url, "--lang", "en"])
    assert alone.exit_code == 2
    assert "--as" in alone.stderr
