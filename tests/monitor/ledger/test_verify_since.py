"""A verification since a seal looks at what came after, and says what it took from the seal."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.events import EventData
from monitor.ledger.seal import Statement, seal
from monitor.ledger.verify import Skipped, Verification, verify
from streams.engine import Delivery, Engine
from tests.small_centre import assess_plainly, at, delivered, event, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine with a dozen events of four cases before a seal is made."""
    with opened_engine(tmp_path) as engine:
        for case in ("c1", "c2", "c3", "c4"):
            story = (event("apply", case), event("accept", case, at(1)), event("transfer", case, at(1)))
            engine.process(delivered(*story), at(1))
        yield engine


@pytest.fixture
def sealed(engine: Engine) -> Statement:
    """Seal it; then one case finishes, a new one comes, and another one falls due."""
    statement = seal(engine.ledger).statement
    said = EventData(text="办理完毕")
    engine.process(
        [*delivered(event("finish", "c1", at(2), data=said), event(case="c9", time=at(2))), Delivery(b"{")], at(2)
    )
    engine.ledger.mark(["c2"])
    engine.tick(at(2))
    return statement


def since(engine: Engine, sealed: Statement) -> Verification:
    """Verify what came after the seal."""
    return verify(engine.ledger, assess_plainly, sealed)


def change(engine: Engine, statement: str) -> None:
    """Change the ledger behind its back."""
    with engine.ledger.write() as connection:
        assert connection.execute(text(statement)).rowcount == 1


def test_what_a_seal_vouches_for_is_skipped_and_said_to_be(engine: Engine, sealed: Statement) -> None:
    """New events are hashed, cases written since are judged again, re-assessed ones too; the rest is counted."""
    checked = since(engine, sealed)
    assert checked.difference is None
    assert (checked.events, checked.cases) == (2, 3)
    assert checked.skipped == Skipped(12, 2, ("sources", "rejects", "texts", "statistics"))
    whole = verify(engine.ledger, assess_plainly)
    assert (whole.events, whole.cases, whole.skipped) == (14, 5, None)


@pytest.mark.parametrize(
    ("statement", "table", "key", "field"),
    [
        ("UPDATE journal SET content = replace(content, 'land', 'lanb') WHERE seq = 14", "journal", "14", "content"),
        ("UPDATE journal SET received_at = received_at + 1 WHERE seq = 13", "journal", "13", "received_at"),
        ("DELETE FROM journal WHERE seq = 14", "journal", "14", "seq"),
        ("DELETE FROM journal WHERE seq = 13", "journal", "13", "seq"),
        ("UPDATE cases SET light = 'grey' WHERE \"case\" = 'c1'", "cases", "c1", "light"),
        ("UPDATE cases SET light = 'grey' WHERE \"case\" = 'c2'", "cases", "c2", "light"),
        (
            "UPDATE cases SET events = (SELECT events FROM cases WHERE \"case\" = 'c3') WHERE \"case\" = 'c1'",
            "cases",
            "c1",
            "events",
        ),
        ("DELETE FROM cases WHERE \"case\" = 'c9'", "cases", "c9", "case"),
        ("UPDATE rulebooks SET digest = 'x'", "rulebooks", "1", "digest"),
        ("DELETE FROM texts", "texts", "", "hash"),
    ],
)
def test_what_was_changed_since_is_named(
    engine: Engine, sealed: Statement, statement: str, table: str, key: str, field: str
) -> None:
    """Whatever happened to what came after the seal is found as by a whole verification."""
    change(engine, statement)
    found = since(engine, sealed).difference
    assert found is not None
    assert (found.table, found.field) == (table, field)
    assert found.key.endswith(key)


@pytest.mark.parametrize("seq", [8, 12])
def test_the_rows_that_later_ones_are_bound_to_are_proved_by_the_seal(
    engine: Engine, sealed: Statement, seq: int
) -> None:
    """Nobody can build a new end on changed rows: those that it rests on must lead up to what was sealed."""
    change(engine, f"UPDATE journal SET received_at = received_at + 1 WHERE seq = {seq}")
    found = since(engine, sealed).difference
    assert found is not None
    assert (found.table, found.key, found.field) == ("journal", f"embedded {seq}", "chain_hash")


def test_a_touched_case_is_compared_with_all_its_rows(engine: Engine, sealed: Statement) -> None:
    """Of a case written since, an old event changed in the journal is found although its row is not hashed."""
    change(engine, "UPDATE journal SET received_at = received_at + 1 WHERE seq = 2")
    found = since(engine, sealed).difference
    assert found is not None
    assert (found.table, found.key, found.field, found.found) == ("cases", "c1", "events", "event hall accept")


def test_a_seal_of_an_empty_ledger_skips_nothing(tmp_path: Path) -> None:
    """Before the first event there is nothing a seal could vouch for."""
    with opened_engine(tmp_path) as engine:
        statement = seal(engine.ledger).statement
        engine.process(delivered(event()), at(0))
        checked = since(engine, statement)
        assert (checked.events, checked.cases, checked.difference) == (1, 1, None)
