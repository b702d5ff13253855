"""The difference between two assessments, and how it is written: cases, findings, outbox, statistics."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, select

from monitor.ledger.packing import pack_assessment, pack_entries, to_json
from monitor.ledger.schema import cases, findings, outbox, stats_items, stats_units
from monitor.ledger.upsert import add_up, upsert
from monitor.verdict import MEASURES, TOLD, TOLD_STATES, Assessment, Finding, JournalEntry

CHUNK = 500
"""Keys in one IN query: one prepared statement serves all, and databases limit the parameters of a statement."""

Cause = Literal["live", "backfill", "time", "reassessment"]
"""Why a case was assessed: an event came in (live or by backfill), an instant passed, or it was marked."""

UnitKey = tuple[date, str, str, str]  # day, region, department, channel
ItemKey = tuple[date, str]


class Standing(msgspec.Struct):
    """A case as the ledger holds it, and what an engine adds to it within one transaction."""

    case: str
    entries: list[JournalEntry] = []
    before: Assessment | None = None  # the stored assessment
    source_set: str = ""
    live: bool = False


class Statistics:
    """Additions to the statistics, by key and measure."""

    def __init__(self) -> None:
        self.units: dict[UnitKey, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.items: dict[ItemKey, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, assessment: Assessment, sign: Literal[1, -1]) -> None:
        """Add what an assessment measures, or take it away."""
        for measure in assessment.measures:
            amount = sign * measure.amount
            unit = (measure.day, assessment.region, measure.department, assessment.channel)
            self.units[unit][measure.name] += amount
            self.items[measure.day, assessment.item][measure.name] += amount

    def move(self, before: Assessment | None, after: Assessment) -> None:
        """Replace what one assessment measures by what the next one does."""
        if before is not None:
            if _measured_alike(before, after):
                return
            self.add(before, -1)
        self.add(after, 1)

    def write(self, connection: Connection, stream: str) -> None:
        """Add to the stored rows, in the order of their keys so that no two writers wait for each other."""
        add_up(
            connection,
            stats_units,
            [
                {"stream": stream, "day": day, "region": region, "department": department, "channel": channel, **row}
                for (day, region, department, channel), row in _rows(self.units)
            ],
        )
        add_up(
            connection,
            stats_items,
            [{"stream": stream, "day": day, "item": item, **row} for (day, item), row in _rows(self.items)],
        )


class Changes:
    """What the assessments of one transaction, the `version` of its stream, change, written in bulk by `write`."""

    def __init__(self, stream: str, horizon: datetime, version: int) -> None:
        self._stream, self._horizon, self._version = stream, horizon, version
        self._cases: dict[str, dict[str, Any]] = {}
        self._findings: list[_FindingChange] = []
        self._statistics = Statistics()

    def add(
        self, standing: Standing, after: Assessment, cause: Cause, why: Mapping[str, Any], quiet_until: datetime | None
    ) -> None:
        """Take the new assessment of a case.

        `why` is kept with each finding withdrawn by it. What occurred up to `quiet_until` was late before an
        import ended: it is recorded, but sent to nobody when the passing of time is all that brought it up.
        """
        before = standing.before
        self._cases[standing.case] = _case_row(self._stream, self._version, standing, after)
        self._statistics.move(before, after)
        old = {finding.id: finding for finding in before.findings} if before is not None else {}
        # The rows of findings repeat these two of the case.
        elsewhere = before is not None and (before.region, before.item) != (after.region, after.item)
        new = {finding.id: finding for finding in after.findings}
        for key in sorted(old.keys() | new.keys()):
            if elsewhere or old.get(key) != new.get(key):
                change = _FindingChange(after, old.get(key), new.get(key), cause, why)
                if cause == "time" and quiet_until is not None and change.finding.occurred_at <= quiet_until:
                    change = msgspec.structs.replace(change, cause="backfill")
                self._findings.append(change)

    def write(self, connection: Connection) -> None:
        """Write everything taken, in the order of keys."""
        upsert(connection, cases, [self._cases[key] for key in sorted(self._cases)])
        self._write_findings(connection)
        self._statistics.write(connection, self._stream)

    def _write_findings(self, connection: Connection) -> None:
        changes = sorted(self._findings, key=lambda change: change.finding.id)
        announced = _announced(connection, [change.finding.id for change in changes])
        rows: list[dict[str, Any]] = []
        acts: list[dict[str, Any]] = []
        for change in changes:
            was_announced = announced.get(change.finding.id, False)
            act, delivery = change.act, change.delivery(was_announced)
            if act is not None:
                acts.append(self._act_row(change, act, delivery))
            stands = _announces(act, delivery, was_announced)
            rows.append(_finding_row(self._stream, self._horizon, change, stands))
        upsert(connection, findings, rows, keep=frozenset({"detected_at"}))
        if acts:
            connection.execute(outbox.insert(), acts)

    def _act_row(self, change: "_FindingChange", act: str, delivery: str) -> dict[str, Any]:
        finding = change.finding
        return {
            "stream": self._stream,
            "finding": finding.id,
            "case": change.after.case,
            "act": act,
            "delivery": delivery,
            "mode": finding.mode,
            "severity": int(finding.severity),
            "department": finding.department,
            "created_at": self._horizon,
        }


class _FindingChange(msgspec.Struct, frozen=True):
    after: Assessment
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
        if now and self.old is not None and self.new is not None and self.new.severity > self.old.severity:
            return "worsen"
        return None

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


def _measured_alike(before: Assessment, after: Assessment) -> bool:
    return (
        before.measures == after.measures
        and before.region == after.region
        and before.item == after.item
        and before.channel == after.channel
    )


def _rows(totals: Mapping[Any, Mapping[str, int]]) -> Iterable[tuple[Any, dict[str, int]]]:
    for key in sorted(totals):
        if any(totals[key].values()):
            yield key, {name: totals[key].get(name, 0) for name in MEASURES}


def case_columns(assessment: Assessment) -> dict[str, Any]:
    """Give the columns of a case's row that repeat, to be searched by, what its assessment says."""
    promised, statutory = assessment.clock("promised"), assessment.clock("statutory")
    handling = assessment.handling
    return {
        "region": assessment.region,
        "item": assessment.item,
        "department": assessment.department,
        "channel": assessment.channel,
        "direct_line": assessment.direct_line,
        "stage": assessment.stage.value,
        "light": assessment.light.value,
        "closed": assessment.closed,
        "started_at": assessment.started_at,
        "accepted_at": assessment.accepted_at,
        **{name: getattr(handling, name) for name in handling.__struct_fields__},
        "promised": promised.phase_but_for(assessment.excused) if promised else "",
        "promised_due": promised.due if promised else None,
        "statutory": statutory.phase_but_for(assessment.excused) if statutory else "",
        "statutory_due": statutory.due if statutory else None,
        "judged_at": assessment.judged_at,
        "next_change": assessment.next_change,
        "rulebook": assessment.rulebook,
    }


