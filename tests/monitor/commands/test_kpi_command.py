"""`monitor kpi`: the figures as a table, a document, a spreadsheet, and their definitions."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.kpi import FIGURES
from monitor.language import LANGS
from tests.databases import ledger_url
from tests.monitor.cases import at
from tests.monitor.kpi.town import town_in

APPLY, ACCEPT = at("2009-03-02 09:00", "apply"), at("2009-03-02 10:00", "accept")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a ledger of three cases, one of them late, one the county's."""
    folder = tmp_path_factory.mktemp("kpi")
    with town_in(folder) as town:
        town.take(APPLY, ACCEPT, at("2009-03-04 10:00", "finish", outcome="granted"))
        town.take(APPLY, ACCEPT, at("2009-03-10 10:00", "finish", outcome="granted"))
        town.take(APPLY, ACCEPT, item="lesson", region="450921")
    return ledger_url(folder)


def run(url: str, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["kpi", *arguments, "--ledger", url])


def test_a_table_shows_each_figure_with_what_it_divides(url: str) -> None:
    """Name, value, numerator and denominator; whose figures they are, of when, and how far the data reach."""
    shown = run(url, "on_time_rate", "--lang", "en").stdout
    assert "Yulin (with all below), 2009-03-01 to 2009-03-31" in shown
    assert "data up to 2009-03-10 10:00" in shown
    assert ["On", "time", "50.00%", "1", "/", "2"] in [line.split() for line in shown.splitlines()]
    chinese = run(url, "--level", "--lang", "zh").stdout
    assert "玉林市（市本级）" in chinese
    assert "按时办结率" in chinese
    assert "不适用：没有可计的" in chinese


def test_every_figure_is_shown_or_says_why_not(url: str) -> None:
    """All figures stand in the document, those without a value with a reason, those with one with a denominator."""
    document: dict[str, Any] = json.loads(run(url, "--json").stdout)
    assert [figure["id"] for figure in document["figures"]] == list(FIGURES)
    for figure in document["figures"]:
        assert set(figure["name"]) == set(LANGS)
        assert (figure["value"] is None) == (figure["reason"] is not None), figure
        assert figure["value"] is None or figure["unit"] == "cases" or figure["denominator"] > 0
    assert document["extent"]["below"] is True
    assert document["period"] == {"first": "2009-03-01", "last": "2009-03-31"}
    assert document["horizon"] == "2009-03-10T10:00:00+08:00"


def test_days_are_days_in_a_document(url: str) -> None:
    """Eight working days of two cases: the sum is in days, not in thousandths."""
    [figure] = json.loads(run(url, "mean_used_days", "--json").stdout)["figures"]
    assert (figure["value"], figure["numerator"], figure["denominator"]) == (4.0, 8.0, 2)
    [figure] = json.loads(run(url, "actual_vs_promised", "--json").stdout)["figures"]
    assert (figure["value"], figure["numerator"], figure["denominator"]) == (20.0, 2.0, 10.0)


def test_a_spreadsheet_has_a_row_for_every_figure_and_part(url: str) -> None:
    """The same numbers as the document, one row each."""
    table = list(csv.DictReader(StringIO(run(url, "--csv", "--period", "2009", "--lang", "en").stdout)))
    document = json.loads(run(url, "--json", "--period", "2009").stdout)
    expected = {(f["id"], ""): f for f in document["figures"]}
    expected |= {(f["id"], part["part"]): part for f in document["figures"] for part in f["parts"]}
    assert {(row["figure"], row["part"]) for row in table} == set(expected)
    for row in table:
        said = expected[row["figure"], row["part"]]
        for column in ("value", "numerator", "denominator"):
            assert row[column] == ("" if said[column] is None else str(said[column])), row
        assert (row["first"], row["last"]) == ("2009-01-01", "2009-12-31")


@pytest.mark.parametrize(
    ("arguments", "accepted"),
    [
        ((), 3),
        (("--level",), 2),
        (("--region", "450921"), 1),
        (("--department", "land"), 2),
        (("--item", "lesson"), 1),
        (("--period", "2009-04"), 0),
    ],
)
def test_an_extent_and_a_period_say_what_is_counted(url: str, arguments: tuple[str, ...], accepted: int) -> None:
    """A region alone or with all below, a department, an item, another month."""
    [figure] = json.loads(run(url, "finish_rate_cohort", "--json", *arguments).stdout)["figures"]
    assert figure["denominator"] == accepted


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "There is no figure nonsense."),
        (("--period", "soon"), "soon is no period."),
        (("--region", "99"), "The rulebook has no region 99."),
        (("--item", "permit", "--level"), "Leave out region, level and department."),
        (("--json", "--csv"), "Choose one of --json and --csv"),
    ],
)
def test_what_cannot_be_answered_is_said(url: str, arguments: tuple[str, ...], said: str) -> None:
    """One sentence with its remedy, and exit code 2."""
    result = run(url, *arguments, "--lang", "en")
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_list_defines_every_figure(url: str) -> None:
    """In the language asked for, and as a document with both."""
    shown = run(url, "list", "--lang", "en").stdout
    assert all(f"\n{figure}  " in f"\n{shown}" for figure in FIGURES)
    listed = json.loads(run(url, "list", "--json").stdout)
    assert {each["id"] for each in listed} == set(FIGURES)
    assert all(each["numerator"]["zh"] and each["denominator"]["en"] for each in listed)
