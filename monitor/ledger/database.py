"""Where a ledger is kept: what differs between an SQLite file and a PostgreSQL database, behind one seam."""

from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from monitor.ledger.errors import LedgerError
from monitor.ledger.lease import Holder, Lease
from monitor.ledger.postgresql import PostgresDatabase
from monitor.ledger.sqlite import SqliteFile
from monitor.settings import Settings

_FORMS: Final = "write sqlite:///PATH or postgresql://USER@HOST/DATABASE"


class Database(Protocol):
    """A database that can hold a ledger. Nothing connects before the first transaction.

    `name` is what messages call it, without a password; key files live in `folder`. `reader` and `writer` begin the
    two kinds of transactions.
    """

    name: str
    folder: Path
    reader: Engine
    writer: Engine

    def exists(self) -> bool:
        """Tell whether there is something to connect to, as far as can be told from here."""

    def create(self) -> None:
        """Make what must be there before the first connection."""

    def begin_tables(self, connection: Connection) -> None:
        """Keep every other process from making tables too, until this transaction ends.

        Raises LedgerError where the database cannot hold them.
        """

    def explain(self, error: DBAPIError) -> str:
        """Say what an error of the database means for the ledger, and what to do."""

    def discard_copies(self, table: str) -> bool:
        """Remove the copies the database keeps of rows overwritten lately; tell whether it could be done at once."""

    def lease(self, ledger: str, shared: bool = False) -> Lease:
        """Take the right to write the ledger with this id, alone or `shared` with others that ask for it so.

        Raises LeaseHeld when another process has it, LedgerError where it cannot be shared.
        """

    def holder(self, ledger: str) -> Holder:
        """Read who has that right; an empty Holder where nobody says so."""


def database_at(url: str, folder: Path | None = None) -> Database:
    """Find the database a URL names; key files live in `folder`, by default beside the file or in the data folder.

    Raises LedgerError for a URL that is none, or of a database not supported.
    """
    parsed = _parsed(url)
    backend, database = parsed.get_backend_name(), parsed.database or ""
    if backend == "sqlite" and database not in {"", ":memory:"}:
        return SqliteFile(parsed, folder)
    if backend == "postgresql" and database and parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        return PostgresDatabase(parsed, (folder or Settings().data).absolute())
    raise LedgerError(f"{parsed.drivername}: this URL names no place for a ledger; {_FORMS}")


def name_of(url: str) -> str:
    """Name the database of a URL in a message; there is no password in it. Raises LedgerError as `database_at`."""
    return database_at(url).name


def _parsed(url: str) -> URL:
    """Parse a URL; what is said of a wrong one does not repeat it, as it may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise LedgerError(f"this is not a database URL; {_FORMS}") from None
    if "@" in (parsed.host or ""):
        raise LedgerError("the password in the database URL must be percent-encoded: write %40 for @")
    return parsed
