"""A ledger in a PostgreSQL database: its connections, with the settings its promises rest on, and its lease."""

from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.abc import Buffer
from psycopg.pq import Format
from psycopg.types.numeric import NumericBinaryLoader
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.engine.url import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from monitor.ledger.errors import LedgerError
from monitor.ledger.lease import Holder
from monitor.ledger.session_lease import SessionLease, holders_of

LOCK_TIMEOUT_SECONDS: Final = 30
"""How long a writer waits for another's transaction (a publication beside the engine) before it gives up."""
CONNECT_TIMEOUT_SECONDS: Final = 10
IDLE_TIMEOUT_SECONDS: Final = 30
"""How long a writer may keep its locks without a word to the server. A worker that is frozen in the middle of a
transaction must not keep the one that takes its partitions over waiting; no step of ours takes that long."""

_MAKING_TABLES: Final = 0x6C6564676572  # "ledger": the advisory lock of whoever makes the tables
_PASSING: Final = {"25006", "25P03"}  # read-only at the moment; the transaction was ended for being idle
_NO_RIGHT: Final = "42501"

# A writer whose machine is gone must not hold its locks for the two hours systems wait by default.
_SESSION: Final = (
    f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'",
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
)
"""What each session begins with. An event acknowledged is on disk, whatever the server's default is."""

_KEEPALIVE: Final[dict[str, int]] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class PostgresDatabase:
    """A PostgreSQL database, through psycopg 3; what the URL leaves out, libpq takes from its environment."""

    def __init__(self, url: URL, folder: Path) -> None:
        self.name, self.folder = _name(url), folder
        self._engine = _engine(url.set(drivername="postgresql+psycopg"))
        # What reads sees one state and can write nothing. What writes sees, once it has waited for a lock, what was
        # committed meanwhile.
        self.reader: Engine = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self.writer: Engine = self._engine.execution_options(isolation_level="READ COMMITTED")
        event.listen(self.writer, "begin", _end_when_idle)

    def exists(self) -> bool:
        """Tell nothing: whether the database is there shows when it is connected to."""
        return True

    def create(self) -> None:
        """Make the folder of the key files; a database is made by its administrator."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin_tables(self, connection: Connection) -> None:
        """Take the lock of whoever makes tables. Raises LedgerError where texts would not be Unicode."""
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise LedgerError(f"{self.name}: this database is encoded in {encoding}; make one with ENCODING 'UTF8'")
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING_TABLES)))

    def explain(self, error: DBAPIError) -> str:
        """Say what may be wrong with server, database or user."""
        state = getattr(error.orig, "sqlstate", None)
        if state is None or not isinstance(error.orig, psycopg.Error):
            said = " ".join(str(error.orig).split())
            return (
                f"{self.name}: the database cannot be reached ({said}); check that the server runs, that the "
                "database was made, and user and password (in the URL, PGPASSWORD or ~/.pgpass)"
            )
        message = error.orig.diag.message_primary
        if state == _NO_RIGHT:
            return f"{self.name}: the user lacks a right ({message}); let it own the database or the ledger's schema"
        return f"{self.name}: the ledger cannot be used ({message})"

    def discard_copies(self, table: str) -> bool:
        """Have the rows as they were before taken out of the table."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"VACUUM {table}")
        return True

    def lease(self, ledger: str, shared: bool = False) -> SessionLease:
        """Take an advisory lock, on a connection of its own."""
        return SessionLease(self._engine, ledger, self.name, shared)

    def holder(self, ledger: str) -> Holder:
        """Read what a holder of that lock said."""
        with self.reader.connect() as connection:
            return next(iter(holders_of(connection, ledger)), Holder())


def _name(url: URL) -> str:
    host = url.query.get("host") if url.host is None else url.host
    shown = URL.create(
        "postgresql", url.username, host=str(host) if host else None, port=url.port, database=url.database
    )
    return shown.render_as_string(hide_password=True)


def _engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "client_encoding": "utf8", **_KEEPALIVE},
        hide_parameters=True,
        pool_pre_ping=True,  # a reader need not learn from an error that the server was restarted
        use_native_hstore=False,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "handle_error", _tell)
    event.listen(engine, "do_executemany", _copy)
    return engine


class _BinaryCursor(psycopg.Cursor[Any]):
    """Fetch rows as the server has them: bytes as bytes, not written out in hexadecimal digits."""

    def __init__(self, connection: psycopg.Connection[Any], **options: Any) -> None:
        super().__init__(connection, **options)
        self.format = Format.BINARY


class _BinaryServerCursor(psycopg.ServerCursor[Any]):
    """The same for rows fetched by and by."""

    def __init__(self, connection: psycopg.Connection[Any], name: str, **options: Any) -> None:
        super().__init__(connection, name, **options)
        self.format = Format.BINARY


class _NumberLoader(NumericBinaryLoader):
    """Read sums and means as SQLite gives them: whole numbers as int, others as float."""

    def load(self, data: Buffer) -> int | float:  # type: ignore[override]
        number = super().load(data)
        return int(number) if number.as_tuple().exponent == 0 else float(number)


def _prepare(connection: Any, record: object) -> None:
    connection.cursor_factory, connection.server_cursor_factory = _BinaryCursor, _BinaryServerCursor
    connection.adapters.register_loader("numeric", _NumberLoader)
    connection.autocommit = True
    for statement in _SESSION:
        connection.execute(statement)
    connection.autocommit = False


def _end_when_idle(connection: Connection) -> None:
    connection.exec_driver_sql(
        f"SET LOCAL idle_in_transaction_session_timeout = '{int(IDLE_TIMEOUT_SECONDS * 1000)}ms'"
    )


def _copy(cursor: Any, statement: str, rows: list[tuple[Any, ...]], context: ExecutionContext) -> bool:
    """Send the rows of a COPY; any other statement takes its usual way."""
    types = context.execution_options.get("copy_types")
    if types is None:
        return False
    with cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
    return True


def _tell(context: ExceptionContext) -> DBAPIError | None:
    """Tell an error without the values it is about, for a log may keep it; give the error to raise instead.

    What passes is told as such: a database that takes no writes at the moment (a standby, say), a transaction that
    was ended because this process stood still in the middle of it.
    """
    error, told = context.sqlalchemy_exception, context.original_exception
    if not isinstance(error, DBAPIError) or not isinstance(told, psycopg.Error):
        return None
    kind = OperationalError if told.sqlstate in _PASSING else type(error)
    if told.diag.message_detail is None and kind is type(error):
        return None
    told.args = (told.diag.message_primary,)
    return kind(error.statement, None, told, hide_parameters=True)
