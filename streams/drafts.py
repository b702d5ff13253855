"""Drafts: the events a mapping makes of one case of a log, checked, or as raw bytes for the engine to reject.

A value that does not fit is left in the draft as it was written, so that the engine stores what was sent and names
the field; nothing is mended and nothing is dropped in silence.
"""

import re
from collections import Counter
from collections.abc import Mapping as Lookup
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from monitor.events import Event, EventError, EventType, checked
from streams.logs import BadRow, CaseRecord, Row
from streams.mapping import Activity, CaseEvent, DataField, Mapping, Value, event_id

ID_ACTIVITY_CHARACTERS_MAX: Final = 100
"""Of an activity's name in a derived id; the names that differ only beyond are told apart by their number."""
ACTIVITIES_REMEMBERED: Final = 10_000

LIST_CHARACTERS_MAX: Final = 10_000

_NUMBER: Final = re.compile(r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$")
_NUMBERS: Final = frozenset({"planned_days", "days", "amount", "rating"})
_LISTS: Final = frozenset({"to", "materials", "officers"})
_TRUTHS: Final = {"true": True, "false": False, "1": True, "0": False}


class Draft(msgspec.Struct, frozen=True):
    """One event to deliver and where it stood in the log: `event` where it is in order, else `raw`.

    `error` is ours where the row could not even be read; otherwise the engine says what is wrong with `raw`.
    """

    place: str
    event: Event | None = None
    raw: bytes = b""
    error: EventError | None = None


class CaseDrafts(msgspec.Struct, frozen=True):
    """What a case becomes; `unmapped` counts its rows that become no event, `last_time` is over all its rows."""

    drafts: list[Draft]
    unmapped: Counter[str]
    last_time: datetime | None


class _Reading(msgspec.Struct, frozen=True):
    """A row as the mapping sees it."""

    row: Row
    name: str | None
    activity: Activity | None
    time: datetime | str


class Drafter:
    """Applies one mapping to the cases of a log."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._zone = ZoneInfo(mapping.zone)
        self._absent = frozenset({"", *mapping.absent})
        self._fitting = lru_cache(ACTIVITIES_REMEMBERED)(self._activities_of)

    def draft(self, case: CaseRecord) -> CaseDrafts:
        """Make the events of one case: those of its own attributes, then those of its rows."""
        readings = [self._read(case, row) for row in case.rows]
        first = self._first_of(readings)
        drafts = [draft for part in self._mapping.case_events if (draft := self._case_event(case, part))]
        unmapped: Counter[str] = Counter()
        nth: Counter[str] = Counter()
        for position, reading in enumerate(readings):
            label = (reading.name or "")[:ID_ACTIVITY_CHARACTERS_MAX]
            nth[label] += 1
            kind = reading.activity.type if reading.activity else None
            if kind is not None and first.get(kind, position) != position:
                unmapped[f"{reading.name} (not the first {kind.value})"] += 1
            elif reading.name is not None and kind is None:
                unmapped[reading.name] += 1
            else:
                drafts.append(self._row_event(case, reading, f"{label}#{nth[label]}"))
        times = [reading.time for reading in readings if isinstance(reading.time, datetime)]
        times.extend(draft.event.time for draft in drafts if draft.event is not None)
        return CaseDrafts(drafts, unmapped, max(times, default=None))

    def bad_row(self, row: BadRow) -> Draft:
        """Make what is stored of a row that could not be read: no event, so that it is rejected."""
        said = {"source": self._mapping.source, "place": row.place, "fault": row.detail, "row": row.written}
        return Draft(row.place, raw=msgspec.json.encode(said), error=EventError("bad_row", "row", row.detail))

    def _read(self, case: CaseRecord, row: Row) -> _Reading:
        name = self._get(row.attributes, self._mapping.activity)
        fitting = self._fitting(name) if name is not None else ()
        said = case.attributes | row.attributes if any(part.when for part in fitting) else row.attributes
        activity = next((part for part in fitting if self._holds(part.when, said)), None)
        return _Reading(row, name, activity, self._instant(row.attributes.get(self._mapping.time, "")))

    def _activities_of(self, name: str) -> tuple[Activity, ...]:
        return tuple(activity for activity in self._mapping.activities if activity.fits(name))

    def _first_of(self, readings: list[_Reading]) -> dict[EventType, int]:
        """Find, of each type that may happen once, the position of the earliest row that has a time."""
        first: dict[EventType, tuple[datetime, int]] = {}
        for position, reading in enumerate(readings):
            kind = reading.activity.type if reading.activity else None
            if kind in self._mapping.once and isinstance(reading.time, datetime):
                first[kind] = min(first.get(kind, (reading.time, position)), (reading.time, position))
        return {kind: position for kind, (_, position) in first.items()}

    def _case_event(self, case: CaseRecord, part: CaseEvent) -> Draft | None:
        written = self._get(case.attributes, part.time)
        if written is None or not self._holds(part.when, case.attributes):
            return None
        said = case.attributes
        plain = self._plain(case, said, event_id(part), part.type, self._instant(written), part.data)
        return _draft(case.place, plain)

    def _row_event(self, case: CaseRecord, reading: _Reading, derived_id: str) -> Draft:
        mapping, activity = self._mapping, reading.activity
        said = case.attributes | reading.row.attributes
        given_id = self._get(reading.row.attributes, mapping.id) if mapping.id else None
        kind, data = (activity.type, activity.data) if activity else (None, {})
        plain = self._plain(case, said, given_id or derived_id, kind, reading.time, data)
        recorded = self._get(reading.row.attributes, mapping.recorded) if mapping.recorded else None
        if recorded is not None:
            plain["recorded"] = self._instant(recorded)
        return _draft(reading.row.place, plain)

    def _plain(
        self,
        case: CaseRecord,
        said: Lookup[str, str],
        identity: str,
        kind: EventType | None,
        time: datetime | str,
        data: dict[DataField, Value],
    ) -> dict[str, Any]:
        """Put together the fields of an event; what the log does not say is left out."""
        plain: dict[str, Any] = {"id": identity, "source": self._mapping.source}
        number = self._get(case.attributes, self._mapping.case)  # rows of XES have an attribute of the same name
        stated: dict[str, Any] = {"case": number, "type": kind, "time": time or None}
        stated |= {field: self._value(value, said) for field, value in self._mapping.fields.items()}
        plain.update((field, value) for field, value in stated.items() if value is not None)
        told = {field: self._value(value, said) for field, value in data.items()}
        if any(value is not None for value in told.values()):
            plain["data"] = {f: self._datum(f, value) for f, value in told.items() if value is not None}
        return plain

    def _datum(self, field: DataField, written: str) -> Any:
        """Give a datum the type its field has; what has no such reading stays a text."""
        if field == "due":
            return {"promised": self._instant(written)}
        if field == "told_at":
            return self._instant(written)
        if field in _LISTS and len(written) <= LIST_CHARACTERS_MAX:
            return [part.strip() for part in written.split(",")]
        if field == "remedies_told":
            return _TRUTHS.get(written.lower(), written)
        if field in _NUMBERS and _NUMBER.match(written):
            return float(written) if "." in written else int(written)
        return written

    def _value(self, value: Value, said: Lookup[str, str]) -> str | None:
        written = value.value if value.attribute is None else self._get(said, value.attribute)
        if written is None or written in value.values:
            return value.values[written] if written is not None else None
        return written if value.otherwise is None else value.otherwise

    def _get(self, said: Lookup[str, str], attribute: str) -> str | None:
        written = said.get(attribute, "")
        return None if written in self._absent else written

    def _holds(self, when: dict[str, tuple[str, ...]], said: Lookup[str, str]) -> bool:
        return all(said.get(attribute, "") in values for attribute, values in when.items())

    def _instant(self, written: str) -> datetime | str:
        """Read a time as an aware instant in UTC, a zoneless one in the zone of the mapping; else give it back.

        Of a local time that occurs twice (the clocks went back) the first is meant.
        """
        read = _read_iso(written) or _read_formats(written, self._mapping.time_formats)
        if read is None or (type(read) is date and self._mapping.precision != "day"):
            return written
        moment = read if isinstance(read, datetime) else datetime.combine(read, datetime.min.time())
        try:
            return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)
        except OverflowError:
            return written


def _read_iso(written: str) -> date | None:
    try:
        return date.fromisoformat(written) if len(written) == len("2009-10-31") else datetime.fromisoformat(written)
    except ValueError:
        return None


def _read_formats(written: str, formats: tuple[str, ...]) -> date | None:
    for form in formats:
        try:
            moment = datetime.strptime(written, form)  # noqa: DTZ007 - the mapping's zone is put to it by the caller
        except ValueError:
            continue
        return moment if any(code in form for code in ("%H", "%I", "%X", "%c", "%T")) else moment.date()
    return None


def _draft(place: str, plain: dict[str, Any]) -> Draft:
    try:
        return Draft(place, event=checked(msgspec.convert(plain, Event)))
    except (msgspec.ValidationError, EventError):
        return Draft(place, raw=msgspec.json.encode(plain))
