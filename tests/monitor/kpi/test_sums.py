"""Statistics are sums over cases, departments add up to their region, and every page says the same (I9)."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, select

from monitor.events import content
from monitor.kpi import FIGURES, Extent, Facts, Period, parse_period
from monitor.ledger import Ledger
from monitor.ledger.schema import cases
from monitor.live.board import read_board
from monitor.metrics import QUOTIENTS, LedgerCollector
from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from monitor.verdict import MEASURES
from streams.engine import Delivery, Engine
from streams.simulator import simulate_year
from tests.conftest import ROOT
from tests.databases import ledger_url

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2009, 3, 2, tzinfo=ZONE)
DAYS = 10
MARCH = parse_period("2009-03")
COUNTY = "450921"


@pytest.fixture(scope="module")
def book() -> Rulebook:
    """The city, of whose departments two are a county's, so that there is something below."""
    city = load(ROOT / "monitor" / "rulebooks" / "yulin")
    moved = tuple(replace(d, region=COUNTY) if d.code in ("JYJ", "WSJ") else d for d in city.departments)
    return replace(city, departments=moved)


@pytest.fixture(scope="module")
def ledger(book: Rulebook, tmp_path_factory: pytest.TempPathFactory, database_kind: None) -> Iterator[Ledger]:
    """Two weeks of the city, as far as they had gone on their last day at noon."""
    folder = tmp_path_factory.mktemp("sums")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONITOR_DATA", str(folder))
        with Ledger.open(ledger_url(folder)) as made:
            made.publish(book)
            engine = Engine(made)
            noon = START + timedelta(days=DAYS, hours=12)
            events = [e for e in simulate_year(book, 9, START, noon) if e.time < noon]
            for start in range(0, len(events), 2_000):
                batch = [Delivery(content(event), event.time) for event in events[start : start + 2_000]]
                engine.process(batch, events[min(start + 1_999, len(events) - 1)].time)
            engine.process([], noon)
            while engine.tick(noon):
                pass
            engine.close()
            yield made


class Known:
    """Gives the facts of an extent, from one transaction."""

    def __init__(self, connection: Connection, book: Rulebook, horizon: datetime) -> None:
        self.connection, self.book, self.horizon = connection, book, horizon

    def __call__(
        self,
        period: Period = MARCH,
        region: str | None = None,
        below: bool = True,
        department: str | None = None,
        item: str | None = None,
    ) -> Facts:
        return Facts(self.connection, self.book, Extent(region, below, department, item), period, self.horizon)


@pytest.fixture
def facts(ledger: Ledger, book: Rulebook) -> Iterator[Known]:
    """Open a transaction to read facts in."""
    horizon = ledger.horizon()
    assert horizon is not None
    with ledger.read() as connection:
        yield Known(connection, book, horizon)


def test_statistics_are_sums_over_cases(ledger: Ledger, book: Rulebook, facts: Known) -> None:
    """Every measure of every case, added up, is what the statistics say, by unit and by item."""
    units: Counter[str] = Counter()
    items: dict[str, Counter[str]] = {}
    for assessment in ledger.assessments():
        for measure in assessment.measures:
            units[measure.name] += measure.amount
            items.setdefault(assessment.item, Counter())[measure.name] += measure.amount
    everything = parse_period("ever")
    assert facts(everything).sums == {name: units[name] for name in MEASURES}
    assert sum(units.values()) > 10_000
    for item, sums in items.items():
        assert facts(everything, item=item).sums == {name: sums[name] for name in MEASURES}, item


def test_departments_add_up_to_their_region_and_regions_to_the_whole(
    ledger: Ledger, book: Rulebook, facts: Known
) -> None:
    """The city itself and its county are the city with all below, measure by measure, and so are the departments."""
    whole = facts(region="450900")
    parts = [facts(region=code, below=False).sums for code in book.below("450900")]
    assert whole.sums == {name: sum(part[name] for part in parts) for name in MEASURES}
    assert any(part["accepted"] for part in parts[1:])
    by_department = whole.sums_by_department.values()
    assert whole.sums == {name: sum(sums[name] for sums in by_department) for name in MEASURES}
    codes = [department.code for department in book.departments]
    alone = [facts(department=code).sums["accepted"] for code in codes]
    assert sum(alone) == whole.sums["accepted"] > 1_000


