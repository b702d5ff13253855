"""Samples of what a rule finds, and what inspectors say of them, before anybody is accused by it.

A sample is the findings with the smallest ids: an id is a hash, so that nobody chooses them, and everybody draws the
same. A verdict is a line of the audit; the last one on a finding counts, for the version of the rule it was found by.
"""

from collections import Counter
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from monitor.ledger import audit, judging
from monitor.ledger.errors import Refusal
from monitor.ledger.schema import audit as audit_lines
from monitor.ledger.schema import cases, findings, positions
from monitor.people import Actor
from monitor.rules import RULES
from monitor.scope import Scope
from monitor.verdict import FindingMode

Verdict = Literal["right", "wrong"]

SAMPLE_MIN: Final = 20
REVIEWERS: Final[tuple[Literal["inspector", "admin"], ...]] = ("inspector", "admin")
ACT: Final = "rule.review"


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of what a rule finds: cases of a source, findings charged to a department, cases of an item; None: all."""

    source: str | None = None
    department: str | None = None
    item: str | None = None


class Review(msgspec.Struct, frozen=True):
    """What an inspector said of a finding of a rule."""

    rule: str
    verdict: Verdict
    by: str
    at: datetime
    rule_version: int


class Drawn(msgspec.Struct, frozen=True):
    """A finding of a sample, and what was said of it; None: nothing yet."""

    finding: str
    case: str
    subject: str
    department: str
    item: str
    occurred_at: datetime
    review: Review | None = None


def draw(connection: Connection, rule: str, mode: FindingMode, of: Selection, size: int = SAMPLE_MIN) -> list[Drawn]:
    """Draw the sample of a rule's findings in a mode: `size` of them, or all if there are fewer."""
    query = select(findings).where(findings.c.mode == mode, *_conditions(connection, rule, of))
    said = reviews(connection, rule)
    drawn = []
    for row in connection.execute(query.order_by(findings.c.id).limit(size)):
        last = said.get(row.id)
        counts = last is not None and last.rule_version == row.rule_version
        place = (row.case, row.subject, row.department, row.item, row.occurred_at)
        drawn.append(Drawn(row.id, *place, last if counts else None))
    return drawn


def hits(connection: Connection, of: Selection | None = None) -> dict[str, Counter[str]]:
    """Count the findings of each rule by mode."""
    counted: dict[str, Counter[str]] = {}
    query = select(findings.c.rule, findings.c.mode, func.count())
    for rule, mode, number in connection.execute(
        query.where(*_conditions(connection, None, of or Selection())).group_by(findings.c.rule, findings.c.mode)
    ):
        counted.setdefault(rule, Counter())[mode] = number
    return counted


def reviews(connection: Connection, rule: str | None = None) -> dict[str, Review]:
    """Read the last verdict on each finding of a rule, by default of all of them."""
    said: dict[str, Review] = {}
    query = select(audit_lines).where(audit_lines.c.act == ACT).order_by(audit_lines.c.seq)
    for row in connection.execute(query):
        detail = msgspec.json.decode(row.detail)
        if rule in (None, detail["rule"]):
            finding = row.object.removeprefix("finding:")
            said[finding] = Review(detail["rule"], detail["verdict"], row.actor, row.at, detail["rule_version"])
    return said


def review(
    connection: Connection,
    actor: Actor,
    scope: Scope,
    rule: str,
    case: str,
    verdict: Verdict,
    note: str = "",
    subject: str | None = None,
) -> list[str]:
    """Say whether what a rule finds in a case is right; return the ids of the findings.

    They are all of the rule in that case, or the one with a subject. Raises Refusal for who may not, and where the
    rule finds nothing there that the reviewer may see.
    """
    reviewer = actor.require(*REVIEWERS)
    known(rule)
    query = select(findings.c.id, findings.c.rule_version, findings.c.mode, findings.c.subject).where(
        findings.c.rule == rule,
        findings.c.case == case,
        findings.c.state != "withdrawn",
        *Scope(scope.regions, scope.department, _EVERY_MODE, scope.persons).conditions(findings),
    )
    if subject is not None:
        query = query.where(findings.c.subject == subject)
    rows = connection.execute(query.order_by(findings.c.id)).all()
    if not rows:
        raise Refusal("rules.nothing_found", rule=rule, case=case)
    for row in rows:
        detail: dict[str, Any] = {"rule": rule, "rule_version": row.rule_version, "case": case, "mode": row.mode}
        detail |= {"subject": row.subject, "verdict": verdict, "note": note}
        audit.record(connection, reviewer.name, ACT, f"finding:{row.id}", detail)
    return [row.id for row in rows]


def known(rule: str) -> None:
    """Raise Refusal for a rule there is none of, and for one about data, which accuses nobody and has no mode."""
    if rule not in RULES:
        raise Refusal("rules.unknown", rule=rule, known=", ".join(RULES))
    if RULES[rule].kind == "data":
        raise Refusal("rules.about_data", rule=rule)


_EVERY_MODE: Final[tuple[FindingMode, ...]] = ("shadow", "backlog", "lead", "card")
"""Whoever reviews a sample must see what is in shadow: that is what it is for."""


def _conditions(connection: Connection, rule: str | None, of: Selection) -> list[ColumnElement[bool]]:
    conditions = [findings.c.state != "withdrawn"]
    if rule is not None:
        conditions.append(findings.c.rule == rule)
    if of.department is not None:
        conditions.append(findings.c.department == of.department)
    if of.item is not None:
        conditions.append(findings.c.item == of.item)
    if of.source is not None:
        sent = select(cases.c.case).where(cases.c.source_set.in_(sets_with(connection, of.source)))
        conditions.append(findings.c.case.in_(sent))
    return conditions


def sets_with(connection: Connection, source: str) -> list[str]:
    """Name the sets of sources of cases that a source is in."""
    streams = connection.execute(select(positions.c.stream)).scalars().all()
    return [each for each in judging.source_sets(connection, streams) if source in judging.split(each)]
