"""Secret keys kept in files only their owner may read, the same ones wherever a ledger is written."""

import hmac
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from sqlalchemy import Connection, select

from monitor.ledger.errors import LedgerError
from monitor.ledger.schema import meta
from monitor.ledger.upsert import insert_new

_PRINT: Final = b"supervision key v1"
"""What a key signs to be known again: nobody finds the key by it, nor anything it encrypted."""


def key_in(path: Path, make: Callable[[], bytes]) -> bytes:
    """Read a key, making it first where the file does not exist; the file is readable by its owner alone.

    Raises LedgerError for a file that others may read, or that is empty.
    """
    if not path.exists():
        _write_new(path, make())
    return _read(path)


def existing_key(path: Path) -> bytes:
    """Read a key that must be there: a new one would open nothing. Raises LedgerError as `key_in`, or for no file."""
    if not path.exists():
        raise LedgerError(
            f"{path}: this key is missing, and what it encrypted cannot be read; restore it from a backup"
        )
    return _read(path)


def confirm_key(connection: Connection, name: str, path: Path, make: Callable[[], bytes]) -> None:
    """Make sure that the file holds the key the ledger is written with; the first writer's is remembered by its print.

    Workers on several machines need the same keys: what one encrypts, another shows, and the same text of the same
    event must get the same mark from all of them. Raises LedgerError where the key is missing here or another.
    """
    named = f"key/{name}"
    query = select(meta.c.value).where(meta.c.name == named)
    known = connection.execute(query).scalar_one_or_none()
    remedy = (
        f"copy {path.name} from the data folder (MONITOR_DATA) of the machine that has written it, keep its rights "
        "(chmod 600), or restore it from a backup"
    )
    if known is not None and not path.exists():
        raise LedgerError(f"{path}: this key is missing, and the ledger was written with one; {remedy}")
    found = hmac.new(key_in(path, make).strip(), _PRINT + name.encode(), sha256).hexdigest()
    if known is None:
        insert_new(connection, meta, [{"name": named, "value": found}])
        known = connection.execute(query).scalar_one()
    if not hmac.compare_digest(known, found):
        raise LedgerError(f"{path}: this is not the key the ledger is written with; {remedy}")


def _write_new(path: Path, key: bytes) -> None:
    """Write a key file whole or not at all, and leave one that another process made meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The mode is set as the file is made: there is no instant at which others could read it.
    file, draft = mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(key)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            # Linked only once it is complete: a process killed before leaves a stray draft, never an empty key.
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise LedgerError(f"{path}: this secret key is readable by others; run chmod 600 {path}, and replace it")
    key = path.read_bytes()
    if not key:
        raise LedgerError(f"{path}: this key file is empty; restore it from a backup, or remove it for a new key")
    return key
