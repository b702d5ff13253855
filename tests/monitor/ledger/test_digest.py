"""The canonical digest is equal for the same ledger, and different for another."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.ledger.digest import digest, digests
from streams.engine import Engine
from tests.small_centre import assess_plainly, at, delivered, event, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine whose ledger holds a late case and one in time."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event(), event(case="c2"), event("finish", "c2", at(1))), at(1))
        engine.tick(at(4))
        yield engine


def test_ticks_do_not_change_it(engine: Engine) -> None:
    """As of one horizon it is the same before and after the ticks up to there."""
    before = digest(engine.ledger, at(9), assess_plainly)
    engine.process(delivered(event(case="c2")), at(8))
    engine.tick(at(9))
    assert digest(engine.ledger, at(9), assess_plainly) == digest(engine.ledger, None, assess_plainly) == before


def test_a_horizon_in_the_past_shows_the_past(engine: Engine) -> None:
    """Before the due instant there was no finding, whatever is stored by now."""
    early, late = (digests(engine.ledger, at(day), assess_plainly) for day in (2, 4))
    assert early.journal == late.journal
    assert early.findings != late.findings
    assert early.statistics != late.statistics


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("UPDATE journal SET content = replace(content, 'land', 'lanb') WHERE seq = 1", "journal"),
        ("UPDATE findings SET severity = 1", "findings"),
        ("UPDATE stats_units SET applied = applied + 1", "statistics"),
        ("UPDATE stats_items SET finished = finished - 1 WHERE finished = 1", "statistics"),
        ("DELETE FROM outbox", "outbox"),
        ("UPDATE outbox SET act = 'withdraw'", "outbox"),
    ],
)
def test_what_is_stored_otherwise_shows(engine: Engine, statement: str, part: str) -> None:
    """A changed event, finding, sum or outbox changes that part of the digest and no other."""
    before = digests(engine.ledger, at(9), assess_plainly)
    with engine.ledger.write() as connection:
        connection.execute(text(statement))
    after = digests(engine.ledger, at(9), assess_plainly)
    names = ("journal", "assessments", "findings", "statistics", "outbox")
    assert [name for name in names if getattr(before, name) != getattr(after, name)] == [part]
    assert before.whole != after.whole


def test_how_events_were_delivered_is_not_in_it(engine: Engine, tmp_path: Path) -> None:
    """Marks of backfill, copies and batches leave no trace in it."""
    with opened_engine(tmp_path, "other") as other:
        for each in (event("finish", "c2", at(1)), event(case="c2"), event(), event()):
            other.process(delivered(each, backfill=True), at(9))
        assert digest(other.ledger, at(9), assess_plainly) == digest(engine.ledger, at(9), assess_plainly)
