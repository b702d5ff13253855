"""What a figure is, and what it gives: numerator, denominator, and a value or the reason why there is none.

Values are rounded half up to two decimals. Rounding never says all or nothing: 100.00 % means every one, 0.00 % none.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from monitor.kpi.facts import Facts

Unit = Literal["percent", "per_thousand", "working_days", "calendar_days", "cases", "visits"]
ExtentKind = Literal["region", "department", "item"]
Reason = Literal["nothing", "too_few", "extent", "rule", "absent"]
"""Why there is no value: nothing to divide by, fewer cases than it takes, not counted for this extent, the rule that
would tell is not in use, events do not tell."""

Terms = tuple[tuple[str, int], ...]
"""Measures, each with the sign it is added with."""
FACTORS: Final[dict[Unit, int]] = {"percent": 100, "per_thousand": 1000, "cases": 1}
"""What one whole is in a unit that is a quotient of counts; days are counted in thousandths."""
EVERY_EXTENT: Final[tuple[ExtentKind, ...]] = ("region", "department", "item")
DETAILS_MAX: Final = 100


class Value(msgspec.Struct, frozen=True):
    """A figure, or a part of it named `part`: `hundredths` of its unit; None where `reason` says why not."""

    part: str
    unit: Unit
    numerator: int | None
    denominator: int | None
    hundredths: int | None
    reason: Reason | None = None

    @property
    def rounded(self) -> float | None:
        """The value as a number of two decimals, of cases as a whole one."""
        if self.hundredths is None:
            return None
        return self.hundredths // 100 if self.unit == "cases" else self.hundredths / 100

    @property
    def written(self) -> str | None:
        """The value with its two decimals."""
        if self.hundredths is None:
            return None
        sign, cents = "-" if self.hundredths < 0 else "", abs(self.hundredths)
        return f"{sign}{cents // 100:,}.{cents % 100:02}"


class Detail(msgspec.Struct, frozen=True):
    """One of the things counted, by its code, with a number that says more (`unit` names it in the catalogue)."""

    code: str
    amount: int


class Answer(msgspec.Struct, frozen=True):
    """What a figure is for an extent and period: the value itself, its parts, and details where they help."""

    value: Value
    parts: tuple[Value, ...] = ()
    details: tuple[Detail, ...] = ()


Compute = Callable[[Facts, "Figure"], Answer]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. Its name and its definition stand in the catalogue of strings under `kpi.<id>`.

    `above` and `below` are the measures it divides, where it is a quotient of sums. `least` is the denominator it
    takes; `section` is where domain.md defines it. `thousandths`: numerator and denominator are days in thousandths,
    not counts.
    """

    id: str
    unit: Unit = "percent"
    section: str = "4.2"
    extents: tuple[ExtentKind, ...] = EVERY_EXTENT
    least: int = 1
    thousandths: bool = False
    above: Terms = ()
    below: Terms = ()
    compute: Compute

    def of_sums(self, sums: Mapping[str, int]) -> Value:
        """Give the value of a figure that is a quotient of sums."""
        return self.quotient(add(sums, self.above), add(sums, self.below))

    def answer(self, facts: Facts) -> Answer:
        """Compute the figure for an extent and period."""
        if facts.extent.kind not in self.extents:
            return Answer(missing(self.unit, "extent"))
        return self.compute(facts, self)

    def quotient(self, numerator: int, denominator: int, part: str = "") -> Value:
        """Divide, if there is enough to divide by."""
        if denominator < self.least or denominator <= 0:
            reason: Reason = "too_few" if denominator > 0 else "nothing"
            return Value(part, self.unit, numerator, denominator, None, reason)
        rounded = hundredths(numerator, denominator, FACTORS[self.unit])
        return Value(part, self.unit, numerator, denominator, rounded)

    def mean(self, total: int, number: int, part: str = "") -> Value:
        """Give the mean of days in thousandths, if there are enough of them."""
        return self.days(total, number, total, number, part)

    def days(self, thousandths: int, of: int, total: int | None, number: int, part: str = "") -> Value:
        """Give a quotient of days in thousandths, if the `number` it rests on is enough."""
        unit: Unit = self.unit if self.unit in ("working_days", "calendar_days") else "working_days"
        if number < self.least:
            return Value(part, unit, total, number, None, "too_few" if number else "nothing")
        return Value(part, unit, total, number, (2 * thousandths + 10 * of) // (20 * of))


def hundredths(numerator: int, denominator: int, factor: int) -> int:
    """Divide and multiply by a factor, in hundredths rounded half up, never up to all or down to nothing."""
    rounded = (200 * factor * numerator + denominator) // (2 * denominator)
    if factor > 1 and 0 < numerator < denominator:
        return min(max(rounded, 1), 100 * factor - 1)
    return rounded


def count(number: int, part: str = "") -> Value:
    """Give a plain number of cases."""
    return Value(part, "cases", number, None, 100 * number)


def missing(unit: Unit, reason: Reason) -> Value:
    """Give no value, and why."""
    return Value("", unit, None, None, None, reason)


def ratio(id: str, numerator: str, denominator: str, **settings: Any) -> Figure:  # noqa: A002 - the field's name
    """Declare a figure whose numerator and denominator are sums of measures, written as in `ratings -ratings_bad`."""
    above, below = tuple(_terms(numerator)), tuple(_terms(denominator))
    return Figure(**{"id": id, "above": above, "below": below, "compute": _plain, **settings})


def _plain(facts: Facts, figure: Figure) -> Answer:
    return Answer(figure.of_sums(facts.sums))


def add(sums: Mapping[str, int], terms: Terms) -> int:
    """Add up measures, each with its sign."""
    return sum(sign * sums[name] for name, sign in terms)


def _terms(written: str) -> Iterator[tuple[str, int]]:
    for word in written.split():
        yield word.lstrip("-"), -1 if word.startswith("-") else 1
