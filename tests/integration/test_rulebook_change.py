"""A changed rulebook over a year of open and closed cases, while events keep flowing (design section 4)."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from monitor.events import Event
from monitor.ledger import Ledger
from monitor.ledger.digest import Digest, digests
from monitor.ledger.publication import Approval
from monitor.ledger.schema import cases, findings, outbox
from monitor.ledger.verify import verify
from monitor.rulebook.load import load
from monitor.rulebook.model import ClosedDay, Rulebook, RuleSetting
from streams.engine import Delivery, Engine
from streams.simulator import Mix, in_time_order, simulate_cases
from tests.conftest import ROOT

CHUNK = 150
"""Cases assessed again in one transaction."""
BATCH = 400
TOWN = Mix(accepted_per_day=4, late_promised=0.05, late_statutory=0.02, deemed=0.02, late_issued=0.05)


ALONE = Approval("a test has no second person")


def _holiday(book: Rulebook, until: datetime) -> Rulebook:
    """Close the hall on a working day half a year ago, of which nobody had been told."""
    calendar, day = book.calendar, (until - timedelta(days=180)).date()
    while not book.days.is_working(day):
        day -= timedelta(days=1)
    closed = (*calendar.closed, ClosedDay(day=day, name="停电"))
    return replace(book, calendar=replace(calendar, version="mended", closed=closed))


def _modes(book: Rulebook, until: datetime) -> Rulebook:
    """Switch one rule off, and show another to inspectors only."""
    return replace(book, rules={**book.rules, "V01": RuleSetting(mode="off"), "V04": RuleSetting(mode="lead")})


def _catalogue(book: Rulebook, until: datetime) -> Rulebook:
    """Halve what is promised: frozen at acceptance, so that it moves no case accepted before."""
    items = [replace(i, promised_limit="1 wd") if i.type == "promised" else i for i in book.items]
    return replace(book, items=tuple(items))


@pytest.fixture(scope="module")
def until() -> datetime:
    """Give the end of the simulated year: just before now, for no rulebook may begin in the past."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture(scope="module")
def book() -> Rulebook:
    """Load the rulebook of Yulin."""
    return load(ROOT / "monitor" / "rulebooks" / "yulin")


@pytest.fixture(scope="module")
def year(book: Rulebook, until: datetime) -> list[Event]:
    """Simulate a year of a small town, in order of time."""
    return list(in_time_order(simulate_cases(book, 5, until - timedelta(days=365), until, TOWN)))


@pytest.fixture(scope="module")
def in_force() -> datetime:
    """Give the instant at which the changed rulebook comes into force."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)


def _from_the_start(path: Path, books: Sequence[Rulebook], year: Sequence[Event], in_force: datetime) -> Digest:
    after = in_force + timedelta(seconds=1)
    with Ledger.open(f"sqlite:///{path}") as ledger:
        for number, each in enumerate(books):
            ledger.publish(each, in_force if number else None, approval=ALONE)
        engine = Engine(ledger)
        _take(engine, year, after)
        while engine.tick(after):
            pass
        engine.close()
        return digests(ledger, after)


def _take(engine: Engine, events: Sequence[Event], horizon: datetime) -> None:
    for start in range(0, len(events), BATCH):
        engine.process([Delivery(event=event, backfill=True) for event in events[start : start + BATCH]], horizon)


@pytest.mark.parametrize("change", [_holiday, _modes, _catalogue])
def test_a_change_ends_where_it_would_have_been_from_the_start(
    tmp_path: Path,
    book: Rulebook,
    year: list[Event],
    until: datetime,
    in_force: datetime,
    change: Callable[[Rulebook, datetime], Rulebook],
) -> None:
    """Chunks of re-assessment between batches of events end in the digest of a ledger that always had the change."""
    changed, after, split = change(book, until), in_force + timedelta(seconds=1), len(year) * 9 // 10
    with Ledger.open(f"sqlite:///{tmp_path / 'changed.sqlite'}") as ledger:
        ledger.publish(book)
        engine = Engine(ledger)
        _take(engine, year[:split], until)
        while engine.tick(until):
            pass
        ledger.publish(changed, in_force, "the new one", approval=ALONE)
        rest, chunks = year[split:], 0
        while assessed := engine.tick(after, CHUNK):
            assert assessed <= CHUNK
            chunks += 1
            _take(engine, rest[:BATCH], after)
            rest = rest[BATCH:]
        _take(engine, rest, after)
        engine.close()
        assert chunks > 5
        assert verify(ledger).difference is None
        found = digests(ledger, after)
        with ledger.read() as connection:
            assert connection.execute(select(func.min(cases.c.rulebook))).scalar_one() == 2
            sent = set(connection.execute(select(outbox.c.delivery).where(outbox.c.created_at >= in_force)).scalars())
            excused = findings.c.withdrawal.contains('"cause":"reassessment"')
            withdrawn = connection.execute(select(func.count()).select_from(findings).where(excused)).scalar_one()
    # A day off and a rule switched off excuse some, frozen limits nobody; and none of it alarms anybody.
    assert (withdrawn > 0) == (change is not _catalogue)
    assert "send" not in sent

    always = _from_the_start(tmp_path / "always.sqlite", [book, changed], year, in_force)
    assert replace(found, publications=always.publications) == always
    # That a rule was switched off while cases were open is itself a finding, which who always had it off has not.
    assert (found.publications != always.publications) == (change is _modes)
