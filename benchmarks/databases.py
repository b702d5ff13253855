"""Databases to write into: each measurement gets a new ledger in a new database."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.history import rulebook
from monitor.ledger import Ledger
from monitor.ledger.keyfiles import key_in
from monitor.ledger.texts import KEY_CHARACTERS_MIN
from tests.postgres import PostgresServer

NewLedger = Callable[[], AbstractContextManager[Ledger]]


@contextmanager
def in_sqlite() -> Iterator[Ledger]:
    """Make a ledger in an SQLite file, and remove it in the end."""
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        Ledger.open(f"sqlite:///{Path(folder) / 'ledger.sqlite'}", text_key=text_key(Path(folder))) as ledger,
    ):
        ledger.publish(rulebook())
        yield ledger


def text_key(folder: Path) -> Path:
    """Give every ledger the same key of texts, so that their digests can be compared."""
    key_in(folder / "same.key", lambda: b"0" * KEY_CHARACTERS_MIN)
    return folder / "same.key"


@contextmanager
def databases(postgresql: bool, *settings: str) -> Iterator[Mapping[str, NewLedger]]:
    """Give a way of making a new ledger in each database, by its name; `settings` are options of the server.

    The PostgreSQL server is that of the tests, but every commit waits for the disk, as it does in production.
    """
    if not postgresql:
        yield {"sqlite": in_sqlite}
        return
    server = PostgresServer(*settings)
    try:
        yield {"sqlite": in_sqlite, "postgresql": partial(_in_postgresql, server, count())}
    finally:
        server.stop()


@contextmanager
def _in_postgresql(server: PostgresServer, numbers: Iterator[int]) -> Iterator[Ledger]:
    """Make a ledger in a database of its own, and drop it in the end."""
    name = f"benchmark_{next(numbers)}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with tempfile.TemporaryDirectory(prefix="benchmark-") as written:
        folder = Path(written)
        with Ledger.open(server.url(name), text_key=text_key(folder), folder=folder) as ledger:
            ledger.publish(rulebook())
            yield ledger
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
