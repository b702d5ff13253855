"""The same events end in the same ledger on SQLite and on PostgreSQL, and show the same figures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.events import Event, content
from monitor.ledger import Ledger
from monitor.ledger.digest import Digest, digests
from monitor.ledger.verify import verify
from monitor.live.board import Board, read_board
from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from streams.engine import Delivery, Engine
from streams.simulator import Mix, in_time_order, simulate_cases
from tests.conftest import ROOT
from tests.databases import PostgresDatabases

BEGIN = datetime(2009, 3, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=31)
TOWN = Mix(accepted_per_day=12, late_promised=0.1, late_statutory=0.05, deemed=0.02, late_issued=0.05)
BATCH = 300


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    """Load the rulebook of Yulin."""
    return load(ROOT / "monitor" / "rulebooks" / "yulin")


@pytest.fixture(scope="module")
def month(rulebook: Rulebook) -> list[Event]:
    """Simulate a month of a small town, in the order of time."""
    return list(in_time_order(simulate_cases(rulebook, 7, BEGIN, END, TOWN)))


def supervised(ledger: Ledger, rulebook: Rulebook, month: list[Event]) -> tuple[Digest, Board]:
    """Deliver the month as it happens, a poison record among each batch; give digest and live page at its end."""
    ledger.publish(rulebook)
    engine = Engine(ledger)
    horizon = BEGIN
    for start in range(0, len(month), BATCH):
        batch = month[start : start + BATCH]
        horizon = max(horizon, batch[-1].time)
        deliveries = [Delivery(content(each), each.recorded or each.time) for each in batch]
        engine.process([*deliveries, Delivery(b'{"id": "\\u0000"}')], horizon)
        while engine.tick(horizon):
            pass
    engine.close()
    checked = verify(ledger)
    assert checked.difference is None
    assert checked.findings > 10
    return digests(ledger), read_board(ledger, "zh", [])


def test_a_month_ends_in_the_same_ledger_on_both(
    postgres: PostgresDatabases, rulebook: Rulebook, month: list[Event], tmp_path: Path
) -> None:
    """Every part of the digest is equal, both verify, and the live page shows the same."""
    key = tmp_path / "texts.key"
    with postgres.empty() as url:
        urls = (f"sqlite:///{tmp_path / 'ledger.sqlite'}", url)
        ledgers = [Ledger.open(each, text_key=key, folder=tmp_path) for each in urls]
        on_file, on_server = (supervised(each, rulebook, month) for each in ledgers)
        for ledger in ledgers:
            ledger.close()
    assert on_file[0] == on_server[0]
    assert on_file[1] == on_server[1]
