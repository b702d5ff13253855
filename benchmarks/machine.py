"""The machine and the versions a measurement was made with: a figure without them says nothing."""

import os
import platform
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

_PACKAGES: Final = ("SQLAlchemy", "fastapi", "msgspec", "psycopg", "uvicorn")


def machine() -> dict[str, Any]:
    """Describe the machine, its load, and the versions of everything that is measured."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processor": _field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        **{name.lower(): version(name) for name in _PACKAGES},
    }


def memory_mb(process: int | str = "self", *, peak: bool = False) -> float:
    """Give the resident memory of a process in MiB, now or at its largest so far."""
    kilobytes = _field(Path(f"/proc/{process}/status"), "VmHWM" if peak else "VmRSS").split()[0]
    return round(int(kilobytes) / 1024, 1)


def _field(path: Path, name: str) -> str:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)  # noqa: S603 - ours
    return found.stdout.strip() or "unknown"
