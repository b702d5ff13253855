"""Dirty feeds: what approval systems do to a clean course of events, and how such a system has to be declared.

Each kind of dirt changes what is told, or when it is delivered, and says what its source must be declared as, as
`monitor readiness` would advise. Pure functions; the same seed soils the same way.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

import msgspec

from monitor.events import Event, EventType
from monitor.rulebook.model import Rulebook, Source
from streams.simulator.year import SimulatedCase

T = EventType

SKEW_MINUTES: Final = 10
LATE_SHARE: Final = 0.03
LATE_HOURS: Final = 24
NIGHTLY_AT: Final = time(1)


class Sent(NamedTuple):
    """An event, and when it is delivered."""

    at: datetime
    event: Event


class Feed(NamedTuple):
    """What soiling may look at: the rulebook, and the seed."""

    rulebook: Rulebook
    seed: int

    def rng(self, *about: str) -> Random:
        """Give a generator that draws the same about the same."""
        return Random("/".join((str(self.seed), *about)))


class Dirt(NamedTuple):
    """A kind of dirt: what becomes of the events of one case, and how a source that does this is declared."""

    soil: Callable[[list[Sent], Feed], list[Sent]]
    declare: Callable[[Source, Feed], Source]


def deliver(cases: Iterable[SimulatedCase], feed: Feed, dirts: Sequence[Dirt] = ()) -> Iterator[Sent]:
    """Yield the events of cases, given in order of their beginning, in the order in which they are delivered.

    A clean feed delivers each event when it is recorded.
    """
    waiting: list[tuple[datetime, int, Event]] = []
    number = 0
    for case in cases:
        while waiting and waiting[0][0] < case.midnight:
            at, _, event = heappop(waiting)
            yield Sent(at, event)
        sent = [Sent(event.recorded or event.time, event) for event in case.events]
        for dirt in dirts:
            sent = dirt.soil(sent, feed)
        for at, event in sent:
            number += 1
            heappush(waiting, (at, number, event))
    while waiting:
        at, _, event = heappop(waiting)
        yield Sent(at, event)


def declared(feed: Feed, dirts: Sequence[Dirt]) -> Rulebook:
    """Give the rulebook with its sources declared as what they are once soiled."""
    sources = list(feed.rulebook.sources)
    for dirt in dirts:
        sources = [dirt.declare(source, feed) for source in sources]
    return msgspec.structs.replace(feed.rulebook, sources=tuple(sources))


def enveloped(sent: Sent) -> bytes:
    """Write an event as a line of a CloudEvents envelope, which says besides when it is delivered (`received`)."""
    event = msgspec.to_builtins(sent.event, builtin_types=(datetime,))
    envelope = {"specversion": "1.0", "received": sent.at, "subject": event.pop("case", None)}
    envelope |= {name: event.pop(name) for name in ("id", "source", "type", "time")}
    return msgspec.json.encode({**envelope, "data": event})


def sources_section(rulebook: Rulebook) -> str:
    """Write the sources of a rulebook as the section of its files they stand in."""
    return "sources:\n" + "".join(f"  - {msgspec.json.encode(source).decode()}\n" for source in rulebook.sources)


def _as_it_is(source: Source, feed: Feed) -> Source:
    return source


def _off_by_source(sent: list[Sent], feed: Feed) -> list[Sent]:
    """Let the clock of each system be wrong by up to ten minutes, always by the same."""
    limit = 60 * SKEW_MINUTES
    return [
        _shifted(each, timedelta(seconds=feed.rng("clock", each.event.source).randint(-limit, limit))) for each in sent
    ]


def _shifted(sent: Sent, offset: timedelta) -> Sent:
    event, data = sent.event, sent.event.data
    if data.told_at is not None:
        data = msgspec.structs.replace(data, told_at=data.told_at + offset)
    recorded = (event.recorded or event.time) + offset
    return Sent(sent.at, msgspec.structs.replace(event, time=event.time + offset, recorded=recorded, data=data))


def _off_by_event(sent: list[Sent], feed: Feed) -> list[Sent]:
    """Let every terminal's clock be wrong by up to ten minutes, while the database records in truth."""
    limit = 60 * SKEW_MINUTES
    rng = feed.rng("terminal", sent[0].event.case or "") if sent else feed.rng()
    offsets = (timedelta(seconds=rng.randint(-limit, limit)) for _ in sent)
    return [
        Sent(each.at, msgspec.structs.replace(each.event, time=each.event.time + offset))
        for each, offset in zip(sent, offsets, strict=True)
    ]


