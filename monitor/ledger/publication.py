"""Rulebooks in the ledger: immutable versions, published once, in force from a stated instant."""

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from monitor.ledger.errors import LedgerError
from monitor.ledger.packing import pack_rulebook, unpack_rulebook
from monitor.ledger.positions import hold_writers, last_horizon
from monitor.ledger.schema import rulebooks
from monitor.rulebook.model import Rulebook, RulebookHistory, RulebookVersion


class _Listed(NamedTuple):
    version: int
    in_force_from: datetime | None
    digest: str


class Publications:
    """Read and publish rulebooks.

    Decoded versions are kept by digest: a digest never changes its meaning, so that what is kept stays true when
    a transaction is rolled back.
    """

    def __init__(self) -> None:
        self._decoded: dict[str, Rulebook] = {}
        self._histories: dict[tuple[_Listed, ...], RulebookHistory] = {}

    def history(
        self, connection: Connection, horizon: datetime | None = None, version: int | None = None
    ) -> RulebookHistory:
        """Read the versions in force up to a horizon, or up to a version; both None: all that were published.

        A version published for later is not in it: nothing may be judged by it yet. Raises LedgerError where
        there is none.
        """
        rows = connection.execute(
            select(rulebooks.c.version, rulebooks.c.in_force_from, rulebooks.c.digest).order_by(rulebooks.c.version)
        )
        listed = _standing([_Listed(*row) for row in rows])
        known = [row for row in listed if _in_force(row, horizon) and (version is None or row.version <= version)]
        if not known:
            raise LedgerError("this ledger has no rulebook yet: publish one with 'monitor rulebook publish FILE'")
        key = tuple(known)
        if key not in self._histories:
            versions = tuple(
                RulebookVersion(row.version, self._rulebook(connection, row), row.in_force_from) for row in known
            )
            self._histories[key] = RulebookHistory(versions, versions[-1])
        return self._histories[key]

    def publish(self, connection: Connection, rulebook: Rulebook, in_force_from: datetime | None, reason: str) -> int:
        """Add a version unless it is the last one again; return its number.

        The first is in force from the beginning of time. A later one begins at `in_force_from`, by default now;
        never in the past: raises LedgerError. It takes the place of every version published for later than that.
        """
        content, digest = pack_rulebook(rulebook)
        # Nobody may judge beyond the instant it begins, nor publish beside it, until all can read it.
        hold_writers(connection)
        now = datetime.now(UTC)
        last = connection.execute(select(rulebooks).order_by(rulebooks.c.version.desc()).limit(1)).one_or_none()
        if last is not None and last.digest == digest:
            number: int = last.version
            return number
        begins = None
        if last is not None:
            earliest = max(now, last_horizon(connection) or now)
            begins = earliest if in_force_from is None else in_force_from
            if begins < earliest:
                raise LedgerError(
                    f"a rulebook cannot come into force at {begins.isoformat()}: cases have been judged up to "
                    f"{earliest.isoformat()} by the versions before it; choose a later instant"
                )
        elif in_force_from is not None:
            raise LedgerError("the first rulebook is in force from the beginning of time: leave out the instant")
        connection.execute(
            insert(rulebooks).values(
                version=1 if last is None else last.version + 1,
                in_force_from=begins,
                published_at=now,
                reason=reason,
                digest=digest,
                content=content,
            )
        )
        return 1 if last is None else last.version + 1

    def _rulebook(self, connection: Connection, row: _Listed) -> Rulebook:
        decoded = self._decoded.get(row.digest)
        if decoded is None:
            content = connection.execute(
                select(rulebooks.c.content).where(rulebooks.c.version == row.version)
            ).scalar_one()
            decoded = self._decoded[row.digest] = unpack_rulebook(content)
        return decoded


def _in_force(row: _Listed, horizon: datetime | None) -> bool:
    return horizon is None or row.in_force_from is None or row.in_force_from <= horizon


def _standing(listed: list[_Listed]) -> list[_Listed]:
    """Leave out the versions that never come into force: one published after them begins before they would."""
    standing: list[_Listed] = []
    for row in reversed(listed):
        next_begins = standing[-1].in_force_from if standing else None
        if next_begins is None or row.in_force_from is None or row.in_force_from <= next_begins:
            standing.append(row)
    return standing[::-1]
