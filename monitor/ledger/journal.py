"""The journal: every event taken, append-only, each row chained to those before it."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from monitor.events import Event
from monitor.ledger.errors import LedgerError
from monitor.ledger.links import hash_row, link, skipped_to
from monitor.ledger.schema import journal
from monitor.ledger.stored import plainly
from monitor.ledger.upsert import append


@cache
def genesis(stream: str) -> bytes:
    """Give the hash a stream's chain starts from."""
    return sha256(b"supervision journal\x00" + stream.encode()).digest()


def row_hash(values: Mapping[Any, Any]) -> bytes:
    """Hash what a row of the journal states: all of it but the two hashes it carries."""
    return hash_row(
        (
            values["stream"],
            values["seq"],
            values["case"],
            values["source"],
            values["id"],
            values["type"],
            plainly(values["time"]),
            plainly(values["received_at"]),
            plainly(values["backfill"]),
            values["content"],
        )
    )


def hashes_at(connection: Connection, stream: str, rows: set[int]) -> dict[int, bytes]:
    """Read the hashes stored with rows of a stream; row 0 is its beginning."""
    stored = select(journal.c.seq, journal.c.chain_hash).where(journal.c.stream == stream, journal.c.seq.in_(rows))
    found = {row.seq: row.chain_hash for row in connection.execute(stored)} if rows - {0} else {}
    return {0: genesis(stream), **found}


class JournalTail:
    """The end of a stream's journal: rows are appended here, and chained and written together."""

    def __init__(self, stream: str, seq: int, chain_hash: bytes) -> None:
        self.stream, self.seq, self.chain_hash = stream, seq, chain_hash
        self._rows: list[dict[str, Any]] = []

    def append(self, event: Event, content: bytes, content_hash: bytes, received_at: datetime, backfill: bool) -> int:
        """Add an event and return its number; `seq` moves on."""
        self.seq += 1
        self._rows.append(
            {
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
        )
        return self.seq

    def write(self, connection: Connection) -> None:
        """Chain the appended rows and write them; `chain_hash` moves on."""
        if not self._rows:
            return
        first = self._rows[0]["seq"]
        earlier = {skipped_to(row["seq"]) for row in self._rows}
        earlier = {seq for seq in earlier if seq < first - 1}
        known = hashes_at(connection, self.stream, earlier)
        if missing := earlier - known.keys():
            raise LedgerError(
                f"the journal of stream {self.stream} has lost row {min(missing)}, to which the next one is to be "
                "bound; run 'monitor verify', and restore the ledger from a backup"
            )
        known[first - 1] = self.chain_hash
        for row in self._rows:
            seq = row["seq"]
            row["chain_hash"] = known[seq] = link(known[seq - 1], known[skipped_to(seq)], row_hash(row))
        self.chain_hash = known[self.seq]
        append(connection, journal, self._rows)
