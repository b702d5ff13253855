"""The views are what their page says, on both databases, and show nothing they must not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, text, update

from monitor.events import EventData
from monitor.ledger import Ledger
from monitor.ledger.schema import findings
from monitor.ledger.views import CONTRACT_VERSION, VIEWS
from streams.engine import Engine
from tests import databases
from tests.conftest import ROOT
from tests.databases import ledger_url
from tests.small_centre import MONDAY, RULEBOOK, at, delivered, event, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")

PAGE = (ROOT / "docs" / "views.md").read_text(encoding="utf-8")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine whose ledger holds a late case, one in time, and one by the direct line."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event(), event(case="c2"), event("finish", "c2", at(1))), at(1))
        engine.tick(at(4))
        yield engine


def rows(connection: Connection, view: str, *names: str) -> list[dict[str, Any]]:
    """Read columns of a view, or all."""
    return [dict(row) for row in connection.execute(text(f"SELECT {', '.join(names) or '*'} FROM {view}")).mappings()]


def test_the_page_lists_every_column_with_its_type() -> None:
    """Columns, their order and their types are those of the program, and so is the version."""
    parts = re.split(r"(?m)^## (v_\w+)$", PAGE)
    listed = {
        name: re.findall(r"(?m)^\| `(\w+)` \| `(\w+)` \|", part.split("\n## ")[0])
        for name, part in zip(parts[1::2], parts[2::2], strict=True)
    }
    assert listed == {name: [(column.name, column.kind) for column in view] for name, view in VIEWS.items()}
    assert f"Version {CONTRACT_VERSION}." in PAGE
    assert f"GRANT SELECT ON {', '.join(VIEWS)} TO" in PAGE


def test_a_new_ledger_has_the_views_with_these_types(engine: Engine) -> None:
    """The database itself says so."""
    with engine.ledger.read() as connection:
        for name, view in VIEWS.items():
            found = connection.execute(text(f"SELECT * FROM {name}"))
            assert list(found.keys()) == [column.name for column in view]
        if databases.current.name == "postgresql":
            types = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_name ~ '^v_'"
            stated = {(row[0], row[1]): row[2] for row in connection.execute(text(types))}
            kinds = {(name, column.name): column.kind for name, view in VIEWS.items() for column in view}
            assert stated == {
                place: "timestamp with time zone" if kind == "timestamptz" else kind for place, kind in kinds.items()
            }


def test_they_show_what_the_ledger_holds(engine: Engine) -> None:
    """Cases, findings, sums and coverage, each instant to the microsecond."""
    with engine.ledger.read() as connection:
        columns = ("case_number", "light", "closed", "started_at", "finished_at", "on_direct_line")
        cases = rows(connection, "v_cases", *columns)
        (finding,) = rows(connection, "v_findings")
        daily = rows(connection, "v_daily", "day", "region", "department", "channel", "applied", "finished")
        contract = rows(connection, "v_contract")
    started, finished = shown(MONDAY), shown(at(1))
    line = {"started_at": started, "on_direct_line": False}
    assert sorted(cases, key=lambda case: case["case_number"]) == [
        {"case_number": "c1", "light": "promised_breach", "closed": False, "finished_at": None, **line},
        {"case_number": "c2", "light": "normal", "closed": True, "finished_at": finished, **line},
    ]
    told = {name: finding[name] for name in ("case_number", "rule", "severity", "state", "department", "detected_at")}
    assert told == {
        "case_number": "c1",
        "rule": "V01",
        "severity": "promised_breach",
        "state": "live",
        "department": "land",
        "detected_at": shown(at(4)),
    }
    place = {"region": "4509", "department": "land", "channel": ""}
    assert [{**row, "day": str(row["day"])} for row in daily if row["applied"] or row["finished"]] == [
        {"day": "2026-03-02", **place, "applied": 2, "finished": 0},
        {"day": "2026-03-03", **place, "applied": 0, "finished": 1},
    ]
    assert contract == [{"version": CONTRACT_VERSION, "judged_until": shown(at(4))}]


def shown(instant: Any) -> Any:
    """Write an instant as a view of the database under test gives it."""
    return instant if databases.current.name == "postgresql" else f"{instant:%Y-%m-%dT%H:%M:%S.%fZ}"


@pytest.mark.parametrize(
    ("column", "value"),
    [("mode", "shadow"), ("mode", "lead"), ("mode", "backlog"), ("state", "withdrawn"), ("state", "cancelled")],
)
def test_a_finding_boards_do_not_show_is_not_in_it(engine: Engine, column: str, value: str) -> None:
    """Nothing in shadow, no lead, no backlog, nothing taken back."""
    with engine.ledger.write() as connection:
        assert len(rows(connection, "v_findings")) == 1
        connection.execute(update(findings).values({column: value}))
        assert rows(connection, "v_findings") == []


def test_no_person_is_in_any_view(tmp_path: Path) -> None:
    """Operator, window, applicant, enterprise and free text of an event are in no column of any view."""
    who = {"operator": "OP-77", "window": "W-77", "applicant": "f" * 40, "direct_line": "QY-77"}
    told = (
        event("apply", data=EventData(text="张三来访")),
        event("accept", time=at(1)),
        event("approve", time=at(40), data=EventData(approver="AP-77", outcome="granted")),
        event("finish", time=at(90)),
    )
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(RULEBOOK)
        engine = Engine(ledger)
        outcomes = engine.process(delivered(*(replace(each, **who) for each in told), received_at=at(91)), at(91))
        assert {outcome.status for outcome in outcomes} == {"applied"}
        engine.close()
        with ledger.write() as connection:
            connection.execute(update(findings).values(mode="card"))
            everything = {view: str(rows(connection, view)) for view in VIEWS}
    assert "c1" in everything["v_cases"]
    assert "c1" in everything["v_findings"]
    secrets = (*who.values(), "AP-77", "张三")
    assert [(view, secret) for view, shown in everything.items() for secret in secrets if secret in shown] == []
