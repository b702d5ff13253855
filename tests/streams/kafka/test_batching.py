"""Faust is given the records of a fetch together."""

from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streams.kafka.batching import FetchScheduler


def record(partition: int, offset: int) -> Any:
    """Make a record as the client of Faust gives it."""
    return SimpleNamespace(topic="t", partition=partition, offset=offset, timestamp=offset * 10, timestamp_type=1)


def test_records_of_a_fetch_stay_together_in_order() -> None:
    """Everything fetched becomes one item, named by one of its partitions, holding the records of each."""
    empty, here, there = TP("t", 1), TP("t", 0), TP("t", 2)
    fetched = {empty: [], here: [record(0, 5), record(0, 7)], there: [record(2, 1)]}
    ((named, fetch),) = FetchScheduler().iterate(fetched)
    assert {partition: [each.offset for each in run] for partition, run in fetch.value.items()} == {
        here: [5, 7],
        there: [1],
    }
    assert named == here
    assert (fetch.topic, fetch.partition, fetch.timestamp) == ("t", 0, 50)


def test_nothing_fetched_is_nothing_delivered() -> None:
    """A fetch of no records is passed to nobody."""
    assert list(FetchScheduler().iterate({TP("t", 0): []})) == []
    assert list(FetchScheduler().iterate({})) == []


def test_what_is_read_again_is_delivered() -> None:
    """Faust takes no fetch for one it has seen: after a seek back it would drop records of every partition."""
    (_, first), (_, again) = (next(FetchScheduler().iterate({TP("t", 0): [record(0, each)]})) for each in (900, 100))
    assert again.offset >= first.offset
