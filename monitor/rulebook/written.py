"""Values as written in YAML files: plain texts, lists and mappings that know the line they stand in.

Read from the parser's events, not through PyYAML's constructors: those turn `08:30` into the number 510, `no` into
False and a code such as `0755` into 493, and their recursion can be made to overflow the stack by nesting.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import yaml

from monitor.rulebook.faults import Fault, fault

DEPTH_MAX: Final = 12
"""A rulebook nests six levels deep; what goes deeper is a mistake or an attack."""

Plain: TypeAlias = "str | list[Plain] | dict[str, Plain] | None"
Step: TypeAlias = "str | int"

_TAGS: Final = frozenset({None, "!"})
"""No tag, or the one that says `read as a text`; others ask for types or objects of a programming language."""
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(slots=True)
class Written:
    """A value with its line (from 1): exactly one of a text (None: nothing written), `items` or `fields`."""

    line: int
    text: str | None = None
    items: "list[Written] | None" = None
    fields: "dict[str, Written] | None" = None
    key_lines: dict[str, int] = field(default_factory=dict)

    @property
    def plain(self) -> Plain:
        """Give the value as texts, lists and dicts."""
        if self.items is not None:
            return [item.plain for item in self.items]
        if self.fields is not None:
            return {key: value.plain for key, value in self.fields.items()}
        return self.text

    def line_of(self, path: tuple[Step, ...]) -> int:
        """Find the line of what stands under a path of keys and positions, or of the last of them that is there."""
        here, line = self, self.line
        for step in path:
            if isinstance(step, str) and here.fields is not None and step in here.fields:
                line, here = here.key_lines[step], here.fields[step]
            elif isinstance(step, int) and here.items is not None and step < len(here.items):
                here = here.items[step]
                line = here.line
            else:
                break
        return line


class Unreadable(Exception):
    """A text that is no YAML document of the kind we take; holds the one fault that ended the reading."""

    def __init__(self, found: Fault) -> None:
        self.fault = found
        super().__init__(found.describe("en"))


def parse(source: str, file: str, faults: list[Fault]) -> Written | None:
    """Read one YAML document, None when empty; what can be read past (a repeated key) goes to `faults`.

    Raises Unreadable.
    """
    reader = _Reader(file, faults, yaml.parse(source, Loader=yaml.CSafeLoader))
    try:
        return reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Unreadable(fault(file, line, "", "syntax", detail=error.problem or error.context)) from None
    except yaml.reader.ReaderError as error:
        line = source.count("\n", 0, error.position) + 1
        raise Unreadable(fault(file, line, "", "syntax", detail=error.reason)) from None


class _Reader:
    """Turns the events of one document into a tree."""

    def __init__(self, file: str, faults: list[Fault], events: Iterator[yaml.Event]) -> None:
        self.file, self.faults, self.events = file, faults, events

    def document(self) -> Written | None:
        root: Written | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise Unreadable(fault(self.file, _line(event), "", "documents"))
                root = self.value(next(self.events), 0)
        return None if root is not None and root.text is None and _is_scalar(root) else root

    def value(self, event: yaml.Event, depth: int) -> Written:
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable(fault(self.file, line, "", "alias", name=event.anchor))
        if getattr(event, "tag", None) not in _TAGS:
            raise Unreadable(fault(self.file, line, "", "tag", tag=getattr(event, "tag", "")))
        if depth > DEPTH_MAX:
            raise Unreadable(fault(self.file, line, "", "too_deep", limit=DEPTH_MAX))
        if isinstance(event, yaml.ScalarEvent):
            nothing = event.implicit[0] and event.value in _NULLS
            return Written(line, text=None if nothing else event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return Written(line, items=list(self.entries(depth)))
        return self.mapping(line, depth)

    def entries(self, depth: int) -> Iterator[Written]:
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self.value(event, depth + 1)

    def mapping(self, line: int, depth: int) -> Written:
        fields: dict[str, Written] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.value(event, depth + 1)
            value = self.value(next(self.events), depth + 1)
            if key.text is None:
                self.faults.append(fault(self.file, key.line, "", "key"))
            elif key.text in fields:
                self.faults.append(
                    fault(
                        self.file,
                        key.line,
                        key.text,
                        "repeated_key",
                        key=key.text,
                        first=f"{self.file}:{lines[key.text]}",
                    )
                )
            else:
                fields[key.text], lines[key.text] = value, key.line
        return Written(line, fields=fields, key_lines=lines)


def _is_scalar(written: Written) -> bool:
    return written.items is None and written.fields is None


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None, "the parser marks every event it reads"
    return event.start_mark.line + 1
