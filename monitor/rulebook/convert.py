"""From written values to structs: convert, and when that fails name every fault of the value, not the first alone."""

import types
from collections.abc import Callable, Iterable, Iterator
from datetime import date, time
from enum import EnumMeta
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from monitor.rulebook.faults import Fault, fault
from monitor.rulebook.files import Entry
from monitor.rulebook.model import LimitText
from monitor.rulebook.written import Plain, Step

T = TypeVar("T", bound=msgspec.Struct)
Found = tuple[tuple[Step, ...], str, dict[str, object]]
"""What is wrong: the path to it, the fault's code and its parameters."""


def convert(
    entry: Entry, kind: type[T], faults: list[Fault], complete: Callable[[Plain], Plain] | None = None
) -> T | None:
    """Convert one entry, its values first put through `complete`; None when it has faults, which go to `faults`."""
    value = complete(entry.plain) if complete else entry.plain
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        faults.extend(entry.fault(code, *path, **params) for path, code, params in explain(value, kind))
        return None


def convert_table(table: dict[str, Entry], kind: type[T], name: str, origin: str, faults: list[Fault]) -> T | None:
    """Convert a section made of fields (such as `limits`); None when it has faults, which go to `faults`."""
    value: Plain = {key: entry.plain for key, entry in table.items()}
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        for path, code, params in explain(value, kind):
            key = str(path[0]) if path else ""
            if key in table:
                faults.append(table[key].fault(code, *path[1:], **params))
            else:
                faults.append(fault(origin, 1, name, code, **params))
        return None


def explain(value: Plain, kind: Any, path: tuple[Step, ...] = ()) -> Iterator[Found]:
    """Find everything that keeps `value` from being a `kind`."""
    try:
        msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        inner = list(_parts(value, _bare(kind), path))
        yield from inner or [(path, *_leaf(value, kind, str(error)))]


def _parts(value: Plain, kind: Any, path: tuple[Step, ...]) -> Iterator[Found]:
    """Look into a struct, a list or a mapping; nothing is found in what is none of them."""
    arguments = get_args(kind)
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _struct_parts(value, kind, path)
    elif isinstance(value, list) and get_origin(kind) is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else list(arguments)
        if len(kinds) == len(value):
            for position, (item, item_kind) in enumerate(zip(value, kinds, strict=True)):
                yield from explain(item, item_kind, (*path, position))
    elif isinstance(value, dict) and get_origin(kind) is dict:
        for key, item in value.items():
            yield from explain(key, arguments[0], (*path, key))
            yield from explain(item, arguments[1], (*path, key))


def _struct_parts(value: dict[str, Plain], kind: type[msgspec.Struct], path: tuple[Step, ...]) -> Iterator[Found]:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key in value:
        if key not in fields:
            yield (*path, key), "unknown_field", {"field": key, "known": ", ".join(fields)}
    for name, field in fields.items():
        if name in value:
            yield from explain(value[name], field.type, (*path, name))
        elif field.required:
            yield path, "missing", {"field": name}


def _leaf(value: Plain, kind: Any, said: str) -> tuple[str, dict[str, object]]:
    """Choose the fault that tells most about a single value."""
    bare = _bare(kind)
    if value is None or value == "":
        return "empty", {}
    if LimitText in (kind, *_choices(kind)):
        return "limit_form", {"value": value}
    if get_origin(bare) is Literal or isinstance(bare, EnumMeta):
        members: Iterable[Any] = bare if isinstance(bare, EnumMeta) else ()
        choices = [member.value for member in members] or get_args(bare)
        return "choice", {"value": value, "choices": ", ".join(map(str, choices))}
    if bare is bool:
        return "choice", {"value": value, "choices": "true, false"}
    if bare in {date, time}:
        return f"{bare.__name__}_form", {"value": value}
    if get_origin(bare) is tuple:
        return "not_a_list", {}
    if get_origin(bare) is dict or (isinstance(bare, type) and issubclass(bare, msgspec.Struct)):
        return "not_a_table", {}
    return "invalid", {"value": value if isinstance(value, str) else type(value).__name__, "detail": said}


def _bare(kind: Any) -> Any:
    """Take `Annotated` and `| None` off a type."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    return next((_bare(choice) for choice in _choices(kind) if choice is not type(None)), kind)


def _choices(kind: Any) -> tuple[Any, ...]:
    """Give what a union is one of; nothing for another type."""
    return get_args(kind) if get_origin(kind) in {Union, types.UnionType} else ()
