"""Up to when may a case be judged: horizon, lateness, completeness and holds of its sources (design section 3)."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import CTE, Connection, Integer, Select, String, bindparam, cast, func, select

from monitor.events import CONSOLE, TIME_MIN, Event, EventType
from monitor.ledger.schema import cases, positions, sources
from monitor.ledger.upsert import upsert
from monitor.rulebook.model import Rulebook, Source
from monitor.verdict import JournalEntry

_SEPARATOR: Final = "\x1f"
"""A code holds no control character, so that this one cannot occur inside a code."""


class SourceState(msgspec.Struct):
    """What a stream knows of a source: how far it may be judged, and the counters of what it delivered."""

    complete_until: datetime | None = None
    imported_until: datetime | None = None
    imported_at: datetime | None = None
    hold: datetime | None = None
    live: bool = False
    last_event_time: datetime | None = None
    last_received_at: datetime | None = None
    applied: int = 0
    duplicate: int = 0
    rejected: int = 0
    copied: int = 0

    @property
    def is_new(self) -> bool:
        """Tell whether nothing of it was ever taken."""
        return self.applied == 0

    def note(self, event: Event, received_at: datetime, backfill: bool) -> None:
        """Take notice of a delivery, new or duplicate; in any order this ends in the same state."""
        self.last_event_time = _later(self.last_event_time, event.time)
        self.last_received_at = _later(self.last_received_at, received_at)
        if (complete_until := completed_by(event)) is not None:
            self.complete_until = _later(self.complete_until, complete_until)
        self.live = self.live or not backfill

    def end_import(self, complete_until: datetime | None, horizon: datetime) -> None:
        """Release the hold of an import that brought everything up to `complete_until`, None: nothing at all.

        What is there of a source that was never live and of which no import ever told its end is left of one that
        was broken off; a file that says nothing does not complete it.
        """
        unfinished = not self.is_new and not self.live and self.imported_until is None
        if complete_until is None and unfinished:
            return
        self.hold, self.imported_at = None, horizon
        if complete_until is not None:
            self.imported_until = _later(self.imported_until, complete_until)

    def judged_until(self, source: Source | None, horizon: datetime) -> datetime:
        """Give the instant up to which everything this source has to say was delivered.

        What an import said of its completeness counts until the source delivers live: from then on it is judged
        by its declared lateness. A source no longer registered has none.
        """
        bounds = [horizon if source is None else horizon - source.lateness]
        if self.complete_until is not None:
            bounds.append(self.complete_until)
        if self.imported_until is not None and not self.live:
            bounds.append(self.imported_until)
        if self.hold is not None:
            bounds.append(self.hold)
        return max(TIME_MIN, min(bounds))


def completed_by(event: Event) -> datetime | None:
    """Tell up to when an event says its source has sent everything: only a heartbeat speaks for its source."""
    return event.data.complete_until if event.type is EventType.HEARTBEAT else None


def source_set(entries: Iterable[JournalEntry]) -> str:
    """Name the sources that sent a case an event, the console excluded, as one indexable text."""
    return _SEPARATOR.join(sorted({entry.event.source for entry in entries} - {CONSOLE}))


def split(source_set: str) -> list[str]:
    """Give the codes a source set is made of."""
    return source_set.split(_SEPARATOR) if source_set else []


def judged_at(source_set: str, states: Mapping[str, SourceState], rulebook: Rulebook, horizon: datetime) -> datetime:
    """Give the moment up to which a case of these sources may be judged at a horizon."""
    return min(
        (
            states.get(code, SourceState()).judged_until(rulebook.source.get(code), horizon)
            for code in split(source_set)
        ),
        default=horizon,
    )


def falls_due(
    due: Mapping[str, datetime], states: Mapping[str, SourceState], rulebook: Rulebook, horizon: datetime
) -> bool:
    """Tell whether of some instants, by source set, one may be judged at a horizon."""
    return any(judged_at(sources, states, rulebook, horizon) >= instant for sources, instant in due.items())


def imported_at(source_set: str, states: Mapping[str, SourceState]) -> datetime | None:
    """Give the horizon at which an import of one of these sources last ended; None: there was none."""
    ended = [states[code].imported_at for code in split(source_set) if code in states]
    return max((instant for instant in ended if instant is not None), default=None)


def source_sets(connection: Connection, streams: Collection[str]) -> list[str]:
    """List the source sets that occur among the cases of streams."""
    return sorted(set(connection.execute(_SOURCE_SETS, {"streams": sorted(streams)}).scalars()))


def earliest_changes(connection: Connection, streams: Collection[str]) -> dict[str, dict[str, datetime]]:
    """Tell for each stream, by source set, when the first of its cases changes next with time alone."""
    found: dict[str, dict[str, datetime]] = {stream: {} for stream in streams}
    if not found:
        return found
    for row in connection.execute(_EARLIEST_CHANGES, {"streams": sorted(streams)}):
        if row.first is not None:
            found[row.stream][row.source_set] = row.first
    return found


def _sets_of_streams() -> CTE:
    """Skip along the index of each stream's cases from one source set to the next; the last row of each is null."""
    sets, streams = cases.c.source_set, bindparam("streams", type_=String, expanding=True)
    first = select(func.min(sets)).where(cases.c.stream == positions.c.stream).scalar_subquery()
    known = select(positions.c.stream, first.label("source_set")).where(positions.c.stream.in_(streams))
    found = known.cte(recursive=True)
    after = select(func.min(sets)).where(cases.c.stream == found.c.stream, sets > found.c.source_set)
    return found.union_all(select(found.c.stream, after.scalar_subquery()).where(found.c.source_set.is_not(None)))


