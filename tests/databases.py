"""The databases ledgers of tests are kept in: SQLite files, or databases of a real PostgreSQL server.

A module whose tests promise the same on both says so in one line:

    pytestmark = pytest.mark.usefixtures("each_database")

Its tests run once on each, as long as they name their ledgers by `ledger_url`, directly or through `opened_engine`.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from shutil import copytree
from typing import Protocol

import psycopg
from sqlalchemy.engine.url import make_url

from monitor.ledger import Ledger

_numbers = count()

_SPOKEN_BY_SQLITE = """
CREATE DOMAIN blob AS bytea;
CREATE FUNCTION zeroblob(integer) RETURNS bytea LANGUAGE sql AS $$ SELECT decode(repeat('00', $1), 'hex') $$;
CREATE FUNCTION replace(bytea, text, text) RETURNS bytea LANGUAGE sql
    AS $$ SELECT convert_to(replace(convert_from($1, 'UTF8'), $2, $3), 'UTF8') $$;
"""
"""So that one statement of a test changes bytes in both databases behind the ledger's back."""


class Databases(Protocol):
    """Where ledgers are kept."""

    name: str

    def url(self, folder: Path, name: str, made: bool = True) -> str: ...

    def copy(self, folder: Path, to: Path, name: str) -> None: ...

    def made(self) -> list[str]: ...

    def drop(self, name: str) -> None: ...


class SqliteFiles:
    """Files in the folders of tests, which pytest removes."""

    name = "sqlite"

    def url(self, folder: Path, name: str, made: bool = True) -> str:
        return f"sqlite:///{folder / name}.sqlite"

    def copy(self, folder: Path, to: Path, name: str) -> None:
        copytree(folder, to, dirs_exist_ok=True)

    def made(self) -> list[str]:
        return []

    def drop(self, name: str) -> None: ...


class PostgresDatabases:
    """Databases of a server, each copied from one with an empty ledger; a folder and a name stand for one of them."""

    name = "postgresql"

    def __init__(self, server_url: str) -> None:
        self._server = make_url(server_url)
        self._made: dict[str, str] = {}
        self._template = ""

    def url(self, folder: Path, name: str, made: bool = True) -> str:
        place = str(folder / name)
        if place not in self._made:
            self._made[place] = self._create(self.template if made else "template0")
        return self._url_of(self._made[place])

    @contextmanager
    def empty(self, options: str = "ENCODING 'UTF8'") -> Iterator[str]:
        """Make a database without tables, and drop it in the end; give its URL."""
        name = self._create("template0", options)
        yield self._url_of(name)
        self._drop(name)

    def copy(self, folder: Path, to: Path, name: str) -> None:
        copytree(folder, to, dirs_exist_ok=True)
        self._made[str(to / name)] = self._create(self._made[str(folder / name)])

    def made(self) -> list[str]:
        return list(self._made)

    def drop(self, name: str) -> None:
        self._drop(self._made.pop(name))

    def close(self) -> None:
        """Drop what is left."""
        for name in self.made():
            self.drop(name)
        if self._template:
            self._drop(self._template)

    def execute(self, statement: str, database: str | None = None) -> None:
        """Have the administrator do something."""
        url = self._server if database is None else self._server.set(database=database)
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement.encode())

    @property
    def template(self) -> str:
        """The name of a database that holds an empty ledger."""
        if not self._template:
            self._template = self._create("template0")
            Ledger.open(self._url_of(self._template)).close()
            self.execute(_SPOKEN_BY_SQLITE, self._template)
        return self._template

    def _create(self, template: str, options: str = "") -> str:
        name = f"monitor_test_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY {options}")
        return name

    def _drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _url_of(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)


current: Databases = SqliteFiles()
"""Where the ledgers of the test under way are kept; the fixtures `database_kind` and `each_database` set it."""


def ledger_url(folder: Path, name: str = "ledger") -> str:
    """Name the ledger that a folder and a name stand for."""
    return current.url(folder, name)


def unmade_ledger_url(folder: Path, name: str = "ledger") -> str:
    """Name the ledger that a folder and a name stand for, whose tables nobody has made yet."""
    return current.url(folder, name, made=False)


def copy_ledger(folder: Path, to: Path, name: str = "ledger") -> None:
    """Copy a folder and the ledger it stands for, which nobody may have open."""
    current.copy(folder, to, name)


@contextmanager
def scratch_ledger() -> Iterator[str]:
    """Give the URL of a ledger that is gone at the end; its keys live in the data folder."""
    with tempfile.TemporaryDirectory() as folder:
        known = current.made()
        yield ledger_url(Path(folder))
        for name in set(current.made()) - set(known):
            current.drop(name)
