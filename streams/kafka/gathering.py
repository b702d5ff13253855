"""What was fetched and not taken yet, gathered a partition at a time.

A transaction costs the same whether it takes one event or a hundred. While one is under way more runs arrive; what
follows on what already waits joins it, so that a worker that falls behind takes larger steps, not more of them.
"""

import asyncio
from typing import Any, Final

from faust.types import TP

RECORDS_MAX: Final = 20_000
BYTES_MAX: Final = 16 * 1024 * 1024
"""Some seconds of work, or as much as needs bounding. Beyond it nothing more is taken from Faust, which then stops
fetching."""

Round = dict[TP, list[list[Any]]]


class Gathering:
    """Runs that wait, by partition, in the order they came; nothing is put in while too much waits."""

    def __init__(self) -> None:
        self._waiting: Round = {}
        self._records = self._bytes = 0
        self._room = asyncio.Event()

    async def put(self, partition: TP, records: list[Any]) -> None:
        """Add a run, once there is room."""
        while self._records >= RECORDS_MAX or self._bytes >= BYTES_MAX:
            self._room.clear()
            await self._room.wait()
        runs = self._waiting.setdefault(partition, [])
        # Only what follows without a gap joins a run: a gap between two runs may be a hole, inside one it is none.
        if runs and records[0].offset == runs[-1][-1].offset + 1:
            runs[-1].extend(records)
        else:
            runs.append(list(records))
        self._records += len(records)
        self._bytes += sum(len(record.value or b"") for record in records)

    def take(self) -> Round:
        """Take everything that waits."""
        taken, self._waiting = self._waiting, {}
        self._records = self._bytes = 0
        self._room.set()
        return taken

    def clear(self) -> None:
        """Forget everything: it will be read again, by whoever it is given to."""
        self.take()