def _tolerant(source: Source, feed: Feed) -> Source:
    """Two clocks of ten minutes each may be twenty apart."""
    tolerance = max(source.tolerance_minutes, 2 * SKEW_MINUTES)
    return msgspec.structs.replace(source, tolerance_minutes=tolerance, skew_minutes=SKEW_MINUTES)


def _some_a_day_late(sent: list[Sent], feed: Feed) -> list[Sent]:
    """Deliver a few events nearly a day after they were recorded."""
    rng = feed.rng("late", sent[0].event.case or "") if sent else feed.rng()
    return [
        Sent(each.at + timedelta(hours=LATE_HOURS - 4 * rng.random()), each.event)
        if rng.random() < LATE_SHARE
        else each
        for each in sent
    ]


def _nightly(sent: list[Sent], feed: Feed) -> list[Sent]:
    """Deliver everything of a day in the night after it."""
    zone = feed.rulebook.days.zone
    delivered = []
    for at, event in sent:
        night = datetime.combine(at.astimezone(zone).date() + timedelta(days=1), NIGHTLY_AT, zone)
        delivered.append(Sent(night.astimezone(UTC), event))
    return delivered


def _a_day_late(source: Source, feed: Feed) -> Source:
    return msgspec.structs.replace(source, lateness_hours=max(source.lateness_hours, LATE_HOURS))


def _dates_only(sent: list[Sent], feed: Feed) -> list[Sent]:
    """Keep the day of each event and forget the time."""
    zone = feed.rulebook.days.zone
    dated = []
    for at, event in sent:
        midnight = datetime.combine(event.time.astimezone(zone).date(), time(), zone).astimezone(UTC)
        dated.append(Sent(at, msgspec.structs.replace(event, time=midnight)))
    return dated


def _knows_days(source: Source, feed: Feed) -> Source:
    return msgspec.structs.replace(source, precision="day")


def _losing(*lost: EventType) -> Dirt:
    """Never tell of some steps."""

    def soil(sent: list[Sent], feed: Feed) -> list[Sent]:
        return [each for each in sent if each.event.type not in lost]

    def declare(source: Source, feed: Feed) -> Source:
        types = source.types or tuple(EventType)
        return msgspec.structs.replace(source, types=tuple(kind for kind in types if kind not in lost))

    return Dirt(soil, declare)


def _at_their_end(sent: list[Sent], feed: Feed) -> list[Sent]:
    """Tell of a suspension once it has ended; of one that has not, nothing."""
    told: list[Sent] = []
    for place, (at, event) in enumerate(sent):
        if event.type is not T.SUSPEND:
            told.append(Sent(at, event))
            continue
        end = next((each for each in sent[place:] if each.event.type is T.RESUME), None)
        if end is not None:
            recorded = max(event.recorded or event.time, end.event.recorded or end.event.time)
            told.append(Sent(max(at, end.at), msgspec.structs.replace(event, recorded=recorded)))
    return told


def _tells_at_end(source: Source, feed: Feed) -> Source:
    return msgspec.structs.replace(source, suspensions_at_end=True)


DIRTS: Final[dict[str, Dirt]] = {
    "skew": Dirt(_off_by_source, _tolerant),
    "jitter": Dirt(_off_by_event, _tolerant),
    "late": Dirt(_some_a_day_late, _a_day_late),
    "late-undeclared": Dirt(_some_a_day_late, _as_it_is),
    "dates": Dirt(_dates_only, _knows_days),
    "lost-accept": _losing(T.ACCEPT),
    "lost-approve": _losing(T.TRANSFER, T.APPROVE),
    "lost-finish": _losing(T.FINISH),
    "at-end": Dirt(_at_their_end, _tells_at_end),
    "nightly": Dirt(_nightly, _a_day_late),
}
"""Every kind of dirt by its name."""
