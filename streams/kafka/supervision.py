"""The partitions one worker owns: taken over after each rebalance, fed, ticked, and let go.

Nothing here waits and nothing knows of Faust. Whoever calls does so from one thread.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import structlog

from monitor.ledger import Ledger
from monitor.ledger.deployment import Deployment
from monitor.ledger.lease import Lease
from streams.engine import Engine, Fenced
from streams.kafka.meters import Reach, WorkerMeters
from streams.kafka.neighbours import OtherPartitions
from streams.kafka.producing import Producer
from streams.kafka.pump import TICK_CASES_MAX, Pump, commit, tick
from streams.kafka.records import Incoming

log = structlog.get_logger(__name__)

SAVE_SECONDS: Final = 5.0
"""How often a partition that nothing falls due in saves how far it was read, and learns what others published."""


class PositionLost(RuntimeError):
    """The log does not reach to where the ledger stands: events are missing, or it is another log."""

    def __init__(self, topic: str, partition: int, position: int, begins: int, ends: int) -> None:
        what = f"{topic}/{partition}: the ledger awaits offset {position}, and the topic holds {begins} to {ends}"
        if position < begins:
            why = "what lies between was deleted by retention before it was read"
        else:
            why = "the topic has lost records, or is not the one this ledger was read from"
        super().__init__(
            f"{what}; {why}. Nothing was taken. Restore the topic, or accept the gap with 'monitor positions accept'"
        )


class Supervision:
    """The pumps of the partitions owned, of the topic that is the ledger's `deployment`.

    `confirm` makes sure that the topic still is, or raises.
    """

    def __init__(
        self,
        ledger: Ledger,
        lease: Lease,
        producer: Producer,
        deployment: Deployment,
        confirm: Callable[[], None],
        meters: WorkerMeters,
    ) -> None:
        self._ledger, self._lease, self._producer = ledger, lease, producer
        self._topic, self._count = deployment.topic, deployment.partitions
        self._confirm, self._meters = confirm, meters
        self._pumps: dict[int, Pump] = {}
        self._saved: dict[int, float] = {}
        self._turn = 0
        self.overtaken_at: float | None = None
        """Since when another worker writes a partition that the group did not take away, by the monotonic clock."""

    @property
    def partitions(self) -> list[int]:
        """The partitions owned."""
        return sorted(self._pumps)

    def stream(self, partition: int) -> str:
        """Name the stream of a partition."""
        return f"{self._topic}/{partition}"

    def position(self, partition: int) -> int | None:
        """Give the offset a partition owned awaits; None: it is not owned."""
        pump = self._pumps.get(partition)
        return None if pump is None else pump.next

    def reach(self, ends: Mapping[int, int]) -> dict[int, Reach]:
        """Tell how far each partition owned was read; `ends` are the offsets known to be the last. From any thread."""
        pumps = dict(self._pumps)
        return {each: Reach(pump.horizon, max(0, ends.get(each, -1) + 1 - pump.next)) for each, pump in pumps.items()}

    def take_over(self, partitions: Collection[int], ends: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Become the writer of partitions, and of no others; return the offset each awaits.

        `ends` are the first offset of each partition's log and the one after its last. Raises PositionLost.
        """
        self.let_go()
        pumps = {partition: self._pump(partition) for partition in sorted(partitions)}
        for partition, pump in pumps.items():
            begins, end = ends[partition]
            if not begins <= pump.next <= end:
                raise PositionLost(self._topic, partition, pump.next, begins, end)
        self._pumps = pumps
        self._saved = dict.fromkeys(pumps, time.monotonic())
        return {partition: pump.next for partition, pump in pumps.items()}

    def let_go(self) -> None:
        """Own nothing any more."""
        self._pumps, self.overtaken_at = {}, None

    def take(self, partition: int, records: Sequence[Incoming]) -> bool:
        """Take a run of records; tell whether the partition is owned. Raises what a pump raises, but not Fenced."""
        pump = self._pumps.get(partition)
        if pump is None:
            return False
        try:
            pump.take(records)
        except Fenced as fenced:
            self._lose(fenced)
            return False
        return True

    def take_together(self, runs: Mapping[int, Sequence[Incoming]]) -> list[int]:
        """Take runs of several partitions in one transaction; name the partitions whose run has to be taken alone.

        Raises what a pump raises, but not Fenced: then nothing was taken.
        """
        owned = [partition for partition in runs if partition in self._pumps]
        plain = {partition for partition in owned if self._pumps[partition].is_plain(runs[partition])}
        while together := [self._pumps[each].step(runs[each]) for each in owned if each in plain & self._pumps.keys()]:
            try:
                commit(together, self._meters)
                break
            except Fenced as fenced:
                self._lose(fenced)
        return [partition for partition in owned if partition in self._pumps.keys() - plain]

    def accept_gaps(self, partition: int, gaps: Mapping[int, int]) -> None:
        """Take it that the log of a partition that is owned has no record between some offsets and others."""
        self._pumps[partition].accept_gaps(gaps)

    def tick(self) -> bool:
        """Let time pass in the partitions that it may change, one bounded step; tell whether there was one."""
        partitions = self._next_to_tick()
        if not partitions:
            return False
        try:
            assessed = tick([self._pumps[each] for each in partitions], self._meters)
        except Fenced as fenced:
            self._lose(fenced)
            return True
        if assessed < TICK_CASES_MAX:
            self._saved |= dict.fromkeys(partitions, time.monotonic())
        return True

    def _pump(self, partition: int) -> Pump:
        others = OtherPartitions(self._producer, self._topic, self._count, partition, self._meters)
        engine = Engine(self._ledger, self.stream(partition), lease=self._lease, neighbours=others)
        return Pump(engine, partition, self._meters, self._confirm)

    def _next_to_tick(self) -> list[int]:
        """Name the partitions with something to do, beginning with another each time so that none is kept waiting.

        What has to be saved at all is saved together.
        """
        due = [each for each, pump in self._pumps.items() if pump.may_change]
        before = time.monotonic() - SAVE_SECONDS
        unsaved = {each for each, pump in self._pumps.items() if pump.is_unsaved}
        if any(self._saved[each] < before for each in unsaved):
            due = sorted(unsaved.union(due))
        self._turn += 1
        first = self._turn % len(due) if due else 0
        return due[first:] + due[:first]

    def _lose(self, fenced: Fenced) -> None:
        """Drop the partitions that another worker has taken over."""
        for partition in [each for each in self._pumps if self.stream(each) in fenced.streams]:
            del self._pumps[partition]
            self.overtaken_at = self.overtaken_at or time.monotonic()
            self._meters.fenced()
            log.warning("another worker writes this partition now; it is dropped", partition=partition)
