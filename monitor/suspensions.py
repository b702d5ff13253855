"""Suspensions: which of a case's special procedures stop its clocks, and for how long (Licensing Law art. 45)."""

from datetime import datetime
from decimal import Decimal

import msgspec

from monitor.calendar import CalendarError
from monitor.counting import counting_for
from monitor.events import PROCEDURES, Event, EventType
from monitor.rulebook.model import Limit
from monitor.timing import Armory
from monitor.verdict import Pause

T = EventType


def pauses_of(armory: Armory) -> tuple[Pause, ...]:
    """Find the valid suspensions: one of the eight procedures, and one the item may need.

    A pause lasts no longer than the days told to the applicant; after them the same procedure may begin anew. A
    resume that names a suspended procedure ends that one, valid or not; any other ends all.
    """
    item = armory.item
    allowed = PROCEDURES if item is None or item.procedures is None else frozenset(item.procedures)
    under_way: dict[str, Pause | None] = {}  # None: a suspension that stops nothing
    pauses: list[Pause] = []
    for event in armory.case.all(T.SUSPEND, T.RESUME):
        procedure = event.data.procedure or ""
        if event.type is T.RESUME:
            ended = [procedure] if procedure and procedure in under_way else list(under_way)
            resumed = [pause for name in ended if (pause := under_way.pop(name)) is not None]
            pauses += [msgspec.structs.replace(pause, until=event.time) for pause in resumed]
            continue
        before = under_way.get(procedure)
        if before is not None and before.planned_until is not None and before.planned_until < event.time:
            pauses.append(before)
            del under_way[procedure]
        if procedure not in under_way:
            valid = procedure in PROCEDURES & allowed
            planned = _planned_until(armory, event) if valid else None
            under_way[procedure] = Pause(event.time, planned_until=planned) if valid else None
    pauses += [pause for pause in under_way.values() if pause is not None]
    return tuple(sorted(pauses, key=lambda pause: pause.since))


def _planned_until(armory: Armory, suspension: Event) -> datetime | None:
    if suspension.data.planned_days is None:
        return None
    days = suspension.data.planned_days
    try:
        # Not the counting of a limit, which is kept: sources may tell any number of days.
        limit, by_days = Limit(Decimal(str(days)), "wd"), armory.case.by_days
        counting = counting_for(armory.profile, armory.case.current.days, limit, by_days=by_days)
        return counting.planned_until(suspension.time, days)
    except CalendarError:
        return None
