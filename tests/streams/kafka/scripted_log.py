"""A partition of a topic as a list: records by offset, and what a consumer may deliver of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.events import Event, content
from streams.kafka.producing import Unsent
from streams.kafka.records import Headers, Outgoing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Record:
    """A record as a consumer gives it."""

    offset: int
    timestamp: int
    value: bytes | None
    headers: Headers = field(default_factory=list)
    key: bytes | None = None
    partition: int = 0


class ScriptedLog:
    """Records appended at the instants told; offsets count on, and may leave some out."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.end = 0

    def append(
        self,
        value: bytes | Event | Outgoing | None,
        when: datetime,
        headers: Iterable[tuple[str, bytes]] = (),
        skip: int = 0,
    ) -> Record:
        """Append an event, raw bytes, or a record as we produce it; `skip` offsets before it are of no record."""
        key, headers = None, list(headers)
        if isinstance(value, Outgoing):
            key, headers, value = value.key, [*value.headers, *headers], value.value
        elif isinstance(value, Event):
            key, value = (value.case or value.source).encode(), content(value)
        self.end += skip
        record = Record(self.end, (when - _EPOCH) // timedelta(milliseconds=1), value, headers, key)
        self.records.append(record)
        self.end += 1
        return record

    def since(self, offset: int) -> list[Record]:
        """Read the records from an offset on, as after a seek."""
        return [record for record in self.records if record.offset >= offset]


class Broker:
    """Takes what is produced, unless it is `down`; of a partition that has `lost` its leader the others' alone."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.down = False
        self.lost: int | None = None

    def deliver(self, records: Sequence[Outgoing]) -> None:
        """Keep records, or fail."""
        if self.down:
            raise Unsent("the broker is down")
        self.taken += [record for record in records if record.partition != self.lost]
        if self.lost in {record.partition for record in records}:
            raise Unsent(f"partition {self.lost} has no leader")
