"""The token of a run: it lets a process on this machine send as any source (`monitor.access` checks it).

The runtime writes it beside the ledger, readable by its owner alone. Who can read it could also write the ledger, so
that it gives nothing away; it lets `monitor import` work beside a running `monitor up`.
"""

import os
import secrets
from pathlib import Path

from monitor.ledger import Ledger


def token_path(ledger: Ledger, run: str = "runtime") -> Path:
    """Name the file the token of a run stands in: that of the embedded runtime, of which there is one, by default."""
    return ledger.folder / f"{run}.token"


def write_token(ledger: Ledger, run: str = "runtime") -> str:
    """Make a token for this run of the monitor and leave it beside the ledger, for its owner alone."""
    token = secrets.token_urlsafe(32)
    path = token_path(ledger, run)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token)
    return token
