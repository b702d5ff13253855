"""The survey of a feed with known defects: each is found, counted, and leads to its advice; a good feed gets none."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.readiness import advise
from monitor.rulebook.model import Rulebook, RuleSetting
from tests.monitor.readiness.feed import BOOK, HALL, STEPS, Feed, T, case
from tests.small_centre import RULEBOOK, at, event, heartbeat

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    """A ledger nothing was delivered to."""
    made = Feed(tmp_path)
    yield made
    made.close()


def other(feed: Feed, tmp_path: Path, rulebook: Rulebook) -> Feed:
    """Begin again with another rulebook."""
    feed.close()
    (tmp_path / "other").mkdir()
    feed.__init__(tmp_path / "other", rulebook)  # type: ignore[misc]
    return feed


def test_a_source_that_sent_nothing_is_told_so(feed: Feed) -> None:
    """There is nothing to measure, and no share of nothing."""
    found = feed.survey()
    assert (found.events, found.first, found.lateness, found.items.seen, found.approvals_delegated.share) == (
        0,
        None,
        None,
        0,
        None,
    )
    assert list(feed.advice()) == ["nothing_sent"]


def test_a_good_feed_needs_no_change(feed: Feed) -> None:
    """Cases as they should be, delivered live, lead to no advice at all; the figures are those of the cases."""
    for number in range(20):
        feed.deliver(*case(f"c{number}", number))
    feed.deliver(heartbeat("hall", "h1", at(30)))
    found = feed.survey()
    assert feed.advice() == {}
    assert (found.events, found.live, found.cases) == (101, 100, 20)
    assert (found.first, found.last) == (at(0.5, 0.03), at(20.3, 0.03))
    assert (found.items, found.types_never, found.unknown) == (type(found.items)(1, 2), [], [])
    assert found.lateness is not None
    assert found.recording is not None
    assert (found.lateness.p50, found.recording.p50, found.beyond_declared) == (20, 16, 0)
    assert found.rules == []
    assert found.approvals_delegated.share == 1.0


def test_codes_nobody_knows_are_counted(feed: Feed) -> None:
    """Item, department and window that are not in the rulebook, each with its number of events."""
    for number in range(3):
        feed.deliver(*case(f"c{number}", number, item="ix", department="dx", window="wx"))
    feed.deliver(*case("c9", item="iy"))
    found = {(each.field, each.code): each.events for each in feed.survey().unknown}
    assert found == {("item", "ix"): 15, ("item", "iy"): 5, ("department", "dx"): 15, ("window", "wx"): 15}
    said = [each for each in advise(feed.survey(), feed.rulebook) if each.code == "unknown"]
    assert [each.params["field"] for each in said] == ["item", "department", "window"]
    assert said[0].params["named"] == "ix (15), iy (5)"


def test_approvals_count_as_delegated_on_the_days_they_were(feed: Feed) -> None:
    """A delegation that had ended, and none at all, are no power; without an operator nothing can be said."""
    feed.deliver(*case("c1"), *case("c2", operator="wu"), *case("c3", operator="zhao"), *case("c4", operator=None))
    assert feed.survey().approvals_delegated == type(feed.survey().approvals_delegated)(1, 3)


def test_lateness_is_measured_live_alone(feed: Feed) -> None:
    """What a file brought is as late as the file; only what is sent live shows how late the source is."""
    feed.deliver(*case("c1"), delay=timedelta(hours=30))
    feed.deliver(*case("c2", 1), backfill=True)
    found = feed.survey()
    assert found.lateness is not None
    assert (found.lateness.count, found.lateness.p95, found.beyond_declared) == (5, 108_000, 5)
    assert feed.advice()["lateness"].params == {"late": "5/5", "declared": "0", "hours": "30"}


def test_a_feed_from_files_alone_has_no_lateness(feed: Feed) -> None:
    """Before it sends live, lateness and clock are not known, and the advice says so."""
    feed.deliver(*case("c1"), backfill=True)
    assert feed.survey().lateness is None
    assert "not_live" in feed.advice()


def test_a_clock_that_runs_ahead_is_found(feed: Feed) -> None:
    """An event received before it happened shows by how much at least."""
    feed.deliver(*case("c1"), delay=timedelta(minutes=-8))
    assert feed.advice()["ahead"].params == {"minutes": "8", "tolerance": "5"}


def test_two_clocks_apart_by_minutes_are_told_from_disorder(feed: Feed) -> None:
    """Steps of two systems the wrong way round by minutes ask for skew_minutes, by days for a look at the cases."""
    for number in range(6):
        events = case(f"c{number}", number)
        approve = replace(events[2], source="night", time=events[1].time - timedelta(minutes=12))
        feed.deliver(*events[:2], approve, *events[3:])
    assert feed.advice()["skew"].params == {
        "other": "night",
        "inverted": "6",
        "pairs": "12",
        "minutes": "7",
        "ahead": "6/6",
    }
    for number in range(6, 12):
        events = case(f"c{number}", number)
        feed.deliver(
            *events[:2], replace(events[2], source="night", time=events[1].time - timedelta(days=2)), *events[3:]
        )
    advice = feed.advice()
    assert "skew" not in advice
    assert advice["disorder"].params["hours"] == "48.0"


def test_a_source_whose_own_clocks_differ(feed: Feed) -> None:
    """Steps of one system the wrong way round by minutes ask for a larger tolerance."""
    for number in range(6):
        events = case(f"c{number}", number)
        feed.deliver(events[0], replace(events[1], time=events[2].time + timedelta(minutes=9)), *events[2:])
    assert feed.advice()["tolerance"].params["minutes"] == "9"


@pytest.mark.parametrize(
    ("precision", "shown"), [("day", timedelta(hours=16)), ("minute", timedelta(hours=3, minutes=7))]
)
def test_times_without_their_finer_part_are_noticed(feed: Feed, precision: str, shown: timedelta) -> None:
    """A feed of dates, or of whole minutes, must not be judged by the second; midnight is that of its zone."""
    midnight = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
    for number in range(2):
        for position, each in enumerate(case(f"c{number}", number)):
            feed.deliver(replace(each, time=midnight + timedelta(days=number + position) + shown))
    assert feed.advice()["precision"].params == {"precision": precision}


def test_types_that_never_come_are_named(feed: Feed, tmp_path: Path) -> None:
    """A type declared and never sent keeps clocks waiting; a source that declares every type is asked to choose."""
    feed.deliver(*case("c1")[:-1])
    assert feed.survey().types_never == ["issue"]
    assert feed.advice()["never_sent"].params["never"] == "issue"
    feed = other(feed, tmp_path, replace(BOOK, sources=(replace(HALL, types=()), BOOK.sources[1])))
    feed.deliver(*case("c1"))
    never = feed.survey().types_never
    assert "hearing" in never
    assert not {"retract", "heartbeat", "card_upheld", "issue"} & set(never)
    assert feed.advice()["types"].params["seen"] == "apply, accept, approve, finish, issue"


def test_suspensions_told_at_their_end_are_noticed(feed: Feed, tmp_path: Path) -> None:
    """A feed in which a suspension comes together with its end must be declared as such."""
    types = (*STEPS, T.SUSPEND, T.RESUME)
    feed = other(feed, tmp_path, replace(BOOK, sources=(replace(HALL, types=types), BOOK.sources[1])))
    for number in range(5):
        suspend, resume = (
            replace(event(kind, f"c{number}", at(1.1, hours)), operator="li")
            for kind, hours in (("suspend", 0.1), ("resume", 2.1))
        )
        feed.deliver(*case(f"c{number}"), resume)
        feed.deliver(suspend, delay=timedelta(hours=3))
    assert feed.advice()["suspensions_at_end"].params == {"seen": "5", "of": "5"}


def test_duplicates_and_rejects_are_counted_by_reason(feed: Feed) -> None:
    """What came twice, and what was refused and why."""
    feed.deliver(*case("c1"))
    feed.deliver(*case("c1"))
    feed.deliver(event("void", "c1"))
    found = feed.survey()
    assert (found.applied, found.duplicates, found.rejected, found.rejects) == (5, 5, 1, {"type_not_declared": 1})
    assert feed.advice()["rejects"].params == {"count": "1", "named": "type_not_declared 1"}


def test_what_rules_find_comes_with_cases_drawn_by_chance(feed: Feed, tmp_path: Path) -> None:
    """Each rule in each mode with its number of findings and at most twenty cases, the same ones each time."""
    feed = other(feed, tmp_path, replace(BOOK, rules={**BOOK.rules, "V06": RuleSetting(mode="shadow")}))
    for number in range(25):
        feed.deliver(*(each for each in case(f"c{number:02}", number) if each.type is not T.APPROVE))
    (hits,) = [each for each in feed.survey().rules if each.rule == "V06"]
    assert (hits.mode, hits.kind, hits.hits, len(hits.cases), len(set(hits.cases))) == ("shadow", "conduct", 25, 20, 20)
    assert hits.cases == next(each for each in feed.survey().rules if each.rule == "V06").cases
    assert hits.cases != sorted(hits.cases)
    assert "V06 (25)" in feed.advice()["review"].params["rules"]
    assert feed.survey("night").rules == []


def test_what_is_missing_for_evidence_is_named(feed: Feed, tmp_path: Path) -> None:
    """Without the instant of recording back-dating cannot be seen; without complete lists nobody exceeds a power."""
    open_lists = replace(BOOK, departments=(RULEBOOK.departments[0],), items=BOOK.items[:2])
    no_baseline = replace(open_lists, sources=(replace(HALL, baseline=None), BOOK.sources[1]))
    feed = other(feed, tmp_path, no_baseline)
    feed.deliver(*(replace(each, recorded=None) for each in case("c1")))
    advice = feed.advice()
    assert advice["recorded"].params == {"percent": "0"}
    assert advice["delegations"].params == {"seen": "1", "of": "1"}
    assert advice["baseline"].params == {"source": "hall"}
    assert all(each.say("zh") and each.say("en") for each in advice.values())
