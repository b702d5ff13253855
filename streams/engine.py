"""The engine: take a batch of deliveries, or let time pass, in one transaction of the ledger (design section 4).

State, statistics and position are committed together: an event has its effect exactly once, whatever is
delivered twice, and a writer that was overtaken changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from monitor.assessment import assess as assess_case
from monitor.ledger import judging
from monitor.ledger.access import Ledger
from monitor.ledger.judging import SourceState
from monitor.ledger.lease import Lease
from monitor.ledger.positions import lock_position, take_over
from monitor.rulebook.model import Rulebook, RulebookHistory
from monitor.verdict import Assessment, JournalEntry
from streams.admission import Delivery, Outcome
from streams.neighbours import Neighbours
from streams.turn import Turn

__all__ = ["Delivery", "Engine", "Fenced", "Outcome"]

Assess = Callable[[Iterable[JournalEntry], RulebookHistory, datetime], Assessment]


class Fenced(RuntimeError):
    """Another writer has taken over this stream; nothing of the batch was kept."""


class Engine:
    """The one writer of a stream.

    Alone in its ledger it takes the ledger's lease and holds it until `close`; raises LeaseHeld when another process
    writes. Given a `lease`, it is one of several that share it, and only fences whoever wrote its stream before;
    `neighbours` are then the other streams. `found` tells whether the last transaction found a violation.
    """

    def __init__(
        self,
        ledger: Ledger,
        stream: str = "embedded",
        assess: Assess = assess_case,
        lease: Lease | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        self.ledger, self.stream = ledger, stream
        self._assess, self._neighbours = assess, neighbours
        self._owns_lease = lease is None
        self.lease = ledger.lease() if lease is None else lease
        self._due: dict[str, datetime] | None = None
        self._known: tuple[Mapping[str, SourceState], Rulebook] | None = None
        self.found = False
        try:
            with ledger.write() as connection:
                ledger.texts.confirm(connection)
                ledger.vault.confirm(connection)
                position = take_over(connection, stream)
        except BaseException:
            self.close()
            raise
        self._epoch, self.next, self.horizon = position.epoch, position.next, position.horizon

    def process(self, batch: Sequence[Delivery], horizon: datetime, upto: int | None = None) -> list[Outcome]:
        """Take a batch; return an outcome for each delivery, in the order of the batch.

        A delivery that cannot be taken is rejected and the others go on. From a log the deliveries carry their offsets,
        and `upto` is the offset after the last one read; those committed already are left out, of the outcomes too.
        Raises Fenced, LedgerError where no rulebook was published, LeaseHeld where the lease was lost and another
        process has it now, or the database's error: then nothing was taken.
        """
        with self._turn(horizon, upto) as turn:
            return turn.take([delivery for delivery in batch if turn.is_unread(delivery)])

    def tick(self, horizon: datetime, limit: int = 500, upto: int | None = None) -> int:
        """Assess again up to `limit` cases that time or a new rulebook may have changed; return how many.

        0 means there is nothing left to do at this horizon. Raises as `process` does.
        """
        with self._turn(horizon, upto) as turn:
            assessed = turn.let_time_pass(limit)
            settled = turn.earliest_changes if assessed < limit else None
        if settled is not None:
            self._due = settled
        return assessed

    def may_change(self, horizon: datetime) -> bool:
        """Tell whether a tick at a horizon would find a case that time has changed, as far as this engine knows.

        What others did to the ledger (a rulebook published, cases marked) it does not know.
        """
        if self._due is None or self._known is None:
            return True
        states, rulebook = self._known
        return any(
            judging.judged_at(sources, states, rulebook, horizon) >= instant for sources, instant in self._due.items()
        )

    def knows_live(self, source: str) -> bool:
        """Tell whether a source is known to deliver live, so that hearing it once more changes nothing."""
        state = None if self._known is None else self._known[0].get(source)
        return state is not None and state.live

    def begin_import(self, source: str, upto: int | None = None) -> None:
        """Hold back judgement of what is absent while a file of a source is imported.

        A source of which nothing was ever taken is held before everything, any other where it stands. An import
        that was killed leaves the hold; the next one keeps it.
        """
        with self._turn(None, upto) as turn:
            turn.begin_import(source)

    def end_import(self, source: str, complete_until: datetime | None, upto: int | None = None) -> None:
        """Release the hold; the file said everything up to `complete_until` (None: it said nothing)."""
        with self._turn(None, upto) as turn:
            turn.end_import(source, complete_until)

    def hear_live(self, source: str, upto: int | None = None) -> None:
        """Learn that a source has delivered live to another stream."""
        with self._turn(None, upto) as turn:
            turn.hear_live(source)

    def close(self) -> None:
        """Give the lease back, unless it is shared."""
        if self._owns_lease:
            self.lease.release()

    @contextmanager
    def _turn(self, horizon: datetime | None, upto: int | None = None) -> Iterator[Turn]:
        self.lease.confirm()
        with self.ledger.write() as connection:
            position = lock_position(connection, self.stream)
            if position is None or position.epoch != self._epoch:
                raise Fenced(f"stream {self.stream!r} has another writer now; this one must stop or start again")
            if horizon is not None:
                assert horizon.tzinfo is not None, "a horizon is an aware instant"
                position.horizon = max(position.horizon, horizon.astimezone(UTC))
            turn = Turn(self.ledger, connection, self.stream, position, self._assess, self._neighbours)
            yield turn
            if upto is not None:
                position.next = max(position.next, upto)
            turn.write()
            rulebook = turn.rulebook
        self._known, self.next, self.horizon = (turn.states, rulebook), position.next, position.horizon
        self.found = turn.found
        if self._due is not None:
            for sources, instant in turn.changes_at.items():
                self._due[sources] = min(self._due.get(sources, instant), instant)
