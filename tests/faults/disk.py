"""A disk of a given size for a database to fill: a file system in memory, which only root can mount."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoDisk(RuntimeError):
    """No small disk can be made on this machine, for the reason told."""


@contextmanager
def disk(folder: Path, megabytes: int | None) -> Iterator[Path | None]:
    """Mount a disk of so many megabytes below a folder, and take it away again; None: no disk is asked for.

    Raises NoDisk where that is not allowed.
    """
    if megabytes is None:
        yield None
        return
    place = folder / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        raise NoDisk("a disk of its own for the database takes root, and the command mount")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "tmpfs", place],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        raise NoDisk(f"a disk of its own for the database: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
