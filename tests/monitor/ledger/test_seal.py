"""A seal proves later that nothing before it was changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from monitor.ledger import LedgerError, audit
from monitor.ledger.seal import Seal, from_document, public_key_of, seal, to_document, verify_seal
from streams.engine import Engine
from tests.small_centre import at, delivered, event, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine whose ledger holds two events."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event(), event(case="c2")), at(0))
        yield engine


def check(engine: Engine, sealed: Seal) -> None:
    """Check a seal with the key a witness was given."""
    verify_seal(engine.ledger, from_document(to_document(sealed)), public_key_of(engine.ledger))


def test_a_seal_holds_while_the_ledger_grows(engine: Engine) -> None:
    """What was sealed is still there after more was added."""
    sealed = seal(engine.ledger)
    engine.process(delivered(event("finish", time=at(1))), at(1))
    check(engine, sealed)
    assert sealed.statement.heads[0].seq == 2


def test_a_journal_written_anew_breaks_the_seal(engine: Engine) -> None:
    """A hash that is not the sealed one is named with its row, even where the new chain is sound in itself."""
    sealed = seal(engine.ledger)
    with engine.ledger.write() as connection:
        connection.execute(text("UPDATE journal SET chain_hash = zeroblob(32) WHERE seq = 2"))
    with pytest.raises(LedgerError, match="changed at or before row 2"):
        check(engine, sealed)


def test_a_cut_journal_breaks_the_seal(engine: Engine) -> None:
    """Rows that were sealed and are gone are missed."""
    sealed = seal(engine.ledger)
    with engine.ledger.write() as connection:
        connection.execute(text("DELETE FROM journal WHERE seq = 2"))
    with pytest.raises(LedgerError, match="no row 2, which was sealed"):
        check(engine, sealed)


@pytest.mark.parametrize("change", ["content = replace(content, '国土局', '国土')", "in_force_from = 0"])
def test_a_rulebook_changed_afterwards_breaks_the_seal(engine: Engine, change: str) -> None:
    """The rulebook cases were judged by is sealed with them, and so is from when it was in force."""
    sealed = seal(engine.ledger)
    with engine.ledger.write() as connection:
        connection.execute(text(f"UPDATE rulebooks SET {change}"))
    with pytest.raises(LedgerError, match="rulebook version 1"):
        check(engine, sealed)


def test_a_changed_statement_is_not_believed(engine: Engine) -> None:
    """Whoever edits a seal cannot sign it."""
    sealed = seal(engine.ledger)
    forged = replace(sealed, statement=replace(sealed.statement, ledger="another"))
    with pytest.raises(LedgerError, match="signature is wrong"):
        check(engine, forged)


def test_a_seal_signed_with_another_key_is_not_believed(engine: Engine, tmp_path: Path) -> None:
    """A new key signs nothing for the old one."""
    sealed = seal(engine.ledger, tmp_path / "another.key")
    with pytest.raises(LedgerError, match="was signed with the key"):
        check(engine, sealed)


def test_the_secret_keys_are_their_owners_alone(engine: Engine) -> None:
    """A key file others may read is refused with what to do."""
    seal(engine.ledger)
    path = engine.ledger.folder / "seal.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(LedgerError, match="chmod 600"):
        seal(engine.ledger)


def test_what_is_no_seal_is_named() -> None:
    """Another document is refused with what was expected."""
    with pytest.raises(LedgerError, match="monitor seal"):
        from_document(b'{"statement": 1}')


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit SET chain_hash = zeroblob(32)", "the chain of audit was changed at or before row 1"),
        ("DELETE FROM audit", "the chain of audit has no row 1, which was sealed"),
    ],
)
def test_an_audit_changed_afterwards_breaks_the_seal(engine: Engine, statement: str, said: str) -> None:
    """The chains of actions and audit are sealed as the journal is, with their heads."""
    with engine.ledger.write() as connection:
        connection.execute(text("DELETE FROM audit"))
        connection.execute(text("DELETE FROM chains"))
        audit.record(connection, "os:root", "user.add", "user:li", {})
    sealed = seal(engine.ledger)
    assert [(end.name, end.seq) for end in sealed.statement.chains] == [("actions", 0), ("audit", 1)]
    check(engine, sealed)
    with engine.ledger.write() as connection:
        connection.execute(text(statement))
    with pytest.raises(LedgerError, match=said):
        check(engine, sealed)


def test_a_seal_of_the_first_version_is_refused_by_name() -> None:
    """It cannot be of any ledger this program opens; the answer says what to check it with."""
    old = b'{"statement": {"ledger": "x", "heads": [], "rulebooks": []}, "public_key": "a", "signature": "b"}'
    with pytest.raises(LedgerError, match=r"of version 1, .* with the program that made them"):
        from_document(old)
