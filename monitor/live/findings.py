"""The newest findings and the tickets about the data, each as a sentence anybody understands."""

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, case, func, select

from monitor.figures import SHOWN_MODE
from monitor.language import Lang, catalogue, text
from monitor.ledger.schema import findings
from monitor.rulebook.model import Rulebook
from monitor.verdict import Severity

FINDINGS_SHOWN: Final = 20
TICKETS_SHOWN: Final = 12
PERSONAL: Final = frozenset({"window", "operator"})
"""Codes that lead to a person; a board never shows one."""


class Shown(msgspec.Struct, frozen=True):
    """A finding as the page shows it: what happened, by which rule, whose, and how grave."""

    at: str
    at_iso: str
    severity: str
    severity_text: str
    state_text: str
    rule: str
    says: str
    about: str


class Ticket(msgspec.Struct, frozen=True):
    """Data findings of one cause: one ticket, however many cases it touches."""

    count: str
    title: str
    says: str
    about: str


def newest_findings(connection: Connection, rulebook: Rulebook, zone: ZoneInfo, lang: Lang) -> list[Shown]:
    """Read the newest violations shown that are not withdrawn.

    Found live, a finding is as new as its discovery; found in a loaded past, as new as the act itself.
    """
    new_at = case((findings.c.announced, findings.c.detected_at), else_=findings.c.occurred_at)
    rows = connection.execute(
        select(findings, new_at.label("new_at"))
        .where(findings.c.kind == "conduct", findings.c.mode == SHOWN_MODE, findings.c.state != "withdrawn")
        .order_by(new_at.desc(), findings.c.id)
        .limit(FINDINGS_SHOWN)
    )
    return [_shown(row._mapping, rulebook, zone, lang) for row in rows]  # noqa: SLF001 - the documented name


def tickets(connection: Connection, lang: Lang) -> list[Ticket]:
    """Read the standing data findings by cause, those that touch most cases first."""
    cases = func.count(findings.c.case.distinct()).label("cases")
    rows = connection.execute(
        select(findings.c.rule, findings.c.cause, cases)
        .where(findings.c.kind == "data", findings.c.mode == SHOWN_MODE, findings.c.state != "withdrawn")
        .group_by(findings.c.rule, findings.c.cause)
        .order_by(cases.desc(), findings.c.rule, findings.c.cause)
        .limit(TICKETS_SHOWN)
    )
    return [
        Ticket(
            count=f"{row.cases:,}",
            title=rule_name(row.rule, lang),
            says=_cause(row.cause),
            about=text("live.tickets.about", lang, cases=f"{row.cases:,}"),
        )
        for row in rows
    ]


def rule_name(rule: str, lang: Lang) -> str:
    """Name a rule; one that this program no longer has keeps its id."""
    name = catalogue(lang).get(f"rule.{rule}.name")
    return f"{rule} {name}" if name else rule


def _shown(row: Any, rulebook: Rulebook, zone: ZoneInfo, lang: Lang) -> Shown:
    severity = Severity(row["severity"]).name.lower()
    department = rulebook.department.get(row["department"])
    item = rulebook.item.get(row["item"])
    unit = row["department"] if department is None else department.name if lang == "zh" else department.name_en
    matter = row["item"] if item is None else item.name if lang == "zh" else item.name_en
    local = row["new_at"].astimezone(zone)
    state = row["state"]
    return Shown(
        at=f"{local:%m-%d %H:%M:%S}",
        at_iso=local.isoformat(timespec="seconds"),
        severity=severity,
        severity_text=text(f"live.severity.{severity}", lang),
        state_text="" if state == "live" else text(f"live.state.{state}", lang),
        rule=rule_name(row["rule"], lang),
        says=_sentence(row, zone, lang),
        about=text("live.findings.about", lang, department=unit, item=matter, case=row["case"]),
    )


def _sentence(row: Any, zone: ZoneInfo, lang: Lang) -> str:
    """Say in one sentence what happened, from the evidence where it is a clock's."""
    evidence = msgspec.json.decode(row["evidence"])
    due = evidence.get("due")
    if not isinstance(due, str):
        occurred = f"{row['occurred_at'].astimezone(zone):%Y-%m-%d %H:%M}"
        return text("live.findings.happened", lang, occurred=occurred)
    clock = text(f"live.clock.{evidence.get('clock', 'promised')}", lang)
    limit = evidence.get("limit", "")
    until, ended = _local(due, zone), evidence.get("ended_at")
    said = text("live.findings.due", lang, clock=clock, limit=_limit(limit, lang), due=until)
    if isinstance(ended, str):
        return said + text("live.findings.ended", lang, ended=_local(ended, zone))
    return said + text("live.findings.open", lang)


def _limit(limit: str, lang: Lang) -> str:
    number, _, unit = limit.partition(" ")
    if unit not in ("wd", "cd"):
        return ""
    return text(f"live.limit.{unit}", lang, days=number)


def _local(written: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(written).astimezone(zone):%Y-%m-%d %H:%M}"


def _cause(cause: str) -> str:
    field, separator, _ = cause.partition(":")
    return field if separator and field in PERSONAL else cause
