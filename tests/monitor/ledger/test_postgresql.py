"""A ledger in a PostgreSQL database: what is said when it cannot be used, and what its promises rest on."""

import os
import re
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from monitor.ledger import LeaseHeld, Ledger, LedgerError
from monitor.ledger.lease import Holder
from monitor.ledger.positions import take_over
from monitor.ledger.schema import meta
from monitor.ledger.upsert import COPY_ROWS_MIN, append
from monitor.ledger.views import VIEWS
from streams.engine import Engine, Fenced
from tests.conftest import ROOT
from tests.databases import PostgresDatabases
from tests.small_centre import assess_plainly, at, delivered, engine_at, event

SECRET = "p%40ss%2Fsecret"
"""A password with an @ and a slash, as it is written in a URL."""


@pytest.fixture
def url(postgres: PostgresDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name a database without tables, owned by the administrator."""
    monkeypatch.setenv("MONITOR_DATA", str(tmp_path))
    with postgres.empty() as made:
        yield made


@pytest.fixture
def keyed(postgres: PostgresDatabases, url: str) -> Iterator[str]:
    """Name the same database for a user who needs the password SECRET stands for."""
    parsed = make_url(url)
    name = f"keyed_{parsed.database}"
    postgres.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p@ss/secret' IN ROLE keyed")
    yield parsed.set(username=name).render_as_string(hide_password=False)
    postgres.execute(f"DROP OWNED BY {name}", parsed.database)
    postgres.execute(f"DROP ROLE {name}")


def refused(url: str, create: bool = True) -> str:
    """Give the message a ledger is refused with; no password is in it."""
    with pytest.raises(LedgerError) as error:
        Ledger.open(url, create=create)
    assert "secret" not in str(error.value)
    return str(error.value)


def with_password(url: str, password: str) -> str:
    """Write a password into a URL."""
    return url.replace("@/", f":{password}@/")


def administer(url: str, statement: str) -> None:
    """Change something behind the ledger's back."""
    with Ledger.open(url) as ledger, ledger.write() as connection:
        connection.execute(text(statement))


def test_whoever_opens_it_first_makes_the_tables(url: str) -> None:
    """Several who find an empty database at once end with one ledger."""

    def opened(_: int) -> str:
        with Ledger.open(url) as ledger:
            return ledger.id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(opened, range(4)))) == 1


def test_a_database_without_a_ledger_is_left_alone_by_who_reads(url: str) -> None:
    """A command that only reads makes no tables; it says how a ledger is begun."""
    assert "holds no ledger; start one with" in refused(url, create=False)
    assert "holds no ledger" in refused(url, create=False)


def test_a_missing_database_and_a_missing_server_are_named(url: str) -> None:
    """Each is said with the name of the database, what the server answered, and what to check."""
    missing = make_url(url).set(database="nowhere").render_as_string(hide_password=False)
    said = refused(missing)
    assert said.startswith("postgresql://postgres@")
    assert "/nowhere: the database cannot be reached" in said
    assert "does not exist" in said
    down = refused("postgresql://monitor:secret@127.0.0.1:1/ledger?connect_timeout=2&password=secret")
    assert down.startswith("postgresql://monitor@127.0.0.1:1/ledger: the database cannot be reached")
    assert "check that the server runs" in down


