"""What people read of cases and findings: every function takes the scope of who reads, and its SQL keeps to it."""

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, select

from monitor.events import Event
from monitor.ledger.errors import Refusal
from monitor.ledger.instants import from_us, to_us
from monitor.ledger.packing import unpack_assessment, unpack_entries
from monitor.ledger.schema import cases, findings
from monitor.people import Actor, require_among
from monitor.rulebook.model import Rulebook
from monitor.scope import Scope, scope_of
from monitor.verdict import Assessment, Severity

PAGE_MAX: Final = 500

_ENVELOPE: Final = ("source", "id", "type", "time", "recorded", "region", "item", "department", "channel")
_PERSONS: Final = ("window", "operator", "operator_role")
_FACTS: Final = (
    "outcome", "reason_code", "procedure", "legal_basis", "planned_days", "told_at", "result", "days", "to",
    "materials", "deferred_until", "remedies_told", "confirmed", "amount", "fee", "fee_act", "method", "rating",
    "due", "target",
)  # fmt: skip
"""What is shown of an event's data: codes, amounts and instants; never a text, nor its mark."""
_PERSONAL_FACTS: Final = ("approver", "approver_role", "officers", "chair", "against")


class FindingFilter(msgspec.Struct, frozen=True):
    """Which findings: each field given must be that of the finding; `since` is when it was detected."""

    kind: str | None = None
    state: str | None = None
    mode: str | None = None
    rule: str | None = None
    case: str | None = None
    region: str | None = None
    department: str | None = None
    item: str | None = None
    severity: Severity | None = None
    since: datetime | None = None


class FindingPage(msgspec.Struct, frozen=True):
    """Findings, newest first; `next` asks for those after them, None: there are no more."""

    rows: list[RowMapping]
    next: str | None


class CaseRecord(msgspec.Struct, frozen=True):
    """A case as it was last assessed, with its events in their order."""

    assessment: Assessment
    timeline: list[dict[str, Any]]


def read_case(connection: Connection, case: str, scope: Scope) -> CaseRecord | None:
    """Read a case with the findings that are in scope; None: there is none in scope."""
    columns = (cases.c.assessment, cases.c.events)
    query = select(*columns).where(cases.c.case == case, *scope.conditions(cases))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    assessment = unpack_assessment(row.assessment)
    seen = tuple(
        finding
        for finding in assessment.findings
        if finding.mode in scope.modes and scope.department in (None, finding.department)
    )
    entries = sorted(unpack_entries(row.events), key=lambda entry: (entry.event.order, entry.content_hash))
    timeline = [{**_shown(entry.event, scope), "received_at": entry.received_at} for entry in entries]
    return CaseRecord(msgspec.structs.replace(assessment, findings=seen), timeline)


def require_case(connection: Connection, actor: Actor, rulebook: Rulebook, case: str) -> None:
    """Leave the texts of and the evidence on a case to inspectors and admins who see it.

    Where there are none they are for whoever has the ledger's file. Raises Refusal.
    """
    require_among(connection, actor, "inspector", "admin")
    if actor.user is not None:
        seen = scope_of(actor.user, rulebook).conditions(cases)
        if connection.execute(select(cases.c.case).where(cases.c.case == case, *seen)).first() is None:
            raise Refusal("evidence.no_case", case=case)


def read_findings(
    connection: Connection, scope: Scope, wanted: FindingFilter, limit: int, after: str | None = None
) -> FindingPage:
    """Read findings in scope, newest detection first. Raises ValueError for an `after` that no page gave."""
    query = select(findings).where(*scope.conditions(findings))
    for name in ("kind", "state", "mode", "rule", "case", "region", "department", "item"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(findings.c[name] == value)
    if wanted.severity is not None:
        query = query.where(findings.c.severity == int(wanted.severity))
    if wanted.since is not None:
        query = query.where(findings.c.detected_at >= wanted.since)
    if after is not None:
        detected_at, last = _place(after)
        at_once = (findings.c.detected_at == detected_at) & (findings.c.id < last)
        query = query.where((findings.c.detected_at < detected_at) | at_once)
    newest = query.order_by(findings.c.detected_at.desc(), findings.c.id.desc()).limit(min(limit, PAGE_MAX) + 1)
    rows = list(connection.execute(newest).mappings())
    more = len(rows) > min(limit, PAGE_MAX)
    rows = rows[:-1] if more else rows
    return FindingPage(rows, f"{to_us(rows[-1]['detected_at'])}-{rows[-1]['id']}" if more else None)


def _place(after: str) -> tuple[datetime, str]:
    detected, _, finding = after.partition("-")
    try:
        return from_us(int(detected)), finding
    except OverflowError:
        raise ValueError(after) from None


def _shown(event: Event, scope: Scope) -> dict[str, Any]:
    """Lay out an event without what is free text or names an applicant, and persons only for who may see them."""
    names = (*_ENVELOPE, *(_PERSONS if scope.persons else ()))
    facts = (*_FACTS, *(_PERSONAL_FACTS if scope.persons else ()))
    shown = {name: value for name in names if (value := getattr(event, name)) is not None}
    data = {name: value for name in facts if (value := getattr(event.data, name)) is not None}
    return {**shown, **({"data": data} if data else {})}
