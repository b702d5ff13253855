"""What stands in a record of the topic, and how a delivery becomes one and is read from it again.

The key is the case, of a heartbeat its source; the value is the event's JSON as it was delivered. Headers say what
the event itself does not (all are optional):

    monitor-backfill   1: delivered as a past, by an import or a replay
    monitor-source     the source that the sender's API key is bound to
    monitor-fault      what was wrong with the delivery before it could be taken apart (JSON)
    monitor-received   milliseconds since 1970: when the record was first received, in a partition it does not belong to
    monitor-copy       1: a heartbeat read in another partition, which speaks for all of them
    monitor-control    not an event but a word to the partition's owner: see `Control`
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, Protocol

import msgspec

from monitor.events import TIME_MAX, TIME_MIN, Code, EventError, Instant
from streams.admission import Delivery
from streams.kafka.partitions import partition_of

BACKFILL: Final = "monitor-backfill"
SOURCE: Final = "monitor-source"
FAULT: Final = "monitor-fault"
RECEIVED: Final = "monitor-received"
COPY: Final = "monitor-copy"
CONTROL: Final = "monitor-control"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

Headers = list[tuple[str, bytes]]
HeadersRead = Iterable[tuple[str, bytes | None]]
"""As programs of others write them: a value may be missing."""


class Control(StrEnum):
    """What a control record says: time passes; an import of a source begins or has ended; a source is live now."""

    PULSE = "pulse"
    IMPORT_BEGIN = "import_begin"
    IMPORT_END = "import_end"
    LIVE = "live"


_CONTROLS: Final = {kind.value.encode(): kind for kind in Control}


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of a control record about a source."""

    source: Code
    complete_until: Instant | None = None


class Outgoing(msgspec.Struct, frozen=True):
    """A record to be produced; without a partition it goes to the one its key belongs to."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers = []
    heartbeat: bool = False


class Incoming(Protocol):
    """A record as clients give it: `timestamp` in milliseconds since 1970, set by the broker when it was appended."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: HeadersRead


class _Fault(msgspec.Struct, frozen=True):
    code: Literal["malformed", "too_deep", "too_large"]  # found before an event is looked at
    field: str
    detail: str


def outgoing(delivery: Delivery, key: str, topic: str, partitions: int, heartbeat: bool = False) -> Outgoing:
    """Write a delivery as a record; `key` is its case, or its source where it has none or cannot be read.

    One that was read from a partition already keeps the time it was received at.
    """
    headers: Headers = []
    if delivery.backfill:
        headers.append((BACKFILL, b"1"))
    elif delivery.offset is not None and delivery.received_at is not None:
        milliseconds = (delivery.received_at - _EPOCH) // _MILLISECOND
        headers.append((RECEIVED, str(milliseconds).encode()))
    if delivery.bound_source is not None:
        headers.append((SOURCE, delivery.bound_source.encode()))
    if delivery.fault is not None:
        fault = {"code": delivery.fault.code, "field": delivery.fault.field, "detail": delivery.fault.detail}
        headers.append((FAULT, msgspec.json.encode(fault)))
    return Outgoing(topic, partition_of(key, partitions), key.encode(), delivery.written, headers, heartbeat)


def in_turn(records: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Split records into what may be produced together.

    A heartbeat may tell that its source has sent everything up to an instant. It must not reach any partition before
    the events that it speaks of, and so waits until the broker has acknowledged them.
    """
    for heartbeats in (False, True):
        if turn := [record for record in records if record.heartbeat is heartbeats]:
            yield turn


def copies(heartbeat: Delivery, topic: str, partitions: int, home: int) -> list[Outgoing]:
    """Write a heartbeat for every partition but the one it was read in."""
    record = outgoing(heartbeat, "", topic, partitions)
    headers = [*record.headers, (COPY, b"1")]
    return [
        Outgoing(topic, each, None, record.value, headers, heartbeat=True) for each in range(partitions) if each != home
    ]


def control(kind: Control, topic: str, partition: int, said: Said | None = None) -> Outgoing:
    """Write a word to a partition's owner."""
    return Outgoing(topic, partition, None, msgspec.json.encode(said or {}), [(CONTROL, kind.value.encode())])


def delivery(record: Incoming) -> Delivery:
    """Read a delivery from a record. Whatever the record holds becomes a delivery; the engine judges it."""
    headers = dict(record.headers)
    backfill = headers.get(BACKFILL) == b"1"
    bound = headers.get(SOURCE)
    return Delivery(
        record.value or b"",
        None if backfill else received_at(record, headers),
        backfill,
        None if bound is None else bound.decode(errors="replace"),
        fault=_fault(headers.get(FAULT)),
        offset=record.offset,
        copy=headers.get(COPY) == b"1",
    )


def received_at(record: Incoming, headers: dict[str, bytes | None]) -> datetime:
    """Tell when a record was appended to the topic for the first time."""
    stated = headers.get(RECEIVED) or b""
    milliseconds = int(stated) if stated.isdigit() and len(stated) < 15 else record.timestamp
    return instant(min(milliseconds, record.timestamp))


def instant(milliseconds: int) -> datetime:
    """Read a timestamp of a record."""
    return _EPOCH + milliseconds * _MILLISECOND


def control_of(record: Incoming) -> Control | None:
    """Tell which word to the owner a record is; None: it is an event, or what somebody meant for one."""
    for name, value in record.headers:
        if name == CONTROL:
            return _CONTROLS.get(value or b"")
    return None


def said(record: Incoming) -> Said:
    """Read what a control record says of a source. Raises msgspec.DecodeError for what no program of ours wrote."""
    try:
        told = msgspec.json.decode(record.value or b"", type=Said)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
    if told.complete_until is not None and not TIME_MIN <= told.complete_until < TIME_MAX:
        raise msgspec.ValidationError("complete_until: not a time an event can have")
    return told


def _fault(written: bytes | None) -> EventError | None:
    if written is None:
        return None
    try:
        fault = msgspec.json.decode(written, type=_Fault)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return EventError("malformed", "header monitor-fault", "")
    return EventError(fault.code, fault.field, fault.detail)
