"""Proposals: dangerous versions of the rulebook that wait for a second person.

A proposal is in force for nobody. Approved by another user it becomes a version; what it is compared with must be
what it was compared with when it was proposed, so that the second person judges what he saw.
"""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, select, update
from sqlalchemy import insert as insert_into

from monitor.ledger import audit
from monitor.ledger.errors import Refusal
from monitor.ledger.notices import tell_inspectors
from monitor.ledger.packing import pack_rulebook, to_json, unpack_rulebook
from monitor.ledger.publication import APPROVERS, Approval, Publications, approvers, described
from monitor.ledger.schema import proposals
from monitor.people import Actor, has_users
from monitor.rulebook.danger import Danger
from monitor.rulebook.model import Rulebook

State = Literal["open", "approved", "rejected"]


class Proposal(msgspec.Struct, frozen=True):
    """A dangerous version that somebody proposed; `version` is what it became, None: it did not."""

    id: int
    proposed_at: datetime
    proposed_by: str
    in_force_from: datetime | None
    retroactive: bool
    reason: str
    dangers: list[Danger]
    state: State
    decided_at: datetime | None
    decided_by: str | None
    note: str | None
    version: int | None


def propose(
    connection: Connection,
    actor: Actor,
    rulebook: Rulebook,
    in_force_from: datetime | None,
    reason: str,
    found: list[Danger],
    retroactive: bool = False,
) -> int:
    """Keep a dangerous version for a second person; return its number.

    Raises Refusal without a reason, for who may not propose, and where there is nobody who could approve.
    """
    if not has_users(connection):
        raise Refusal("second_person.no_users")
    proposer = actor.require(*APPROVERS)
    if not reason.strip():
        raise Refusal("second_person.reason")
    if not approvers(connection) - {proposer.name}:
        raise Refusal("second_person.no_other", name=proposer.name)
    content, digest = pack_rulebook(rulebook)
    row = {
        "proposed_at": datetime.now(UTC),
        "proposed_by": proposer.name,
        "in_force_from": in_force_from,
        "retroactive": retroactive,
        "reason": reason,
        "digest": digest,
        "content": content,
        "dangers": to_json(found),
        "state": "open",
    }
    (number,) = connection.execute(insert_into(proposals).values(**row).returning(proposals.c.id)).one()
    detail = {"reason": reason, "digest": digest, "in_force_from": in_force_from, "dangers": described(found)}
    audit.record(connection, proposer.name, "rulebook.propose", f"proposal:{number}", detail)
    tell_inspectors(connection, f"proposal:{number}")
    return int(number)


def approve(connection: Connection, publications: Publications, actor: Actor, number: int) -> int:
    """Publish a proposal of somebody else's; return its version. Raises Refusal where that may not be."""
    approver, row = actor.require(*APPROVERS), _open(connection, number)
    rulebook = unpack_rulebook(row.content)
    now = _found(publications, connection, rulebook, row)
    if now != msgspec.json.decode(row.dangers, type=list[Danger]):
        raise Refusal("second_person.outdated", id=number)
    version = publications.publish(
        connection,
        rulebook,
        row.in_force_from,
        row.reason,
        actor=approver.name,
        approval=Approval(row.reason, row.proposed_by, approver.name),
        retroactive=row.retroactive,
    )
    _decide(connection, number, "approved", approver.name, version=version)
    return version


def reject(connection: Connection, actor: Actor, number: int, note: str) -> None:
    """Turn a proposal down, or take back one's own; it stays in the list."""
    who = actor.require(*APPROVERS)
    _open(connection, number)
    _decide(connection, number, "rejected", who.name, note=note)
    audit.record(connection, who.name, "rulebook.reject", f"proposal:{number}", {"note": note})


def list_proposals(connection: Connection, state: State | None = None) -> list[Proposal]:
    """List proposals, oldest first."""
    query = select(proposals).order_by(proposals.c.id)
    if state is not None:
        query = query.where(proposals.c.state == state)
    names = [name for name in Proposal.__struct_fields__ if name != "dangers"]
    return [
        Proposal(
            **{name: getattr(row, name) for name in names}, dangers=msgspec.json.decode(row.dangers, type=list[Danger])
        )
        for row in connection.execute(query)
    ]


def proposed(connection: Connection, number: int) -> Rulebook:
    """Read the rulebook of a proposal, decided or not. Raises Refusal where there is none of this number."""
    return unpack_rulebook(_row(connection, number).content)


def _found(publications: Publications, connection: Connection, rulebook: Rulebook, row: Row[Any]) -> list[Danger]:
    """Find the dangers as they would be now; when it was proposed is no part of them."""
    return publications.dangers(connection, rulebook, row.in_force_from)


def _decide(
    connection: Connection, number: int, state: State, who: str, version: int | None = None, note: str | None = None
) -> None:
    decided = {"state": state, "decided_at": datetime.now(UTC), "decided_by": who, "version": version, "note": note}
    connection.execute(update(proposals).where(proposals.c.id == number).values(**decided))


def _open(connection: Connection, number: int) -> Row[Any]:
    # Locked: two people deciding at once decide one after the other.
    row = _row(connection, number, lock=True)
    if row.state != "open":
        raise Refusal(f"second_person.{row.state}", id=number, name=row.decided_by)
    return row


def _row(connection: Connection, number: int, lock: bool = False) -> Row[Any]:
    query = select(proposals).where(proposals.c.id == number)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise Refusal("second_person.unknown", id=number)
    return row
