"""The accounts of a fault: what an independent reader finds in the topic, and what the ledger says became of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Connection, func, select

from monitor.ledger.schema import journal, positions, rejects, sources
from streams.kafka.partitions import partition_of
from streams.kafka.records import COPY, Control, Incoming, control_of
from streams.kafka.settings import KafkaSettings

Known = set[tuple[Any, ...]]
"""Case, source and id of events."""

_COUNTERS: Final = ("applied", "duplicate", "rejected")


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries in the topic, each in the partition it belongs to, and what the ledger says became of them."""

    acknowledged: int
    delivered: int
    applied: int
    duplicate: int
    rejected: int
    lost: int


class _Placed(msgspec.Struct):
    case: Any = None


def count(
    connection: Connection, settings: KafkaSettings, acknowledged: list[bytes | None], problems: list[str]
) -> Counted:
    """Count deliveries by an independent reader of the topic, and hold the ledger's counters against them (I1, I2)."""
    ends = {
        int(stream.rpartition("/")[2]): ahead
        for stream, ahead in connection.execute(select(positions.c.stream, positions.c.next))
    }
    delivered: Counter[int] = Counter()
    copies: set[tuple[int, str]] = set()
    kept = {tuple(row) for row in connection.execute(select(journal.c.case, journal.c.source, journal.c.id))}
    refused = set(connection.execute(select(rejects.c.digest)).scalars())
    for record in _records(settings, ends):
        is_refused = _digest(record.value) in refused
        if _is_copy(record) and not is_refused:
            # Copied again by a worker that was killed before it had committed: no delivery of the source, nor counted.
            copy = (record.partition, _digest(record.value))
            if copy in copies:
                continue
            copies.add(copy)
        if not _is_word(record, is_refused) and (is_refused or _belongs(record, len(ends))):
            delivered[record.partition] += 1
    taken = _taken(connection)
    problems += [
        f"partition {partition}: {delivered[partition]} deliveries, and the ledger counts {taken[partition]}"
        for partition in sorted(ends)
        if delivered[partition] != sum(taken[partition].values())
    ]
    rows = connection.execute(select(func.count()).select_from(journal)).scalar_one()
    refusals = connection.execute(select(func.count()).select_from(rejects)).scalar_one()
    total = sum(taken.values(), Counter[str]())
    if (rows, refusals) != (total["applied"], total["rejected"]):
        problems.append(f"the journal has {rows} rows, {refusals} were rejected, and the counters say {dict(total)}")
    lost = lost_of(acknowledged, kept, refused)
    if lost:
        problems.append(
            f"{len(lost)} acknowledged records are neither in the journal nor rejected, as {lost[0]!r}"[:500]
        )
    return Counted(
        acknowledged=len(acknowledged),
        delivered=sum(delivered.values()),
        **{name: total[name] for name in _COUNTERS},
        lost=len(lost),
    )


def _taken(connection: Connection) -> dict[int, Counter[str]]:
    taken: dict[int, Counter[str]] = defaultdict(Counter)
    for row in connection.execute(select(sources)).mappings():
        taken[int(row["stream"].rpartition("/")[2])].update({name: row[name] for name in _COUNTERS})
    return taken


def _records(settings: KafkaSettings, ends: dict[int, int]) -> Iterator[Incoming]:
    """Read every partition from its first offset up to where the ledger stands."""
    consumer = KafkaConsumer(**settings.client_options(), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        places = [TopicPartition(settings.topic, partition) for partition in ends]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        waiting = {place for place in places if ends[place.partition] > 0}
        while waiting:
            for place, records in consumer.poll(1000).items():
                yield from (record for record in records if record.offset < ends[place.partition])
            waiting = {place for place in waiting if consumer.position(place) < ends[place.partition]}
    finally:
        consumer.close()


def _is_word(record: Incoming, is_refused: bool) -> bool:
    """Tell whether a record is a word to the partition's owner, and not one that was refused as none."""
    word = control_of(record)
    return word is not None and (word is Control.PULSE or not is_refused)


def _is_copy(record: Incoming) -> bool:
    """Tell whether a record is the copy of a heartbeat that stands in another partition."""
    return (COPY, b"1") in record.headers


def _belongs(record: Incoming, partitions: int) -> bool:
    """Tell whether a record stands where its case belongs; what names no case belongs where it stands.

    One that does not is passed on, and counts where it is then; but what is refused is refused where it stands.
    """
    try:
        case = msgspec.json.decode(record.value or b"", type=_Placed).case
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return not isinstance(case, str) or partition_of(case, partitions) == record.partition


def lost_of(acknowledged: Iterable[bytes | None], kept: Known, refused: set[str]) -> list[bytes | None]:
    """Find what was acknowledged and is neither among the events kept nor, by its digest, among what was refused."""
    return [written for written in acknowledged if not _is_kept(written, kept, refused)]


def _is_kept(written: bytes | None, kept: Known, refused: set[str]) -> bool:
    if _digest(written) in refused:
        return True
    try:
        event = msgspec.json.decode(written or b"")
        return (event.get("case"), event["source"], event["id"]) in kept
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, UnicodeDecodeError, RecursionError):
        return False


def _digest(written: bytes | None) -> str:
    return sha256(written or b"").hexdigest()
