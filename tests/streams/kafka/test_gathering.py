"""Runs that wait are joined where nothing is missing between them, and only so many may wait."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.kafka import gathering
from streams.kafka.gathering import Gathering, in_transactions

HERE, THERE = TP("t", 0), TP("t", 1)


def run(*offsets: int) -> list[Any]:
    """Make a run of records."""
    return [SimpleNamespace(offset=offset, value=b"12345") for offset in offsets]


def offsets(runs: list[list[Any]]) -> list[list[int]]:
    """Give the offsets of runs."""
    return [[record.offset for record in each] for each in runs]


def test_runs_that_follow_each_other_become_one() -> None:
    """What waits of a partition is taken in one step, in its order; other partitions stay apart."""

    async def gathered() -> Any:
        waiting = Gathering()
        await waiting.put(HERE, run(1, 2))
        await waiting.put(THERE, run(7))
        await waiting.put(HERE, run(3))
        return waiting.take(), waiting.take()

    taken, then = asyncio.run(gathered())
    assert {partition: offsets(runs) for partition, runs in taken.items()} == {HERE: [[1, 2, 3]], THERE: [[7]]}
    assert then == {}


def test_runs_with_something_missing_between_them_stay_apart() -> None:
    """A gap between two runs is still seen as one by whoever takes them; so is a run that comes again."""

    async def gathered() -> Any:
        waiting = Gathering()
        for each in (run(1, 2), run(4), run(5), run(2)):
            await waiting.put(HERE, each)
        return waiting.take()

    assert offsets(asyncio.run(gathered())[HERE]) == [[1, 2], [4, 5], [2]]


def test_a_run_is_not_changed_by_being_joined() -> None:
    """What Faust handed over stays as it was."""

    async def gathered() -> list[Any]:
        waiting, first = Gathering(), run(1)
        await waiting.put(HERE, first)
        await waiting.put(HERE, run(2))
        return first

    assert len(asyncio.run(gathered())) == 1


@pytest.mark.parametrize(("limit", "most"), [("RECORDS_MAX", 2), ("BYTES_MAX", 10)])
def test_only_so_much_waits(limit: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """While too much waits nothing more is taken from Faust; once it was taken, the next run gets in."""
    monkeypatch.setattr(gathering, limit, most)

    async def gathered() -> tuple[bool, Any]:
        waiting = Gathering()
        await waiting.put(HERE, run(1, 2))
        blocked = asyncio.create_task(waiting.put(HERE, run(3)))
        await asyncio.sleep(0)
        before = blocked.done()
        waiting.clear()
        await asyncio.wait_for(blocked, 20)
        return before, waiting.take()

    before, taken = asyncio.run(gathered())
    assert not before
    assert offsets(taken[HERE]) == [[3]]


def test_a_transaction_takes_at_most_one_run_of_each_partition() -> None:
    """Behind what may be a hole nothing is taken before the run in front of it was."""
    waiting = {HERE: [run(1, 2), run(4)], THERE: [run(7)]}
    taken = [{partition: offsets([each]) for partition, each in some.items()} for some in in_transactions(waiting)]
    assert taken == [{HERE: [[1, 2]], THERE: [[7]]}, {HERE: [[4]]}]
    assert list(in_transactions({})) == []


@pytest.mark.parametrize(("limit", "most"), [("BATCH_RECORDS_MAX", 3), ("BATCH_BYTES_MAX", 15)])
def test_a_transaction_takes_only_so_much(limit: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are put together up to what one transaction takes; one that is larger stays alone."""
    monkeypatch.setattr(gathering, limit, most)
    places = [TP("t", number) for number in range(4)]
    waiting = dict(zip(places, ([run(1, 2)], [run(1)], [run(1, 2, 3, 4)], [run(1)]), strict=True))
    assert [[place.partition for place in some] for some in in_transactions(waiting)] == [[0, 1], [2], [3]]
