"""Dirty feeds: each kind of dirt does what it says, to nothing else, and is declared as what it is."""

from datetime import UTC, datetime, time, timedelta, timezone
from itertools import pairwise

import msgspec
import pytest

from monitor.events import Event, EventType, content
from monitor.rulebook.model import Rulebook
from streams.simulator import Mix, SimulatedCase, simulate_cases
from streams.simulator.dirty import DIRTS, Feed, Sent, declared, deliver

ZONE = timezone(timedelta(hours=8))
START, END = datetime(2009, 3, 2, tzinfo=ZONE), datetime(2009, 9, 1, tzinfo=ZONE)
T = EventType
LOST = {"lost-accept": {T.ACCEPT}, "lost-approve": {T.TRANSFER, T.APPROVE}, "lost-finish": {T.FINISH}}
WHOLE = sorted(set(DIRTS) - {*LOST, "at-end"})


@pytest.fixture(scope="module")
def feed(rulebook: Rulebook) -> Feed:
    """The feed of the small centre."""
    return Feed(rulebook, 7)


@pytest.fixture(scope="module")
def cases(rulebook: Rulebook) -> list[SimulatedCase]:
    """A fortnight's cases with many suspensions, told to their end."""
    busy = Mix(accepted_per_day=60, suspended=0.3)
    known = simulate_cases(rulebook, 7, START, END, busy)
    return [case for case in known if case.midnight < START + timedelta(days=14) and case.complete]


def soiled(cases: list[SimulatedCase], feed: Feed, *names: str) -> dict[tuple[str | None, str], Sent]:
    """Deliver cases with dirt; give what arrived by case and id."""
    sent = list(deliver(cases, feed, [DIRTS[name] for name in names]))
    assert all(a.at <= b.at for a, b in pairwise(sent))
    return {(each.event.case, each.event.id): each for each in sent}


def pairs(cases: list[SimulatedCase], feed: Feed, name: str) -> list[tuple[Event, Sent]]:
    """Give each event as it was and as it arrived."""
    arrived = soiled(cases, feed, name)
    return [(event, arrived[event.case, event.id]) for case in cases for event in case.events]


def test_a_clean_feed_is_delivered_as_it_is_recorded(cases: list[SimulatedCase], feed: Feed) -> None:
    """Without dirt every event arrives once, unchanged, when it was recorded, in that order."""
    arrived = soiled(cases, feed)
    assert len(arrived) == sum(len(case.events) for case in cases)
    assert all(arrived[e.case, e.id] == Sent(e.recorded or e.time, e) for case in cases for e in case.events)
    assert declared(feed, []) == feed.rulebook


@pytest.mark.parametrize("name", sorted(DIRTS))
def test_the_same_seed_soils_the_same_way(cases: list[SimulatedCase], feed: Feed, name: str) -> None:
    """A dirty feed is repeated exactly by its seed, and its cases do not depend on each other."""
    assert soiled(cases, feed, name) == soiled(cases, feed, name)
    alone = soiled(cases[50:60], feed, name)
    assert alone.items() <= soiled(cases, feed, name).items()


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_lost_that_should_not_be(cases: list[SimulatedCase], feed: Feed, name: str) -> None:
    """Whatever else the dirt does, every event arrives, says who did what, and not before it was known."""
    for event, sent in pairs(cases, feed, name):
        assert sent.at >= (event.recorded or event.time)
        kept = msgspec.structs.replace(sent.event, time=event.time, recorded=event.recorded, data=event.data)
        assert kept == event


def test_skew_is_one_offset_for_each_source(cases: list[SimulatedCase], feed: Feed) -> None:
    """The clock of a system is off by up to ten minutes, for all its times alike, and declared as measured."""
    offsets: dict[str, set[timedelta]] = {}
    for event, sent in pairs(cases, feed, "skew"):
        offset = sent.event.time - event.time
        assert (sent.event.recorded or sent.event.time) - (event.recorded or event.time) == offset
        offsets.setdefault(event.source, set()).add(offset)
    assert len(offsets) == len({offset for own in offsets.values() for offset in own}) == 3
    assert all(len(own) == 1 and abs(next(iter(own))) <= timedelta(minutes=10) for own in offsets.values())
    assert all(source.skew_minutes == 10 for source in declared(feed, [DIRTS["skew"]]).sources)


