"""Faust is given the records of a fetch a partition at a time."""

from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streams.kafka.batching import RunScheduler


def record(partition: int, offset: int) -> Any:
    """Make a record as the client of Faust gives it."""
    return SimpleNamespace(topic="t", partition=partition, offset=offset, timestamp=offset * 10, timestamp_type=1)


def test_records_of_a_partition_stay_together_in_order() -> None:
    """Each partition that has records becomes one item, named by its first record, holding all of them."""
    fetched = {TP("t", 0): [record(0, 5), record(0, 7)], TP("t", 1): [], TP("t", 2): [record(2, 1)]}
    runs = list(RunScheduler().iterate(fetched))
    assert [(tp.partition, run.offset, [each.offset for each in run.value]) for tp, run in runs] == [
        (0, 5, [5, 7]),
        (2, 1, [1]),
    ]
    assert (runs[0][1].topic, runs[0][1].partition, runs[0][1].timestamp) == ("t", 0, 50)
