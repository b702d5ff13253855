"""What befalls the whole centre: a source that goes silent (V31), a catalogue loosened while cases are open (V23)."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from msgspec.structs import replace

from monitor.events import CONSOLE, EventType
from monitor.rulebook.model import Item, Rulebook, parse_limit
from streams.simulator.year import SimulatedCase

_DAY = timedelta(days=1)


class Outage(NamedTuple):
    """A source of which nothing is heard on a day."""

    source: str
    day: date

    def spares(self, case: SimulatedCase, zone: tzinfo) -> bool:
        """Tell whether a case had nothing to tell through the source, on that day or so late that it came then."""
        days = (self.day, self.day - _DAY)
        return not any(
            event.source == self.source and (event.recorded or event.time).astimezone(zone).date() in days
            for event in case.events
        )


class Loosening(NamedTuple):
    """An item whose promise is made a day longer at an instant, while cases of it are open."""

    item: str
    at: datetime

    def applied(self, rulebook: Rulebook) -> Rulebook:
        """Give the rulebook with the longer promise."""
        items = tuple(_longer(item) if item.code == self.item else item for item in rulebook.items)
        return replace(rulebook, items=items)


def outage_of(rulebook: Rulebook, day: date) -> Outage | None:
    """Choose the source that is silent: one through which applicants act, so that few cases wait for it.

    A source of which things may come a day late is silent by nature.
    """
    for source in rulebook.sources:
        may_be = source.code != CONSOLE and not source.lateness_hours and source.can_send(EventType.HEARTBEAT)
        if may_be and not source.can_send(EventType.FINISH):
            return Outage(source.code, day)
    return None


def loosening_of(rulebook: Rulebook, cases: Iterable[SimulatedCase], at: datetime) -> Loosening | None:
    """Choose the item: one with a case open then, and none that is made to show anything and might then not."""
    loosened: set[str] = set()
    spoiled: set[str] = set()
    for case in cases:
        code = case.events[0].item or ""
        if case.planned:
            spoiled.add(code)
        ends = [event.time for event in case.events if event.type is EventType.FINISH]
        if ends and case.events[0].time < at - _DAY and at + _DAY < ends[0] and _can_be_longer(rulebook.item.get(code)):
            loosened.add(code)
    codes = sorted(loosened - spoiled)
    return Loosening(codes[0], at) if codes else None


def _can_be_longer(item: Item | None) -> bool:
    if item is None or item.type != "promised" or item.promised_limit is None or item.statutory_limit is None:
        return False
    promised, statutory = parse_limit(item.promised_limit), parse_limit(item.statutory_limit)
    return promised.unit == statutory.unit and promised.days + 1 <= statutory.days


def _longer(item: Item) -> Item:
    assert item.promised_limit is not None, "only an item with a promise is chosen"
    promised = parse_limit(item.promised_limit)
    return replace(item, promised_limit=f"{promised.days + 1} {promised.unit}")
