"""A trial: what deliveries would do to their cases, worked out on copies; nothing is stored.

The cases are read from the ledger, the events added in memory, and each case assessed before and after every event
at the same moment, so that what differs is the event's doing.
"""

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Lookup
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from monitor.assessment import assess
from monitor.events import RANK, TIME_MIN, Event, EventError
from monitor.ledger import judging
from monitor.ledger.judging import SourceState
from monitor.ledger.texts import Marker
from monitor.rulebook.model import RulebookHistory
from monitor.verdict import Assessment, Clock, ClockPhase, Finding, JournalEntry, Light, Stage
from streams.admission import Delivery, Refused, admit
from streams.drafts import Draft, Drafter
from streams.importer import open_log
from streams.logs import BadRow, LogFile
from streams.mapping import Mapping
from streams.turn import EVENTS_PER_CASE_MAX

ClockAct = Literal[
    "starts",
    "stops",
    "pauses",
    "resumes",
    "moves",
    "reopens",
    "runs_out",
    "ends_unanswered",
    "unobserved",
    "unarmable",
    "vanishes",
]
"""What an event does to a clock: `moves` its due, `runs_out` overdue while open, `vanishes` as if it never ran."""

_UNJUDGED: Final[dict[ClockPhase, ClockAct]] = {"unobserved": "unobserved", "unarmable": "unarmable"}


class ClockChange(NamedTuple):
    """One clock, as it is afterwards (`vanishes`: as it was), and what became of it."""

    act: ClockAct
    clock: Clock


class Trial(msgspec.Struct, frozen=True):
    """What one delivery would do, or the passing of time; without `after` it would do nothing to any case."""

    status: Literal["applied", "duplicate", "rejected"]
    event: Event | None = None
    error: EventError | None = None
    before: Assessment | None = None
    after: Assessment | None = None

    @property
    def clocks(self) -> tuple[ClockChange, ...]:
        """What would happen to the clocks of the case."""
        return tuple(_clock_changes(self.before, self.after)) if self.after is not None else ()

    @property
    def raised(self) -> tuple[Finding, ...]:
        """Findings that would be made, or made again in another state."""
        known = {(f.id, f.state, f.severity) for f in self.before.findings} if self.before else set()
        return tuple(f for f in self.after.findings if (f.id, f.state, f.severity) not in known) if self.after else ()

    @property
    def withdrawn(self) -> tuple[Finding, ...]:
        """Findings that would no longer be said."""
        if self.before is None or self.after is None:
            return ()
        kept = {finding.id for finding in self.after.findings}
        return tuple(finding for finding in self.before.findings if finding.id not in kept)

    @property
    def stage(self) -> Stage | None:
        """The stage the case would come to; None: it stays."""
        if self.after is None or (self.before is not None and self.before.stage == self.after.stage):
            return None
        return self.after.stage

    @property
    def light(self) -> Light | None:
        """The light the case would show; None: it stays."""
        if self.after is None or (self.before is not None and self.before.light == self.after.light):
            return None
        return self.after.light


class Bench:
    """Where deliveries are tried, one after the other; later ones find what earlier ones would have left.

    `entries` and `judged` read a case: its events, and the moment up to which it was judged so far. `marker` makes the
    marks of texts, by which duplicates are known. `importing` is a source that is held back, as while a file of it is
    imported, until `settle`.
    """

    def __init__(
        self,
        rulebooks: RulebookHistory,
        horizon: datetime,
        states: Lookup[str, SourceState],
        entries: Callable[[str], list[JournalEntry]],
        judged: Callable[[str], datetime | None],
        marker: Marker,
        importing: str | None = None,
    ) -> None:
        self._rulebooks, self._horizon = rulebooks, horizon
        self._states = {code: msgspec.structs.replace(state) for code, state in states.items()}
        self._entries, self._judged, self._marker = entries, judged, marker
        self._held = {code: msgspec.structs.replace(state) for code, state in states.items()}
        if importing is not None:
            self._held.setdefault(importing, SourceState()).hold = TIME_MIN
        self._cases: dict[str, list[JournalEntry]] = {}

    def try_out(self, delivery: Delivery) -> Trial:
        """Say what a delivery would do, and keep it for the next."""
        try:
            admitted = admit(delivery, self._rulebooks.current.rulebook, self._marker)
        except Refused as refused:
            return Trial("rejected", refused.event, refused.error)
        event = admitted.event
        if event.case is None:
            self._note(event, admitted.received_at, admitted.backfill)
            return Trial("applied", event)
        if event.case not in self._cases:
            self._cases[event.case] = self._entries(event.case)
        entries = self._cases[event.case]
        if any(each.content_hash == admitted.content_hash for each in entries):
            return Trial("duplicate", event)
        if len(entries) >= EVENTS_PER_CASE_MAX:
            return Trial("rejected", event, EventError("case_full", "case", str(EVENTS_PER_CASE_MAX)))
        self._note(event, admitted.received_at, admitted.backfill)
        more = [*entries, JournalEntry(event, admitted.received_at, admitted.content_hash)]
        self._cases[event.case] = more
        judged_at = self._judged_at(event.case, more, self._held)
        before = assess(entries, self._rulebooks, judged_at) if entries else None
        return Trial("applied", event, before=before, after=assess(more, self._rulebooks, judged_at))

    def settle(self, case: str) -> Trial:
        """Say what the end of the import would do to a case: until then nothing absent is judged."""
        entries = self._cases[case]
        moments = (self._judged_at(case, entries, states) for states in (self._held, self._states))
        before, after = (assess(entries, self._rulebooks, judged_at) for judged_at in moments)
        return Trial("applied", before=before, after=after)

    def _judged_at(self, case: str, entries: list[JournalEntry], states: Lookup[str, SourceState]) -> datetime:
        rulebook = self._rulebooks.current.rulebook
        judged_at = judging.judged_at(judging.source_set(entries), states, rulebook, self._horizon)
        return max(judged_at, self._judged(case) or judged_at)

    def _note(self, event: Event, received_at: datetime, backfill: bool) -> None:
        for states in (self._states, self._held):
            state = states.setdefault(event.source, SourceState())
            state.note(event, received_at, backfill)


