"""The embedded runtime: one engine in one thread with its own queue, fed by ingest and moved by the ticker.

Whoever has events puts them in the queue and waits; the thread takes all that is waiting, gives it to the
engine as one transaction, and answers everyone (group commit). Nothing is answered before it is committed, and
a full queue refuses instead of growing. Design sections 2 to 4.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from streams.engine import Delivery, Outcome
from streams.intake import Unavailable
from streams.lag import arrivals
from streams.pipeline import Pipeline
from streams.ticker import TICK_SECONDS, Horizon

log = structlog.get_logger(__name__)

BATCH_EVENTS_MAX: Final = 5_000
"""One transaction's worth: a second or two of work, so that a tick is never kept waiting long."""
QUEUE_EVENTS_MAX: Final = 20_000
"""Some ten seconds of work. Who comes later is better told to come again than kept waiting."""
TICK_CASES_MAX: Final = 500
BETWEEN_CHUNKS_SECONDS: Final = 0.02
"""Between two chunks of a long tick another writer, publishing a rulebook or a key, gets at the database."""
STALL_SECONDS: Final = 60.0
BACKOFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

T = TypeVar("T")

Measure = Callable[[Mapping[str, datetime], datetime], None]
"""Told after each transaction when the newest event of each case arrived, and when all was committed."""


class Processor(Protocol):
    """What the thread needs of an engine."""

    def process(self, batch: Sequence[Delivery], horizon: datetime) -> list[Outcome]: ...

    def tick(self, horizon: datetime, limit: int = ...) -> int: ...

    def begin_import(self, source: str) -> None: ...

    def end_import(self, source: str, complete_until: datetime | None) -> None: ...

    def close(self) -> None: ...


