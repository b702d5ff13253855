"""The numbers Yulin published for ten months of 2009, from events to `monitor kpi`; `make scenario` runs them all."""

import json
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from monitor.ledger.verify import verify
from tests.conftest import ROOT
from tests.databases import ledger_url


@pytest.fixture(scope="module")
def scenario() -> Iterator[ModuleType]:
    """Load the script."""
    spec = spec_from_file_location("scenario_2009", ROOT / "scripts" / "scenario_2009.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def figures(url: str, *arguments: str) -> dict[str, Any]:
    """Ask `monitor kpi` for the figures of the ten months."""
    asked = ["kpi", *arguments, "--period", "2009-01..2009-10", "--json", "--ledger", url]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.stderr
    return {figure["id"]: figure for figure in json.loads(result.stdout)["figures"]}


@pytest.mark.usefixtures("each_database")
def test_the_figures_follow_from_the_events(scenario: ModuleType, tmp_path: Path) -> None:
    """An eighth of the cases gives the same rates; each is what the engine made of events, and the ledger verifies."""
    size = scenario.Size(5_100, 5, 1, in_limit=25, overdue=5, suspended=3)
    url = ledger_url(tmp_path)
    scenario.fill(url, size)
    city, whole = figures(url, "--level"), figures(url, "--all-below")

    def share(figure: dict[str, Any]) -> tuple[Any, Any, Any]:
        return figure["numerator"], figure["denominator"], figure["value"]

    assert share(city["finish_accept_ratio"]) == share(city["finish_rate_cohort"]) == (5_100, 5_133, 99.36)
    split = {part["part"]: part["numerator"] for part in city["open_cases"]["parts"]}
    assert (city["open_cases"]["value"], split) == (
        33,
        {"in_limit": 25, "overdue": 5, "provisional_overdue": 0, "suspended": 3, "unknown": 0, "direct_line": 0},
    )
    for weighting in ("items", "cases"):
        assert city[f"promise_cut_rate_{weighting}"]["value"] == 42.45
    means = {part["part"]: part["value"] for part in city["promise_cut_rate_items"]["parts"]}
    assert means == {"mean_statutory": 23.98, "mean_promised": 13.8}
    assert share(city["delegation_rate_approve"]) == (442, 507, 87.18)
    assert share(city["double_hundred"]) == (26, 50, 52.0)
    assert len(city["double_hundred"]["details"]) == 26
    assert city["on_time_rate"]["denominator"] - city["on_time_rate"]["numerator"] == scenario.LATE
    assert share(whole["complaint_finish"]) == share(whole["complaint_finish_cohort"]) == (115, 126, 91.27)
    assert len(whole["complaint_finish_cohort"]["details"]) == 11
    assert city["complaint_finish"]["denominator"] < 126, "the city itself had fewer: never divide one by the other"
    with Ledger.open(url) as ledger:
        assert verify(ledger).difference is None


def test_what_was_printed_and_does_not_follow_is_said(scenario: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text follows the numbers: 99.35 %, not the 99.08 printed, and 42.45 % is no half."""
    answer = {
        "figures": [
            {"numerator": 40_803, "denominator": 41_069, "value": 99.35},
            {"numerator": 3_563, "denominator": 8_393, "value": 42.45},
        ]
    }
    monkeypatch.setenv("MONITOR_LANG", "en")
    monkeypatch.setattr(scenario, "_monitor", lambda *_, **__: json.dumps(answer).encode())
    printed, half = scenario.said("sqlite:///any")
    assert "99.08%" in printed
    assert "40,803 of 41,069 cases are 99.35%" in printed
    assert "41,182 accepted or 40,691 finished" in printed
    assert "42.45% shorter" in half


def test_the_published_numbers_are_what_is_filled_in(scenario: ModuleType) -> None:
    """41,069 accepted, 40,803 finished and 266 open, in the events themselves."""
    cases = list(scenario.Centre(scenario.load(scenario.YULIN), scenario.PUBLISHED).cases())
    kinds = [{event.type.value for event in case} for case in cases]
    assert sum("accept" in kind for kind in kinds) == 41_069
    assert sum("finish" in kind for kind in kinds) == 40_803
    assert sum("complaint_accepted" in kind for kind in kinds) == 126
    assert sum("complaint_closed" in kind for kind in kinds) == 115
