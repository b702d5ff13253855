"""A tape of what an engine wrote: statement by statement and transaction by transaction, to be written again barely."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, Literal

import msgspec
from sqlalchemy import Engine, event

Kind = Literal["insert", "keep", "replace", "add", "other"]

_INSERT: Final = re.compile(r"INSERT INTO (\w+) \(([^)]*)\)")


class Write(msgspec.Struct, frozen=True, array_like=True):
    """Rows written by one statement into a table: inserted, left, put or added to what is there; or `other`."""

    kind: Kind
    table: str
    columns: tuple[str, ...]
    statement: str
    rows: list[tuple[Any, ...]]


class Tape:
    """Transactions, each a list of writes, in a temporary file: a year of them would not fit into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._transaction: list[Write] = []
        self.transactions = 0

    def cut(self) -> None:
        """End a transaction."""
        written = msgspec.msgpack.encode(self._transaction)
        self._file.write(len(written).to_bytes(8) + written)
        self.transactions += 1
        self._transaction = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Take down all that is written through SQLAlchemy within the block."""
        event.listen(Engine, "before_cursor_execute", self._take)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", self._take)

    def play(self) -> Iterator[list[Write]]:
        """Read the transactions in their order."""
        decode = msgspec.msgpack.Decoder(list[Write]).decode
        self._file.flush()
        self._file.seek(0)
        while length := self._file.read(8):
            yield decode(self._file.read(int.from_bytes(length)))

    def _take(
        self, connection: object, cursor: object, statement: str, parameters: Any, context: object, many: bool
    ) -> None:
        """Take a statement down, as SQLAlchemy is about to give it to the SQLite driver."""
        if not statement.startswith(("INSERT", "UPDATE", "DELETE")):
            return
        found = _INSERT.match(statement)
        table, named = found.groups() if found else ("", "")
        columns = tuple(name.strip(' "') for name in named.split(",")) if found else ()
        rows = [tuple(row) for row in parameters] if many else [tuple(parameters)]
        self._transaction.append(Write(_kind(statement, found is not None), table, columns, statement, rows))


def _kind(statement: str, inserts: bool) -> Kind:
    if not inserts:
        return "other"
    if "ON CONFLICT" not in statement:
        return "insert"
    if "DO NOTHING" in statement:
        return "keep"
    return "add" if " + " in statement else "replace"


@contextmanager
def blank() -> Iterator[Tape]:
    """Make a tape; it is gone in the end."""
    with tempfile.TemporaryFile(prefix="benchmark-") as file:
        yield Tape(file)
