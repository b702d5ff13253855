"""One case being written down: where it stands in office time, and what has been told of it so far."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import inf
from random import Random
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from monitor.events import STEPS, Channel, Event, EventData, EventType
from monitor.rulebook.model import Limit, Power
from monitor.timing import key
from streams.simulator.hall import Counter, Senders
from streams.simulator.timetable import Timetable, overdue

_NOTHING: Final = EventData()
_AS_TOLD: Final[Mapping[str, Any]] = MappingProxyType({})
_ENTRY_SECONDS: Final = tuple(timedelta(seconds=n) for n in range(1, 9))
"""A clerk's entry reaches the database within seconds."""
_ROLES: Final[dict[Power, str]] = {"accept": "window", "review": "reviewer", "approve": "approver"}
_STEPS: Final = frozenset(STEPS)


class Planned(NamedTuple):
    """A violation a case was made to show: the rule, and the subject its finding has to name."""

    rule: str
    subject: str = ""


class Visit(NamedTuple):
    """Who comes, for what, and how: everything that stays the same through a case."""

    case: str
    counter: Counter
    senders: Senders
    channel: Channel
    direct_line: str | None
    applicant: str
    with_item: bool = True  # a complaint or a request is about a department


class Proceeding:
    """The events of one case in the making; `at` is the office time reached, in office days since day `day` opened.

    `planned` names the violations the case is meant to show: of a clean case none. `late`: it goes beyond limits by
    plan. `haste` below 1 shortens the minutes (not the days) everything takes.
    """

    def __init__(self, visit: Visit, rng: Random, timetable: Timetable, day: int, at: float, haste: float = 1) -> None:
        self.counter, self.rng, self.timetable, self.day, self.at = visit.counter, rng, timetable, day, at
        self.case = visit.case
        self.planned: set[Planned] = set()
        self.late = False
        self.events: list[Event] = []
        self.by_oneself = visit.channel != "window"
        self.deferred_until: datetime | None = None
        self._visit = visit
        self._operators: dict[Power, str] = {}
        self._turn = int(rng.random() * 8)
        windows = visit.counter.windows
        self._window = windows[self._turn % len(windows)] if windows else None
        self._minute = 60 * haste / timetable.seconds(day)
        self._step: tuple[EventType, float] | None = None
        self._recorded = datetime.min.replace(tzinfo=UTC)

    def tell(
        self,
        kind: EventType,
        by: Power | None = None,
        data: EventData = _NOTHING,
        department: str | None = None,
        known_at: float | None = None,
        operator: str | None = None,
    ) -> Event | None:
        """Write an event down at the time reached, if a source can send it; return it, None where none can.

        `department` is another than the counter's, for a leg of a joint case. `known_at` is the office time at which
        the source system learns of it, where that is not at once. `operator` is who used the power, where that is
        not one of those who usually do.
        """
        if kind in _STEPS:
            self._step = (kind, self.at)
        visit, counter = self._visit, self.counter
        source = visit.senders.get(kind)
        if source is None:
            return None
        moment = self.timetable.instant(self.day, self.at)
        entry = _ENTRY_SECONDS[int(self.rng.random() * len(_ENTRY_SECONDS))]
        if known_at is None:
            # One database writes down one step after the other, however quickly they follow.
            recorded = self._recorded = max(self._recorded, moment + entry)
        else:
            recorded = self.timetable.instant(self.day, known_at) + entry
        item = counter.item
        event = Event(
            id=f"{visit.case}-{len(self.events) + 1}",
            source=source.code,
            type=kind,
            time=moment if source.precision == "second" else self.timetable.blurred(moment, source.precision),
            case=visit.case,
            recorded=recorded,
            region=counter.region,
            item=item.code if visit.with_item else None,
            department=department or item.department,
            window=None if department else self._window,
            operator=None if by is None else operator or self.operator(by, department),
            operator_role=None if by is None else _ROLES[by],
            channel=visit.channel,
            direct_line=visit.direct_line,
            applicant=visit.applicant,
            data=data,
        )
        self.events.append(event)
        return event

    def operator(self, power: Power, department: str | None = None) -> str:
        """Name who uses a power in this case, here or in the department of a leg.

        It is the same person from the first day to the last, but approval is given by who holds it on the day.
        """
        if department is not None:
            return f"{department}-{power}"
        if power == "approve":
            return self.counter.operator(power, self._turn, self.timetable.day_of(self.day, self.at))
        if power not in self._operators:
            self._operators[power] = self.counter.operator(power, self._turn, self.timetable.days[self.day])
        return self._operators[power]

    @property
    def head(self) -> str:
        """Name the head of the department, who decides nothing himself and allows what the law leaves to him."""
        return f"{self.counter.item.department}-head"

    def tells(self, *kinds: EventType) -> bool:
        """Tell whether sources of the case can send events of all these types."""
        return all(kind in self._visit.senders for kind in kinds)

    def last(self, kind: EventType) -> Event | None:
        """Find the last event told of a type."""
        return next((event for event in reversed(self.events) if event.type is kind), None)

    def amend(
        self, kind: EventType, data: Mapping[str, Any] = _AS_TOLD, *, first: bool = False, **changes: Any
    ) -> Event | None:
        """Change the last (or the first) event told of a type, and its data; return it, None where there is none."""
        places = [place for place, event in enumerate(self.events) if event.type is kind]
        if not places:
            return None
        place = places[0 if first else -1]
        event = self.events[place]
        self.events[place] = replace(event, data=replace(event.data, **data), **changes)
        return self.events[place]

    def drop(self, kind: EventType) -> bool:
        """Keep quiet about everything of a type; tell whether there was anything."""
        kept = [event for event in self.events if event.type is not kind]
        dropped = len(kept) < len(self.events)
        self.events = kept
        return dropped

    def plan(self, rule: str, subject: str = "") -> None:
        """Write down that the case shows a violation."""
        self.planned.add(Planned(rule, subject))

    def plan_at(self, rule: str, event: Event | None, about: str = "") -> None:
        """Write down that an event shows a violation; where the event could not be told, nothing."""
        if event is not None:
            self.plan(rule, f"{about}:{key(event)}" if about else key(event))

    def chance(self, share: float) -> bool:
        """Draw whether something that befalls a share of cases befalls this one."""
        return self.rng.random() < share

    def is_seen_at_once(self) -> bool:
        """Tell whether acceptance and finish are told by live sources, so that a breach is known when it happens."""
        sources = (self._visit.senders.get(kind) for kind in (EventType.ACCEPT, EventType.FINISH))
        return all(source is not None and source.lateness_hours == 0 for source in sources)

    def knows_seconds(self, kind: EventType) -> bool:
        """Tell whether the source of a type writes down the second."""
        source = self._visit.senders.get(kind)
        return source is not None and source.precision == "second"

    def reports_at_end(self, kind: EventType) -> bool:
        """Tell whether the source of a type reports suspensions only once they have ended."""
        source = self._visit.senders.get(kind)
        return source is not None and source.suspensions_at_end

    def needs(self, step: EventType) -> bool:
        """Tell whether a step belongs to cases of this item; where the catalogue names none, all eight but consult."""
        steps = self.counter.steps
        return step in steps if steps else step is not EventType.CONSULT

    def minutes(self, low: float, high: float, latest: float | None = None) -> None:
        """Let some minutes of office time pass, but not go beyond `latest`."""
        self._pass((low + self.rng.random() * (high - low)) * self._minute, latest)

    def days(self, mean: float, latest: float | None = None) -> None:
        """Let office days pass, most often fewer than the mean, seldom many more, but not go beyond `latest`."""
        self._pass(self.rng.expovariate(1 / mean), latest)

    def _pass(self, days: float, latest: float | None) -> None:
        """Move on; what would go beyond `latest` falls somewhere into the room that is left."""
        if latest is None or days < (room := latest - self.at):
            self.at += days
        else:
            self.at += max(0.0, room) * (0.3 + 0.6 * self.rng.random())

    def within(self, limit: Limit, since: float | None = None) -> float:
        """Tell until when an act is in time, counted from an office time or from now."""
        return self.timetable.latest(self.day, self.at if since is None else since, limit)

    def closing(self) -> float:
        """Tell until when an act counts as done on the same day."""
        return self.timetable.closing(self.day, self.at)

    def on_to(self, at: float) -> None:
        """Move on to where a step is taken, not later than the limit of the step before it allows.

        Only a case that is late by plan goes beyond, and then breaks that limit as well (V03).
        """
        latest = self.step_latest()
        if self.late and self._step is not None and at >= overdue(latest):
            self.plan("V03", f"step:{self._step[0].value}")
        else:
            at = min(at, latest)
        self.at = max(self.at, at)

    def step_latest(self) -> float:
        """Tell until when the next step has to be taken, by the limit of the last one; infinity where it has none."""
        if self._step is None:
            return inf
        step, since = self._step
        limit = self.counter.step_limits.get(step)
        return inf if limit is None else self.within(limit, since)

    def instant(self) -> datetime:
        """Give the time reached as an instant."""
        return self.timetable.instant(self.day, self.at)
