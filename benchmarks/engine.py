"""How many events a second go through the engine into a ledger, beside a bare loader that writes the same rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from benchmarks.databases import NewLedger, databases, in_sqlite
from benchmarks.figures import Spent, rates, spending, spread
from benchmarks.history import batches, simulated
from benchmarks.loader import load
from benchmarks.profile import profiling
from benchmarks.sizes import Size
from benchmarks.tape import Tape, blank
from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from monitor.ledger.schema import metadata
from streams.engine import Engine
from streams.simulator import SimulatedCase, in_time_order


class Fed(Spent):
    """What went through an engine, and how long it took."""

    events: int = 0
    batches: int = 0
    touched: int = 0  # cases, summed over batches

    def described(self) -> dict[str, Any]:
        """Describe what was fed."""
        each = {"events": self.events, "batches": self.batches}
        return {**each, "cases_touched_per_batch": round(self.touched / self.batches)}


def measure(size: Size) -> dict[str, Any]:
    """Deliver a simulated past in the order of time: of the city, and of a crowded centre."""
    with databases(size.postgresql) as known:
        return {
            "city": _compared(list(simulated(size.days)), size.runs, known),
            "crowded": _compared(list(simulated(size.crowded_days, size.crowd)), 1, known),
        }


def feed(ledger: Ledger, past: Sequence[SimulatedCase], tape: Tape | None = None) -> Fed:
    """Put simulated cases through an engine in batches; only the engine's own time counts."""
    fed = Fed()
    engine = Engine(ledger)
    try:
        for batch, horizon in batches(in_time_order(past)):
            with spending(fed):
                outcomes = engine.process(batch, horizon)
            assert all(outcome.status == "applied" for outcome in outcomes), "a simulated event was not applied"
            fed.events, fed.batches = fed.events + len(batch), fed.batches + 1
            fed.touched += len({outcome.case for outcome in outcomes})
            if tape is not None:
                tape.cut()
    finally:
        engine.close()
    return fed


def _compared(past: Sequence[SimulatedCase], runs: int, known: Mapping[str, NewLedger]) -> dict[str, Any]:
    """Measure engine and bare loader in turn, on each database."""
    with in_sqlite() as ledger:
        fed = feed(ledger, past)
        found = {**fed.described(), "rows": _rows(ledger), "digest": digest(ledger)}
    return found | {name: _into(new, past, runs, found["digest"]) for name, new in known.items()}


def _into(new_ledger: NewLedger, past: Sequence[SimulatedCase], runs: int, expected: str) -> dict[str, Any]:
    engine: list[Spent] = []
    loader: list[Spent] = []
    with blank() as tape:
        with new_ledger() as ledger, tape.recording():
            feed(ledger, past, tape)
            rows = _rows(ledger)
        for _ in range(runs):
            with new_ledger() as ledger:
                engine.append(feed(ledger, past))
            with new_ledger() as ledger:
                loader.append(load(ledger, tape))
                assert _rows(ledger) == rows, "the loader has not written what the engine wrote"
    with new_ledger() as ledger:
        with profiling() as profile:
            fed = feed(ledger, past)
        assert digest(ledger) == expected, "the databases do not say the same"
    of_loader = [bare.wall_seconds / full.wall_seconds for bare, full in zip(loader, engine, strict=True)]
    return {
        "engine": rates(fed.events, engine),
        "loader": rates(fed.events, loader),
        "engine_of_loader": spread(of_loader, 3),
        "profile": profile.summary(),
    }


def _rows(ledger: Ledger) -> dict[str, int]:
    """Count the rows of each table that has any."""
    with ledger.read() as connection:
        counted = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    return {name: count for name, count in counted.items() if count}
