"""What a worker does about errors in the middle of its work: it tries again what passes, and gives up nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from aiokafka.errors import KafkaTimeoutError as ConsumerTimeout
from faust.types import TP
from kafka.errors import KafkaTimeoutError
from sqlalchemy.exc import OperationalError

from streams.kafka import app as module
from streams.kafka.app import Worker
from streams.kafka.gaps import Stretch
from streams.kafka.meters import WorkerMeters
from streams.kafka.producing import Unsent
from streams.kafka.pump import Hole
from streams.kafka.settings import KafkaSettings

HERE, THERE = TP("case-events", 0), TP("case-events", 1)
RUN = [SimpleNamespace(offset=5)]
PASSING = [OperationalError("SELECT", None, Exception()), Unsent("no"), KafkaTimeoutError(), ConsumerTimeout()]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Give a worker that owns a partition, as far as its supervision is concerned, and does not wait long."""
    monkeypatch.setattr(module, "BACKOFF_SECONDS", (0.0,))
    supervision: Any = SimpleNamespace(tick=lambda: False, overtaken_at=None)
    return Worker(supervision, KafkaSettings(servers="127.0.0.1:1"), WorkerMeters(), lambda: None)


def in_turn(*answers: object) -> Callable[..., Any]:
    """Answer one after another; an exception is raised."""
    left = list(answers)

    def answer(*arguments: object) -> object:
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return answer


def taken(worker: Worker) -> None:
    """Have a run taken."""
    asyncio.run(worker._take(HERE, RUN, worker._generation))


@pytest.mark.parametrize("error", PASSING)
def test_what_passes_is_tried_again(worker: Worker, error: Exception) -> None:
    """While database or broker do not answer the same records are given again, until they are taken."""
    given: list[object] = []
    answer = in_turn(error, error, True)
    worker.supervision.take = lambda *records: given.append(records) or answer()  # type: ignore[func-returns-value]
    taken(worker)
    assert given == [(0, RUN)] * 3


@pytest.mark.parametrize("error", PASSING[2:])
def test_a_broker_that_cannot_be_asked_about_a_hole_is_asked_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Neither is a gap assumed nor the worker ended because the broker went away while it was asked."""
    worker.supervision.take = in_turn(Hole(0, 3, 5), Hole(0, 3, 5), True)
    answers = in_turn(error, True)

    async def is_gap(partition: TP, hole: Hole) -> bool:
        return bool(answers())

    monkeypatch.setattr(worker, "_is_gap", is_gap)
    taken(worker)


def test_a_partition_taken_away_while_it_is_asked_about_is_left(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who no longer has the partition reads nothing of it again; its new owner does."""

    async def is_gap(partition: TP, hole: Hole) -> bool:
        raise IllegalStateError("not assigned")

    worker.supervision.take = in_turn(Hole(0, 3, 5))
    monkeypatch.setattr(worker, "_is_gap", is_gap)
    taken(worker)


class AskedAboutAHole:
    """A worker that lacks offset 3 and 4, what it is told about the log there, and what it does about it."""

    def __init__(self, worker: Worker, monkeypatch: pytest.MonkeyPatch, stretch: Stretch, position: int = 3) -> None:
        self.accepted: dict[int, int] = {}
        self.sought: list[dict[TP, int]] = []
        self.ended: list[int] = []

        async def seek_wait(positions: dict[TP, int]) -> None:
            self.sought.append(positions)

        def end(status: int) -> None:
            self.ended.append(status)
            raise SystemExit(status)

        monkeypatch.setattr(worker._log_reader, "read", lambda partition, offset: stretch)
        monkeypatch.setattr(type(worker.app), "consumer", SimpleNamespace(seek_wait=seek_wait))
        monkeypatch.setattr(module.os, "_exit", end)
        worker.supervision.position = lambda partition: position
        worker.supervision.accept_gaps = lambda partition, gaps: self.accepted.update(gaps)
        worker.supervision.take = in_turn(Hole(0, 3, 5), True)
        with suppress(SystemExit):
            taken(worker)


