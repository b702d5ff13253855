"""Rulebooks in the ledger: immutable versions, published once, in force from a stated instant.

A version that may hide a breach (`monitor.rulebook.danger`) needs a second person, here and not in the commands:
whoever publishes passes an `Approval`, and the ledger checks it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, Row, func, insert, select

from monitor.ledger import apart, audit
from monitor.ledger.errors import LedgerError, Refusal
from monitor.ledger.notices import tell_inspectors
from monitor.ledger.packing import pack_rulebook, to_json, unpack_rulebook
from monitor.ledger.positions import hold_writers, last_horizon
from monitor.ledger.schema import cases, positions, rulebooks, users
from monitor.rulebook.danger import Danger, dangers
from monitor.rulebook.model import Rulebook, RulebookHistory, RulebookVersion
from monitor.rules.publication import Published

APPROVERS: Final[tuple[Literal["admin", "inspector"], ...]] = ("admin", "inspector")
"""The roles of which two different people must stand behind a dangerous version."""
DANGERS_NAMED_MAX: Final = 1_000


class _Listed(NamedTuple):
    version: int
    in_force_from: datetime | None
    digest: str


class Approval(msgspec.Struct, frozen=True):
    """Who stands behind a dangerous version: two users, or (`alone`), in a ledger without users, a reason only."""

    reason: str
    proposed_by: str | None = None
    approved_by: str | None = None

    @property
    def alone(self) -> bool:
        """Tell whether nobody else stands behind it."""
        return self.approved_by is None


class NeedsApproval(Refusal):
    """A rulebook with `dangers` that nobody else stands behind."""

    def __init__(self, found: list[Danger]) -> None:
        self.dangers = found
        super().__init__("second_person.needed", count=len(found))


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
        return self.histories(connection, version)(horizon)

    def histories(
        self, connection: Connection, version: int | None = None
    ) -> Callable[[datetime | None], RulebookHistory]:
        """List the versions once; return what gives `history` for any horizon, within the same transaction."""
        rows = connection.execute(
            select(rulebooks.c.version, rulebooks.c.in_force_from, rulebooks.c.digest).order_by(rulebooks.c.version)
        )
        # First those up to the version: a later one with effect for the past would hide what was in force then.
        listed = standing([_Listed(*row) for row in rows if version is None or row.version <= version])
        return partial(self._history, connection, listed)

    def _history(self, connection: Connection, listed: Sequence[_Listed], horizon: datetime | None) -> RulebookHistory:
        known = [row for row in listed if _in_force(row, horizon)]
        if not known:
            raise LedgerError("this ledger has no rulebook yet: publish one with 'monitor rulebook publish FILE'")
        key = tuple(known)
        if key not in self._histories:
            versions = tuple(
                RulebookVersion(row.version, self._rulebook(connection, row), row.in_force_from) for row in known
            )
            self._histories[key] = RulebookHistory(versions, versions[-1])
        return self._histories[key]

    def publish(
        self,
        connection: Connection,
        rulebook: Rulebook,
        in_force_from: datetime | None = None,
        reason: str = "",
        *,
        actor: str | None = None,
        approval: Approval | None = None,
        retroactive: bool = False,
    ) -> int:
        """Add a version unless it is the last one again; return its number.

        The first is in force from the beginning of time. A later one begins at `in_force_from`, by default now; in
        the past only if `retroactive`, else that raises LedgerError. It takes the place of every version that would
        begin later. Raises NeedsApproval where it is dangerous and nobody else stands behind it, Refusal for an
        approval that is none. `actor` is who publishes, for the audit; by default the account of this process.
        """
        content, digest = pack_rulebook(rulebook)
        # Nobody may judge beyond the instant it begins, nor publish beside it, until all can read it.
        hold_writers(connection)
        last = connection.execute(select(rulebooks).order_by(rulebooks.c.version.desc()).limit(1)).one_or_none()
        if last is not None and last.digest == digest:
            number: int = last.version
            return number
        earliest = _earliest(connection)
        begins, now = self._begins(last, in_force_from, retroactive, earliest), datetime.now(UTC)
        found = [] if last is None else self.dangers(connection, rulebook, in_force_from)
        if found:
            _check(connection, approval, found)
        version = 1 if last is None else last.version + 1
        row = {
            "version": version,
            "in_force_from": begins,
            "published_at": now,
            "reason": reason,
            "retroactive": begins is not None and begins < earliest,
            "open_cases": to_json({} if last is None else _open_cases(connection)),
        }
        connection.execute(insert(rulebooks).values(**row, digest=digest, content=content))
        detail = {"in_force_from": begins, "reason": reason, "digest": digest, **_supervision(approval, found)}
        audit.record(connection, actor or audit.operator_account(), "rulebook.publish", f"rulebook:{version}", detail)
        if found:
            tell_inspectors(connection, f"rulebook:{version}")
        self.settle(connection, now)
        return version

    def published(self, connection: Connection) -> list[Published]:
        """Read every version ever published, oldest first, with what was open when it was."""
        rows = connection.execute(select(rulebooks).order_by(rulebooks.c.version)).all()
        return [
            Published(
                RulebookVersion(row.version, self._rulebook(connection, row), row.in_force_from),
                row.published_at,
                row.retroactive,
                msgspec.json.decode(row.open_cases, type=dict[str, int]),
            )
            for row in rows
        ]

    def settle(self, connection: Connection, now: datetime) -> None:
        """Write the findings that follow from the versions, and from the one in force at each stream's horizon."""
        query = select(positions.c.stream, positions.c.horizon).order_by(positions.c.stream)
        horizons = {row.stream: row.horizon for row in connection.execute(query).all()}
        apart.settle_publication(
            connection,
            self.published(connection),
            horizons,
            lambda horizon: self.history(connection, horizon).current,
            now,
        )

    def dangers(self, connection: Connection, rulebook: Rulebook, begins: datetime | None) -> list[Danger]:
        """Find what is dangerous in a rulebook that would begin at an instant, None: now.

        It is compared with the version it follows and with those it takes the place of: a rule that is to become
        stricter next month must not be forgotten by a version published today.
        """
        earliest = _earliest(connection)
        begins = begins or earliest
        versions = self.history(connection).versions
        follows = RulebookHistory(versions, versions[-1]).at(begins).version
        found = [Danger("retroactive", "", "", begins.isoformat())] if begins < earliest else []
        for version in versions:
            if version.version == follows or (version.in_force_from is not None and version.in_force_from > begins):
                found += [danger for danger in dangers(version.rulebook, rulebook) if danger not in found]
        return found

    def _begins(
        self, last: Row[Any] | None, in_force_from: datetime | None, retroactive: bool, earliest: datetime
    ) -> datetime | None:
        """Give the instant a version begins."""
        if last is None:
            if in_force_from is not None:
                raise LedgerError("the first rulebook is in force from the beginning of time: leave out the instant")
            return None
        if in_force_from is None:
            return earliest
        if in_force_from < earliest and not retroactive:
            raise LedgerError(
                f"a rulebook cannot come into force at {in_force_from.isoformat()}: cases have been judged up to "
                f"{earliest.isoformat()} by the versions before it; choose a later instant, or say it is retroactive"
            )
        return in_force_from

    def _rulebook(self, connection: Connection, row: _Listed | Row[Any]) -> Rulebook:
        decoded = self._decoded.get(row.digest)
        if decoded is None:
            content = connection.execute(
                select(rulebooks.c.content).where(rulebooks.c.version == row.version)
            ).scalar_one()
            decoded = self._decoded[row.digest] = unpack_rulebook(content)
        return decoded


