"""Notices to inspectors about the supervision itself: what was changed in it, and who came to be in charge of it."""

from datetime import UTC, datetime

from sqlalchemy import Connection, insert

from monitor.ledger.schema import outbox
from monitor.verdict import Severity


def tell_inspectors(connection: Connection, about: str) -> None:
    """Put a notice to the inspectors into the outbox; `about` names what they are to look at, as the audit does."""
    connection.execute(
        insert(outbox).values(
            stream="",
            finding=about,
            case="",
            act="notice",
            delivery="send",
            mode="lead",  # which is for inspectors alone
            severity=int(Severity.NOTICE),
            department="",
            created_at=datetime.now(UTC),
        )
    )
