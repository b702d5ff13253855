"""The bare loader: write the rows an engine wrote, in the same order and transactions, and do nothing else.

It goes straight to the driver, with the statements the ledger has found fastest, so that what an engine reaches of its
speed is an honest share. Database, tables and settings of the connection are the engine's.
"""

from typing import Any

from sqlalchemy import Engine

from benchmarks.figures import Spent, spending
from benchmarks.tape import Tape, Write
from monitor.ledger import Ledger
from monitor.ledger.database import database_at


def load(ledger: Ledger, tape: Tape) -> Spent:
    """Write a tape into a new ledger; reading the tape is not counted."""
    database = database_at(ledger.url).writer
    try:
        return _load(database, tape)
    finally:
        database.dispose()


def _load(database: Engine, tape: Tape) -> Spent:
    spent = Spent()
    raw = database.raw_connection()
    try:
        connection: Any = raw.driver_connection
        for transaction in tape.play():
            with spending(spent):
                if database.dialect.name == "sqlite":
                    connection.execute("BEGIN IMMEDIATE")
                cursor = connection.cursor()
                for write in transaction:
                    _write(cursor, write)
                connection.commit()
    finally:
        raw.close()
    return spent


def _write(cursor: Any, write: Write) -> None:
    if write.copied is None:
        cursor.executemany(write.statement, write.rows)
        return
    with cursor.copy(write.statement) as copy:
        copy.set_types(write.copied)
        for row in write.rows:
            copy.write_row(row)
