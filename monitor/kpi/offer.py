"""Figures of what is offered: the catalogue and the powers given to windows, as in force at the end of the period."""

from collections.abc import Iterable, Iterator
from typing import Final

from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Compute, Detail, Figure
from monitor.rulebook.model import Item, Limits, Power, parse_limit

LEAST_FOR_DOUBLE_HUNDRED: Final = 5
"""Decided cases a department must have had before none late means anything."""
_POWERS: Final[tuple[Power, ...]] = ("accept", "review", "approve")


def _items(facts: Facts, *, entered: bool = True) -> list[Item]:
    """List the items of the extent, by default those handled in the centre."""
    return [
        item
        for item in facts.rulebook.items
        if facts.extent.item in (None, item.code)
        and facts.extent.takes_in(item.department, facts.rulebook)
        and (item.entered or not entered)
    ]


def _delegated(power: Power) -> Compute:
    def compute(facts: Facts, figure: Figure) -> Answer:
        items = _items(facts)
        return Answer(figure.quotient(sum(power in item.delegated for item in items), len(items)))

    return compute


def _promise_cut(facts: Facts, figure: Figure) -> Answer:
    """Beside it the two means, over promised-time items with both limits in working days."""
    pairs = [pair for item in _items(facts, entered=False) if (pair := _limits(item, facts.rulebook.limits))]
    statutory, promised = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    means = (figure.mean(statutory, len(pairs), "mean_statutory"), figure.mean(promised, len(pairs), "mean_promised"))
    return Answer(figure.quotient(statutory - promised, statutory), means)


def _limits(item: Item, limits: Limits) -> tuple[int, int] | None:
    if item.type != "promised" or item.promised_limit is None:
        return None
    legal = item.statutory_limit or (limits.statutory if item.nature == "licence" else None)
    if legal is None:
        return None
    statutory, promised = parse_limit(legal), parse_limit(item.promised_limit)
    if {statutory.unit, promised.unit} != {"wd"}:
        return None
    return int(statutory.days * 1000), int(promised.days * 1000)


def _instant_items(facts: Facts, figure: Figure) -> Answer:
    items = _items(facts, entered=False)
    return Answer(figure.quotient(sum(item.type == "instant" for item in items), len(items)))


def _entered_items(facts: Facts, figure: Figure) -> Answer:
    items = _items(facts, entered=False)
    return Answer(figure.quotient(sum(item.entered for item in items), len(items)))


def _entered_departments(facts: Facts, figure: Figure) -> Answer:
    departments = dict(_by_department(_items(facts, entered=False)))
    entered = sum(all(item.entered for item in items) for items in departments.values())
    return Answer(figure.quotient(entered, len(departments)))


def _double_hundred(facts: Facts, figure: Figure) -> Answer:
    """Beside it each of them, with the cases it decided."""
    departments = dict(_by_department(_items(facts)))
    found = []
    for code, items in departments.items():
        sums = facts.sums_by_department.get(code)
        if sums is None or not all(power in item.delegated for item in items for power in _POWERS):
            continue
        if sums["promised_overdue"] == 0 and sums["promised_on_time"] >= LEAST_FOR_DOUBLE_HUNDRED:
            found.append(Detail(code, sums["promised_on_time"]))
    return Answer(figure.quotient(len(found), len(departments)), details=tuple(found))


def _by_department(items: Iterable[Item]) -> Iterator[tuple[str, list[Item]]]:
    grouped: dict[str, list[Item]] = {}
    for item in items:
        grouped.setdefault(item.department, []).append(item)
    yield from grouped.items()


FIGURES: Final = (
    Figure(id="promise_cut_rate_items", thousandths=True, compute=_promise_cut),
    Figure(id="instant_items_rate", compute=_instant_items),
    *(Figure(id=f"delegation_rate_{power}", compute=_delegated(power)) for power in _POWERS),
    Figure(id="double_hundred", extents=("region", "department"), compute=_double_hundred),
    Figure(id="entry_rate_items", compute=_entered_items),
    Figure(id="entry_rate_departments", extents=("region", "department"), compute=_entered_departments),
)