def _case_row(stream: str, version: int, standing: Standing, after: Assessment) -> dict[str, Any]:
    return {
        "case": standing.case,
        "stream": stream,
        "version": version,
        **case_columns(after),
        "source_set": standing.source_set,
        "live": standing.live,
        "marked": False,
        "events_count": len(standing.entries),
        "assessment": pack_assessment(after),
        "events": pack_entries(standing.entries),
    }


def finding_columns(finding: Finding, assessment: Assessment) -> dict[str, Any]:
    """Give the columns of a finding's row that repeat what its case's assessment says."""
    return {
        "case": assessment.case,
        "rule": finding.rule,
        "rule_version": finding.rule_version,
        "kind": finding.kind,
        "severity": int(finding.severity),
        "state": finding.state,
        "mode": finding.mode,
        "subject": finding.subject,
        "department": finding.department,
        "region": assessment.region,
        "item": assessment.item,
        "cause": finding.cause,
        "occurred_at": finding.occurred_at,
        "evidence": to_json(finding.evidence),
    }


def _finding_row(stream: str, horizon: datetime, change: _FindingChange, announced: bool) -> dict[str, Any]:
    withdrawn = change.new is None
    return {
        "id": change.finding.id,
        "stream": stream,
        **finding_columns(change.finding, change.after),
        **({"state": "withdrawn"} if withdrawn else {}),
        "detected_at": horizon,
        "changed_at": horizon,
        "withdrawal": to_json(change.why) if withdrawn else None,
        "announced": announced,
    }
