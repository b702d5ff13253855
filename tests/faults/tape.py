"""What happens in a small city while a fault is tried: a past that is imported, what comes live, deadlines between.

A tape depends on its beginning and its seed alone. Whenever its events arrive, as long as the live ones come within
their sources' tolerance, they end in one digest: nothing in it can be contested.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from importlib.resources import as_file, files
from itertools import count
from typing import Any, Final, NamedTuple

import msgspec

from monitor.events import Due, Event, EventData, EventType, content
from monitor.rulebook.load import load
from monitor.rulebook.model import Item, Rulebook
from streams.simulator import YULIN, LiveCentre, simulate_cases

PAST_DAYS: Final = 60
CASES_A_DAY: Final = 20
AHEAD: Final = timedelta(minutes=4)
"""So long before the tape's beginning the live part begins, so that its cases are due soon; less than the tolerance."""
PAST_SHARE: Final = 0.4
"""Part of the tape during which the past is imported, beside what comes live."""
SOON_SECONDS: Final = 3.0
HEARTBEAT_SECONDS: Final = 5
MARGIN_SECONDS: Final = 12
"""How long before it is due a case is finished in time: longer than a record is ever on its way undisturbed."""
UNDO_SECONDS: Final = 15
LIVE: Final = "hall"
NIGHTLY: Final = "gaj"
"""A source judged a day later: what it wants done yesterday falls due today."""
COMPLETE: Final = "gsj"
"""A source that says itself up to when it has told everything."""


class Entry(NamedTuple):
    """One delivery: how many seconds after the beginning it is sent, what, and whether as a past."""

    at: float
    event: Event
    backfill: bool = False

    @property
    def written(self) -> bytes:
        """Its bytes."""
        return content(self.event)

    @property
    def key(self) -> str:
        """What its record is keyed by."""
        return self.event.case or self.event.source


class Deadline(NamedTuple):
    """A case that falls due while the tape runs: when, and whether it was finished before."""

    case: str
    due: datetime
    kept: bool


class Tape:
    """The events of some `seconds` from `begins` on; with a `density` of so many live events a second."""

    def __init__(self, begins: datetime, seconds: float = 60, seed: int = 1, density: float = 40) -> None:
        self.begins, self.seconds, self._seed = begins.replace(microsecond=0), seconds, seed
        self.past_until = self.begins - AHEAD
        self.past_seconds = seconds * PAST_SHARE
        self.rulebook = rulebook()
        self._item = next(item for item in self.rulebook.items if _is_plain(item))
        self.deadlines: list[Deadline] = []
        self.entries = sorted(self._entries(density), key=lambda entry: entry.at)

    @cached_property
    def imported(self) -> tuple[str, ...]:
        """The sources whose past is imported."""
        return tuple(sorted({entry.event.source for entry in self.entries if entry.backfill}))

    def instant(self, at: float) -> datetime:
        """Give the instant so many seconds after the beginning."""
        return self.begins + timedelta(seconds=at)

    def _entries(self, density: float) -> Iterator[Entry]:
        since = self.past_until - timedelta(days=PAST_DAYS)
        mix = msgspec.structs.replace(YULIN, accepted_per_day=CASES_A_DAY)
        past = [
            event
            for case in simulate_cases(self.rulebook, self._seed, since, self.past_until, mix)
            for event in case.events
        ]
        past += self._deadlines()
        random.Random(self._seed).shuffle(past)
        yield from (Entry(self.past_seconds * n / len(past), event, True) for n, event in enumerate(past))
        centre = LiveCentre(self.rulebook, self._seed, self.past_until, mix, density, SOON_SECONDS, since)
        for event in centre.events_until(self.instant(self.seconds)):
            if event.type is not EventType.HEARTBEAT:
                yield Entry(max(0.0, ((event.recorded or event.time) - self.begins).total_seconds()), event)
        yield from self._finishes()
        yield from self._undone()
        yield from self._heartbeats()

    def _deadlines(self) -> Iterator[Event]:
        """Begin cases, days ago, that fall due one after the other while the tape runs; most are never finished."""
        draw = random.Random(self._seed)
        accepted = self.begins - timedelta(days=3)
        for number in range(int(self.seconds * 2)):
            due_at = self.past_seconds + draw.uniform(0.05, 1) * (self.seconds - self.past_seconds)
            source = NIGHTLY if number % 4 == 3 else LIVE
            due = self.instant(round(due_at)) - (self.rulebook.source[source].lateness)
            case = f"due-{number}"
            self.deadlines.append(Deadline(case, due, source == LIVE and number % 4 == 1))
            yield self._event(source, case, EventType.APPLY, accepted - timedelta(minutes=5))
            yield self._event(source, case, EventType.ACCEPT, accepted, EventData(due=Due(promised=due)))

    def _finishes(self) -> Iterator[Entry]:
        """Finish some of those that fall due, in time or, as many, too late."""
        for number, deadline in enumerate(self.deadlines):
            if deadline.kept:
                at = (deadline.due - self.begins).total_seconds() - MARGIN_SECONDS
            elif number % 8 == 0:
                at = (deadline.due - self.begins).total_seconds() + 2
            else:
                continue
            yield Entry(max(0.0, at), self._event(LIVE, deadline.case, EventType.FINISH, self.instant(at)))

    def _undone(self) -> Iterator[Entry]:
        """Accept cases that are due soon, and take the acceptance back once that was found: the card goes too."""
        for number in range(int(self.seconds / 3)):
            # Before the import has ended nothing is found.
            case, at = f"undone-{number}", self.past_seconds + number - 5
            if at + UNDO_SECONDS > self.seconds:
                return
            due = EventData(due=Due(promised=self.instant(at + UNDO_SECONDS - 8)))
            accepted = self._event(LIVE, case, EventType.ACCEPT, self.instant(at), due)
            undone = EventData(target=accepted.id)
            yield Entry(at, accepted)
            yield Entry(
                at + UNDO_SECONDS,
                self._event(LIVE, case, EventType.RETRACT, self.instant(at + UNDO_SECONDS), undone),
            )

    def _heartbeats(self) -> Iterator[Entry]:
        for number in count():
            at = number * float(HEARTBEAT_SECONDS)
            if at > self.seconds:
                return
            now = self.instant(at)
            for source in (LIVE, COMPLETE):
                data = EventData(complete_until=now - timedelta(minutes=1)) if source == COMPLETE else EventData()
                beat = Event(
                    id=f"beat-{number}", source=source, type=EventType.HEARTBEAT, time=now, recorded=now, data=data
                )
                yield Entry(at, beat)

    def _event(self, source: str, case: str, kind: EventType, time: datetime, data: EventData | None = None) -> Event:
        item = self._item
        told: dict[str, Any] = {} if data is None else {"data": data}
        region = self.rulebook.department[item.department].region
        return Event(
            id=f"{case}-{kind}",
            source=source,
            type=kind,
            time=time,
            recorded=time,
            case=case,
            region=region,
            item=item.code,
            department=item.department,
            **told,
        )


def rulebook() -> Rulebook:
    """Load the rulebook the city lives by."""
    with as_file(files("monitor") / "rulebooks" / "yulin") as folder:
        return load(folder)


def _is_plain(item: Item) -> bool:
    return item.type == "promised" and item.entered and not item.legs
