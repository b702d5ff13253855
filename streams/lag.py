"""Detection lag: how long after it could be judged a violation stands committed in the ledger (invariant I6)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from prometheus_client import Histogram

from monitor.ledger import judging
from monitor.rulebook.model import Rulebook, RulebookVersion
from streams.admission import Delivery, Outcome


class Violation(NamedTuple):
    """A violation that was found in a live case, and the sources that the case was judged by."""

    case: str
    occurred_at: datetime
    judged_at: datetime
    source_set: str


class Detected(NamedTuple):
    """The violations that a transaction of a stream found at its horizon, and the rulebook in force then."""

    violations: Sequence[Violation]
    horizon: datetime
    in_force: RulebookVersion


def measure(
    histogram: Histogram, detected: Detected | None, received: Mapping[str, datetime], committed: datetime
) -> None:
    """Measure what a transaction found; `received` tells when each case's newest event arrived.

    A violation could be judged once its instant and the declared lateness of its sources had passed, the events
    it rests on had arrived, and the rulebook it follows was in force. Left out are findings of a loaded past, and
    those whose sources say themselves how far they are complete: when they did is not kept.
    """
    if detected is None:
        return
    for each in detected.violations:
        lateness = _lateness(each.source_set, detected.in_force.rulebook)
        if lateness is None or abs(detected.horizon - lateness - each.judged_at) > timedelta(seconds=1):
            continue
        known_from = max(
            each.occurred_at + lateness,
            received.get(each.case, each.occurred_at),
            detected.in_force.in_force_from or each.occurred_at,
        )
        histogram.observe(max(0.0, (committed - known_from).total_seconds()))


def arrivals(batch: Sequence[Delivery], outcomes: Sequence[Outcome]) -> dict[str, datetime]:
    """Tell when the newest event of each case in a batch arrived, where it was not loaded from a past."""
    return {
        outcome.case: delivery.received_at
        for delivery, outcome in zip(batch, outcomes, strict=True)
        if outcome.case is not None and outcome.status == "applied" and delivery.received_at is not None
    }


def _lateness(source_set: str, rulebook: Rulebook) -> timedelta | None:
    known = rulebook.source
    declared = [known[code].lateness for code in judging.split(source_set) if code in known]
    return max(declared, default=None)
