"""Chained tables: append-only, each row bound to those before it by a hash; `chains` holds where each ends.

Whoever changes, inserts or removes a row must write every later hash anew, and a seal kept outside shows that.
The journal has chains of its own, one per stream (`monitor.ledger.journal`).
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, insert, select, update

from monitor.ledger.links import Walk, hash_row, link, skipped_to
from monitor.ledger.schema import actions, audit, chains
from monitor.ledger.stored import as_stored, plainly, shown
from monitor.ledger.upsert import insert_new

ROWS_AT_ONCE: Final = 1_000
_PRINT_BYTES: Final = 4


class Head(msgspec.Struct, frozen=True):
    """The end of a chain: its last row (0: none) and that row's hash."""

    seq: int
    chain_hash: bytes


class Break(msgspec.Struct, frozen=True):
    """Where a chain does not hold: the row, its column, what follows from the rows before it and what is there.

    `at_head`: the rows are sound, what `chains` states of their end is not.
    """

    seq: int
    field: str
    expected: str
    found: str
    at_head: bool = False


class Chain:
    """The chain of one table, whose key is `seq`, counted from 1, and which has columns `prints` and `chain_hash`.

    A row's hash is bound to earlier ones as `monitor.ledger.links` says; its values are its columns in their order
    without those two, instants in microseconds. `prints` holds a few bytes of the hash of each of them: they prove
    nothing, but name the column that was changed.
    """

    def __init__(self, table: Table) -> None:
        self.table, self.name = table, str(table.name)
        self.genesis = sha256(b"supervision chain\x00" + table.name.encode()).digest()
        self._names = tuple(str(column.name) for column in table.columns if column.name not in ("prints", "chain_hash"))

    def append(self, connection: Connection, **values: Any) -> int:
        """Write a row after the last one and return its `seq`; keeps other writers out until the transaction ends.

        `values` are every column but `seq`, `prints` and `chain_hash`. The connection must be that of `Ledger.write`.
        """
        last = self.lock(connection)
        seq = last.seq + 1
        row = {**values, "seq": seq}
        skipped = last.chain_hash if skipped_to(seq) == last.seq else self.hash_at(connection, skipped_to(seq))
        assert skipped is not None, f"{self.name} has no row {skipped_to(seq)}, to which row {seq} is to be bound"
        chain_hash = link(last.chain_hash, skipped, self.row_hash(row))
        connection.execute(insert(self.table).values(**row, prints=b"".join(self._prints(row)), chain_hash=chain_hash))
        end = {"seq": seq, "chain_hash": chain_hash}
        connection.execute(update(chains).where(chains.c.name == self.name).values(**end))
        return seq

    def head(self, connection: Connection) -> Head:
        """Read where the chain ends, as `chains` states it."""
        row = connection.execute(select(chains).where(chains.c.name == self.name)).one_or_none()
        return Head(0, self.genesis) if row is None else Head(row.seq, row.chain_hash)

    def hash_at(self, connection: Connection, seq: int) -> bytes | None:
        """Read the hash stored with a row, 0 being before the first; None: there is no such row."""
        return self.hashes_at(connection, {seq}).get(seq)

    def hashes_at(self, connection: Connection, rows: set[int]) -> dict[int, bytes]:
        """Read the hashes stored with rows; row 0 is the chain's beginning."""
        stored = select(self.table.c.seq, self.table.c.chain_hash).where(self.table.c.seq.in_(rows))
        found = {row.seq: row.chain_hash for row in connection.execute(stored)} if rows - {0} else {}
        return {0: self.genesis, **found}

    def row_hash(self, row: Mapping[Any, Any]) -> bytes:
        """Hash what a row states."""
        return hash_row([plainly(row[name]) for name in self._names])

    def breaks(self, connection: Connection) -> Iterator[Break]:
        """Compute the chain again from its first row; find the first row that breaks it, or a wrong end.

        What follows a broken row rests on it and is not judged.
        """
        walk = Walk({0: self.genesis})
        query = select(*as_stored(self.table)).order_by(self.table.c.seq)
        with connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            for row in rows.mappings():
                found = self._break(walk, row)
                if found is not None:
                    yield found
                    return
                walk.step(row["chain_hash"])
        stated = self.head(connection)
        if stated.seq > walk.seq and stated.chain_hash != walk.chain_hash:
            yield Break(walk.seq + 1, "seq", "a row", "none")
        elif stated.seq != walk.seq:
            yield Break(stated.seq, "seq", f"the last row, {walk.seq}", str(stated.seq), at_head=True)
        elif stated.chain_hash != walk.chain_hash:
            yield Break(stated.seq, "chain_hash", walk.chain_hash.hex(), shown(stated.chain_hash), at_head=True)

    def _break(self, walk: Walk, row: Mapping[Any, Any]) -> Break | None:
        seq = walk.seq + 1
        if row["seq"] != seq:
            return missing_row(row["seq"], seq)
        expected, prints = walk.expect(self.row_hash(row)), self._prints(row)
        if row["chain_hash"] == expected:
            kept = b"".join(prints)
            return None if row["prints"] == kept else Break(seq, "prints", kept.hex(), shown(row["prints"]))
        for place, name in enumerate(self._names):
            stored = row["prints"][place * _PRINT_BYTES : (place + 1) * _PRINT_BYTES]
            if prints[place] != stored:
                return Break(seq, name, f"hash {shown(stored)}…", f"hash {prints[place].hex()}…")
        return Break(seq, "chain_hash", expected.hex(), shown(row["chain_hash"]))

    def _prints(self, row: Mapping[Any, Any]) -> list[bytes]:
        return [hash_row((name, plainly(row[name])))[:_PRINT_BYTES] for name in self._names]

    def lock(self, connection: Connection) -> Head:
        """Read the end and lock it; two writers of an empty chain agree on its first row."""
        insert_new(connection, chains, [{"name": self.name, "seq": 0, "chain_hash": self.genesis}])
        row = connection.execute(select(chains).where(chains.c.name == self.name).with_for_update()).one()
        return Head(row.seq, row.chain_hash)


def missing_row(found: Any, expected: int) -> Break:
    """Say that a row comes where another one should: that one is missing, or this one's number is none."""
    if isinstance(found, int) and found < expected:
        return Break(found, "seq", "a number above 0, given once", str(found))
    return Break(expected, "seq", "a row", f"none; the next is {found}")


AUDIT: Final = Chain(audit)
ACTIONS: Final = Chain(actions)
CHAINS: Final = (ACTIONS, AUDIT)
"""Every chained table but the journal, in the order they are locked and checked."""
