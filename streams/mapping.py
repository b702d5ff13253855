"""Mapping files: how the rows and attributes of a foreign log become events, written as YAML.

`read_mapping` takes a path or the name of a shipped mapping (`receipt`, `bpic15_1`) and names file and line of every
fault. Every key is documented at its field below; docs and shipped files use the same words. Applying a mapping to a
case is `streams.drafts`.
"""

import codecs
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from monitor.events import Code, Event, EventData, EventType, Identity, Instant
from monitor.rulebook.convert import convert
from monitor.rulebook.faults import Fault, RulebookFaults, fault
from monitor.rulebook.files import Entry
from monitor.rulebook.written import Unreadable, parse

MAPPING_BYTES_MAX: Final = 1024 * 1024

Precision = Literal["second", "minute", "day"]
Attribute = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
EventField = Literal[
    "region",
    "item",
    "department",
    "window",
    "operator",
    "operator_role",
    "channel",
    "direct_line",
    "applicant",
]
CASE_FIELDS: Final = ("region", "item", "department")
"""What every event of a case must say; a mapping without one of them would see all its events rejected."""

DataField = Literal[
    "outcome",
    "reason_code",
    "reason_hash",
    "voucher",
    "procedure",
    "legal_basis",
    "planned_days",
    "told_at",
    "approver",
    "approver_role",
    "days",
    "to",
    "materials",
    "officers",
    "remedies_told",
    "amount",
    "rating",
    "due",
]


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value comes from: a fixed `value`, or an `attribute` of the row, else of the case."""

    value: str | None = None
    attribute: Attribute | None = None
    values: dict[str, str] = {}  # what the log writes -> what the event says; others are taken as they are,
    otherwise: str | None = None  # unless this is given: then every other value becomes it


class CaseEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event made from attributes of the case, once per case, only where `time` has a value."""

    type: EventType
    time: Attribute
    id: Identity | None = None  # default: `case:<type>`
    when: dict[Attribute, tuple[str, ...]] = {}  # only where each attribute has one of these values
    data: dict[DataField, Value] = {}


class Activity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows that become events of one type; `names` are exact or end in `*`, and the first entry that fits wins."""

    type: EventType
    names: tuple[Attribute, ...]
    when: dict[Attribute, tuple[str, ...]] = {}
    data: dict[DataField, Value] = {}

    def fits(self, name: str) -> bool:
        """Tell whether rows of this activity name are meant."""
        return any(
            name.startswith(written[:-1]) if written.endswith("*") else name == written for written in self.names
        )


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole mapping file."""

    name: str = ""  # filled in by the reader: the file's name without its suffix
    source: Code  # code of the registered source the events come from
    format: Literal["xes", "csv"]
    zone: str  # IANA zone of times written without an offset
    precision: Precision  # `day`: a date without a time is taken as the start of that day; else it is rejected
    case: Attribute = "concept:name"  # attribute of the case, or column: its number
    activity: Attribute = "concept:name"  # attribute of the row: what was done
    time: Attribute = "time:timestamp"  # attribute of the row: when
    id: Attribute | None = None  # attribute of the row that is unique in its case; default: `<activity>#<n-th>`
    recorded: Attribute | None = None  # attribute of the row: when the source system stored it
    time_formats: tuple[str, ...] = ()  # strptime formats of times that are not ISO 8601
    exported: Instant | None = None  # when the log was made: a case's attribute dated later is a plan, not an event
    absent: tuple[str, ...] = ()  # values that stand for no value, as `UNKNOWN`
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8"
    rulebook: str | None = None  # rulebook file or folder beside the mapping, the first version of an empty ledger
    fields: dict[EventField, Value]
    case_events: tuple[CaseEvent, ...] = ()
    activities: tuple[Activity, ...] = ()
    once: tuple[EventType, ...] = ()  # types of which only the earliest row of a case becomes an event

    def columns(self) -> frozenset[str]:
        """Name the columns a table must have."""
        always = {self.case, self.activity, self.time, self.id, self.recorded}
        from_rows = {value.attribute for value in self._values()}
        parts: tuple[CaseEvent | Activity, ...] = (*self.case_events, *self.activities)
        conditions = {name for part in parts for name in part.when}
        times = {part.time for part in self.case_events}
        return frozenset(name for name in always | from_rows | conditions | times if name is not None)

    def _values(self) -> Iterator[Value]:
        yield from self.fields.values()
        parts: tuple[CaseEvent | Activity, ...] = (*self.case_events, *self.activities)
        for part in parts:
            yield from part.data.values()


