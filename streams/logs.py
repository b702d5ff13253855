"""Log files as they are read: opened, decompressed and cut into cases, whatever their format.

A reader (`streams.xes`, `streams.tables`) yields `CaseRecord`s; a file that cannot be read on ends it with a
`LogFault`. Not here: what the rows mean (`streams.mapping`).
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from monitor.language import Lang, text

CHUNK_BYTES: Final = 65_536
ROWS_PER_CASE_MAX: Final = 10_000
"""Five times what the engine takes of one case; rows beyond are rejected one by one."""
ATTRIBUTES_MAX: Final = 1_000
"""Attributes of one row or case; the widest public logs have some 130."""

_GZIP_MAGIC: Final = b"\x1f\x8b"


class LogFault(Exception):
    """A file that cannot be read on: `code` of the reason, `place` reached, `detail` of what was found."""

    def __init__(self, code: str, place: str, detail: str = "") -> None:
        self.code, self.place, self.detail = code, place, detail
        super().__init__(self.describe("en"))

    def describe(self, lang: Lang) -> str:
        """Say place, reason and remedy in one line."""
        params = {"detail": self.detail}
        reason = text(f"log_fault.{self.code}.reason", lang, **params)
        remedy = text(f"log_fault.{self.code}.remedy", lang, **params)
        return f"{self.place}: {reason}{' ' if lang == 'en' else ''}{remedy}"


@dataclass(slots=True)
class Row:
    """One row of a log: its attributes as written, and where it stands."""

    place: str
    attributes: dict[str, str]


@dataclass(slots=True)
class CaseRecord:
    """One case of a log: its own attributes and its rows, at most ROWS_PER_CASE_MAX."""

    place: str
    attributes: dict[str, str]
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> "BadRow | None":
        """Take a row, or give it back as one too many."""
        if len(self.rows) < ROWS_PER_CASE_MAX:
            self.rows.append(row)
            return None
        return BadRow(row.place, f"more than {ROWS_PER_CASE_MAX:,} rows in one case", str(row.attributes))


@dataclass(slots=True)
class BadRow:
    """A row that cannot be taken into a case, with what was found; the rest of the file goes on."""

    place: str
    detail: str
    written: str


class LogReader(Protocol):
    """What cuts an open log into cases."""

    def __iter__(self) -> Iterator[CaseRecord | BadRow]:
        """Yield the cases. Raises LogFault where the file cannot be read on."""
        ...


class LogFile:
    """A log file, plain or gzip (told by its first bytes), read forward once in bounded memory.

    `watch` is told the position after every chunk. Raises LogFault when it cannot be opened.
    """

    def __init__(self, path: Path, watch: Callable[[int], None] = lambda position: None) -> None:
        self.path, self._watch = path, watch
        try:
            self._disk: BinaryIO = path.open("rb")
        except OSError as error:
            raise LogFault("unopened", str(path), error.strerror or str(error)) from None
        try:
            self.size = path.stat().st_size
            packed = self._disk.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            self._disk.seek(0)
        except OSError as error:
            self._disk.close()
            raise LogFault("unopened", str(path), error.strerror or str(error)) from None
        self._content: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=self._disk) if packed else self._disk
        self.bytes_read = 0

    @property
    def position(self) -> int:
        """Bytes of the file on disk that have been read, of `size`."""
        return min(self._disk.tell(), self.size)

    def chunks(self) -> Iterator[bytes]:
        """Yield the decompressed content. Raises LogFault naming the position where it ends too early."""
        while chunk := self._read():
            self.bytes_read += len(chunk)
            self._watch(self.position)
            yield chunk

    def _read(self) -> bytes:
        place = f"{self.path.name}, after byte {self.bytes_read:,} of its text"
        try:
            # read1, not read: what was decompressed before a fault is handed out before the fault is raised.
            if isinstance(self._content, gzip.GzipFile):
                return self._content.read1(CHUNK_BYTES)
            return self._content.read(CHUNK_BYTES)
        except EOFError:
            raise LogFault("truncated_gz", place) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise LogFault("damaged_gz", place, str(error)) from None
        except OSError as error:
            raise LogFault("unreadable", place, error.strerror or str(error)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._content.close()
        self._disk.close()
