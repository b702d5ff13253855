"""Driving a feed: delivered in order, watched on the way, with what befalls the whole centre."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import takewhile
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.events import EventType
from monitor.ledger import Ledger
from monitor.ledger.schema import findings, journal
from monitor.ledger.verify import verify
from monitor.rulebook.diff import diff
from monitor.rulebook.model import Rulebook
from streams.simulator import Mix, SimulatedCase, simulate_cases
from streams.simulator.dirty import Feed
from streams.simulator.driving import Drive, Violation
from streams.simulator.incidents import Loosening, Outage, loosening_of, outage_of

ZONE = timezone(timedelta(hours=8))
START = datetime(2009, 3, 2, tzinfo=ZONE)
MONDAY, END = START + timedelta(days=7), START + timedelta(days=10)
SILENT = date(2009, 3, 4)
SMALL = Mix(accepted_per_day=10, channels=(("window", 0.7), ("online", 0.3)))


def simulated(rulebook: Rulebook) -> Iterator[SimulatedCase]:
    """Give the cases of a week."""
    cases = simulate_cases(rulebook, 7, START, END + timedelta(days=120), SMALL)
    return takewhile(lambda case: case.midnight < MONDAY, cases)


@pytest.fixture(scope="module")
def loosening(rulebook: Rulebook) -> Loosening:
    """An item whose promise is made longer on the Thursday."""
    found = loosening_of(rulebook, simulated(rulebook), START + timedelta(days=3, hours=12))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def drive(rulebook: Rulebook, loosening: Loosening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drive]:
    """The week driven through an engine, with a silent portal on the Wednesday."""
    folder: Path = tmp_path_factory.mktemp("drive")
    with Ledger.open(f"sqlite:///{folder}/ledger.sqlite") as ledger:
        drive = Drive(ledger, Feed(rulebook, 7), (), outage_of(rulebook, SILENT), loosening)
        drive.run(simulated(rulebook), START, END)
        yield drive


def test_what_is_delivered_is_in_the_journal_as_it_came(rulebook: Rulebook, drive: Drive) -> None:
    """Every event delivered by the end is there, received when it was recorded; what comes later is not."""
    with drive.ledger.read() as connection:
        query = select(journal.c.case, journal.c.id, journal.c.received_at).where(journal.c.case.is_not(None))
        stored = {(row.case, row.id): row.received_at for row in connection.execute(query)}
    outage = outage_of(rulebook, SILENT)
    assert outage is not None
    told = [e for case in simulated(rulebook) if outage.spares(case, ZONE) for e in case.events]
    last = max(stored.values())
    assert stored == {(e.case, e.id): e.recorded for e in told if e.recorded is not None and e.recorded <= last}
    assert len(stored) == drive.events < len(told)


def test_every_source_is_heard_at_each_look_but_the_silent_one(drive: Drive) -> None:
    """Sources say that they are there several times a day; the portal not on its silent day, and that is found."""
    with drive.ledger.read() as connection:
        query = select(journal.c.source, journal.c.received_at).where(journal.c.case.is_(None))
        heard = [(row.source, row.received_at.astimezone(ZONE).date()) for row in connection.execute(query)]
        silences = connection.execute(select(findings.c.subject).where(findings.c.rule == "V31")).scalars().all()
    assert heard.count(("hall", SILENT)) >= 4
    assert heard.count(("portal", SILENT)) == 0 < heard.count(("portal", date(2009, 3, 3)))
    assert "portal" in silences
    assert Violation("", "V31", "portal") in drive.planted


def test_a_loosened_catalogue_is_published_while_cases_are_open(
    rulebook: Rulebook, drive: Drive, loosening: Loosening
) -> None:
    """The longer promise is a version of its own, found as V23 with the item; nothing else in it differs."""
    after = drive.ledger.rulebooks().current.rulebook
    assert len(list(diff(rulebook, after))) == 1
    with drive.ledger.read() as connection:
        found = set(connection.execute(select(findings.c.subject).where(findings.c.rule == "V23")).scalars())
    assert found == {f"2:{loosening.item}", "2:retroactive"}
    assert {Violation("", "V23", subject) for subject in found} <= drive.planted.keys()


def test_the_ledger_of_a_drive_is_sound(drive: Drive) -> None:
    """What is stored is what follows from the events, the silence and the change included."""
    assert verify(drive.ledger).difference is None


def test_no_case_waits_for_a_silent_source(rulebook: Rulebook) -> None:
    """A case that would need the source on that day, or the day before, is not among those that come."""
    outage = Outage("portal", SILENT)
    seen = 0
    for case in simulated(rulebook):
        days = {e.recorded.astimezone(ZONE).date() for e in case.events if e.source == "portal" and e.recorded}
        needs = bool(days & {SILENT, SILENT - timedelta(days=1)})
        assert outage.spares(case, ZONE) == (not needs)
        seen += needs
    assert seen


def test_a_case_says_whether_it_is_told_whole(rulebook: Rulebook) -> None:
    """Of a case cut off by the end of the period something is still to come; of any other nothing is."""
    cut = datetime(2009, 3, 4, 8, tzinfo=UTC)
    whole = {case.events[0].case: case.events for case in simulated(rulebook)}
    known = list(simulate_cases(rulebook, 7, START, cut, SMALL))
    for case in known:
        assert case.complete == (case.events == whole[case.events[0].case])
    assert {case.complete for case in known} == {True, False}
    assert any(event.type is EventType.FINISH for case in known for event in case.events)
