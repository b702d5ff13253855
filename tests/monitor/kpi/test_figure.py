"""What a figure gives: rounding that neither invents nor hides, and no value where there is none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.kpi import FIGURES
from monitor.kpi.figure import Figure, Value, count, hundredths, ratio
from monitor.language import LANGS, Lang, catalogue
from monitor.verdict import MEASURES

PLAIN: Figure = ratio("plain", "finished", "accepted")


@pytest.mark.parametrize(
    ("numerator", "denominator", "written"),
    [
        (115, 126, "91.27"),  # domain.md 4.2: half up; truncation would give 91.26
        (40_803, 41_069, "99.35"),  # domain.md 4.4, not the 99.08 printed
        (442, 507, "87.18"),
        (26, 50, "52.00"),
        (566, 539, "105.01"),  # a flow ratio may exceed all
        (1, 8, "12.50"),
        (99_999, 100_000, "99.99"),
        (100_000, 100_000, "100.00"),
        (1, 100_000, "0.01"),
        (0, 5, "0.00"),
        (-1, 8, "-12.50"),
    ],
)
def test_percentages_are_rounded_half_up_and_never_invented(numerator: int, denominator: int, written: str) -> None:
    """Short of all is never 100.00, above nothing never 0.00."""
    assert PLAIN.quotient(numerator, denominator).written == written


def test_nothing_over_nothing_is_no_value() -> None:
    """It is neither 0 % nor 100 %, and says why; what does not exist divides nothing."""
    for numerator, denominator in ((0, 0), (3, 0)):
        value = PLAIN.quotient(numerator, denominator)
        assert (value.hundredths, value.written, value.rounded, value.reason) == (None, None, None, "nothing")
        assert (value.numerator, value.denominator) == (numerator, denominator)


def test_too_few_are_no_value() -> None:
    """A figure that takes five cases says nothing of four."""
    figure: Figure = ratio("plain", "finished", "accepted", least=5)
    assert [figure.quotient(2, number).reason for number in (4, 5)] == ["too_few", None]


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_what_is_shown_is_the_nearest_hundredth(numerator: int, denominator: int) -> None:
    """All or nothing only where it is all or nothing."""
    shown = hundredths(numerator, denominator, 100)
    if numerator in (0, denominator):
        assert shown == 10_000 * numerator // denominator
    elif numerator < denominator:
        assert 1 <= shown <= 9_999
        assert abs(shown - 10_000 * numerator / denominator) <= 1 - 1e-9
    else:
        assert abs(shown - 10_000 * numerator / denominator) <= 0.5 + numerator * 1e-9


def test_days_are_rounded_half_up() -> None:
    """23.98 and 13.80 days; 0.005 of a day is 0.01."""
    mean: Figure = ratio("days", "", "", unit="working_days", thousandths=True)
    assert [mean.mean(*pair).written for pair in ((8_393_000, 350), (4_830_000, 350), (5, 1))] == [
        "23.98",
        "13.80",
        "0.01",
    ]


@pytest.mark.parametrize("value", [count(41_069), Value("", "cases", 41_069, None, 4_106_900)])
def test_a_count_is_a_whole_number(value: Value) -> None:
    """A number of cases has no fraction."""
    assert (value.rounded, value.numerator) == (41_069, 41_069)


@pytest.mark.parametrize("lang", LANGS)
def test_every_figure_is_defined_in_both_languages(lang: Lang) -> None:
    """Name, definition, numerator and denominator stand in the catalogue, and nothing is defined that is not there."""
    defined = {key.split(".")[1] for key in catalogue(lang) if key.startswith("kpi.")}
    assert defined == set(FIGURES)
    for figure in FIGURES:
        assert {f"kpi.{figure}.{part}" for part in ("name", "definition", "above", "below")} <= catalogue(lang).keys()


def test_quotients_are_of_measures_there_are() -> None:
    """A figure divides sums the statistics have."""
    for figure in FIGURES.values():
        assert {name for name, _ in (*figure.above, *figure.below)} <= set(MEASURES)


def test_a_figure_is_not_counted_for_what_it_cannot_be_counted_for() -> None:
    """Nobody asks an item for its double-hundred departments, and gets an answer."""
    facts: Any = type("Item", (), {"extent": type("Extent", (), {"kind": "item"})})
    assert FIGURES["double_hundred"].answer(facts).value.reason == "extent"
