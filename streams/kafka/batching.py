"""Faust's consumption, a run of records at a time.

Faust moves every record on its own through several tasks, which costs more than judging what the record says. Its
setting `ConsumerScheduler` decides what a fetch is cut into; this one leaves the records of a partition together, so
that everything behind it happens once for a whole run.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP


class Run:
    """Consecutive records of a partition, in the shape Faust expects of one record; `value` holds them all."""

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

    def __init__(self, records: list[Any]) -> None:
        first = records[0]
        self.topic, self.partition, self.offset = first.topic, first.partition, first.offset
        self.timestamp, self.timestamp_type = first.timestamp, first.timestamp_type
        self.headers, self.checksum, self.key, self.value = (), None, None, records
        self.serialized_key_size = self.serialized_value_size = 0


class RunScheduler(DefaultSchedulingStrategy):
    """Deliver what was fetched of each partition as one run."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Give a run for each partition that has records."""
        for partition, run in records.items():
            if run:
                yield partition, Run(run)
