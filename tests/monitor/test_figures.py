"""Figures: a numerator over a denominator, the same wherever they are shown."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import figures
from monitor.events import Due, EventData
from monitor.figures import Share
from monitor.ledger import Ledger
from monitor.rulebook.model import RuleSetting
from monitor.verdict import Light
from streams.engine import Engine
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK, at, delivered, event

pytestmark = pytest.mark.usefixtures("each_database")

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("share", "percent"),
    [
        (Share(115, 126), "91.3%"),  # domain.md 4.4: 91.27 %, rounded half up
        (Share(40_803, 41_069), "99.4%"),
        (Share(1, 8), "12.5%"),
        (Share(9_999, 10_000), "99.9%"),
        (Share(10_000, 10_000), "100.0%"),
        (Share(1, 10_000), "0.1%"),
        (Share(0, 5), "0.0%"),
        (Share(0, 0), None),
    ],
)
def test_percentages_are_rounded_half_up_and_never_invented(share: Share, percent: str | None) -> None:
    """Nothing over nothing is neither 0 % nor 100 %."""
    assert share.percent == percent


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_percentage_is_within_half_a_tenth(numerator: int, denominator: int) -> None:
    """What is shown is the nearest tenth of a per cent, but all or nothing only where it is all or nothing."""
    shown = Share(numerator, denominator).percent
    assert shown is not None
    assert (shown == "100.0%", shown == "0.0%") == (numerator == denominator, numerator == 0) or numerator > denominator
    if 0.0005 <= numerator / denominator <= 0.9995 or numerator > denominator:
        assert abs(float(shown.rstrip("%")) - 100 * numerator / denominator) <= 0.05 * (1 + 1e-9) + numerator * 1e-12


def test_day_is_a_day_of_the_calendars_zone() -> None:
    """Nine in the evening in London is already tomorrow in Yulin."""
    evening = datetime(2026, 3, 2, 21, tzinfo=ZoneInfo("Europe/London"))
    day = figures.day_of(evening, SHANGHAI)
    assert day.date == date(2026, 3, 3)
    assert day.begins <= evening < day.ends


def due(days: float) -> EventData:
    """A due instant set by the source."""
    return EventData(due=Due(promised=at(days)))


def test_figures_of_a_small_city(tmp_path: Path) -> None:
    """Open, due, on time and overdue are counted as a person would count these five cases."""
    rulebook = msgspec.structs.replace(RULEBOOK, rules={"V01": RuleSetting(mode="card")})
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(rulebook)
        engine = Engine(ledger)
        events = [
            event("accept", "in time", data=due(1)),
            event("finish", "in time", at(0.5)),
            event("accept", "too late", data=due(0.2)),
            event("finish", "too late", at(0.5)),
            event("accept", "due today", data=due(0.55)),
            event("accept", "due tomorrow", data=due(1)),
            event("accept", "overdue", data=due(0.1)),
            event("accept", "unconfirmed", data=due(0.1), source="night"),
        ]
        engine.process(delivered(*events), at(0.52))
        engine.close()
        today = figures.day_of(at(0.52), SHANGHAI)
        with ledger.read() as connection:
            assert figures.on_time_between(connection, today.date, today.date) == Share(1, 2)
            assert figures.finished_between(connection, today.date, today.date) == 2
            assert sum(figures.open_by_light(connection).values()) == 4
            assert figures.open_by_light(connection)[Light.PROMISED_BREACH] == 1
            assert figures.due_within(connection, today) == 3, "due today, overdue since this morning, unconfirmed"
            assert figures.unjudged(connection, at(0.52)) == 1
            standing = figures.standing_findings(connection)
            assert {key[0]: count for key, count in standing.items() if key[0] == "V01"} == {"V01": 2}
            seen = figures.coverage(connection)
            assert 0 < seen.numerator <= seen.denominator


def test_shadow_findings_are_in_no_figure(tmp_path: Path) -> None:
    """A rule in shadow is measured and shown to nobody it accuses."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(RULEBOOK)
        engine = Engine(ledger)
        engine.process(delivered(event("accept", "overdue", data=due(0.1))), at(1))
        engine.close()
        with ledger.read() as connection:
            assert not any(key[0] == "V01" for key in figures.standing_findings(connection))
