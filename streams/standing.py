"""Standing: how the cases of one import stand now, read from the ledger and from nothing else."""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
from sqlalchemy import select

from monitor.ledger import Ledger
from monitor.ledger.schema import cases
from monitor.verdict import Stage

CASES_AT_ONCE: Final = 500

_ENDED: Final = frozenset({Stage.REFUSED, Stage.FORWARDED, Stage.WITHDRAWN, Stage.VOIDED})
"""Stages that end a case without a finish."""


class Standing(msgspec.Struct):
    """Cases by their promised clock: `unjudged` have ended and had none that could be judged; `open` have no end."""

    on_time: int = 0
    overdue: int = 0
    open: int = 0
    unjudged: int = 0


class SeenCases:
    """The numbers of the cases of an import, each once, kept on disk: a province's year is 20 million."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="monitor-import-")
        self._database = sqlite3.connect(Path(self._folder.name) / "cases.sqlite")
        self._database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;CREATE TABLE seen (number TEXT PRIMARY KEY) WITHOUT ROWID;"
        )

    def add(self, number: str) -> None:
        """Remember a case."""
        self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (number,))

    def chunks(self) -> Iterator[list[str]]:
        """Give back the numbers, CASES_AT_ONCE at a time."""
        cursor = self._database.execute("SELECT number FROM seen")
        while chunk := cursor.fetchmany(CASES_AT_ONCE):
            yield [number for (number,) in chunk]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._folder.cleanup()


def standing(ledger: Ledger, seen: SeenCases) -> Standing:
    """Count the cases of an import by how the ledger judges them."""
    counted = Standing()
    columns = (cases.c.stage, cases.c.finished_at, cases.c.promised)
    with ledger.read() as connection:
        for chunk in seen.chunks():
            for stage, finished_at, promised in connection.execute(select(*columns).where(cases.c.case.in_(chunk))):
                name = _of(stage, finished_at is not None, promised)
                setattr(counted, name, getattr(counted, name) + 1)
    return counted


def _of(stage: str, finished: bool, promised: str) -> str:
    if not finished and stage not in _ENDED:
        return "open"
    return {"met": "on_time", "breached": "overdue"}.get(promised, "unjudged")
