"""A case as it is judged: the events that count, in order, with the codes and rulebook versions they lead to."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Final

import msgspec

from monitor.events import CONSOLE, VERDICTS, Event, EventType
from monitor.rulebook.model import Item, Precision, Rulebook, RulebookHistory, RulebookVersion, Source
from monitor.senders import Senders, senders
from monitor.verdict import JournalEntry

LATE_ARRIVALS_MAX: Final = 100
"""Each moment at which late events arrived costs another look at the case; a real case has one or two. A case with
more is told as a data finding, for what arrived after them is not looked back from."""

TERMINAL: Final = (EventType.WITHDRAW, EventType.VOID, EventType.FORWARD)
"""What ends every clock of a case without an answer to it."""

EventId = tuple[str, str]
"""What names an event within its case: source and id."""

_NONE: Final = timedelta()
_EXCUSES_NOTHING = VERDICTS | frozenset(
    {
        EventType.HEARING,
        EventType.FEE,
        EventType.RATING,
        EventType.TICKET,
    }
)


class CaseFile(msgspec.Struct, frozen=True, dict=True):
    """The events of one case that count, ordered, as far as they were known, and what they are judged by.

    `entries` are without retracted events; of two contents of one identity the one with the smaller hash is kept.
    `verdicts` are what inspectors said of the case's findings; the console takes no other part in a case.
    `foreign` are events of sources that may not speak for the region the case began in: they count for nothing.
    `contradicted` are those kept of the identities that came with more than one content, retracted or not.
    `retractions` are pairs of a retraction and what it took back. `received` is everything as it came, from which an
    earlier state of the case can be rebuilt.

    `events` are those of the entries, `by_type` the same by their type. `senders` are the sources that told them;
    `by_days`: one of these knows the day alone, so that nothing can be judged to the hour. `lead` is the event that
    says what the case is and whose: its acceptance, else its first. From it come the codes of its region, of the item
    applied for, and of the department in charge, of a joint case the lead; they are empty where nothing tells them.
    """

    case: str
    received: tuple[JournalEntry, ...]
    entries: tuple[JournalEntry, ...]
    verdicts: tuple[JournalEntry, ...]
    foreign: tuple[Event, ...]
    contradicted: tuple[Event, ...]
    retractions: tuple[tuple[JournalEntry, JournalEntry], ...]
    rulebooks: RulebookHistory
    judged_at: datetime
    events: tuple[Event, ...]
    by_type: dict[EventType, list[Event]]
    senders: Senders
    by_days: bool
    lead: Event | None
    region: str
    item_code: str
    department: str

    def first(self, *types: EventType) -> Event | None:
        """Find the first event of any of these types."""
        by_type = self.by_type
        if len(types) == 1:
            return by_type[types[0]][0] if types[0] in by_type else None
        found = [by_type[kind][0] for kind in types if kind in by_type]
        return min(found, key=_order) if len(found) > 1 else found[0] if found else None

    def all(self, *types: EventType) -> list[Event]:
        """Find all events of these types, in order."""
        by_type = self.by_type
        found = [by_type[kind] for kind in types if kind in by_type]
        if len(found) > 1:
            return sorted(chain.from_iterable(found), key=_order)
        return list(found[0]) if found else []

    @cached_property
    def terminal(self) -> Event | None:
        """What ended the case without an answer to it, and every clock with it."""
        return self.first(*TERMINAL)

    @cached_property
    def refusal(self) -> Event | None:
        """The refusal that stands: the first that no acceptance followed."""
        accept = next(reversed(self.by_type.get(EventType.ACCEPT, ())), None)
        refusals = self.by_type.get(EventType.REFUSE, ())
        return next((event for event in refusals if accept is None or event.order > accept.order), None)

    @cached_property
    def answer(self) -> Event | None:
        """What the applicant got: the finish, or a refusal that stands, whichever came first."""
        answers = [event for event in (self.first(EventType.FINISH), self.refusal) if event is not None]
        return min(answers, key=_order, default=None)

    @cached_property
    def is_application(self) -> bool:
        """Tell whether anything was applied for: a consultation, complaint or request alone is no application."""
        return self.first(EventType.APPLY, EventType.RECEIVED, EventType.ACCEPT) is not None

    @cached_property
    def direct_line(self) -> str:
        """Code of the enterprise or project the case came by the direct line for; empty: it did not."""
        return next((event.direct_line for event in self.events if event.direct_line), "")

    @property
    def sources(self) -> tuple[str, ...]:
        """Codes of the sources that sent the case an event, sorted; the console is none."""
        return self.senders.codes

    @property
    def current(self) -> Rulebook:
        """The rulebook in force now: its calendar, sources and modes judge every case."""
        return self.rulebooks.current.rulebook

    @cached_property
    def before_acceptance(self) -> RulebookVersion:
        """The version whose catalogue holds until acceptance: that at the case's first event."""
        return self._knowing_the_item(self.events[0].time) if self.events else self.rulebooks.current

    def catalogue(self, accepted_at: datetime | None) -> RulebookVersion:
        """Find the version whose limits, profile and steps are frozen onto the case at acceptance."""
        return self.before_acceptance if accepted_at is None else self._knowing_the_item(accepted_at)

    def _knowing_the_item(self, instant: datetime) -> RulebookVersion:
        """Find the version in force at an instant; where it lacks the item, the first later one that has it.

        An item forgotten in the catalogue is no reason to leave its cases unsupervised once it is there.
        """
        in_force = self.rulebooks.at(instant)
        if self.item_code in in_force.rulebook.item:
            return in_force
        later = (version for version in self.rulebooks.versions if version.version >= in_force.version)
        return next((version for version in later if self.item_code in version.rulebook.item), in_force)

    def item(self, version: RulebookVersion) -> Item | None:
        """Find the item as a version has it; None where its catalogue does not know the code."""
        return version.rulebook.item.get(self.item_code)

    @property
    def registered(self) -> dict[str, Source]:
        """The sources of the case as registered now; one no longer registered could send what it last could."""
        return self.senders.registered

    def _source_at(self, code: str, instant: datetime) -> Source | None:
        """Find a source as it was registered at an instant: a change of its lateness makes nothing late afterwards."""
        return self.rulebooks.at(instant).rulebook.source.get(code) or self.registered.get(code)

    def can_send(self, *types: EventType) -> bool:
        """Tell whether any source of the case is able to send any of these types."""
        return not self.senders.sendable.isdisjoint(types)

    def precision(self, event: Event) -> Precision:
        """Tell how exactly the source of an event knows the time of day: to the second, the minute or not at all."""
        return self.senders.precisions.get(event.source, "second")

    def is_told_at_end(self, event: Event) -> bool:
        """Tell whether the source of an event reports suspensions only once they have ended."""
        source = self.registered.get(event.source)
        return source is not None and source.suspensions_at_end

    def tolerance(self, *events: Event) -> timedelta:
        """Tell how far the clocks behind these events may disagree before order means anything."""
        known = self.senders.tolerances
        return max([known.get(event.source, _NONE) for event in events], default=_NONE)

    def due_at(self, instant: datetime) -> datetime:
        """Give the instant later than which something due at one is late: with its day, where days alone are known."""
        return self.current.days.end(self.current.days.day(instant)) if self.by_days else instant

    def follows(self, later: Event, earlier: Event) -> bool:
        """Tell whether an event comes after another; on one day, of which one source knows no hours, by their types."""
        if self.by_days and "day" in (self.precision(later), self.precision(earlier)):
            day = self.current.days.day
            return (day(later.time), later.order[1:]) > (day(earlier.time), earlier.order[1:])
        return later.order > earlier.order

    def settled_at(self, event: Event) -> datetime:
        """Find when every step before an event must have happened: with its day, if need be, and what clocks differ."""
        return self.settled_after(event.time)

    def settled_after(self, instant: datetime) -> datetime:
        """Find when everything up to an instant must have happened, likewise."""
        return self.due_at(instant) + self.senders.tolerance

    def is_after(self, event: Event, instant: datetime) -> bool:
        """Tell whether an event happened after an instant beyond doubt, by days where its source knows days only."""
        if self.precision(event) == "day":
            return self.current.days.day(event.time) > self.current.days.day(instant)
        return event.time - instant > self.tolerance(event)

    def before(self, a: Event, b: Event) -> bool:
        """Tell whether `a` happened before `b` beyond doubt.

        That is by more than the tolerance of their sources, and of two sources their measured skew besides; by days
        where one knows days only.
        """
        if b.time <= a.time:
            return False
        if self.by_days and "day" in (self.precision(a), self.precision(b)):
            return self.current.days.day(a.time) < self.current.days.day(b.time)
        return b.time - a.time > self.tolerance(a, b) + self.skew(a, b)

    def skew(self, a: Event, b: Event) -> timedelta:
        """Tell how far the clocks of two sources were measured to be off; of one and the same it means nothing."""
        if a.source == b.source:
            return timedelta()
        sources = (self.registered.get(event.source) for event in (a, b))
        return sum((source.skew for source in sources if source is not None), timedelta())

    @cached_property
    def late(self) -> tuple[JournalEntry, ...]:
        """The events that came later than their source's lateness and tolerance allow, by arrival.

        Only those that can start, end, pause or extend a clock: the others excuse nothing.
        """
        late = [
            entry
            for entry in self.entries
            if entry.event.type not in _EXCUSES_NOTHING and self._came_late(entry, self._happened_by(entry.event))
        ]
        # Taken back later than anything may come: what an event had shown is not erased quietly either.
        late += [
            retraction
            for retraction, entry in self.retractions
            if entry.event.type not in _EXCUSES_NOTHING and self._came_late(retraction, entry.received_at)
        ]
        return tuple(sorted(late, key=lambda entry: (entry.received_at, _order(entry.event))))

    def _happened_by(self, event: Event) -> datetime:
        """Give the instant by which an event had happened: what knows the day alone is not told before it is over."""
        if not self.by_days or self.precision(event) != "day":
            return event.time
        return self.current.days.end(self.current.days.day(event.time))

    def _came_late(self, entry: JournalEntry, since: datetime) -> bool:
        if entry.received_at <= since:
            return False
        source = self._source_at(entry.event.source, entry.received_at)
        return entry.received_at - since > (_NONE if source is None else source.late_after)

    def as_known_before(self, entry: JournalEntry) -> "CaseFile":
        """Rebuild the case as it stood just before a late event arrived, judged as far as was possible then."""
        then = self._of([e for e in self.received if e.received_at < entry.received_at], self.judged_at)
        judged_at = min(self.judged_at, then.judged_until(entry.received_at))
        return msgspec.structs.replace(then, judged_at=judged_at)

    def as_known_with(self, entry: JournalEntry, judged_at: datetime) -> "CaseFile":
        """Rebuild the case as it stood once a late event, and all that came with it, had arrived."""
        return self._of([e for e in self.received if e.received_at <= entry.received_at], judged_at)

    def _of(self, known: list[JournalEntry], judged_at: datetime) -> "CaseFile":
        # Chosen anew from what had come: an event corrected or retracted since still counted then.
        return msgspec.structs.replace(open_file(known, self.rulebooks, judged_at), case=self.case)

    def judged_until(self, horizon: datetime) -> datetime:
        """Tell how far a horizon lets the case be judged, by the lateness its slowest source had at it."""
        sources = (self._source_at(code, horizon) for code in self.sources)
        return horizon - max((source.lateness for source in sources if source is not None), default=timedelta())


