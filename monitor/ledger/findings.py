"""Findings as the ledger keeps them: the difference to what was said before, and what the outbox tells of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
from sqlalchemy import Connection, RowMapping, select

from monitor.ledger import relays
from monitor.ledger.packing import to_json
from monitor.ledger.relays import SEVERITY_NAMES, FindingMessage
from monitor.ledger.schema import findings, outbox
from monitor.ledger.upsert import append, upsert
from monitor.verdict import STANDING, TOLD, TOLD_STATES, Finding, Severity

CHUNK = 500
"""Keys in one IN query: one prepared statement serves all, and databases limit the parameters of a statement."""

Cause = Literal["live", "backfill", "time", "reassessment"]
"""Why a case was assessed: an event came in (live or by backfill), an instant passed, or it was marked."""


class Place(Protocol):
    """Where a finding stands: an assessment, or what is kept of a finding that is about no case."""

    @property
    def case(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def item(self) -> str: ...


class FindingChange(msgspec.Struct, frozen=True):
    """A finding that appeared (`old` None), went (`new` None) or changed, and why; `why` stays with what went.

    `horizon` is that of the `stream` which found it so.
    """

    stream: str
    horizon: datetime
    place: Place
    old: Finding | None
    new: Finding | None
    cause: Cause
    why: Mapping[str, Any]

    @property
    def finding(self) -> Finding:
        """The finding as it is now, or was last."""
        finding = self.new if self.new is not None else self.old
        assert finding is not None
        return finding

    @property
    def act(self) -> Literal["raise", "worsen", "withdraw"] | None:
        """What the outbox has to say of this change, if anything."""
        was, now = told(self.old), told(self.new)
        if now and not was:
            return "raise"
        if was and not now:
            return "withdraw"
        return "worsen" if now and self._worsened else None

    @property
    def news(self) -> Literal["raise", "worsen", "change", "withdraw"] | None:
        """What systems downstream are told of this change, if anything: they follow what boards show."""
        was, now = shown(self.old), shown(self.new)
        if now and was:
            return "worsen" if self._worsened else "change"
        if now:
            return "raise"
        return "withdraw" if was else None

    @property
    def _worsened(self) -> bool:
        return self.old is not None and self.new is not None and self.new.severity > self.old.severity

    def delivery(self, announced: bool) -> Literal["send", "digest", "none"]:
        """Give the way the act takes: a withdrawal goes wherever the raise it takes back has gone."""
        if self.act == "withdraw":
            return "send" if announced else "none"
        if self.cause == "backfill":
            return "none"
        return "digest" if self.cause == "reassessment" else "send"


def told(finding: Finding | None) -> bool:
    """Tell whether anybody is told of a finding: conduct only, not in shadow, backlog or doubt, nor once cancelled."""
    if finding is None or finding.kind != "conduct":
        return False
    return finding.mode in TOLD and finding.state in TOLD_STATES


def shown(finding: Finding | None) -> bool:
    """Tell whether boards show a finding: a card, whatever its kind, that stands."""
    return finding is not None and finding.mode == "card" and finding.state in STANDING


def write_findings(connection: Connection, changed: Iterable[FindingChange]) -> None:
    """Write findings that changed, and what the outbox has to say of it."""
    changes = sorted(changed, key=lambda change: change.finding.id)
    announced = _announced(connection, [change.finding.id for change in changes])
    rows: list[dict[str, Any]] = []
    acts: list[dict[str, Any]] = []
    for change in changes:
        was_announced = announced.get(change.finding.id, False)
        act, delivery = change.act, change.delivery(was_announced)
        if act is not None:
            acts.append(_act_row(change, act, delivery))
        stands = _announces(act, delivery, was_announced)
        rows.append(_finding_row(change, stands))
    upsert(connection, findings, rows, keep=frozenset({"detected_at"}))
    append(connection, outbox, acts)
    relays.tell(connection, "findings", [_message(change) for change in changes if change.news])


def finding_columns(finding: Finding, place: Place) -> dict[str, Any]:
    """Give the columns of a finding's row that repeat what its case's assessment says."""
    return {
        "case": place.case,
        "rule": finding.rule,
        "rule_version": finding.rule_version,
        "kind": finding.kind,
        "severity": int(finding.severity),
        "state": finding.state,
        "mode": finding.mode,
        "subject": finding.subject,
        "department": finding.department,
        "region": place.region,
        "item": place.item,
        "cause": finding.cause,
        "occurred_at": finding.occurred_at,
        "evidence": to_json(finding.evidence),
    }


def finding_from(row: RowMapping) -> Finding:
    """Read a finding back from its row."""
    stored = {name: row[name] for name in Finding.__struct_fields__ if name not in ("severity", "evidence")}
    return Finding(**stored, severity=Severity(row["severity"]), evidence=msgspec.json.decode(row["evidence"]))


def _act_row(change: FindingChange, act: str, delivery: str) -> dict[str, Any]:
    finding = change.finding
    return {
        "stream": change.stream,
        "finding": finding.id,
        "case": change.place.case,
        "act": act,
        "delivery": delivery,
        "mode": finding.mode,
        "severity": int(finding.severity),
        "department": finding.department,
        "created_at": change.horizon,
    }


def _message(change: FindingChange) -> tuple[str, str, FindingMessage]:
    finding, act = change.finding, change.news
    assert act is not None, "it is told"
    taken_back = change.new is None or (act == "withdraw" and finding.state != "cancelled")
    message = FindingMessage(
        act=act,
        cause=change.cause,
        id=finding.id,
        case=change.place.case or None,
        rule=finding.rule,
        rule_version=finding.rule_version,
        kind=finding.kind,
        severity=SEVERITY_NAMES[finding.severity],
        state="withdrawn" if taken_back else finding.state,
        region=change.place.region,
        department=finding.department,
        item=change.place.item,
        occurred_at=finding.occurred_at,
        changed_at=change.horizon,
    )
    return change.stream, finding.id, message


def _finding_row(change: FindingChange, announced: bool) -> dict[str, Any]:
    withdrawn = change.new is None
    return {
        "id": change.finding.id,
        "stream": change.stream,
        **finding_columns(change.finding, change.place),
        **({"state": "withdrawn"} if withdrawn else {}),
        "detected_at": change.horizon,
        "changed_at": change.horizon,
        "withdrawal": to_json(change.why) if withdrawn else None,
        "announced": announced,
    }


def _announces(act: str | None, delivery: str, announced: bool) -> bool:
    if act == "withdraw":
        return False
    return announced if act is None else announced or delivery != "none"


def _announced(connection: Connection, ids: list[str]) -> dict[str, bool]:
    known: dict[str, bool] = {}
    for start in range(0, len(ids), CHUNK):
        query = select(findings.c.id, findings.c.announced).where(findings.c.id.in_(ids[start : start + CHUNK]))
        known.update((row.id, row.announced) for row in connection.execute(query))
    return known
