"""What was delivered and rejected is deleted in time; that it was rejected, and why, stays."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.ledger import LedgerError, rejects
from monitor.ledger.verify import verify
from streams.engine import Delivery, Engine
from tests.small_centre import assess_plainly, at, delivered, event, opened_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine that has rejected something on three days."""
    with opened_engine(tmp_path) as engine:
        for day in (0, 1, 20):
            engine.process([Delivery(b'{"said": "%d"}' % day, received_at=at(day))], at(day))
        yield engine


def kept(engine: Engine) -> list[bytes | None]:
    """Read what was delivered, oldest first."""
    with engine.ledger.read() as connection:
        listed = rejects.newest(connection, 10)
        return [engine.ledger.vault.open(connection, each.seq)[1] for each in reversed(listed)]


def test_rejects_expire_after_thirty_days(engine: Engine) -> None:
    """The tick deletes their bytes, from the file too; row, reason and counters stay, and the ledger verifies."""
    with engine.ledger.read() as connection:
        first, *_ = connection.execute(text("SELECT raw FROM rejects ORDER BY seq")).scalars()
    engine.tick(at(30))
    assert [raw is not None for raw in kept(engine)] == [True, True, True]
    engine.tick(at(30, hours=1))
    assert [raw is not None for raw in kept(engine)] == [False, True, True]
    engine.tick(at(31, hours=1))
    assert [raw is not None for raw in kept(engine)] == [False, False, True]
    assert engine.ledger.discard_copies()
    assert first not in b"".join(path.read_bytes() for path in engine.ledger.folder.glob("*.sqlite*"))
    oldest = engine.ledger.rejects()[-1]
    assert (oldest.code, oldest.bytes_count, oldest.expired_at) == ("unknown_field", 13, at(30, hours=1))
    assert verify(engine.ledger, assess_plainly).difference is None


def test_few_expire_with_one_tick(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are due, a tick stays short (I11); the next ones do the rest, and it is no work on cases."""
    monkeypatch.setattr(rejects, "EXPIRED_AT_ONCE", 2)
    engine.process(delivered(event(time=at(99))), at(100))
    for left in (1, 0, 0):
        assert engine.tick(at(100)) == 0
        assert sum(raw is not None for raw in kept(engine)) == left


def test_a_deployment_says_how_long(engine: Engine) -> None:
    """The time is a setting."""
    vault = rejects.Vault(engine.ledger.folder, timedelta(days=5))
    with engine.ledger.write() as connection:
        assert vault.expire(connection, ["embedded"], at(7)) == 2


def test_a_reject_that_is_not_there_is_said(engine: Engine) -> None:
    """So is one that was changed."""
    with engine.ledger.write() as connection:
        with pytest.raises(LedgerError, match="there is no reject 99"):
            engine.ledger.vault.open(connection, 99)
        connection.execute(text("UPDATE rejects SET raw = x'00' WHERE seq = 1"))
        with pytest.raises(LedgerError, match="cannot be decrypted"):
            engine.ledger.vault.open(connection, 1)
