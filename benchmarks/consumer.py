"""A process that takes a topic into a ledger: the worker itself, or Faust's default consumption before the same engine.

It runs until it is told to stop (SIGTERM), and then leaves an account of what it did: when it was assigned its
partitions, and what each transaction of the engine cost. The engine runs in the main thread; what the process spends
beside it, from the assignment on, is the price of consumption.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final

import faust
import msgspec
from faust.types import EventT

from benchmarks import topic
from benchmarks.databases import text_key
from benchmarks.history import BATCH
from benchmarks.machine import memory_mb
from benchmarks.profile import Profile, profiling
from monitor.ledger import Ledger
from streams.engine import Delivery, Engine, Share, process_together, tick_together
from streams.kafka import pulse, pump, worker
from streams.kafka.app import Worker
from streams.kafka.records import instant
from streams.kafka.settings import KafkaSettings
from streams.kafka.supervision import Supervision

WITHIN_SECONDS: Final = 0.5
"""How long Faust's `take` waits for its batch to fill up."""
_NEVER_SECONDS: Final = 1e7


class Moment(msgspec.Struct, frozen=True):
    """Readings of the clocks: one that cannot be set and is the same for all processes, and those of the processor."""

    at: float
    process: float  # processor seconds of the whole process
    main: float  # those of its main thread


class Act(msgspec.Struct, frozen=True):
    """One transaction of the engine; `events`: how many were taken, 0 of a tick."""

    begun: Moment
    ended: Moment
    events: int


class Account(msgspec.Struct):
    """What a consumer did: its first assignment of partitions, if there was one, and the engine's transactions."""

    assigned: Moment | None = None
    partitions: int = 0
    acts: list[Act] = []
    memory_mb: float = 0.0
    profile: dict[str, Any] | None = None

    def note_assigned(self, partitions: int) -> None:
        """Take note that partitions were assigned just now; at the end others leave theirs, which is no beginning."""
        if self.assigned is None:
            self.assigned, self.partitions = moment(), partitions


def moment() -> Moment:
    """Read the clocks."""
    return Moment(time.monotonic(), time.process_time(), time.thread_time())


class Order(msgspec.Struct, frozen=True):
    """What a consumer is to do: `by` worker or default, with which ledger and topic, and where its account goes."""

    by: str
    servers: str
    topic: str
    group: str
    ledger: str
    folder: str  # of the ledger's keys
    account: str
    gate: str  # file that is made when all consumers have come, so that they begin together
    profiled: bool = False
    simulated: bool = True  # time passes by the dates of the records alone


def main() -> int:
    """Consume as the order on the command line says."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    settings = KafkaSettings(servers=order.servers, topic=order.topic, group=order.group)
    account = Account()
    _account_for_engines(account)
    with ExitStack() as at_end:
        at_end.callback(_leave, account, Path(order.account))
        folder = Path(order.folder)
        ledger = at_end.enter_context(Ledger.open(order.ledger, False, text_key(folder), folder=folder))
        if order.profiled:
            profile = at_end.enter_context(profiling(time.thread_time))
            at_end.callback(_summarise, account, profile)
        return _BY[order.by](ledger, settings, account, order)


def _account_for_engines(account: Account) -> None:
    """Have every transaction of an engine accounted for."""

    def accounted(act: Callable[..., Any], taken: Callable[..., int]) -> Callable[..., Any]:
        @wraps(act)
        def run(*arguments: Any, **named: Any) -> Any:
            begun = moment()
            found = act(*arguments, **named)
            account.acts.append(Act(begun, moment(), taken(*arguments)))
            return found

        return run

    def of_shares(shares: Sequence[Share]) -> int:
        return sum(len(share.batch) for share in shares)

    def of_batch(engine: Engine, batch: Sequence[Delivery], *rest: object) -> int:
        return len(batch)

    def of_tick(shares: Sequence[Share], limit: int) -> int:
        return 0

    setattr(Engine, "process", accounted(Engine.process, of_batch))  # noqa: B010 - of the class, for all of them
    setattr(pump, "process_together", accounted(process_together, of_shares))  # noqa: B010 - likewise
    setattr(pump, "tick_together", accounted(tick_together, of_tick))  # noqa: B010 - likewise


def _gated(take_over: Callable[[Worker, int], Awaitable[None]], gate: Path) -> Callable[..., Awaitable[None]]:
    """Have a worker take over its partitions only once the gate is open, or others come and the choice is made anew."""

    async def run(member: Worker, generation: int) -> None:
        while generation == member._generation and not is_open():  # noqa: ASYNC110, SLF001 - another process opens it
            await asyncio.sleep(0.02)
        await take_over(member, generation)

    def is_open() -> bool:
        return gate.exists()

    return run


def _followed(act: Callable[..., Any], then: Callable[..., None]) -> Callable[..., Any]:
    """Have something done after each call."""

    @wraps(act)
    def run(*arguments: Any) -> Any:
        found = act(*arguments)
        then(*arguments)
        return found

    return run


def _by_worker(ledger: Ledger, settings: KafkaSettings, account: Account, order: Order) -> int:
    """Consume as `monitor worker` does; of a simulated past without the pulses, which are of today."""

    def owned(supervision: Supervision, partitions: Collection[int], *rest: object) -> None:
        if partitions:
            account.note_assigned(len(partitions))

    setattr(Worker, "_take_over", _gated(Worker._take_over, Path(order.gate)))  # noqa: B010, SLF001 - before anything is read
    setattr(Supervision, "take_over", _followed(Supervision.take_over, owned))  # noqa: B010 - of the class
    if order.simulated:
        setattr(pulse, "PULSE_SECONDS", _NEVER_SECONDS)  # noqa: B010 - a constant, but of another time
        setattr(worker, "APPEND_TIME", topic.SIMULATED)  # noqa: B010 - likewise
    return worker.run(ledger, settings)


def _by_default(ledger: Ledger, settings: KafkaSettings, account: Account, order: Order) -> int:
    """Consume as Faust's documentation does: its scheduler, a stream of events taken in batches, acknowledged to Kafka.

    One stream of the ledger for all partitions, as nothing here could fence a partition: the largest batches the engine
    can be given, and the least of everything else.
    """
    app: Any = faust.App(
        settings.group,
        broker=[f"kafka://{server}" for server in settings.bootstrap],
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        topic_disable_leader=True,
        worker_redirect_stdouts=False,
    )
    records = app.topic(settings.topic, value_serializer="raw", key_serializer="raw")
    engine = Engine(ledger)

    async def supervise(stream: Any) -> None:
        horizon = engine.horizon
        async for batch in stream.take_events(BATCH, within=WITHIN_SECONDS):
            horizon = max(horizon, *map(_appended_at, batch))
            engine.process([_delivery(event) for event in batch], horizon)

    async def assigned(sender: object, partitions: set[object], **rest: object) -> None:
        account.note_assigned(len(partitions))

    app.agent(records, concurrency=1)(supervise)
    app.on_partitions_assigned.connect(assigned)
    try:
        faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        engine.close()


def _delivery(event: EventT[bytes]) -> Delivery:
    return Delivery(event.message.value or b"", _appended_at(event))


def _appended_at(event: EventT[bytes]) -> datetime:
    return instant(round(event.message.timestamp * 1000))


def _leave(account: Account, file: Path) -> None:
    account.memory_mb = memory_mb(peak=True)
    file.write_bytes(msgspec.json.encode(account))


def _summarise(account: Account, profile: Profile) -> None:
    account.profile = profile.summary()


_BY: Final = {"default": _by_default, "worker": _by_worker}

if __name__ == "__main__":
    sys.exit(main())
