"""Figures of a cohort: what became of the cases accepted in a period, by its end (domain.md 4.1, 4.2)."""

from typing import Final

from sqlalchemy import and_, func, or_

from monitor.kpi.facts import Facts
from monitor.kpi.figure import DETAILS_MAX, Answer, Detail, Figure, count
from monitor.ledger.schema import cases
from monitor.verdict import Stage

_ELSEWHERE: Final = (Stage.WITHDRAWN, Stage.FORWARDED, Stage.VOIDED)
"""Cases that ended without anybody having to finish them: A less these is A° of domain.md 4.1."""


def _finish_rate(facts: Facts, figure: Figure) -> Answer:
    counted = facts.counted(
        facts.within(cases.c.accepted_at),
        finished=cases.c.finished_at < facts.until,
        elsewhere=cases.c.stage.in_(_ELSEWHERE),
    )
    return Answer(figure.quotient(counted["finished"], counted["all"]), (count(counted["elsewhere"], "elsewhere"),))


def _matured(facts: Facts, figure: Figure) -> Answer:
    due = func.coalesce(cases.c.promised_due, cases.c.statutory_due)
    counted = facts.counted(
        facts.within(cases.c.accepted_at),
        cases.c.stage.not_in(_ELSEWHERE),
        due < facts.until,
        finished=cases.c.finished_at < facts.until,
    )
    return Answer(figure.quotient(counted["finished"], counted["all"]))


def _complaints(facts: Facts, figure: Figure) -> Answer:
    """Beside it: those of the period still open, each with its age in days."""
    accepted, closed = cases.c.complaint_accepted_at, cases.c.complaint_closed_at
    counted = facts.counted(facts.within(accepted), closed=closed < facts.until)
    still_open = or_(closed.is_(None), closed >= facts.until)
    rows = facts.rows((cases.c.case, accepted), and_(facts.within(accepted), still_open))
    ages = sorted((Detail(code, (facts.until - since).days) for code, since in rows), key=lambda d: (-d.amount, d.code))
    return Answer(
        figure.quotient(counted["closed"], counted["all"]),
        (count(counted["all"] - counted["closed"], "open"),),
        tuple(ages[:DETAILS_MAX]),
    )


FIGURES: Final = (
    Figure(id="finish_rate_cohort", compute=_finish_rate),
    Figure(id="matured_finish_rate", compute=_matured),
    Figure(id="complaint_finish_cohort", extents=("region", "department"), compute=_complaints),
)