def open_file(entries: Iterable[JournalEntry], rulebooks: RulebookHistory, judged_at: datetime) -> CaseFile:
    """Put the events of one case in order: one content an identity, its first delivery, retracted ones out."""
    received = tuple(entries)
    chosen, contradicted = _chosen(received)
    retractions = _retractions(chosen)
    retracted = {entry.event.identity for _, entry in retractions}
    counted = [
        entry
        for identity, entry in chosen.items()
        if entry.event.type is not EventType.RETRACT and identity not in retracted
    ]
    ordered = sorted(counted, key=_place)
    first = next((entry.event for entry in ordered if entry.event.source != CONSOLE), None)
    own = [entry for entry in ordered if first is None or _may_tell(entry.event, first, rulebooks)]
    foreign = tuple(entry.event for entry in ordered if entry not in own) if len(own) < len(ordered) else ()
    told = tuple([entry for entry in own if entry.event.source != CONSOLE])
    verdicts = tuple([entry for entry in own if entry.event.source == CONSOLE and entry.event.type in VERDICTS])
    doubted = tuple(chosen[identity].event for identity in sorted(contradicted))
    events = tuple([entry.event for entry in told])
    by_type: dict[EventType, list[Event]] = {}
    for event in events:
        by_type.setdefault(event.type, []).append(event)
    accepted = by_type.get(EventType.ACCEPT)
    lead = accepted[0] if accepted else events[0] if events else None
    sources = senders(tuple(sorted({event.source for event in events})), rulebooks)
    return CaseFile(
        case=(received[-1].event.case or "") if received else "",
        received=received,
        entries=told,
        verdicts=verdicts,
        foreign=foreign,
        contradicted=doubted,
        retractions=retractions,
        rulebooks=rulebooks,
        judged_at=judged_at,
        events=events,
        by_type=by_type,
        senders=sources,
        by_days=sources.by_days,
        lead=lead,
        region=(lead and lead.region) or "",
        item_code=(lead and lead.item) or "",
        department=(lead and lead.department) or "",
    )


