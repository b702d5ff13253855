"""A whole period of the simulated centre: its cases day by day, as they would stand in a log read at its end."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

from monitor.events import Event
from monitor.rulebook.model import ItemType, Rulebook
from streams.simulator.complaints import CHANNELS, complain, request
from streams.simulator.courses import visit
from streams.simulator.draw import Draw
from streams.simulator.hall import Counter, Hall
from streams.simulator.mix import AFTER_HOLIDAY, ARRIVALS, MONTHS, WEEKDAYS, YULIN, Mix
from streams.simulator.proceeding import Planned, Proceeding, Visit
from streams.simulator.timetable import Timetable
from streams.simulator.violations import Planting

_TAIL: Final = timedelta(days=800)
"""How far beyond the end the timetable goes, so that the longest case begun before the end can be told."""
_NOISE: Final = 0.08
"""Spread of a day's visitors about what season and weekday lead to expect."""


class SimulatedCase(NamedTuple):
    """Events of one case in order, the midnight its first day began with, and the violations it was made to show.

    `planned` is empty for a clean case. `complete`: all of its events are there, none is still to come.
    """

    events: tuple[Event, ...]
    midnight: datetime
    planned: frozenset[Planned]
    complete: bool


class Centre:
    """A seeded centre; the cases that begin on a day depend on rulebook, seed and day alone, not on the period.

    `open_from`: from that instant on the doors do not close any more (see `Timetable`).
    """

    def __init__(
        self,
        rulebook: Rulebook,
        seed: int,
        period: tuple[date, date],
        mix: Mix = YULIN,
        open_from: datetime | None = None,
    ) -> None:
        self.seed, self.mix = seed, mix
        self.hall = Hall(rulebook, mix)
        self._planting = Planting(self.hall)
        self.timetable = Timetable(rulebook, period[0] - timedelta(days=15), period[1] + _TAIL, open_from)
        self._twelfth = Draw(enumerate(ARRIVALS))

    def day(self, index: int) -> Iterator[Proceeding]:
        """Yield every case that begins on a working day, in order of its beginning."""
        day = self.timetable.days[index]
        rng = Random(f"{self.seed}/{day}")
        arrivals = sorted((self._arrival(rng), rng.getrandbits(64)) for _ in range(self._visitors(index, rng)))
        for number, (at, own) in enumerate(arrivals, 1):
            # A seed of its own: how one case goes on after the doors stay open must not change the next.
            rng.seed(own)
            yield self._visit(f"{day:%Y%m%d}-{self.seed}-{number:04d}", rng, index, at)
        yield from self._aside(index, len(arrivals))

    def _visit(self, name: str, rng: Random, day: int, at: float) -> Proceeding:
        """Let one visitor in, now and then for a case that is made to show a violation."""
        drawn = self._planting.draw(rng) if rng.random() < self.mix.planted * self._planting.weight else None
        if drawn is None:
            case = self.proceeding(name, rng, day, at)
            visit(case, self.mix, self.hall.pace)
        else:
            form, counter = drawn
            case = self.proceeding(name, rng, day, at, counter=counter)
            form.plant(case, self.mix, self.hall.pace)
        return case

    def _aside(self, index: int, visitors: int) -> Iterator[Proceeding]:
        """Yield the complaints and the requests of a day: numbers of their own, apart from the cases."""
        day = self.timetable.days[index]
        for prefix, share, course in (("TS", self.mix.complained, complain), ("SQ", self.mix.requested, request)):
            rng = Random(f"{self.seed}/{day}/{prefix}")
            for number in range(1, int(share * visitors + rng.random()) + 1):
                counter, channel = self.hall.counter(rng), rng.choice(CHANNELS)
                line = self.hall.line(rng, day) if prefix == "SQ" else None
                if prefix == "SQ" and line is None:
                    continue
                senders = self.hall.senders(counter, channel, central=True)
                name = f"{prefix}{day:%Y%m%d}-{self.seed}-{number:03d}"
                who = Visit(name, counter, senders, channel, line, f"{rng.getrandbits(64):016x}", with_item=False)
                case = Proceeding(who, rng, self.timetable, index, self._arrival(rng))
                course(case, self.mix)
                yield case

    def proceeding(
        self,
        case: str,
        rng: Random,
        day: int,
        at: float,
        haste: float = 1,
        kind: ItemType | None = None,
        counter: Counter | None = None,
    ) -> Proceeding:
        """Draw who comes for what, of one type of item or to one counter where asked for; nothing is told yet."""
        hall = self.hall
        counter, channel = counter or hall.counter(rng, kind), hall.channel(rng)
        direct_line = hall.direct_line(rng, self.timetable.days[day])
        applicant = f"{rng.getrandbits(64):016x}"
        who = Visit(case, counter, hall.senders(counter, channel), channel, direct_line, applicant)
        return Proceeding(who, rng, self.timetable, day, at, haste)

    def _visitors(self, index: int, rng: Random) -> int:
        """Draw how many come on a day: by month and weekday, more after a holiday, with some noise."""
        day, before = self.timetable.days[index], self.timetable.days[max(0, index - 1)]
        expected = self._visits_per_day * MONTHS[day.month - 1] * WEEKDAYS[day.weekday()]
        if (day - before).days > 3:
            expected *= AFTER_HOLIDAY
        return max(0, round(expected * rng.gauss(1, _NOISE)))

    @cached_property
    def _visits_per_day(self) -> float:
        """Visitors on a mean day, so that as many as the mix asks for are accepted."""
        mix = self.mix
        return mix.accepted_per_day / ((1 - mix.consulted_only) * (1 - mix.refused))

    def _arrival(self, rng: Random) -> float:
        """Draw when somebody comes, as a part of the office day; nobody comes in its last minutes."""
        return 0.985 * (self._twelfth(rng) + rng.random()) / 12


