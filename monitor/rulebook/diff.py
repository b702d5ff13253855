"""What two rulebooks differ in: entries added and removed, and for the others each field with old and new value."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from monitor.rulebook.model import Rulebook


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One difference; `field`, `before` and `after` are given for what changed, the entry itself otherwise."""

    section: str
    key: str
    kind: Literal["added", "removed", "changed"]
    field: str = ""
    before: Any = None
    after: Any = None


def _code(entry: Any) -> str:
    code: str = entry.code
    return code


def _delegation(entry: Any) -> str:
    return f"{entry.item}/{entry.power}/{entry.operator}/{entry.valid_from}"


_KEYS: Final[dict[str, Callable[[Any], str]]] = {
    "regions": _code,
    "departments": _code,
    "windows": _code,
    "items": _code,
    "delegations": _delegation,
    "direct_lines": _code,
    "sources": _code,
    "profiles": _code,
}


def diff(before: Rulebook, after: Rulebook) -> tuple[Change, ...]:
    """Compare two rulebooks section by section; empty when they say the same, whatever the order of entries."""
    return tuple(_changes(before, after))


def _changes(before: Rulebook, after: Rulebook) -> Iterator[Change]:
    yield from _fields("name", "", before, after, ("name", "name_en"))
    for section, key in _KEYS.items():
        yield from _entries(section, _by(key, getattr(before, section)), _by(key, getattr(after, section)))
    yield from _fields("calendar", "", before.calendar, after.calendar, ("version", "zone", "announced"))
    yield from _entries("calendar", _closed(before), _closed(after))
    yield from _entries("calendar", _opened(before), _opened(after))
    yield from _fields("limits", "", before.limits, after.limits)
    yield from _entries("rules", before.rules, after.rules)


def _by(key: Callable[[Any], str], entries: Iterable[Any]) -> dict[str, Any]:
    return {key(entry): entry for entry in entries}


def _closed(rulebook: Rulebook) -> dict[str, Any]:
    return {f"closed/{day.day}": day for day in rulebook.calendar.closed}


def _opened(rulebook: Rulebook) -> dict[str, Any]:
    return {f"open/{day}": day for day in rulebook.calendar.open}


def _entries(section: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key, old in before.items():
        if key not in after:
            yield Change(section, key, "removed", before=msgspec.to_builtins(old))
        elif old != after[key]:
            yield from _fields(section, key, old, after[key])
    for key, new in after.items():
        if key not in before:
            yield Change(section, key, "added", after=msgspec.to_builtins(new))


def _fields(section: str, key: str, before: Any, after: Any, names: tuple[str, ...] = ()) -> Iterator[Change]:
    for name in names or before.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(section, key, "changed", name, msgspec.to_builtins(old), msgspec.to_builtins(new))
