"""The writer's lease: the embedded runtime writes a ledger alone, workers of a topic share it (invariant I10).

On a file the lock is the operating system's, on a file beside the database: the kernel releases it however the
process ends, `kill -9` included, so there is no stale lock to clear by hand. The file says who holds it.
"""

import fcntl
import os
from pathlib import Path
from typing import Protocol

import msgspec

from monitor.ledger.errors import LedgerError


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who holds a lease: process id and, where it takes events over HTTP, its address; `host`: its machine.

    `shared`: others may hold it beside it.
    """

    pid: int | None = None
    url: str | None = None
    host: str | None = None
    shared: bool = False


class LeaseHeld(LedgerError):
    """Another process writes this ledger: `pid`, and the `url` it takes events at, as far as it said.

    `others` is how many more share it.
    """

    def __init__(self, name: str, holder: Holder, others: int = 0) -> None:
        self.pid, self.url = holder.pid, holder.url
        who = f"process {holder.pid}" if holder.pid else "another process"
        who += f" on {holder.host}" if holder.host else ""
        if holder.shared:
            more = f" (and {others} more)" if others else ""
            writes = f"is writing this ledger as a worker{more}, and nobody may write it alone meanwhile"
            remedy = "produce events to the workers' topic, or stop the workers"
        else:
            writes = "is writing this ledger, and only one may"
            remedy = f"send events to {holder.url}, or stop it" if holder.url else "wait until it ends, or stop it"
        super().__init__(f"{name}: {who} {writes}; {remedy}")


class Lease(Protocol):
    """The right to write a ledger, held until `release`, or until the process ends. A reader needs none.

    Whoever holds it shared writes streams of its own beside others; else there is no other writer.
    """

    def confirm(self) -> None:
        """Make sure that it is still held. Raises LeaseHeld when another process took it meanwhile."""

    def announce(self, url: str | None) -> None:
        """Tell a second writer where to post its events instead."""

    def release(self) -> None:
        """Give the lease back; a second call does nothing."""


class FileLease:
    """A lease that is a lock on a file. Raises LeaseHeld when another holds it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise LeaseHeld(str(path), holder_in(path)) from None
        self.announce(None)

    def confirm(self) -> None:
        """Do nothing: the kernel takes the lock from nobody who lives."""

    def announce(self, url: str | None) -> None:
        """Tell a second writer where to post its events instead."""
        said = msgspec.json.encode(Holder(pid=os.getpid(), url=url))
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, said, 0)

    def release(self) -> None:
        """Give the lease back; a second call does nothing."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1


def holder_in(path: Path) -> Holder:
    """Read who holds a lease on a file; an empty Holder where the file does not say."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (FileNotFoundError, msgspec.DecodeError):
        return Holder()  # absent, or caught in the instant between truncation and writing
