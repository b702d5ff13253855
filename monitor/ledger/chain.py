"""Chained tables: append-only, each row bound to the one before it by a hash; `chains` holds where each ends.

Whoever changes, inserts or removes a row must write every later hash anew, and a seal kept outside shows that.
The journal has chains of its own, one per stream (`monitor.ledger.journal`).
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, Table, insert, select, update

from monitor.ledger.instants import to_us
from monitor.ledger.schema import actions, audit, chains
from monitor.ledger.upsert import insert_new

ROWS_AT_ONCE: Final = 1_000

_canonical = msgspec.msgpack.Encoder()


class Head(msgspec.Struct, frozen=True):
    """The end of a chain: its last row (0: none) and that row's hash."""

    seq: int
    chain_hash: bytes


class Break(msgspec.Struct, frozen=True):
    """Where a chain does not hold: the row, its column, what follows from the rows before it and what is there."""

    seq: int
    field: str
    expected: str
    found: str


class Chain:
    """The chain of one table, whose key is `seq`, counted from 1, and which has a column `chain_hash`.

    A row's hash is the SHA-256 of the hash before it and of the row: its columns in their order, `chain_hash` left
    out, instants in microseconds, as a msgpack array.
    """

    def __init__(self, table: Table) -> None:
        self.table, self.name = table, table.name
        self.genesis = sha256(b"supervision chain\x00" + table.name.encode()).digest()
        self._names = tuple(column.name for column in table.columns if column.name != "chain_hash")

    def append(self, connection: Connection, **values: Any) -> int:
        """Write a row after the last one and return its `seq`; keeps other writers out until the transaction ends.

        `values` are every column but `seq` and `chain_hash`. The connection must be that of `Ledger.write`.
        """
        last = self._locked(connection)
        row = {**values, "seq": last.seq + 1}
        chain_hash = self.link(last.chain_hash, row)
        connection.execute(insert(self.table).values(**row, chain_hash=chain_hash))
        end = {"seq": row["seq"], "chain_hash": chain_hash}
        connection.execute(update(chains).where(chains.c.name == self.name).values(**end))
        return last.seq + 1

    def head(self, connection: Connection) -> Head:
        """Read where the chain ends, as `chains` states it."""
        row = connection.execute(select(chains).where(chains.c.name == self.name)).one_or_none()
        return Head(0, self.genesis) if row is None else Head(row.seq, row.chain_hash)

    def hash_at(self, connection: Connection, seq: int) -> bytes | None:
        """Read the hash stored with a row, 0 being before the first; None: there is no such row."""
        if seq == 0:
            return self.genesis
        query = select(self.table.c.chain_hash).where(self.table.c.seq == seq)
        return connection.execute(query).scalar_one_or_none()

    def link(self, previous: bytes, row: dict[str, Any] | Row[Any]) -> bytes:
        """Chain a row to the hash before it."""
        values = row if isinstance(row, dict) else row._mapping  # noqa: SLF001 - the documented name of a row's mapping
        encoded = _canonical.encode([_plain(values[name]) for name in self._names])
        return sha256(previous + encoded).digest()

    def breaks(self, connection: Connection) -> Iterator[Break]:
        """Compute the chain again from its first row; find the first row that breaks it, or a wrong end.

        What follows a broken row rests on it and is not judged.
        """
        last = Head(0, self.genesis)
        query = select(self.table).order_by(self.table.c.seq)
        with connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            for row in rows:
                seq, expected = last.seq + 1, self.link(last.chain_hash, row)
                if row.seq != seq:
                    yield Break(seq, "seq", str(seq), str(row.seq))
                    return
                if row.chain_hash != expected:
                    yield Break(seq, "chain_hash", expected.hex(), _shown(row.chain_hash))
                    return
                last = Head(seq, expected)
        stated = self.head(connection)
        if stated.seq != last.seq:
            yield Break(stated.seq, "seq", f"the last row, {last.seq}", str(stated.seq))
        elif stated.chain_hash != last.chain_hash:
            yield Break(stated.seq, "chain_hash", last.chain_hash.hex(), _shown(stated.chain_hash))

    def _locked(self, connection: Connection) -> Head:
        """Read the end and lock it; two writers of an empty chain agree on its first row."""
        insert_new(connection, chains, [{"name": self.name, "seq": 0, "chain_hash": self.genesis}])
        row = connection.execute(select(chains).where(chains.c.name == self.name).with_for_update()).one()
        return Head(row.seq, row.chain_hash)


AUDIT: Final = Chain(audit)
ACTIONS: Final = Chain(actions)
CHAINS: Final = (ACTIONS, AUDIT)
"""Every chained table but the journal, in the order they are locked and checked."""


def _plain(value: Any) -> Any:
    return to_us(value) if isinstance(value, datetime) else value


def _shown(stored: Any) -> str:
    # SQLite lets anybody put a text where bytes belong.
    return stored.hex() if isinstance(stored, bytes) else str(stored)
