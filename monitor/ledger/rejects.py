"""Deliveries that could not be taken: kept with field and reason, and their bytes encrypted.

What was refused may hold anything, names and identity numbers included; it must not lie in clear.
"""

from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.fernet import Fernet
from sqlalchemy import Connection, insert, select

from monitor.events import EVENT_BYTES_MAX, EventError
from monitor.ledger.keyfiles import key_in
from monitor.ledger.schema import rejects

_TEXT_MAX: Final = 500
"""Field names and details come from outside; longer ones are cut, the digest still tells deliveries apart."""


class Reject(msgspec.Struct, frozen=True):
    """A delivery that was refused: `code` of the reason, the `field` it stands in, `detail` of what was found."""

    seq: int
    received_at: datetime
    source: str
    code: str
    field: str
    detail: str
    digest: str
    bytes_count: int

    @property
    def error(self) -> EventError:
        """The error as the sender got it, with reason and remedy in both languages."""
        return EventError(self.code, self.field, self.detail)


class Vault:
    """Encrypt and decrypt the bytes of rejects with a key kept beside the ledger."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rejects.key"

    def row(self, stream: str, error: EventError, raw: bytes, source: str, received_at: datetime) -> dict[str, Any]:
        """Make the row of a reject."""
        return {
            "stream": stream,
            "received_at": received_at,
            "source": source,
            "code": error.code,
            "field": error.field[:_TEXT_MAX],
            "detail": error.detail[:_TEXT_MAX],
            "digest": sha256(raw).hexdigest(),
            "bytes_count": len(raw),
            "raw": self._fernet.encrypt(raw[:EVENT_BYTES_MAX]),
        }

    def open(self, connection: Connection, seq: int) -> bytes:
        """Decrypt what was delivered, up to EVENT_BYTES_MAX bytes of it."""
        sealed: bytes = connection.execute(select(rejects.c.raw).where(rejects.c.seq == seq)).scalar_one()
        return self._fernet.decrypt(sealed)

    @cached_property
    def _fernet(self) -> Fernet:
        return Fernet(key_in(self._path, Fernet.generate_key))


def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Write rows made by `Vault.row`."""
    if rows:
        connection.execute(insert(rejects), rows)


def newest(connection: Connection, limit: int) -> list[Reject]:
    """Read the newest rejects."""
    columns = [rejects.c[name] for name in Reject.__struct_fields__]
    rows = connection.execute(select(*columns).order_by(rejects.c.seq.desc()).limit(limit))
    return [Reject(*row) for row in rows]
