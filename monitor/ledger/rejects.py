"""Deliveries that could not be taken: kept with field and reason, and their bytes encrypted.

What was refused may hold anything, names and identity numbers included; it must not lie in clear.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, select, update

from monitor.events import EVENT_BYTES_MAX, EventError
from monitor.ledger.errors import LedgerError
from monitor.ledger.keyfiles import confirm_key, existing_key, key_in
from monitor.ledger.relays import RejectMessage, known_field
from monitor.ledger.schema import rejects
from monitor.ledger.sqlite import overwriting
from monitor.ledger.upsert import append

_TEXT_MAX: Final = 500
"""Field names and details come from outside; longer ones are cut, the digest still tells deliveries apart."""

KEPT: Final = timedelta(days=30)
"""How long what was delivered can be looked into, unless a deployment says otherwise."""
EXPIRED_AT_ONCE: Final = 200
"""So many expire with one tick, which comes every second: it must keep events waiting no longer than they notice."""


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
    expired_at: datetime | None = None

    @property
    def error(self) -> EventError:
        """The error as the sender got it, with reason and remedy in both languages."""
        return EventError(self.code, self.field, self.detail)


class Vault:
    """Encrypt and decrypt the bytes of rejects with a key kept beside the ledger, and delete them in time."""

    def __init__(self, folder: Path, kept: timedelta = KEPT) -> None:
        self._path, self._kept = folder / "rejects.key", kept

    def confirm(self, connection: Connection) -> None:
        """Make sure that the key is the one the ledger is written with. Raises LedgerError."""
        confirm_key(connection, "rejects", self._path, Fernet.generate_key)

    def row(self, stream: str, error: EventError, raw: bytes, source: str, received_at: datetime) -> dict[str, Any]:
        """Make the row of a reject."""
        return {
            "stream": stream,
            "received_at": received_at,
            "source": _kept(source),
            "code": error.code,
            "field": _kept(error.field),
            "detail": _kept(error.detail),
            "digest": sha256(raw).hexdigest(),
            "bytes_count": len(raw),
            "raw": self._fernet.encrypt(raw[:EVENT_BYTES_MAX]),
        }

    def open(self, connection: Connection, seq: int) -> tuple[Reject, bytes | None]:
        """Read a reject, and what was delivered, up to EVENT_BYTES_MAX bytes of it; None: it has expired.

        Raises LedgerError for a number there is none of, and for bytes the key does not open.
        """
        columns = [rejects.c[name] for name in (*Reject.__struct_fields__, "raw")]
        row = connection.execute(select(*columns).where(rejects.c.seq == seq)).one_or_none()
        if row is None:
            raise LedgerError(f"there is no reject {seq}: 'monitor rejects list' shows those there are")
        *told, raw = row
        return Reject(*told), None if row.expired_at is not None else self.decrypt(raw)

    def decrypt(self, raw: bytes) -> bytes:
        """Decrypt the bytes of a reject. Raises LedgerError for any that the key does not open."""
        try:
            return Fernet(existing_key(self._path)).decrypt(raw)
        except (InvalidToken, TypeError):
            raise LedgerError(
                f"a reject cannot be decrypted with {self._path}: it was changed, or encrypted with another key"
            ) from None

    def sealed_again(self, raw: bytes, other: "Vault") -> bytes:
        """Encrypt with this key the bytes of a reject that the key of another vault opens; what expired is empty."""
        return self._fernet.encrypt(other.decrypt(raw)) if raw else b""

    def expire(self, connection: Connection, streams: Collection[str], horizon: datetime) -> int:
        """Delete what was delivered too long ago, up to EXPIRED_AT_ONCE of it; reason and digest stay."""
        due = (
            rejects.c.stream.in_(sorted(streams))
            & rejects.c.expired_at.is_(None)
            & (rejects.c.received_at < horizon - self._kept)
        )
        query = select(rejects.c.seq).where(due).order_by(rejects.c.received_at).limit(EXPIRED_AT_ONCE)
        expired = list(connection.execute(query).scalars())
        if expired:
            with overwriting(connection):
                gone = update(rejects).where(rejects.c.seq.in_(expired)).values(raw=b"", expired_at=horizon)
                connection.execute(gone)
        return len(expired)

    @cached_property
    def _fernet(self) -> Fernet:
        return Fernet(key_in(self._path, Fernet.generate_key))


def _kept(text: str) -> str:
    # PostgreSQL has no texts with a zero in them, nor with half a character.
    return text[:_TEXT_MAX].replace("\x00", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()


def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Write rows made by `Vault.row`."""
    append(connection, rejects, rows)


def message(row: Mapping[str, Any], source: str, offset: int | None) -> RejectMessage:
    """Say of a row made by `Vault.row` what systems downstream may know; `source` is empty for one not registered."""
    told = {name: row[name] for name in ("stream", "code", "digest", "bytes_count", "received_at")}
    return RejectMessage(**told, offset=offset, source=source, field=known_field(row["field"]))


def newest(
    connection: Connection, limit: int, source: str | None = None, code: str | None = None, before: int | None = None
) -> list[Reject]:
    """Read the newest rejects, by default of any source and for any reason; `before`: with a smaller number."""
    columns = [rejects.c[name] for name in Reject.__struct_fields__]
    query = select(*columns).order_by(rejects.c.seq.desc()).limit(limit)
    if source is not None:
        query = query.where(rejects.c.source == source)
    if code is not None:
        query = query.where(rejects.c.code == code)
    if before is not None:
        query = query.where(rejects.c.seq < before)
    return [Reject(*row) for row in connection.execute(query)]
