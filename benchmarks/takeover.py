"""How long a worker takes until it supervises partitions with many open cases, and how much memory it holds then."""

import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, select, update

from benchmarks import topic
from benchmarks.accepted import application, items, take_accepted
from benchmarks.broker import broker
from benchmarks.consuming import PATIENCE_SECONDS, consuming
from benchmarks.databases import databases
from benchmarks.sizes import Size
from monitor.ledger import Ledger
from monitor.ledger.schema import positions
from streams.engine import Engine
from streams.kafka.partitions import partition_of
from streams.kafka.settings import KafkaSettings

STEADY_SECONDS: Final = 10.0
"""How long it is watched once it supervises: long enough for every partition to have been ticked."""


def measure(size: Size) -> dict[str, Any]:
    """Build the open cases, let an event wait in every partition, and start a worker."""
    with broker() as settings, databases(postgresql=True) as known:
        topic.make(settings)
        with known["postgresql"]() as ledger:
            begun = time.monotonic()
            _open(ledger, settings, size.open_cases)
            built = time.monotonic() - begun
            waiting = _wait_in_every_partition(settings)
            started = time.monotonic()
            with consuming(ledger, settings, "worker", simulated=False) as (worker,):
                supervises = _when_journalled(ledger, 2 * size.open_cases + waiting) - started
                memory = {"supervising": worker.memory_mb()}
                time.sleep(STEADY_SECONDS)
                worker.confirm()
                memory |= {"later": worker.memory_mb(), "max": worker.memory_mb(peak=True)}
            account = worker.account
    assert account.assigned is not None
    assert account.partitions == topic.PARTITIONS, "a worker alone has every partition"
    return {
        "open_cases": size.open_cases,
        "build_seconds": round(built, 1),
        "partitions": account.partitions,
        "owner_after_seconds": round(account.assigned.at - started, 1),
        "supervises_after_seconds": round(supervises, 1),
        "memory_mb": memory,
    }


def _open(ledger: Ledger, settings: KafkaSettings, cases: int) -> None:
    """Let the ledger have open cases, each in the stream of its partition, of a log nothing was read of."""
    own: dict[int, list[str]] = defaultdict(list)
    for number in range(cases):
        case = f"open-{number:07}"
        own[partition_of(case, topic.PARTITIONS)].append(case)
    lease = ledger.lease()
    try:
        for partition, names in own.items():
            take_accepted(Engine(ledger, f"{settings.topic}/{partition}", lease=lease), names)
        with ledger.write() as connection:
            connection.execute(update(positions).values(next=0))
    finally:
        lease.release()


def _wait_in_every_partition(settings: KafkaSettings) -> int:
    """Let an application wait in every partition; return how many there are."""
    names = (f"new-{number:05}" for number in range(100_000))
    chosen: dict[int, str] = {}
    while len(chosen) < topic.PARTITIONS:
        case = next(names)
        chosen.setdefault(partition_of(case, topic.PARTITIONS), case)
    kind = items()[0]
    return topic.fill(settings, [application(case, kind, datetime.now(UTC)) for case in chosen.values()])


def _when_journalled(ledger: Ledger, events: int) -> float:
    """Wait until so many events stand in the ledger; give the moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    # Counting the rows of millions would disturb what is measured: the sequence numbers of the streams say the same.
    taken = select(func.sum(positions.c.seq))
    while True:
        with ledger.read() as connection:
            found = connection.execute(taken).scalar_one()
        if found >= events:
            return time.monotonic()
        assert time.monotonic() < deadline, f"given up when {found} of {events} events were taken"
        time.sleep(0.1)
