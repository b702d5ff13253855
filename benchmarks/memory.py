"""How much memory an engine holds while a long past goes through it, in a process that does nothing else."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from benchmarks.databases import in_sqlite
from benchmarks.history import batches, simulated
from benchmarks.machine import memory_mb
from benchmarks.sizes import Size
from streams.engine import Engine
from streams.simulator import in_time_order


def measure(size: Size) -> dict[str, Any]:
    """Let a simulated past go through an engine, looking at the resident memory after each tenth of it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(_fed, size.days).result()


def _fed(days: int) -> dict[str, Any]:
    held: list[float] = []
    events = 0
    with in_sqlite() as ledger:
        engine = Engine(ledger)
        before = memory_mb()
        for batch, horizon in batches(in_time_order(simulated(days))):
            engine.process(batch, horizon)
            events += len(batch)
            held.append(memory_mb())
        engine.close()
    tenths = [held[len(held) * tenth // 10 - 1] for tenth in range(1, 11)] if len(held) >= 10 else held
    return {"events": events, "start_mb": before, "after_each_tenth_mb": tenths, "max_mb": memory_mb(peak=True)}
