"""The Faust app of a worker: it brings runs of records, says when partitions come and go, and has time pass.

What Faust does that must not be trusted, and what is done instead, is told in docs/kafka.md. No table, no ack, no
offset committed to the broker: positions stand in the ledger, with what was concluded from the records.
"""

import asyncio
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from aiokafka.errors import IllegalStateError
from aiokafka.errors import KafkaError as ConsumerError
from faust.types import TP
from kafka.errors import KafkaError
from sqlalchemy.exc import InterfaceError, OperationalError

from monitor.ledger import LedgerError
from streams.kafka.batching import FetchScheduler
from streams.kafka.credentials import faust_credentials
from streams.kafka.gaps import LogReader
from streams.kafka.gathering import Gathering, in_transactions
from streams.kafka.identity import TopicUnusable
from streams.kafka.meters import WorkerMeters
from streams.kafka.producing import Unsent
from streams.kafka.pump import Hole
from streams.kafka.settings import KafkaSettings
from streams.kafka.supervision import PositionLost, Supervision
from streams.kafka.watchdog import EXIT_FAILED

log = structlog.get_logger(__name__)

EXIT_UNUSABLE: Final = 2
BACKOFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
TICK_SECONDS: Final = 0.2
GATHER_SECONDS: Final = 0.02
"""Between two rounds Faust gets to hand over what it has fetched; far below what anybody waits for a verdict."""
FETCH_BYTES_MAX: Final = 256 * 1024
"""Of one partition at a time: some hundred records, so that a fetch of all 64 is as much as may wait."""
FETCHES_MAX: Final = 5
"""How many of them Faust keeps once there is no room to gather more. At four it pauses the partition that names the
fetch, for up to a second: by then seconds of work are waiting."""
CONFIRM_SECONDS: Final = 5.0
PASSING: Final = (OperationalError, InterfaceError, KafkaError, ConsumerError, Unsent)
"""Errors of a database or a broker that will be there again: tried again, without end and without going on."""


