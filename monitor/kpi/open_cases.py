"""What stands open at the end of a period, B(t) of domain.md 4.1: within its limit, overdue, suspended, or unknown."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select

from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Figure, count
from monitor.ledger.schema import cases, findings
from monitor.verdict import Assessment

_BREACHES: Final = ("V01", "V02")
_UNSEEN: Final = ("", "unobserved", "unarmable")


def is_open(facts: Facts) -> ColumnElement[bool]:
    """Give the condition that a case was accepted and not closed in any way at the end of the period."""
    return and_(cases.c.accepted_at < facts.until, or_(cases.c.closed_at.is_(None), cases.c.closed_at >= facts.until))


def is_overdue(facts: Facts) -> ColumnElement[bool]:
    """Give the condition that a case was over its promised or statutory limit at the end of the period."""
    return or_(
        and_(cases.c.promised == "breached", cases.c.promised_due < facts.until),
        and_(cases.c.statutory == "breached", cases.c.statutory_due < facts.until),
    )


def is_provisional() -> ColumnElement[bool]:
    """Give the condition that a source may still tell of a suspension that excuses a case: nobody is late for sure."""
    doubted = (findings.c.state == "provisional") & findings.c.rule.in_(_BREACHES)
    return cases.c.case.in_(select(findings.c.case).where(doubted))


def count_overdue(facts: Facts) -> int:
    """Count what stands open and overdue for sure."""
    return facts.counted(is_open(facts), is_overdue(facts), ~is_provisional())["all"]


def _open_cases(facts: Facts, figure: Figure) -> Answer:
    overdue = is_overdue(facts)
    unseen = and_(cases.c.promised.in_(_UNSEEN), cases.c.statutory.in_(_UNSEEN))
    counted = facts.counted(
        is_open(facts),
        overdue=overdue,
        provisional=and_(overdue, is_provisional()),
        unknown=and_(~overdue, unseen),
        direct_line=cases.c.direct_line != "",
    )
    maybe = facts.assessments(is_open(facts), cases.c.suspended_at < facts.until, ~overdue, ~unseen)
    suspended = sum(_is_suspended(assessment, facts.until) for assessment in maybe)
    known = counted["all"] - counted["overdue"] - counted["unknown"] - suspended
    return Answer(
        count(counted["all"]),
        parts=(
            count(known, "in_limit"),
            count(counted["overdue"] - counted["provisional"], "overdue"),
            count(counted["provisional"], "provisional_overdue"),
            count(suspended, "suspended"),
            count(counted["unknown"], "unknown"),
            count(counted["direct_line"], "direct_line"),
        ),
    )


def _is_suspended(assessment: Assessment, at: datetime) -> bool:
    return any(
        pause.since < at
        and (pause.until is None or pause.until >= at)
        and (pause.planned_until is None or pause.planned_until >= at)
        for clock in assessment.clocks
        for pause in clock.pauses
    )


FIGURES: Final = (Figure(id="open_cases", unit="cases", section="4.1", compute=_open_cases),)