class _Submission:
    """Deliveries that are answered together."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.deliveries = deliveries
        self.answer: Future[list[Outcome]] = Future()


class EngineThread:
    """The one thread that writes the ledger.

    `submit` and `call` may be used from any thread. Errors of the database are retried with back-off, without
    acknowledging anything and without end; any other error ends the thread, because going on could be wrong:
    `failure` then holds it, and the server ends the process. While `ticking` is false no deadline is judged: whoever
    sets it is loading a past and delivers what would be missing.
    """

    def __init__(
        self, engine: Processor, horizon: Horizon, pipeline: Pipeline, measure: Measure = lambda received, now: None
    ) -> None:
        self.horizon = horizon
        self.pipeline = pipeline
        self.failure: BaseException | None = None
        self.ticking = True
        self._engine, self._measure = engine, measure
        self._queue: deque[_Submission] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._waiting = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._troubled = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="engine")

    def start(self) -> None:
        """Start supervising."""
        self._thread.start()

    def submit(self, deliveries: Sequence[Delivery]) -> Future[list[Outcome]]:
        """Put deliveries in the queue; the future gives their outcomes once they are committed.

        Raises Unavailable when the queue has no room, and when the monitor is stopping or has failed. So does
        the future when it turns out later. A future cancelled before its batch was begun leaves no trace.
        """
        submission = _Submission(deliveries)
        with self._wake:
            self._refuse_if_closed()
            if self._waiting and self._waiting + len(deliveries) > QUEUE_EVENTS_MAX:
                raise Unavailable("busy")
            self._queue.append(submission)
            self._waiting += len(deliveries)
            self.pipeline.queue_events.set(self._waiting)
            self._wake.notify_all()
        return submission.answer

    def call(self, act: Callable[[Processor, datetime], T]) -> Future[T]:
        """Do something with the engine between two batches; the future gives what it returned."""
        answer: Future[T] = Future()

        def run() -> None:
            if answer.set_running_or_notify_cancel():
                horizon = self._read_up_to()
                _answer(answer, lambda: self._persist(lambda: act(self._engine, horizon)))

        with self._wake:
            self._refuse_if_closed()
            self._calls.append(run)
            self._wake.notify_all()
        return answer

    def received(self) -> datetime:
        """Tell when what comes in now is received."""
        return self.horizon.received()

    def begin_import(self, source: str) -> Future[None]:
        """Hold a source back."""
        return self.call(lambda engine, _: engine.begin_import(source))

    def end_import(self, source: str, complete_until: datetime | None) -> Future[None]:
        """Release the hold."""
        return self.call(lambda engine, _: engine.end_import(source, complete_until))

    def tick(self) -> Future[int]:
        """Assess again a chunk of what time has changed; 0: nothing is left."""
        return self.call(lambda engine, horizon: engine.tick(horizon, TICK_CASES_MAX))

    def begin_stop(self) -> None:
        """Take nothing new; what is queued is still committed, unless the ledger cannot be written."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()

    def stop(self, timeout: float | None = None) -> bool:
        """Stop gracefully and wait; tell whether the thread has ended."""
        self.begin_stop()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Tell whether the thread is at work."""
        return self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Tell whether deliveries are taken and the ledger can be written, as far as the last attempt showed."""
        return self.alive and not self._stopping and not self._troubled

    @property
    def stalled_seconds(self) -> float:
        """Return how long the present piece of work has gone on without an attempt ending, 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def _refuse_if_closed(self) -> None:
        if self.failure is not None:
            raise Unavailable("engine")
        if self._stopping:
            raise Unavailable("stopping")

    def _run(self) -> None:
        try:
            self._work_until_stopped()
        except BaseException as failure:
            self.failure = failure
            log.critical("the engine failed; nothing more is taken", exc_info=failure)
        finally:
            self._abandon_the_rest()
            self._engine.close()

    def _work_until_stopped(self) -> None:
        next_tick = time.monotonic()
        while True:
            taken = self._take(next_tick)
            if taken:
                self._commit(taken)
            # After the commit: what was asked for may let time pass, and these events have arrived already.
            called = self._answer_calls()
            if not taken and not called and self._stopping:
                return
            if time.monotonic() >= next_tick:
                more = self._tick()
                next_tick = time.monotonic() + (BETWEEN_CHUNKS_SECONDS if more else TICK_SECONDS)

    def _answer_calls(self) -> int:
        with self._wake:
            calls = list(self._calls)
            self._calls.clear()
        for call in calls:
            call()
        return len(calls)

    def _take(self, until: float) -> list[_Submission]:
        """Wait for work until an instant of the monotonic clock, and take a batch of it."""
        with self._wake:
            while not (self._queue or self._calls or self._stopping):
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._wake.wait(left)
            size = 0
            taken: list[_Submission] = []
            # A large submission is a batch of its own: answers must not come before all of it is committed.
            while self._queue and (not taken or size + len(self._queue[0].deliveries) <= BATCH_EVENTS_MAX):
                submission = self._queue.popleft()
                self._waiting -= len(submission.deliveries)
                if submission.answer.set_running_or_notify_cancel():
                    taken.append(submission)
                    size += len(submission.deliveries)
            self.pipeline.queue_events.set(self._waiting)
        return taken

    def _commit(self, taken: list[_Submission]) -> None:
        batch = [delivery for submission in taken for delivery in submission.deliveries]
        horizon = self._read_up_to()
        try:
            with self.pipeline.batch(len(batch)):
                outcomes = self._persist(lambda: self._engine.process(batch, horizon))
        except BaseException as failure:
            reason = failure if isinstance(failure, Unavailable) else Unavailable("engine")
            for submission in taken:
                submission.answer.set_exception(reason)
            if isinstance(failure, Unavailable):
                return
            raise
        assert len(outcomes) == len(batch), "one outcome for each delivery"
        start = 0
        for submission in taken:
            end = start + len(submission.deliveries)
            submission.answer.set_result(outcomes[start:end])
            start = end
        self._measure(arrivals(batch, outcomes), self.horizon.received())

    def _tick(self) -> bool:
        """Re-assess a chunk of what has become due; tell whether there may be more."""
        horizon = self._read_up_to()
        self.pipeline.horizon(self.horizon)
        if self.horizon.stopped or self._stopping or not self.ticking:
            return False
        try:
            with self.pipeline.tick():
                assessed = self._persist(lambda: self._engine.tick(horizon, TICK_CASES_MAX))
        except Unavailable:
            return False
        if assessed:
            self._measure({}, self.horizon.received())
        return assessed > 0

    def _read_up_to(self) -> datetime:
        """Return the horizon: now, but not past the arrival of what still waits in the queue.

        What has arrived and was not read yet may be the very event whose absence would be held against someone.
        """
        now = self.horizon.read()
        with self._wake:
            first = (each.deliveries[0].received_at for each in self._queue if each.deliveries)
            # A backfill says nothing of when it arrived; one must not hide who waits behind it.
            waiting = next((arrived for arrived in first if arrived is not None), now)
        return min(now, waiting)

    def _persist(self, act: Callable[[], T]) -> T:
        """Do one transaction, again and again while the database fails; Unavailable when stopping meanwhile."""
        attempt = 0
        while True:
            self._busy_since = time.monotonic()
            try:
                done = act()
            except (OperationalError, InterfaceError) as error:
                self._trouble(error, attempt)
                self._busy_since = None
                if self._pause(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]):
                    raise Unavailable("ledger") from error
                attempt += 1
            else:
                self._troubled = False
                self.pipeline.ledger_available.set(1)
                return done
            finally:
                self._busy_since = None

    def _trouble(self, error: Exception, attempt: int) -> None:
        self._troubled = True
        self.pipeline.ledger_available.set(0)
        self.pipeline.ledger_errors.inc()
        log.error("the ledger could not be written; trying again", attempt=attempt + 1, error=str(error))

    def _pause(self, seconds: float) -> bool:
        """Wait, but not past a stop; tell whether the monitor is stopping."""
        with self._wake:
            self._wake.wait_for(lambda: self._stopping, seconds)
            return self._stopping

    def _abandon_the_rest(self) -> None:
        """Tell everyone still waiting that nothing of theirs was taken."""
        with self._wake:
            self._stopping = True
            waiting, self._waiting = list(self._queue), 0
            self._queue.clear()
            calls = list(self._calls)
            self._calls.clear()
        code = "engine" if self.failure else "ledger"
        for submission in waiting:
            if submission.answer.set_running_or_notify_cancel():
                submission.answer.set_exception(Unavailable(code))
        for call in calls:
            call()


def _answer(answer: "Future[Any]", act: Callable[[], Any]) -> None:
    try:
        answer.set_result(act())
    except Exception as error:  # noqa: BLE001  whoever called gets it, whatever it is
        answer.set_exception(error)
