"""A partition of the topic on its way into the ledger: its records in order, each once, whatever Kafka delivers.

The position in the ledger says which record is next. What lies below it was committed and is dropped, once it is sure
that it is still the same topic. What lies beyond it may be a hole that a rebalance tore, and is not taken before the
broker was asked: either nothing lies between, as transactions and compaction leave a log, or it is read from there.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from monitor.events import TIME_MIN, EventError
from streams.engine import Delivery, Engine, Outcome, Share, process_together, tick_together
from streams.kafka.meters import WorkerMeters
from streams.kafka.records import Control, Incoming, control_of, delivery, instant, said
from streams.lag import arrivals, measure
from streams.ticker import utc_now

BATCH_RECORDS_MAX: Final = 2_000
"""One transaction's worth: half a second of work, so that neither ticks nor a rebalance are kept waiting long."""
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""What is no event may be large, and stands in memory several times while it is rejected."""
TICK_CASES_MAX: Final = 500


HOLE_SECONDS: Final = 2.0
"""How long runs fetched before a hole was seen may still come; then whatever is read again was lost again."""


class Hole(Exception):
    """Nothing was delivered between offset `next`, which is awaited, and `found`."""

    def __init__(self, partition: int, expected: int, found: int) -> None:
        self.partition, self.next, self.found = partition, expected, found
        super().__init__(f"partition {partition}: expected offset {expected}, got {found}")


class Pump:
    """Take the records of one partition to the engine of its stream, and let time pass for it.

    `next` is the offset awaited, `horizon` the largest append time read. `confirm` makes sure that the topic is the one
    the ledger was read from, or raises. Raises what the engine raises; what was taken before that is committed, and
    the same records may be given again.
    """

    def __init__(self, engine: Engine, partition: int, meters: WorkerMeters, confirm: Callable[[], None]) -> None:
        self.partition, self.engine = partition, engine
        self.next, self.horizon = engine.next, engine.horizon
        self._meters, self._confirm = meters, confirm
        self._seen_hole: tuple[int, float] | None = None
        self._gaps: Mapping[int, int] = {}
        self._ticked: tuple[datetime, int] = (TIME_MIN, 0)

    def take(self, records: Sequence[Incoming]) -> None:
        """Take a run of records, in the order of the log. Raises Hole, and what the engine raises."""
        unread = [record for record in records if record.offset >= self.next]
        if len(unread) < len(records):
            self._confirm()
            self._meters.dropped(len(records) - len(unread))
        if not unread or not self._follows(unread[0].offset):
            return
        for some in _in_steps(unread):
            self._take_some(some)

    def is_plain(self, records: Sequence[Incoming]) -> bool:
        """Tell whether a run is what is awaited and holds no word to obey, so that it may be taken with others."""
        return self._is_next(records[0].offset) and not any(map(self._is_order, records))

    def accept_gaps(self, gaps: Mapping[int, int]) -> None:
        """Take it that the log has no record between some offsets and the first one behind each."""
        self._gaps = gaps

    def _is_next(self, first: int) -> bool:
        """Tell whether the log has nothing between what was read and an offset."""
        return first == self.next or first == self._gaps.get(self.next)

    def _follows(self, first: int) -> bool:
        """Tell whether a run that begins at an offset may be taken; raises Hole where it may not yet.

        While a hole is read again, runs fetched earlier still come from behind it: they will come once more.
        """
        if self._is_next(first):
            self._seen_hole = None
            return True
        now = time.monotonic()
        if self._seen_hole is not None and self._seen_hole[0] == self.next and now - self._seen_hole[1] < HOLE_SECONDS:
            return False
        self._seen_hole = (self.next, now)
        raise Hole(self.partition, self.next, first)

    def tick(self) -> bool:
        """Let time pass up to the horizon, a bounded step of it; tell whether there may be more."""
        return tick([self], self._meters) > 0

    @property
    def is_begun(self) -> bool:
        """Tell whether anything was ever read here; else nothing can be judged."""
        return self.horizon > TIME_MIN

    def ticked(self, *, whole: bool) -> None:
        """Take note that time has passed up to the horizon, if the `whole` of what that changes is done."""
        if whole:
            self._ticked = (self.horizon, self.next)
        self._measure({})

    @property
    def may_change(self) -> bool:
        """Tell whether time has moved on since the last tick, past something that falls due."""
        return self.horizon > self._ticked[0] and self.engine.may_change(self.horizon)

    @property
    def is_unsaved(self) -> bool:
        """Tell whether the ledger does not know yet how far this partition was read."""
        return self._ticked != (self.horizon, self.next)

    def step(self, records: Sequence[Incoming]) -> "Step":
        """Make a transaction's share of records, none of which is a word to obey."""
        horizon = max(self.horizon, instant(max(record.timestamp for record in records)))
        batch: list[Delivery] = []
        words: list[Control] = []
        heard: list[str] = []
        for record in records:
            word = control_of(record)
            if word is None:
                batch.append(delivery(record))
                continue
            words.append(word)
            # Each partition may be told by several others, and hear what it knows.
            if word is Control.LIVE and not self.engine.knows_live(source := said(record).source):
                heard.append(source)
        return Step(self, batch, words, heard, horizon, records[-1].offset + 1)

    def move(self, step: "Step", outcomes: Sequence[Outcome]) -> None:
        """Take note that a step was committed."""
        self.next, self.horizon = step.upto, step.horizon
        for word in step.words:
            self._meters.control(word)
        self._meters.taken(outcomes)
        if step.batch and len(outcomes) == len(step.batch):  # else some of them were committed before, and measured
            self._measure(arrivals(step.batch, outcomes))

    def _take_some(self, records: Sequence[Incoming]) -> None:
        """Take records up to each word to obey, then that word."""
        events: list[Incoming] = []
        for record in records:
            if self._is_order(record):
                self._commit(events)
                events = []
                self._obey(record)
            else:
                events.append(record)
        self._commit(events)

    @staticmethod
    def _is_order(record: Incoming) -> bool:
        """Tell whether a record is a word to obey where it stands, or to refuse.

        That a source is live may as well be heard before the events around it.
        """
        word = control_of(record)
        if word is not Control.LIVE:
            return word in (Control.IMPORT_BEGIN, Control.IMPORT_END)
        try:
            said(record)
        except msgspec.DecodeError:
            return True
        return False

    def _commit(self, records: Sequence[Incoming]) -> None:
        """Give the engine what stands between two words to obey, in one transaction."""
        if records:
            commit([self.step(records)], self._meters)

    def _measure(self, received: Mapping[str, datetime]) -> None:
        """Measure how soon what the last transaction found was found."""
        measure(self._meters.pipeline.detection_lag_seconds, self.engine.detected, received, utc_now())

    def _obey(self, record: Incoming) -> None:
        word, upto = control_of(record), record.offset + 1
        assert word is not None, "a record to obey is a word"
        self._meters.control(word)
        try:
            told = said(record)
        except msgspec.DecodeError:
            self._refuse(record)
            return
        match word:
            case Control.IMPORT_BEGIN:
                self.engine.begin_import(told.source, upto)
            case Control.IMPORT_END:
                self.engine.end_import(told.source, told.complete_until, upto)
        self.next, self.horizon = upto, max(self.horizon, instant(record.timestamp))

    def _refuse(self, record: Incoming) -> None:
        """Put a word that no program of ours wrote among the rejects, as any other delivery that cannot be read."""
        fault = EventError("malformed", "header monitor-control")
        refused = replace(delivery(record), fault=fault)
        self._meters.taken(
            self.engine.process([refused], max(self.horizon, instant(record.timestamp)), record.offset + 1)
        )
        self.next, self.horizon = record.offset + 1, max(self.horizon, instant(record.timestamp))


