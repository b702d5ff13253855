"""Figures of days: how long decided cases took, and how much less that is than allowed or promised.

They are over promised-time cases (承诺件) that did not come by the direct line; what is done at once, and what the
direct line speeds up, stand apart, because either would flatter the mean. Limits in calendar days are in no sum.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import ColumnElement

from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Compute, Figure, Unit, Value, ratio
from monitor.ledger.schema import cases

LEAST_FOR_PERCENTILES: Final = 5
"""A median of fewer cases says more about one applicant than about a department."""

_GROUPS: Final = {"promised": "", "instant": "instant"}

Histogram = list[tuple[int, int]]  # thousandths of a day, cases
Statistic = Callable[[Figure, Histogram, str], Value]


def _mean(figure: Figure, days: Histogram, part: str = "") -> Value:
    total, number = sum(value * count for value, count in days), sum(count for _, count in days)
    return figure.mean(total, number, part)


def _quantile(tenths: int) -> Statistic:
    """Give the value that so many tenths of the cases do not exceed; the median of an even number is the middle."""

    def of(figure: Figure, days: Histogram, part: str = "") -> Value:
        number = sum(count for _, count in days)
        if not number:
            return figure.days(0, 1, None, 0, part)
        rank = -(-tenths * number // 10)  # rounded up
        if tenths == 5 and number % 2 == 0:
            return figure.days(_at(days, rank) + _at(days, rank + 1), 2, None, number, part)
        return figure.days(_at(days, rank), 1, None, number, part)

    return of


def _at(days: Histogram, rank: int) -> int:
    passed = 0
    for value, count in days:
        passed += count
        if passed >= rank:
            return value
    raise AssertionError(f"rank {rank} of {passed}")


def _over(column: ColumnElement[Any], statistic: Statistic) -> Compute:
    def compute(facts: Facts, figure: Figure) -> Answer:
        groups: dict[str, Histogram] = {"": [], "direct_line": [], "instant": [], "others": []}
        for item_type, direct, days, count in facts.days_of_decided(column):
            groups["direct_line" if direct else _GROUPS.get(item_type, "others")].append((days, count))
        value, *parts = (statistic(figure, days, part) for part, days in groups.items())
        return Answer(value, tuple(parts))

    return compute


def _days(prefix: str, unit: Unit, column: ColumnElement[Any]) -> tuple[Figure, ...]:
    median, ninth = _quantile(5), _quantile(9)
    return (
        Figure(id=f"mean_{prefix}", unit=unit, thousandths=True, compute=_over(column, _mean)),
        Figure(id=f"median_{prefix}", unit=unit, least=LEAST_FOR_PERCENTILES, compute=_over(column, median)),
        Figure(id=f"p90_{prefix}", unit=unit, least=LEAST_FOR_PERCENTILES, compute=_over(column, ninth)),
    )


_STATUTORY, _PROMISED, _USED = (f"speed_{name}_millidays" for name in ("statutory", "promised", "used"))

FIGURES: Final = (
    *_days("used_days", "working_days", cases.c.used_millidays),
    *_days("waited_days", "calendar_days", cases.c.waited_millidays),
    ratio("promise_cut_rate_cases", f"{_STATUTORY} -{_PROMISED}", _STATUTORY, thousandths=True),
    ratio("actual_vs_statutory", f"{_STATUTORY} -{_USED}", _STATUTORY, thousandths=True),
    ratio("actual_vs_promised", f"{_PROMISED} -{_USED}", _PROMISED, thousandths=True),
)
