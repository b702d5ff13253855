"""Texts: a mark in the event, the body encrypted and apart, erasable without a trace but the audit's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.events import TextMark
from monitor.ledger import Ledger, LedgerError, audit
from monitor.ledger.erasure import erase_texts
from monitor.ledger.texts import Marker, TextVault, write
from tests import databases
from tests.databases import ledger_url
from tests.small_centre import MONDAY, event

pytestmark = pytest.mark.usefixtures("each_database")

SAID = "申请人张三的材料不齐"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give a ledger in which three texts of two cases are kept."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        keep(ledger, "c1", "refuse", SAID)
        keep(ledger, "c1", "suspend", "another")
        keep(ledger, "c2", "refuse", SAID)
        yield ledger


def keep(ledger: Ledger, case: str, name: str, said: str | None, mark: TextMark | None = None) -> TextMark:
    """Keep a text of an event, as a turn does."""
    mark = mark or ledger.texts.marker.mark(case, "hall", name, said or "")
    with ledger.write() as connection:
        write(connection, [ledger.texts.row(case, "hall", name, mark, said, MONDAY)])
    return mark


def texts_of(ledger: Ledger, case: str) -> list[str | None]:
    """Read what was said about a case."""
    with ledger.read() as connection:
        return [kept.said for kept in ledger.texts.of_case(connection, case)]


def test_a_mark_depends_on_key_case_source_event_and_text() -> None:
    """The same gives the same mark; whoever knows a text cannot find it elsewhere, nor without the key."""
    marker = Marker(b"key")
    marks = [
        marker.mark("c1", "hall", "e1", SAID).hash,
        marker.mark("c2", "hall", "e1", SAID).hash,
        marker.mark("c1", "night", "e1", SAID).hash,
        marker.mark("c1", "hall", "e2", SAID).hash,
        marker.mark("c1", "hall", "e1", SAID + "。").hash,
        Marker(b"other").mark("c1", "hall", "e1", SAID).hash,
    ]
    assert len(set(marks)) == 6
    assert Marker(b"key").mark("c1", "hall", "e1", SAID).hash == marks[0]


@pytest.mark.parametrize(
    ("said", "length", "names_step"),
    [
        ("受理", 2, True),
        (" 审核。\n", 3, True),
        ("办结", 2, True),
        ("Approve.", 8, True),
        ("", 0, False),
        ("　", 0, False),
        ("同意受理", 4, False),
        ("approve the plan", 16, False),
    ],
)
def test_a_mark_says_how_long_a_text_is_and_whether_it_only_names_a_step(
    said: str, length: int, names_step: bool
) -> None:
    """Rules on refusals without reason and on fabricated opinions need no more than that."""
    mark = Marker(b"key").mark("c1", "hall", "e1", said)
    assert (mark.length, mark.names_step) == (length, names_step)


def test_an_event_with_a_mark_stays_as_it_is() -> None:
    """What a source or a replay has sealed already is not sealed again; what has no text gets none."""
    plain = event()
    assert Marker(b"key").seal(plain) == (plain, None)
    sealed, said = Marker(b"key").seal(event(data=plain.data.__class__(text=SAID)))
    assert said == SAID
    assert Marker(b"other").seal(sealed) == (sealed, None)


def test_texts_come_back_by_case(ledger: Ledger) -> None:
    """Those of a case, and no others."""
    assert sorted(map(str, texts_of(ledger, "c1"))) == sorted([SAID, "another"])
    assert texts_of(ledger, "c2") == [SAID]


def test_a_text_that_came_as_a_mark_is_known_to_be_elsewhere(ledger: Ledger) -> None:
    """There is a row for it without words; words that come later do not replace it."""
    mark = keep(ledger, "c3", "refuse", None, TextMark(hash="of-the-source", length=9))
    keep(ledger, "c3", "refuse", SAID, mark)
    assert texts_of(ledger, "c3") == [None]


def test_ledgers_of_one_deployment_make_the_same_marks(tmp_path: Path) -> None:
    """They share the key of the marks, and need not share that of the bodies."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    key = tmp_path / "shared.key"
    marks = {TextVault(tmp_path / name, key).marker.mark("c", "s", "1", SAID).hash for name in ("a", "b")}
    assert len(marks) == 1
    assert TextVault(tmp_path / "a").marker.mark("c", "s", "1", SAID).hash not in marks


