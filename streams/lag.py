"""Detection lag: how long after it could be judged a violation stands committed in the ledger (invariant I6)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client import Histogram
from sqlalchemy import select

from monitor.ledger import Ledger, judging
from monitor.ledger.schema import cases, findings
from monitor.rulebook.model import RulebookHistory
from streams.admission import Delivery, Outcome

FINDINGS_MAX: Final = 10_000
"""Measured of one transaction; of more found at once the rest is measured no more, the engine comes first."""


class DetectionLag:
    """Measure the findings of each transaction of a stream, from the ledger itself; `since` is its horizon now.

    A violation could be judged once its instant and the declared lateness of its sources had passed, the events
    it rests on had arrived, and the rulebook it follows was in force. Left out are findings of a loaded past, and
    those whose sources say themselves how far they are complete: when they did is not kept.
    """

    def __init__(self, ledger: Ledger, histogram: Histogram, stream: str, since: datetime | None) -> None:
        self._ledger, self._histogram, self._stream = ledger, histogram, stream
        self._seen = since or datetime.min.replace(tzinfo=UTC)

    def measure(self, received: Mapping[str, datetime], committed: datetime) -> None:
        """Measure what was found since the last call; `received` tells when each case's newest event arrived."""
        rows_wanted = (
            select(
                findings.c.case,
                findings.c.occurred_at,
                findings.c.detected_at,
                cases.c.judged_at,
                cases.c.source_set,
            )
            .join(cases, cases.c.case == findings.c.case)
            .where(
                findings.c.stream == self._stream,
                findings.c.kind == "conduct",
                findings.c.detected_at > self._seen,
                cases.c.live,
            )
            .limit(FINDINGS_MAX)
        )
        with self._ledger.read() as connection:
            rows = connection.execute(rows_wanted).all()
            rulebooks = self._ledger.publications.history(connection) if rows else None
        for row in rows:
            assert rulebooks is not None, "rows come with their rulebook"
            self._seen = max(self._seen, row.detected_at)
            lateness = _lateness(row.source_set, rulebooks)
            if lateness is None or abs(row.detected_at - lateness - row.judged_at) > timedelta(seconds=1):
                continue
            known_from = max(
                row.occurred_at + lateness,
                received.get(row.case, row.occurred_at),
                rulebooks.current.in_force_from or row.occurred_at,
            )
            self._histogram.observe(max(0.0, (committed - known_from).total_seconds()))


def arrivals(batch: Sequence[Delivery], outcomes: Sequence[Outcome]) -> dict[str, datetime]:
    """Tell when the newest event of each case in a batch arrived, where it was not loaded from a past."""
    return {
        outcome.case: delivery.received_at
        for delivery, outcome in zip(batch, outcomes, strict=True)
        if outcome.case is not None and outcome.status == "applied" and delivery.received_at is not None
    }


def _lateness(source_set: str, rulebooks: RulebookHistory) -> timedelta | None:
    known = rulebooks.current.rulebook.source
    declared = [known[code].lateness for code in judging.split(source_set) if code in known]
    return max(declared, default=None)
