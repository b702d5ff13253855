"""Figures: each with one definition, read from the ledger as numerator and denominator.

Metrics, live page and reports call these and nothing else, so that one question has one answer. Cards count;
findings in `shadow` are in no figure, and a `lead` is for inspectors alone (design sections 3 and 9, domain.md 4).
"""

from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from monitor.ledger.schema import cases, findings, outbox, rejects, stats_units
from monitor.verdict import STANDING, Light

SHOWN_MODE: Final = "card"
"""The mode of findings that count in figures and stand on boards."""


class Share(NamedTuple):
    """A numerator over a denominator."""

    numerator: int
    denominator: int

    @property
    def ratio(self) -> float | None:
        """The quotient; None where there is nothing to divide by, which is neither 0 % nor 100 %."""
        return self.numerator / self.denominator if self.denominator else None

    @property
    def percent(self) -> str | None:
        """The quotient in per cent, rounded half up to one decimal; None where there is none.

        Rounding never says all or nothing: 100.0% means every one, 0.0% none.
        """
        if not self.denominator:
            return None
        tenths = (2000 * self.numerator + self.denominator) // (2 * self.denominator)
        if 0 < self.numerator < self.denominator:
            tenths = min(max(tenths, 1), 999)
        return f"{tenths // 10}.{tenths % 10}%"


class Day(NamedTuple):
    """A day of the calendar's zone as the instants between which it lies."""

    date: date
    begins: datetime
    ends: datetime


def day_of(instant: datetime, zone: ZoneInfo) -> Day:
    """Give the day an instant falls on."""
    local = instant.astimezone(zone).date()
    return Day(local, _midnight(local, zone), _midnight(local + timedelta(days=1), zone))


def coverage(connection: Connection) -> Share:
    """Give the clocks that can be seen over all clocks of all cases (接入率)."""
    seen, unseen = _sums(connection, "clocks_observed", "clocks_unobserved")
    return Share(seen, seen + unseen)


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


def finished_between(connection: Connection, first: date, last: date) -> int:
    """Count the cases finished on the days from first to last."""
    return _sums(connection, "finished", days=(first, last))[0]


def on_time_between(connection: Connection, first: date, last: date) -> Share:
    """Give the cases decided in time over all decided whose promise was seen (按时办结率), by the day of finish."""
    on_time, overdue = _sums(connection, "promised_on_time", "promised_overdue", days=(first, last))
    return Share(on_time, on_time + overdue)


def sums_by_department(connection: Connection, *names: str) -> dict[tuple[str, str], tuple[int, ...]]:
    """Add up measures over all days by (region, department)."""
    keys = (stats_units.c.region, stats_units.c.department)
    sums = [func.sum(stats_units.c[name]) for name in names]
    rows = connection.execute(select(*keys, *sums).group_by(*keys))
    return {(row[0], row[1]): tuple(row[2:]) for row in rows}


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


def _sums(connection: Connection, *names: str, days: tuple[date, date] | None = None) -> tuple[int, ...]:
    wanted = select(*(func.coalesce(func.sum(stats_units.c[name]), 0) for name in names))
    if days is not None:
        wanted = wanted.where(stats_units.c.day.between(*days))
    return tuple(connection.execute(wanted).one())


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
