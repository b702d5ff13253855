"""What was fetched and not taken yet, gathered a partition at a time.

A transaction costs the same whether it takes one event or a hundred. While one is under way more runs arrive; what
follows on what already waits joins it, so that a worker that falls behind takes larger steps, not more of them.
"""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final

from faust.types import TP

from streams.kafka.pump import BATCH_BYTES_MAX, BATCH_RECORDS_MAX

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
        self._bytes += _size(records)

    def take(self) -> Round:
        """Take everything that waits."""
        taken, self._waiting = self._waiting, {}
        self._records = self._bytes = 0
        self._room.set()
        return taken

    def clear(self) -> None:
        """Forget everything: it will be read again, by whoever it is given to."""
        self.take()


def in_transactions(waiting: Mapping[TP, list[list[Any]]]) -> Iterator[dict[TP, list[Any]]]:
    """Put together runs that one transaction takes, of each partition at most one, and those of each in their order."""
    together: dict[TP, list[Any]] = {}
    count = size = 0
    for runs in zip_longest(*waiting.values()):
        for partition, run in zip(waiting, runs, strict=True):
            if run is None:
                continue
            run_size = _size(run)
            if together and (count + len(run) > BATCH_RECORDS_MAX or size + run_size > BATCH_BYTES_MAX):
                yield together
                together, count, size = {}, 0, 0
            together[partition] = run
            count, size = count + len(run), size + run_size
        if together:
            yield together
            together, count, size = {}, 0, 0


def _size(records: list[Any]) -> int:
    return sum(len(record.value or b"") for record in records)