def approvers(connection: Connection) -> set[str]:
    """Name the users who may stand behind a dangerous version: active admins and inspectors."""
    query = select(users.c.name).where(users.c.role.in_(APPROVERS), users.c.disabled_at.is_(None))
    return set(connection.execute(query).scalars())


def described(found: list[Danger]) -> dict[str, Any]:
    """Lay out dangers for the audit, the first DANGERS_NAMED_MAX of them."""
    return {"count": len(found), "named": msgspec.to_builtins(found[:DANGERS_NAMED_MAX])}


def _check(connection: Connection, approval: Approval | None, found: list[Danger]) -> None:
    """Refuse a dangerous version that nobody else stands behind."""
    if approval is None:
        raise NeedsApproval(found)
    if not approval.reason.strip():
        raise Refusal("second_person.reason")
    if approval.alone:
        if connection.execute(select(users.c.name).limit(1)).first() is not None:
            raise Refusal("second_person.not_alone")
        return
    for name in (approval.proposed_by, approval.approved_by):
        if name not in approvers(connection):
            raise Refusal("second_person.nobody", name=name)
    if approval.proposed_by == approval.approved_by:
        raise Refusal("second_person.same", name=approval.approved_by)


def _supervision(approval: Approval | None, found: list[Danger]) -> dict[str, Any]:
    if not found or approval is None:
        return {}
    people = {"proposed_by": approval.proposed_by, "approved_by": approval.approved_by, "why": approval.reason}
    return {**people, "unsupervised": approval.alone, "dangers": described(found)}


def _open_cases(connection: Connection) -> dict[str, int]:
    """Count the open cases of each item."""
    counted = select(cases.c.item, func.count()).where(~cases.c.closed).group_by(cases.c.item)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _earliest(connection: Connection) -> datetime:
    """Give the first instant a version may begin at without being retroactive."""
    now = datetime.now(UTC)
    return max(now, last_horizon(connection) or now)


def _in_force(row: _Listed, horizon: datetime | None) -> bool:
    return horizon is None or row.in_force_from is None or row.in_force_from <= horizon


class _Begins(Protocol):
    @property
    def in_force_from(self) -> datetime | None: ...


Begun = TypeVar("Begun", bound=_Begins)


def standing(listed: Sequence[Begun]) -> list[Begun]:
    """Leave out the versions that never come into force: one published after them begins before they would."""
    found: list[Begun] = []
    for row in reversed(listed):
        next_begins = found[-1].in_force_from if found else None
        if next_begins is None or row.in_force_from is None or row.in_force_from <= next_begins:
            found.append(row)
    return found[::-1]
