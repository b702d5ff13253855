"""Opening a ledger, and publishing rulebooks in it."""

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from monitor.ledger import LeaseHeld, Ledger, LedgerError
from monitor.ledger.lease import holder
from tests.small_centre import RULEBOOK, at, delivered, event, opened_engine

OTHER = replace(RULEBOOK, name="二")


def url(folder: Path) -> str:
    """Name a ledger in a folder that need not exist."""
    return f"sqlite:///{folder / 'data' / 'ledger.sqlite'}"


def test_a_ledger_keeps_its_id(tmp_path: Path) -> None:
    """A ledger opened again is the same one."""
    with Ledger.open(url(tmp_path)) as first, Ledger.open(url(tmp_path)) as second:
        assert first.id == second.id


def test_a_missing_ledger_is_named(tmp_path: Path) -> None:
    """A command that only reads does not make an empty ledger; it says that there is none."""
    with pytest.raises(LedgerError, match="there is no ledger here"):
        Ledger.open(url(tmp_path), create=False)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("written", ["ledger.sqlite", "postgresql://localhost/ledger", "sqlite://"])
def test_a_database_that_cannot_be_used_is_refused(written: str) -> None:
    """What is not an SQLite file is refused with the form expected."""
    with pytest.raises(LedgerError, match="sqlite:///PATH"):
        Ledger.open(written)


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    """Tables of another version are never guessed at."""
    with Ledger.open(url(tmp_path)) as ledger, ledger.write() as connection:
        connection.execute(text("UPDATE meta SET value = '99' WHERE name = 'schema_version'"))
    with pytest.raises(LedgerError, match="version 99, this program needs 2"):
        Ledger.open(url(tmp_path))


def test_acknowledged_means_on_disk(tmp_path: Path) -> None:
    """Every connection waits for the disk at each commit, and readers do not stop the writer."""
    with Ledger.open(url(tmp_path)) as ledger, ledger.read() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"


def test_a_reader_sees_one_state_while_a_writer_works(tmp_path: Path) -> None:
    """What is read in one transaction does not change in the middle of it."""
    with opened_engine(tmp_path) as engine, engine.ledger.read() as connection:
        count = text("SELECT count(*) FROM journal")
        assert connection.execute(count).scalar_one() == 0
        engine.process(delivered(event()), at(0))
        assert connection.execute(count).scalar_one() == 0


def test_the_first_rulebook_is_in_force_from_the_beginning(tmp_path: Path) -> None:
    """Events of any age are judged by it; the same rulebook again makes no version."""
    with Ledger.open(url(tmp_path)) as ledger:
        assert not ledger.has_rulebook()
        assert ledger.publish(RULEBOOK) == ledger.publish(RULEBOOK) == 1
        (version,) = ledger.rulebooks(at(-9999)).versions
        assert (version.version, version.in_force_from, version.rulebook) == (1, None, RULEBOOK)


def test_a_later_rulebook_begins_when_it_says(tmp_path: Path) -> None:
    """Before its instant it is nobody's current rulebook, and judges no event."""
    begins = datetime.now(UTC) + timedelta(days=30)
    with Ledger.open(url(tmp_path)) as ledger:
        ledger.publish(RULEBOOK)
        assert ledger.publish(OTHER, begins, "new hours") == 2
        assert ledger.rulebooks(begins - timedelta(seconds=1)).current.version == 1
        history = ledger.rulebooks(begins)
        assert history.current.version == 2
        assert history.at(begins - timedelta(seconds=1)).version == 1


def test_an_urgent_correction_takes_the_place_of_what_is_planned(tmp_path: Path) -> None:
    """A version published now holds at once, and the one planned for next month never comes into force."""
    begins = datetime.now(UTC) + timedelta(days=30)
    mended = replace(RULEBOOK, name="三")
    with Ledger.open(url(tmp_path)) as ledger:
        ledger.publish(RULEBOOK)
        ledger.publish(OTHER, begins)
        assert ledger.publish(mended) == 3
        assert ledger.rulebooks(datetime.now(UTC)).current.rulebook == mended
        later = ledger.rulebooks(begins + timedelta(days=1))
        assert [version.version for version in later.versions] == [1, 3]
        assert ledger.publish(OTHER, begins) == 4
        assert ledger.rulebooks(begins).current.rulebook == OTHER


def test_no_rulebook_begins_in_the_past(tmp_path: Path) -> None:
    """Neither before now nor before what was judged already; the error names the earliest instant."""
    ahead = datetime.now(UTC) + timedelta(days=9)
    with opened_engine(tmp_path) as engine:
        with pytest.raises(LedgerError, match="choose a later instant"):
            engine.ledger.publish(OTHER, at(0, hours=-1) - timedelta(days=9999))
        engine.tick(ahead)
        with pytest.raises(LedgerError, match=ahead.date().isoformat()):
            engine.ledger.publish(OTHER, ahead - timedelta(days=1))
        assert engine.ledger.publish(OTHER) == 2
        assert engine.ledger.rulebooks(ahead).current.version == 2


def test_the_lease_tells_who_holds_it(tmp_path: Path) -> None:
    """The second writer learns process and address; after release the lease is free."""
    with Ledger.open(url(tmp_path)) as ledger:
        lease = ledger.lease()
        lease.announce("http://127.0.0.1:8000")
        with pytest.raises(LeaseHeld, match=r"send events to http://127\.0\.0\.1:8000") as held:
            ledger.lease()
        assert (held.value.pid, held.value.url) == (holder(ledger.lease_path).pid, "http://127.0.0.1:8000")
        lease.release()
        lease.release()
        ledger.lease().release()
        assert holder(ledger.lease_path).pid is None


def test_a_killed_writer_leaves_no_lease(tmp_path: Path) -> None:
    """After kill -9 the next writer starts at once, without anything to clear."""
    script = (
        "import sys; from pathlib import Path; from monitor.ledger import Lease\n"
        "lease = Lease(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with Ledger.open(url(tmp_path)) as ledger:
        command = [sys.executable, "-c", script, str(ledger.lease_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "held\n"
            with pytest.raises(LeaseHeld, match=f"process {writer.pid}"):
                ledger.lease()
            writer.kill()
            writer.wait()
            ledger.lease().release()


def test_a_new_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    """A new ledger and its folder can be read by nobody else, whatever the umask of the process."""
    path = tmp_path / "data" / "ledger.sqlite"
    with Ledger.open(f"sqlite:///{path}"):
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {name: mode for name, mode in modes.items() if name.startswith("ledger.sqlite")} == {
        name: 0o600 for name in modes if name.startswith("ledger.sqlite")
    }
