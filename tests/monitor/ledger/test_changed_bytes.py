"""One changed value anywhere in journal, actions or audit is named by table, row and field."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, Table

from monitor.events import EventData
from monitor.ledger import Ledger, audit
from monitor.ledger.chain import ACTIONS
from monitor.ledger.schema import actions, journal
from monitor.ledger.schema import audit as audit_table
from monitor.ledger.verify import Difference
from tests.databases import copy_ledger, ledger_url
from tests.monitor.ledger.within import Within
from tests.small_centre import at, delivered, event, heartbeat, opened_engine

TABLES = (journal, actions, audit_table)


pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture(scope="module")
def made(database_kind: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger with cases, a heartbeat, a text, an import, actions and audit lines."""
    folder = tmp_path_factory.mktemp("made") / "ledgers"
    with opened_engine(folder) as engine:
        engine.begin_import("files")
        engine.process(delivered(event(case="c0", source="files"), backfill=True), at(0))
        engine.end_import("files", at(0))
        engine.process(delivered(event(), event(case="c2"), event(case="c3")), at(0))
        refused = event("refuse", time=at(1), data=EventData(text="材料不齐"))
        engine.process(delivered(refused, heartbeat("night", "h1", at(1))), at(1))
        engine.tick(at(4))
        with engine.ledger.write() as connection:
            for act in ("acknowledge", "answer", "close"):
                ACTIONS.append(connection, at=at(5), actor="li", finding="f", case="c2", act=act, detail="{}")
                audit.record(connection, "os:root", "user.add", f"user:{act}", {"role": "inspector"})
    return folder


@pytest.fixture
def ledger(made: Path, tmp_path: Path) -> Iterator[Ledger]:
    """Give a copy of that ledger, to be changed at will."""
    copy_ledger(made, tmp_path)
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        yield ledger


@pytest.fixture
def within(ledger: Ledger) -> Iterator[Within]:
    """Open a transaction that is never committed; before and after it the ledger is sound."""
    with ledger.write() as connection:
        within = Within(ledger, connection)
        assert within.difference() is None
        yield within
        assert within.difference() is None


def key_of(table: Table, seq: int) -> str:
    """Name a row as a difference does."""
    return f"embedded {seq}" if table is journal else str(seq)


def changes_of(value: Any, draw: random.Random) -> list[Any]:
    """Change a value: one bit of it, its length, its kind."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, bytes):
        flipped = bytearray(value)
        flipped[draw.randrange(len(value))] ^= 1 << draw.randrange(8)
        return [bytes(flipped), value + b"\x00", value[:-1], value.hex()]
    if isinstance(value, str):
        place = draw.randrange(len(value) or 1)
        turned = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :] if value else "x"
        return [turned, value + " ", value.encode(), value.encode() + b"\xff"]
    if isinstance(value, int):
        return [value ^ 1, value + (1 << draw.randrange(1, 50)), -1, "x"]
    return ["x", 0]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_changed_value_is_named(within: Within, table: Table) -> None:
    """Every column of every row, changed in many ways: the difference names table, row and column."""
    draw, named = random.Random(20090401), 0
    keys = " AND ".join(f'"{key.name}" = :key_{key.name}' for key in table.primary_key)
    for row in within.rows(table):
        where = {f"key_{key.name}": row[key.name] for key in table.primary_key}
        for column, before in row.items():
            for value in changes_of(before, draw):
                found = within.after(f'UPDATE {table.name} SET "{column}" = :value WHERE {keys}', value=value, **where)
                if found is None:
                    continue
                named += 1
                # A row moved to another stream is missed where it was.
                field = "seq" if column == "stream" else column
                told = f"{key_of(table, row['seq'])} {column}: {before!r} -> {value!r}, found {found}"
                assert (found.table, found.field) == (table.name, field), told
                # A number below those of the rows is named itself, any other leaves a row missing.
                assert found.key in {key_of(table, row["seq"]), key_of(table, value) if column == "seq" else ""}, told
                assert found.expected != found.found, told
    assert named > 2 * len(table.columns) * len(within.rows(table))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_text_that_is_no_text_is_named(within: Within, table: Table) -> None:
    """A byte that is not UTF-8, which SQLite takes and cannot give back, is a difference and not a failure."""
    for column in table.columns:
        if isinstance(column.type, String) and column.name != "stream":
            found = within.after(f"UPDATE {table.name} SET \"{column.name}\" = CAST(x'e5ff' AS TEXT) WHERE seq = 2")
            assert found is not None
            assert (found.table, found.key, found.field) == (table.name, key_of(table, 2), column.name)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_rows_deleted_swapped_and_truncated_are_found(within: Within, table: Table) -> None:
    """Any row taken away, the last one too, two rows that changed places, and an empty table."""
    name, count = table.name, len(within.rows(table))
    for seq in range(1, count + 1):
        missed = (name, key_of(table, seq))
        assert place(within.after(f"DELETE FROM {name} WHERE seq = {seq}")) == missed
        if seq < count:
            moved = f"UPDATE {name} SET seq = -({2 * seq + 1} - seq) WHERE seq IN ({seq}, {seq + 1})"
            assert place(within.after(moved, f"UPDATE {name} SET seq = -seq WHERE seq < 0")) == missed
    assert place(within.after(f"DELETE FROM {name}")) == (name, key_of(table, 1))


def place(found: Difference | None) -> tuple[str, str]:
    """Give table and row of a difference."""
    assert found is not None
    return (found.table, found.key)
