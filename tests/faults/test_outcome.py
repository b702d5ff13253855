"""The comparison of a fault with an undisturbed run: it objects to whatever a fault could have left wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from monitor.ledger.schema import journal, outbox, positions, sources
from tests.databases import copy_ledger
from tests.faults.accounts import lost_of
from tests.faults.outcome import growing, overdue, raised_too_early, told_otherwise_than_once
from tests.faults.tape import Tape
from tests.faults.undisturbed import play
from tests.faults.workers import Memory

BEGINS = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
LATER = BEGINS + timedelta(days=1)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ledger a tape was played into."""
    folder = tmp_path_factory.mktemp("played")
    with Ledger.open(f"sqlite:///{folder}/ledger.sqlite") as ledger:
        play(ledger, Tape(BEGINS, 45, density=5))
    return folder


@pytest.fixture
def ledger(played: Path, tmp_path: Path) -> Iterator[Ledger]:
    """A copy of it, to do harm to."""
    copy_ledger(played, tmp_path)
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite") as copied:
        yield copied


def test_an_undisturbed_ledger_is_not_objected_to(ledger: Ledger) -> None:
    """Every finding is told once, no card came too early, and nothing is due."""
    with ledger.read() as connection:
        assert not told_otherwise_than_once(connection)
        assert not list(raised_too_early(ledger, connection))
        assert not overdue(ledger, connection)


def test_an_event_that_is_missing_shows_in_the_digest(ledger: Ledger) -> None:
    """One row of the journal less is another digest."""
    before = digest(ledger, LATER)
    with ledger.write() as connection:
        first = connection.execute(select(func.min(journal.c.seq))).scalar_one()
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS journal_no_delete")
        connection.execute(delete(journal).where(journal.c.seq == first))
    assert digest(ledger, LATER) != before


def test_a_card_told_twice_or_not_at_all_is_objected_to(ledger: Ledger) -> None:
    """A second raise of a finding, and one that is missing, are both named."""
    with ledger.write() as connection:
        raised = connection.execute(select(outbox).where(outbox.c.act == "raise").limit(2)).mappings().all()
        again = {name: value for name, value in raised[0].items() if name != "seq"}
        connection.execute(outbox.insert().values(**again))
        connection.execute(delete(outbox).where(outbox.c.seq == raised[1]["seq"]))
    with ledger.read() as connection:
        assert told_otherwise_than_once(connection) == {raised[0]["finding"], raised[1]["finding"]}


def test_a_card_raised_before_it_was_due_is_objected_to(ledger: Ledger) -> None:
    """A card that was taken back, and that nothing bore out when it was raised, accused somebody wrongly (I5)."""
    with ledger.write() as connection:
        imported = connection.execute(select(func.max(sources.c.imported_at))).scalar_one()
        undone = (outbox.c.act == "raise") & outbox.c.case.startswith("undone") & (outbox.c.created_at > imported)
        last = connection.execute(select(outbox.c.case).where(undone).order_by(outbox.c.seq.desc())).scalars().first()
        early = update(outbox).where(undone, outbox.c.case == last)
        connection.execute(early.values(created_at=imported + timedelta(seconds=1)))
    with ledger.read() as connection:
        assert {named.partition(":")[0] for named in raised_too_early(ledger, connection)} == {last}


def test_what_is_due_and_not_judged_is_objected_to(ledger: Ledger) -> None:
    """A horizon that moved without a tick leaves cases that should have been judged (I6)."""
    with ledger.write() as connection:
        connection.execute(update(positions).values(horizon=LATER))
    with ledger.read() as connection:
        assert overdue(ledger, connection)


def test_what_was_acknowledged_and_is_nowhere_is_lost() -> None:
    """An event must be in the journal, anything else among the rejects (I1)."""
    event, noise = b'{"id": "1", "source": "hall", "case": "a"}', b"\xff"
    assert not lost_of([event, noise, None], {("a", "hall", "1")}, {_digest(noise), _digest(b"")})
    assert lost_of([event, noise], {("b", "hall", "1")}, {_digest(event[1:])}) == [event, noise]


def test_memory_that_grows_is_objected_to() -> None:
    """A worker may fill its caches, and no more."""
    assert not growing((Memory("a", 110, 140), Memory("killed while it started", 0, 110)))
    assert growing((Memory("a", 110, 140), Memory("b", 110, 200))) == ["the memory of b grew from 110 to 200 MB"]


def _digest(written: bytes) -> str:
    return sha256(written).hexdigest()