def test_gaps_of_the_log_are_stepped_over(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is given again with all gaps known that the log has from there on; nothing is read again."""
    asked = AskedAboutAHole(worker, monkeypatch, Stretch(0, 3, (5, 6, 9)))
    assert asked.accepted == {3: 5, 7: 9}
    assert not asked.sought
    assert not asked.ended


@pytest.mark.parametrize("stretch", [Stretch(0, 3, (3, 4, 5)), Stretch(0, 3, (4, 5)), Stretch(0, 3, ())])
def test_what_the_log_has_is_read_again(worker: Worker, monkeypatch: pytest.MonkeyPatch, stretch: Stretch) -> None:
    """From where it is missing on, also where only some of it is there, or the broker does not have it yet."""
    asked = AskedAboutAHole(worker, monkeypatch, stretch)
    assert asked.sought == [{HERE: 3}]
    assert not asked.ended


def test_what_was_deleted_before_it_was_read_is_no_gap(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention that was faster than the worker is for somebody to decide about: the worker ends."""
    asked = AskedAboutAHole(worker, monkeypatch, Stretch(5, 3, (5, 6)))
    assert asked.ended == [module.EXIT_UNUSABLE]
    assert not asked.accepted


def test_what_was_told_about_a_partition_that_went_is_forgotten(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the broker took its time another worker had it, and retention passed what that one has read."""
    asked = AskedAboutAHole(worker, monkeypatch, Stretch(5, 3, (5, 6)), position=6)
    assert not asked.ended
    assert not asked.accepted
    assert not asked.sought


def test_a_rebalance_ends_what_is_tried_again(worker: Worker) -> None:
    """Records of a partition that a rebalance took are not given to anybody here any more."""

    def failing(*records: object) -> None:
        worker._generation += 1
        raise PASSING[0]

    worker.supervision.take = failing  # type: ignore[assignment]
    taken(worker)


def test_anything_else_ends_the_worker(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error nobody has thought of is no reason to go on."""
    ended: list[int] = []

    def end(status: int) -> None:
        ended.append(status)
        worker._generation += 1

    monkeypatch.setattr(module.os, "_exit", end)
    worker.supervision.take = in_turn(ZeroDivisionError())
    taken(worker)
    assert ended == [module.EXIT_FAILED]


@pytest.mark.parametrize("error", PASSING)
def test_what_passes_is_tried_again_for_all_partitions(worker: Worker, error: Exception) -> None:
    """Runs taken together are given again together; what has to be taken alone comes behind them."""
    given: list[object] = []
    answer = in_turn(error, [1])
    worker.supervision.take_together = lambda runs: given.append(sorted(runs)) or answer()  # type: ignore[func-returns-value]
    worker.supervision.take = lambda partition, records: given.append(partition) or True  # type: ignore[func-returns-value]
    asyncio.run(worker._take_together({HERE: RUN, THERE: RUN}, worker._generation))
    assert given == [[0, 1], [0, 1], 1]


def test_a_rebalance_ends_what_is_tried_again_together(worker: Worker) -> None:
    """Nothing of partitions that a rebalance took is given to anybody here any more, neither together nor alone."""

    def failing(runs: object) -> None:
        worker._generation += 1
        raise PASSING[0]

    worker.supervision.take_together = failing  # type: ignore[assignment]
    worker.supervision.take = in_turn()
    asyncio.run(worker._take_together({HERE: RUN, THERE: RUN}, worker._generation))


def test_a_run_of_one_partition_is_taken_as_it_is(worker: Worker) -> None:
    """There is nothing to put together."""
    given: list[object] = []
    worker.supervision.take = lambda *run: given.append(run) or True  # type: ignore[func-returns-value]
    asyncio.run(worker._take_together({THERE: RUN}, worker._generation))
    assert given == [(1, RUN)]


def test_a_database_that_answers_again_is_told(worker: Worker) -> None:
    """Who watches the gauge sees the outage, and its end, also where all is taken together."""
    available = worker.meters.pipeline.ledger_available
    worker.supervision.take_together = in_turn(PASSING[0], [])
    seen: list[float] = []

    async def waited(*arguments: object) -> None:
        available.set(0)
        seen.append(available._value.get())

    worker._wait = waited  # type: ignore[method-assign]
    asyncio.run(worker._take_together({HERE: RUN, THERE: RUN}, worker._generation))
    assert (seen, available._value.get()) == ([0.0], 1.0)


@pytest.mark.parametrize(("error", "ticks"), list(zip(PASSING, (0, 1, 1, 1), strict=True)))
def test_time_passes_while_a_broker_does_not_answer(worker: Worker, error: Exception, ticks: int) -> None:
    """What is due is found though records have to wait; while the database is away nothing can be."""
    told: list[bool] = []
    worker.supervision.take_together = in_turn(error, [])
    worker.supervision.tick = lambda: told.append(True) or False  # type: ignore[func-returns-value]
    asyncio.run(worker._take_together({HERE: RUN, THERE: RUN}, worker._generation))
    assert len(told) == ticks


def test_a_rebalance_ends_what_was_fetched_before_it(worker: Worker) -> None:
    """Of a fetch that is being gathered nothing more is, once its partitions were taken away."""
    gathered: list[TP] = []

    async def put(partition: TP, records: list[Any]) -> None:
        gathered.append(partition)
        worker._generation += 1

    async def events() -> Any:
        yield SimpleNamespace(message=SimpleNamespace(value={HERE: RUN, THERE: RUN}))

    worker._gathering.put = put  # type: ignore[method-assign]
    asyncio.run(worker._supervise(SimpleNamespace(events=events)))
    assert gathered == [HERE]
