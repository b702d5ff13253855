"""The engine's thread: group commit, bounded queue, honest answers under failure and at the end."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from streams import embedded
from streams.embedded import EngineThread
from streams.engine import Delivery, Outcome
from streams.intake import Unavailable
from streams.pipeline import Pipeline
from streams.ticker import Horizon

PATIENCE = 10


class ScriptedEngine:
    """An engine that can be held at the door, and fails as told."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.horizons: list[datetime] = []
        self.ticks: list[datetime] = []
        self.failures: list[BaseException] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.closed = False
        self.gate.set()

    def process(self, batch: Sequence[Delivery], horizon: datetime) -> list[Outcome]:
        self.entered.set()
        assert self.gate.wait(PATIENCE)
        if self.failures:
            raise self.failures.pop()
        self.batches.append(len(batch))
        self.horizons.append(horizon)
        return [Outcome("applied", delivery.raw.decode()) for delivery in batch]

    def tick(self, horizon: datetime, limit: int = 500) -> int:
        self.ticks.append(horizon)
        return 0

    def begin_import(self, source: str) -> None: ...

    def end_import(self, source: str, complete_until: datetime | None) -> None: ...

    def close(self) -> None:
        self.closed = True


def database_error() -> OperationalError:
    """What SQLAlchemy raises when the disk is full."""
    return OperationalError("INSERT", None, Exception("database or disk is full"))


@pytest.fixture
def engine() -> ScriptedEngine:
    """An engine that does as it is told."""
    return ScriptedEngine()


@pytest.fixture
def thread(engine: ScriptedEngine) -> Iterator[EngineThread]:
    """A running engine thread."""
    made = EngineThread(engine, Horizon(), Pipeline())
    made.start()
    yield made
    engine.gate.set()
    assert made.stop(PATIENCE)


def one(name: str = "1") -> list[Delivery]:
    """One delivery."""
    return [Delivery(name.encode())]


def hold(engine: ScriptedEngine, thread: EngineThread) -> None:
    """Keep the engine busy with one delivery, so that what comes next must wait."""
    engine.gate.clear()
    thread.submit(one("first"))
    assert engine.entered.wait(PATIENCE)


def test_waiting_singles_are_committed_together(engine: ScriptedEngine, thread: EngineThread) -> None:
    """Two hundred single events that wait for a transaction share the next one, and each gets its own answer."""
    hold(engine, thread)
    answers = [thread.submit(one(str(n))) for n in range(200)]
    engine.gate.set()
    wait(answers, PATIENCE)
    assert [answer.result()[0].id for answer in answers] == [str(n) for n in range(200)]
    assert engine.batches == [1, 200]


def test_batches_are_bounded_but_answers_are_never_split(engine: ScriptedEngine, thread: EngineThread) -> None:
    """A transaction takes no more than its limit, except for one request, which is never answered by halves."""
    hold(engine, thread)
    sizes = (3000, 1500, 1000, 8000)
    answers = [thread.submit(one() * size) for size in sizes]
    engine.gate.set()
    wait(answers, PATIENCE)
    assert engine.batches == [1, 4500, 1000, 8000]
    assert [len(answer.result()) for answer in answers] == list(sizes)


