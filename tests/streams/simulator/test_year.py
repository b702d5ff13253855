"""A simulated period: repeatable, in office hours, of Yulin's size, and told only by sources that can."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice, pairwise

import msgspec
import pytest

from monitor.events import RANK, STEPS, EventType, checked
from monitor.rulebook.model import Rulebook
from streams.simulator import YULIN, SimulatedCase, in_time_order, simulate_cases, simulate_year

ZONE = timezone(timedelta(hours=8))
START, END = datetime(2009, 1, 1, tzinfo=ZONE), datetime(2009, 11, 1, tzinfo=ZONE)
T = EventType


@pytest.fixture(scope="module")
def cases(rulebook: Rulebook) -> list[SimulatedCase]:
    """The ten months of Yulin's published figures."""
    return list(simulate_cases(rulebook, 7, START, END))


@pytest.fixture(scope="module")
def counts(cases: list[SimulatedCase]) -> Counter[EventType]:
    """How many cases have an event of each type."""
    return Counter(kind for case in cases for kind in {event.type for event in case.events})


def test_the_same_seed_gives_the_same_events(rulebook: Rulebook) -> None:
    """A simulation is repeated exactly by its seed, and differs with another."""
    once, again, other = (list(islice(simulate_year(rulebook, seed, START, END), 3_000)) for seed in (7, 7, 8))
    assert once == again
    assert once != other


def test_a_day_does_not_depend_on_the_period(rulebook: Rulebook, cases: list[SimulatedCase]) -> None:
    """The cases that begin in March are the same whether the period begins in January or in March."""
    march = datetime(2009, 3, 1, tzinfo=ZONE)
    april = datetime(2009, 4, 1, tzinfo=ZONE)
    alone = [c.events for c in simulate_cases(rulebook, 7, march, END) if c.midnight < april]
    assert alone == [case.events for case in cases if march <= case.midnight < april]


def test_every_event_is_accepted_by_the_decoder(cases: list[SimulatedCase]) -> None:
    """Each event has what its type needs, times in UTC, and an identity of its own within the case."""
    for case in cases:
        assert all(checked(event) == event for event in case.events)
        assert len({event.identity for event in case.events}) == len(case.events)
        assert len({event.case for event in case.events}) == 1


def test_events_of_a_case_are_in_order(cases: list[SimulatedCase]) -> None:
    """Within a case times never go back, and steps come in their order even where a source knows minutes only."""
    for case in cases:
        if any(violation.rule in ("V07", "V12", "V28") for violation in case.planned):
            continue
        assert all(a.time <= b.time for a, b in pairwise(case.events))
        steps = [RANK[event.type] for event in sorted(case.events, key=lambda e: e.order) if event.type in STEPS]
        assert steps == sorted(steps)


def test_everything_happens_in_office_hours(rulebook: Rulebook, cases: list[SimulatedCase]) -> None:
    """Nothing happens at night, over lunch, on a weekend or a holiday."""
    days = rulebook.days
    for case in cases:
        for event in case.events:
            local = event.time.astimezone(ZONE)
            sessions = rulebook.profile["next_day"].seasons[local.date() >= date(2009, 10, 8)].sessions
            assert days.is_working(local.date())
            assert any(opening <= local.time() < closing for opening, closing in sessions)


def test_nothing_is_known_before_it_happens_or_after_the_end(cases: list[SimulatedCase]) -> None:
    """Each event is recorded after it happened, within seconds unless its source tells suspensions at their end.

    Or unless that it is entered late is what it shows.
    """
    for case in cases:
        if any(violation.rule == "V08" for violation in case.planned):
            continue
        for event in case.events:
            assert event.recorded is not None
            assert event.time < event.recorded <= END
            assert event.type is T.SUSPEND or event.recorded - event.time < timedelta(seconds=70)


def test_figures_are_near_those_of_yulin(rulebook: Rulebook, cases: list[SimulatedCase]) -> None:
    """About 41,069 cases are accepted in ten months and about 266 open at their end (domain.md 4.4)."""
    entered = [{event.type for event in case.events} for case in cases]
    applied = [types for types in entered if T.APPLY in types and T.REFUSE not in types]
    assert len(applied) == pytest.approx(41_069, rel=0.03)
    ended = {T.FINISH, T.FORWARD, T.WITHDRAW}
    # A system that cannot send acceptance leaves it unsaid: its cases count as open from application.
    still_open = [types for types in applied if not types & ended and (T.ACCEPT in types or T.APPROVE in types)]
    assert 150 < len(still_open) < 400


