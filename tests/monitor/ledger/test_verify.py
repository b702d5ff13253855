"""`verify` finds a single changed value, and says where it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.ledger.changes import Statistics
from monitor.ledger.packing import pack_assessment, pack_entries, unpack_assessment, unpack_entries
from monitor.ledger.schema import cases
from monitor.ledger.verify import Difference, verify
from streams.engine import Delivery, Engine
from tests.databases import copy_ledger
from tests.small_centre import assess_plainly, at, delivered, event, heartbeat, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture(scope="module")
def made(database_kind: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger with a case in time, a late one, a corrected one, and a reject."""
    folder = tmp_path_factory.mktemp("made") / "ledgers"
    with opened_engine(folder) as engine:
        engine.process([*delivered(event(), event(case="c2"), event(case="c3")), Delivery(b"{")], at(0))
        engine.process(delivered(event("finish", time=at(1)), heartbeat("night", "h1", at(1))), at(1))
        engine.tick(at(4))
        engine.process(delivered(event("finish", "c3", at(2)), heartbeat("hall", "h2", at(5), at(5))), at(5))
    return folder


@pytest.fixture
def engine(made: Path, tmp_path: Path) -> Iterator[Engine]:
    """Give an engine on a copy of that ledger, to be changed at will."""
    copy_ledger(made, tmp_path)
    with opened_engine(tmp_path) as engine:
        yield engine


def difference(engine: Engine) -> Difference | None:
    """Verify; return the first difference."""
    return verify(engine.ledger, assess_plainly).difference


def change(engine: Engine, statement: str, **values: object) -> None:
    """Change the ledger behind its back."""
    with engine.ledger.write() as connection:
        assert connection.execute(text(statement), values).rowcount == 1


def test_an_untouched_ledger_agrees_with_itself(engine: Engine) -> None:
    """There is no difference, and everything was looked at."""
    checked = verify(engine.ledger, assess_plainly)
    assert checked.difference is None
    assert (checked.events, checked.cases, checked.findings) == (7, 3, 1)
    assert checked.statistics > 0


@pytest.mark.parametrize(
    ("statement", "table", "key", "field"),
    [
        (
            "UPDATE journal SET content = replace(content, 'land', 'lanb') WHERE seq = 2",
            "journal",
            "embedded 2",
            "content",
        ),
        (
            "UPDATE journal SET content = CAST(replace(content, 'land', 'lanb') AS BLOB) WHERE seq = 4",
            "journal",
            "embedded 4",
            "content",
        ),
        ("UPDATE journal SET received_at = received_at + 1 WHERE seq = 3", "journal", "embedded 3", "received_at"),
        ("UPDATE journal SET backfill = NOT backfill WHERE seq = 5", "journal", "embedded 5", "backfill"),
        ("UPDATE journal SET source = 'x' WHERE seq = 1", "journal", "embedded 1", "source"),
        ("DELETE FROM journal WHERE seq = 4", "journal", "embedded 4", "seq"),
        ("DELETE FROM journal WHERE seq = 7", "journal", "embedded 7", "seq"),
        ("UPDATE positions SET seq = 8", "positions", "embedded", "seq"),
        ("UPDATE positions SET next = next + 1", "positions", "embedded", "next"),
        ("UPDATE sources SET applied = applied + 1 WHERE source = 'hall'", "sources", "embedded hall", "applied"),
        ("DELETE FROM sources WHERE source = 'hall'", "sources", "embedded hall", "applied"),
        (
            "UPDATE sources SET complete_until = 0 WHERE source = 'hall'",
            "sources",
            "embedded hall",
            "complete_until",
        ),
        ("UPDATE rulebooks SET digest = 'x'", "rulebooks", "1", "digest"),
        ("UPDATE rulebooks SET content = replace(content, '国土局', '国土')", "rulebooks", "1", "digest"),
        ("UPDATE rulebooks SET version = 2", "rulebooks", "2", "version"),
        ("DELETE FROM positions", "positions", "embedded", "stream"),
        ("DELETE FROM rejects", "rejects", "embedded", "count"),
        ("DELETE FROM cases WHERE \"case\" = 'c2'", "cases", "c2", "case"),
        ("UPDATE cases SET department = 'x' WHERE \"case\" = 'c3'", "cases", "c3", "department"),
        ("UPDATE cases SET next_change = 5 WHERE \"case\" = 'c1'", "cases", "c1", "next_change"),
        ("UPDATE cases SET judged_at = judged_at - 1 WHERE \"case\" = 'c1'", "cases", "c1", "assessment.judged_at"),
        ("UPDATE cases SET source_set = 'night' WHERE \"case\" = 'c1'", "cases", "c1", "source_set"),
        ("UPDATE cases SET assessment = zeroblob(1) WHERE \"case\" = 'c1'", "cases", "c1", "assessment"),
        ("UPDATE cases SET events = zeroblob(1) WHERE \"case\" = 'c1'", "cases", "c1", "events"),
    ],
)
def test_one_changed_value_is_named(engine: Engine, statement: str, table: str, key: str, field: str) -> None:
    """The first difference names table, row and field."""
    change(engine, statement)
    found = difference(engine)
    assert found is not None
    assert (found.table, found.key, found.field) == (table, key, field)
    assert found.expected != found.found


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("severity", 1),
        ("state", "withdrawn"),
        ("department", "x"),
        ("evidence", "{}"),
        ("occurred_at", 0),
        ("mode", "lead"),
    ],
)
def test_a_changed_finding_is_named(engine: Engine, column: str, value: object) -> None:
    """A finding cannot be made milder, withdrawn, or moved to somebody else."""
    change(engine, f"UPDATE findings SET {column} = :value WHERE \"case\" = 'c2'", value=value)
    found = difference(engine)
    assert found is not None
    assert (found.table, found.field) == ("findings", column)


