"""Secret keys kept in files only their owner may read."""

import os
from collections.abc import Callable
from pathlib import Path

from monitor.ledger.errors import LedgerError


def key_in(path: Path, make: Callable[[], bytes]) -> bytes:
    """Read a key, making it first where the file does not exist; the file is readable by its owner alone.

    Raises LedgerError for a file that others may read, or that is empty.
    """
    try:
        # The mode is set as the file is made: there is no instant at which others could read it.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read(path)
    with os.fdopen(file, "wb") as stream:
        key = make()
        stream.write(key)
        stream.flush()
        os.fsync(stream.fileno())
    return key


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise LedgerError(f"{path}: this secret key is readable by others; run chmod 600 {path}, and replace it")
    key = path.read_bytes()
    if not key:
        raise LedgerError(f"{path}: this key file is empty; restore it from a backup, or remove it for a new key")
    return key
