"""Who may send: the bearer of an API key as its source, and a process on this machine as any.

The runtime writes a random token beside the ledger, readable by its owner alone. Who can read it could also write
the ledger, so that it gives nothing away; it lets `monitor import` work beside a running `monitor up`.
"""

import os
import secrets
import time
from pathlib import Path
from typing import Final

import msgspec

from monitor.keys import find_key
from monitor.ledger import Ledger

RECHECK_SECONDS: Final = 2.0
"""How long a key found good is believed: so soon a revocation takes effect."""
REMEMBERED_MAX: Final = 1_000


class Sender(msgspec.Struct, frozen=True):
    """Who sends: bound to a source by an API key, or, with `source` None, a process of this machine."""

    source: str | None

    @property
    def is_local(self) -> bool:
        """Tell whether the sender may import and speak for any source."""
        return self.source is None


LOCAL: Final = Sender(None)


class Doorkeeper:
    """Recognise senders by what stands in their Authorization header."""

    def __init__(self, ledger: Ledger, token: str) -> None:
        self._ledger, self._token = ledger, token
        self._known: dict[str, tuple[float, Sender]] = {}

    def recognise(self, authorization: str) -> Sender | None:
        """Give the sender, None: there is no key, an unknown or a revoked one."""
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            return None
        if secrets.compare_digest(secret.encode(), self._token.encode()):
            return LOCAL
        believed_until, sender = self._known.get(secret, (0.0, LOCAL))
        return sender if time.monotonic() < believed_until else self._look_up(secret)

    def _look_up(self, secret: str) -> Sender | None:
        self._known.pop(secret, None)
        with self._ledger.read() as connection:
            key = find_key(connection, secret)
        if key is None or key.revoked_at is not None:
            return None
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        sender = Sender(key.source)
        self._known[secret] = (time.monotonic() + RECHECK_SECONDS, sender)
        return sender


def token_path(ledger: Ledger) -> Path:
    """Name the file the runtime's token stands in."""
    return ledger.folder / "runtime.token"


def write_token(ledger: Ledger) -> str:
    """Make a token for this run of the monitor and leave it beside the ledger, for its owner alone."""
    token = secrets.token_urlsafe(32)
    path = token_path(ledger)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token)
    return token
