"""Replay of a topic: every record of every partition, through the same processing as a worker's, into an empty ledger.

A plain consumer without a group reads each partition from its first record to where it ended at the start. What belongs
to another partition is kept until all are read, and taken there, as order leaves no trace. Nobody is told anything, and
workers can go on where the replay ended.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from kafka import KafkaConsumer, TopicPartition
from msgspec.structs import replace
from sqlalchemy import Connection, update

from monitor.ledger import Ledger, handover
from monitor.ledger.deployment import Deployment, claim
from monitor.ledger.digest import digest
from monitor.ledger.lease import Lease
from monitor.ledger.schema import positions
from monitor.rulebook.model import Rulebook
from streams.engine import Delivery, Engine
from streams.kafka.connecting import connected
from streams.kafka.identity import Identity, TopicUnusable, identity
from streams.kafka.meters import WorkerMeters
from streams.kafka.partitions import partition_of
from streams.kafka.pump import Hole, Pump
from streams.kafka.records import Incoming
from streams.kafka.settings import KafkaSettings
from streams.neighbours import Elsewhere

POLL_MS: Final = 500

Progress = Callable[[int, int], None]
"""Told how many offsets were read, of how many."""


class ReplayedTopic(msgspec.Struct, frozen=True):
    """What a replay read, and the digest it ended in at its `horizon`."""

    streams: int
    records: int
    horizon: datetime
    digest: str


def replay_topic(
    target: Ledger, rulebook: Rulebook, settings: KafkaSettings, progress: Progress = lambda done, total: None
) -> ReplayedTopic:
    """Read a topic into an empty ledger, which judges all of it by one rulebook.

    Raises LedgerError where the ledger is not empty, LeaseHeld, TopicUnusable, and KafkaError where the broker is lost:
    what was broken off is begun again in another empty database.
    """
    topic = identity(settings)
    if topic.timestamp_type != "LogAppendTime":
        raise TopicUnusable(
            f"the topic {settings.topic} keeps the time its producers state ({topic.timestamp_type}), so that nobody "
            "knows when its events were received; produce them to a topic made by 'monitor topics create'"
        )
    lease = target.lease()
    try:
        with target.write() as connection:
            handover.shut(connection, target)
            target.publications.publish(connection, rulebook, reason=f"replay of topic {settings.topic}")
        run = _Run(target, settings.topic, topic, lease)
        records = run.read(settings, progress)
        horizon = run.settle()
        with target.write() as connection:
            handover.tell_nobody(connection)
            run.place(connection)
            found = Deployment(topic.cluster, topic.topic_id, settings.topic, topic.partitions, settings.group)
            claim(connection, found)
            handover.open_to_all(connection)
    finally:
        lease.release()
    return ReplayedTopic(topic.partitions, records, horizon, digest(target, horizon))


class _Run:
    """The partitions of a topic on their way into the ledger."""

    def __init__(self, target: Ledger, name: str, topic: Identity, lease: Lease) -> None:
        self._name, self._count = name, topic.partitions
        self._later: list[_Later] = []
        self._beside = [0] * topic.partitions
        self._pumps: list[Pump] = []
        meters = WorkerMeters()
        for home in range(topic.partitions):
            later = _Later(home, topic.partitions)
            engine = Engine(target, f"{name}/{home}", lease=lease, neighbours=later)
            self._later.append(later)
            self._pumps.append(Pump(engine, home, meters, lambda: None))

    def read(self, settings: KafkaSettings, progress: Progress) -> int:
        """Read every partition from its first record to where it ends now; return how many records that were."""
        consumer = connected(KafkaConsumer, settings, enable_auto_commit=False, auto_offset_reset="none")
        records = 0
        try:
            places = [TopicPartition(self._name, number) for number in range(self._count)]
            consumer.assign(places)
            begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, begins[place])
            total = sum(ends[place] - begins[place] for place in places)
            while any(consumer.position(place) < ends[place] for place in places):
                for place, fetched in consumer.poll(timeout_ms=POLL_MS).items():
                    wanted = [record for record in fetched if record.offset < ends[place]]
                    self._take(self._pumps[place.partition], wanted)
                    records += len(wanted)
                progress(sum(min(consumer.position(place), ends[place]) - begins[place] for place in places), total)
        finally:
            consumer.close()
        for place in places:
            self._pumps[place.partition].next = ends[place]
        return records

    def settle(self) -> datetime:
        """Take what was kept for other partitions, and let time pass; return the largest horizon."""
        while any(later.kept for later in self._later):
            for later in self._later:
                kept, later.kept = later.kept, []
                for home, what in kept:
                    engine, horizon = self._pumps[home].engine, self._pumps[home].horizon
                    if isinstance(what, Delivery):
                        engine.process([what], horizon)
                        self._beside[home] += 1
                    else:
                        engine.hear_live(what)
        for pump in self._pumps:
            while pump.tick():
                pass
        return max(pump.horizon for pump in self._pumps)

    def place(self, connection: Connection) -> None:
        """Set every position to where its partition was read to: what was taken from others is no record of it."""
        for pump, beside in zip(self._pumps, self._beside, strict=True):
            handover.note_beside(connection, pump.engine.stream, beside)
            of_stream = positions.c.stream == pump.engine.stream
            connection.execute(update(positions).where(of_stream).values(next=pump.next))

    @staticmethod
    def _take(pump: Pump, records: Sequence[Incoming]) -> None:
        try:
            pump.take(records)
        except Hole as hole:
            # Read in one go by a consumer that nobody disturbs: what is not there was compacted, or is past retention.
            pump.accept_gaps({hole.next: hole.found})
            pump.take(records)


class _Later:
    """The other partitions, seen from `home`: what concerns them is kept, each behind its partition."""

    def __init__(self, home: int, count: int) -> None:
        self.kept: list[tuple[int, Delivery | str]] = []
        self._home, self._count = home, count

    def is_home(self, case: str) -> bool:
        """Tell whether a case belongs to this partition."""
        return partition_of(case, self._count) == self._home

    def pass_on(self, told: Sequence[Elsewhere]) -> None:
        """Keep what concerns the others; a replay that is broken off is begun again from nothing."""
        (elsewhere,) = told
        for case, delivery in elsewhere.misplaced:
            self.kept.append((partition_of(case, self._count), replace(delivery, offset=None)))
        others = [number for number in range(self._count) if number != self._home]
        for heartbeat in elsewhere.heartbeats:
            self.kept += [(number, replace(heartbeat, offset=None, copy=True)) for number in others]
        for source in elsewhere.live:
            self.kept += [(number, source) for number in others]
