"""The backlog: what was late before the baseline, taken back from the cards and listed by `monitor backlog`."""

import csv
import json
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from click.testing import Result
from msgspec.structs import replace
from sqlalchemy import select
from typer.testing import CliRunner

from monitor.cli import app
from monitor.events import Due, EventData
from monitor.kpi import standing
from monitor.ledger import Ledger
from monitor.ledger.digest import misreported
from monitor.ledger.publication import Approval
from monitor.ledger.schema import outbox
from monitor.ledger.verify import verify
from monitor.rulebook.model import RuleSetting
from streams.engine import Engine
from tests.databases import ledger_url
from tests.monitor.cases import BOOK as YULIN
from tests.small_centre import RULEBOOK, at, delivered, event

pytestmark = pytest.mark.usefixtures("each_database")

BOOK = replace(
    RULEBOOK,
    items=(replace(RULEBOOK.items[0], promised_limit="3 cd"),),
    rules={"V01": RuleSetting(mode="card")},
)
"""V01 alone is told; the cases below have due instants of their source."""


def due(days: float) -> EventData:
    """A due instant set by the source."""
    return EventData(due=Due(promised=at(days)))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Make a ledger of three cases that were late by Monday the 9th, of which one is a card when that is the baseline.

    `c1` was finished a working day late, `c2` is open, `c3` was due on the 9th itself.
    """
    name = ledger_url(tmp_path)
    with Ledger.open(name) as ledger:
        ledger.publish(BOOK)
        engine = Engine(ledger)
        events = [
            event("accept", "c1", data=due(1)),
            event("finish", "c1", at(2)),
            event("accept", "c2", data=due(3)),
            event("accept", "c3", data=due(7)),
        ]
        engine.process(delivered(*events), at(8))
        going_live = replace(BOOK, rules={"V01": RuleSetting(mode="card", baseline=date(2026, 3, 9))})
        ledger.publish(going_live, in_force_from=at(1000), approval=Approval("it goes live on the 9th"))
        while engine.tick(at(1000)):
            pass
        engine.close()
    return name


def run(*arguments: str) -> Result:
    """Run a command as a person would."""
    return CliRunner().invoke(app, list(arguments))


def test_a_baseline_takes_back_the_cards_of_what_was_late_before(url: str) -> None:
    """What is backlog from now on is withdrawn in the outbox, in no figure, and the ledger is sound."""
    with Ledger.open(url) as ledger, ledger.read() as connection:
        of_cases = select(outbox.c.case, outbox.c.act).where(outbox.c.act != "notice")
        acts = connection.execute(of_cases.order_by(outbox.c.case, outbox.c.seq)).all()
        told = {case: [act for of, act in acts if of == case] for case, _ in acts}
        assert told == {"c1": ["raise", "withdraw"], "c2": ["raise", "withdraw"], "c3": ["raise"]}
        assert misreported(connection) == set()
        assert sum(n for key, n in standing.standing_findings(connection).items() if key[0] == "V01") == 1
        assert verify(ledger).difference is None


def test_backlog_lists_due_days_late_and_stage(url: str) -> None:
    """One row for each finding: ended a working day late, or still late and counting."""
    rows = json.loads(run("backlog", "--ledger", url, "--json").stdout)
    assert [(row["case"], row["open"], row["stage"]) for row in rows] == [
        ("c1", False, "finished"),
        ("c2", True, "accepted"),
    ]
    assert rows[0]["due"] == "2026-03-03T01:00:00Z"
    assert rows[0]["days_late"] == 1
    assert rows[1]["days_late"] > 500, "still growing, in working days"


def test_backlog_as_csv_has_the_same_rows(url: str) -> None:
    """A header of field names and a line for each row, for a spreadsheet."""
    rows = list(csv.DictReader(StringIO(run("backlog", "--ledger", url, "--csv").stdout)))
    assert [row["case"] for row in rows] == ["c1", "c2"]
    assert rows[0]["due"].startswith("2026-03-03T01:00:00")


def test_backlog_is_counted_by_department(url: str) -> None:
    """How many findings, cases and open cases each has, and how late the latest is."""
    groups = json.loads(run("backlog", "--ledger", url, "--by", "department", "--json").stdout)
    assert [(g["code"], g["findings"], g["cases"], g["open"]) for g in groups] == [("land", 2, 2, 1)]
    shown = run("backlog", "--ledger", url, "--by", "region", "--lang", "en").stdout
    assert "Yulin" in shown
    assert "days late" in shown


def test_backlog_is_read_for_a_part(url: str) -> None:
    """A region means itself with all below it; another department has nothing."""
    assert len(json.loads(run("backlog", "--ledger", url, "--region", "4509", "--json").stdout)) == 2
    assert json.loads(run("backlog", "--ledger", url, "--region", "450902", "--json").stdout) == []
    assert json.loads(run("backlog", "--ledger", url, "--item", "i2", "--json").stdout) == []
    assert "empty" in run("backlog", "--ledger", url, "--department", "fire", "--lang", "en").stdout


def test_backlog_in_words(url: str) -> None:
    """The table names department, item and stage in the language asked for."""
    shown = run("backlog", "--ledger", url, "--lang", "zh").stdout
    assert "国土局" in shown
    assert "应办时间" in shown
    assert "Permit" in run("backlog", "--ledger", url, "--lang", "en").stdout


def test_days_of_a_limit_in_calendar_days_are_calendar_days(tmp_path: Path) -> None:
    """A promise of 3 calendar days broken from Friday to Monday is three days late."""
    name = ledger_url(tmp_path, "other")
    book = replace(BOOK, rules={"V01": RuleSetting(mode="card", baseline=date(2027, 1, 1))})
    with Ledger.open(name) as ledger:
        ledger.publish(replace(book, profiles=YULIN.profiles))
        engine = Engine(ledger)
        engine.process(delivered(event("accept", "c1", at(1)), event("finish", "c1", at(7))), at(8))
        engine.close()
    (row,) = json.loads(run("backlog", "--ledger", name, "--json").stdout)
    assert (row["due"][:10], row["days_late"]) == ("2026-03-06", 3)
