"""The writer's lease on PostgreSQL: an advisory lock, held by a session of its own.

The server releases it when the session ends: at once when the process is killed, and by its keep-alive half a
minute after a machine is gone. Who holds it stands in `meta`, named after the session, so that what a dead holder
said is not taken for the word of its successor.
"""

import os
import socket
import time
from contextlib import suppress
from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from monitor.ledger.lease import Holder, LeaseHeld
from monitor.ledger.schema import meta
from monitor.ledger.upsert import upsert

PATIENCE_SECONDS: Final = 2.0
"""A holder killed a moment ago still has its session for an instant; whoever restarts it should not be refused."""

_PREFIX: Final = "lease/"
_HOLDING: Final = (
    "SELECT 'lease/' || pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid::bigint = :high AND objid::bigint = :low"
)
_HELD: Final = text(f"SELECT count(*) FROM ({_HOLDING}) AS holding")  # noqa: S608 - no word of it comes from outside
_SAID: Final = text(f"SELECT value FROM meta WHERE name IN ({_HOLDING}) ORDER BY name")  # noqa: S608 - the same
# One statement: a holder whose row it sees has its lock already.
_FORGET: Final = text(f"DELETE FROM meta WHERE name LIKE '{_PREFIX}%' AND name NOT IN ({_HOLDING})")  # noqa: S608 - the same


class SessionLease:
    """Hold the right to write a ledger as long as a session of the database lives, alone or `shared`.

    Raises LeaseHeld when another holds it. `name` is the database's in messages.
    """

    def __init__(self, database: Engine, ledger: str, name: str, shared: bool = False) -> None:
        self._database, self._ledger, self._name, self._shared = database, ledger, name, shared
        self._url: str | None = None
        self._session: Connection | None = None
        self._take()

    def confirm(self) -> None:
        """Make sure that it is still held; where its session was lost, take it again.

        Raises LeaseHeld when another process took it meanwhile, DBAPIError while the server cannot be reached.
        """
        if self._session is not None:
            with suppress(DBAPIError):
                self._session.exec_driver_sql("SELECT 1")
                return
            self._let_go()
        self._take()

    def announce(self, url: str | None) -> None:
        """Tell a second writer where to post its events instead."""
        self._url = url
        if self._session is not None:
            self._say(self._session)

    def release(self) -> None:
        """Give the lease back; a second call does nothing."""
        if self._session is not None:
            # Unlocked, not only closed: the server would notice the end of the session a moment later.
            with suppress(DBAPIError):
                self._session.execute(select(func.pg_advisory_unlock_all()))
                self._session.execute(_FORGET, _halves(self._ledger))
            self._let_go()

    def _take(self) -> None:
        session = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            session.detach()  # never to come back to the pool, where a reader could get it with its lock
            lock = func.pg_try_advisory_lock_shared if self._shared else func.pg_try_advisory_lock
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not session.execute(select(lock(_key(self._ledger)))).scalar_one():
                if time.monotonic() > deadline:
                    holders = holders_of(session, self._ledger)
                    raise LeaseHeld(self._name, next(iter(holders), Holder()), len(holders) - 1)
                time.sleep(0.05)
            session.execute(_FORGET, _halves(self._ledger))
            self._say(session)
        except BaseException:
            session.close()
            raise
        self._session = session

    def _say(self, session: Connection) -> None:
        here = Holder(os.getpid(), self._url, socket.gethostname(), self._shared)
        name = f"{_PREFIX}{session.exec_driver_sql('SELECT pg_backend_pid()').scalar_one()}"
        upsert(session, meta, [{"name": name, "value": msgspec.json.encode(here).decode()}])

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(DBAPIError):
                session.close()


def holders_of(connection: Connection, ledger: str) -> list[Holder]:
    """Read who holds the lease of a ledger; an empty Holder for one who has not said so yet."""
    halves = _halves(ledger)
    said = [msgspec.json.decode(row.value, type=Holder) for row in connection.execute(_SAID, halves)]
    held = connection.execute(_HELD, halves).scalar_one()
    return said + [Holder()] * (held - len(said))


def _halves(ledger: str) -> dict[str, int]:
    """Give the lock of a ledger as `pg_locks` shows it."""
    high, low = divmod(_key(ledger) % 2**64, 2**32)
    return {"high": high, "low": low}


def _key(ledger: str) -> int:
    """Give the number of the advisory lock of a ledger: two in one database do not stand in each other's way."""
    return int.from_bytes(sha256(b"supervision lease\x00" + ledger.encode()).digest()[:8], "big", signed=True)