def test_the_keys_are_their_owners_alone_and_not_the_same(ledger: Ledger) -> None:
    """Who can make marks can open no body."""
    marks, bodies = ledger.folder / "texts.key", ledger.folder / "bodies.key"
    assert marks.stat().st_mode & 0o777 == bodies.stat().st_mode & 0o777 == 0o600
    assert marks.read_bytes() != bodies.read_bytes()


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    """A key somebody thought up would let others guess texts."""
    key = tmp_path / "short.key"
    key.write_text("secret", encoding="ascii")
    key.chmod(0o600)
    with pytest.raises(LedgerError, match="shorter than 32"):
        _ = TextVault(tmp_path, key).marker


def test_a_trial_leaves_no_key_behind(tmp_path: Path) -> None:
    """Without texts there is nothing a trial's mark could be equal to."""
    vault = TextVault(tmp_path)
    assert vault.trial_marker().mark("c", "s", "1", SAID).hash
    assert list(tmp_path.iterdir()) == []
    made = vault.marker
    assert vault.trial_marker() is made


def test_without_its_key_a_body_is_not_replaced_by_a_new_key(ledger: Ledger) -> None:
    """A lost key is said to be lost; making a new one would hide it."""
    (ledger.folder / "bodies.key").unlink()
    with pytest.raises(LedgerError, match=r"bodies\.key: this key is missing"):
        texts_of(ledger, "c1")
    assert not (ledger.folder / "bodies.key").exists()


def test_a_changed_body_is_not_believed(ledger: Ledger) -> None:
    """A body somebody wrote into the database opens with no key of ours."""
    with ledger.write() as connection:
        connection.execute(text("UPDATE texts SET body = zeroblob(1) WHERE \"case\" = 'c2'"))
    with pytest.raises(LedgerError, match="cannot be decrypted"):
        texts_of(ledger, "c2")


def test_erased_texts_are_gone_and_the_audit_says_so(ledger: Ledger) -> None:
    """No body is left, the texts of other cases are; the audit says who, why and what.

    In an SQLite file and its log no byte of the encrypted bodies is left either; PostgreSQL keeps them in free space
    and in its log until those are used again.
    """
    with ledger.read() as connection:
        bodies = [bytes(row.body) for row in connection.execute(text("SELECT body FROM texts WHERE \"case\" = 'c1'"))]
    in_file = databases.current.name == "sqlite"
    assert not in_file or sum(body in bytes_of(ledger) for body in bodies) == 2
    erased = erase_texts(ledger, "c1", "applied for", "os:li")
    assert (erased.texts, erased.copies_gone) == (2, True)
    assert not any(body[10:40] in bytes_of(ledger) for body in bodies)
    assert texts_of(ledger, "c1") == [None, None]
    assert texts_of(ledger, "c2") == [SAID]
    with ledger.read() as connection:
        (line,) = audit.entries(connection, act="text.erase")
        kept = ledger.texts.of_case(connection, "c1")
    assert (line.actor, line.object, line.detail["reason"]) == ("os:li", "case:c1", "applied for")
    assert line.detail["hashes"] == sorted(each.hash for each in kept)
    assert {each.erased_at for each in kept} == {erased.at}


def test_what_was_erased_does_not_come_back(ledger: Ledger) -> None:
    """Another content of the event with the same text finds it erased, and leaves it so."""
    erase_texts(ledger, "c2", "applied for", "os:li")
    keep(ledger, "c2", "refuse", SAID)
    assert texts_of(ledger, "c2") == [None]
    with pytest.raises(LedgerError, match="no texts here that could be erased"):
        erase_texts(ledger, "c2", "again", "os:li")


def bytes_of(ledger: Ledger) -> bytes:
    """Read everything the database keeps on the disk."""
    return b"".join(path.read_bytes() for path in ledger.folder.glob("ledger.sqlite*"))