class Worker:
    """One worker's work, as Faust calls for it, in its event loop."""

    def __init__(
        self, supervision: Supervision, settings: KafkaSettings, meters: WorkerMeters, confirm: Callable[[], None]
    ) -> None:
        self.supervision, self.settings, self.meters = supervision, settings, meters
        self._confirm = confirm
        self._log_reader = LogReader(settings)
        self.app = _app(settings)
        self.on_owned: Callable[[list[int]], None] = lambda partitions: None
        self.beat = self.worked = time.monotonic()
        self.troubled = -math.inf
        self.rebalancing_since: float | None = time.monotonic()
        self._generation = self._tick_attempts = 0
        self._ticked_at = -math.inf
        self._gathering = Gathering()
        topic = self.app.topic(settings.topic, value_serializer="raw", key_serializer="raw", acks=False)
        self.app.agent(topic, name="supervise", concurrency=1)(self._supervise)
        self.app.task(self._work)
        self.app.task(self._show_life)
        self.app.task(self._confirm_topic)
        signals: Any = self.app  # the types of the signals know no methods
        signals.on_partitions_revoked.connect(self._on_revoked)
        signals.on_rebalance_complete.connect(self._on_assigned)

    async def _supervise(self, stream: Any) -> None:
        """Gather the runs that Faust brings."""
        async for event in stream.events():
            generation = self._generation
            for partition, records in event.message.value.items():
                if generation == self._generation:
                    await self._gathering.put(partition, records)

    async def _work(self) -> None:
        """Take what was gathered to the pumps, as much of it together as one transaction takes, and let time pass.

        Neither keeps the other waiting for long; and Faust, which has to pass through the loop many times before it
        has handed anything over, comes in between.
        """
        while not self.app.should_stop:
            self.worked = time.monotonic()
            generation = self._generation
            for runs in in_transactions(self._gathering.take()):
                if self._stops():
                    return
                began = time.monotonic()
                await self._take_together(runs, generation)
                await self._let_time_pass(time.monotonic() - began)
            if time.monotonic() > self._ticked_at + TICK_SECONDS:
                await self._let_time_pass(TICK_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)

    def _stops(self) -> bool:
        return bool(self.app.should_stop)

    async def _take_together(self, runs: Mapping[TP, list[Any]], generation: int) -> None:
        attempt = 0
        by_number = {partition.partition: (partition, records) for partition, records in runs.items()}
        alone = list(by_number)
        while len(runs) > 1 and generation == self._generation:
            try:
                alone = self.supervision.take_together({each: records for each, (_, records) in by_number.items()})
                self.meters.pipeline.ledger_available.set(1)
                break
            except PASSING as error:
                await self._wait(error, attempt, -1, -1)
                attempt += 1
                await self._go_on_beside(error)
            except Exception as error:  # noqa: BLE001  as below
                self._fail(error)
        for number in alone:
            await self._take(*by_number[number], generation)

    async def _take(self, partition: TP, records: list[Any], generation: int) -> None:
        attempt = 0
        while generation == self._generation:
            try:
                if await self._is_done_with(partition, records):
                    return
            except IllegalStateError:
                return  # taken away meanwhile; the records go to whoever has it now
            except PASSING as error:
                await self._wait(error, attempt, partition.partition, records[0].offset)
                attempt += 1
                await self._go_on_beside(error)
            except Exception as error:  # noqa: BLE001  whatever it is, going on could be wrong
                self._fail(error)

    async def _is_done_with(self, partition: TP, records: list[Any]) -> bool:
        """Take a run, or have what is missing before it read again; tell whether it need not be given once more."""
        try:
            self.supervision.take(partition.partition, records)
        except Hole as hole:
            return not await self._is_gap(partition, hole)
        self.meters.pipeline.ledger_available.set(1)
        return True

    async def _is_gap(self, partition: TP, hole: Hole) -> bool:
        """Tell whether the log itself has nothing in a hole; else read it from there again."""
        stretch = await asyncio.to_thread(self._log_reader.read, hole.partition, hole.next)
        if self.supervision.position(hole.partition) != hole.next:
            return True  # taken away meanwhile; what was told of the log may be true no more
        if stretch.begins > hole.next:
            self._fail(PositionLost(partition.topic, partition.partition, hole.next, stretch.begins, hole.found + 1))
        # Also where records are missing: those read again may begin behind a gap of the log.
        self.supervision.accept_gaps(hole.partition, stretch.gaps)
        if stretch.first == hole.found:
            return True
        log.warning(
            "records were not delivered; they are read again",
            partition=hole.partition,
            offset=hole.next,
            found=hole.found,
            first=stretch.first,
        )
        consumer: Any = self.app.consumer
        self.meters.healed()
        await consumer.seek_wait({partition: hole.next})
        return False

    async def _wait(self, error: Exception, attempt: int, partition: int, offset: int) -> None:
        self.troubled = time.monotonic()
        self.meters.pipeline.ledger_available.set(0)
        self.meters.pipeline.ledger_errors.inc()
        log.error(
            "could not commit; trying again", partition=partition, offset=offset, attempt=attempt + 1, error=str(error)
        )
        await asyncio.sleep(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])

    async def _go_on_beside(self, error: Exception) -> None:
        """Let time pass while records wait for a broker that does not answer: what is due is due all the same."""
        if not isinstance(error, (OperationalError, InterfaceError)):
            await self._let_time_pass(0.0)

    async def _let_time_pass(self, seconds: float) -> None:
        """Tick what is due, a step at a time, for about so long; what is left has to wait for the next time."""
        until = time.monotonic() + seconds
        busy = True
        while busy and not self.app.should_stop:
            try:
                busy = self.supervision.tick()
                self._tick_attempts = 0
                await self._take_back()
            except PASSING as error:
                await self._wait(error, self._tick_attempts, -1, -1)
                self._tick_attempts += 1
                busy = False
            except Exception as error:  # noqa: BLE001  as above
                self._fail(error)
            self.worked = self._ticked_at = time.monotonic()
            busy = busy and self._ticked_at < until
            await asyncio.sleep(0)

    async def _show_life(self) -> None:
        """Say that the loop goes round."""
        while not self.app.should_stop:
            self.beat = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)

    async def _take_back(self) -> None:
        """Become the writer again of what another has taken over, where the group leaves it to this worker for good.

        Who overtakes rightly has the group's word, and this worker hears of it within its session. Who was late, and
        acted on a word that held no longer, gives up: without this nobody would read the partition any more.
        """
        overtaken_at = self.supervision.overtaken_at
        if overtaken_at is None or self.rebalancing_since is not None:
            return
        if time.monotonic() > overtaken_at + self.settings.session_seconds:
            log.warning("the group has left partitions to this worker that another took over; they are taken back")
            await self._on_assigned(self.app, signal=None)

    async def _confirm_topic(self) -> None:
        """Look now and then whether the topic is still the one the ledger was read from."""
        while not self.app.should_stop:
            await asyncio.sleep(CONFIRM_SECONDS)
            try:
                await asyncio.to_thread(self._confirm)
            except KafkaError as error:
                log.warning("the broker cannot be asked for the topic", error=str(error))
            except TopicUnusable as error:
                self._fail(error)

    @property
    def membership_ended(self) -> bool:
        """Tell whether the task that keeps this worker in its group has ended, while it should run."""
        if self.app.should_stop or self.rebalancing_since is not None:
            return False
        consumer: Any = self.app.consumer
        return bool(consumer._thread._consumer._coordinator._coordination_task.done())  # noqa: SLF001  nothing public tells

    async def _on_revoked(self, app: Any, *args: Any, signal: Any, **kwargs: Any) -> None:
        """Let everything go: a rebalance takes all partitions, and gives some of them back."""
        self._generation += 1
        self.rebalancing_since = time.monotonic()
        self._gathering.clear()
        self.supervision.let_go()
        self.on_owned([])

    async def _on_assigned(self, app: Any, *args: Any, signal: Any, **kwargs: Any) -> None:
        """Become the writer of what was assigned, and read on from where the ledger stands."""
        generation, attempt = self._generation, 0
        while generation == self._generation:
            try:
                await self._take_over(generation)
                return
            except IllegalStateError:
                return  # they were taken away meanwhile; the rebalance that does so ends here too
            except PASSING as error:
                await self._wait(error, attempt, -1, -1)
                attempt += 1
            except Exception as error:  # noqa: BLE001  as above
                self._fail(error)

    async def _take_over(self, generation: int) -> None:
        consumer: Any = self.app.consumer
        assigned = [each for each in consumer.assignment() if each.topic == self.settings.topic]
        begins = await consumer.earliest_offsets(*assigned) if assigned else {}
        ends = await consumer.highwaters(*assigned) if assigned else {}
        if generation != self._generation:
            return  # they are no longer ours: to take them over now would fence their owner
        reach = {each.partition: (begins[each], ends[each]) for each in assigned}
        positions = self.supervision.take_over(reach.keys(), reach)
        if positions:
            await consumer.seek_wait({each: positions[each.partition] for each in assigned})
        if generation != self._generation:
            return
        self.rebalancing_since = None
        self.meters.rebalanced()
        self.on_owned(self.supervision.partitions)
        log.info("ready", partitions=self.supervision.partitions)

    def _fail(self, error: Exception) -> None:
        """End the process: what was not committed is read again by whoever comes next."""
        if isinstance(error, (PositionLost, TopicUnusable, LedgerError)):
            log.critical(str(error))
            os._exit(EXIT_UNUSABLE)
        log.critical("the worker failed; nothing more is taken", exc_info=error)
        os._exit(EXIT_FAILED)


def _app(settings: KafkaSettings) -> faust.App:
    return faust.App(
        settings.group,
        broker=[f"kafka://{server}" for server in settings.bootstrap],
        broker_credentials=faust_credentials(settings),
        ConsumerScheduler=FetchScheduler,
        autodiscover=False,
        broker_check_crcs=True,
        broker_heartbeat_interval=settings.session_seconds / 3,
        broker_max_poll_records=None,
        broker_session_timeout=settings.session_seconds,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        datadir=Path(tempfile.gettempdir()) / f"monitor-faust-{os.getuid()}",  # it makes folders for tables we lack
        stream_buffer_maxsize=FETCHES_MAX,
        stream_publish_on_commit=False,
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
