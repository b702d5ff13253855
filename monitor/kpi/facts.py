"""Facts: what figures are computed from, the sums and the cases of an extent in a period, each read once.

Sums come from the statistics; cohorts, medians and what stands open come from the columns of `cases`, which repeat
what the statistics add up.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from monitor.kpi.extent import Extent
from monitor.kpi.period import Period
from monitor.ledger.packing import unpack_assessment
from monitor.ledger.schema import cases, findings, positions, stats_items, stats_units
from monitor.rulebook.model import Rulebook
from monitor.verdict import MEASURES, Assessment

_JUST_AFTER: Final = timedelta(microseconds=1)


class Facts:
    """The facts of an extent in a period, as far as they are known at the horizon; read from one transaction."""

    def __init__(
        self, connection: Connection, rulebook: Rulebook, extent: Extent, period: Period, horizon: datetime
    ) -> None:
        self._connection = connection
        self.rulebook, self.extent, self.period = rulebook, extent, period
        zone = rulebook.days.zone
        self.begins, self.ends = period.begins(zone), period.ends(zone)
        self._days: dict[str | None, list[tuple[str, bool, int, int]]] = {}
        # What happened at the horizon has happened; what happens at the next midnight is of the next day.
        self.until: datetime = min(self.ends, horizon + _JUST_AFTER)

    @cached_property
    def sums(self) -> dict[str, int]:
        """Every measure, added up over extent and period."""
        row = self._connection.execute(self._summed()).one()
        return dict(zip(MEASURES, map(int, row), strict=True))

    @cached_property
    def sums_by_department(self) -> dict[str, dict[str, int]]:
        """Every measure by department."""
        by = stats_units.c.department
        rows = self._connection.execute(self._summed(by).group_by(by))
        return {row[0]: dict(zip(MEASURES, map(int, row[1:]), strict=True)) for row in rows}

    def counted(self, *where: ColumnElement[bool], **parts: ColumnElement[bool]) -> dict[str, int]:
        """Count the cases of the extent for which conditions hold (`all`), and those among them of each part."""
        counts = [func.count(), *(func.count().filter(condition) for condition in parts.values())]
        row = self._connection.execute(select(*counts).select_from(cases).where(*self._of(cases), *where)).one()
        return dict(zip(("all", *parts), row, strict=True))

    @cached_property
    def decided(self) -> list[ColumnElement[bool]]:
        """The conditions that a case was decided in the period (Fₙ of domain.md 4.1)."""
        return [self.within(cases.c.finished_at), cases.c.outcome.not_in(("returned", "lapsed"))]

    def days_of_decided(self, column: ColumnElement[Any]) -> list[tuple[str, bool, int, int]]:
        """Count the decided cases by type of item, whether they came by the direct line, and the value of a column.

        In ascending order of the value; those without one are left out. Read once for every figure.
        """
        if column.key not in self._days:
            keys = (cases.c.item_type, cases.c.direct_line != "", column)
            query = select(*keys, func.count()).where(*self._of(cases), *self.decided, column.is_not(None))
            rows = self._connection.execute(query.group_by(*keys).order_by(column))
            self._days[column.key] = [(row[0], bool(row[1]), row[2], row[3]) for row in rows]
        return self._days[column.key]

    def assessments(self, *where: ColumnElement[bool]) -> Iterable[Assessment]:
        """Read the stored assessments of the cases of the extent for which conditions hold."""
        query = select(cases.c.assessment).where(*self._of(cases), *where)
        for packed in self._connection.execution_options(yield_per=1000).execute(query).scalars():
            yield unpack_assessment(packed)

    def rows(self, columns: Iterable[ColumnElement[Any]], *where: ColumnElement[bool]) -> list[tuple[Any, ...]]:
        """Read columns of the cases of the extent for which conditions hold."""
        return [tuple(row) for row in self._connection.execute(select(*columns).where(*self._of(cases), *where))]

    def findings(self, *where: ColumnElement[bool]) -> dict[tuple[int, str], int]:
        """Count the findings of the extent that occurred in the period, by severity and state."""
        keys = (findings.c.severity, findings.c.state)
        within = self.within(findings.c.occurred_at)
        query = select(*keys, func.count()).where(*self._of(findings), within, *where).group_by(*keys)
        return {(row[0], row[1]): row[2] for row in self._connection.execute(query)}

    def cases_found(self, *where: ColumnElement[bool]) -> int:
        """Count the cases of the extent with findings that occurred in the period and for which conditions hold."""
        distinct = func.count(findings.c.case.distinct())
        query = select(distinct).where(*self._of(findings), self.within(findings.c.occurred_at), *where)
        return int(self._connection.execute(query).scalar_one())

    def within(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Give the condition that an instant is known and lies in the period."""
        return and_(column >= self.begins, column < self.ends)

    def _summed(self, *by: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
        table = stats_items if self.extent.item is not None else stats_units
        sums = [func.coalesce(func.sum(table.c[name]), 0) for name in MEASURES]
        # Naming the streams lets the key, which begins with them, find the days.
        streams = table.c.stream.in_(select(positions.c.stream))
        days = table.c.day.between(self.period.first, self.period.last)
        return select(*by, *sums).where(streams, days, *self._of(table))

    def _of(self, table: Any) -> list[ColumnElement[bool]]:
        """Give the conditions that a row belongs to the extent. An item is counted wherever it is handled."""
        if self.extent.item is not None:
            return [table.c.item == self.extent.item]
        regions = self.extent.regions(self.rulebook)
        conditions = [] if regions is None else [table.c.region.in_(sorted(regions))]
        if self.extent.department is not None:
            conditions.append(table.c.department == self.extent.department)
        return conditions
