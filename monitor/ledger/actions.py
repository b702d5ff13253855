"""Actions: what people do about a finding; append-only, with a chain of their own.

A department acknowledges (签收), answers (反馈) and appeals (申诉); an inspector supervises (督办) and closes (结案).
What they write is sealed as every free text. Whether a finding stands is decided by events (`card_upheld` and the
like), never by an action.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal, get_args

import msgspec
from sqlalchemy import Connection, select

from monitor.events import TextMark
from monitor.ledger import texts
from monitor.ledger.chain import ACTIONS
from monitor.ledger.errors import Refusal
from monitor.ledger.packing import to_json
from monitor.ledger.schema import actions, findings
from monitor.ledger.texts import TextVault
from monitor.people import Actor, Role
from monitor.rulebook.model import Rulebook
from monitor.scope import scope_of

Act = Literal["acknowledge", "answer", "appeal", "supervise", "close"]
ACTS: Final[tuple[Act, ...]] = get_args(Act)

WHO: Final[dict[Act, Role]] = {
    "acknowledge": "department",
    "answer": "department",
    "appeal": "department",
    "supervise": "inspector",
    "close": "inspector",
}
SPEAKS: Final[frozenset[Act]] = frozenset({"answer", "appeal", "supervise"})
"""Acts that say something, or are nothing."""
TEXT_CHARACTERS_MAX: Final = 2_000

SOURCE: Final = "actions"
"""Stands for the source in the marks of their texts."""


class Action(msgspec.Struct, frozen=True):
    """One act on a finding; `text` is the mark of what was written."""

    seq: int
    at: datetime
    actor: str
    finding: str
    case: str
    act: Act
    text: TextMark | None


class _Detail(msgspec.Struct, frozen=True, omit_defaults=True):
    text: TextMark | None = None


def record(
    connection: Connection,
    vault: TextVault,
    rulebook: Rulebook,
    actor: Actor,
    finding: str,
    act: Act,
    said: str | None = None,
) -> Action:
    """Write down an act of a user on a finding he may see, if it may follow what was done before.

    The connection must be that of `Ledger.write`. Raises Refusal.
    """
    user = actor.require(WHO[act])
    ACTIONS.lock(connection)  # before anything is read: of two who acknowledge at once one comes too late
    seen = findings.c.id == finding, *scope_of(user, rulebook).conditions(findings)
    row = connection.execute(select(findings.c.case, findings.c.state).where(*seen)).one_or_none()
    if row is None:
        raise Refusal("actions.no_finding", finding=finding)
    past = of_findings(connection, [finding])
    check(row.state, [each.act for each in past], act)
    detail, at = _Detail(), datetime.now(UTC)
    said = (said or "").strip()
    if len(said) > TEXT_CHARACTERS_MAX:
        raise Refusal("actions.text_long", limit=f"{TEXT_CHARACTERS_MAX:,}")
    if not said and act in SPEAKS:
        raise Refusal("actions.text_missing", act=act)
    if said:
        place = f"{finding} {len(past) + 1}"
        vault.confirm(connection)
        mark = vault.marker.mark(row.case, SOURCE, place, said)
        texts.write(connection, [vault.row(row.case, SOURCE, place, mark, said, at)])
        detail = _Detail(mark)
    values = {"at": at, "actor": user.name, "finding": finding, "case": row.case, "act": act}
    seq = ACTIONS.append(connection, **values, detail=to_json(detail))
    return Action(seq, at, user.name, finding, row.case, act, detail.text)


def check(state: str, past: Sequence[Act], act: Act) -> None:
    """Tell whether an act may follow those before it on a finding in a state. Raises Refusal.

    A finding that was withdrawn or cancelled can only be closed. After its close only supervising opens it again.
    A department acknowledges first, and once; it appeals once, for an inspector's verdict on it is final.
    """
    if state in ("withdrawn", "cancelled") and act != "close":
        raise Refusal("actions.not_standing", act=act)
    last_close = max((place for place, each in enumerate(past) if each == "close"), default=-1)
    if last_close >= 0 and "supervise" not in past[last_close:] and act != "supervise":
        raise Refusal("actions.closed", act=act)
    if act in ("acknowledge", "appeal") and act in past:
        raise Refusal(f"actions.{act}_twice")
    if act in ("answer", "appeal") and "acknowledge" not in past:
        raise Refusal("actions.not_acknowledged", act=act)


def of_findings(connection: Connection, ids: Sequence[str]) -> list[Action]:
    """Read what was done about findings, in its order."""
    query = select(actions).where(actions.c.finding.in_(ids)).order_by(actions.c.seq)
    return [
        Action(
            row.seq,
            row.at,
            row.actor,
            row.finding,
            row.case,
            row.act,
            msgspec.json.decode(row.detail, type=_Detail).text,
        )
        for row in connection.execute(query)
    ]
