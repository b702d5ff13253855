"""Opening a ledger, and publishing rulebooks in it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, text

from monitor.keys import create_key, revoke_key
from monitor.ledger import LeaseHeld, Ledger, LedgerError
from monitor.ledger.lease import Holder
from monitor.ledger.schema import SCHEMA_VERSION, cases, stats_units
from streams.engine import Share, transaction
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK, at, delivered, event, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")

OTHER = replace(RULEBOOK, name="二")


def test_a_ledger_keeps_its_id(tmp_path: Path) -> None:
    """A ledger opened again is the same one."""
    with Ledger.open(ledger_url(tmp_path)) as first, Ledger.open(ledger_url(tmp_path)) as second:
        assert first.id == second.id


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    """Tables of another version are never guessed at."""
    with Ledger.open(ledger_url(tmp_path)) as ledger, ledger.write() as connection:
        connection.execute(text("UPDATE meta SET value = '99' WHERE name = 'schema_version'"))
    with pytest.raises(LedgerError, match=f"version 99, this program needs {SCHEMA_VERSION}"):
        Ledger.open(ledger_url(tmp_path))


def test_a_reader_sees_one_state_while_a_writer_works(tmp_path: Path) -> None:
    """What is read in one transaction does not change in the middle of it."""
    with opened_engine(tmp_path) as engine, engine.ledger.read() as connection:
        count = text("SELECT count(*) FROM journal")
        assert connection.execute(count).scalar_one() == 0
        engine.process(delivered(event()), at(0))
        assert connection.execute(count).scalar_one() == 0


def test_sums_and_means_are_plain_numbers(tmp_path: Path) -> None:
    """What adds up whole numbers is a whole number, fit for JSON; a mean is a float."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event(), event(case="c2"), event("finish", "c2", at(1))), at(1))
        with engine.ledger.read() as connection:
            total = connection.execute(select(func.sum(stats_units.c.applied))).scalar_one()
            mean = connection.execute(select(func.avg(cases.c.events_count))).scalar_one()
    assert (type(total), total) == (int, 2)
    assert (type(mean), mean) == (float, 1.5)


def test_the_first_rulebook_is_in_force_from_the_beginning(tmp_path: Path) -> None:
    """Events of any age are judged by it; the same rulebook again makes no version."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        assert not ledger.has_rulebook()
        assert ledger.publish(RULEBOOK) == ledger.publish(RULEBOOK) == 1
        (version,) = ledger.rulebooks(at(-9999)).versions
        assert (version.version, version.in_force_from, version.rulebook) == (1, None, RULEBOOK)


def test_a_later_rulebook_begins_when_it_says(tmp_path: Path) -> None:
    """Before its instant it is nobody's current rulebook, and judges no event."""
    begins = datetime.now(UTC) + timedelta(days=30)
    with Ledger.open(ledger_url(tmp_path)) as ledger:
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
    with Ledger.open(ledger_url(tmp_path)) as ledger:
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
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        lease = ledger.lease()
        lease.announce("http://127.0.0.1:8000")
        with pytest.raises(LeaseHeld, match=r"send events to http://127\.0\.0\.1:8000") as held:
            ledger.lease()
        assert (held.value.pid, held.value.url) == (ledger.holder().pid, "http://127.0.0.1:8000")
        lease.release()
        lease.release()
        ledger.lease().release()
        assert ledger.holder() == Holder()


def test_a_file_has_one_writer(tmp_path: Path) -> None:
    """Workers that would share it are told what they need instead."""
    with (
        Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite") as ledger,
        pytest.raises(LedgerError, match="name a PostgreSQL database"),
    ):
        ledger.lease(shared=True)


def test_a_killed_writer_leaves_no_lease(tmp_path: Path) -> None:
    """After kill -9 the next writer starts at once, without anything to clear."""
    script = (
        "import sys; from monitor.ledger import Ledger\n"
        "lease = Ledger.open(sys.argv[1]).lease(); print('held', flush=True); sys.stdin.read()"
    )
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        command = [sys.executable, "-c", script, ledger.url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "held\n"
            with pytest.raises(LeaseHeld, match=f"process {writer.pid}"):
                ledger.lease()
            writer.kill()
            writer.wait()
            ledger.lease().release()


def at_once(ledger: Ledger, count: int, act: Callable[[Ledger, int], None]) -> None:
    """Do something in several processes' place: each thread has a ledger of its own."""

    def run(number: int) -> None:
        with Ledger.open(ledger.url) as own:
            act(own, number)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count)))


def test_publications_at_once_make_one_version_each(tmp_path: Path) -> None:
    """Who publishes while another does waits for its turn; no version is lost and none is there twice."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        at_once(ledger, 4, lambda own, number: own.publish(replace(RULEBOOK, name=f"{number}")) and None)
        versions = ledger.rulebooks().versions
    assert [version.version for version in versions] == [1, 2, 3, 4]
    assert {version.rulebook.name for version in versions} == {"0", "1", "2", "3"}


def test_a_key_revoked_twice_at_once_keeps_one_instant(tmp_path: Path) -> None:
    """Both are told the same instant."""
    told: list[datetime | None] = []
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        with ledger.write() as connection:
            key, _ = create_key(connection, "hall")

        def revoke(own: Ledger, number: int) -> None:
            with own.write() as connection:
                told.append(revoke_key(connection, key.id).revoked_at)

        at_once(ledger, 4, revoke)
    assert len(set(told)) == 1


def test_a_case_marked_beside_its_writer_stays_marked(tmp_path: Path) -> None:
    """A mark set while a batch is under way is not undone by the batch, which began before it."""
    with opened_engine(tmp_path) as engine:
        engine.process(delivered(event()), at(0))
        marking = threading.Thread(target=engine.ledger.mark)
        with transaction([Share(engine, horizon=at(1))]) as together:
            together.take([delivered(event("accept", time=at(1)))])
            marking.start()
            time.sleep(0.1)
        marking.join()
        assert engine.tick(at(1)) == 1
