"""The writer's lease on PostgreSQL: an advisory lock, held by a session of its own.

The server releases it when the session ends: at once when the process is killed, and by its keep-alive half a
minute after a machine is gone. Who holds it stands in `meta`, with the session, so that what a dead holder said is
not taken for the word of its successor.
"""

import os
import socket
import time
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from monitor.ledger.lease import Holder, LeaseHeld
from monitor.ledger.schema import meta
from monitor.ledger.upsert import upsert

PATIENCE_SECONDS: Final = 2.0
"""A holder killed a moment ago still has its session for an instant; whoever restarts it should not be refused."""

_NAME: Final = "lease"
_HOLDING: Final = text(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND mode = 'ExclusiveLock' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid::bigint = :high AND objid::bigint = :low"
)


class _Said(msgspec.Struct, frozen=True):
    """What a holder said, and the session that holds."""

    session: int
    holder: Holder


class SessionLease:
    """Hold the right to write a ledger as long as a session of the database lives.

    Raises LeaseHeld when another holds it. `name` is the database's in messages.
    """

    def __init__(self, database: Engine, ledger: str, name: str) -> None:
        self._database, self._ledger, self._name = database, ledger, name
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
                self._session.execute(select(func.pg_advisory_unlock(_key(self._ledger))))
            self._let_go()

    def _take(self) -> None:
        session = self._database.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            session.detach()  # never to come back to the pool, where a reader could get it with its lock
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not session.execute(select(func.pg_try_advisory_lock(_key(self._ledger)))).scalar_one():
                if time.monotonic() > deadline:
                    raise LeaseHeld(self._name, holder_of(session, self._ledger))
                time.sleep(0.05)
            self._say(session)
        except BaseException:
            session.close()
            raise
        self._session = session

    def _say(self, session: Connection) -> None:
        here = Holder(os.getpid(), self._url, socket.gethostname())
        said = _Said(session.exec_driver_sql("SELECT pg_backend_pid()").scalar_one(), here)
        upsert(session, meta, [{"name": _NAME, "value": msgspec.json.encode(said).decode()}])

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(DBAPIError):
                session.close()


def holder_of(connection: Connection, ledger: str) -> Holder:
    """Read who holds the lease of a ledger; an empty Holder where nobody does, or has not said so yet."""
    high, low = divmod(_key(ledger) % 2**64, 2**32)
    holding: Any = connection.execute(_HOLDING, {"high": high, "low": low}).scalar_one_or_none()
    written = connection.execute(select(meta.c.value).where(meta.c.name == _NAME)).scalar_one_or_none()
    if holding is None or written is None:
        return Holder()
    said = msgspec.json.decode(written, type=_Said)
    return said.holder if said.session == holding else Holder()


def _key(ledger: str) -> int:
    """Give the number of the advisory lock of a ledger: two in one database do not stand in each other's way."""
    return int.from_bytes(sha256(b"supervision lease\x00" + ledger.encode()).digest()[:8], "big", signed=True)
