"""The door to a ledger: open it, read it, write a transaction to it, publish a rulebook in it."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from monitor.ledger import audit, deployment, judging, positions, rejects, schema, texts
from monitor.ledger.database import Database, database_at
from monitor.ledger.errors import LedgerError
from monitor.ledger.judging import SourceState
from monitor.ledger.lease import Holder, Lease
from monitor.ledger.packing import unpack_assessment, unpack_entries
from monitor.ledger.publication import Approval, Publications
from monitor.ledger.views import create_views
from monitor.rulebook.model import Rulebook, RulebookHistory
from monitor.verdict import Assessment, JournalEntry

CASES_AT_ONCE = 1_000
"""Rows fetched at a time where all cases are read: bounded memory, however many there are."""
CASES_NAMED_MAX = 20
"""Cases that a line of the audit names; more are counted."""


class Ledger:
    """A ledger in a database. Any number of processes may read it; its writer holds the `lease`.

    Make one with `Ledger.open`; close it when done, or use it as a context manager.
    """

    def __init__(
        self,
        database: Database,
        url: str,
        create: bool,
        text_key: Path | None = None,
        rejects_kept: timedelta = rejects.KEPT,
    ) -> None:
        self.url, self.name, self.folder = url, database.name, database.folder
        self.publications = Publications()
        self.vault = rejects.Vault(self.folder, rejects_kept)
        self.texts = texts.TextVault(self.folder, text_key)
        self._database = database
        if create:
            database.create()
        elif not database.exists():
            raise LedgerError(
                f"{self.name}: there is no ledger here; start one with 'monitor rulebook publish FOLDER', or name "
                "another"
            )
        try:
            self.id = self._identify(create)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(
        cls,
        url: str,
        create: bool = True,
        text_key: Path | None = None,
        rejects_kept: timedelta = rejects.KEPT,
        folder: Path | None = None,
    ) -> "Ledger":
        """Open the ledger at a database URL: `sqlite:///data/ledger.sqlite`, `postgresql://monitor@host/ledger`.

        `text_key` is the file with the key of its texts' marks, by default `texts.key` in its folder;
        `rejects_kept` how long what was rejected can be looked into. Key files live in `folder`, by default beside
        the SQLite file, or for PostgreSQL in the data folder (MONITOR_DATA).

        Raises LedgerError for a URL that is none or of a database not supported, a missing ledger that is not to
        be created, one of another schema version, and a database that cannot be used.
        """
        database = database_at(url, folder)
        try:
            return cls(database, url, create, text_key, rejects_kept)
        except OSError as error:
            raise LedgerError(
                f"{database.name}: the ledger cannot be opened ({error.strerror}); check path and rights"
            ) from error
        except DBAPIError as error:
            raise LedgerError(database.explain(error)) from error

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._database.reader.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one consistent state of the ledger, whatever a writer does meanwhile."""
        with self._database.reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, or rolled back whole by any exception."""
        with self._database.writer.begin() as connection:
            yield connection

    def lease(self, shared: bool = False) -> Lease:
        """Take the right to write the streams of this ledger, alone or `shared` among workers.

        Raises LeaseHeld when another process has it, LedgerError where the database does not let it be shared, or the
        workers of a topic own the ledger that one process would write alone.
        """
        if not shared:
            with self.read() as connection:
                deployment.refuse_owned(connection)
        return self._database.lease(self.id, shared)

    def holder(self) -> Holder:
        """Read who has that right; an empty Holder where nobody says so."""
        return self._database.holder(self.id)

    def publish(
        self,
        rulebook: Rulebook,
        in_force_from: datetime | None = None,
        reason: str = "",
        *,
        actor: str | None = None,
        approval: Approval | None = None,
        retroactive: bool = False,
    ) -> int:
        """Publish a rulebook unless it is the last one again; return its version (see `Publications.publish`)."""
        with self.write() as connection:
            return self.publications.publish(
                connection,
                rulebook,
                in_force_from,
                reason,
                actor=actor,
                approval=approval,
                retroactive=retroactive,
            )

    def rulebooks(self, horizon: datetime | None = None) -> RulebookHistory:
        """Read the rulebooks in force up to a horizon, by default all. Raises LedgerError where there is none."""
        with self.read() as connection:
            return self.publications.history(connection, horizon)

    def has_rulebook(self) -> bool:
        """Tell whether a rulebook was ever published here."""
        with self.read() as connection:
            return connection.execute(select(schema.rulebooks.c.version).limit(1)).first() is not None

    def horizon(self, case: str | None = None) -> datetime | None:
        """Give the largest horizon of all streams, or that of a case's stream; None: nothing was ever taken."""
        with self.read() as connection:
            if case is None:
                return positions.last_horizon(connection)
            stream = connection.execute(select(schema.cases.c.stream).where(schema.cases.c.case == case))
            return positions.horizon_of(connection, stream.scalar_one_or_none() or "")

    def entries(self, case: str) -> list[JournalEntry]:
        """Read the events of a case in their order; empty: the case is unknown."""
        with self.read() as connection:
            packed = connection.execute(
                select(schema.cases.c.events).where(schema.cases.c.case == case)
            ).scalar_one_or_none()
        entries = unpack_entries(packed) if packed is not None else []
        return sorted(entries, key=lambda entry: (entry.event.order, entry.content_hash))

    def assessment(self, case: str) -> Assessment | None:
        """Read the stored assessment of a case; None: the case is unknown."""
        with self.read() as connection:
            packed = connection.execute(
                select(schema.cases.c.assessment).where(schema.cases.c.case == case)
            ).scalar_one_or_none()
        return unpack_assessment(packed) if packed is not None else None

    def assessments(self, *where: ColumnElement[bool]) -> Iterator[Assessment]:
        """Read the stored assessments of the cases for which conditions on `schema.cases` hold, by case."""
        query = select(schema.cases.c.assessment).where(*where).order_by(schema.cases.c.case)
        at_once = {"yield_per": CASES_AT_ONCE}
        with self.read() as connection, connection.execute(query, execution_options=at_once) as rows:
            for row in rows:
                yield unpack_assessment(row.assessment)

    def judged_until(self, case: str) -> datetime | None:
        """Tell up to when a case may be judged now, never less than it was; None: the case is unknown."""
        columns = (schema.cases.c.stream, schema.cases.c.source_set, schema.cases.c.judged_at)
        with self.read() as connection:
            row = connection.execute(select(*columns).where(schema.cases.c.case == case)).one_or_none()
            if row is None:
                return None
            horizon = positions.horizon_of(connection, row.stream)
            assert horizon is not None, "the stream of a case has a position"
            states = judging.load_states(connection, row.stream)
            rulebook = self.publications.history(connection, horizon).current.rulebook
        stored: datetime = row.judged_at
        return max(stored, judging.judged_at(row.source_set, states, rulebook, horizon))

    def source_states(self) -> dict[str, SourceState]:
        """Read what all streams know of each source: its counters, last event, how far it may be judged."""
        with self.read() as connection:
            return judging.all_states(connection)

    def rejects(self, limit: int = 100) -> list[rejects.Reject]:
        """Read the newest rejects."""
        with self.read() as connection:
            return rejects.newest(connection, limit)

    def mark(self, cases: Iterable[str] | None = None) -> int:
        """Mark cases, by default all, to be assessed again by their writer's next ticks; return how many."""
        every = schema.cases.update().values(marked=True)
        named = None if cases is None else list(cases)
        with self.write() as connection:
            positions.hold_writers(connection)
            if named is None:
                marked = connection.execute(every.where(~schema.cases.c.marked)).rowcount
            else:
                marked = sum(connection.execute(every.where(schema.cases.c.case == case)).rowcount for case in named)
            detail = {"marked": marked, "cases": None if named is None else named[:CASES_NAMED_MAX]}
            audit.record(connection, audit.operator_account(), "case.reassess", "cases", detail)
            return marked

    def discard_copies(self) -> bool:
        """Remove the copies the database keeps of erased texts; tell whether it could be done at once."""
        return self._database.discard_copies(schema.texts.name)

    def _identify(self, create: bool) -> str:
        """Check the version of the tables, making them where there are none; return the ledger's own id."""
        with self.read() as connection:
            known = inspect(connection).has_table(schema.meta.name)
        if not known:
            if not create:
                raise LedgerError(
                    f"{self.name}: this database holds no ledger; start one with 'monitor rulebook publish FOLDER'"
                )
            self._create()
        with self.read() as connection:
            stated: dict[str, str] = {row.name: row.value for row in connection.execute(select(schema.meta))}
        found, expected = stated.get("schema_version"), str(schema.SCHEMA_VERSION)
        if found != expected:
            raise LedgerError(
                f"{self.name}: its tables are of version {found}, this program needs {expected}; "
                f"use the program that made it, or import its events into a new ledger"
            )
        if "replay" in stated:
            raise LedgerError(
                f"{self.name}: a replay into this ledger is under way or was broken off: it is not whole; wait for its "
                "end, or replay into another empty database"
            )
        return stated["ledger_id"]

    def _create(self) -> None:
        with self.write() as connection:
            # Two processes may find no tables at once; the second, once let in, finds the first one's.
            self._database.begin_tables(connection)
            if not inspect(connection).has_table(schema.meta.name):
                schema.metadata.create_all(connection)
                create_views(connection)
                stated = {"schema_version": str(schema.SCHEMA_VERSION), "ledger_id": secrets.token_hex(16)}
                connection.execute(insert(schema.meta), [{"name": k, "value": v} for k, v in stated.items()])
