"""Which deployment a ledger belongs to: the topic its streams are read from, and the workers that read it.

The streams of a ledger are partitions of one topic, and their positions are offsets in it. With any other topic they
would mean other events: nothing would be missed loudly, and cases would be judged by half of what happened.
"""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, update

from monitor.ledger import audit
from monitor.ledger.errors import LedgerError
from monitor.ledger.schema import audit as lines
from monitor.ledger.schema import meta, positions
from monitor.ledger.upsert import insert_new

_NAME: Final = "deployment"
_ACCEPT: Final = "positions.accept"


class Deployment(msgspec.Struct, frozen=True):
    """What the streams of a ledger are read from, and by which consumer group."""

    cluster: str
    topic_id: str
    topic: str
    partitions: int
    group: str

    def __str__(self) -> str:
        return (
            f"topic {self.topic} ({self.topic_id}) of cluster {self.cluster}, {self.partitions} partitions, "
            f"group {self.group}"
        )


def claim(connection: Connection, deployment: Deployment) -> None:
    """Make a deployment the ledger's own, or make sure that it is.

    Raises LedgerError where the ledger belongs to another, or to an embedded runtime.
    """
    stated = msgspec.json.encode(deployment).decode()
    insert_new(connection, meta, [{"name": _NAME, "value": stated}])
    owner = owner_of(connection)
    assert owner is not None, "the row was just made, or was there"
    if owner != deployment:
        raise LedgerError(f"this ledger belongs to {owner}; asked for is {deployment}: {_remedy(owner, deployment)}")
    ours = f"{deployment.topic}/"
    for stream in connection.execute(select(positions.c.stream)).scalars():
        if not stream.startswith(ours):
            raise LedgerError(
                f"this ledger holds the stream {stream!r}, which is no partition of {deployment.topic}: it was written "
                "without Kafka, and its events are in no topic; give the workers an empty ledger, and import the events"
            )


def owner_of(connection: Connection) -> Deployment | None:
    """Read which deployment a ledger belongs to; None: to none, as one of an embedded runtime."""
    written = connection.execute(select(meta.c.value).where(meta.c.name == _NAME)).scalar_one_or_none()
    return None if written is None else msgspec.json.decode(written, type=Deployment)


def accept_gaps(connection: Connection, deployment: Deployment, actor: str, detail: dict[str, Any]) -> None:
    """Let the ledger belong to its topic as it is now, though that has lost records, and say so in the audit."""
    stated = msgspec.json.encode(deployment).decode()
    connection.execute(update(meta).where(meta.c.name == _NAME).values(value=stated))
    audit.record(connection, actor, _ACCEPT, deployment.topic, {"topic_id": deployment.topic_id, **detail})


def has_accepted_gaps(connection: Connection) -> bool:
    """Tell whether positions were ever moved by an operator, so that they do not tell how much was taken."""
    return connection.execute(select(lines.c.seq).where(lines.c.act == _ACCEPT).limit(1)).first() is not None


def refuse_other(connection: Connection, asked: Deployment) -> None:
    """Make sure that the ledger belongs to nobody yet, or to workers that read this topic, whatever their group.

    For who produces to the topic or reads the ledger beside them. Raises LedgerError.
    """
    owner = owner_of(connection)
    if owner is not None and msgspec.structs.replace(asked, group=owner.group) != owner:
        raise LedgerError(f"this ledger belongs to {owner}; asked for is {asked}: {_remedy(owner, asked)}")


def refuse_owned(connection: Connection) -> None:
    """Make sure that no deployment owns the ledger. Raises LedgerError where one does: its workers write it."""
    owner = owner_of(connection)
    if owner is not None:
        raise LedgerError(
            f"this ledger belongs to {owner}: its workers write it ('monitor worker'); set MONITOR_KAFKA_SERVERS to "
            "send events to them, or name another ledger"
        )


def _remedy(owner: Deployment, asked: Deployment) -> str:
    if owner.cluster != asked.cluster:
        return "check MONITOR_KAFKA_SERVERS, or name the ledger of that cluster"
    if owner.topic != asked.topic:
        return "check MONITOR_KAFKA_TOPIC, or name the ledger of that topic"
    if owner.topic_id != asked.topic_id:
        return (
            "the topic was deleted and made again, and its offsets count other records; restore it, or accept with "
            "'monitor positions accept' that what this ledger had not read yet of the old one is lost"
        )
    if owner.partitions != asked.partitions:
        return (
            "with another number of partitions cases would move to other streams; give the workers an empty ledger, "
            "and have the events sent to the topic again"
        )
    return "two groups would each take every event; check MONITOR_KAFKA_GROUP, or give each group its own ledger"
