"""The law of the findings topic: whoever keeps the last message of each finding holds what boards show."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from monitor.ledger import Ledger, relays
from monitor.ledger.relays import FindingMessage
from streams.engine import Delivery
from tests.databases import scratch_ledger
from tests.owned import STREAM, owned
from tests.streams.test_laws import END, RULEBOOK, START, deliveries, settle

SHOWN = ("id", "case", "rule", "rule_version", "kind", "severity", "state", "region", "department", "item")


@settings(max_examples=25)
@given(deliveries(), st.randoms(use_true_random=False))
def test_the_last_messages_are_what_boards_show(batch: list[Delivery], chance: random.Random) -> None:
    """In whatever order events come, in whatever batches, with ticks in between; every act follows from the last."""
    with scratch_ledger() as url, Ledger.open(url) as ledger, owned(ledger) as partitions:
        ledger.publish(RULEBOOK)
        engine, horizon = partitions.engine(), START
        chance.shuffle(batch)
        while batch:
            size = chance.randint(1, 4)
            engine.process(batch[:size], horizon)
            batch = batch[size:]
            horizon = min(END, horizon + timedelta(hours=chance.randint(0, 24 * 30)))
            if chance.random() < 0.6:
                engine.tick(horizon, limit=chance.randint(1, 4))
        settle(engine, END)
        assert folded(ledger) == shown(ledger)


def folded(ledger: Ledger) -> set[tuple[object, ...]]:
    """Keep the last message of each finding, as a reader of the topic does."""
    held: dict[str, FindingMessage] = {}
    with ledger.read() as connection:
        messages = [each.message for each in relays.waiting(connection, ledger.id, "findings", {STREAM}, 100_000)]
    for message in messages:
        assert isinstance(message, FindingMessage)
        before = held.get(message.id)
        assert (message.act == "raise") == (before is None), "raised once until it is withdrawn"
        if message.act == "withdraw":
            del held[message.id]
        else:
            held[message.id] = message
    return {tuple(getattr(message, name) for name in SHOWN) for message in held.values()}


def shown(ledger: Ledger) -> set[tuple[object, ...]]:
    """Read the same from the view that reports are made of."""
    columns = ", ".join(name if name != "case" else "case_number" for name in SHOWN)
    with ledger.read() as connection:
        return {tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM v_findings"))}