def log_deliveries(path: Path, mapping: Mapping) -> Iterator[tuple[str | None, list[tuple[str, Delivery]]]]:
    """Give case by case the events a log would deliver, in the order of their times, each with its place.

    Raises LogFault.
    """
    drafter = Drafter(mapping)
    with LogFile(path) as file:
        for case in open_log(file, mapping):
            if isinstance(case, BadRow):
                yield None, [_placed(drafter.bad_row(case))]
            else:
                made = drafter.draft(case)
                yield made.case, [_placed(draft) for draft in sorted(made.drafts, key=_told_order)]


def _placed(draft: Draft) -> tuple[str, Delivery]:
    return draft.place, Delivery(draft.raw, backfill=True, event=draft.event, fault=draft.error)


def _told_order(draft: Draft) -> tuple[bool, datetime, int]:
    event = draft.event
    return (event is None, event.time if event else TIME_MIN, RANK[event.type] if event else 0)


def last_time(path: Path, mapping: Mapping) -> datetime | None:
    """Find how far a log reaches: up to there its import would judge what is absent. Raises LogFault."""
    drafter = Drafter(mapping)
    with LogFile(path) as file:
        cases = (case for case in open_log(file, mapping) if not isinstance(case, BadRow))
        return max((time for case in cases if (time := drafter.draft(case).last_time)), default=None)


def _clock_changes(before: Assessment | None, after: Assessment) -> Iterator[ClockChange]:
    known = {(clock.name, clock.subject): clock for clock in before.clocks} if before else {}
    for clock in after.clocks:
        was = known.pop((clock.name, clock.subject), None)
        yield from (ClockChange(act, clock) for act in (_begun(clock) if was is None else _acts(was, clock)))
    yield from (ClockChange("vanishes", clock) for clock in known.values())


def _begun(clock: Clock) -> Iterator[ClockAct]:
    if clock.phase in _UNJUDGED:
        yield _UNJUDGED[clock.phase]
        return
    yield "starts"
    yield from _ended(clock)
    if clock.phase == "paused":
        yield "pauses"
    elif clock.phase == "breached" and clock.ended_at is None:
        yield "runs_out"


def _acts(was: Clock, clock: Clock) -> Iterator[ClockAct]:
    if clock.phase in _UNJUDGED:
        if was.phase != clock.phase:
            yield _UNJUDGED[clock.phase]
        return
    if was.phase in _UNJUDGED:
        yield from _begun(clock)
        return
    if (was.ended_at, was.phase) != (clock.ended_at, clock.phase):
        yield from _ended(clock)
        if clock.ended_at is None:
            yield from _open_acts(was, clock)
    told_with_its_due = was.ended_at is not None or (was.phase, clock.phase) == ("paused", "running")
    if not told_with_its_due and clock.ended_at is None and was.due != clock.due and was.due and clock.due:
        yield "moves"


def _open_acts(was: Clock, clock: Clock) -> Iterator[ClockAct]:
    if was.ended_at is not None:
        yield "reopens"
    if clock.phase == "paused":
        yield "pauses"
    elif was.phase == "paused":
        yield "resumes"
    if clock.phase == "breached":
        yield "runs_out"


def _ended(clock: Clock) -> Iterator[ClockAct]:
    if clock.phase == "cancelled":
        yield "ends_unanswered"
    elif clock.ended_at is not None:
        yield "stops"