def simulate_cases(
    rulebook: Rulebook, seed: int, start: datetime, end: datetime, mix: Mix = YULIN
) -> Iterator[SimulatedCase]:
    """Simulate the cases that begin from `start` on, in order of their beginning, as known at `end`.

    What is recorded later than `end` is left out, so cases stay open as they would; `LiveCentre` with `now=end`
    goes on with them. The same arguments give the same cases. Raises ValueError where nothing can be simulated.
    """
    if end <= start:
        raise ValueError(f"end {end.isoformat()}: must be later than the start {start.isoformat()}")
    zone = rulebook.days.zone
    period = (start.astimezone(zone).date(), end.astimezone(zone).date())
    centre = Centre(rulebook, seed, period, mix)
    days = centre.timetable
    for index in range(days.index(period[0]), days.index(period[1] + timedelta(days=1))):
        midnight = datetime.combine(days.days[index], time(), zone).astimezone(UTC)
        for case in centre.day(index):
            events = tuple(e for e in case.events if e.recorded is not None and e.recorded <= end)
            if events and events[0].time >= start:
                yield SimulatedCase(events, midnight, frozenset(case.planned), len(events) == len(case.events))


def simulate_year(rulebook: Rulebook, seed: int, start: datetime, end: datetime, mix: Mix = YULIN) -> Iterator[Event]:
    """Simulate a period, its events case by case: the quickest order to import, whole cases falling into one batch."""
    for case in simulate_cases(rulebook, seed, start, end, mix):
        yield from case.events


def in_time_order(cases: Iterable[SimulatedCase]) -> Iterator[Event]:
    """Merge cases, given in order of their beginning, into one stream in order of time."""
    waiting: list[tuple[datetime, int, Event]] = []
    number = 0
    for case in cases:
        # No event of this case or a later one lies before its first day, even where a source knows only days.
        while waiting and waiting[0][0] < case.midnight:
            yield heappop(waiting)[2]
        for event in case.events:
            number += 1
            heappush(waiting, (event.time, number, event))
    while waiting:
        yield heappop(waiting)[2]
