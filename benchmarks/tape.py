"""A tape of what an engine wrote: statement by statement and transaction by transaction, to be written again barely."""

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final, NamedTuple

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import ExecutionContext

_WRITING: Final = ("INSERT", "UPDATE", "DELETE", "COPY", "CREATE TEMPORARY TABLE")


class Write(NamedTuple):
    """A statement with the rows it writes; `copied`: the types of their columns, where they go by binary COPY."""

    statement: str
    rows: Sequence[Any]
    copied: tuple[str, ...] | None


class Tape:
    """Transactions, each a list of writes, in a temporary file: a year of them would not fit into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._transaction: list[Write] = []
        self.transactions = 0

    def cut(self) -> None:
        """End a transaction."""
        pickle.dump(self._transaction, self._file)
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
        self._file.seek(0)
        for _ in range(self.transactions):
            yield pickle.load(self._file)  # noqa: S301 - it was written just now, by ourselves

    def _take(
        self, connection: object, cursor: object, statement: str, parameters: Any, context: ExecutionContext, many: bool
    ) -> None:
        """Take a statement down, as SQLAlchemy is about to give it to the driver."""
        if statement.lstrip().startswith(_WRITING):
            copied = context.execution_options.get("copy_types")
            rows = parameters if many else [parameters]
            self._transaction.append(Write(statement, [_kept(row) for row in rows], copied))


def _kept(row: Any) -> Any:
    """Give a row so that it can be kept: SQLAlchemy wraps bytes, of which a view is all that is left."""
    if isinstance(row, dict):
        return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
    return tuple([bytes(value) if isinstance(value, memoryview) else value for value in row])


@contextmanager
def blank() -> Iterator[Tape]:
    """Make a tape; it is gone in the end."""
    with tempfile.TemporaryFile(prefix="benchmark-") as file:
        yield Tape(file)
