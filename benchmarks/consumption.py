"""How many events a second go from a topic into PostgreSQL: by one worker, by two, and by Faust's default consumption.

All take the same records, of a simulated past, one event each, and must end in the same digest. Beside them the engine
is measured alone, as `engine` does. What consumption costs is what a process spends beside its engine's transactions.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from benchmarks import topic
from benchmarks.broker import broker
from benchmarks.consuming import consuming, described, wait_until_taken
from benchmarks.databases import NewLedger, databases
from benchmarks.engine import feed
from benchmarks.figures import Spent, rates
from benchmarks.history import simulated
from benchmarks.sizes import Size
from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from streams.engine import Engine
from streams.kafka.settings import KafkaSettings
from streams.simulator import SimulatedCase, in_time_order


def measure(size: Size) -> dict[str, Any]:
    """Fill a topic once, and let each way of consumption take it into a ledger of its own."""
    past = list(simulated(size.days))
    with broker() as settings, databases(postgresql=True) as known:
        topic.make(settings, simulated=True)
        log = _Log(settings, past, topic.fill(settings, in_time_order(past)), known["postgresql"])
        alone = [log.fed() for _ in range(size.runs)]
        found = {
            "one_worker": log.taken("worker"),
            "two_workers": log.taken("worker", processes=2),
            "default": log.taken("default"),
        }
        profiles = {f"profile_{by}": log.profiled(by) for by in ("worker", "default")}
    return {
        "events": log.events,
        "digest": log.digest,
        "engine_alone": rates(log.events, alone),
        **found,
        "one_worker_of_engine_alone": _share(found["one_worker"]["per_second"], log.events, alone),
        "consumption_of_default": round(_cost(found["one_worker"]) / _cost(found["default"]), 3),
        **profiles,
    }


def _share(per_second: float, events: int, alone: Sequence[Spent]) -> float:
    return round(per_second * median(spent.wall_seconds for spent in alone) / events, 3)


def _cost(described: dict[str, Any]) -> float:
    return float(described["cpu_us_per_event"]["consumption"])


class _Log:
    """A topic that holds a simulated past of so many events, and the ledger it must become."""

    def __init__(
        self, settings: KafkaSettings, past: Sequence[SimulatedCase], events: int, new_ledger: NewLedger
    ) -> None:
        self._settings, self._past, self._new_ledger = settings, past, new_ledger
        self.events, self.digest = events, ""
        self._horizon = _end(past)

    def fed(self) -> Spent:
        """Put the past through an engine alone."""
        with self._new_ledger() as ledger:
            spent = feed(ledger, self._past)
            self._confirm(digest(ledger, self._horizon))
        return spent

    def taken(self, by: str, processes: int = 1) -> dict[str, Any]:
        """Let consumers take the topic."""
        with self._new_ledger() as ledger:
            if by == "worker":
                self._make_live(ledger)
            with consuming(ledger, self._settings, by, processes) as consumers:
                wait_until_taken(ledger, consumers, self.events)
            self._confirm(digest(ledger, self._horizon))
        return described([consumer.account for consumer in consumers])

    def profiled(self, by: str) -> dict[str, Any] | None:
        """Let one consumer take the topic, looking at where its main thread spends its time."""
        with self._new_ledger() as ledger:
            if by == "worker":
                self._make_live(ledger)
            with consuming(ledger, self._settings, by, profiled=True) as consumers:
                wait_until_taken(ledger, consumers, self.events)
        return consumers[0].account.profile

    def _make_live(self, ledger: Ledger) -> None:
        """Let the sources have delivered live before: what a worker tells the others of that is dated today."""
        sources = sorted({event.source for case in self._past for event in case.events})
        lease = ledger.lease()
        try:
            for partition in range(topic.PARTITIONS):
                engine = Engine(ledger, f"{self._settings.topic}/{partition}", lease=lease)
                for source in sources:
                    engine.hear_live(source)
        finally:
            lease.release()

    def _confirm(self, found: str) -> None:
        self.digest = self.digest or found
        assert found == self.digest, "not every way ended in the same ledger"


def _end(past: Sequence[SimulatedCase]) -> datetime:
    return max(event.recorded or event.time for case in past for event in case.events) + timedelta(days=1)
