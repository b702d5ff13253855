"""Replay: every event of an older ledger through the engine once more, into an empty one (invariant I8).

Stream by stream into the same streams, in the order they were taken, received when they were received. Nothing absent
is judged before all of a stream is there; then time passes up to where the old ledger stood. The journal must end in
the same hash. Not here: what is copied as it is (`monitor.ledger.handover`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, select

from monitor.events import TIME_MIN
from monitor.ledger import Ledger, LedgerError, handover
from monitor.ledger.digest import digest
from monitor.ledger.lease import Lease
from monitor.ledger.positions import last_horizon
from monitor.ledger.schema import journal
from streams.admission import Delivery
from streams.engine import Engine

BATCH_EVENTS: Final = 2_000
TICK_CASES: Final = 500

Progress = Callable[[int, int], None]
"""Told how many events were replayed, of how many."""


class Replayed(msgspec.Struct, frozen=True):
    """What a replay did; the digests are of both ledgers at the `horizon` of the old one, and equal if all is well."""

    streams: int
    events: int
    horizon: datetime
    digest: str
    of_source: str

    @property
    def agrees(self) -> bool:
        """Tell whether both ledgers say the same."""
        return self.digest == self.of_source


def replay(
    source: Ledger, target: Ledger, progress: Progress = lambda done, total: None, new_topic: bool = False
) -> Replayed:
    """Replay a ledger into an empty one, of which nobody is told anything.

    `new_topic`: the topic was made again under its name, and is read from its beginning by the workers that come.

    Raises LedgerError where the target is not empty or the source holds nothing, and where the new journal would not be
    the old one; LeaseHeld. What was broken off is refused by every command, and begun again in another empty database.
    """
    with source.read() as old:
        horizon = last_horizon(old)
        if horizon is None or not source.has_rulebook():
            raise LedgerError(f"{source.name}: nothing was ever taken into this ledger, so there is nothing to replay")
        lease = target.lease()
        try:
            handover.begin(old, source, target)
            events = _replay_streams(old, target, lease, progress, new_topic)
            handover.end(old, target, new_topic)
        finally:
            lease.release()
        streams = len(handover.streams_of(old))
    return Replayed(streams, events, horizon, digest(target, horizon), digest(source, horizon))


def _replay_streams(old: Connection, target: Ledger, lease: Lease, progress: Progress, new_topic: bool) -> int:
    done, total = 0, handover.events_count(old)
    for position in handover.streams_of(old):
        engine = Engine(target, position.stream, lease=lease)
        handover.begin_stream(old, target, position.stream)
        query = select(journal).where(journal.c.stream == position.stream).order_by(journal.c.seq)
        for rows in old.execute(query, execution_options={"yield_per": BATCH_EVENTS}).partitions():
            engine.process([_delivery(row) for row in rows], TIME_MIN)
            done += len(rows)
            progress(done, total)
        while engine.tick(position.horizon, TICK_CASES):
            pass
        handover.end_stream(target, position, new_topic)
    return done


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(row.content, row.received_at, row.backfill, is_known=True)