def test_columns_of_cases_repeat_what_the_statistics_add_up(ledger: Ledger, book: Rulebook, facts: Known) -> None:
    """A cohort counted from cases and a sum of the statistics speak of the same cases and the same days."""
    known = facts()
    counted = {
        "accepted": known.counted(known.within(cases.c.accepted_at))["all"],
        "finished": known.counted(known.within(cases.c.finished_at))["all"],
        "complaints_accepted": known.counted(known.within(cases.c.complaint_accepted_at))["all"],
        "complaints_closed": known.counted(known.within(cases.c.complaint_closed_at))["all"],
    }
    kept = known.counted(*known.decided, met=cases.c.promised == "met", breached=cases.c.promised == "breached")
    counted |= {"promised_on_time": kept["met"], "promised_overdue": kept["breached"]}
    names = ("statutory_millidays", "promised_millidays", "used_millidays")
    rows = known.rows((cases.c.item_type, cases.c.direct_line, *(cases.c[name] for name in names)), *known.decided)
    speed = [row[2:] for row in rows if row[:2] == ("promised", "") and None not in row]
    counted |= {f"speed_{name}": sum(days) for name, days in zip(names, zip(*speed, strict=True), strict=True)}
    assert counted == {name: known.sums[name] for name in counted}
    assert all(counted[name] for name in counted if name not in ("promised_overdue", "complaints_closed"))


def test_what_stands_open_is_what_was_accepted_and_has_not_ended(ledger: Ledger, book: Rulebook, facts: Known) -> None:
    """The parts of what stands open are all of it, and it is the cases accepted less those closed."""
    known = facts()
    answer = FIGURES["open_cases"].answer(known)
    parts = {part.part: part.numerator or 0 for part in answer.parts}
    assert (
        sum(parts[name] for name in ("in_limit", "overdue", "provisional_overdue", "suspended", "unknown"))
        == answer.value.numerator
    )
    with ledger.read() as connection:
        rows = connection.execute(select(cases.c.accepted_at, cases.c.closed)).all()
    assert answer.value.numerator == sum(row.accepted_at is not None and not row.closed for row in rows)


def test_the_page_shows_what_the_command_prints(ledger: Ledger, book: Rulebook, facts: Known) -> None:
    """Coverage, finished today, on time today and this month: the figures of one instant are the same (I9)."""
    board = read_board(ledger, "en", [])
    horizon = ledger.horizon()
    assert horizon is not None
    today = horizon.astimezone(ZONE).date()
    on_time = FIGURES["on_time_rate"]
    tiles = {tile.label: (tile.value, tile.note) for tile in board.today}
    for label, period in (("On time today", Period(today, today)), ("On time this month", MARCH)):
        value = on_time.answer(facts(period)).value
        assert tiles[label] == (f"{value.written}%", f"{value.numerator:,} of {value.denominator:,}")
    finished = facts(Period(today, today)).sums["finished"]
    assert tiles["Finished today"] == (f"{finished:,}", "")
    seen = FIGURES["coverage"].answer(facts(parse_period("ever"))).value
    assert board.coverage.share == f"{seen.written}%"


def test_metrics_add_up_to_the_figures(ledger: Ledger, book: Rulebook, facts: Known) -> None:
    """Numerators and denominators scraped, added up over departments, are those of the month and the year."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(ledger))
    scraped: Counter[tuple[str, str, str]] = Counter()
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            if family.name.startswith("supervision_figure_"):
                scraped[family.name[19:], sample.labels["figure"], sample.labels["period"]] += int(sample.value)
    for name, period in (("month", MARCH), ("year", parse_period("2009"))):
        known = facts(period)
        for figure in QUOTIENTS:
            value = figure.of_sums(known.sums)
            pair = (scraped["numerator", figure.id, name], scraped["denominator", figure.id, name])
            assert pair == (value.numerator, value.denominator), (figure.id, name)
