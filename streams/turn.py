"""One transaction of a stream: what it has read, what it concludes, and what it writes at the end."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, select

from monitor.events import TIME_MIN, Event, EventError
from monitor.ledger import apart, judging, rejects, relays, texts
from monitor.ledger.access import Ledger
from monitor.ledger.changes import Changes, Standing
from monitor.ledger.findings import CHUNK, Cause
from monitor.ledger.imports import BEGIN, END, note_import, note_live
from monitor.ledger.journal import JournalTail
from monitor.ledger.judging import SourceState
from monitor.ledger.packing import entries_of, unpack_assessment, unpack_written, written
from monitor.ledger.positions import Position, save_position
from monitor.ledger.schema import cases, journal
from monitor.rulebook.model import Rulebook, RulebookHistory, RulebookVersion
from monitor.verdict import Assessment, JournalEntry
from streams.admission import Admitted, Delivery, Outcome, Refused, admit
from streams.neighbours import Elsewhere, Neighbours

EVENTS_PER_CASE_MAX: Final = 2_000
"""A real case has a few dozen events; each new one reads all others, so that a case must not grow without end."""

Identity = tuple[str, str, bytes]  # source, id, content hash: one content of one event
_Seen = dict[str | None, set[Identity]]  # by case; None: heartbeats


class Turn:
    """What happens to a stream within one transaction. `write` must be the last call."""

    def __init__(
        self,
        ledger: Ledger,
        connection: Connection,
        stream: str,
        position: Position,
        assess: Callable[[Iterable[JournalEntry], RulebookHistory, datetime], Assessment],
        neighbours: Neighbours | None = None,
    ) -> None:
        self._connection, self._stream, self._position, self._assess = connection, stream, position, assess
        self._ledger, self._neighbours, self._elsewhere = ledger, neighbours, Elsewhere()
        self.changes_at: dict[str, datetime] = {}
        self.horizon = position.horizon
        self.states = judging.load_states(connection, stream)
        self._states_before = {code: replace(state) for code, state in self.states.items()}
        self._tail = JournalTail(stream, position.seq, position.chain_hash)
        self._changes = Changes(stream, self.horizon, position.version + 1)
        self._rejects: list[dict[str, Any]] = []
        self._refusals: list[tuple[str, relays.RejectMessage]] = []
        self._texts: list[dict[str, Any]] = []
        self._judged_until: dict[str, datetime] = {}

    @property
    def found(self) -> bool:
        """Tell whether somebody was found to have broken a rule who was not before."""
        return self._changes.found

    @property
    def rulebook(self) -> Rulebook:
        """The rulebook in force."""
        return self._rulebooks.current.rulebook

    @cached_property
    def _rulebooks(self) -> RulebookHistory:
        return self._ledger.publications.history(self._connection, self.horizon)

    def is_unread(self, delivery: Delivery) -> bool:
        """Tell whether a delivery read from a log was not committed before."""
        return delivery.offset is None or delivery.offset >= self._position.next

    def take(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Take deliveries and assess each case they touch once; return what became of each, in their order."""
        admitted = [self._admit(delivery) for delivery in batch]
        events = [each for each in admitted if isinstance(each, Admitted)]
        standings = self._load({each.event.case for each in events if each.event.case is not None})
        seen: _Seen = {case: _identities(standing.entries) for case, standing in standings.items()}
        seen[None] = self._known_heartbeats(events)
        outcomes = [
            self._apply(delivery, each, standings, seen) if isinstance(each, Admitted) else each
            for delivery, each in zip(batch, admitted, strict=True)
        ]
        # Judged last, so that what heartbeats of this batch say counts for all of it, in whatever order.
        fresh: dict[str, list[Admitted]] = defaultdict(list)
        for each, outcome in zip(admitted, outcomes, strict=True):
            if isinstance(each, Admitted) and outcome.status == "applied" and each.event.case is not None:
                fresh[each.event.case].append(each)
        for case, added in fresh.items():
            live = any(not each.backfill for each in added)
            why = {"cause": "event", "events": sorted(each.event.identity for each in added)}
            self._judge(standings[case], "live" if live else "backfill", why)
        self._position.next += len(batch)
        return outcomes

    def let_time_pass(self, limit: int) -> int:
        """Assess again up to `limit` cases that are due, marked, or judged by an older rulebook; return how many.

        What was rejected long ago expires by the way.
        """
        self._ledger.vault.expire(self._connection, self._stream, self.horizon)
        causes: dict[str, Cause] = dict.fromkeys(self._due(limit), "time")
        for where in (cases.c.marked, cases.c.rulebook < self._rulebooks.current.version):
            for case in self._some(where, limit - len(causes)):
                causes.setdefault(case, "reassessment")
        version = self._rulebooks.current.version
        for case, standing in self._load(causes).items():
            self._judge(standing, causes[case], {"cause": causes[case], "rulebook": version})
        return len(causes)

    def begin_import(self, source: str) -> None:
        """Hold a source back, unless it is held already: before everything where it is new, else where it stands."""
        state = self._state(source)
        if state.hold is None:
            known = self._rulebooks.current.rulebook.source.get(source)
            state.hold = TIME_MIN if state.is_new else state.judged_until(known, self.horizon)
        note_import(self._connection, self._stream, BEGIN, source, state)

    def end_import(self, source: str, complete_until: datetime | None) -> None:
        """Release a source that was held back."""
        state = self._state(source)
        state.end_import(complete_until, self.horizon)
        note_import(self._connection, self._stream, END, source, state)

    def hear_live(self, source: str) -> None:
        """Take note that a source has delivered live to another stream."""
        state = self._state(source)
        if not state.live:
            state.live = True
            note_live(self._connection, self._stream, source)

    @cached_property
    def earliest_changes(self) -> dict[str, datetime]:
        """When the first of its cases changes next with time alone, for each source set, as the turn found them."""
        return judging.earliest_changes(self._connection, self._stream)

    def write(self) -> None:
        """Write everything this turn took and concluded, and move the position."""
        if self._elsewhere:
            assert self._neighbours is not None, "what belongs elsewhere is looked for only beside other streams"
            # First of all: what is passed on twice is a duplicate, what is not passed on is lost.
            self._neighbours.pass_on(self._elsewhere)
        self._tail.write(self._connection)
        rejects.write(self._connection, self._rejects)
        relays.tell(self._connection, self._stream, "rejected", self._refusals)
        texts.write(self._connection, self._texts)
        self._changes.write(self._connection)
        changed = {code: state for code, state in self.states.items() if state != self._states_before.get(code)}
        judging.save_states(self._connection, self._stream, changed)
        if self.states:
            apart.settle_silences(self._connection, self._stream, self.states, self.horizon, self._current_at)
        self._position.version += 1
        self._position.seq, self._position.chain_hash = self._tail.seq, self._tail.chain_hash
        save_position(self._connection, self._stream, self._position)

    def _current_at(self, horizon: datetime) -> RulebookVersion:
        if horizon == self.horizon:
            return self._rulebooks.current
        return self._ledger.publications.history(self._connection, horizon).current

    def _admit(self, delivery: Delivery) -> Admitted | Outcome:
        try:
            return admit(delivery, self._rulebooks.current.rulebook, self._ledger.texts.marker)
        except Refused as refused:
            return self._reject(delivery, refused.error, refused.event)

    def _apply(self, delivery: Delivery, admitted: Admitted, standings: dict[str, Standing], seen: _Seen) -> Outcome:
        event = admitted.event
        identity = (event.source, event.id, admitted.content_hash)
        standing = standings[event.case] if event.case is not None else None
        if standing is not None and self._belongs_elsewhere(standing):
            self._elsewhere.misplaced.append((standing.case, delivery))
            return Outcome("passed_on", event.id, event.case)
        state = self._state(event.source)
        known = identity in seen[event.case]
        if not known and standing is not None and len(standing.entries) >= EVENTS_PER_CASE_MAX:
            return self._reject(delivery, EventError("case_full", "case", str(EVENTS_PER_CASE_MAX)), event)
        was_live = state.live
        state.note(event, admitted.received_at, admitted.backfill)
        if self._neighbours is not None and not delivery.copy:
            if state.live and not was_live and not judging.is_live_anywhere(self._connection, event.source):
                self._elsewhere.live.append(event.source)
            if not known and judging.completed_by(event) is not None:
                self._elsewhere.heartbeats.append(delivery)  # others need only know how far the source is complete
        if known:
            state.duplicate += not delivery.copy
            return Outcome("duplicate", event.id, event.case)
        state.applied += 1
        state.copied += delivery.copy
        seen[event.case].add(identity)
        received_at, content_hash = admitted.received_at, admitted.content_hash
        seq = self._tail.append(event, admitted.content, content_hash, received_at, admitted.backfill)
        self._keep_text(admitted)
        if standing is not None:
            entry = JournalEntry(event, received_at, content_hash, seq)
            standing.entries.append(entry)
            standing.written.append(written(entry, admitted.content))
            standing.live = standing.live or not admitted.backfill
        return Outcome("applied", event.id, event.case)

    def _belongs_elsewhere(self, standing: Standing) -> bool:
        """Tell whether a case is another stream's; one that this stream has is its own."""
        return not standing.entries and not self._is_home(standing.case)

    def _is_home(self, case: str) -> bool:
        return self._neighbours is None or self._neighbours.is_home(case)

    def _keep_text(self, admitted: Admitted) -> None:
        event, mark = admitted.event, admitted.event.data.text
        if mark is not None:
            assert not isinstance(mark, str), "a text was sealed when it was admitted"
            kept = self._ledger.texts.row(
                event.case or "", event.source, event.id, mark, admitted.text, admitted.received_at
            )
            self._texts.append(kept)

    def _reject(self, delivery: Delivery, error: EventError, event: Event | None) -> Outcome:
        sender = delivery.bound_source or (event.source if event is not None else "")
        registered = sender in self._rulebooks.current.rulebook.source
        # Only registered codes get counters of their own: anybody could send any name.
        self._state(sender if registered else "").rejected += 1
        received_at = delivery.received_at or self.horizon
        row = self._ledger.vault.row(self._stream, error, delivery.written, sender, received_at)
        self._rejects.append(row)
        named = sender if registered else ""
        self._refusals.append((named, rejects.message(row, named, delivery.offset)))
        return Outcome("rejected", event.id if event else None, event.case if event else None, error)

    def _state(self, source: str) -> SourceState:
        state = self.states.get(source)
        if state is None:
            state = self.states[source] = SourceState()
        return state

    def _judge(self, standing: Standing, cause: Cause, why: dict[str, Any]) -> None:
        before = standing.before
        standing.source_set = judging.source_set(standing.entries)
        judged_at = self._judged_at(standing.source_set)
        if before is not None:
            judged_at = max(judged_at, before.judged_at)  # what was judged once is not taken back by a late source
        after = self._assess(standing.entries, self._rulebooks, judged_at)
        assert after.case == standing.case, f"{standing.case} was assessed as {after.case}"
        quiet_until = None if standing.live else judging.imported_at(standing.source_set, self.states)
        self._changes.add(standing, after, cause, why, quiet_until)
        if after.next_change is not None:
            known = self.changes_at.get(standing.source_set)
            self.changes_at[standing.source_set] = after.next_change if known is None else min(known, after.next_change)

    def _judged_at(self, source_set: str) -> datetime:
        """Give up to when cases of these sources may be judged; many have the same, and nothing moves any more."""
        known = self._judged_until.get(source_set)
        if known is None:
            rulebook = self._rulebooks.current.rulebook
            known = judging.judged_at(source_set, self.states, rulebook, self.horizon)
            self._judged_until[source_set] = known
        return known

    def _load(self, names: Iterable[str]) -> dict[str, Standing]:
        standings = {name: Standing(name) for name in names}
        wanted = list(standings)
        for start in range(0, len(wanted), CHUNK):
            columns = (cases.c.case, cases.c.stream, cases.c.live, cases.c.assessment, cases.c.events)
            query = select(*columns).where(cases.c.case.in_(wanted[start : start + CHUNK]))
            for row in self._connection.execute(query).all():
                if row.stream != self._stream:
                    # Known where it belongs, and of no concern here: what came here of it is passed on.
                    assert not self._is_home(row.case), f"case {row.case} belongs to stream {row.stream}"
                    continue
                standing = standings[row.case]
                standing.written = unpack_written(row.events)
                standing.entries = entries_of(standing.written)
                standing.before = unpack_assessment(row.assessment)
                standing.live = row.live
        return standings

    def _known_heartbeats(self, admitted: Iterable[Admitted]) -> set[Identity]:
        ids = sorted({each.event.id for each in admitted if each.event.case is None})
        names = sorted({each.event.source for each in admitted if each.event.case is None})
        known: set[Identity] = set()
        for start in range(0, len(ids), CHUNK):
            query = select(journal.c.source, journal.c.id, journal.c.content_hash).where(
                journal.c.stream == self._stream,
                journal.c.case.is_(None),
                journal.c.source.in_(names),
                journal.c.id.in_(ids[start : start + CHUNK]),
            )
            known.update((row.source, row.id, row.content_hash) for row in self._connection.execute(query))
        return known

    def _due(self, limit: int) -> list[str]:
        due: list[str] = []
        rulebook = self._rulebooks.current.rulebook
        for sources, first in sorted(self.earliest_changes.items()):
            judged_at = judging.judged_at(sources, self.states, rulebook, self.horizon)
            if first > judged_at:
                continue
            where = (cases.c.source_set == sources) & (cases.c.next_change <= judged_at)
            # Assessed at that very instant already: the change lies just behind it.
            due += self._some(where & (cases.c.judged_at < judged_at), limit - len(due))
        return due

    def _some(self, where: ColumnElement[bool], limit: int) -> list[str]:
        if limit <= 0:
            return []
        query = select(cases.c.case).where(cases.c.stream == self._stream, where).limit(limit)
        return list(self._connection.execute(query).scalars())


def _identities(entries: Iterable[JournalEntry]) -> set[Identity]:
    return {(*entry.event.identity, entry.content_hash) for entry in entries}
