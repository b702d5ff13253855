"""The engine: take a batch of deliveries, or let time pass, in one transaction of the ledger (design section 4).

State, statistics and position are committed together: an event has its effect exactly once, whatever is
delivered twice, and a writer that was overtaken changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from monitor.assessment import assess as assess_case
from monitor.ledger.access import Ledger
from monitor.ledger.positions import lock_position, take_over
from monitor.rulebook.model import RulebookHistory
from monitor.verdict import Assessment, JournalEntry
from streams.admission import Delivery, Outcome
from streams.turn import Turn

__all__ = ["Delivery", "Engine", "Fenced", "Outcome"]

Assess = Callable[[Iterable[JournalEntry], RulebookHistory, datetime], Assessment]


class Fenced(RuntimeError):
    """Another writer has taken over this stream; nothing of the batch was kept."""


class Engine:
    """The one writer of a stream. Holds the ledger's lease until `close`.

    Raises LeaseHeld when another process writes the ledger.
    """

    def __init__(self, ledger: Ledger, stream: str = "embedded", assess: Assess = assess_case) -> None:
        self.ledger, self.stream = ledger, stream
        self._assess = assess
        self.lease = ledger.lease()
        try:
            with ledger.write() as connection:
                self._epoch = take_over(connection, stream)
        except BaseException:
            self.lease.release()
            raise

    def process(self, batch: Sequence[Delivery], horizon: datetime) -> list[Outcome]:
        """Take a batch; return an outcome for each delivery, in the order of the batch.

        A delivery that cannot be taken is rejected and the others go on. Raises Fenced, LedgerError where no
        rulebook was published, LeaseHeld where the lease was lost and another process has it now, or the database's
        error: then nothing was taken.
        """
        with self._turn(horizon) as turn:
            return turn.take(batch)

    def tick(self, horizon: datetime, limit: int = 500) -> int:
        """Assess again up to `limit` cases that time or a new rulebook may have changed; return how many.

        0 means there is nothing left to do at this horizon. Raises as `process` does.
        """
        with self._turn(horizon) as turn:
            return turn.let_time_pass(limit)

    def begin_import(self, source: str) -> None:
        """Hold back judgement of what is absent while a file of a source is imported.

        A source of which nothing was ever taken is held before everything, any other where it stands. An import
        that was killed leaves the hold; the next one keeps it.
        """
        with self._turn(None) as turn:
            turn.begin_import(source)

    def end_import(self, source: str, complete_until: datetime | None) -> None:
        """Release the hold; the file said everything up to `complete_until` (None: it said nothing)."""
        with self._turn(None) as turn:
            turn.end_import(source, complete_until)

    def close(self) -> None:
        """Give the lease back."""
        self.lease.release()

    @contextmanager
    def _turn(self, horizon: datetime | None) -> Iterator[Turn]:
        self.lease.confirm()
        with self.ledger.write() as connection:
            position = lock_position(connection, self.stream)
            if position is None or position.epoch != self._epoch:
                raise Fenced(f"stream {self.stream!r} has another writer now; this one must stop or start again")
            if horizon is not None:
                assert horizon.tzinfo is not None, "a horizon is an aware instant"
                position.horizon = max(position.horizon, horizon.astimezone(UTC))
            turn = Turn(self.ledger, connection, self.stream, position, self._assess)
            yield turn
            turn.write()
