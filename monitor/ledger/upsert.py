"""Write many rows at once, whether they exist or not, in the dialect of the database."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.dml import Insert

Rows = Sequence[dict[str, Any]]


def upsert(connection: Connection, table: Table, rows: Rows, keep: frozenset[str] = frozenset()) -> None:
    """Insert rows; where the key exists, replace every column but those to `keep`."""
    if rows:
        connection.execute(_replacing(table, connection.dialect.name, keep), list(rows))


def add_up(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows; where the key exists, add every other column to what is there."""
    if rows:
        connection.execute(_adding(table, connection.dialect.name), list(rows))


def insert_new(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows; where the key exists, leave what is there. Who does the same at the same time is waited for."""
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))


@cache
def _replacing(table: Table, dialect: str, keep: frozenset[str]) -> Insert:
    return _statement(table, dialect, lambda name, new: new[name], keep)


@cache
def _adding(table: Table, dialect: str) -> Insert:
    return _statement(table, dialect, lambda name, new: table.c[name] + new[name], frozenset())


def _statement(
    table: Table,
    dialect: str,
    merge: Callable[[str, ReadOnlyColumnCollection[str, Any]], Any],
    keep: frozenset[str],
) -> Insert:
    key = [column.name for column in table.primary_key]
    names = [column.name for column in table.columns if column.name not in key and column.name not in keep]
    if dialect == "postgresql":
        statement = postgresql.insert(table)
        return statement.on_conflict_do_update(
            index_elements=key, set_={name: merge(name, statement.excluded) for name in names}
        )
    lite = sqlite.insert(table)
    return lite.on_conflict_do_update(index_elements=key, set_={name: merge(name, lite.excluded) for name in names})
