"""The journal: every event taken, append-only, each row chained to the one before it."""

from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert

from monitor.events import Event
from monitor.ledger.instants import to_us
from monitor.ledger.schema import journal

_canonical = msgspec.msgpack.Encoder()


@cache
def genesis(stream: str) -> bytes:
    """Give the hash a stream's chain starts from."""
    return sha256(b"supervision journal\x00" + stream.encode()).digest()


def link(previous: bytes, row: dict[str, Any] | Row[Any]) -> bytes:
    """Chain a row of the journal to the hash before it: SHA-256 of that hash and the row, canonically encoded."""
    values = row if isinstance(row, dict) else row._mapping  # noqa: SLF001 - the documented name of a row's mapping
    encoded = _canonical.encode(
        (
            values["stream"],
            values["seq"],
            values["case"],
            values["source"],
            values["id"],
            values["type"],
            to_us(values["time"]),
            to_us(values["received_at"]),
            values["backfill"],
            values["content"],
        )
    )
    return sha256(previous + encoded).digest()


class JournalTail:
    """The end of a stream's journal: rows are appended here, and written together."""

    def __init__(self, stream: str, seq: int, chain_hash: bytes) -> None:
        self.stream, self.seq, self.chain_hash = stream, seq, chain_hash
        self._rows: list[dict[str, Any]] = []

    def append(self, event: Event, content: bytes, content_hash: bytes, received_at: datetime, backfill: bool) -> None:
        """Add an event; `seq` and `chain_hash` move on."""
        self.seq += 1
        row: dict[str, Any] = {
            "stream": self.stream,
            "seq": self.seq,
            "case": event.case,
            "source": event.source,
            "id": event.id,
            "type": event.type.value,
            "time": event.time,
            "received_at": received_at,
            "backfill": backfill,
            "content_hash": content_hash,
            "content": content,
        }
        row["chain_hash"] = self.chain_hash = link(self.chain_hash, row)
        self._rows.append(row)

    def write(self, connection: Connection) -> None:
        """Write the appended rows."""
        if self._rows:
            connection.execute(insert(journal), self._rows)
