"""The audit: who did what to users, keys, rulebooks, rules and kept evidence; append-only and chained.

An actor is the name of a user, or `os:NAME`, the account of the operating system that ran a command. `act` is a
word for what was done, `object` what it was done to, as `user:li`, `key:1f2e`, `rulebook:3`, `reject:17`.
"""

import os
import pwd
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from monitor.ledger.chain import AUDIT
from monitor.ledger.packing import to_json
from monitor.ledger.schema import audit

ROWS_MAX: Final = 1_000


class Entry(msgspec.Struct, frozen=True):
    """One line of the audit."""

    seq: int
    at: datetime
    actor: str
    act: str
    object: str
    detail: dict[str, Any]


def record(connection: Connection, actor: str, act: str, object: str, detail: dict[str, Any]) -> int:  # noqa: A002 - the column's name
    """Write a line in the transaction of what it tells, so that neither is there without the other; return its number.

    `detail` holds JSON values; never a password, a key, free text or who applied for what.
    """
    return AUDIT.append(connection, at=datetime.now(UTC), actor=actor, act=act, object=object, detail=to_json(detail))


def entries(
    connection: Connection,
    actor: str | None = None,
    act: str | None = None,
    object: str | None = None,  # noqa: A002 - the column's name
    since: datetime | None = None,
    limit: int = ROWS_MAX,
) -> list[Entry]:
    """Read the newest lines, newest first; `act` and `object` match from their beginning."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if actor is not None:
        query = query.where(audit.c.actor == actor)
    if act is not None:
        query = query.where(audit.c.act.startswith(act, autoescape=True))
    if object is not None:
        query = query.where(audit.c.object.startswith(object, autoescape=True))
    if since is not None:
        query = query.where(audit.c.at >= since)
    rows = connection.execute(query)
    return [Entry(row.seq, row.at, row.actor, row.act, row.object, msgspec.json.decode(row.detail)) for row in rows]


def operator_account() -> str:
    """Name who runs this process, as an actor."""
    try:
        return f"os:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # an account of a container that has no name
        return f"os:{os.getuid()}"
