"""Feeding a tape to the topic while time goes by, in order and once, or as badly as sources do."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Final
from zlib import crc32

from streams.engine import Delivery
from streams.kafka.producing import Producer, Unsent
from streams.kafka.records import Control, Outgoing, Said, control, outgoing
from streams.kafka.settings import KafkaSettings
from tests.faults.poison import Poison
from tests.faults.tape import Entry, Tape
from tests.faults.thrower import Thrower

SLICE_SECONDS: Final = 0.1
SHUFFLED_SECONDS: Final = 20.0
"""How far a record is torn from its place where records are shuffled; less than any source's tolerance."""

AGAIN_SECONDS: Final = 2.0
"""How much later a record may come again."""
POISONED_SHARE: Final = 0.8
"""Part of the tape with poison between."""

Placing = Callable[[Outgoing, int], Outgoing]
"""Give a record, of a topic with so many partitions, its place."""


class Manner:
    """How a tape is fed: by default every record once, in order, each in its partition."""

    def __init__(
        self,
        *,
        twice: bool = False,
        shuffled: bool = False,
        poison: Iterable[Poison] = (),
        place: Placing | None = None,
        transactional: bool = False,
    ) -> None:
        self.twice, self.shuffled, self.poison, self.place = twice, shuffled, tuple(poison), place
        self.transactional = transactional

    def entries(self, tape: Tape) -> list[Entry]:
        """Give a tape's entries as they are sent."""
        entries = list(tape.entries)
        draw = random.Random(tape.begins.isoformat())
        if self.shuffled:
            entries = [_torn(entry, tape, draw) for entry in entries]
        if self.twice:
            entries += [entry._replace(at=entry.at + draw.choice((0, 0, AGAIN_SECONDS))) for entry in entries]
        return sorted(entries, key=lambda entry: entry.at)


class Feeder:
    """Feeds a tape to a topic, beginning at once, in a thread of its own. What the broker does not take comes again."""

    def __init__(
        self, settings: KafkaSettings, producer: Producer, tape: Tape, partitions: int, manner: Manner
    ) -> None:
        self._producer, self._tape, self._topic, self._partitions = producer, tape, settings.topic, partitions
        self._thrower = Thrower(settings.bootstrap[0], settings.topic)
        self._manner = manner
        self._failure: BaseException | None = None
        self.acknowledged: list[bytes | None] = []
        """What the broker has, and the ledger must have: events, and what was meant for one."""
        self.turned_away = 0
        self.position = 0.0
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self._stopping = threading.Event()
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long the tape is."""
        return self._tape.seconds

    def wait(self, at: float, seconds: float = 300) -> None:
        """Wait until the tape has come so far, in seconds from its beginning."""
        deadline = time.monotonic() + seconds
        while self.position < at and self._thread.is_alive():
            assert time.monotonic() < deadline, f"the feeder stands at {self.position} s of the tape"
            time.sleep(0.05)
        self._check()

    def finish(self, seconds: float = 300) -> None:
        """Wait until the whole tape is acknowledged."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"the feeder stands at {self.position} s of the tape"
        self._check()

    def stop(self) -> None:
        """Feed nothing more."""
        self._stopping.set()
        self._thread.join()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._feed()
        except BaseException as failure:  # noqa: BLE001 - the thread that waits is told
            self._failure = failure
        finally:
            self._thrower.close()

    def _feed(self) -> None:
        importing = True
        self._send(self._words(Control.IMPORT_BEGIN))
        for at, entries in self._slices():
            while self._now() < at:
                if self._stopping.wait(max(0.0, at - self._now())):
                    return
            if importing and at > self._tape.past_seconds + self._patience:
                self._send(self._words(Control.IMPORT_END))
                importing = False
            records = [self._record(entry) for entry in entries]
            self._send(records)
            self.acknowledged += [record.value for record in records]
            if self._manner.poison and self._tape.seconds * POISONED_SHARE > at:
                self._poison(round(at / SLICE_SECONDS))
            self.position = at
        assert not importing, "the tape ended before its import"

    @property
    def _patience(self) -> float:
        """How long after the last of the past its import ends."""
        return SHUFFLED_SECONDS * self._manner.shuffled + AGAIN_SECONDS * self._manner.twice

    def _slices(self) -> Iterator[tuple[float, list[Entry]]]:
        entries = self._manner.entries(self._tape)
        start = 0
        for number in count(1):
            at, end = number * SLICE_SECONDS, start
            while end < len(entries) and entries[end].at <= at:
                end += 1
            yield at, entries[start:end]
            start = end
            if start == len(entries) and at >= self._tape.seconds:
                return

    def _now(self) -> float:
        return time.time() - self._tape.begins.timestamp()

    def _record(self, entry: Entry) -> Outgoing:
        delivery = Delivery(entry.written, backfill=entry.backfill)
        record = outgoing(delivery, entry.key, self._topic, self._partitions)
        return record if self._manner.place is None else self._manner.place(record, self._partitions)

    def _words(self, kind: Control) -> list[Outgoing]:
        until = self._tape.past_until if kind is Control.IMPORT_END else None
        return [
            control(kind, self._topic, partition, Said(source, until))
            for source in self._tape.imported
            for partition in range(self._partitions)
        ]

    def _poison(self, number: int) -> None:
        poison = self._manner.poison[number % len(self._manner.poison)]
        if self._thrower.throw(poison, number % self._partitions) and poison.is_event:
            self.acknowledged.append(poison.value)

    def _send(self, records: list[Outgoing]) -> None:
        """Send records until the broker has them all; some may be there twice then."""
        while records:
            try:
                self._producer.deliver(records)
            except Unsent:
                self.turned_away += 1
                if self._stopping.wait(SLICE_SECONDS):
                    return
            else:
                return


def by_crc32(record: Outgoing, partitions: int) -> Outgoing:
    """Place a record as librdkafka does by default."""
    return _placed(record, crc32(record.key or b"") % partitions)


_turn = count()


def without_key(record: Outgoing, partitions: int) -> Outgoing:
    """Place a record as a producer does that gives no keys: anywhere."""
    return _placed(record, next(_turn) % partitions, None)


def _placed(record: Outgoing, partition: int, key: bytes | None = b"") -> Outgoing:
    return Outgoing(record.topic, partition, record.key if key == b"" else key, record.value, record.headers)


def _torn(entry: Entry, tape: Tape, draw: random.Random) -> Entry:
    at = entry.at + draw.uniform(0, SHUFFLED_SECONDS)
    return entry._replace(at=min(at, max(entry.at, tape.seconds)))
