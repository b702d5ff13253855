"""A feed to be surveyed: a source, the hall, and another that delivers at night, into a ledger of their own."""

from datetime import date, timedelta
from pathlib import Path

from msgspec.structs import replace

from monitor.events import Event, EventData, EventType
from monitor.ledger import Ledger
from monitor.readiness import Advice, Readiness, advise, survey
from monitor.readiness.advice import Code
from monitor.rulebook.model import ClockProfile, Delegation, Department, Rulebook, RuleSetting, Window
from streams.engine import Delivery, Engine
from tests.databases import ledger_url
from tests.monitor.cases import SEASON
from tests.small_centre import RULEBOOK, at, event

T = EventType
STEPS = (T.APPLY, T.ACCEPT, T.APPROVE, T.FINISH, T.ISSUE)
HALL = replace(RULEBOOK.sources[0], types=(*STEPS, T.HEARTBEAT), baseline=date(2026, 1, 1))
ITEM = RULEBOOK.items[0]
BOOK = replace(
    RULEBOOK,
    departments=(
        replace(RULEBOOK.departments[0], delegations_complete=True),
        Department(code="far", name="远", name_en="Far", region="4501"),
    ),
    items=(
        RULEBOOK.items[0],
        replace(RULEBOOK.items[0], code="i2"),
        replace(RULEBOOK.items[0], code="i9", department="far"),
    ),
    windows=(Window(code="w1", department="land", name="一号"),),
    delegations=(
        Delegation(item="i1", power="approve", operator="li", valid_from=date(2026, 1, 1)),
        Delegation(item="i1", power="approve", operator="wu", valid_from=date(2026, 1, 1), valid_to=date(2026, 1, 31)),
    ),
    profiles=(ClockProfile(code="next_day", kind="next_day", seasons=(SEASON,)),),
    sources=(HALL, replace(RULEBOOK.sources[0], code="night")),
    rules={name: RuleSetting(mode="card") for name in ("V01", "V02", "V04", "V05", "V06", "V07")},
)


class Feed:
    """A ledger to which a source delivers."""

    def __init__(self, folder: Path, rulebook: Rulebook = BOOK) -> None:
        self.ledger = Ledger.open(ledger_url(folder), folder=folder)
        self.ledger.publish(rulebook)
        self.rulebook = rulebook
        self.engine = Engine(self.ledger)

    def deliver(self, *events: Event, delay: timedelta = timedelta(seconds=20), backfill: bool = False) -> None:
        """Deliver events so long after they happened."""
        received = [None if backfill else each.time + delay for each in events]
        batch = [
            Delivery(event=each, received_at=when, backfill=backfill)
            for each, when in zip(events, received, strict=True)
        ]
        self.engine.process(batch, at(400))

    def close(self) -> None:
        """Close engine and ledger."""
        self.engine.close()
        self.ledger.close()

    def survey(self, source: str = "hall") -> Readiness:
        """Survey a source."""
        with self.ledger.read() as connection:
            return survey(connection, self.rulebook, 1, self.rulebook.source[source])

    def advice(self) -> dict[Code, Advice]:
        """Survey the hall and ask for advice."""
        return {each.code: each for each in advise(self.survey(), self.rulebook)}


def case(name: str, day: float = 0, **change: object) -> list[Event]:
    """A case that is as it should be, but for what is changed in each event."""
    times = zip(STEPS, (0.5, 0.6, 1.1, 1.2, 1.3), strict=True)
    data = {T.APPROVE: EventData(outcome="granted"), T.FINISH: EventData(outcome="granted")}
    given = {"operator": "li", "window": "w1", **change}
    return [
        replace(
            event(kind.value, name, at(day + hours, 0.03)),
            recorded=at(day + hours, 0.031),
            data=data.get(kind, EventData(voucher="v")),
            **given,
        )
        for kind, hours in times
    ]
