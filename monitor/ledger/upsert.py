"""Write many rows at once, whether they exist or not, in the fastest way measured for each database.

SQLite takes prepared rows straight from its driver; PostgreSQL takes them by binary COPY, into a staging table where
they have to be merged with what is there. SQLAlchemy's own way of writing many rows costs two to three times as much.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import BigInteger, Boolean, Connection, Date, Float, Integer, LargeBinary, String, Table, Text

from monitor.ledger.instants import InstantColumn, to_us

Rows = Sequence[dict[str, Any]]

COPY_ROWS_MIN: Final = 8
"""So many rows are worth a COPY and its staging table; fewer are faster one by one."""

_COPY_TYPES: Final[dict[type, str]] = {
    BigInteger: "int8",
    Boolean: "bool",
    Date: "date",
    Float: "float8",
    InstantColumn: "int8",
    Integer: "int4",
    LargeBinary: "bytea",
    String: "text",
    Text: "text",
}

_Merge = Literal["append", "replace", "add", "leave"]
"""What becomes of a row whose key exists: an error, the new row, the sum of both, or what was there."""


def append(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows of which none exists, in their order."""
    _write(connection, table, rows, "append", frozenset())


def upsert(connection: Connection, table: Table, rows: Rows, keep: frozenset[str] = frozenset()) -> None:
    """Insert rows; where the key exists, replace every column given but those to `keep`."""
    _write(connection, table, rows, "replace", keep)


def add_up(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows; where the key exists, add every other column to what is there."""
    _write(connection, table, rows, "add", frozenset())


def insert_new(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows; where the key exists, leave what is there. Who does the same at the same time is waited for."""
    _write(connection, table, rows, "leave", frozenset())


def _write(connection: Connection, table: Table, rows: Rows, merge: _Merge, keep: frozenset[str]) -> None:
    """Write rows, which all have the same columns; no key may occur twice among them."""
    if not rows:
        return
    plan = _plan(table, connection.dialect.name, tuple(rows[0]), merge, keep)
    written = _encoded(plan, rows)
    if plan.copy is None or len(rows) < COPY_ROWS_MIN:
        connection.exec_driver_sql(plan.insert, written)
        return
    if plan.stage is not None:
        connection.exec_driver_sql(plan.stage)
    connection.exec_driver_sql(plan.copy, written, execution_options={"copy_types": plan.types})
    for statement in plan.unstage:
        connection.exec_driver_sql(statement)


class _Plan(NamedTuple):
    """How to write rows of certain columns into a table: one by one, or by COPY and perhaps a staging table.

    `recoded` are the places of what the driver takes in another form, and how it comes to have it.
    """

    names: tuple[str, ...]
    recoded: tuple[tuple[int, Callable[[Any], Any]], ...]
    insert: str
    copy: str | None = None
    types: tuple[str, ...] = ()
    stage: str | None = None
    unstage: tuple[str, ...] = ()


@cache
def _plan(table: Table, dialect: str, names: tuple[str, ...], merge: _Merge, keep: frozenset[str]) -> _Plan:
    on_postgresql = dialect == "postgresql"
    columns = ", ".join(f'"{name}"' for name in names)
    into, conflict = f"INSERT INTO {table.name} ({columns})", _conflict(table, names, merge, keep)
    marks = ", ".join("%s" if on_postgresql else "?" for _ in names)
    plan = _Plan(names, _recoded(table, names, on_postgresql), f"{into} VALUES ({marks}){conflict}")
    if not on_postgresql:
        return plan
    target = table.name if merge == "append" else f"staged_{table.name}"
    types = tuple(_COPY_TYPES[type(table.c[name].type)] for name in names)
    plan = plan._replace(copy=f"COPY {target} ({columns}) FROM STDIN (FORMAT BINARY)", types=types)
    if merge == "append":
        return plan
    # Emptied at once, for there may be more in this transaction, and again by its end, which gives the space back.
    like = f"(LIKE {table.name} INCLUDING DEFAULTS)"
    stage = f"CREATE TEMPORARY TABLE IF NOT EXISTS {target} {like} ON COMMIT DELETE ROWS"
    unstage = (f"{into} SELECT {columns} FROM {target}{conflict}", f"DELETE FROM {target}")  # noqa: S608 - names of ours
    return plan._replace(stage=stage, unstage=unstage)


def _conflict(table: Table, names: tuple[str, ...], merge: _Merge, keep: frozenset[str]) -> str:
    if merge == "append":
        return ""
    key = [column.name for column in table.primary_key]
    changed = [name for name in names if name not in key and name not in keep]
    if merge == "leave" or not changed:
        return " ON CONFLICT DO NOTHING"
    keys = ", ".join(f'"{name}"' for name in key)
    stored = f'{table.name}."{{0}}" + ' if merge == "add" else ""
    sets = ", ".join(f'"{name}" = {stored.format(name)}excluded."{name}"' for name in changed)
    return f" ON CONFLICT ({keys}) DO UPDATE SET {sets}"


def _recoded(table: Table, names: tuple[str, ...], on_postgresql: bool) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    recoded: list[tuple[int, Callable[[Any], Any]]] = []
    for place, name in enumerate(names):
        if isinstance(table.c[name].type, InstantColumn):
            recoded.append((place, to_us))
        elif isinstance(table.c[name].type, Date) and not on_postgresql:
            recoded.append((place, date.isoformat))
    return tuple(recoded)


def _encoded(plan: _Plan, rows: Rows) -> list[tuple[Any, ...]]:
    written: list[tuple[Any, ...]] = []
    for row in rows:
        values = [row[name] for name in plan.names]
        for place, recode in plan.recoded:
            if (value := values[place]) is not None:
                values[place] = recode(value)
        written.append(tuple(values))
    return written
