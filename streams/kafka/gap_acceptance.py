"""Gaps an operator accepts: the log does not reach to where the ledger stands, and never will again.

Nothing of this happens by itself: what lies in a gap was an event that no verdict will ever rest on.
"""

import msgspec
from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import select

from monitor.ledger import Ledger, LedgerError
from monitor.ledger.deployment import Deployment, accept_gaps, owner_of
from monitor.ledger.positions import save_positions, take_over
from monitor.ledger.schema import positions
from streams.kafka.connecting import connected
from streams.kafka.identity import identity
from streams.kafka.settings import KafkaSettings


class Gap(msgspec.Struct, frozen=True):
    """A partition whose log does not hold the offset that the ledger awaits, and where it holds records."""

    partition: int
    awaited: int
    begins: int
    ends: int

    @property
    def moves_to(self) -> int:
        """The first offset that can be read on from."""
        return self.begins


class Standing(msgspec.Struct, frozen=True):
    """The topic as it is, the deployment the ledger belongs to, and the gaps between them."""

    found: Deployment
    owner: Deployment
    gaps: list[Gap]

    @property
    def recreated(self) -> bool:
        """Tell whether the topic is another one than the ledger was read from."""
        return self.found.topic_id != self.owner.topic_id

    def told(self) -> list[dict[str, int]]:
        """Say where each gap lies, and where reading goes on behind it."""
        return [{**msgspec.structs.asdict(gap), "moves_to": gap.moves_to} for gap in self.gaps]


def standing(ledger: Ledger, settings: KafkaSettings) -> Standing:
    """Compare where the ledger stands with what the topic holds. Raises LedgerError where nothing can be accepted."""
    with ledger.read() as connection:
        owner = owner_of(connection)
        awaited = {row.stream: row.next for row in connection.execute(select(positions.c.stream, positions.c.next))}
    if owner is None:
        raise LedgerError(f"{ledger.name}: no worker ever wrote this ledger, so that it awaits nothing of a topic")
    topic = identity(settings)
    found = Deployment(topic.cluster, topic.topic_id, settings.topic, topic.partitions, settings.group)
    if msgspec.structs.replace(found, topic_id=owner.topic_id) != owner:
        raise LedgerError(
            f"{ledger.name}: this ledger belongs to {owner}, and what is configured is {found}; a gap is accepted "
            "within one deployment, anything else takes an empty ledger and 'monitor replay'"
        )
    reach = _reach(settings, found.partitions)
    recreated = found.topic_id != owner.topic_id
    gaps = [
        Gap(partition, awaited.get(f"{settings.topic}/{partition}", 0), *reach[partition])
        for partition in range(found.partitions)
    ]
    return Standing(found, owner, [gap for gap in gaps if recreated or not gap.begins <= gap.awaited <= gap.ends])


def accept(ledger: Ledger, stands: Standing, reason: str, actor: str) -> None:
    """Move the positions of the gaps, and say so in the audit; workers that write meanwhile are fenced.

    A partition whose log ends before what is awaited reads all that is there: the same event again changes nothing.
    """
    with ledger.write() as connection:
        moved = {f"{stands.found.topic}/{gap.partition}": gap for gap in stands.gaps}
        for stream, gap in sorted(moved.items()):  # as workers lock them
            position = take_over(connection, stream)
            position.next = gap.moves_to
            save_positions(connection, {stream: position})
        accept_gaps(connection, stands.found, actor, {"reason": reason, "gaps": stands.told()})


def _reach(settings: KafkaSettings, count: int) -> dict[int, tuple[int, int]]:
    """Ask for the first offset of each partition's log and the one after its last. Raises KafkaError."""
    consumer = connected(KafkaConsumer, settings, enable_auto_commit=False)
    try:
        places = [TopicPartition(settings.topic, partition) for partition in range(count)]
        begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        return {place.partition: (begins[place], ends[place]) for place in places}
    finally:
        consumer.close()
