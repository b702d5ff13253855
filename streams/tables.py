"""Event logs as tables (CSV): one row per event, the rows of a case anywhere in the file.

Rows are first sorted by case in a temporary file on disk, so that memory stays bounded however the file is
ordered, and every case is seen whole, with its rows in the order of the file.
"""

import codecs
import csv
import io
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from streams.logs import ATTRIBUTES_MAX, BadRow, CaseRecord, LogFault, LogFile, Row

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LINE_CHARACTERS_MAX: Final = 1024 * 1024
"""A longer line is a bad row, and is passed over without being held in memory."""
LINE_PASSED_MAX: Final = 64 * 1024 * 1024
"""So much of a line is passed over to find its end; what goes on longer is no table."""
_WRITTEN_CHARACTERS: Final = 20_000


class TableLog:
    """The cases of a CSV file, in the order in which they first appear; a case's attributes are its rows' first values.

    `case` names the column of the case, `needed` all columns that must be there. Raises LogFault when iterated
    over a file that lacks one.
    """

    def __init__(
        self, file: LogFile, case: str, needed: frozenset[str], delimiter: str = ",", encoding: str = "utf-8"
    ) -> None:
        self._file, self._case, self._needed, self._delimiter = file, case, needed | {case}, delimiter
        self._encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        self._line = 0
        self._overlong = False

    def __iter__(self) -> Iterator[CaseRecord | BadRow]:
        """Yield the bad rows as they are met, then the cases. Raises LogFault after what could be read."""
        with (
            tempfile.TemporaryDirectory(prefix="monitor-import-") as folder,
            closing(sqlite3.connect(Path(folder) / "rows.sqlite")) as sorter,
        ):
            yield from self._sorted(sorter)

    def _sorted(self, sorter: sqlite3.Connection) -> Iterator[CaseRecord | BadRow]:
        sorter.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
            "CREATE TABLE cases (name TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID;"
            "CREATE TABLE rows (number INTEGER, line INTEGER, fields BLOB, PRIMARY KEY (number, line)) WITHOUT ROWID;"
        )
        fault: LogFault | None = None
        names: list[str] = []
        try:
            rows = self._rows()
            names = self._header(rows)
            for row in rows:
                if isinstance(row, BadRow):
                    yield row
                elif bad := self._store(sorter, names, row):
                    yield bad
        except LogFault as found:
            fault = found
        yield from _cases(sorter, names)
        if fault is not None:
            raise fault

    def _header(self, rows: Iterator[list[str] | BadRow]) -> list[str]:
        header = next(rows, None)
        if header is None:
            raise LogFault("empty_table", self._file.path.name)
        if isinstance(header, BadRow):
            raise LogFault("bad_header", f"{self._file.path.name}, {header.place}", header.detail)
        names = [name.strip() for name in header]
        place = f"{self._file.path.name}, line {self._line}"
        if len(names) > ATTRIBUTES_MAX:
            raise LogFault("too_many_attributes", place, str(ATTRIBUTES_MAX))
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise LogFault("repeated_columns", place, ", ".join(map(_escaped, repeated)))
        if lacking := sorted(self._needed.difference(names)):
            raise LogFault("missing_columns", place, ", ".join(lacking))
        return names

    def _store(self, sorter: sqlite3.Connection, names: list[str], row: list[str]) -> BadRow | None:
        if not row:
            return None
        place = f"line {self._line}"
        try:
            fields = msgspec.msgpack.encode(row)
        except UnicodeEncodeError:  # bytes that are not of the encoding were let through as lone surrogates
            return BadRow(place, f"not {self._encoding}", self._written(row))
        if len(row) != len(names):
            return BadRow(place, f"{len(row)} columns, {len(names)} expected", self._written(row))
        case = row[names.index(self._case)]
        sorter.execute("INSERT OR IGNORE INTO cases VALUES (?, ?)", (case, self._line))
        sorter.execute("INSERT INTO rows SELECT number, ?, ? FROM cases WHERE name = ?", (self._line, fields, case))
        return None

    def _written(self, row: list[str]) -> str:
        return _escaped(self._delimiter.join(row)[:_WRITTEN_CHARACTERS])

    def _rows(self) -> Iterator[list[str] | BadRow]:
        """Yield the rows of the table; a row that is no CSV is a BadRow, and reading goes on behind it.

        A quotation mark that was not closed takes the lines behind it along: the bad row names them all.
        """
        reader = csv.reader(self._lines(), delimiter=self._delimiter, strict=True)
        while True:
            first, self._overlong = self._line + 1, False
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._line = reader.line_num
                yield BadRow(self._place(first), str(error), "")
                continue
            self._line = reader.line_num
            if self._overlong:
                yield BadRow(self._place(first), f"longer than {LINE_CHARACTERS_MAX:,} characters", "")
            else:
                yield row

    def _place(self, first: int) -> str:
        return f"line {first}" if first == self._line else f"lines {first} to {self._line}"

    def _lines(self) -> Iterator[str]:
        text = io.TextIOWrapper(
            io.BufferedReader(_Bytes(self._file)), self._encoding, errors="surrogateescape", newline=""
        )
        while line := text.readline(LINE_CHARACTERS_MAX):
            if len(line) == LINE_CHARACTERS_MAX and not _ends(line):
                self._pass_over(text)
                line = "\n"
            yield line

    def _pass_over(self, text: io.TextIOWrapper) -> None:
        """Read on to the end of a line, and leave word that it was too long."""
        self._overlong = True
        passed = LINE_CHARACTERS_MAX
        while (part := text.readline(LINE_CHARACTERS_MAX)) and not _ends(part):
            passed += len(part)
            if passed > LINE_PASSED_MAX:
                place = f"{self._file.path.name}, line {self._line + 1}"
                raise LogFault("line_too_long", place, f"{LINE_PASSED_MAX:,}")


class _Bytes(io.RawIOBase):
    """The chunks of a log file as the raw stream a text reader stands on."""

    def __init__(self, file: LogFile) -> None:
        self._chunks = file.chunks()
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        self._left = self._left or next(self._chunks, b"")
        with memoryview(buffer) as room:
            taken, self._left = self._left[: len(room)], self._left[len(room) :]
            room[: len(taken)] = taken
        return len(taken)


def _ends(line: str) -> bool:
    return line.endswith(("\n", "\r"))


def _escaped(text: str) -> str:
    """Write out what is no Unicode text, so that it can be stored and shown."""
    return text.encode("utf-8", "backslashreplace").decode()


def _cases(sorter: sqlite3.Connection, names: list[str]) -> Iterator[CaseRecord | BadRow]:
    case: CaseRecord | None = None
    current = -1
    decode = msgspec.msgpack.Decoder(list[str]).decode
    for number, line, fields in sorter.execute("SELECT number, line, fields FROM rows ORDER BY number, line"):
        row = Row(f"line {line}", {name: value for name, value in zip(names, decode(fields), strict=True) if value})
        if case is None or number != current:
            if case is not None:
                yield case
            case, current = CaseRecord(row.place, {}), number
        for name, value in row.attributes.items():
            case.attributes.setdefault(name, value)
        if too_many := case.add(row):
            yield too_many
    if case is not None:
        yield case
