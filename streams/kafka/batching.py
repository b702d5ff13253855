"""Faust's consumption, a fetch at a time.

Faust moves every record on its own through several tasks, which costs more than judging what the record says. Its
setting `ConsumerScheduler` decides what a fetch is cut into; this one leaves all of it together, so that everything
behind it happens once for a whole fetch.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

_BEHIND_ALL: Final = 2**63 - 1
"""Faust drops what lies below the last offset it has seen of a partition. What was read is for the ledger to say."""


class Fetch:
    """What was fetched at once, in the shape Faust expects of one record; `value` holds the records by partition."""

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, records: Mapping[TP, list[Any]]) -> None:
        first = next(iter(records.values()))[0]
        self.topic, self.partition, self.offset = first.topic, first.partition, _BEHIND_ALL
        self.timestamp, self.timestamp_type = first.timestamp, first.timestamp_type
        self.headers, self.checksum, self.key, self.value = (), None, None, records
        self.serialized_key_size = self.serialized_value_size = 0


class FetchScheduler(DefaultSchedulingStrategy):
    """Deliver what was fetched as one, in the name of one of its partitions."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Give all of it, if there is anything."""
        fetched = {partition: run for partition, run in records.items() if run}
        if fetched:
            yield next(iter(fetched)), Fetch(fetched)
