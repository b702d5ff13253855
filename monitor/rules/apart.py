"""Findings that are about no case, but about a source or a version of the rulebook.

Their rules (`silence`, `publication`) are functions of what the ledger holds of those; `monitor.ledger.apart` keeps
their findings beside those of the cases, under the same ids, states and outbox.
"""

from datetime import datetime
from typing import Any

import msgspec

from monitor.rulebook.model import RulebookVersion
from monitor.rules.rule import RULES
from monitor.verdict import Finding, FindingMode, Severity, finding_id


class Apart(msgspec.Struct, frozen=True):
    """A finding without a case, with the region and item it stands under where it has any."""

    finding: Finding
    region: str = ""
    item: str = ""
    case: str = ""


def finding_apart(
    rule: str,
    subject: str,
    occurred_at: datetime,
    severity: Severity,
    judged_by: RulebookVersion,
    *,
    mode: FindingMode = "card",
    department: str = "",
    cause: str = "",
    **evidence: Any,
) -> Finding:
    """Make the finding of a rule on a subject that is no case; `evidence` holds JSON values only."""
    each = RULES[rule]
    versions = {
        "rule": each.version,
        "calendar": judged_by.rulebook.calendar.version,
        "catalogue": judged_by.version,
        "rulebook": judged_by.version,
    }
    return Finding(
        id=finding_id("", rule, subject),
        rule=rule,
        rule_version=each.version,
        kind=each.kind,
        severity=severity,
        state="live",
        mode=mode,
        subject=subject,
        department=department,
        cause=cause,
        occurred_at=occurred_at,
        evidence={**evidence, "basis": each.basis, "events": [], "versions": versions},
    )
