"""Stored values as they are: what a verification reads, so that a value nobody could have written is a finding too.

Read as usual, an instant beyond the calendar, a text that is no UTF-8 or a truth of 2 would fail or pass for another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Date, Integer, String, Table, type_coerce
from sqlalchemy.sql.elements import ColumnElement

from monitor.ledger.instants import InstantColumn, to_us


def as_stored(table: Table) -> list[ColumnElement[Any]]:
    """Give the columns of a table so that their values come as the database holds them."""
    return [_plain_column(column).label(column.name) for column in table.columns]


def plainly(value: Any) -> Any:
    """Write a value of ours as `as_stored` gives it."""
    if isinstance(value, datetime):
        return to_us(value)
    if isinstance(value, bool):
        return int(value)
    return value.isoformat() if isinstance(value, date) else value


def shown(stored: Any) -> str:
    """Write a stored value for a person."""
    return stored.hex() if isinstance(stored, bytes) else repr(stored)


@contextmanager
def undecoded(connection: Connection) -> Iterator[None]:
    """Read texts that are no UTF-8 as something that equals no text, where SQLite would refuse to read the row."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.dbapi_connection
    assert raw is not None, "the connection is open"
    before = raw.text_factory
    raw.text_factory = lambda written: written.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        raw.text_factory = before


def _plain_column(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, InstantColumn):
        return type_coerce(column, BigInteger)
    if isinstance(column.type, Boolean):
        return type_coerce(column, Integer)
    return type_coerce(column, String) if isinstance(column.type, Date) else column
