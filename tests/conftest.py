"""What every test shares: how long properties are searched, the real logs, and the ban on skips in CI."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from argon2 import PasswordHasher

from tests import databases
from tests.databases import PostgresDatabases, SqliteFiles
from tests.kafka import KafkaBroker, KafkaServer, NoBroker
from tests.lacking import skip, skip_without
from tests.postgres import FAST, CannotStart, PostgresServer

pytest_plugins = ["pytester", "tests.skip_ban"]

ROOT = Path(__file__).resolve().parent.parent

# What is printed must not depend on the terminal that the tests were started from.
for width in ("COLUMNS", "LINES"):
    os.environ.pop(width, None)

# No deadline per example: a busy machine is not a broken law. `ci` searches longer than one waits by hand.
hypothesis.settings.register_profile("quick", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=125, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("MONITOR_HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hash passwords of tests cheaply: what is slow on purpose would make a minute of the suite."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitor.people._hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real permit logs, or skip: they are not ours to put into this repository."""
    named = os.environ.get("MONITOR_SHARED_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        skip(f"no real logs in {folder}: set MONITOR_SHARED_DATA to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresDatabases]:
    """Give databases of a real server: the one MONITOR_TEST_POSTGRES names, else one started here, or skip."""
    named, server = os.environ.get("MONITOR_TEST_POSTGRES"), None
    if named is None:
        try:
            server = PostgresServer(*FAST)
        except CannotStart as reason:
            skip_without(reason)
        named = server.url("postgres")
    made = PostgresDatabases(named)
    yield made
    made.close()
    if server is not None:
        server.stop()


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    """Give a broker that tests share: the one MONITOR_TEST_KAFKA names (host:port), else one started here, or skip."""
    named = os.environ.get("MONITOR_TEST_KAFKA")
    server = None if named else _kafka_server()
    broker = KafkaBroker(named or "") if server is None else server.broker
    yield broker
    if server is None:
        broker.close()
    else:
        server.stop()


@pytest.fixture
def own_kafka() -> Iterator[KafkaServer]:
    """Give a broker that the test may kill and restart, or skip."""
    server = _kafka_server()
    yield server
    server.stop()


def _kafka_server() -> KafkaServer:
    try:
        return KafkaServer()
    except NoBroker as reason:
        skip_without(reason)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have a module's ledgers kept in SQLite, and once more in PostgreSQL."""
    before = databases.current
    databases.current = SqliteFiles() if request.param == "sqlite" else request.getfixturevalue("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONITOR_DATA", str(tmp_path_factory.mktemp("data")))
        yield
    databases.current = before


@pytest.fixture
def each_database(database_kind: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a test's ledgers kept in SQLite, and once more in PostgreSQL; key files live in its folder."""
    monkeypatch.setenv("MONITOR_DATA", str(tmp_path))
    known = databases.current.made()
    yield
    for name in set(databases.current.made()) - set(known):
        databases.current.drop(name)
