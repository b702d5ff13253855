"""Suspensions: the special procedures of a case, and which of them stop its clocks (Licensing Law art. 45)."""

from datetime import datetime
from decimal import Decimal

import msgspec

from monitor.calendar import CalendarError
from monitor.counting import counting_for
from monitor.events import PROCEDURES, Event, EventType
from monitor.rulebook.model import Item, Limit
from monitor.timing import Armory
from monitor.verdict import Pause

T = EventType


class Suspension(msgspec.Struct, frozen=True):
    """One special procedure: the event that began it and those that told of it again, and the one that ended it.

    `planned_until`: when the days told to the applicant are used up. `is_valid`: it stops the clocks.
    """

    begun: Event
    told_again: tuple[Event, ...] = ()
    ended: Event | None = None
    planned_until: datetime | None = None
    is_valid: bool = False

    @property
    def procedure(self) -> str:
        """Code of the procedure, empty where it was not told."""
        return self.begun.data.procedure or ""

    @property
    def told(self) -> tuple[Event, ...]:
        """Every event that told of its beginning."""
        return (self.begun, *self.told_again)


def suspensions_of(armory: Armory) -> tuple[Suspension, ...]:
    """Find the special procedures of a case, in the order in which they began.

    A pause lasts no longer than the days told to the applicant; after them the same procedure may begin anew. A
    resume that names a suspended procedure ends that one, valid or not; any other ends all.
    """
    item, under_way = armory.item, dict[str, Suspension]()
    found: list[Suspension] = []
    for event in armory.case.all(T.SUSPEND, T.RESUME):
        procedure = event.data.procedure or ""
        if event.type is T.RESUME:
            ended = [procedure] if procedure and procedure in under_way else list(under_way)
            found += [msgspec.structs.replace(under_way.pop(name), ended=event) for name in ended]
            continue
        before = under_way.get(procedure)
        if before is not None and before.planned_until is not None and before.planned_until < event.time:
            found.append(under_way.pop(procedure))
        elif before is not None:
            under_way[procedure] = msgspec.structs.replace(before, told_again=(*before.told_again, event))
            continue
        is_valid = procedure in allowed_procedures(item)
        under_way[procedure] = Suspension(event, planned_until=_planned_until(armory, event), is_valid=is_valid)
    return tuple(sorted((*found, *under_way.values()), key=lambda suspension: suspension.begun.order))


def allowed_procedures(item: Item | None) -> frozenset[str]:
    """List the procedures that may suspend a case: of the closed list of eight, those its item may need."""
    return PROCEDURES if item is None or item.procedures is None else PROCEDURES.intersection(item.procedures)


def pauses_of(suspensions: tuple[Suspension, ...]) -> tuple[Pause, ...]:
    """Give the pauses that valid suspensions make."""
    return tuple(
        Pause(each.begun.time, each.ended.time if each.ended is not None else None, each.planned_until)
        for each in suspensions
        if each.is_valid
    )


def _planned_until(armory: Armory, suspension: Event) -> datetime | None:
    if suspension.data.planned_days is None:
        return None
    days = suspension.data.planned_days
    try:
        # Not the counting of a limit, which is kept: sources may tell any number of days.
        terms, limit = armory.terms, Limit(Decimal(str(days)), "wd")
        counting = counting_for(terms.known_profile, terms.current.days, limit, by_days=terms.by_days)
        return counting.planned_until(suspension.time, days)
    except CalendarError:
        return None
