"""A rulebook on its way from files: every entry that could be converted, beside the place it was written in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from monitor.rulebook.base_calendar import CalendarFile
from monitor.rulebook.convert import convert, convert_table
from monitor.rulebook.faults import Fault, fault
from monitor.rulebook.files import TEXTS, Entry, Sections, read
from monitor.rulebook.model import (
    ClockProfile,
    Delegation,
    Department,
    DirectLine,
    Item,
    Limits,
    Region,
    RuleSetting,
    Source,
    Window,
)
from monitor.rulebook.written import Plain, Step

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A converted value and the entry it comes from."""

    value: T
    entry: Entry

    def fault(self, code: str, /, *path: Step, **params: object) -> Fault:
        """Make a fault about what stands under `path` in this entry."""
        return self.entry.fault(code, *path, **params)


@dataclass(frozen=True)
class Draft:
    """What the files say, converted entry by entry, for the checks that need more than one value."""

    sections: Sections
    texts: dict[str, str]
    regions: list[Placed[Region]]
    departments: list[Placed[Department]]
    windows: list[Placed[Window]]
    items: list[Placed[Item]]
    delegations: list[Placed[Delegation]]
    direct_lines: list[Placed[DirectLine]]
    sources: list[Placed[Source]]
    profiles: list[Placed[ClockProfile]]
    rules: dict[str, Placed[RuleSetting]]
    calendar: CalendarFile
    limits: Limits

    def table_fault(self, table: str, key: str, code: str, /, *path: Step, **params: object) -> Fault:
        """Make a fault about a field of a table, or about the table where the field is left to its default."""
        entry = self.sections.tables[table].get(key)
        if entry is None:
            return fault(self.sections.origin, 1, f"{table}.{key}", code, **params)
        return entry.fault(code, *path, **params)


def draft(path: Path, faults: list[Fault]) -> Draft:
    """Read and convert the files under `path`; faults go to `faults`, and what has some is left out.

    Raises RulebookFaults when there is nothing to read.
    """
    sections = read(path, faults)
    lists, tables, origin = sections.lists, sections.tables, sections.origin
    if sections.complete:
        needed = [name for name in ("regions", "departments") if not lists[name]]
        needed += [name for name in TEXTS if name not in sections.texts]
        faults.extend(fault(origin, 1, "", "missing", field=name) for name in needed)

    def placed(section: str, kind: type[T]) -> list[Placed[T]]:
        converted = [(convert(entry, kind, faults), entry) for entry in lists[section]]
        return [Placed(value, entry) for value, entry in converted if value is not None]

    rules = {code: (convert(entry, RuleSetting, faults), entry) for code, entry in tables["rules"].items()}
    return Draft(
        sections=sections,
        texts=_texts(sections, faults),
        regions=placed("regions", Region),
        departments=placed("departments", Department),
        windows=placed("windows", Window),
        items=placed("items", Item),
        delegations=placed("delegations", Delegation),
        direct_lines=placed("direct_lines", DirectLine),
        sources=placed("sources", Source),
        profiles=[
            Placed(profile, entry)
            for entry in lists["profiles"]
            if (profile := convert(entry, ClockProfile, faults, _with_seconds)) is not None
        ],
        rules={code: Placed(value, entry) for code, (value, entry) in rules.items() if value is not None},
        calendar=convert_table(tables["calendar"], CalendarFile, "calendar", origin, faults) or CalendarFile(),
        limits=convert_table(tables["limits"], Limits, "limits", origin, faults) or Limits(),
    )


def _texts(sections: Sections, faults: list[Fault]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, entry in sections.texts.items():
        if entry.written.text is None:
            faults.append(entry.fault("empty"))
        else:
            texts[name] = entry.written.text
    return texts


def _with_seconds(value: Plain) -> Plain:
    """Complete office hours to what ISO 8601 asks for: people write 08:30, or 8:30."""
    if isinstance(value, list):
        return [_with_seconds(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_seconds(item) for key, item in value.items()}
    if value is not None and value.replace(":", "").isdigit() and value.count(":") == 1:
        return f"{value:0>5}:00"
    return value