def test_a_removed_finding_is_missed(engine: Engine) -> None:
    """A finding that the events prove is named with its rule and case."""
    change(engine, "DELETE FROM findings WHERE \"case\" = 'c2'")
    found = difference(engine)
    assert found is not None
    assert (found.table, found.expected, found.found) == ("findings", "V01 of case c2", "no row")


def test_a_withdrawn_finding_that_stands_again_is_named(engine: Engine) -> None:
    """Nobody can revive what the events disprove."""
    change(engine, "UPDATE findings SET state = 'live' WHERE \"case\" = 'c3'")
    found = difference(engine)
    assert found is not None
    assert (found.table, found.field, found.expected, found.found) == ("findings", "state", "withdrawn", "live")


@pytest.mark.parametrize(
    ("table", "key"), [("stats_units", "embedded 2026-03-02 4509 land -"), ("stats_items", "embedded 2026-03-02 i1")]
)
def test_a_changed_sum_is_named(engine: Engine, table: str, key: str) -> None:
    """A sum that is not the sum over cases is named with day, unit and measure (I9)."""
    change(engine, f"UPDATE {table} SET applied = applied + 1 WHERE day = '2026-03-02'")
    assert difference(engine) == Difference(table, key, "applied", "3", "4")


def test_every_byte_of_an_assessment_counts(engine: Engine) -> None:
    """An assessment rewritten with another light is named by the field that differs."""
    with engine.ledger.read() as connection:
        packed = connection.execute(text("SELECT assessment FROM cases WHERE \"case\" = 'c2'")).scalar_one()
    milder = packed.replace(b"promised_breach", b"promised_breacj")
    assert milder != packed
    change(engine, "UPDATE cases SET assessment = :packed WHERE \"case\" = 'c2'", packed=milder)
    found = difference(engine)
    assert found is not None
    assert (found.table, found.key, found.field) == ("cases", "c2", "assessment")


def test_an_event_taken_out_of_a_case_is_named_by_its_place_in_the_journal(engine: Engine) -> None:
    """A case whose events are not those of the journal is named with the event that is missing."""
    entries = [entry for entry in engine.ledger.entries("c1") if entry.event.id != "finish"]
    packed = pack_entries(entries)
    change(engine, "UPDATE cases SET events = :packed WHERE \"case\" = 'c1'", packed=packed)
    found = difference(engine)
    assert found is not None
    assert (found.field, found.expected, found.found) == ("events", "journal embedded 4", "not among its events")


def test_a_case_without_events_is_named(engine: Engine) -> None:
    """Nobody can add a case to the figures that no event speaks of."""
    copied = ", ".join(
        {"case": "'ghost'", "events": ":packed"}.get(name, name) for name in (column.name for column in cases.c)
    )
    change(engine, f"INSERT INTO cases SELECT {copied} FROM cases WHERE \"case\" = 'c2'", packed=pack_entries([]))
    assert difference(engine) == Difference("cases", "ghost", "events", "what the journal holds", "none")


def test_a_notice_taken_out_of_the_outbox_is_named(engine: Engine) -> None:
    """A finding that stands and is told to nobody is a difference."""
    change(engine, "DELETE FROM outbox WHERE \"case\" = 'c2'")
    found = difference(engine)
    assert found is not None
    assert (found.table, found.field) == ("outbox", "act")


def test_packing_is_canonical(engine: Engine) -> None:
    """What is unpacked and packed again gives the same bytes."""
    with engine.ledger.read() as connection:
        for row in connection.execute(text("SELECT assessment, events FROM cases")):
            assert pack_assessment(unpack_assessment(row.assessment)) == row.assessment
            assert pack_entries(unpack_entries(row.events)) == row.events


def test_statistics_taken_back_are_nothing(engine: Engine) -> None:
    """Adding an assessment and taking it away leaves every sum at zero."""
    assessment = engine.ledger.assessment("c1")
    assert assessment is not None
    statistics = Statistics()
    statistics.add(assessment, 1)
    statistics.add(assessment, -1)
    assert not any(any(row.values()) for row in (*statistics.units.values(), *statistics.items.values()))
