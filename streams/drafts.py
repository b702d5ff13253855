"""Drafts: the events a mapping makes of one case of a log, checked, or as raw bytes for the engine to reject.

A value that does not fit is left in the draft as it was written, so that the engine stores what was sent and names
the field; nothing is mended and nothing is dropped in silence.
"""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from monitor.events import Event, EventError, EventType, checked
from streams.logs import BadRow, CaseRecord, Row
from streams.mapping import Activity, DataField, Mapping, Value, event_id

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
    """What a case becomes; `unmapped` counts what becomes no event, `last_time` is over all of it."""

    case: str | None
    drafts: list[Draft]
    unmapped: Counter[str]
    last_time: datetime | None


class _Candidate(msgspec.Struct, frozen=True):
    """A row, or a case's attribute, that may become an event; `kind` None: no activity of the mapping fits it."""

    place: str
    identity: str
    name: str | None
    kind: EventType | None
    time: datetime | str
    data: dict[DataField, Value]
    attributes: dict[str, str]


class Drafter:
    """Applies one mapping to the cases of a log."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._zone = ZoneInfo(mapping.zone)
        self._absent = frozenset({"", *mapping.absent})
        self._fitting = lru_cache(ACTIVITIES_REMEMBERED)(self._activities_of)

    def draft(self, case: CaseRecord) -> CaseDrafts:
        """Make the events of one case: those of its own attributes, then those of its rows."""
        candidates = [*self._case_candidates(case), *self._row_candidates(case)]
        first = self._first_of(candidates)
        drafts: list[Draft] = []
        unmapped: Counter[str] = Counter()
        for candidate in candidates:
            left_out = self._left_out(candidate, first)
            if left_out is None:
                drafts.append(_draft(candidate.place, self._plain(case, candidate)))
            else:
                unmapped[left_out] += 1
        times = [each.time for each in candidates if isinstance(each.time, datetime)]
        return CaseDrafts(self._get(case.attributes, self._mapping.case), drafts, unmapped, max(times, default=None))

    def bad_row(self, row: BadRow) -> Draft:
        """Make what is stored of a row that could not be read: no event, so that it is rejected."""
        said = {"source": self._mapping.source, "place": row.place, "fault": row.detail, "row": row.written}
        return Draft(row.place, raw=msgspec.json.encode(said), error=EventError("bad_row", "row", row.detail))

    def _case_candidates(self, case: CaseRecord) -> Iterator[_Candidate]:
        for part in self._mapping.case_events:
            written = self._get(case.attributes, part.time)
            if written is not None and _holds(part.when, case.attributes):
                time, identity = self._instant(written), event_id(part)
                if isinstance(time, datetime) and self._mapping.exported and time > self._mapping.exported:
                    continue
                yield _Candidate(case.place, identity, part.time, part.type, time, part.data, case.attributes)

    def _row_candidates(self, case: CaseRecord) -> Iterator[_Candidate]:
        mapping, nth = self._mapping, Counter[str]()
        for row in case.rows:
            name = self._get(row.attributes, mapping.activity)
            label = (name or "")[:ID_ACTIVITY_CHARACTERS_MAX]
            nth[label] += 1
            given_id = self._get(row.attributes, mapping.id) if mapping.id else None
            activity = self._activity(case, row, name)
            kind, data = (activity.type, activity.data) if activity else (None, {})
            time = self._instant(row.attributes.get(mapping.time, ""))
            yield _Candidate(row.place, given_id or f"{label}#{nth[label]}", name, kind, time, data, row.attributes)

    def _activity(self, case: CaseRecord, row: Row, name: str | None) -> Activity | None:
        fitting = self._fitting(name) if name is not None else ()
        said = case.attributes | row.attributes if any(part.when for part in fitting) else row.attributes
        return next((part for part in fitting if _holds(part.when, said)), None)

    def _activities_of(self, name: str) -> tuple[Activity, ...]:
        return tuple(activity for activity in self._mapping.activities if activity.fits(name))

    def _left_out(self, candidate: _Candidate, first: dict[EventType, _Candidate]) -> str | None:
        """Name what becomes no event, and why; None: it becomes one, or a reject that says what it lacks."""
        if candidate.kind is None:
            return candidate.name
        # Without a time we cannot know whether it was the first: it goes on, to be rejected with its reason.
        if isinstance(candidate.time, datetime) and first.get(candidate.kind, candidate) is not candidate:
            return f"{candidate.name} (not the first {candidate.kind.value})"
        return None

    def _first_of(self, candidates: list[_Candidate]) -> dict[EventType, _Candidate]:
        """Find, of each type that may happen once, the earliest candidate that has a time."""
        first: dict[EventType, tuple[datetime, _Candidate]] = {}
        for each in candidates:
            if each.kind not in self._mapping.once or not isinstance(each.time, datetime):
                continue
            if each.kind not in first or each.time < first[each.kind][0]:
                first[each.kind] = (each.time, each)
        return {kind: candidate for kind, (_, candidate) in first.items()}

    def _plain(self, case: CaseRecord, candidate: _Candidate) -> dict[str, Any]:
        """Put together the fields of an event; what the log does not say is left out."""
        mapping, said = self._mapping, case.attributes | candidate.attributes
        number = self._get(case.attributes, mapping.case)  # rows of XES have an attribute of the same name
        stated: dict[str, Any] = {"case": number, "type": candidate.kind, "time": candidate.time or None}
        recorded = self._get(candidate.attributes, mapping.recorded) if mapping.recorded else None
        stated["recorded"] = self._instant(recorded) if recorded is not None else None
        stated |= {field: self._value(value, said) for field, value in mapping.fields.items()}
        plain: dict[str, Any] = {"id": candidate.identity, "source": mapping.source}
        plain |= {field: value for field, value in stated.items() if value is not None}
        told = {field: self._value(value, said) for field, value in candidate.data.items()}
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

    def _value(self, value: Value, said: dict[str, str]) -> str | None:
        written = value.value if value.attribute is None else self._get(said, value.attribute)
        if written is None or written in value.values:
            return value.values[written] if written is not None else None
        return written if value.otherwise is None else value.otherwise

    def _get(self, said: dict[str, str], attribute: str) -> str | None:
        written = said.get(attribute, "")
        return None if written in self._absent else written

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


def _holds(when: dict[str, tuple[str, ...]], said: dict[str, str]) -> bool:
    return all(said.get(attribute, "") in values for attribute, values in when.items())


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
