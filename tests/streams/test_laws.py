"""Laws of the engine with the real assessment: order, repetition, batching and ticks leave no trace (I2, I3, I8)."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.events import Due, Event, EventData, EventType, content, decode
from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from monitor.ledger.schema import findings
from monitor.ledger.verify import verify
from monitor.rulebook.model import (
    CalendarRules,
    ClockProfile,
    ClosedDay,
    Delegation,
    Department,
    Fee,
    Item,
    Limits,
    Material,
    Region,
    Rulebook,
    RuleSetting,
    Season,
    Source,
)
from monitor.rules import RULES
from streams.engine import Delivery, Engine
from tests.databases import scratch_ledger
from tests.said import entered, said

START = datetime(2009, 3, 2, 1, tzinfo=UTC)
END = START + timedelta(days=120)
"""The common horizon: every limit of these cases has run out."""

T = EventType

RULEBOOK = Rulebook(
    name="试验市",
    name_en="Test city",
    regions=(Region(code="4509", name="市", name_en="city", level="city"),),
    departments=tuple(
        Department(code=code, name=code, name_en=code, region="4509", delegations_complete=code == "d1")
        for code in ("d1", "d2")
    ),
    items=(
        Item(
            code="licence",
            name="许可",
            name_en="licence",
            department="d1",
            type="promised",
            nature="licence",
            promised_limit="5 wd",
            statutory_limit="8 wd",
            step_limits={"accept": "3 wd"},
            materials=(Material(code="M1", name="一"), Material(code="M2", name="二")),
            fees=(Fee(code="F1", name="费", amount=10, basis="b"),),
            two_persons=True,
        ),
        Item(
            code="joint",
            name="联办",
            name_en="joint",
            department="d1",
            type="joint",
            nature="licence",
            promised_limit="6 wd",
            legs={"d1": "3 wd", "d2": "4 wd"},
        ),
    ),
    sources=(
        Source(code="hall", name="大厅", owner="o", regions=("4509",)),
        Source(code="night", name="夜间", owner="o", regions=("4509",), lateness_hours=24, suspensions_at_end=True),
        Source(code="daily", name="按日", owner="o", regions=("4509",), precision="day"),
        Source(code="blind", name="盲", owner="o", regions=("4509",), types=tuple(set(T) - {T.SUPPLEMENT_NOTICE})),
    ),
    calendar=CalendarRules(version="t", closed=(ClosedDay(day=date(2009, 4, 6), name="清明"),)),
    profiles=(
        ClockProfile(
            code="next_day",
            kind="next_day",
            seasons=(Season(sessions=((time(8, 30), time(12)), (time(15), time(18)))),),
        ),
    ),
    limits=Limits(archive="5 wd", reply="5 wd"),
    delegations=(
        Delegation(item="licence", power="approve", operator="O1", valid_from=date(2009, 1, 1), amount_max=9),
    ),
    rules={each.id: RuleSetting(mode="card") for each in RULES.values()},
)


@st.composite
def deliveries(draw: st.DrawFn) -> list[Delivery]:
    """Draw events of a few cases, each with the moment it was received: on time, late, doubled, contradicting."""
    return draw(st.lists(_delivered(), min_size=1, max_size=14))


@st.composite
def _delivered(draw: st.DrawFn) -> Delivery:
    kind, time = draw(st.sampled_from(_KINDS)), START + timedelta(hours=draw(st.integers(0, 24 * 20)))
    data = draw(said(kind, time))
    if kind is T.RETRACT:
        data["target"] = "accept-0"
    if kind is T.APPLY and draw(st.booleans()):
        data["due"] = Due(time + timedelta(days=4))
    event = Event(
        id=f"{kind}-{draw(st.integers(0, 1))}",
        case=draw(st.sampled_from(["c1", "c1", "c2"])),
        type=kind,
        time=time,
        region="4509",
        source=draw(st.sampled_from(["hall", "hall", "night", "blind", "daily"])),
        item=draw(st.sampled_from(["licence", "licence", "joint", "nobody-knows"])),
        department=draw(st.sampled_from(["d1", "d2"])),
        data=EventData(**data),
        **draw(entered(time)),
    )
    delay = draw(st.sampled_from([timedelta(0), timedelta(minutes=3), timedelta(hours=20), timedelta(days=6)]))
    return Delivery(content(event), event.time + delay)


_KINDS = [
    *(T.CONSULT, T.APPLY, T.RECEIVED, T.SUPPLEMENT_NOTICE, T.SUPPLEMENT_NOTICE, T.SUPPLEMENT_RECEIVED, T.REFUSE),
    *(T.ACCEPT, T.ACCEPT, T.TRANSFER, T.SITE_CHECK, T.HEARING, T.SUSPEND, T.SUSPEND, T.RESUME, T.EXTEND, T.FEE, T.FEE),
    *(T.APPROVE, T.APPROVE, T.FINISH, T.FINISH, T.ISSUE, T.ARCHIVE, T.WITHDRAW, T.VOID, T.RETRACT),
]


@contextmanager
def ledger_with_engine() -> Iterator[tuple[Ledger, Engine]]:
    """Open a fresh ledger with the rulebook published, and its engine."""
    with scratch_ledger() as url, Ledger.open(url) as ledger:
        ledger.publish(RULEBOOK)
        engine = Engine(ledger)
        try:
            yield ledger, engine
        finally:
            engine.close()


def settle(engine: Engine, horizon: datetime) -> None:
    """Let the ticks do all there is to do at a horizon."""
    while engine.tick(horizon, limit=3):
        pass


@pytest.mark.timeout(600)  # two ledgers an example, and a busy machine is not a broken law
@given(deliveries(), st.randoms(use_true_random=False))
def test_order_repetition_batching_and_ticks_leave_no_trace(batch: list[Delivery], chance: random.Random) -> None:
    """Events in one batch, and shuffled, doubled, cut up and with ticks in between, end in the same digest."""
    leave_no_trace(batch, chance)


@pytest.mark.usefixtures("each_database")
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries(), st.randoms(use_true_random=False))
def test_so_they_do_on_either_database(batch: list[Delivery], chance: random.Random) -> None:
    """The law is searched for above; here it is tried on PostgreSQL too, where an example takes a second."""
    leave_no_trace(batch, chance)


def leave_no_trace(batch: list[Delivery], chance: random.Random) -> None:
    """Take the deliveries in both ways, and compare."""
    first: dict[tuple[str, str, bytes], Delivery] = {}
    for delivery in batch:
        event = content_of(delivery)
        first.setdefault((event.case or "", f"{event.source}/{event.id}", delivery.raw), delivery)
    batch = list(first.values())  # one received_at for each event: the first delivery is the one that counts
    with ledger_with_engine() as (ledger, engine):
        engine.process(batch, END)
        settle(engine, END)
        plain = digest(ledger, END)
        assert verify(ledger).difference is None

    shuffled = [*batch, *chance.choices(batch, k=len(batch) // 2)]
    chance.shuffle(shuffled)
    with ledger_with_engine() as (ledger, engine):
        horizon = START
        while shuffled:
            size = chance.randint(1, 4)
            part, shuffled = shuffled[:size], shuffled[size:]
            engine.process(part, horizon)
            horizon = min(END, horizon + timedelta(hours=chance.randint(0, 24 * 30)))
            if chance.random() < 0.6:
                engine.tick(horizon, limit=chance.randint(1, 4))
        settle(engine, END)
        assert digest(ledger, END) == plain
        assert verify(ledger).difference is None
        before = rows(ledger)
        ledger.mark()
        settle(engine, END)
        assert rows(ledger) == before
        assert digest(ledger, END) == plain


def content_of(delivery: Delivery) -> Event:
    """Read the event of a delivery."""
    return decode(delivery.raw)


def rows(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Read the findings as they stand, with the moment each last changed."""
    with ledger.read() as connection:
        return sorted(tuple(row) for row in connection.execute(findings.select()))
