"""A ledger in an SQLite file: its connections, with the settings its promises rest on, and its lease."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.url import URL
from sqlalchemy.exc import DBAPIError

from monitor.ledger.errors import LedgerError
from monitor.ledger.lease import FileLease, Holder, holder_in

BUSY_TIMEOUT_SECONDS: Final = 30
"""How long a writer waits for another's transaction (a publication beside the engine) before it gives up."""


class SqliteFile:
    """An SQLite file; key files live beside it, unless in a folder named."""

    def __init__(self, url: URL, folder: Path | None) -> None:
        self._path = Path(str(url.database)).absolute()
        self.name = str(self._path)
        self.folder = folder or self._path.parent
        # What is written is somebody's: an error that quotes it would carry it into a log.
        self.reader = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}, hide_parameters=True)
        event.listen(self.reader, "connect", _prepare)
        event.listen(self.reader, "begin", _begin)
        self.writer: Engine = self.reader.execution_options(ledger_writes=True)

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return self._path.exists()

    def create(self) -> None:
        """Make the folder and an empty file."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.touch(mode=0o600)  # who may read the cases is the operator's to widen, not the umask's

    def begin_tables(self, connection: Connection) -> None:
        """Do nothing: a transaction that writes keeps others out of the whole file."""

    def explain(self, error: DBAPIError) -> str:
        """Say what may be wrong with the file."""
        return (
            f"{self.name}: the ledger cannot be used ({error.orig}); it must be a database this program made, and its "
            "file and folder must be writable, even for a command that only reads"
        )

    def discard_copies(self, table: str) -> bool:
        """Empty the log, which keeps rows as they were; it cannot be while somebody reads."""
        raw = self.reader.raw_connection()
        try:
            busy, _, _ = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.close()
        return not busy

    def lease(self, ledger: str, shared: bool = False) -> FileLease:
        """Take the lock of the file beside the database. Raises LedgerError for a shared one: a file has one writer."""
        if shared:
            raise LedgerError(
                f"{self.name}: several workers cannot write one SQLite file; name a PostgreSQL database, as in "
                "postgresql://monitor@host/ledger"
            )
        return FileLease(self._lease_path)

    def holder(self, ledger: str) -> Holder:
        """Read what that file says."""
        return holder_in(self._lease_path)

    @property
    def _lease_path(self) -> Path:
        return self._path.with_name(self._path.name + ".lease")


@contextmanager
def overwriting(connection: Connection) -> Iterator[None]:
    """Overwrite on the disk what is deleted meanwhile, where the database would leave it in free pages."""
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA secure_delete=ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA secure_delete=OFF")


def _prepare(connection: Any, record: object) -> None:
    # The driver's own transactions begin too late: a writer must hold its lock before it reads the position.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers see a consistent ledger while the writer works
    # FULL, not the NORMAL usual with WAL: an event we acknowledged must survive a power cut, and the source
    # will not send it again. The cost is one fsync for each batch, not for each event.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("ledger_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
