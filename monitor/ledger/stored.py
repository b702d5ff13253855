"""Stored values as they are: what a verification reads, so that a value nobody could have written is a finding too.

Read as usual, an instant beyond the calendar, a text that is no UTF-8 or a truth of 2 would fail or pass for another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    func,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.sql.elements import ColumnElement

from monitor.ledger.instants import InstantColumn, to_us

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


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


def misfits(connection: Connection, table: Table) -> Iterator[tuple[str, str, str, str]]:
    """Find values of another kind than their column: key of the row, column, kind expected, kind found.

    Only SQLite takes such values; to read one as usual would fail, or pass for a value that could be right.
    """
    if connection.dialect.name != "sqlite":
        return
    wrong = {column: _misfit(column) for column in table.columns}
    # One pass over the table, where nothing is wrong; only then is the column looked for.
    if connection.execute(select(literal_column("1")).select_from(table).where(or_(*wrong.values())).limit(1)).first():
        key: ColumnElement[str] = literal_column(" || ' ' || ".join(f'"{column.name}"' for column in table.primary_key))
        for column, is_wrong in wrong.items():
            query = select(key, func.typeof(column)).select_from(table).where(is_wrong).limit(1)
            for row_key, found in connection.execute(query):
                yield str(row_key), str(column.name), _kind(column)[0], str(found)


def _misfit(column: Column[Any]) -> ColumnElement[bool]:
    kind, right = _kind(column)
    wrong = or_(func.typeof(column) != kind, ~right)
    return and_(column.is_not(None), wrong) if column.nullable else wrong


def _kind(column: Column[Any]) -> tuple[str, ColumnElement[bool]]:
    if isinstance(column.type, InstantColumn):
        return "integer", type_coerce(column, BigInteger).between(to_us(_FIRST), to_us(_LAST))
    if isinstance(column.type, Boolean):
        return "integer", type_coerce(column, Integer).in_((0, 1))
    if isinstance(column.type, Date):
        return "text", func.coalesce(func.date(type_coerce(column, String)), "") == type_coerce(column, String)
    kinds = {Integer: "integer", LargeBinary: "blob", String: "text"}
    return next(kind for base, kind in kinds.items() if isinstance(column.type, base)), true()


def _plain_column(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, InstantColumn):
        return type_coerce(column, BigInteger)
    if isinstance(column.type, Boolean):
        return type_coerce(column, Integer)
    return type_coerce(column, String) if isinstance(column.type, Date) else column