class FoundMapping(msgspec.Struct, frozen=True):
    """A mapping and where the rulebook it brings is, if it brings one."""

    mapping: Mapping
    rulebook: Path | None


def shipped() -> dict[str, Path]:
    """Name the mappings that come with this distribution, with their files."""
    folder = Path(str(files("streams").joinpath("mappings")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_mapping(name: str) -> FoundMapping:
    """Read a mapping by path or shipped name. Raises RulebookFaults with file, line and reason of every fault."""
    path = Path(name)
    if not path.exists():
        known = shipped()
        if name not in known:
            raise RulebookFaults([fault(name, 1, "", "mapping_not_found", known=", ".join(known))])
        path = known[name]
    faults: list[Fault] = []
    try:
        written = parse(_text(path), str(path), faults)
    except Unreadable as unreadable:
        raise RulebookFaults([*faults, unreadable.fault]) from None
    if written is None or written.fields is None:
        raise RulebookFaults([*faults, fault(str(path), 1, "", "not_a_table")])
    entry = Entry(str(path), "mapping", written)
    mapping = convert(entry, Mapping, faults)
    if mapping is not None:
        faults.extend(_contradictions(entry, mapping, path))
    if mapping is None or faults:
        raise RulebookFaults(faults)
    rulebook = path.parent / mapping.rulebook if mapping.rulebook else None
    return FoundMapping(msgspec.structs.replace(mapping, name=path.stem), rulebook)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAPPING_BYTES_MAX:
            raise RulebookFaults([fault(str(path), 1, "", "too_large", limit=MAPPING_BYTES_MAX)])
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RulebookFaults([fault(str(path), 1, "", "unreadable", detail=error.strerror)]) from None
    except UnicodeDecodeError:
        raise RulebookFaults([fault(str(path), 1, "", "encoding")]) from None


def _contradictions(entry: Entry, mapping: Mapping, path: Path) -> Iterator[Fault]:
    """Find what the types alone do not tell."""
    try:
        ZoneInfo(mapping.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield entry.fault("mapping_zone", "zone", value=mapping.zone)
    try:
        codecs.lookup(mapping.encoding)
    except LookupError:
        yield entry.fault("mapping_encoding", "encoding", value=mapping.encoding)
    for name in CASE_FIELDS:
        if name not in mapping.fields:
            yield entry.fault("mapping_field", "fields", field=name)
    if not mapping.case_events and not mapping.activities:
        yield entry.fault("mapping_empty")
    if mapping.rulebook is not None and not (path.parent / mapping.rulebook).exists():
        yield entry.fault("mapping_rulebook", "rulebook", value=mapping.rulebook)
    for position, activity in enumerate(mapping.activities):
        if not activity.names:
            yield entry.fault("empty", "activities", position, "names")
    yield from _value_faults(entry, mapping)
    seen: set[str] = set()
    for position, part in enumerate(mapping.case_events):
        if (name := event_id(part)) in seen:
            yield entry.fault("mapping_repeated_id", "case_events", position, value=name)
        seen.add(name)


def _value_faults(entry: Entry, mapping: Mapping) -> Iterator[Fault]:
    """Find values that name neither or both of a fixed value and an attribute."""
    for name, value in mapping.fields.items():
        if (value.value is None) == (value.attribute is None):
            yield entry.fault("mapping_value", "fields", name)
    for section in ("case_events", "activities"):
        parts: tuple[CaseEvent | Activity, ...] = getattr(mapping, section)
        for position, part in enumerate(parts):
            for field, value in part.data.items():
                if (value.value is None) == (value.attribute is None):
                    yield entry.fault("mapping_value", section, position, "data", field)


def event_id(part: CaseEvent) -> str:
    """Give the id of the event a case event makes."""
    return part.id or f"case:{part.type.value}"


# A field renamed in the event and not here must fail when this is imported, not in an afternoon's import.
assert set(get_args(EventField)) <= {field.name for field in msgspec.structs.fields(Event)}
assert set(get_args(DataField)) <= {field.name for field in msgspec.structs.fields(EventData)}
