"""What happens to a stream within one transaction: what it has read, what it concludes, and what is to be written."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, select

from monitor.events import TIME_MIN, Event, EventError
from monitor.ledger import apart, judging, rejects, relays
from monitor.ledger.access import Ledger
from monitor.ledger.changes import Changes, Standing
from monitor.ledger.findings import Cause
from monitor.ledger.imports import BEGIN, END, is_announced, note_import
from monitor.ledger.journal import End, JournalTail
from monitor.ledger.judging import SourceState
from monitor.ledger.packing import written
from monitor.ledger.positions import Position
from monitor.ledger.schema import cases
from monitor.rulebook.model import Rulebook, RulebookHistory, RulebookVersion
from monitor.verdict import Assessment, JournalEntry
from streams.admission import Admitted, Delivery, Outcome, Refused, admit
from streams.lag import Detected, Violation
from streams.neighbours import Elsewhere, Neighbours

EVENTS_PER_CASE_MAX: Final = 2_000
"""A real case has a few dozen events; each new one reads all others, so that a case must not grow without end."""

Identity = tuple[str, str, bytes]  # source, id, content hash: one content of one event
_Seen = dict[str | None, set[Identity]]  # by case; None: heartbeats
_Admission = tuple[Delivery, Admitted | Outcome]


class Memory(NamedTuple):
    """What is known of a stream once its `version` is written, so that it need not be read each time.

    `due` tells when the first case of each source set changes next with time alone; None: that is not known.
    """

    version: int
    states: Mapping[str, SourceState]
    rulebook: Rulebook
    journal_end: End | None
    due: Mapping[str, datetime] | None


Assess = Callable[[Iterable[JournalEntry], RulebookHistory, datetime], Assessment]


class Shared:
    """What the turns of one transaction share; `live`: sources of which the other streams know, or are told by one."""

    def __init__(self, ledger: Ledger, connection: Connection) -> None:
        self.ledger, self.connection = ledger, connection
        self.rulebooks = ledger.publications.histories(connection)
        self.live: set[str] = set()


class Turn:
    """What happens to a stream within one transaction; `Together` reads and writes for all of them.

    What it is to write: rows and states by the names of their tables, `changes` and `tail`.
    """

    def __init__(
        self,
        shared: Shared,
        stream: str,
        position: Position,
        states: Mapping[str, SourceState],
        journal_end: End | None,
        known_due: Mapping[str, datetime] | None,
        assess: Assess,
        neighbours: Neighbours | None,
    ) -> None:
        self._shared, self._connection = shared, shared.connection
        self.stream, self.position = stream, position
        self._assess, self.neighbours, self.elsewhere = assess, neighbours, Elsewhere(stream)
        self.changes_at: dict[str, datetime] = {}
        self.known_due = known_due
        self.horizon = position.horizon
        self.states, self._states_before = {code: replace(state) for code, state in states.items()}, states
        self.tail = JournalTail(stream, position.seq, position.chain_hash, journal_end)
        self.changes = Changes(stream, self.horizon, position.version + 1)
        self.rejects: list[dict[str, Any]] = []
        self.refusals: list[tuple[str, str, relays.RejectMessage]] = []
        self.heard: list[str] = []
        self.texts: list[dict[str, Any]] = []
        self._judged_until: dict[str, datetime] = {}
        self._violations: list[Violation] = []

    @property
    def detected(self) -> Detected | None:
        """What was found in live cases that was not before; None: nothing."""
        return Detected(self._violations, self.horizon, self._rulebooks.current) if self._violations else None

    @property
    def rulebook(self) -> Rulebook:
        """The rulebook in force."""
        return self._rulebooks.current.rulebook

    @property
    def rulebook_version(self) -> int:
        """The number of the rulebook in force."""
        return self._rulebooks.current.version

    @cached_property
    def _rulebooks(self) -> RulebookHistory:
        return self._shared.rulebooks(self.horizon)

    def admit(self, batch: Iterable[Delivery]) -> list[_Admission]:
        """Tell of each delivery that was not committed before whether it may be taken."""
        next_offset = self.position.next
        unread = [each for each in batch if each.offset is None or each.offset >= next_offset]
        return [(delivery, self._admit(delivery)) for delivery in unread]

    def take(
        self, admissions: Sequence[_Admission], standings: Mapping[str, Standing], heartbeats: set[Identity]
    ) -> list[Outcome]:
        """Take deliveries and assess each case they touch once; return what became of each, in their order.

        `standings` are those cases, `heartbeats` at least those of this stream that are delivered once more.
        """
        seen: _Seen = {case: _identities(standing.entries) for case, standing in standings.items()}
        seen[None] = heartbeats
        outcomes = [
            self._apply(delivery, each, standings, seen) if isinstance(each, Admitted) else each
            for delivery, each in admissions
        ]
        # Judged last, so that what heartbeats of this batch say counts for all of it, in whatever order.
        fresh: dict[str, list[Admitted]] = defaultdict(list)
        for (_, each), outcome in zip(admissions, outcomes, strict=True):
            if isinstance(each, Admitted) and outcome.status == "applied" and each.event.case is not None:
                fresh[each.event.case].append(each)
        for case, added in fresh.items():
            live = any(not each.backfill for each in added)
            why = {"cause": "event", "events": sorted(each.event.identity for each in added)}
            self._judge(standings[case], "live" if live else "backfill", why)
        self.position.next += len(admissions)
        return outcomes

    def due(self, limit: int) -> list[str]:
        """Name up to `limit` cases that time has changed."""
        due: list[str] = []
        assert self.known_due is not None, "what falls due is known before it is looked for"
        for sources, first in sorted(self.known_due.items()):
            judged_at = self._judged_at(sources)
            if first > judged_at or len(due) >= limit:
                continue
            # Assessed at that very instant already: the change lies just behind it.
            where = (
                (cases.c.source_set == sources) & (cases.c.next_change <= judged_at) & (cases.c.judged_at < judged_at)
            )
            query = select(cases.c.case).where(cases.c.stream == self.stream, where).limit(limit - len(due))
            due += self._connection.execute(query).scalars()
        return due

    def judge_again(self, standings: Mapping[str, Standing], causes: Mapping[str, Cause]) -> None:
        """Assess cases again, to which nothing has happened but that time has passed, or the rulebook is another."""
        version = self._rulebooks.current.version
        for case, standing in standings.items():
            self._judge(standing, causes[case], {"cause": causes[case], "rulebook": version})

    def begin_import(self, source: str) -> None:
        """Hold a source back, unless it is held already: before everything where it is new, else where it stands."""
        state = self._state(source)
        if state.hold is None:
            known = self._rulebooks.current.rulebook.source.get(source)
            state.hold = TIME_MIN if state.is_new else state.judged_until(known, self.horizon)
        note_import(self._connection, self.stream, BEGIN, source, state)

    def end_import(self, source: str, complete_until: datetime | None) -> None:
        """Release a source that was held back."""
        state = self._state(source)
        state.end_import(complete_until, self.horizon)
        note_import(self._connection, self.stream, END, source, state)

    def hear_live(self, source: str) -> None:
        """Take note that a source has delivered live to another stream."""
        state = self._state(source)
        if not state.live:
            state.live = True
            self.heard.append(source)

    def memory(self, due: Mapping[str, datetime] | None) -> Memory:
        """Give what is known once the turn is written, to be remembered once it is committed."""
        return Memory(self.position.version, self.states, self.rulebook, self.tail.end, due)

    def next_due(self) -> Mapping[str, datetime] | None:
        """Tell when the first case of each source set changes next with time alone, as far as it need not be read.

        It need be where something would seem to be due: the case that was to change first may be what the turn was
        about.
        """
        if self.known_due is None:
            return None
        changed = {
            sources: min(self.known_due.get(sources, instant), instant) for sources, instant in self.changes_at.items()
        }
        due = {**self.known_due, **changed}
        return None if judging.falls_due(due, self.states, self.rulebook, self.horizon) else due

    @property
    def changed_states(self) -> dict[str, SourceState]:
        """The states of those sources of which something new is known."""
        return {code: state for code, state in self.states.items() if state != self._states_before.get(code)}

    def settle_silences(self) -> None:
        """Write who has gone silent, and who speaks again; the states of all sources are written."""
        if self.states:
            apart.settle_silences(self._connection, self.stream, self.states, self.horizon, self._current_at)

    def moved(self) -> Position:
        """Give where the stream stands now; its journal is written."""
        self.position.version += 1
        self.position.seq, self.position.chain_hash = self.tail.seq, self.tail.chain_hash
        return self.position

    def _current_at(self, horizon: datetime) -> RulebookVersion:
        return self._shared.rulebooks(horizon).current

    def _admit(self, delivery: Delivery) -> Admitted | Outcome:
        try:
            return admit(delivery, self._rulebooks.current.rulebook, self._shared.ledger.texts.marker)
        except Refused as refused:
            return self._reject(delivery, refused.error, refused.event)

    def _apply(self, delivery: Delivery, admitted: Admitted, standings: Mapping[str, Standing], seen: _Seen) -> Outcome:
        event = admitted.event
        identity = (event.source, event.id, admitted.content_hash)
        standing = standings[event.case] if event.case is not None else None
        if standing is not None and self._belongs_elsewhere(standing):
            self.elsewhere.misplaced.append((standing.case, delivery))
            return Outcome("passed_on", event.id, event.case)
        state = self._state(event.source)
        known = identity in seen[event.case]
        if not known and standing is not None and len(standing.entries) >= EVENTS_PER_CASE_MAX:
            return self._reject(delivery, EventError("case_full", "case", str(EVENTS_PER_CASE_MAX)), event)
        # What was heard in this very turn may stand behind the event, and who said it may have failed midway.
        was_live = state.live and event.source not in self.heard
        state.note(event, admitted.received_at, admitted.backfill)
        if self.neighbours is not None and not delivery.copy:
            if state.live and not was_live and self._is_live_first(event.source):
                self.elsewhere.live.append(event.source)
            if not known and judging.completed_by(event) is not None:
                self.elsewhere.heartbeats.append(delivery)  # others need only know how far the source is complete
        if known:
            state.duplicate += not delivery.copy
            return Outcome("duplicate", event.id, event.case)
        state.applied += 1
        state.copied += delivery.copy
        seen[event.case].add(identity)
        received_at, content_hash = admitted.received_at, admitted.content_hash
        seq = self.tail.append(event, admitted.content, content_hash, received_at, admitted.backfill)
        self._keep_text(admitted)
        if standing is not None:
            entry = JournalEntry(event, received_at, content_hash, seq)
            standing.entries.append(entry)
            standing.written.append(written(entry, admitted.content))
            standing.live = standing.live or not admitted.backfill
        return Outcome("applied", event.id, event.case)

    def _is_live_first(self, source: str) -> bool:
        """Tell whether a source delivers live for the first time here, in any stream."""
        if source in self._shared.live:
            return False
        self._shared.live.add(source)
        return not is_announced(self._connection, source)

    def _belongs_elsewhere(self, standing: Standing) -> bool:
        """Tell whether a case is another stream's; one that this stream has is its own."""
        return not standing.entries and not self.is_home(standing.case)

    def is_home(self, case: str) -> bool:
        """Tell whether a case belongs to this stream, by its name."""
        return self.neighbours is None or self.neighbours.is_home(case)

    def _keep_text(self, admitted: Admitted) -> None:
        event, mark = admitted.event, admitted.event.data.text
        if mark is not None:
            assert not isinstance(mark, str), "a text was sealed when it was admitted"
            kept = self._shared.ledger.texts.row(
                event.case or "", event.source, event.id, mark, admitted.text, admitted.received_at
            )
            self.texts.append(kept)

    def _reject(self, delivery: Delivery, error: EventError, event: Event | None) -> Outcome:
        sender = delivery.bound_source or (event.source if event is not None else "")
        registered = sender in self._rulebooks.current.rulebook.source
        # Only registered codes get counters of their own: anybody could send any name.
        self._state(sender if registered else "").rejected += 1
        received_at = delivery.received_at or self.horizon
        row = self._shared.ledger.vault.row(self.stream, error, delivery.written, sender, received_at)
        self.rejects.append(row)
        named = sender if registered else ""
        self.refusals.append((self.stream, named, rejects.message(row, named, delivery.offset)))
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
        self.changes.add(standing, after, cause, why, quiet_until)
        if standing.live:
            known_before = {finding.id for finding in before.findings} if before is not None else set()
            self._violations += [
                Violation(standing.case, finding.occurred_at, after.judged_at, standing.source_set)
                for finding in after.findings
                if finding.kind == "conduct" and finding.id not in known_before
            ]
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


def _identities(entries: Iterable[JournalEntry]) -> set[Identity]:
    return {(*entry.event.identity, entry.content_hash) for entry in entries}
