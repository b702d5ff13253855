"""Connections to the database of a ledger, with the settings its promises rest on."""

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
