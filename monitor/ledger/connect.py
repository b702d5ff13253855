"""Connections to the database of a ledger, with the settings its promises rest on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.url import URL

BUSY_TIMEOUT_SECONDS = 30
"""How long a writer waits for another's transaction (a publication beside the engine) before it gives up."""


def connect(url: URL) -> Engine:
    """Make a database engine; on SQLite every transaction is explicit and every commit durable."""
    if url.get_backend_name() != "sqlite":
        return create_engine(url, hide_parameters=True)
    # What is written is somebody's: an error that quotes it would carry it into a log.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


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


def discard_copies(engine: Engine, table: str) -> bool:
    """Remove the copies a database keeps of rows overwritten lately; tell whether it could be done at once."""
    if engine.dialect.name == "sqlite":
        raw = engine.raw_connection()
        try:
            busy, _, _ = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.close()
        return not busy
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"VACUUM {table}")
    return True


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
