"""Rows are written in bulk, few or many, whether they exist or not, with the same result on both databases."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from monitor.ledger import Ledger
from monitor.ledger.schema import outbox, sources, stats_items
from monitor.ledger.upsert import COPY_ROWS_MIN, add_up, append, insert_new, upsert
from tests.databases import ledger_url

pytestmark = pytest.mark.usefixtures("each_database")

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, UTC)
SIZES = pytest.mark.parametrize("count", [1, COPY_ROWS_MIN - 1, COPY_ROWS_MIN, 300])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give an empty ledger."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        yield ledger


def source(number: int, **values: Any) -> dict[str, Any]:
    """Make a row with texts, instants, no instants, truth and numbers."""
    row = {
        "stream": "s",
        "source": f"来源 {number:03}",
        "complete_until": NOON + timedelta(seconds=number),
        "hold": None,
    }
    return {
        **row,
        "live": number % 2 == 0,
        "applied": 2**40 + number,
        "duplicate": 0,
        "rejected": 0,
        "copied": 0,
        **values,
    }


def stored(ledger: Ledger) -> list[dict[str, Any]]:
    """Read the rows back, with the columns they were given."""
    columns = [sources.c[name] for name in source(0)]
    with ledger.read() as connection:
        rows = connection.execute(select(*columns).order_by(sources.c.source))
        return [dict(row) for row in rows.mappings()]


@SIZES
def test_what_is_written_is_read_back(ledger: Ledger, count: int) -> None:
    """Every kind of value comes back as it was, and in another transaction too."""
    rows = [source(number) for number in range(count)]
    with ledger.write() as connection:
        upsert(connection, sources, rows)
    assert stored(ledger) == rows


@SIZES
def test_a_row_that_exists_is_replaced_but_for_what_is_kept(ledger: Ledger, count: int) -> None:
    """New rows beside it are inserted; two writes of one transaction follow each other."""
    with ledger.write() as connection:
        upsert(connection, sources, [source(number) for number in range(count)])
        upsert(connection, sources, [source(number, hold=NOON) for number in range(count)])
        again = [source(number, applied=7, complete_until=None) for number in range(count + 1)]
        upsert(connection, sources, again, keep=frozenset({"complete_until"}))
    assert stored(ledger) == [
        *(source(number, applied=7) for number in range(count)),
        source(count, applied=7, complete_until=None),
    ]


@SIZES
def test_sums_add_up(ledger: Ledger, count: int) -> None:
    """What is there is added to, within one transaction and in the next; what is not there begins at nothing."""
    rows = [
        {"stream": "s", "day": date(2026, 3, 2), "item": f"i{n}", "applied": n, "finished": -1} for n in range(count)
    ]
    for _ in range(2):
        with ledger.write() as connection:
            add_up(connection, stats_items, rows)
            add_up(connection, stats_items, rows)
    columns = (stats_items.c.day, stats_items.c.applied, stats_items.c.finished, stats_items.c.accepted)
    with ledger.read() as connection:
        found = connection.execute(select(*columns).order_by(stats_items.c.applied)).all()
    assert found == [(date(2026, 3, 2), 4 * n, -4, 0) for n in range(count)]


@SIZES
def test_a_row_that_exists_is_left_as_it_is(ledger: Ledger, count: int) -> None:
    """Only what is missing is inserted."""
    with ledger.write() as connection:
        insert_new(connection, sources, [source(0)])
        insert_new(connection, sources, [source(number, applied=7) for number in range(count)])
    assert [row["applied"] for row in stored(ledger)] == [2**40, *[7] * (count - 1)]


@SIZES
def test_appended_rows_are_numbered_in_their_order(ledger: Ledger, count: int) -> None:
    """A number the database gives counts up in the order the rows were given."""
    plain = {"stream": "s", "case": "c", "act": "raise", "delivery": "send", "mode": "card", "severity": 1}
    rows = [{**plain, "finding": f"f{n}", "department": "", "created_at": NOON} for n in range(count)]
    with ledger.write() as connection:
        append(connection, outbox, rows)
    with ledger.read() as connection:
        found = connection.execute(select(outbox.c.finding).order_by(outbox.c.seq)).scalars().all()
    assert found == [f"f{n}" for n in range(count)]


@SIZES
def test_what_cannot_be_written_is_an_error_of_the_database(ledger: Ledger, count: int) -> None:
    """A row appended twice, or without a value it must have, undoes the whole transaction."""
    rows = [source(number) for number in range(count)]
    valueless = [source(number, applied=None) for number in range(500, 500 + count)]

    def write(first: dict[str, Any], rest: list[dict[str, Any]]) -> None:
        with ledger.write() as connection:
            upsert(connection, sources, [first])
            append(connection, sources, rest)

    write(source(998), rows)
    for broken in (rows, valueless):
        with pytest.raises(IntegrityError):
            write(source(999), broken)
    assert stored(ledger) == [*rows, source(998)]


def test_nothing_is_nothing(ledger: Ledger) -> None:
    """No rows are no statement."""
    with ledger.write() as connection:
        append(connection, sources, [])
        upsert(connection, sources, [])
    assert stored(ledger) == []
