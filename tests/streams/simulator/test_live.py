"""The live part: it goes on from the year, is busy at any hour, and lets promises be broken before one's eyes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from monitor.events import Event, EventType, checked
from monitor.rulebook.model import Rulebook
from streams.simulator import LiveCentre, Mix, simulate_cases
from streams.simulator.live import HEARTBEAT_SECONDS

SUNDAY = datetime(2009, 10, 25, 3, 0, 0, 250_000, tzinfo=UTC)
HOUR = timedelta(hours=1)
SMALL = Mix(accepted_per_day=60)
T = EventType


def told(centre: LiveCentre, since: datetime, until: datetime, step: timedelta) -> Iterator[Event]:
    """Ask a centre again and again, as the demo does; heartbeats left out."""
    now = since
    while now < until:
        now = min(now + step, until)
        for event in centre.events_until(now):
            if event.type is not T.HEARTBEAT:
                yield event


@pytest.fixture(scope="module")
def hour(rulebook: Rulebook) -> list[Event]:
    """The first hour on a Sunday."""
    return list(told(LiveCentre(rulebook, 7, SUNDAY, SMALL), SUNDAY, SUNDAY + HOUR, timedelta(seconds=5)))


def test_a_sunday_is_as_busy_as_asked_for(hour: list[Event]) -> None:
    """Out of office hours something happens every one or two seconds, from the first minute on."""
    assert 0.4 < len(hour) / 3600 < 1.4
    first_minutes = [e for e in hour if e.recorded is not None and e.recorded <= SUNDAY + timedelta(minutes=3)]
    assert len(first_minutes) > 60


def test_an_event_is_told_once_it_is_recorded(rulebook: Rulebook) -> None:
    """No event is told before the instant it is recorded, none twice, and each is one the decoder takes."""
    centre, seen = LiveCentre(rulebook, 7, SUNDAY, SMALL), set()
    for second in range(0, 1_200, 7):
        now = SUNDAY + timedelta(seconds=second)
        for event in centre.events_until(now):
            assert checked(event) == event
            assert (event.recorded or event.time) <= now
            assert (event.case, event.identity) not in seen
            seen.add((event.case, event.identity))


def test_events_do_not_depend_on_when_one_asks(rulebook: Rulebook, hour: list[Event]) -> None:
    """A centre built again and asked once for the whole hour tells the same events."""
    again = list(told(LiveCentre(rulebook, 7, SUNDAY, SMALL), SUNDAY, SUNDAY + HOUR, HOUR))
    assert again == hour


def test_open_cases_of_the_year_go_on(rulebook: Rulebook) -> None:
    """Every case open when the year ends is carried on, with no event told twice and none lost between."""
    known = [c.events for c in simulate_cases(rulebook, 7, SUNDAY - timedelta(days=90), SUNDAY, SMALL)]
    open_cases = {
        events[0].case
        for events in known
        if any(e.type is T.ACCEPT for e in events)
        and not any(e.type in (T.FINISH, T.FORWARD, T.WITHDRAW) for e in events)
    }
    before = {(e.case, e.id) for events in known for e in events}
    centre = LiveCentre(rulebook, 7, SUNDAY, SMALL, events_per_second=0.02, soon_seconds=3600)
    after = list(told(centre, SUNDAY, SUNDAY + 240 * HOUR, 240 * HOUR))
    assert before.isdisjoint((e.case, e.id) for e in after)
    carried: dict[str | None, set[EventType]] = {}
    for event in after:
        carried.setdefault(event.case, set()).add(event.type)
    finished = [case for case in open_cases if carried.get(case, set()) & {T.FINISH, T.FORWARD, T.WITHDRAW}]
    assert len(open_cases) > 50
    assert len(finished) > 0.9 * len(open_cases)
    numbers = {case: {int(e.id.rsplit("-", 1)[1]) for e in after if e.case == case} for case in finished[:20]}
    for case, later in numbers.items():
        earlier = {int(event_id.rsplit("-", 1)[1]) for c, event_id in before if c == case}
        assert earlier | later == set(range(1, max(later) + 1))


def test_cases_begun_before_the_period_are_left_alone(rulebook: Rulebook) -> None:
    """Of a case whose beginning nobody was told of, nothing is told later."""
    since = SUNDAY - timedelta(days=7)
    centre = LiveCentre(rulebook, 7, SUNDAY, SMALL, events_per_second=0.02, soon_seconds=3600, since=since)
    told_of = {e.case or "" for e in told(centre, SUNDAY, SUNDAY + 240 * HOUR, 240 * HOUR)}
    carried = {case for case in told_of if not case.startswith("20091025")}
    begun = {c.events[0].case for c in simulate_cases(rulebook, 7, since, SUNDAY, SMALL)}
    assert carried
    assert carried <= begun


def test_cases_are_due_within_minutes(hour: list[Event]) -> None:
    """From the start there are cases due in one to ten minutes; most are finished in time, some are not."""
    due = {e.case: e.data.due.promised for e in hour if e.data.due is not None}
    finished = {e.case: e.time for e in hour if e.type is T.FINISH}
    at_once = [instant for instant in due.values() if instant <= SUNDAY + timedelta(minutes=10)]
    assert len(at_once) >= 10
    kept = [case for case, instant in due.items() if case in finished and finished[case] <= instant]
    broken = [case for case, instant in due.items() if case in finished and finished[case] > instant]
    assert len(kept) > len(broken) > 10


def test_live_sources_are_heard_every_few_seconds(rulebook: Rulebook) -> None:
    """Each live source sends a heartbeat every five seconds, and one after a pause; none promises completeness."""
    centre = LiveCentre(rulebook, 7, SUNDAY, SMALL)
    beats = [e for s in range(1, 61) for e in centre.events_until(SUNDAY + timedelta(seconds=s)) if e.case is None]
    assert {e.source for e in beats} == {"hall", "portal"}
    assert len(beats) == 2 * 60 / HEARTBEAT_SECONDS
    assert all(e.type is T.HEARTBEAT and e.data.complete_until is None for e in beats)
    later = centre.events_until(SUNDAY + HOUR)
    assert sum(e.type is T.HEARTBEAT for e in later) == 2


def test_a_rate_of_nothing_is_refused(rulebook: Rulebook) -> None:
    """A live centre in which nothing happens is an error."""
    with pytest.raises(ValueError, match="must be above 0"):
        LiveCentre(rulebook, 7, SUNDAY, events_per_second=0)
