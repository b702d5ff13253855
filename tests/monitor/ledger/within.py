"""A ledger as it is verified within a transaction that changes it and is rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Connection, Table, select, text
from sqlalchemy.exc import DBAPIError

from monitor.ledger import Ledger
from monitor.ledger.stored import as_stored
from monitor.ledger.verify import Difference, verify
from tests.small_centre import assess_plainly


class Within:
    """A ledger read within the transaction that changes it, so that every change can be taken back."""

    def __init__(self, ledger: Ledger, connection: Connection) -> None:
        self.publications, self.vault, self.texts = ledger.publications, ledger.vault, ledger.texts
        self.connection = connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give the connection of the change."""
        yield self.connection

    def difference(self) -> Difference | None:
        """Verify; return the first difference."""
        return verify(cast("Ledger", self), assess_plainly).difference

    def rows(self, table: Table) -> list[Any]:
        """Read the rows of a table as they are stored."""
        return list(self.connection.execute(select(*as_stored(table)).order_by(table.c.seq)).mappings())

    def after(self, *statements: str, **values: Any) -> Difference | None:
        """Change the ledger, verify, and take the change back; None too where the database refuses the change."""
        savepoint = self.connection.begin_nested()
        try:
            for statement in statements:
                assert self.connection.execute(text(statement), values).rowcount > 0
            found = self.difference()
            assert found is not None, f"{statements} {values} is not found"
        except DBAPIError:
            found = None
        finally:
            savepoint.rollback()
        return found
