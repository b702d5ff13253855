"""The three cases of docs/explain.md: what was computed there by hand is what the program says."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.calendar import Calendar
from monitor.cli import app
from monitor.explain import explain
from monitor.language import Lang, text
from monitor.ledger import Ledger
from monitor.rulebook.load import load
from monitor.rulebook.model import parse_limit
from monitor.verdict import Assessment, Clock
from monitor.wording import say_clock
from streams.admission import Delivery
from streams.engine import Engine

ROOT = Path(__file__).resolve().parents[2]
PAGES: dict[Lang, Path] = {"en": ROOT / "docs" / "explain.md", "zh": ROOT / "docs" / "explain.zh.md"}
JUDGED_AT = datetime.fromisoformat("2010-01-01T00:00:00+08:00")
CASES = {
    "JSJ-20090302-01": {"V01"},
    "XFZD-20090923-01": {"V13"},
    "AJJ-20090122-01": {"V01", "V02", "V04"},
}
"""The cases of the page, with the rules they broke."""

each_case = pytest.mark.parametrize("case", CASES)
each_page = pytest.mark.parametrize("lang", PAGES)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Take the sample's events into a fresh ledger, as a past that was received when it happened."""
    path = tmp_path_factory.mktemp("explained") / "ledger.sqlite"
    with Ledger.open(f"sqlite:///{path}") as opened:
        opened.publish(load(ROOT / "monitor" / "rulebooks" / "yulin"))
        engine = Engine(opened)
        lines = (ROOT / "samples" / "three_cases.ndjson").read_bytes().splitlines()
        outcomes = engine.process([Delivery(line, backfill=True) for line in lines], JUDGED_AT)
        engine.close()
        assert [outcome.status for outcome in outcomes] == ["applied"] * len(lines)
        yield opened


def section(lang: Lang, case: str) -> str:
    """Cut a case's part out of a page."""
    parts = re.split(r"(?m)^## ", PAGES[lang].read_text(encoding="utf-8"))
    return next(part for part in parts if case in part.partition("\n")[0])


def table(part: str, columns: int) -> list[list[str]]:
    """Read the rows of the tables with so many columns, without their heads."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
    tables = [row for row in rows if len(row) == columns and not set(row[0]) <= {"-"}]
    return [row for row in tables if any(cell[:4].isdigit() for cell in row)]


def verdict(ledger: Ledger, case: str) -> Assessment:
    """Read a case's stored assessment."""
    found = ledger.assessment(case)
    assert found is not None
    return found


def written(clock: Clock, lang: Lang, ledger: Ledger) -> list[str]:
    """Write a clock as the page's tables do."""
    book = ledger.rulebooks(JUDGED_AT).current.rulebook
    assert clock.started_at is not None
    assert clock.due is not None
    assert clock.ended_at is not None
    return [
        say_clock(clock.name, clock.subject, lang, book),
        str(parse_limit(clock.limit).days),
        *(_day(instant, book.days).isoformat() for instant in (clock.started_at, clock.due, clock.ended_at)),
        str(clock.used),
        str(clock.remaining),
        text(f"phase.{clock.phase}", lang),
    ]


def _day(instant: datetime, calendar: Calendar) -> date:
    return calendar.day(instant)


@each_page
@each_case
def test_every_clock_is_as_computed_by_hand(ledger: Ledger, case: str, lang: Lang) -> None:
    """Limits, starts, due days, ends, used and remaining days of all clocks stand on the page, and no clock more."""
    by_hand = table(section(lang, case), columns=8)
    assert [written(clock, lang, ledger) for clock in verdict(ledger, case).clocks] == by_hand


@each_page
@each_case
def test_every_day_is_counted_as_by_hand(ledger: Ledger, case: str, lang: Lang) -> None:
    """Each day of the page's table counts in each decision clock what the page says, and sums up alike."""
    by_hand = {row[0]: row[1:3] for row in table(section(lang, case), columns=4)}
    told = explain(ledger.entries(case), ledger.rulebooks(JUDGED_AT), JUDGED_AT, lang)
    decision = [clock for clock in told.clocks if clock.days and next(iter(by_hand)) == clock.days[0].day]
    walked = [{line.day: [line.counted, line.sum] for line in clock.days} for clock in decision]
    wanted = [text(f"clock.{name}", lang) for name in ("promised", "statutory")]
    assert [name for name in wanted if any(clock.title.startswith(name) for clock in decision)] == wanted
    for days in walked:
        assert days == {day: by_hand[day] for day in days}
    assert set(by_hand) == set().union(*walked), "every day of the page is one of a clock"


@each_case
def test_due_means_the_end_of_the_day(ledger: Ledger, case: str) -> None:
    """Every due instant is the last one of its day in the calendar's zone."""
    calendar = ledger.rulebooks(JUDGED_AT).current.rulebook.days
    ends = {calendar.local(clock.due).time().isoformat() for clock in verdict(ledger, case).clocks if clock.due}
    assert ends == {"23:59:59.999999"}


@each_page
@each_case
def test_the_verdict_is_as_computed_by_hand(ledger: Ledger, case: str, lang: Lang) -> None:
    """Light and broken rules are those the page states."""
    said = verdict(ledger, case)
    assert {finding.rule for finding in said.findings} == CASES[case]
    part = section(lang, case)
    stated = re.search(r"(?m)^\*\*(?:Verdict:|结论：)\*\* ?(.+)$", part)
    assert stated is not None
    assert stated[1] == text(f"light.{said.light}", lang)
    assert set(re.findall(r"\bV\d\d\b", part.partition("```")[0])) == CASES[case]
    assert said.deemed == (case == "AJJ-20090122-01")


@each_page
@each_case
def test_the_page_shows_what_the_program_prints(ledger: Ledger, case: str, lang: Lang) -> None:
    """The block at the end of each case is the output of the command above it, line by line."""
    block = re.search(r"(?s)```text\n\$ monitor (.+?)\n(.*?)```", section(lang, case))
    assert block is not None
    command = [*block[1].split(), "--lang", lang, "--ledger", ledger.url]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    printed = [line.rstrip() for line in result.stdout.splitlines()]
    assert printed == block[2].splitlines(), f"paste the output of: COLUMNS=120 monitor {' '.join(command)}"
