"""What systems downstream are told of findings and rejects, kept until it has been relayed to them.

A message is written in the transaction whose change it tells, so that nothing is told of one that was rolled back or
fenced; whoever relays messages takes them out once they have arrived. Without a deployment on Kafka nobody would, and
none are kept. Persons, evidence and free texts are in no message, as they are in no view (`monitor.ledger.views`).
"""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, select

from monitor.events import Event
from monitor.ledger.deployment import owner_of
from monitor.ledger.schema import relays
from monitor.ledger.upsert import append
from monitor.verdict import Severity

Topic = Literal["findings", "rejected"]
TOPICS: Final[tuple[Topic, ...]] = ("findings", "rejected")

SeverityName = Literal["notice", "warning", "promised_breach", "statutory_breach"]
SEVERITY_NAMES: Final[dict[Severity, SeverityName]] = {
    Severity.NOTICE: "notice",
    Severity.WARNING: "warning",
    Severity.PROMISED_BREACH: "promised_breach",
    Severity.STATUTORY_BREACH: "statutory_breach",
}


class FindingMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a finding that boards show as a card; `state` and all below are how it is now, or was last.

    `seq` rises with every message of a `ledger`, so that a repeated one is known by it. `cause` says what brought the
    change up: an event delivered live or as a past, an instant that passed, or another rulebook.
    """

    ledger: str = ""
    seq: int = 0
    act: Literal["raise", "worsen", "change", "withdraw"]
    cause: Literal["live", "backfill", "time", "reassessment"]
    id: str
    case: str | None
    rule: str
    rule_version: int
    kind: Literal["conduct", "data"]
    severity: SeverityName
    state: Literal["live", "provisional", "contested", "cancelled", "withdrawn"]
    region: str
    department: str
    item: str
    occurred_at: datetime
    changed_at: datetime


class RejectMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that could not be taken: reason, and what it is known by, but nothing of what stood in it.

    `source` is empty where no registered one can be named, `field` is `other` where the sender made it up, `digest`
    is the SHA-256 of the bytes delivered, and `offset` their place in the partition that `stream` names.
    """

    ledger: str = ""
    seq: int = 0
    stream: str
    offset: int | None
    source: str
    code: str
    field: str
    digest: str
    bytes_count: int
    received_at: datetime


Message = FindingMessage | RejectMessage

_TYPES: Final[dict[str, type[FindingMessage | RejectMessage]]] = {"findings": FindingMessage, "rejected": RejectMessage}


class Waiting(msgspec.Struct, frozen=True):
    """A message that was not relayed yet: which one, and under which key."""

    seq: int
    key: str
    message: Message


def tell(connection: Connection, topic: Topic, messages: Sequence[tuple[str, str, Message]]) -> None:
    """Keep messages, each with its stream and key, until they are relayed; where nobody relays, keep none."""
    if messages and owner_of(connection) is not None:
        rows = [
            {"stream": stream, "topic": topic, "key": key, "message": msgspec.json.encode(message)}
            for stream, key, message in messages
        ]
        append(connection, relays, rows)


def waiting(connection: Connection, ledger: str, topic: Topic, streams: Collection[str], limit: int) -> list[Waiting]:
    """Read the oldest messages of some streams to a topic, in the order in which they were committed within each."""
    wanted = (relays.c.topic == topic) & relays.c.stream.in_(sorted(streams))
    query = select(relays).where(wanted).order_by(relays.c.seq).limit(limit)
    return [_waiting(row, ledger) for row in connection.execute(query).mappings()]


def take_out(connection: Connection, relayed: Collection[int]) -> None:
    """Remove messages that have arrived."""
    connection.execute(delete(relays).where(relays.c.seq.in_(sorted(relayed))))


def backlog(connection: Connection, streams: Collection[str]) -> int:
    """Count the messages of some streams that wait."""
    query = select(func.count()).select_from(relays).where(relays.c.stream.in_(sorted(streams)))
    return int(connection.execute(query).scalar_one())


def known_field(field: str) -> str:
    """Name the field of a reject as far as an event has such a field; what a sender made up may be anything."""
    return field if all(part in _FIELDS for part in _PLACE.sub("", field).split(".")) else "other"


def _waiting(row: RowMapping, ledger: str) -> Waiting:
    message = msgspec.json.decode(row["message"], type=_TYPES[row["topic"]])
    numbered = msgspec.structs.replace(message, ledger=ledger, seq=row["seq"])
    return Waiting(row["seq"], row["key"], numbered)


def _fields() -> frozenset[str]:
    _, described = msgspec.json.schema_components([Event])
    structs: list[dict[str, Any]] = list(described.values())
    return frozenset(name for each in structs for name in each.get("properties", ()))


_FIELDS: Final = _fields() | {"event", "body", "row"}
_PLACE: Final = re.compile(r"\[\d+\]")
