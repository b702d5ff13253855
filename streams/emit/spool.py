"""The spool: events on the source's own disk, from the moment they were handed over until the monitor has them.

One SQLite file. What `put` returned for is on the disk, whatever ends the process or the machine; any number of
processes may put into it. Order is that of `put`. It holds events in clear, free texts too, and is made for its owner
alone; what leaves it is overwritten.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final, Literal

import msgspec

SCHEMA_VERSION: Final = 1
BYTES_MAX: Final = 1024 * 1024 * 1024
"""Two million events of the usual size: a month of a city whose network is down."""
EVENT_OVERHEAD_BYTES: Final = 64
"""What a row costs beside its event, so that many small events fill a spool too."""
BUSY_SECONDS: Final = 30
ASIDE_AT_ONCE: Final = 1_000
_HEARTBEAT: Final = b'"type":"heartbeat"'
"""Stands in no other canonical content: a quotation mark inside a value is escaped."""

_TABLES: Final = """
PRAGMA journal_mode=WAL;
CREATE TABLE waiting (seq INTEGER PRIMARY KEY AUTOINCREMENT, event BLOB NOT NULL);
CREATE TABLE rejected (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, code TEXT NOT NULL,
    field TEXT NOT NULL, detail TEXT NOT NULL, said TEXT NOT NULL, event BLOB NOT NULL);
