"""A difference: where the ledger does not say what follows from its events."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row


class Difference(msgspec.Struct, frozen=True):
    """What a verification found: `table`, `key` of the row, `field`, and what should stand there."""

    table: str
    key: str
    field: str
    expected: str
    found: str


def compare(
    table: str, key: str, expected: Mapping[str, Any], row: Row[*tuple[Any, ...]] | Mapping[str, Any]
) -> Iterator[Difference]:
    """Find the columns of a row that do not hold what is expected."""
    values = row._mapping if isinstance(row, Row) else row  # noqa: SLF001 - the documented name of a row's mapping
    for name, value in expected.items():
        found = values[name]
        if found != value:
            kind = f" ({type(found).__name__})" if show(found) == show(value) else ""
            yield Difference(table, key, name, show(value), show(found) + kind)


def show(value: object) -> str:
    """Write a value for a person."""
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else str(value)
