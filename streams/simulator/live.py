"""The centre from now on, at the speed of a clock on the wall: busy at any hour, with some cases due in minutes."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Final

from monitor.events import Event, EventType
from monitor.rulebook.model import Rulebook
from streams.simulator.courses import due_at, visit
from streams.simulator.mix import YULIN, Mix
from streams.simulator.proceeding import Proceeding
from streams.simulator.year import Centre

HEARTBEAT_SECONDS: Final = 5
_CARRIED_DAYS: Final = 120
"""How many working days back a case may have begun that is still carried over; few take longer."""
_HASTE: Final = 0.2
"""Five times as quick at the window as in the year, so that one sees a case go through."""
_EVENTS_AT_ONCE: Final = 4.5
"""Events a new live case brings within its first minutes; the others come in the course of hours and days."""
_SOON_AT_ONCE: Final = 10
"""Cases due in the next minutes with which the live part begins, so that something happens from the start."""
_SOON_MINUTES: Final = (2.0, 10.0)
"""Less would crowd the steps of a case into a few seconds, as only invented ones are (V10)."""
_SOON_ON_TIME: Final = 0.6
"""Share of the cases due soon that are finished in time."""

_DRAWS_MAX: Final = 50
"""So often a case for a live source is looked for; a rulebook without one sees its breaches later."""


class Arrivals:
    """An endless row of arrivals: names, moments (seconds since the beginning) and what each one does.

    Each arrival has a random number generator of its own, so it does not matter in which portions they are admitted.
    """

    def __init__(self, name: str, mean_seconds: float, arrive: Callable[[str, float, Random], None]) -> None:
        self._name, self._mean_seconds, self._arrive = name, mean_seconds, arrive
        self._rng = Random(name)
        self._count, self._next = 0, 0.0

    def admit(self, until: float) -> None:
        """Let everybody arrive who does so up to a moment."""
        while self._next <= until:
            self.admit_one(self._next)
            self._next += self._rng.expovariate(1 / self._mean_seconds)

    def admit_one(self, seconds: float) -> None:
        """Let one more arrive, out of turn."""
        self._count += 1
        name = f"{self._name}{self._count:05d}"
        self._arrive(name, seconds, Random(name))


class LiveCentre:
    """The events of a simulated centre from `now` on, with office hours ignored.

    Cases that were begun and not finished at `now` go on: those `simulate_cases` gives for the same rulebook, seed
    and end; an office hour of theirs takes an hour on the wall. New ones come at such a rate that about
    `events_per_second` are seen, and every `soon_seconds` one whose source has set a due instant (`data.due`) two to
    ten minutes ahead; most of these are finished in time, some are not. Cases begun before `since`, the start of the
    period simulated before, are left alone: nobody knows how they began.

    The events (not the heartbeats) depend on the arguments alone, not on when `events_until` is called: a centre
    built again with the same `now` tells the same events, which the engine takes as duplicates.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        seed: int,
        now: datetime,
        mix: Mix = YULIN,
        events_per_second: float = 0.7,
        soon_seconds: float = 30,
        since: datetime | None = None,
    ) -> None:
        if events_per_second <= 0 or soon_seconds <= 0:
            raise ValueError("events_per_second and soon_seconds: must be above 0")
        self._now = now.astimezone(UTC)
        day = self._now.astimezone(rulebook.days.zone).date()
        self._centre = Centre(rulebook, seed, (day - timedelta(days=2 * _CARRIED_DAYS), day), mix, self._now)
        self._day, self._at = self._centre.timetable.position(self._now)
        self._office_seconds = self._centre.timetable.seconds(self._day)
        self._waiting: list[tuple[datetime, str, int, Event]] = []
        self._beats = 0
        self._carry_over(since)
        name = f"{self._now:%Y%m%d%H%M%S}-{seed}"
        self._visits = Arrivals(f"{name}-v", _EVENTS_AT_ONCE / events_per_second, self._visit)
        self._soon = Arrivals(f"{name}-d", soon_seconds, self._due_soon)
        for _ in range(_SOON_AT_ONCE):
            self._soon.admit_one(0)

    def events_until(self, instant: datetime) -> list[Event]:
        """Give what has been recorded since the last call up to an instant, then a heartbeat of every live source."""
        seconds = (instant - self._now).total_seconds()
        self._visits.admit(seconds)
        self._soon.admit(seconds)
        events: list[Event] = []
        while self._waiting and self._waiting[0][0] <= instant:
            events.append(heappop(self._waiting)[3])
        beats = int(seconds // HEARTBEAT_SECONDS)
        if beats > self._beats:
            self._beats = beats
            events.extend(self._heartbeats(self._now + timedelta(seconds=beats * HEARTBEAT_SECONDS)))
        return events

    def _carry_over(self, since: datetime | None) -> None:
        """Take over what the year has begun and not finished."""
        for index in range(max(0, self._day - _CARRIED_DAYS), self._day + 1):
            for case in self._centre.day(index):
                if not case.events or _recorded(case.events[0]) > self._now:
                    continue
                if since is None or case.events[0].time >= since:
                    self._expect(event for event in case.events if _recorded(event) > self._now)

    def _expect(self, events: Iterator[Event]) -> None:
        """Keep events of a case until they are recorded."""
        for number, event in enumerate(events):
            heappush(self._waiting, (_recorded(event), event.case or "", number, event))

    def _begin(self, name: str, seconds: float, rng: Random, *, promised: bool = False) -> Proceeding:
        at = self._at + seconds / self._office_seconds
        return self._centre.proceeding(name, rng, self._day, at, _HASTE, "promised" if promised else None)

    def _visit(self, name: str, seconds: float, rng: Random) -> None:
        """Let one more visitor in."""
        case = self._begin(name, seconds, rng)
        visit(case, self._centre.mix, self._centre.hall.pace)
        self._expect(iter(case.events))

    def _due_soon(self, name: str, seconds: float, rng: Random) -> None:
        """Begin a case that its source wants finished in some minutes."""
        case = self._begin(name, seconds, rng, promised=True)
        for _ in range(_DRAWS_MAX):
            if case.is_seen_at_once():
                break
            case = self._begin(name, seconds, rng, promised=True)
        due = self._now.replace(microsecond=0) + timedelta(seconds=int(seconds + 60 * rng.uniform(*_SOON_MINUTES)))
        due_at(case, due, self._centre.mix, on_time=rng.random() < _SOON_ON_TIME)
        self._expect(iter(case.events))

    def _heartbeats(self, instant: datetime) -> Iterator[Event]:
        for source in self._centre.hall.live_sources:
            yield Event(id=f"heartbeat-{instant:%Y%m%d%H%M%S}", source=source, type=EventType.HEARTBEAT, time=instant)


def _recorded(event: Event) -> datetime:
    return event.recorded or event.time