CREATE TABLE followed (path TEXT PRIMARY KEY, inode INTEGER NOT NULL, offset INTEGER NOT NULL, head BLOB NOT NULL);
CREATE TABLE held (bytes INTEGER NOT NULL);
INSERT INTO held VALUES (0);
PRAGMA user_version = 1;
"""


class SpoolError(RuntimeError):
    """A spool that cannot be used; the message says what was found and what to do."""


class SpoolFull(SpoolError):
    """There is no room in the spool; nothing of what was to be put into it was taken."""


class PutAside(msgspec.Struct, frozen=True):
    """An event that was refused, why, and when (seconds since 1970); `said` is reason and remedy in English."""

    seq: int
    at: float
    code: str
    field: str
    detail: str
    said: str
    event: bytes


class Bookmark(msgspec.Struct, frozen=True):
    """How far a file that is followed was read: `head` is the hash of its beginning, by which it is known again."""

    path: str
    inode: int
    offset: int
    head: bytes


class Refusal(msgspec.Struct, frozen=True):
    """An event that is not to be delivered, and why."""

    event: bytes
    code: str
    field: str
    detail: str
    said: str


class Spool:
    """The spool in a file, made where there is none. Any thread may use it.

    It holds at most `bytes_max`, what was put aside included. Raises SpoolError for a file that is no spool or cannot
    be used.
    """

    def __init__(self, path: Path, bytes_max: int = BYTES_MAX) -> None:
        self.path, self.bytes_max = path, bytes_max
        self._lock = threading.Lock()
        self._delivering = -1
        with self._explained():
            if not path.exists():
                _make(path)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; whoever delivered from it does so no more."""
        self.stop_delivering()
        with self._lock:
            self._connection.close()

    def put(self, events: Sequence[bytes], refused: Sequence[Refusal] = (), bookmark: Bookmark | None = None) -> None:
        """Put events behind those that wait, and refused ones aside.

        They are on the disk when this returns, all of them or, where it raises, none: SpoolFull when there is no room,
        SpoolError when the disk does not take them. A bookmark says in the same breath how far a file was read.
        """
        size = _size(events) + _size(each.event for each in refused)
        with self._transaction() as connection:
            (held,) = connection.execute("SELECT bytes FROM held").fetchone()
            if size and held + size > self.bytes_max:
                raise SpoolFull(
                    f"{self.path}: the spool holds {held:,} of at most {self.bytes_max:,} bytes, and {size:,} more are "
                    "to go in; see why nothing is delivered, discard what was put aside, or give it more room"
                )
            connection.executemany("INSERT INTO waiting (event) VALUES (?)", ((event,) for event in events))
            _put_aside(connection, refused)
            connection.execute("UPDATE held SET bytes = bytes + ?", (size,))
            if bookmark is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO followed VALUES (?, ?, ?, ?)", msgspec.structs.astuple(bookmark)
                )

    def first(self, events_max: int, bytes_max: int) -> tuple[int, list[bytes]]:
        """Read the events to be delivered next, one at least if any waits, with the number of the last of them.

        A heartbeat says that everything before it was sent, so that it is never in one delivery with what it follows.
        """
        taken: list[bytes] = []
        last = size = 0
        with self._reading() as connection:
            for seq, event in connection.execute("SELECT seq, event FROM waiting ORDER BY seq LIMIT ?", (events_max,)):
                size += len(event)
                if taken and (size > bytes_max or _HEARTBEAT in event):
                    break
                taken.append(event)
                last = seq
        return last, taken

    def settle(self, last: int, refused: Sequence[Refusal] = ()) -> None:
        """Take out the events up to a number: they were delivered, but for those refused, which are put aside."""
        with self._transaction() as connection:
            freed = _held(connection, "waiting", last)
            connection.execute("DELETE FROM waiting WHERE seq <= ?", (last,))
            _put_aside(connection, refused)
            aside = _size(each.event for each in refused)
            connection.execute("UPDATE held SET bytes = bytes - ? + ?", (freed, aside))

    def waiting(self) -> int:
        """Count the events that wait."""
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def last(self) -> int:
        """Give the number of the last event that waits; 0: none does."""
        with self._reading() as connection:
            return int(connection.execute("SELECT coalesce(max(seq), 0) FROM waiting").fetchone()[0])

    def waits(self, up_to: int) -> bool:
        """Tell whether an event up to a number still waits."""
        with self._reading() as connection:
            return connection.execute("SELECT 1 FROM waiting WHERE seq <= ? LIMIT 1", (up_to,)).fetchone() is not None

    def aside(self, after: int = 0, limit: int = ASIDE_AT_ONCE) -> list[PutAside]:
        """Read what was put aside behind a number, oldest first."""
        with self._reading() as connection:
            query = "SELECT * FROM rejected WHERE seq > ? ORDER BY seq LIMIT ?"
            return [PutAside(*row) for row in connection.execute(query, (after, limit))]

    def try_again(self, written: Callable[[bytes], bytes | None]) -> int:
        """Put what was put aside behind what waits, as `written` gives it; None: it stays. Return how many events."""
        done = 0
        with self._transaction() as connection:
            for seq, event in connection.execute("SELECT seq, event FROM rejected ORDER BY seq").fetchall():
                again = written(event)
                if again is not None:
                    connection.execute("DELETE FROM rejected WHERE seq = ?", (seq,))
                    connection.execute("INSERT INTO waiting (event) VALUES (?)", (again,))
                    connection.execute("UPDATE held SET bytes = bytes + ?", (len(again) - len(event),))
                    done += 1
        return done

    def discard(self) -> int:
        """Delete what was put aside for good; return how many events."""
        with self._transaction() as connection:
            connection.execute("UPDATE held SET bytes = bytes - ?", (_held(connection, "rejected"),))
            return connection.execute("DELETE FROM rejected").rowcount

    def bookmark(self, path: str) -> Bookmark | None:
        """Read how far a file was read; None: it was never followed."""
        with self._reading() as connection:
            row = connection.execute("SELECT * FROM followed WHERE path = ?", (path,)).fetchone()
            return None if row is None else Bookmark(*row)

    def start_delivering(self) -> bool:
        """Become the one that delivers from this spool, for order's sake; False: another process or spool is it.

        The kernel gives the right back however the process ends.
        """
        with self._lock, self._explained():
            if self._delivering >= 0:
                return True
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return False
            self._delivering = lock
            return True

    def stop_delivering(self) -> None:
        """Let another deliver; a second call does nothing."""
        with self._lock:
            if self._delivering >= 0:
                os.close(self._delivering)
                self._delivering = -1

    def _prepare(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            raise SpoolError(f"{self.path}: this database is no spool of this program's version; name another file")
        self._connection.execute("PRAGMA synchronous=FULL")  # NORMAL would lose the last events with the power
        self._connection.execute("PRAGMA secure_delete=ON")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            yield self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(
                f"{self.path}: the spool cannot be used ({error}); its file and folder must be writable, and the disk "
                "must have room"
            ) from error


def _make(path: Path) -> None:
    """Make an empty spool whole or not at all, and leave one that another process made meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Readable by its owner alone from the first instant; SQLite gives the log beside it the same mode.
    file, draft = mkstemp(dir=path.parent, prefix=path.name)
    os.close(file)
    try:
        with closing(sqlite3.connect(draft)) as connection:
            connection.executescript(_TABLES)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _size(events: Iterable[bytes]) -> int:
    return sum(len(event) + EVENT_OVERHEAD_BYTES for event in events)


def _held(connection: sqlite3.Connection, table: Literal["waiting", "rejected"], up_to: int = 2**63 - 1) -> int:
    query = f"SELECT count(*), coalesce(sum(length(event)), 0) FROM {table} WHERE seq <= ?"  # noqa: S608 - ours
    count, size = connection.execute(query, (up_to,)).fetchone()
    return int(count * EVENT_OVERHEAD_BYTES + size)


def _put_aside(connection: sqlite3.Connection, refused: Sequence[Refusal]) -> None:
    rows = ((time.time(), each.code, each.field, each.detail, each.said, each.event) for each in refused)
    connection.executemany(
        "INSERT INTO rejected (at, code, field, detail, said, event) VALUES (?, ?, ?, ?, ?, ?)", rows
    )