def test_the_mix_is_kept(cases: list[SimulatedCase], counts: Counter[EventType]) -> None:
    """Shares of supplements, refusals, suspensions, withdrawals and the direct line are near those asked for."""
    applied = counts[T.APPLY]
    assert counts[T.REFUSE] / applied == pytest.approx(YULIN.refused, rel=0.3)
    assert 0.02 < counts[T.SUPPLEMENT_NOTICE] / applied < YULIN.supplemented
    assert 0 < counts[T.SUSPEND] / applied < YULIN.suspended
    assert 0 < counts[T.WITHDRAW] / applied < 2 * YULIN.withdrawn
    direct = sum(case.events[0].direct_line is not None for case in cases)
    assert direct / len(cases) == pytest.approx(YULIN.direct_line, rel=0.2)
    by_channel = Counter(case.events[0].channel for case in cases)
    assert by_channel["window"] / len(cases) == pytest.approx(0.93, abs=0.02)
    assert set(by_channel) == {channel for channel, _ in YULIN.channels}


def test_few_are_late(cases: list[SimulatedCase]) -> None:
    """About half a percent of promised-time cases break their promise, and very few the law."""
    planned = Counter(violation.rule for case in cases for violation in case.planned)
    assert 60 < planned["V01"] < 220
    assert 0 < planned["V02"] < 25
    assert 0 < planned["V04"] < 60
    assert planned["V03"]
    assert planned["V05"]


def test_every_weekday_and_season_has_its_rhythm(cases: list[SimulatedCase]) -> None:
    """Mondays are busier than Fridays, March than the month of the Spring Festival."""
    by_day = Counter((case.midnight.astimezone(ZONE)).date() for case in cases)
    mean = {
        name: sum(days) / len(days)
        for name, days in {
            "monday": [n for day, n in by_day.items() if day.weekday() == 0],
            "friday": [n for day, n in by_day.items() if day.weekday() == 4],
            "february": [n for day, n in by_day.items() if day.month == 2],
            "march": [n for day, n in by_day.items() if day.month == 3],
        }.items()
    }
    assert mean["monday"] > 1.15 * mean["friday"]
    assert mean["march"] > 1.2 * mean["february"]


def test_a_source_sends_only_what_it_can(rulebook: Rulebook, cases: list[SimulatedCase]) -> None:
    """No event comes from a source that is not registered for its type or its region; every source is heard."""
    heard = set()
    for case in cases:
        for event in case.events:
            source = rulebook.source[event.source]
            heard.add(event.source)
            assert source.can_send(event.type)
            assert rulebook.may_speak_for(source, event.region or "")
    assert heard == set(rulebook.source)


def test_a_department_is_told_of_by_its_own_system(cases: list[SimulatedCase]) -> None:
    """The tax office's system cannot tell acceptance, so no acceptance of its cases is known."""
    tax = [case for case in cases if case.events[-1].department == "tax"]
    assert tax
    assert not any(event.type is T.ACCEPT for case in tax for event in case.events)


def test_a_suspension_told_at_its_end_is_recorded_then(rulebook: Rulebook) -> None:
    """Where a source reports suspensions at their end only, one is recorded when the case goes on."""
    at_end = tuple(msgspec.structs.replace(s, types=(), suspensions_at_end=True) for s in rulebook.sources)
    book = msgspec.structs.replace(rulebook, sources=at_end)
    found = 0
    for case in islice(simulate_cases(book, 7, START, END), 4_000):
        recorded = {event.type: event.recorded for event in case.events}
        times = {event.type: event.time for event in case.events}
        if T.RESUME in times:
            found += 1
            known = recorded[T.SUSPEND]
            assert known is not None
            assert timedelta(0) < known - times[T.RESUME] < timedelta(seconds=70)
    assert found


def test_time_order_holds_every_event_once(cases: list[SimulatedCase]) -> None:
    """The merged stream has all events of the cases, none earlier than the one before it."""
    some = cases[:5_000]
    merged = list(in_time_order(some))
    assert all(a.time <= b.time for a, b in pairwise(merged))
    assert sorted(e.identity for e in merged) == sorted(e.identity for case in some for e in case.events)


def test_an_end_before_the_start_is_refused(rulebook: Rulebook) -> None:
    """A period that ends before it starts is an error that names both."""
    with pytest.raises(ValueError, match="must be later than the start"):
        next(simulate_cases(rulebook, 7, END, START))


def test_a_centre_without_sources_is_refused(rulebook: Rulebook) -> None:
    """Nothing can be simulated for which no source may speak."""
    mute = msgspec.structs.replace(rulebook, sources=())
    with pytest.raises(ValueError, match="no item has entered the centre in a region that a source speaks for"):
        next(simulate_cases(mute, 7, START, END))


def test_times_are_utc(cases: list[SimulatedCase]) -> None:
    """Times are held in UTC, as decoded ones are."""
    assert all(event.time.tzinfo is UTC for case in cases[:200] for event in case.events)
