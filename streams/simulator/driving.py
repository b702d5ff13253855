"""Driving a simulated feed through the engine as it would be live, into a ledger of its own.

Every event is delivered when its source sends it, the horizon moves with it, every source says that it is there, and
the engine looks several times a day; where nothing has come, at the end of the day alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final, NamedTuple

from sqlalchemy import select

from monitor.events import CONSOLE, Event, EventType
from monitor.ledger.access import Ledger
from monitor.ledger.publication import Approval
from monitor.ledger.schema import findings
from streams.engine import Delivery, Engine
from streams.simulator.dirty import Dirt, Feed, Sent, declared, deliver
from streams.simulator.incidents import Loosening, Outage
from streams.simulator.year import SimulatedCase

MIDNIGHT: Final = time(0, 5)
LOOKS: Final = (MIDNIGHT, time(1, 5), time(9), time(12, 5), time(15, 30), time(18, 5))
"""When the engine looks: just after midnight, when days have ended, and through the office day."""
_BATCH_EVENTS: Final = 5_000
_REASON: Final = Approval("simulated")


class Violation(NamedTuple):
    """A violation, planted or found; of no case where a source or the rulebook shows it."""

    case: str
    rule: str
    subject: str


class Drive:
    """One feed, driven through one engine into one ledger; what it planted, delivered and saw on its way."""

    def __init__(
        self,
        ledger: Ledger,
        feed: Feed,
        dirts: Sequence[Dirt] = (),
        outage: Outage | None = None,
        loosening: Loosening | None = None,
    ) -> None:
        self.ledger, self.feed = ledger, feed
        self.rulebook = declared(feed, dirts)
        self.planted: dict[Violation, SimulatedCase | None] = {}
        self.events = self.cases = 0
        self.ever_provisional: set[str] = set()
        self._dirts, self._outage, self._loosening = dirts, outage, loosening
        self._zone = feed.rulebook.days.zone

    def run(self, simulated: Iterable[SimulatedCase], since: datetime, until: datetime) -> None:
        """Deliver everything, and let time pass up to an instant."""
        self.ledger.publish(self.rulebook)
        if self._outage is not None:
            self.planted[Violation("", "V31", self._outage.source)] = None
        sent = deliver(self._noted(simulated), self.feed, self._dirts)
        engine = Engine(self.ledger)
        try:
            waiting = next(sent, None)
            for horizon in self._looks(since, until):
                is_idle = waiting is None or waiting.at > horizon
                if is_idle and horizon.astimezone(self._zone).time() != MIDNIGHT:
                    continue
                self._loosen(horizon)
                batch = [Sent(horizon, beat) for beat in self._heartbeats(horizon)]
                while waiting is not None and waiting.at <= horizon:
                    batch.append(waiting)
                    waiting = next(sent, None)
                    self.events += 1
                self._take(engine, batch, horizon)
        finally:
            engine.close()

    def _take(self, engine: Engine, batch: Sequence[Sent], horizon: datetime) -> None:
        for start in range(0, len(batch), _BATCH_EVENTS):
            part = batch[start : start + _BATCH_EVENTS]
            taken = engine.process([Delivery(event=event, received_at=at) for at, event in part], horizon)
            rejected = [outcome for outcome in taken if outcome.status != "applied"]
            assert not rejected, rejected[:3]
        while engine.tick(horizon):
            pass
        with self.ledger.read() as connection:
            query = select(findings.c.id).where(findings.c.state == "provisional")
            self.ever_provisional.update(connection.execute(query).scalars())

    def _loosen(self, horizon: datetime) -> None:
        """Publish the loosened catalogue once its instant has come: of a simulated past, so that it is retroactive."""
        change = self._loosening
        if change is None or horizon < change.at:
            return
        self._loosening = None
        after = change.applied(self.rulebook)
        version = self.ledger.publish(after, horizon, "simulated", approval=_REASON, retroactive=True)
        self.planted[Violation("", "V23", f"{version}:{change.item}")] = None
        self.planted[Violation("", "V23", f"{version}:retroactive")] = None

    def _heartbeats(self, horizon: datetime) -> Iterator[Event]:
        day = horizon.astimezone(self._zone).date()
        for source in self.rulebook.sources:
            is_silent = self._outage is not None and self._outage == (source.code, day)
            if source.code != CONSOLE and source.can_send(EventType.HEARTBEAT) and not is_silent:
                yield Event(id=f"{horizon:%Y%m%d%H%M}", source=source.code, type=EventType.HEARTBEAT, time=horizon)

    def _looks(self, since: datetime, until: datetime) -> Iterator[datetime]:
        day = since.astimezone(self._zone).date()
        while True:
            for clock in LOOKS:
                instant = datetime.combine(day, clock, self._zone).astimezone(UTC)
                if instant > until:
                    return
                yield instant
            day += timedelta(days=1)

    def _noted(self, simulated: Iterable[SimulatedCase]) -> Iterator[SimulatedCase]:
        for case in simulated:
            if self._outage is not None and not self._outage.spares(case, self._zone):
                continue  # nobody came whose case needs the source that is silent
            self.cases += 1
            for rule, subject in case.planned:
                self.planted[Violation(case.events[0].case or "", rule, subject)] = case
            yield case
