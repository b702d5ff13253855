"""How things stand at this moment: counts for boards and metrics, of everything the ledger holds.

Cards count; findings in `shadow` are in no figure, and a `lead` is for inspectors alone (design sections 3 and 9).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from monitor.kpi.cards import SHOWN_MODE
from monitor.kpi.period import Day, Period
from monitor.ledger.schema import cases, findings, outbox, positions, rejects, stats_units
from monitor.verdict import MEASURES, STANDING, Light


def open_by_light(connection: Connection) -> dict[Light, int]:
    """Count the open cases (stage not closed) by their light, every light named."""
    counted = connection.execute(
        select(cases.c.light, func.count()).where(cases.c.closed.is_(False)).group_by(cases.c.light)
    )
    return dict.fromkeys(Light, 0) | {Light(light): count for light, count in counted.all()}


def open_by_department(connection: Connection) -> dict[tuple[str, str, str], int]:
    """Count the open cases by (region, department, light); only what is not zero."""
    keys = (cases.c.region, cases.c.department, cases.c.light)
    counted = connection.execute(select(*keys, func.count()).where(cases.c.closed.is_(False)).group_by(*keys))
    return {(row[0], row[1], row[2]): row[3] for row in counted}


def due_within(connection: Connection, day: Day) -> int:
    """Count the open cases due on a day: by their promised clock, else by their statutory one."""
    promised = _within(cases.c.promised_due, day)
    statutory = and_(cases.c.promised_due.is_(None), _within(cases.c.statutory_due, day))
    return _count(connection, and_(cases.c.closed.is_(False), or_(promised, statutory)))


def sums_by_unit(connection: Connection, period: Period) -> dict[tuple[str, str], dict[str, int]]:
    """Add up every measure over the days of a period by (region, department)."""
    keys = (stats_units.c.region, stats_units.c.department)
    sums = [func.sum(stats_units.c[name]) for name in MEASURES]
    streams = stats_units.c.stream.in_(select(positions.c.stream))
    days = stats_units.c.day.between(period.first, period.last)
    rows = connection.execute(select(*keys, *sums).where(streams, days).group_by(*keys))
    return {(row[0], row[1]): dict(zip(MEASURES, map(int, row[2:]), strict=True)) for row in rows}


def unjudged(connection: Connection, horizon: datetime) -> int:
    """Count the cases that time alone has changed, though their sources have not confirmed so far (待数据确认)."""
    return _count(connection, cases.c.next_change <= horizon)


def is_shown() -> ColumnElement[bool]:
    """Give the condition on `findings` of those boards show: cards, neither withdrawn nor cancelled."""
    return and_(findings.c.mode == SHOWN_MODE, findings.c.state.in_(STANDING))


def standing_findings(connection: Connection) -> dict[tuple[str, str, int, str], int]:
    """Count the findings shown, by (rule, kind, severity, state)."""
    keys = (findings.c.rule, findings.c.kind, findings.c.severity, findings.c.state)
    counted = connection.execute(select(*keys, func.count()).where(is_shown()).group_by(*keys))
    return {(row[0], row[1], row[2], row[3]): row[4] for row in counted}


def rejects_by_code(connection: Connection) -> dict[str, int]:
    """Count the rejects kept, by the code of their reason."""
    counted = connection.execute(select(rejects.c.code, func.count()).group_by(rejects.c.code))
    return {row[0]: row[1] for row in counted}


def outbox_backlog(connection: Connection) -> int:
    """Count the notices that are to be sent and were not."""
    counted = select(func.count()).select_from(outbox).where(outbox.c.delivery != "none")
    return int(connection.execute(counted).scalar_one())


def _within(column: ColumnElement[Any], day: Day) -> ColumnElement[bool]:
    return and_(column >= day.begins, column < day.ends)


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(cases).where(condition)).scalar_one())
