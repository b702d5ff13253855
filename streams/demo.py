"""The demonstration: a simulated city whose past year is loaded quickly and which then goes on live.

What was chosen at the first start (seed, size, the moment the past ends) is kept beside the ledger, so that a
restart goes on with the same city. Not here: what the city does (`streams.simulator`).
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import structlog

from monitor.events import Event
from monitor.ledger import Ledger, LedgerError
from streams.embedded import EngineThread
from streams.engine import Delivery, Outcome
from streams.intake import Unavailable
from streams.simulator import YULIN, LiveCentre, Mix, SimulatedCase, simulate_cases
from streams.ticker import Horizon

log = structlog.get_logger(__name__)

BATCH_EVENTS: Final = 2_500
LIVE_SECONDS: Final = 1.0
LATE_AFTER: Final = timedelta(seconds=60)
"""What happened while the demonstration was stopped is told as a past: it alarms nobody."""
WORKING_DAYS_A_YEAR: Final = 250

Progress = Callable[[float, int], None]
"""Told how much of the past is loaded (0 to 1), and how many events that were."""


class City(msgspec.Struct, frozen=True):
    """What a demonstration was started with; `loaded` once its past is in the ledger."""

    seed: int
    since: datetime
    until: datetime
    cases_per_year: int | None = None
    loaded: bool = False

    @property
    def mix(self) -> Mix:
        """The rates of the city: Yulin's, or fewer cases."""
        if self.cases_per_year is None:
            return YULIN
        return msgspec.structs.replace(YULIN, accepted_per_day=self.cases_per_year / WORKING_DAYS_A_YEAR)


class Demonstration:
    """Load a city's past into a running engine, then feed it what happens, in a thread of its own.

    While the past is loaded, and what happened since is caught up with, no deadline is judged: what is missing
    then is not late, it is on its way.
    """

    def __init__(self, city: City, ledger: Ledger, engine: EngineThread, horizon: Horizon) -> None:
        self._city, self._ledger, self._engine, self._horizon = city, ledger, engine, horizon
        self._rulebook = ledger.rulebooks().current.rulebook
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None

    def start(self, progress: Progress, *, live: bool = True, ready: Callable[[], None] = lambda: None) -> None:
        """Begin; `ready` is called once the past is loaded and everything since is caught up with."""

        def run() -> None:
            try:
                self._run(progress, live, ready)
            except Unavailable as why:
                if not self._stop.is_set() and why.code != "stopping":
                    self.failure = why
            except BaseException as failure:
                self.failure = failure
                log.critical("the demonstration failed", exc_info=failure)

        self._engine.ticking = False
        self._thread = threading.Thread(target=run, name="demo", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop feeding events."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, progress: Progress, live: bool, ready: Callable[[], None]) -> None:
        if not self._city.loaded:
            self._load(progress)
        if self._stop.is_set():
            return
        city = self._city
        centre = LiveCentre(self._rulebook, city.seed, city.until, city.mix, since=city.since)
        if live:
            self._tell(centre)
        self._engine.ticking = True
        ready()
        while live and not self._stop.wait(LIVE_SECONDS):
            self._tell(centre)

    def _load(self, progress: Progress) -> None:
        """Load the past, judged as of its end; whole cases fall into one batch, so that each is assessed once."""
        city, sent = self._city, 0
        cases = simulate_cases(self._rulebook, city.seed, city.since, city.until, city.mix)
        for batch, done in _batches(cases, city):
            self._as_of_the_end(batch).result()
            sent += len(batch)
            progress(done, sent)
            if self._stop.is_set():
                return
        self._city = msgspec.structs.replace(city, loaded=True)
        write_city(self._ledger, self._city)
        progress(1.0, sent)

    def _as_of_the_end(self, batch: list[Event]) -> "Future[list[Outcome]]":
        deliveries = [Delivery(event=event, backfill=True) for event in batch]
        return self._engine.call(lambda engine, _now: engine.process(deliveries, self._city.until))

    def _tell(self, centre: LiveCentre) -> None:
        """Tell the engine what has been recorded since the last time."""
        now = self._horizon.received()
        events = iter(centre.events_until(now))
        while part := list(islice(events, BATCH_EVENTS)):
            self._engine.submit([_delivery(event, now) for event in part]).result()


def _delivery(event: Event, now: datetime) -> Delivery:
    late = now - (event.recorded or event.time) > LATE_AFTER
    return Delivery(event=event, received_at=None if late else now, backfill=late)


def _batches(cases: Iterable[SimulatedCase], city: City) -> Iterator[tuple[list[Event], float]]:
    """Put whole cases together; with each batch, how far it has come between the past's beginning and its end."""
    batch: list[Event] = []
    done = 0.0
    for case in cases:
        batch += case.events
        done = max(0.0, min(1.0, (case.midnight - city.since) / (city.until - city.since)))
        if len(batch) >= BATCH_EVENTS:
            yield batch, done
            batch = []
    if batch:
        yield batch, done


def city_of(ledger: Ledger, new: Callable[[], City]) -> City:
    """Read the city this ledger's demonstration was started with, or start one in an empty ledger.

    Raises LedgerError for a ledger that holds events and no demonstration: the simulated must never mix with the
    real.
    """
    path = _path(ledger)
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=City)
    if ledger.horizon() is not None:
        raise LedgerError(
            f"{ledger.name}: this ledger is in use and was not started by 'monitor demo'; "
            "give the demonstration another one, as in: MONITOR_DATA=demo-data monitor demo"
        )
    city = new()
    write_city(ledger, city)
    return city


def write_city(ledger: Ledger, city: City) -> None:
    """Keep a city beside its ledger."""
    path = _path(ledger)
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(city))
    beside.replace(path)


def a_year_until(now: datetime, seed: int, cases_per_year: int | None, days: int) -> City:
    """Choose a city whose past of so many days ends now."""
    return City(seed, now - timedelta(days=days), now, cases_per_year)


def _path(ledger: Ledger) -> Path:
    return ledger.folder / "demo.json"
