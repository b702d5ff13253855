"""A ledger in an SQLite file: where it is, whose it is, and what a commit means."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Boolean, Integer, String, Table, text

from monitor.events import EventData
from monitor.ledger import Ledger, LedgerError
from monitor.ledger.instants import InstantColumn
from monitor.ledger.schema import rulebooks
from monitor.ledger.verify import READ_AS_USUAL
from streams.engine import Delivery
from tests.monitor.ledger.within import Within
from tests.small_centre import at, delivered, event, opened_engine


def test_a_missing_ledger_is_named(tmp_path: Path) -> None:
    """A command that only reads does not make an empty ledger; it says that there is none."""
    with pytest.raises(LedgerError, match="there is no ledger here"):
        Ledger.open(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}", create=False)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "written", ["ledger.sqlite", "sqlite://", "oracle://u:secret@host/x", "postgresql://u:secret@h"]
)
def test_a_place_that_holds_no_ledger_is_refused(written: str) -> None:
    """What names neither a file nor a PostgreSQL database is refused with the forms expected, without its password."""
    with pytest.raises(LedgerError, match="sqlite:///PATH or postgresql://USER@HOST/DATABASE") as refused:
        Ledger.open(written)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The message names file and remedy."""
    path = tmp_path / "ledger.sqlite"
    path.write_text("not a database, but long enough to be read as the head of one" * 20)
    with pytest.raises(LedgerError, match="must be a database this program made"):
        Ledger.open(f"sqlite:///{path}")


def test_acknowledged_means_on_disk(tmp_path: Path) -> None:
    """Every connection waits for the disk at each commit, and readers do not stop the writer."""
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger, ledger.read() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"


def test_a_new_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    """A new ledger and its folder can be read by nobody else, whatever the umask of the process."""
    path = tmp_path / "data" / "ledger.sqlite"
    with Ledger.open(f"sqlite:///{path}"):
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {name: mode for name, mode in modes.items() if name.startswith("ledger.sqlite")} == {
        name: 0o600 for name in modes if name.startswith("ledger.sqlite")
    }


@pytest.fixture(scope="module")
def within(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Within]:
    """Open a transaction on a ledger with something in every table that is verified."""
    with opened_engine(tmp_path_factory.mktemp("kinds")) as engine:
        said = EventData(text="材料不齐")
        engine.process([*delivered(event(), event("refuse", time=at(1), data=said)), Delivery(b"{")], at(1))
        engine.tick(at(9))
        with engine.ledger.write() as connection:
            yield Within(engine.ledger, connection)
            connection.rollback()


@pytest.mark.parametrize("table", READ_AS_USUAL, ids=lambda table: table.name)
def test_a_value_of_another_kind_is_a_difference_and_no_failure(within: Within, table: Table) -> None:
    """A text for an instant, bytes for a text, a truth of 2, an instant beyond the calendar: the column is named."""
    for column in table.columns:
        wrong: list[object] = [b"x" if isinstance(column.type, String) else "x"]
        wrong += [2] if isinstance(column.type, Boolean) else [2**62] if isinstance(column.type, InstantColumn) else []
        for value in wrong:
            first = f"rowid = (SELECT min(rowid) FROM {table.name})"
            found = within.after(f'UPDATE {table.name} SET "{column.name}" = :value WHERE {first}', value=value)
            if found is None and column.primary_key and isinstance(column.type, Integer):
                continue  # here SQLite itself insists
            assert found is not None
            # A rulebook's content is compared with its digest before anything else.
            named = {column.name, "digest"} if column is rulebooks.c.content else {column.name}
            assert found.table == table.name
            assert found.field in named, (value, found)