def test_full_queue_refuses_instead_of_growing(
    engine: ScriptedEngine, thread: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its limit the queue takes nothing more, and says so; what it took is still answered."""
    monkeypatch.setattr(embedded, "QUEUE_EVENTS_MAX", 10)
    hold(engine, thread)
    taken = thread.submit(one() * 10)
    with pytest.raises(Unavailable, match="busy"):
        thread.submit(one())
    engine.gate.set()
    assert len(taken.result(PATIENCE)) == 10


def test_database_errors_are_retried_before_anything_is_acknowledged(
    engine: ScriptedEngine, thread: EngineThread
) -> None:
    """A database that fails twice costs time, not events; the answer comes with the commit."""
    engine.failures = [database_error(), database_error()]
    assert thread.submit(one()).result(PATIENCE)[0].status == "applied"
    assert engine.batches == [1]
    assert thread.ready


def test_stop_during_a_database_failure_answers_honestly(
    engine: ScriptedEngine, thread: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while the database fails, those who wait are told that nothing is acknowledged."""
    monkeypatch.setattr(embedded, "BACKOFF_SECONDS", (5.0,))
    engine.failures = [database_error()] * 100
    answer = thread.submit(one())
    deadline = time.monotonic() + PATIENCE
    while thread.ready:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert thread.stop(PATIENCE)
    with pytest.raises(Unavailable, match="ledger"):
        answer.result(0)
    assert engine.closed


def test_stop_commits_what_is_queued(engine: ScriptedEngine, thread: EngineThread) -> None:
    """A stop in the middle of a batch loses nothing that was taken, and takes nothing more."""
    hold(engine, thread)
    queued = [thread.submit(one()) for _ in range(5)]
    thread.begin_stop()
    with pytest.raises(Unavailable, match="stopping"):
        thread.submit(one())
    engine.gate.set()
    assert thread.stop(PATIENCE)
    assert all(answer.result(0)[0].status == "applied" for answer in queued)
    assert engine.closed


def test_failed_engine_answers_everybody_and_takes_nothing_more(engine: ScriptedEngine, thread: EngineThread) -> None:
    """Any error but the database's ends the thread: better to stop than to go on wrong, and nobody waits for ever."""
    hold(engine, thread)
    engine.failures = [AssertionError("an invariant broke")]
    queued = thread.submit(one())
    engine.gate.set()
    with pytest.raises(Unavailable, match="engine"):
        queued.result(PATIENCE)
    assert thread.stop(PATIENCE)
    assert isinstance(thread.failure, AssertionError)
    assert not thread.ready
    assert engine.closed
    with pytest.raises(Unavailable):
        thread.submit(one())


def test_given_up_request_leaves_no_trace(engine: ScriptedEngine, thread: EngineThread) -> None:
    """An answer nobody waits for any more, given up before its batch began, is not processed."""
    hold(engine, thread)
    given_up, kept = thread.submit(one("a")), thread.submit(one("b"))
    assert given_up.cancel()
    engine.gate.set()
    assert kept.result(PATIENCE)[0].id == "b"
    assert engine.batches == [1, 1]


def test_time_passes_without_events(engine: ScriptedEngine, thread: EngineThread) -> None:
    """Deadlines are judged about every second, though nothing is sent."""
    deadline = time.monotonic() + PATIENCE
    while len(engine.ticks) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    gaps = [after - before for before, after in zip(engine.ticks, engine.ticks[1:], strict=False)]
    assert all(timedelta(seconds=0.5) < gap < timedelta(seconds=3) for gap in gaps)


def test_no_deadline_is_judged_while_the_clocks_disagree() -> None:
    """With the wall clock an hour ahead the ticks stop and the meter says so, while events are still taken."""
    engine, step = ScriptedEngine(), timedelta(0)
    horizon = Horizon(wall=lambda: datetime.now().astimezone() + step)
    thread = EngineThread(engine, horizon, Pipeline())
    step = timedelta(hours=1)
    thread.start()
    assert thread.submit(one()).result(PATIENCE)[0].status == "applied"
    time.sleep(1.2)
    assert thread.pipeline.registry.get_sample_value("supervision_ticks_stopped") == 1
    assert thread.stop(PATIENCE)
    assert engine.ticks == []


def test_hung_engine_is_noticed(engine: ScriptedEngine, thread: EngineThread) -> None:
    """The watchdog can tell how long a piece of work has not ended; idle, that is nothing."""
    assert thread.stalled_seconds < 1
    hold(engine, thread)
    time.sleep(0.3)
    assert thread.stalled_seconds >= 0.3


def test_time_does_not_pass_what_has_arrived_and_waits(engine: ScriptedEngine, thread: EngineThread) -> None:
    """A batch is judged no further than the arrival of what is still in the queue: its absence proves nothing."""
    hold(engine, thread)
    arrived = thread.horizon.received() - timedelta(hours=1)
    full = thread.submit(one() * embedded.BATCH_EVENTS_MAX)
    rest = thread.submit([Delivery(b"waiting", arrived)])
    engine.gate.set()
    wait([full, rest], PATIENCE)
    assert engine.batches[-2:] == [embedded.BATCH_EVENTS_MAX, 1]
    assert engine.horizons[-2] == arrived < engine.horizons[-1]
    assert all(tick == arrived or tick > arrived + timedelta(minutes=59) for tick in engine.ticks)


def test_a_backfill_in_the_queue_hides_nobody_behind_it(engine: ScriptedEngine, thread: EngineThread) -> None:
    """Of an import and a live event that wait, it is the live one's arrival that time must not pass."""
    hold(engine, thread)
    arrived = thread.horizon.received() - timedelta(hours=1)
    full = thread.submit(one() * embedded.BATCH_EVENTS_MAX)
    second = thread.submit([Delivery(b"backfill", backfill=True)] * embedded.BATCH_EVENTS_MAX)
    rest = thread.submit([Delivery(b"waiting", arrived)])
    engine.gate.set()
    wait([full, second, rest], PATIENCE)
    assert engine.horizons[-3:-1] == [arrived, arrived]


def test_a_call_lets_no_time_pass_beyond_what_waits(engine: ScriptedEngine, thread: EngineThread) -> None:
    """The horizon a call is given is not past the arrival of what is still in the queue."""
    hold(engine, thread)
    arrived = thread.horizon.received() - timedelta(hours=1)
    thread.submit(one() * embedded.BATCH_EVENTS_MAX)
    asked = thread.call(lambda working, horizon: horizon)
    rest = thread.submit([Delivery(b"waiting", arrived)])
    engine.gate.set()
    assert asked.result(PATIENCE) == arrived
    assert rest.result(PATIENCE)[0].status == "applied"
