"""Consumers of a topic in processes of their own, and what their accounts add up to."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka import KafkaAdminClient
from kafka.errors import GroupIdNotFoundError, RetriableError
from sqlalchemy import func, select

from benchmarks.consumer import Account, Order
from benchmarks.machine import memory_mb
from monitor.ledger import Ledger
from monitor.ledger.schema import positions
from streams.kafka.settings import KafkaSettings

PATIENCE_SECONDS: Final = 60.0
"""How long nothing at all may be taken."""
STOP_SECONDS: Final = 60.0


class Consumer:
    """One consumer, in a process; `account` is there once it has ended."""

    def __init__(self, order: Order) -> None:
        command = [sys.executable, "-m", "benchmarks.consumer", msgspec.json.encode(order).decode()]
        self._order, self._log = order, Path(f"{order.account}.log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own program
        self.account = Account()

    def confirm(self) -> None:
        """Make sure that it runs."""
        assert self._process.poll() is None, self._how_it_ended()

    def memory_mb(self, *, peak: bool = False) -> float:
        """Give the resident memory of its process."""
        return memory_mb(self._process.pid, peak=peak)

    def end(self) -> None:
        """Stop it gracefully; it must say that all went well."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(STOP_SECONDS) == 0, self._how_it_ended()
        self.account = msgspec.json.decode(Path(self._order.account).read_bytes(), type=Account)

    def kill(self) -> None:
        """End it in any case."""
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def said(self) -> str:
        """Give the end of what it said."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def _how_it_ended(self) -> str:
        return f"a consumer ended with status {self._process.returncode}: {self.said()}"


@contextmanager
def consuming(
    ledger: Ledger,
    settings: KafkaSettings,
    by: str,
    processes: int = 1,
    *,
    profiled: bool = False,
    simulated: bool = True,
) -> Iterator[Sequence[Consumer]]:
    """Run consumers that share the partitions of the topic; when the block ends, they have left their accounts."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, ExitStack() as at_end:
        servers, group = settings.servers or "", f"{by}-{processes}-{time.monotonic_ns()}"
        gate = Path(folder) / "gate"
        consumers = []
        for number in range(processes):
            file = str(Path(folder) / f"{number}.json")
            order = Order(
                by, servers, settings.topic, group, ledger.url, str(ledger.folder), file, str(gate), profiled, simulated
            )
            consumers.append(Consumer(order))
            at_end.callback(consumers[-1].kill)
        _wait_until_joined(settings, group, consumers)
        gate.touch()
        yield consumers
        for consumer in consumers:
            consumer.end()


def _wait_until_joined(settings: KafkaSettings, group: str, consumers: Sequence[Consumer]) -> None:
    """Wait until all consumers are members of their group, and its partitions are shared out."""
    since = time.monotonic()
    with closing(KafkaAdminClient(**settings.client_options())) as admin:
        while True:
            for consumer in consumers:
                consumer.confirm()
            found: Any = None
            with suppress(RetriableError, GroupIdNotFoundError):  # there is no group yet, nor who coordinates it
                found = admin.describe_groups([group])[group]
            if found and found["group_state"] == "Stable" and len(found["members"]) == len(consumers):
                return
            assert time.monotonic() < since + PATIENCE_SECONDS, f"not all joined the group: {found}"
            time.sleep(0.1)


def wait_until_taken(ledger: Ledger, consumers: Sequence[Consumer], events: int) -> None:
    """Wait until so many records were taken into the ledger."""
    taken, moved = -1, time.monotonic()
    while taken < events:
        time.sleep(0.25)
        for consumer in consumers:
            consumer.confirm()
        with ledger.read() as connection:
            now = connection.execute(select(func.coalesce(func.sum(positions.c.next), 0))).scalar_one()
        if now > taken:
            taken, moved = now, time.monotonic()
        given_up = time.monotonic() > moved + PATIENCE_SECONDS
        said = "\n".join(consumer.said() for consumer in consumers) if given_up else ""
        assert not given_up, f"given up when {taken} of {events} records were taken: {said}"


def described(accounts: Sequence[Account]) -> dict[str, Any]:
    """Describe what consumers did together, from when the first of them had its partitions to the last event taken."""
    assigned = [account.assigned for account in accounts if account.assigned is not None]
    assert len(assigned) == len(accounts), "a consumer was never assigned a partition"
    since = min(moment.at for moment in assigned)
    until = max(act.ended.at for account in accounts for act in account.acts if act.events)
    acts = [[act for act in account.acts if since <= act.begun.at < until] for account in accounts]
    assert all(acts), "a consumer had nothing to do"
    every = [act for own in acts for act in own]
    events = sum(act.events for act in every)
    engine = sum(act.ended.main - act.begun.main for act in every)
    main = sum(own[-1].ended.main - moment.main for own, moment in zip(acts, assigned, strict=True))
    whole = sum(own[-1].ended.process - moment.process for own, moment in zip(acts, assigned, strict=True))
    in_engine = sum(act.ended.at - act.begun.at for act in every)

    def us_per_event(cpu_seconds: float) -> float:
        return round(1e6 * cpu_seconds / events, 1)

    return {
        "processes": len(accounts),
        "partitions_least": min(account.partitions for account in accounts),
        "events": events,
        "batches": sum(act.events > 0 for act in every),
        "ticks": sum(act.events == 0 for act in every),
        "per_second": round(events / (until - since)),
        "engine_share_of_time": round(in_engine / (until - since) / len(accounts), 3),
        "cpu_us_per_event": {
            "engine": us_per_event(engine),
            "consumption": us_per_event(whole - engine),
            "of_it_main_thread": us_per_event(main - engine),
        },
        "memory_mb_max": max(account.memory_mb for account in accounts),
    }
