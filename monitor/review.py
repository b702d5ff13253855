"""Review: what inspectors have decided of a case's findings; their verdicts are events too (design section 4)."""

from collections.abc import Iterable
from typing import Final

import msgspec

from monitor.case import CaseFile
from monitor.events import Event, EventType
from monitor.rules.evidence import stamp
from monitor.timing import key
from monitor.verdict import Finding

ENDS_DOUBT: Final = frozenset({EventType.CARD_CONFIRMED, EventType.CARD_UPHELD})


def reviewed(case: CaseFile, findings: Iterable[Finding]) -> list[Finding]:
    """Apply to each finding the last verdict on it; one on no finding of the case has no effect.

    Cancelled, a finding stays in the assessment as such, also where its evidence gets graver later. Confirmed, or
    upheld against an appeal, it stands without doubt.
    """
    last = {entry.event.data.finding: entry.event for entry in case.verdicts}
    if not last:
        return list(findings)
    return [_decided(finding, last[finding.id]) if finding.id in last else finding for finding in findings]


def _decided(finding: Finding, verdict: Event) -> Finding:
    said = {"event": key(verdict), "type": verdict.type.value, "at": stamp(verdict.time)}
    state = "live" if verdict.type in ENDS_DOUBT else "cancelled"
    return msgspec.structs.replace(finding, state=state, evidence={**finding.evidence, "verdict": said})
