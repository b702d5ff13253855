"""Verify the texts: each that an event or an action names is here or erased, and each body is that of its mark."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from monitor.ledger.difference import Difference
from monitor.ledger.errors import LedgerError
from monitor.ledger.schema import actions, audit, texts
from monitor.ledger.texts import TextVault

HASHES_AT_ONCE = 500
ROWS_AT_ONCE = 1_000

Named = tuple[str, str, str]
"""Table, key of the row, and hash of the text it names."""


def verify_named(connection: Connection, named: Iterable[Named]) -> Iterator[Difference]:
    """Find the marks for which there is no row."""
    marks = list(named)
    for start in range(0, len(marks), HASHES_AT_ONCE):
        part = marks[start : start + HASHES_AT_ONCE]
        query = select(texts.c.hash).where(texts.c.hash.in_({hash_ for _, _, hash_ in part}))
        kept = set(connection.execute(query).scalars())
        for table, key, hash_ in part:
            if hash_ not in kept:
                yield Difference("texts", hash_, "hash", f"a row, {table} {key} names it", "no row")


def named_texts(connection: Connection) -> Iterator[Named]:
    """Name the texts that actions hold marks of."""
    with connection.execute(select(actions.c.seq, actions.c.detail).order_by(actions.c.seq)) as rows:
        for row in rows:
            mark = msgspec.json.decode(row.detail).get("text")
            if mark is not None:
                yield "actions", str(row.seq), mark["hash"]


class TextCheck:
    """The table of texts against its keys and the audit; `count` is how many were looked at."""

    def __init__(self, connection: Connection, vault: TextVault) -> None:
        self._connection, self._vault = connection, vault
        self.count = 0

    def differences(self) -> Iterator[Difference]:
        """Find bodies that are not those of their marks, and erasures nobody answers for."""
        erased = self._erased()
        query = select(texts).order_by(texts.c.hash)
        with self._connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
            for row in rows:
                self.count += 1
                yield from self._body(row) if row.body is not None else self._erasure(row, erased)

    def _body(self, row: Row[Any]) -> Iterator[Difference]:
        try:
            body = self._vault.open(row.body)
        except LedgerError as error:
            yield Difference("texts", row.hash, "body", "readable", str(error))
            return
        if row.erased_at is not None:
            yield Difference("texts", row.hash, "erased_at", "None, its body is there", row.erased_at.isoformat())
        if body.case != row.case:
            yield Difference("texts", row.hash, "case", body.case, row.case)
        if body.hash != row.hash or not self._vault.is_of(body):
            yield Difference("texts", row.hash, "body", "the text of this hash", "another")

    def _erasure(self, row: Row[Any], erased: dict[str, str]) -> Iterator[Difference]:
        if row.erased_at is None:
            yield Difference("texts", row.hash, "body", "a body, or when it was erased", "neither")
        elif erased.get(row.hash) != row.case:
            yield Difference(
                "texts", row.hash, "erased_at", "None, no erasure of it is in the audit", str(row.erased_at)
            )

    def _erased(self) -> dict[str, str]:
        lines = select(audit.c.object, audit.c.detail).where(audit.c.act == "text.erase")
        return {
            hash_: line.object.removeprefix("case:")
            for line in self._connection.execute(lines)
            for hash_ in msgspec.json.decode(line.detail)["hashes"]
        }