def _chosen(received: Iterable[JournalEntry]) -> tuple[dict[EventId, JournalEntry], set[EventId]]:
    """Choose what counts of each identity: the smaller content, its first delivery; name those told in two ways."""
    chosen: dict[EventId, JournalEntry] = {}
    contradicted: set[EventId] = set()
    for entry in received:
        identity = (entry.event.source, entry.event.id)
        other = chosen.get(identity)
        if other is None:
            chosen[identity] = entry
        else:
            if other.content_hash != entry.content_hash:
                contradicted.add(identity)
            chosen[identity] = min(other, entry, key=lambda e: (e.content_hash, e.received_at))
    return chosen, contradicted


def _retractions(chosen: Mapping[EventId, JournalEntry]) -> tuple[tuple[JournalEntry, JournalEntry], ...]:
    """Pair each retraction with what it takes back, where that is known: of its own source alone."""
    return tuple(
        [
            (entry, chosen[entry.event.source, entry.event.data.target or ""])
            for _, entry in sorted(chosen.items())
            if entry.event.type is EventType.RETRACT and (entry.event.source, entry.event.data.target or "") in chosen
        ]
    )


def _may_tell(event: Event, first: Event, rulebooks: RulebookHistory) -> bool:
    """Tell whether an event's source may speak for the region the case began in.

    Two regions may use one case number; neither may decide anything in the case of the other.
    """
    if event.region == first.region:
        return True
    books = (rulebooks.current, *reversed(rulebooks.versions))
    source = next((found for v in books if (found := v.rulebook.source.get(event.source))), None)
    return source is None or rulebooks.current.rulebook.may_speak_for(source, first.region or "")


def _place(entry: JournalEntry) -> tuple[datetime, int, str, str]:
    return entry.event.order


def _order(event: Event) -> tuple[datetime, int, str, str]:
    return event.order
