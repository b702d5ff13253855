"""Days: means, medians and nine in ten, and how much less that is than allowed or promised."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitor.cases import at
from tests.monitor.kpi.town import Town, town_in

pytestmark = pytest.mark.usefixtures("each_database")

APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """An empty town."""
    with town_in(tmp_path) as made:
        yield made


def finish(town: Town, day: int, *, item: str = "permit", **fields: str) -> None:
    """Take a case accepted on Monday 2 March, finished and handed out on a day of that month."""
    done = (at(f"2009-03-{day:02} 10:00", "finish", outcome="granted"), at(f"2009-03-{day:02} 21:00", "issue"))
    town.take(APPLY, ACCEPT, *done, item=item, **fields)


def test_mean_median_and_nine_in_ten_are_of_working_days(town: Town) -> None:
    """Five cases that took 0, 1, 2, 4 and 5 working days; a weekend is none."""
    for day in (2, 3, 4, 6, 9):
        finish(town, day)
    answers = {figure: town.answer(figure).value for figure in ("mean_used_days", "median_used_days", "p90_used_days")}
    assert {figure: (value.written, value.denominator) for figure, value in answers.items()} == {
        "mean_used_days": ("2.40", 5),
        "median_used_days": ("2.00", 5),
        "p90_used_days": ("5.00", 5),
    }
    assert town.answer("mean_used_days").value.numerator == 12_000, "twelve days, in thousandths"
    finish(town, 3)
    assert town.answer("median_used_days").value.written == "1.50", "the middle of an even number"
    waited = town.answer("mean_waited_days").value
    assert (waited.written, waited.denominator) == ("3.00", 6), "half a day each, and the days between"


def test_a_median_of_four_is_none(town: Town) -> None:
    """A mean may be of one case, a median says nothing of so few; of none there is neither."""
    for day in (2, 3, 4, 5):
        finish(town, day)
    assert town.answer("median_used_days").value.reason == "too_few"
    assert town.answer("mean_used_days").value.written == "1.50"
    assert town.answer("mean_used_days", "2009-04").value.reason == "nothing"
    assert town.answer("p90_used_days", "2009-04").value.reason == "nothing"


def test_what_would_flatter_the_mean_stands_apart(town: Town) -> None:
    """Instant cases, the direct line and other types are no promised-time cases; each has a mean of its own."""
    finish(town, 6)
    finish(town, 2, item="instant")
    finish(town, 3, direct_line="E01")
    finish(town, 4, item="joint")
    answer = town.answer("mean_used_days")
    assert (answer.value.written, answer.value.denominator) == ("4.00", 1)
    assert {part.part: part.written for part in answer.parts} == {
        "direct_line": "1.00",
        "instant": "0.00",
        "others": "2.00",
    }


def test_speed_compares_what_was_used_allowed_and_promised(town: Town) -> None:
    """Of five promised and twenty allowed days one and three were used: 90 % less than allowed, 60 % than promised."""
    finish(town, 3)
    finish(town, 5)
    finish(town, 4, direct_line="E01")
    finish(town, 4, item="natural")
    assert town.share("actual_vs_statutory") == (36_000, 40_000)
    assert town.answer("actual_vs_statutory").value.written == "90.00"
    assert town.answer("actual_vs_promised").value.written == "60.00"
    assert town.answer("promise_cut_rate_cases").value.written == "75.00"


def test_who_uses_more_than_promised_is_slower_than_nothing(town: Town) -> None:
    """A negative speed-up is shown as one."""
    finish(town, 10)
    assert town.answer("actual_vs_promised").value.written == "-20.00"
