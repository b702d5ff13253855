"""The bare loader: write the rows an engine wrote, in the same order and transactions, and do nothing else.

It takes the fastest plain way each database has, so that what an engine reaches of its speed is an honest share. The
database, its tables and the settings of the connection are those of the engine's.
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
                _into_sqlite(connection, transaction)
    finally:
        raw.close()
    return spent


def _into_sqlite(connection: Any, transaction: list[Write]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for write in transaction:
        connection.executemany(write.statement, write.rows)
    connection.execute("COMMIT")
