"""API keys: who may send events, and as which source. The ledger holds a digest, never the key.

A key is 32 random bytes, so that a plain digest protects it as well as a slow one would, and checking a request
costs microseconds. Whoever loses a key is given another, and the lost one is revoked.
"""

import secrets
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from monitor.ledger import audit
from monitor.ledger.errors import LedgerError
from monitor.ledger.schema import api_keys

PREFIX: Final = "esm_"
"""Lets people and secret scanners recognise a key of this monitor."""


class ApiKey(msgspec.Struct, frozen=True):
    """What is known of a key: `id` names it in lists and logs, `source` is whom it may speak for."""

    id: str
    source: str
    created_at: datetime
    revoked_at: datetime | None = None


def create_key(connection: Connection, source: str, actor: str | None = None) -> tuple[ApiKey, str]:
    """Make a key bound to a source; return it with its secret, which cannot be shown again.

    `actor` is who does it, for the audit; by default the account that runs this process.
    """
    known = ApiKey(secrets.token_hex(4), source, datetime.now(UTC))
    secret = f"{PREFIX}{known.id}_{secrets.token_urlsafe(32)}"
    connection.execute(
        insert(api_keys).values(
            id=known.id, source=source, digest=_digest(secret), created_at=known.created_at, revoked_at=None
        )
    )
    _note(connection, actor, "key.create", known)
    return known, secret


def find_key(connection: Connection, secret: str) -> ApiKey | None:
    """Find the key a secret belongs to, revoked ones included; None: it is nobody's."""
    row = connection.execute(select(api_keys).where(api_keys.c.digest == _digest(secret))).one_or_none()
    return None if row is None else ApiKey(row.id, row.source, row.created_at, row.revoked_at)


def list_keys(connection: Connection) -> list[ApiKey]:
    """List the keys, oldest first."""
    rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
    return [ApiKey(row.id, row.source, row.created_at, row.revoked_at) for row in rows]


def revoke_key(connection: Connection, key_id: str, actor: str | None = None) -> ApiKey:
    """Revoke a key for good; one already revoked keeps its instant. Raises LedgerError for an unknown id."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id).with_for_update()).one_or_none()
    if row is None:
        raise LedgerError(f"there is no key {key_id!r}: 'monitor keys list' shows those there are")
    if row.revoked_at is not None:
        return ApiKey(row.id, row.source, row.created_at, row.revoked_at)
    revoked = ApiKey(row.id, row.source, row.created_at, datetime.now(UTC))
    connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=revoked.revoked_at))
    _note(connection, actor, "key.revoke", revoked)
    return revoked


def _note(connection: Connection, actor: str | None, act: str, key: ApiKey) -> None:
    audit.record(connection, actor or audit.operator_account(), act, f"key:{key.id}", {"source": key.source})


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
