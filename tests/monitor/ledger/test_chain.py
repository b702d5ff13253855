"""A chained table shows what was done to it afterwards."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from monitor.ledger import Ledger, audit
from monitor.ledger.chain import ACTIONS, AUDIT, Break, Chain
from monitor.ledger.stored import undecoded
from tests.databases import ledger_url

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give a ledger whose audit has three lines."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        for name in ("li", "wu", "张"):
            write(ledger, name)
        yield ledger


def write(ledger: Ledger, name: str) -> int:
    """Write a line in a transaction of its own."""
    with ledger.write() as connection:
        return audit.record(connection, "os:root", "user.add", f"user:{name}", {"role": "leader", "name": name})


def breaks(ledger: Ledger, chain: Chain = AUDIT) -> list[Break]:
    """Check a chain."""
    with ledger.read() as connection, undecoded(connection):
        return list(chain.breaks(connection))


def change(ledger: Ledger, statement: str) -> None:
    """Do to a ledger what nobody may."""
    with ledger.write() as connection:
        for each in statement.split(";"):
            connection.execute(text(each))


def test_rows_are_numbered_from_one_and_sound(ledger: Ledger) -> None:
    """Rows follow each other without a gap, and the head is that of the last one."""
    with ledger.read() as connection:
        assert [line.seq for line in audit.entries(connection)] == [3, 2, 1]
        head = AUDIT.head(connection)
        assert (head.seq, head.chain_hash) == (3, AUDIT.hash_at(connection, 3))
        assert AUDIT.hash_at(connection, 4) is None
    assert breaks(ledger) == []


def test_an_empty_chain_is_sound(ledger: Ledger) -> None:
    """A table nothing was written to ends where its chain begins; two tables begin differently."""
    assert breaks(ledger, ACTIONS) == []
    with ledger.read() as connection:
        assert ACTIONS.head(connection).chain_hash == ACTIONS.hash_at(connection, 0) != AUDIT.hash_at(connection, 0)


@pytest.mark.parametrize("column", ["at", "actor", "act", "object", "detail"])
@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_changed_value_is_named_by_its_row(ledger: Ledger, column: str, seq: int) -> None:
    """Whatever column of whatever row was touched, that row is the one named."""
    value = f"{column} + 1" if column == "at" else f"{column} || ' '"
    change(ledger, f"UPDATE audit SET {column} = {value} WHERE seq = {seq}")
    (found,) = breaks(ledger)
    assert (found.seq, found.field) == (seq, column)


@pytest.mark.parametrize(
    ("statement", "seq", "field"),
    [
        ("DELETE FROM audit WHERE seq = 1", 1, "seq"),
        ("DELETE FROM audit WHERE seq = 2", 2, "seq"),
        ("DELETE FROM audit WHERE seq = 3", 3, "seq"),
        ("DELETE FROM audit", 1, "seq"),
        ("DELETE FROM chains", 0, "seq"),
        ("UPDATE chains SET seq = 2", 2, "seq"),
        ("UPDATE chains SET chain_hash = zeroblob(32)", 3, "chain_hash"),
        ("UPDATE audit SET chain_hash = 'text' WHERE seq = 2", 2, "chain_hash"),
        ("INSERT INTO audit SELECT seq + 3, at, actor, act, object, detail, prints, chain_hash FROM audit", 4, "seq"),
        ("UPDATE audit SET prints = zeroblob(24) WHERE seq = 2", 2, "prints"),
        ("UPDATE audit SET detail = CAST(x'ff' AS TEXT) WHERE seq = 2", 2, "detail"),
        ("UPDATE audit SET seq = -seq WHERE seq > 1; UPDATE audit SET seq = 5 + seq WHERE seq < 0", 2, "seq"),
    ],
)
def test_a_row_taken_away_put_in_or_changed_is_named(ledger: Ledger, statement: str, seq: int, field: str) -> None:
    """A gap, a cut end, a forged row, swapped ones and a changed head are each named with the row."""
    change(ledger, statement)
    (found,) = breaks(ledger)
    assert (found.seq, found.field) == (seq, field)


def test_two_writers_do_not_fork_the_chain(ledger: Ledger) -> None:
    """Writers at the same time take turns; no number is given twice and the chain stays sound."""
    threads = [threading.Thread(target=write, args=(ledger, f"u{number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.read() as connection:
        assert AUDIT.head(connection).seq == 11
    assert breaks(ledger) == []


def test_what_is_rolled_back_leaves_no_line(ledger: Ledger) -> None:
    """A line is there if and only if what it tells was committed with it."""

    def fail() -> None:
        with ledger.write() as connection:
            audit.record(connection, "li", "key.revoke", "key:1", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert write(ledger, "later") == 4


def test_lines_are_found_by_actor_act_and_object(ledger: Ledger) -> None:
    """Each filter leaves out the others; a word given in part finds what begins with it."""
    with ledger.write() as connection:
        audit.record(connection, "li", "rulebook.publish", "rulebook:3", {"reason": "节假日"})
    with ledger.read() as connection:
        assert [line.seq for line in audit.entries(connection, actor="li")] == [4]
        assert [line.seq for line in audit.entries(connection, act="user.")] == [3, 2, 1]
        assert [line.seq for line in audit.entries(connection, object="user:张")] == [3]
        (newest,) = audit.entries(connection, limit=1)
        assert newest.detail == {"reason": "节假日"}
        assert audit.entries(connection, since=newest.at) == [newest]
        assert audit.entries(connection, object="us_r") == []