def _select_source_sets() -> Select[str]:
    found = _sets_of_streams()
    return select(found.c.source_set).where(found.c.source_set.is_not(None))


def _select_earliest_changes() -> Select[str, str, datetime]:
    found = _sets_of_streams()
    of_set = (cases.c.stream == found.c.stream) & (cases.c.source_set == found.c.source_set)
    # Said expressly: SQLite would look at every case that changes no more, the closed ones, to find the least of it.
    changing = of_set & cases.c.next_change.is_not(None)
    first = select(func.min(cases.c.next_change)).where(changing).scalar_subquery()
    return select(found.c.stream, found.c.source_set, first.label("first")).where(found.c.source_set.is_not(None))


# Made once: to put such a statement together takes longer than to execute it.
_SOURCE_SETS: Final = _select_source_sets()
_EARLIEST_CHANGES: Final = _select_earliest_changes()


def load_states(connection: Connection, stream: str) -> dict[str, SourceState]:
    """Read the states of a stream's sources, by code; the empty code counts what no source can be named for."""
    return states_of(connection, [stream])[stream]


def states_of(connection: Connection, streams: Collection[str]) -> dict[str, dict[str, SourceState]]:
    """Read the same of several streams, by stream and code."""
    found: dict[str, dict[str, SourceState]] = {stream: {} for stream in streams}
    if not found:
        return found
    names = SourceState.__struct_fields__
    for row in connection.execute(select(sources).where(sources.c.stream.in_(sorted(streams)))).mappings():
        found[row["stream"]][row["source"]] = SourceState(**{name: row[name] for name in names})
    return found


def all_states(connection: Connection) -> dict[str, SourceState]:
    """Read what all streams together know of each source, by code.

    Each delivery counts once: a heartbeat that was passed on stands in the journal of every stream, but is no other
    event for it. A case is judged by what its own stream knows; here a source is complete
    as far as it is in every stream that an end was told, and held while it is in one.
    """
    columns = sources.c
    sums = (columns.applied, columns.duplicate, columns.rejected, columns.copied)
    latest = (columns.imported_at, columns.last_event_time, columns.last_received_at)
    earliest = (columns.complete_until, columns.imported_until, columns.hold)
    query = select(
        columns.source,
        *(func.sum(each).label(each.name) for each in sums),
        *(func.max(each).label(each.name) for each in latest),
        *(func.min(each).label(each.name) for each in earliest),
        func.max(cast(columns.live, Integer)).label("live"),
    ).group_by(columns.source)
    states = {}
    for row in connection.execute(query).mappings():
        known: dict[str, Any] = {name: row[name] for name in SourceState.__struct_fields__}
        known |= {"live": bool(row["live"]), "applied": row["applied"] - row["copied"], "copied": 0}
        states[row["source"]] = SourceState(**known)
    return states


def save_states(connection: Connection, states: Mapping[str, Mapping[str, SourceState]]) -> None:
    """Write the states of sources, by stream and code."""
    rows = [
        {"stream": stream, "source": code, **msgspec.structs.asdict(state)}
        for stream in sorted(states)
        for code, state in sorted(states[stream].items())
    ]
    upsert(connection, sources, rows)


def _later(known: datetime | None, new: datetime) -> datetime:
    return new if known is None or new > known else known