class Step(NamedTuple):
    """What one partition has in a transaction: deliveries, words, and how far it comes by them.

    `heard` are the sources that the words say are live, and it did not know of.
    """

    pump: Pump
    batch: Sequence[Delivery]
    words: Sequence[Control]
    heard: Sequence[str]
    horizon: datetime
    upto: int


def commit(steps: Sequence[Step], meters: WorkerMeters) -> None:
    """Give the engines what their partitions have, in one transaction. Raises what the engine raises."""
    shares = [
        Share(step.pump.engine, step.batch, step.horizon, step.upto, step.heard)
        for step in steps
        if step.batch or step.heard
    ]
    taken: dict[Engine, list[Outcome]] = {}
    if shares:
        with meters.batch(sum(len(share.batch) for share in shares)):
            outcomes = process_together(shares)
        taken = {share.engine: some for share, some in zip(shares, outcomes, strict=True)}
    for step in steps:
        step.pump.move(step, taken.get(step.pump.engine, []))


def tick(pumps: Sequence[Pump], meters: WorkerMeters) -> int:
    """Let time pass in several partitions, in one transaction; return how many cases were assessed again.

    With TICK_CASES_MAX of them there may be more in any of the partitions. Raises what the engine raises.
    """
    begun = [pump for pump in pumps if pump.is_begun]
    if not begun:
        return 0
    with meters.tick():
        assessed = tick_together([Share(each.engine, (), each.horizon, each.next) for each in begun], TICK_CASES_MAX)
    for pump in begun:
        pump.ticked(whole=assessed < TICK_CASES_MAX)
    return assessed


def _in_steps(records: Sequence[Incoming]) -> Iterator[list[Incoming]]:
    """Cut a run into what one transaction takes."""
    step: list[Incoming] = []
    size = 0
    for record in records:
        step.append(record)
        size += len(record.value or b"")
        if len(step) >= BATCH_RECORDS_MAX or size >= BATCH_BYTES_MAX:
            yield step
            step, size = [], 0
    if step:
        yield step
