"""Files of events, one on each line: read to their end, or followed as they grow and are replaced."""

import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from monitor.events import EVENT_BYTES_MAX, EventError
from streams.emit.emitter import prepared
from streams.emit.spool import Bookmark, Refusal, Spool, SpoolFull

CHUNK_BYTES: Final = 256 * 1024
"""Read, and written to the disk, at once."""
HEAD_BYTES: Final = 1_024
"""By so much of its beginning a file is known again: numbers of files are given away anew."""
POLL_SECONDS: Final = 0.2
FULL_SECONDS: Final = 1.0
REPLACED_SECONDS: Final = 5.0
"""Who writes a file may go on for so long after it was renamed, until it opens the new one."""
_BOM: Final = b"\xef\xbb\xbf"


class Taken(msgspec.Struct):
    """What became of lines: events in the spool, and those put aside because they are none."""

    events: int = 0
    refused: int = 0


class Lines:
    """Puts lines into a spool; one that is no event is put aside there, and told with its reason.

    Where the spool is full it waits for room, and tells `waiting` so: what is not read yet is lost nowhere.
    """

    def __init__(
        self,
        spool: Spool,
        refused: Callable[[EventError], None],
        waiting: Callable[[SpoolFull], None],
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.taken = Taken()
        self._told_full = False
        self._spool, self._refused, self._waiting, self._stopping = spool, refused, waiting, stopping

    def put(self, lines: Sequence[bytes], bookmark: Bookmark | None = None) -> bool:
        """Put lines into the spool, blank ones left out; False: it is full, and the program is to stop."""
        events: list[bytes] = []
        aside: list[Refusal] = []
        errors: list[EventError] = []
        for line in filter(None, map(bytes.strip, lines)):
            try:
                events.append(prepared(line))
            except EventError as error:
                errors.append(error)
                said = f"{error.reason('en')} {error.remedy('en')}"
                aside.append(Refusal(line[:EVENT_BYTES_MAX], error.code, error.field, error.detail, said))
        while True:
            try:
                self._spool.put(events, aside, bookmark)
                break
            except SpoolFull as full:
                if len(lines) > 1:  # of many a part may fit
                    middle = len(lines) // 2
                    return self.put(lines[:middle]) and self.put(lines[middle:], bookmark)
                self._tell_full(full)
                if self._stopping():
                    return False
                time.sleep(FULL_SECONDS)
        self._told_full = False
        self.taken.events += len(events)
        self.taken.refused += len(aside)
        for each in errors:
            self._refused(each)
        return True

    def read(self, descriptor: int) -> None:
        """Put every line of an open file or pipe into the spool as they come, to the end or until stopping."""
        cut = _Cut()
        while not self._stopping():
            if not select.select([descriptor], [], [], POLL_SECONDS)[0]:
                continue
            chunk = os.read(descriptor, CHUNK_BYTES)
            if not chunk:
                break
            if not self.put(cut.lines(chunk)):
                return
        self.put([cut.rest])

    def follow(self, path: Path, until: Callable[[], bool] = lambda: False) -> None:
        """Put the lines of a file into the spool as it grows, until stopping; the spool remembers how far that was.

        A file renamed is read to its end before the one in its place is begun; one that was cut is begun anew.
        """
        while not (self._stopping() or until()):
            with _found_again(path, self._spool.bookmark(_name(path))) as found:
                if found is None:
                    time.sleep(POLL_SECONDS)
                else:
                    self._follow(path, *found, until)

    def _follow(self, path: Path, descriptor: int, offset: int, until: Callable[[], bool]) -> None:
        """Follow an open file from an offset on, until another is in its place."""
        cut, quiet_since = _Cut(offset), time.monotonic()
        while not (self._stopping() or until()):
            chunk = os.read(descriptor, CHUNK_BYTES)
            if chunk:
                quiet_since = time.monotonic()
                lines = cut.lines(chunk)
                if not self.put(lines, _bookmark(path, descriptor, cut.offset)):
                    return
            elif os.fstat(descriptor).st_size < cut.offset:
                os.lseek(descriptor, 0, os.SEEK_SET)
                cut = _Cut()
            elif _replaced(path, descriptor) and time.monotonic() - quiet_since > REPLACED_SECONDS:
                with _opened(path) as successor:
                    self.put([cut.rest], None if successor is None else _bookmark(path, successor, 0))
                return
            else:
                time.sleep(POLL_SECONDS)

    def _tell_full(self, full: SpoolFull) -> None:
        if not self._told_full:
            self._waiting(full)
        self._told_full = True


class _Cut:
    """Cuts what is read into lines; `offset` is where the first line begins whose end was not read yet."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self.rest = b""
        self._rest_bytes = 0  # of the unfinished line; `rest` keeps what may be an event of it, and no more

    def lines(self, chunk: bytes) -> list[bytes]:
        *whole, rest = chunk.split(b"\n")
        if whole:
            self.offset += self._rest_bytes + sum(len(line) + 1 for line in whole)
            whole[0] = self.rest + whole[0]
            self.rest, self._rest_bytes = b"", 0
        self.rest = (self.rest + rest)[: EVENT_BYTES_MAX + 1]
        self._rest_bytes += len(rest)
        return [line.removeprefix(_BOM) for line in whole]


def _name(path: Path) -> str:
    return str(path.absolute())


def _bookmark(path: Path, descriptor: int, offset: int) -> Bookmark:
    head = sha256(os.pread(descriptor, min(offset, HEAD_BYTES), 0)).digest()
    return Bookmark(_name(path), os.fstat(descriptor).st_ino, offset, head)


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Open a file to read; None: it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _found_again(path: Path, bookmark: Bookmark | None) -> Iterator[tuple[int, int] | None]:
    """Open what is to be read next, and tell from where: the file begun, under this or another name, else the path's.

    None: there is no such file yet.
    """
    for place in (path, *_renamed(path, bookmark)):
        with _opened(place) as descriptor:
            if descriptor is not None and bookmark is not None and _is_of(bookmark, descriptor):
                os.lseek(descriptor, bookmark.offset, os.SEEK_SET)
                yield descriptor, bookmark.offset
                return
    with _opened(path) as descriptor:
        yield None if descriptor is None else (descriptor, 0)


def _renamed(path: Path, bookmark: Bookmark | None) -> list[Path]:
    if bookmark is None or not path.parent.is_dir():
        return []
    with os.scandir(path.parent) as entries:
        return [Path(entry.path) for entry in entries if entry.inode() == bookmark.inode and entry.is_file()]


def _is_of(bookmark: Bookmark, descriptor: int) -> bool:
    found = os.fstat(descriptor)
    if found.st_ino != bookmark.inode or found.st_size < bookmark.offset:
        return False
    return sha256(os.pread(descriptor, min(bookmark.offset, HEAD_BYTES), 0)).digest() == bookmark.head


def _replaced(path: Path, descriptor: int) -> bool:
    """Tell whether the path is another file by now; one that only went away may still be written to."""
    try:
        return path.stat().st_ino != os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
