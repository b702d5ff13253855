"""The journal: every event taken, append-only, each row chained to those before it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from monitor.events import Event
from monitor.ledger.errors import LedgerError
from monitor.ledger.links import ancestors, hash_row, link, skipped_to
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


class End(msgspec.Struct, frozen=True):
    """The last row of a stream's journal, with the hashes of its `ancestors`, by number: itself and row 0 among them.

    Later rows are bound to those. The hash of a row proves all rows before it: where the last one is known to be the
    same, so are they.
    """

    seq: int
    hashes: Mapping[int, bytes]

    @property
    def chain_hash(self) -> bytes:
        """The hash of the last row."""
        return self.hashes[self.seq]


class JournalTail:
    """The end of a stream's journal: rows are appended here, and chained and written together.

    `known` is where it ended when it was last written, as far as anybody remembers.
    """

    def __init__(self, stream: str, seq: int, chain_hash: bytes, known: End | None = None) -> None:
        self.stream, self.seq, self.chain_hash = stream, seq, chain_hash
        remembered = known is not None and (known.seq, known.chain_hash) == (seq, chain_hash)
        self.end = known if remembered else None
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

    @staticmethod
    def write(connection: Connection, tails: Iterable["JournalTail"]) -> None:
        """Chain the rows appended to journals and write them; each `chain_hash` and `end` moves on."""
        append(connection, journal, [row for tail in tails for row in tail.chained(connection)])

    def chained(self, connection: Connection) -> list[dict[str, Any]]:
        """Chain the appended rows, and give them."""
        if not self._rows:
            return []
        first = self._rows[0]["seq"]
        known = dict(self.end.hashes) if self.end is not None else self._read(connection, first - 1)
        for row in self._rows:
            seq = row["seq"]
            row["chain_hash"] = known[seq] = link(known[seq - 1], known[skipped_to(seq)], row_hash(row))
        self.chain_hash = known[self.seq]
        self.end = End(self.seq, {seq: known[seq] for seq in ancestors(self.seq)})
        return self._rows

    def _read(self, connection: Connection, last: int) -> dict[int, bytes]:
        """Read what later rows than the last one are bound to."""
        needed = ancestors(last)
        known = hashes_at(connection, self.stream, needed - {last}) | {last: self.chain_hash}
        if missing := needed - known.keys():
            raise LedgerError(
                f"the journal of stream {self.stream} has lost row {min(missing)}, to which later ones are to be "
                "bound; run 'monitor verify', and restore the ledger from a backup"
            )
        return known
