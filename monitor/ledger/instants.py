"""Instants as integers: microseconds since 1970 in UTC, exact, ordered and fast on SQLite and PostgreSQL alike."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    """Count the microseconds from 1970 to an aware instant, exactly."""
    return (instant - EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Give the instant in UTC that lies so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


class InstantColumn(TypeDecorator[datetime]):
    """A column of aware instants, stored as microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Store an instant; a naive one raises TypeError."""
        return None if value is None else to_us(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read an instant back in UTC."""
        return None if value is None else from_us(value)
