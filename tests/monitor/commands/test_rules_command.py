"""`monitor rules` as an inspector uses it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from msgspec.structs import replace
from typer.testing import CliRunner

from monitor.cli import app
from monitor.people import add_user, this_account
from monitor.rulebook.model import RuleSetting
from tests.monitor.readiness.feed import BOOK, Feed, T, case

SECRET = "correct horse battery"


class Desk:
    """A ledger in which V06 finds three cases in shadow, and an inspector with his password in a file."""

    def __init__(self, folder: Path) -> None:
        feed = Feed(folder, replace(BOOK, rules={"V06": RuleSetting(mode="shadow")}))
        for number in range(3):
            feed.deliver(*(each for each in case(f"c{number}", number) if each.type is not T.APPROVE))
        with feed.ledger.write() as connection:
            add_user(connection, this_account(), "li", "inspector", SECRET)
            add_user(connection, this_account(), "chen", "admin", SECRET)
        feed.close()
        self.url = feed.ledger.url
        self._secret = folder / "password"
        self._secret.write_text(SECRET)

    def run(self, *arguments: str, by: str | None = None, lang: str = "en") -> Result:
        """Run `monitor rules`, as a user if one is named."""
        who = [] if by is None else ["--as", by, "--as-password-file", str(self._secret)]
        return CliRunner().invoke(app, ["rules", *arguments, *who, "--ledger", self.url, "--lang", lang])

    def document(self, *arguments: str, by: str | None = None) -> Any:
        """Run it with --json."""
        return json.loads(self.run(*arguments, "--json", by=by).stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk to work at."""
    return Desk(tmp_path)


def test_from_the_list_over_the_sample_to_leads(desk: Desk) -> None:
    """List, draw, review each, promote: what is missing is said at each step, and the list shows where it ended."""
    (line,) = [each for each in desk.document("list") if each["rule"] == "V06"]
    assert (line["mode"], line["hits"], line["right"], line["last_reviewed"]) == ("shadow", {"shadow": 3}, 0, None)
    sample = desk.document("sample", "V06")["sample"]
    assert sorted(each["case"] for each in sample) == ["c0", "c1", "c2"]
    refused = desk.run("promote", "V06", "--to", "lead", by="li")
    assert (refused.exit_code, "monitor rules review V06" in refused.stderr) == (2, True)
    for each in sample:
        done = desk.run("review", "V06", each["case"], "--verdict", "right", by="li")
        assert done.exit_code == 0, done.output
    assert "right (li)" in desk.run("sample", "V06").stdout
    promoted = desk.run("promote", "V06", "--to", "lead", "--baseline", "2026-03-01", by="li")
    assert "V06 goes from shadow to lead; 3 findings were reviewed, 0 of them were wrong" in promoted.stdout
    (line,) = [each for each in desk.document("list") if each["rule"] == "V06"]
    assert (line["mode"], line["baseline"], line["right"]) == ("lead", "2026-03-01", 3)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_list_is_a_table(desk: Desk, lang: str) -> None:
    """Every rule with version, mode, findings and reviews, in the language asked for."""
    desk.run("review", "V06", "c1", "--verdict", "wrong", "--note", "the approval is on paper", by="li")
    desk.run("promote", "V05", "--to", "card", "--department", "land", "--start", "2026-04-01", by="li")
    shown = desk.run("list", lang=lang).stdout
    for word in ("V06", "V05", "D01", "shadow", "land", "有误" if lang == "zh" else "wrong"):
        assert word in shown
    assert [each["wrong"] for each in desk.document("list") if each["rule"] == "V06"] == [1]
    assert desk.run("list", "--item", "nothing").exit_code == 2


def test_a_weaker_mode_becomes_a_proposal(desk: Desk) -> None:
    """Back from card to lead, one person proposes and another approves."""
    assert desk.run("promote", "V05", "--to", "card", by="li").exit_code == 0
    asked = desk.run("promote", "V05", "--to", "lead", by="li")
    assert (asked.exit_code, "V05 goes from card to lead" in asked.stderr) == (1, True)
    assert desk.document("promote", "V05", "--to", "lead", by="li")["proposal"] == 2
    approved = CliRunner().invoke(
        app, ["rulebook", "approve", "1", "--as", "chen", "--as-password-file", str(desk._secret), "--ledger", desk.url]
    )
    assert approved.exit_code == 0, approved.output
    (line,) = [each for each in desk.document("list") if each["rule"] == "V05"]
    assert line["mode"] == "lead"


def test_nobody_reviews_without_saying_who(desk: Desk) -> None:
    """The account of the machine is no inspector."""
    refused = desk.run("review", "V06", "c1", "--verdict", "right")
    assert (refused.exit_code, "--as NAME" in refused.stderr) == (2, True)
