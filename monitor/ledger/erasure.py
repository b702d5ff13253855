"""Erasure: delete the bodies of a case's texts for good, and leave in the audit that it was done and why.

The marks stay in the journal, so that chains, verdicts and figures are what they were.
"""

from datetime import UTC, datetime

import msgspec
from sqlalchemy import select, update

from monitor.ledger import audit
from monitor.ledger.access import Ledger
from monitor.ledger.errors import LedgerError
from monitor.ledger.schema import texts
from monitor.ledger.sqlite import overwriting


class Erased(msgspec.Struct, frozen=True):
    """What was erased of a case; `copies_gone`: nothing of it is left in the files of the database either."""

    case: str
    texts: int
    at: datetime
    copies_gone: bool


def erase_texts(ledger: Ledger, case: str, reason: str, actor: str) -> Erased:
    """Erase the texts of a case. Raises LedgerError where it has none that are still there."""
    now = datetime.now(UTC)
    with ledger.write() as connection, overwriting(connection):
        kept = (texts.c.case == case) & texts.c.body.is_not(None)
        hashes = sorted(connection.execute(select(texts.c.hash).where(kept)).scalars())
        if not hashes:
            raise LedgerError(f"case {case!r} has no texts here that could be erased; check its number")
        connection.execute(update(texts).where(kept).values(body=None, erased_at=now))
        audit.record(connection, actor, "text.erase", f"case:{case}", {"reason": reason, "hashes": hashes})
    return Erased(case, len(hashes), now, ledger.discard_copies())