def test_a_password_is_taken_from_the_url_or_from_libpq(
    keyed: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the URL, in PGPASSWORD or in a password file; a wrong one is refused and never shown."""
    Ledger.open(url).close()
    name = make_url(keyed).username
    administer(url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    Ledger.open(with_password(keyed, SECRET)).close()
    assert "password" in refused(keyed)
    assert "authentication failed" in refused(with_password(keyed, "wrongsecret"))
    with monkeypatch.context() as patch:
        patch.setenv("PGPASSWORD", "p@ss/secret")
        Ledger.open(keyed).close()
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:{name}:p@ss/secret\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    Ledger.open(keyed).close()


def test_a_password_written_wrong_is_not_shown() -> None:
    """An @ that is not percent-encoded makes half the password a host; the message says how to write it."""
    assert "write %40 for @" in refused("postgresql://monitor:se@secret@host/ledger")


def test_a_missing_right_is_named(keyed: str) -> None:
    """A user who may not make tables is told so, and what would help."""
    said = refused(with_password(keyed, SECRET))
    assert "permission denied for schema public" in said
    assert "let it own the database" in said


def test_tables_of_another_version_are_refused(url: str) -> None:
    """They are never guessed at."""
    administer(url, "UPDATE meta SET value = '1' WHERE name = 'schema_version'")
    assert "its tables are of version 1" in refused(url)


def test_a_database_that_cannot_hold_chinese_is_refused(postgres: PostgresDatabases) -> None:
    """Its encoding is named, and the one to use."""
    with postgres.empty("ENCODING 'LATIN1'") as url:
        assert "encoded in LATIN1; make one with ENCODING 'UTF8'" in refused(url)


def test_acknowledged_means_on_disk(url: str) -> None:
    """A session waits for the disk at each commit, though the database's default is not to."""
    administer(url, f"ALTER DATABASE {make_url(url).database} SET synchronous_commit = off")
    with Ledger.open(url) as ledger, ledger.write() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"


def test_who_reads_can_write_nothing(url: str) -> None:
    """The database itself refuses."""
    with Ledger.open(url) as ledger, ledger.read() as connection, pytest.raises(OperationalError, match="read-only"):
        connection.execute(text("DELETE FROM meta"))


def test_texts_are_compared_by_their_bytes(url: str) -> None:
    """Codes sort as on SQLite and in Python, whatever language the database was made for: every text column says so."""
    with Ledger.open(url) as ledger, ledger.read() as connection:
        others = connection.execute(
            text(
                "SELECT table_name, column_name, collation_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND table_name !~ '^v_' AND data_type IN ('text', 'character varying') "
                "AND collation_name IS DISTINCT FROM 'C'"
            )
        )
        assert others.all() == []


def test_a_role_with_the_views_reads_nothing_else(keyed: str, url: str) -> None:
    """The grant the page on views gives is enough for them, and for no table."""
    (grant,) = re.findall(r"(?m)^GRANT SELECT .* TO report;$", (ROOT / "docs" / "views.md").read_text(encoding="utf-8"))
    administer(url, grant.replace("report", str(make_url(keyed).username)))
    with psycopg.connect(with_password(keyed, SECRET), autocommit=True) as connection:
        for view in VIEWS:
            connection.execute(f"SELECT * FROM {view}".encode())
        for statement in ("SELECT * FROM cases", "SELECT * FROM journal", "DELETE FROM v_cases"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_a_read_only_database_is_waited_for(url: str) -> None:
    """A standby, or a server told to take no writes, is an error that passes, and then all goes on."""
    name = make_url(url).database
    with engine_at(url) as engine:
        administer(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        engine.ledger.close()  # its sessions began before
        with pytest.raises(OperationalError, match="read-only"):
            engine.process(delivered(event()), at(0))
        administer_read_only(url, f"ALTER DATABASE {name} RESET default_transaction_read_only")
        engine.ledger.close()
        assert engine.process(delivered(event()), at(0))[0].status == "applied"


def administer_read_only(url: str, statement: str) -> None:
    """Change something in a database that takes no writes."""
    with Ledger.open(url) as ledger, ledger.write() as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        connection.execute(text(statement))


@pytest.mark.parametrize("count", [1, COPY_ROWS_MIN])
def test_an_error_does_not_repeat_the_values_it_is_about(url: str, count: int) -> None:
    """PostgreSQL would add the row; a log that keeps the error must not hold it."""
    rows = [{"name": f"张三 {number}", "value": "secret"} for number in range(count)]

    def write() -> None:
        with Ledger.open(url) as ledger, ledger.write() as connection:
            append(connection, meta, rows)

    write()
    with pytest.raises(IntegrityError, match="duplicate key value") as twice:
        write()
    said = "".join(traceback.format_exception(twice.value, limit=0))
    assert not [value for value in ("张三", "secret") if value in said]


def lose_lease(engine: Engine) -> None:
    """End the session that holds the lease, as a broken connection would."""
    with engine.ledger.write() as connection:
        ended = connection.execute(
            text("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        )
        assert ended.scalars().all() == [True]


def test_a_lease_that_was_lost_is_taken_again(url: str) -> None:
    """Where nobody took it meanwhile, the engine goes on, and others learn its address as before."""
    with engine_at(url) as engine:
        engine.lease.announce("http://127.0.0.1:8000")
        lose_lease(engine)
        assert engine.ledger.holder() == Holder()
        assert engine.process(delivered(event()), at(0))[0].status == "applied"
        assert engine.ledger.holder().url == "http://127.0.0.1:8000"
        with pytest.raises(LeaseHeld, match=r"send events to http://127\.0\.0\.1:8000"):
            engine.ledger.lease()


def test_an_engine_notices_that_another_has_its_lease(url: str) -> None:
    """It writes nothing more and says who does."""
    with engine_at(url) as engine, Ledger.open(url) as ledger:
        lose_lease(engine)
        other = Engine(ledger, assess=assess_plainly)
        with pytest.raises(LeaseHeld, match="is writing this ledger"):
            engine.process(delivered(event()), at(0))
        assert other.process(delivered(event()), at(0))[0].status == "applied"
        other.close()


def test_workers_share_a_lease(url: str) -> None:
    """Any number hold it at once; who wants it alone learns of them, and gets it after the last one."""
    with Ledger.open(url) as ledger, Ledger.open(url) as another:
        first, second = ledger.lease(shared=True), another.lease(shared=True)
        first.confirm()
        with pytest.raises(LeaseHeld, match=rf"process {os.getpid()} on .* as a worker \(and 1 more\)") as held:
            ledger.lease()
        assert held.value.url is None
        first.release()
        assert ledger.holder().shared
        with pytest.raises(LeaseHeld, match="as a worker, and nobody may write it alone"):
            ledger.lease()
        second.release()
        assert ledger.holder() == Holder()
        ledger.lease().release()


def test_who_writes_alone_keeps_workers_out(url: str) -> None:
    """A worker started beside an embedded runtime is refused, and told where that takes events."""
    with Ledger.open(url) as ledger:
        alone = ledger.lease()
        alone.announce("http://127.0.0.1:8000")
        with pytest.raises(LeaseHeld, match=r"only one may; send events to http://127\.0\.0\.1:8000"):
            ledger.lease(shared=True)
        alone.release()
        ledger.lease(shared=True).release()


def test_a_lost_share_is_taken_again_and_the_dead_are_forgotten(url: str) -> None:
    """Beside others that took the lease meanwhile; what a dead session said is nobody's word any more."""
    with engine_at(url) as engine, Ledger.open(url) as ledger:
        lose_lease(engine)
        lease, other = ledger.lease(shared=True), ledger.lease(shared=True)
        administer(url, "SELECT pg_terminate_backend(min(pid), 5000) FROM pg_locks WHERE locktype = 'advisory'")
        lease.confirm()
        other.confirm()
        with ledger.read() as connection:
            said = connection.execute(text("SELECT count(*) FROM meta WHERE name LIKE 'lease/%'")).scalar_one()
        assert said == 2
        lease.release()
        other.release()


def test_an_engine_that_does_not_notice_is_fenced_all_the_same(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The epoch of the stream's position keeps it out, whatever became of its lease (I10)."""
    with engine_at(url) as engine, Ledger.open(url) as ledger:
        monkeypatch.setattr(engine.lease, "confirm", lambda: None)
        engine.process(delivered(event()), at(0))
        lose_lease(engine)
        other = Engine(ledger, assess=assess_plainly)
        with pytest.raises(Fenced, match="another writer"):
            engine.process(delivered(event("finish", time=at(1))), at(1))
        with pytest.raises(Fenced):
            engine.tick(at(9))
        other.close()
        assert [entry.event.id for entry in ledger.entries("c1")] == ["apply"]


def test_a_writer_frozen_in_its_transaction_loses_its_locks(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stands still with a stream locked is put out by the server, so that its successor need not wait for ever."""
    monkeypatch.setattr("monitor.ledger.postgresql.IDLE_TIMEOUT_SECONDS", 0.2)
    with Ledger.open(url) as frozen, Ledger.open(url) as successor:

        def stand_still() -> None:
            with frozen.write() as connection:
                take_over(connection, "city/0")
                with successor.write() as other:
                    assert take_over(other, "city/0").epoch == 1
                connection.execute(text("SELECT 1"))

        with pytest.raises(OperationalError, match="idle"):
            stand_still()
        with frozen.read() as connection:
            connection.execute(text("SELECT pg_sleep(0.5)"))
            assert connection.execute(text("SELECT count(*) FROM positions")).scalar_one() == 1
