"""The files of a rulebook: one YAML file or a folder of them, merged section by section."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from monitor.rulebook.faults import Fault, RulebookFaults, fault
from monitor.rulebook.written import Plain, Step, Unreadable, Written, parse

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
FILES_MAX: Final = 200
ENTRIES_MAX: Final = 50_000
"""A province lists some 20,000 items; ten times a city's files, and reading stays within memory and seconds."""

LISTS: Final = ("regions", "departments", "windows", "items", "delegations", "direct_lines", "sources", "profiles")
TABLES: Final = ("calendar", "limits", "rules")
TEXTS: Final = ("name", "name_en")


@dataclass(frozen=True)
class Entry:
    """One entry of a section where it was written: an item, a profile, or one field of `limits`."""

    file: str
    where: str
    written: Written

    @property
    def plain(self) -> Plain:
        """Give the value as texts, lists and dicts."""
        return self.written.plain

    def fault(self, code: str, /, *path: Step, **params: object) -> Fault:
        """Make a fault about what stands under `path` in this entry."""
        where = self.where + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in path)
        return fault(self.file, self.written.line_of(path), where, code, **params)


@dataclass(frozen=True)
class Sections:
    """What all files together say: entries of the lists, fields of the tables, the texts, each with its place.

    `complete` is False when a file could not be read: then nothing can be called missing.
    """

    origin: str
    lists: dict[str, list[Entry]]
    tables: dict[str, dict[str, Entry]]
    texts: dict[str, Entry]
    complete: bool = True

    def codes(self, section: str) -> frozenset[str]:
        """Codes of a list as written, those of faulty entries too: one fault should not cause others."""
        codes = (entry.written.fields.get("code") for entry in self.lists[section] if entry.written.fields)
        return frozenset(code.text for code in codes if code is not None and code.text is not None)


def read(path: Path, faults: list[Fault]) -> Sections:
    """Read and merge the files under `path`; what is wrong with them goes to `faults`.

    Raises RulebookFaults when there is nothing to read.
    """
    sections = Sections(str(path), {n: [] for n in LISTS}, {n: {} for n in TABLES}, {})
    for file in _files(path):
        try:
            root = parse(_text(file), str(file), faults)
        except Unreadable as unreadable:
            faults.append(unreadable.fault)
            sections = replace(sections, complete=False)
            continue
        if root is None:
            continue
        if root.fields is None:
            faults.append(fault(str(file), root.line, "", "not_sections"))
            continue
        for name, value in root.fields.items():
            _add(sections, name, Entry(str(file), name, value), root.key_lines[name], faults)
    for name, entries in sections.lists.items():
        if len(entries) > ENTRIES_MAX:
            faults.append(entries[ENTRIES_MAX].fault("too_many", section=name, limit=ENTRIES_MAX))
            del entries[ENTRIES_MAX:]
    return sections


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RulebookFaults([fault(str(path), 1, "", "not_found")])
    files = sorted(p for p in path.iterdir() if p.suffix in {".yaml", ".yml"} and p.is_file())
    if not files or len(files) > FILES_MAX:
        code = "too_many_files" if files else "no_files"
        raise RulebookFaults([fault(str(path), 1, "", code, limit=FILES_MAX)])
    return files


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise Unreadable(fault(str(file), 1, "", "too_large", limit=FILE_BYTES_MAX))
        raw = file.read_bytes()
    except OSError as error:
        raise Unreadable(fault(str(file), 1, "", "unreadable", detail=error.strerror)) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(fault(str(file), raw.count(b"\n", 0, error.start) + 1, "", "encoding")) from None


def _add(sections: Sections, name: str, section: Entry, key_line: int, faults: list[Fault]) -> None:
    value = section.written
    if name in sections.lists:
        if value.items is None:
            faults.append(section.fault("not_a_list"))
        else:
            sections.lists[name].extend(_entries(section))
    elif name in sections.tables:
        if value.fields is None:
            faults.append(section.fault("not_a_table"))
        else:
            _add_fields(sections.tables[name], section, faults)
    elif name in TEXTS:
        _put(sections.texts, name, section, faults)
    else:
        known = ", ".join((*TEXTS, *LISTS, *TABLES))
        faults.append(fault(section.file, key_line, name, "unknown_section", known=known))


def _entries(section: Entry) -> Iterator[Entry]:
    for position, item in enumerate(section.written.items or ()):
        code = item.fields.get("code") if item.fields else None
        label = code.text if code is not None and code.text else f"#{position + 1}"
        yield Entry(section.file, f"{section.where}[{label}]", item)


def _add_fields(table: dict[str, Entry], section: Entry, faults: list[Fault]) -> None:
    for key, value in (section.written.fields or {}).items():
        _put(table, key, Entry(section.file, f"{section.where}.{key}", value), faults)


def _put(table: dict[str, Entry], key: str, entry: Entry, faults: list[Fault]) -> None:
    if key in table:
        first = table[key]
        faults.append(entry.fault("repeated_key", key=key, first=f"{first.file}:{first.written.line}"))
    else:
        table[key] = entry
