"""The newest findings and the tickets about the data, each as a sentence anybody understands."""

from typing import Final

import msgspec
from sqlalchemy import Connection, RowMapping, case, func, select

from monitor.kpi.standing import is_shown
from monitor.language import Lang, catalogue, text
from monitor.ledger.findings import finding_from
from monitor.ledger.schema import findings
from monitor.rulebook.model import Rulebook
from monitor.rules import RULES
from monitor.verdict import Severity
from monitor.wording import say_department, say_finding, say_instant, say_item, say_severity

FINDINGS_SHOWN: Final = 20
TICKETS_SHOWN: Final = 12
PERSONAL: Final = frozenset({"window"})
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


def newest_findings(connection: Connection, rulebook: Rulebook, lang: Lang) -> list[Shown]:
    """Read the newest violations shown.

    Found live, a finding is as new as its discovery; found in a loaded past, as new as the act itself.
    """
    new_at = case((findings.c.announced, findings.c.detected_at), else_=findings.c.occurred_at)
    rows = connection.execute(
        select(findings, new_at.label("new_at"))
        .where(findings.c.kind == "conduct", is_shown())
        .order_by(new_at.desc(), findings.c.id)
        .limit(FINDINGS_SHOWN)
    )
    return [_shown(row._mapping, rulebook, lang) for row in rows]  # noqa: SLF001 - the documented name


def tickets(connection: Connection, rulebook: Rulebook, lang: Lang) -> list[Ticket]:
    """Read the standing data findings by cause, one of them as the example: silent sources, then most cases first."""
    counted = func.count(findings.c.case.distinct())
    of_a_source = case((func.max(findings.c.case) == "", 1), else_=0)
    causes = (
        select(func.min(findings.c.id).label("example"), counted.label("cases"))
        .where(findings.c.kind == "data", is_shown())
        .group_by(findings.c.rule, findings.c.cause)
        .order_by(of_a_source.desc(), counted.desc(), findings.c.rule, findings.c.cause)
        .limit(TICKETS_SHOWN)
        .subquery()
    )
    rows = connection.execute(
        select(findings, causes.c.cases)
        .join(causes, causes.c.example == findings.c.id)
        .order_by((findings.c.case == "").desc(), causes.c.cases.desc(), findings.c.rule, findings.c.cause)
    )
    return [_ticket(row._mapping, rulebook, lang) for row in rows]  # noqa: SLF001 - the documented name


def rule_name(rule: str, lang: Lang) -> str:
    """Name a rule; one that this program no longer has keeps its id."""
    name = catalogue(lang).get(f"rule.{rule}.name")
    return f"{rule} {name}" if name else rule


def _shown(row: RowMapping, rulebook: Rulebook, lang: Lang) -> Shown:
    severity, state = Severity(row["severity"]), row["state"]
    return Shown(
        at=say_instant(row["new_at"], rulebook.days),
        at_iso=row["new_at"].isoformat(timespec="seconds"),
        severity=severity.name.lower(),
        severity_text=say_severity(severity, lang),
        state_text="" if state == "live" else text(f"live.state.{state}", lang),
        rule=rule_name(row["rule"], lang),
        says=say_finding(finding_from(row), lang, rulebook) if row["rule"] in RULES else "",
        about=_about(row, rulebook, lang),
    )


def _about(row: RowMapping, rulebook: Rulebook, lang: Lang) -> str:
    """Say whose case a finding is about; of one without a case, whose item, where it is about one."""
    department, item = say_department(row["department"], lang, rulebook), say_item(row["item"], lang, rulebook)
    if row["case"]:
        return text("live.findings.about", lang, department=department, item=item, case=row["case"])
    return " · ".join(said for said in (department, item) if said)


def _ticket(row: RowMapping, rulebook: Rulebook, lang: Lang) -> Ticket:
    field, _, _ = row["cause"].partition(":")
    if field in PERSONAL:
        said = text("live.tickets.personal", lang, field=text(f"field.{field}", lang))
    else:
        said = say_finding(finding_from(row), lang, rulebook) if row["rule"] in RULES else row["cause"]
    title, cases = rule_name(row["rule"], lang), f"{row['cases']:,}"
    if not row["case"]:
        return Ticket(count="", title=title, says=said, about=text("live.tickets.source", lang))
    return Ticket(count=cases, title=title, says=said, about=text("live.tickets.about", lang, cases=cases))
