"""The engine: take a batch of deliveries, or let time pass, in one transaction of the ledger (design section 4).

State, statistics and position are committed together: an event has its effect exactly once, whatever is
delivered twice, and a writer that was overtaken changes nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from monitor.assessment import assess as assess_case
from monitor.ledger import judging
from monitor.ledger.access import Ledger
from monitor.ledger.judging import SourceState
from monitor.ledger.lease import Lease
from monitor.ledger.positions import Position, lock_positions, take_over
from streams.admission import Delivery, Outcome
from streams.lag import Detected
from streams.neighbours import Neighbours
from streams.together import Together
from streams.turn import Assess, Memory, Shared, Turn

__all__ = ["Delivery", "Engine", "Fenced", "Outcome", "Share", "process_together", "tick_together", "transaction"]


class Fenced(RuntimeError):
    """Another writer has taken over these `streams`; nothing of the transaction was kept."""

    def __init__(self, streams: Collection[str]) -> None:
        self.streams = frozenset(streams)
        named = ", ".join(sorted(streams))
        super().__init__(f"stream {named} has another writer now; this one must stop or start again")


class Engine:
    """The one writer of a stream.

    Alone in its ledger it takes the ledger's lease and holds it until `close`; raises LeaseHeld when another process
    writes. Given a `lease`, it is one of several that share it, and only fences whoever wrote its stream before;
    `neighbours` are then the other streams. `detected` is what the last transaction found.
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
        self._memory: Memory | None = None
        self.detected: Detected | None = None
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
        return process_together([Share(self, batch, horizon, upto)])[0]

    def tick(self, horizon: datetime, limit: int = 500, upto: int | None = None) -> int:
        """Assess again up to `limit` cases that time or a new rulebook may have changed; return how many.

        0 means there is nothing left to do at this horizon. Raises as `process` does.
        """
        return tick_together([Share(self, (), horizon, upto)], limit)

    def may_change(self, horizon: datetime) -> bool:
        """Tell whether a tick at a horizon would find a case that time has changed, as far as this engine knows.

        What others did to the ledger (a rulebook published, cases marked) it does not know.
        """
        known = self._memory
        if known is None or known.due is None:
            return True
        return judging.falls_due(known.due, known.states, known.rulebook, horizon)

    def knows_live(self, source: str) -> bool:
        """Tell whether a source is known to deliver live, so that hearing it once more changes nothing."""
        state = None if self._memory is None else self._memory.states.get(source)
        return state is not None and state.live

    def begin_import(self, source: str, upto: int | None = None) -> None:
        """Hold back judgement of what is absent while a file of a source is imported.

        A source of which nothing was ever taken is held before everything, any other where it stands. An import
        that was killed leaves the hold; the next one keeps it.
        """
        with self._turn(upto) as turn:
            turn.begin_import(source)

    def end_import(self, source: str, complete_until: datetime | None, upto: int | None = None) -> None:
        """Release the hold; the file said everything up to `complete_until` (None: it said nothing)."""
        with self._turn(upto) as turn:
            turn.end_import(source, complete_until)

    def hear_live(self, source: str, upto: int | None = None) -> None:
        """Learn that a source has delivered live to another stream."""
        process_together([Share(self, upto=upto, heard=[source])])

    def close(self) -> None:
        """Give the lease back, unless it is shared."""
        if self._owns_lease:
            self.lease.release()

    @contextmanager
    def _turn(self, upto: int | None) -> Iterator[Turn]:
        with transaction([Share(self, upto=upto)]) as together:
            yield together.turns[0]

    def writes(self, position: Position | None) -> bool:
        """Tell whether this engine is still the writer of its stream, whose position this is."""
        return position is not None and position.epoch == self._epoch

    def memory_at(self, position: Position) -> Memory | None:
        """Give what is remembered of the stream, where its position says that nothing was written since."""
        return self._memory if self._memory is not None and self._memory.version == position.version else None

    def begin(self, shared: Shared, position: Position, read: Mapping[str, Mapping[str, SourceState]]) -> Turn:
        """Begin a turn in a transaction; what is not remembered was `read`: the states of sources, by stream."""
        known = self.memory_at(position)
        states, end, due = (
            (read[self.stream], None, None) if known is None else (known.states, known.journal_end, known.due)
        )
        return Turn(shared, self.stream, position, states, end, due, self._assess, self._neighbours)

    def remember(self, turn: Turn, memory: Memory) -> None:
        """Remember what was known at the end of a turn that is committed now."""
        self._memory = memory
        self.next, self.horizon, self.detected = turn.position.next, turn.position.horizon, turn.detected


class Share(NamedTuple):
    """What one engine is given in a transaction that several share: as to `Engine.process`; no horizon: as it was.

    `heard` are sources that have delivered live to another stream.
    """

    engine: Engine
    batch: Sequence[Delivery] = ()
    horizon: datetime | None = None
    upto: int | None = None
    heard: Sequence[str] = ()


def process_together(shares: Sequence[Share]) -> list[list[Outcome]]:
    """Take a batch in each of several streams of one ledger, in one transaction; return the outcomes of each.

    It is kept for all of them or for none. Raises as `Engine.process` does.
    """
    with transaction(shares) as together:
        return together.take([share.batch for share in shares])


def tick_together(shares: Sequence[Share], limit: int) -> int:
    """Let time pass in several streams of one ledger, in one transaction; return how many cases were assessed again.

    At most `limit` are; 0 means that in none of the streams there is anything left to do. Raises as `Engine.tick` does.
    """
    with transaction(shares) as together:
        return together.let_time_pass(limit)


@contextmanager
def transaction(shares: Sequence[Share]) -> Iterator[Together]:
    """Give the turns of several engines of one ledger, the batches not taken yet; written and committed at the end.

    Raises as `Engine.process` does.
    """
    engines = [share.engine for share in shares]
    ledger = engines[0].ledger
    engines[0].lease.confirm()
    with ledger.write() as connection:
        streams = [engine.stream for engine in engines]
        assert len(set(streams)) == len(streams), "a stream has one turn in a transaction"
        positions = lock_positions(connection, streams)
        fenced = [engine.stream for engine in engines if not engine.writes(positions.get(engine.stream))]
        if fenced:
            raise Fenced(fenced)
        unknown = [each.stream for each in engines if each.memory_at(positions[each.stream]) is None]
        read = judging.states_of(connection, unknown)
        shared = Shared(ledger, connection)
        for share in shares:
            if share.horizon is not None:
                assert share.horizon.tzinfo is not None, "a horizon is an aware instant"
                position = positions[share.engine.stream]
                position.horizon = max(position.horizon, share.horizon.astimezone(UTC))
        turns = [each.begin(shared, positions[each.stream], read) for each in engines]
        for share, turn in zip(shares, turns, strict=True):
            for source in share.heard:
                turn.hear_live(source)
        together = Together(shared, turns)
        yield together
        for share, turn in zip(shares, turns, strict=True):
            if share.upto is not None:
                turn.position.next = max(turn.position.next, share.upto)
        together.write()
        memories = together.memories()
    for engine, turn, memory in zip(engines, turns, memories, strict=True):
        engine.remember(turn, memory)