def test_jitter_is_another_offset_for_each_event(cases: list[SimulatedCase], feed: Feed) -> None:
    """Each time is off by itself, up to ten minutes; the database records in truth, and the tolerance covers two."""
    offsets = []
    for event, sent in pairs(cases, feed, "jitter"):
        offsets.append((sent.event.time - event.time).total_seconds())
        assert sent.event.recorded == event.recorded
    assert min(offsets) < -500
    assert max(offsets) > 500
    assert max(map(abs, offsets)) <= 600
    assert all(source.tolerance_minutes == 20 for source in declared(feed, [DIRTS["jitter"]]).sources)


def test_three_in_a_hundred_come_a_day_late(cases: list[SimulatedCase], feed: Feed) -> None:
    """About 3 % arrive 20 to 24 hours after they were recorded, declared or not; nothing else changes."""
    for name, lateness in (("late", 24), ("late-undeclared", 0)):
        delays = []
        for event, sent in pairs(cases, feed, name):
            assert sent.event == event
            delays.append(sent.at - (event.recorded or event.time))
        late = [delay for delay in delays if delay]
        assert len(late) / len(delays) == pytest.approx(0.03, rel=0.3)
        assert timedelta(hours=20) <= min(late) <= max(late) <= timedelta(hours=24)
        assert {source.lateness_hours for source in declared(feed, [DIRTS[name]]).sources} == {lateness, 24}


def test_a_date_is_all_that_is_known(cases: list[SimulatedCase], feed: Feed) -> None:
    """Every time is the midnight its day began with, and the precision is declared."""
    for event, sent in pairs(cases, feed, "dates"):
        assert sent.event.time.astimezone(ZONE).time() == time()
        assert timedelta() <= event.time - sent.event.time < timedelta(days=1)
    assert all(source.precision == "day" for source in declared(feed, [DIRTS["dates"]]).sources)


def test_a_night_brings_the_day(cases: list[SimulatedCase], feed: Feed) -> None:
    """Everything recorded on a day arrives at one o'clock in the night after it; a lateness of a day is declared."""
    for event, sent in pairs(cases, feed, "nightly"):
        assert sent.at.astimezone(ZONE).time() == time(1)
        assert timedelta() < sent.at - (event.recorded or event.time) < timedelta(days=1, hours=1)
    assert all(source.lateness_hours == 24 for source in declared(feed, [DIRTS["nightly"]]).sources)


@pytest.mark.parametrize("name", sorted(LOST))
def test_lost_steps_are_never_sent_and_never_promised(cases: list[SimulatedCase], feed: Feed, name: str) -> None:
    """No source sends the types that are lost, each is declared without them, and everything else is sent."""
    arrived = soiled(cases, feed, name)
    sources = declared(feed, [DIRTS[name]]).source
    missing = 0
    for case in cases:
        for event in case.events:
            lost = event.type in LOST[name]
            assert ((event.case, event.id) in arrived) == sources[event.source].can_send(event.type) == (not lost)
            missing += lost
    assert missing > 100


def test_a_suspension_is_told_once_it_is_over(cases: list[SimulatedCase], feed: Feed) -> None:
    """It arrives with the event that ends it, and not at all while it lasts; everything else arrives at once."""
    arrived = soiled(cases, feed, "at-end")
    seen = 0
    for case in cases:
        ends = {event.data.procedure: event.recorded for event in case.events if event.type is T.RESUME}
        for event in case.events:
            if event.type is T.SUSPEND and event.data.procedure in ends:
                seen += 1
                assert arrived[event.case, event.id].at >= (ends[event.data.procedure] or event.time)
            elif event.type is not T.SUSPEND:
                assert arrived[event.case, event.id] == Sent(event.recorded or event.time, event)
    assert seen > 5
    cut = [msgspec.structs.replace(e) for case in cases for e in case.events if e.type is not T.RESUME]
    unended = [SimulatedCase(tuple(cut), cases[0].midnight, frozenset(), complete=False)]
    assert not any(sent.event.type is T.SUSPEND for sent in soiled(unended, feed, "at-end").values())
    assert all(source.suspensions_at_end for source in declared(feed, [DIRTS["at-end"]]).sources)


def test_kinds_of_dirt_add_up(cases: list[SimulatedCase], feed: Feed) -> None:
    """Several kinds are applied one after the other, and declared together."""
    both = [DIRTS["dates"], DIRTS["nightly"]]
    sent = list(deliver(cases[:20], feed, both))
    assert all(each.event.time.astimezone(ZONE).time() == time() for each in sent)
    assert all(each.at.astimezone(ZONE).time() == time(1) for each in sent)
    source = declared(feed, both).sources[0]
    assert (source.precision, source.lateness_hours) == ("day", 24)
    assert all(content(each.event) and each.at.tzinfo is UTC for each in sent)
