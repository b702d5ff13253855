"""What is offered: the catalogue and the powers given to windows, in the extent asked for."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.kpi.offer import LEAST_FOR_DOUBLE_HUNDRED
from tests.monitor.cases import at
from tests.monitor.kpi.town import LAND, SCHOOL, TOWN, Town, town_in


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """An empty town."""
    with town_in(tmp_path) as made:
        yield made


def test_powers_are_counted_over_items_in_the_centre(town: Town) -> None:
    """An item not in the centre is in no rate of delegation; the city alone is not the city with its county."""
    city = len(TOWN.items) - 2
    assert town.share("delegation_rate_accept") == (city + 1, city + 1)
    assert town.share("delegation_rate_approve") == (1, city + 1)
    assert town.share("delegation_rate_approve", below=False) == (0, city)
    assert town.share("delegation_rate_approve", department=SCHOOL) == (1, 1)
    assert town.share("delegation_rate_approve", item="permit") == (0, 1)
    assert town.share("entry_rate_items") == (city + 1, city + 2)
    assert town.share("entry_rate_departments") == (1, 2)
    assert town.share("instant_items_rate", department=SCHOOL) == (1, 2)


def test_promises_are_compared_with_the_law_item_by_item(town: Town) -> None:
    """Items without a promise, in calendar days or of other types are left out; the law's default counts."""
    assert town.share("promise_cut_rate_items", item="permit") == (15_000, 20_000)
    assert town.answer("promise_cut_rate_items", item="permit").value.written == "75.00"
    assert town.share("promise_cut_rate_items", item="long") == (30_000, 60_000)
    for item in ("unpromised", "natural", "joint", "instant", "service", "approval"):
        assert town.answer("promise_cut_rate_items", item=item).value.reason == "nothing", item
    means = {part.part: part.written for part in town.answer("promise_cut_rate_items", item="long").parts}
    assert means == {"mean_statutory": "60.00", "mean_promised": "30.00"}


def test_a_double_hundred_department_delegates_all_and_is_never_late(town: Town) -> None:
    """It takes enough cases, every power, and no case late; who they are is told with their number."""

    def lesson(day: int) -> None:
        town.take(
            at("2009-03-02 09:00", "apply"),
            at("2009-03-02 10:00", "accept"),
            at(f"2009-03-{day} 10:00", "finish", outcome="granted"),
            item="lesson",
            region="450921",
        )

    for _ in range(LEAST_FOR_DOUBLE_HUNDRED - 1):
        lesson(10)
    assert town.share("double_hundred") == (0, 2)
    lesson(16)
    answer = town.answer("double_hundred")
    assert (answer.value.written, [(d.code, d.amount) for d in answer.details]) == ("50.00", [(SCHOOL, 5)])
    assert town.share("double_hundred", department=LAND) == (0, 1)
    lesson(17)
    assert town.share("double_hundred") == (0, 2), "eleven days of ten"


def test_the_window_decides_by_powers_given_to_it(town: Town) -> None:
    """One decision by a delegate of the window, one by somebody else, one by nobody named."""

    def decided(operator: str | None) -> None:
        lines = [at("2009-03-02 10:00", "accept"), at("2009-03-04 09:00", "approve"), at("2009-03-04 10:00", "finish")]
        town.take(*lines, item="lesson", region="450921", operator=operator)

    for operator in ("wang", "li", None):
        decided(operator)
    assert town.share("window_decided_rate") == (1, 2)


def test_the_catalogue_is_that_in_force_at_the_end_of_the_period(town: Town) -> None:
    """A later version does not change what was offered before."""
    changed = tuple(msgspec.structs.replace(item, delegated=()) for item in TOWN.items)
    town.ledger.publish(msgspec.structs.replace(TOWN, items=changed))
    town.judge("2099-01-01 00:00")
    assert town.share("delegation_rate_accept", "2009-03") != (0, len(TOWN.items) - 1)
    assert town.share("delegation_rate_accept", "2098") == (0, len(TOWN.items) - 1)
