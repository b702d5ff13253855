"""The result of the last `monitor verify`, kept in the ledger so that it can be watched."""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, select

from monitor.ledger.access import Ledger
from monitor.ledger.schema import meta
from monitor.ledger.upsert import upsert

_NAME = "last_verification"


class LastVerification(msgspec.Struct, frozen=True):
    """When a ledger was verified, and whether it said what follows from its events."""

    at: datetime
    sound: bool


def note_verification(ledger: Ledger, sound: bool) -> None:
    """Keep the result of a verification that has just ended."""
    result = LastVerification(datetime.now(UTC), sound)
    with ledger.write() as connection:
        upsert(connection, meta, [{"name": _NAME, "value": msgspec.json.encode(result).decode()}])


def last_verification(connection: Connection) -> LastVerification | None:
    """Read the last result; None: this ledger was never verified."""
    written = connection.execute(select(meta.c.value).where(meta.c.name == _NAME)).scalar_one_or_none()
    return None if written is None else msgspec.json.decode(written, type=LastVerification)
