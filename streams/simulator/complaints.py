"""Processes beside the cases: complaints (投诉), and requests of enterprises on the direct line (企业诉求)."""

from typing import Final

from monitor.events import Channel, EventData, EventType
from monitor.rulebook.model import parse_limit
from streams.simulator.mix import Mix
from streams.simulator.proceeding import Proceeding
from streams.simulator.timetable import overdue
from streams.simulator.words import ANSWERS, COMPLAINTS, REQUESTS, SETTLED

T = EventType

CHANNELS: Final[tuple[Channel, ...]] = ("hotline", "hotline", "online", "window")
"""How people complain, and enterprises ask: most often by telephone."""
_UNSTATED: Final = parse_limit("30 wd")
_AGAINST: Final = 0.3
"""Share of complaints that name somebody."""
_STAFF: Final = 3


def complain(case: Proceeding, mix: Mix) -> None:
    """Complain of a department: accepted within days, looked into and answered within weeks.

    About 18 working days, which leaves some eleven open of those Yulin had in ten months (domain.md 4.4).
    """
    if case.chance(mix.mishandled):
        return case.rng.choice((_accepted_late, _answered_late, _filed_again, _handled_by_oneself))(case)
    against = case.operator("accept") if case.chance(_AGAINST) else None
    return _complaint(case, _clerk(case), against)


def request(case: Proceeding, mix: Mix) -> None:
    """Ask for something as an enterprise on the direct line, and have it settled within the limit."""
    limit = case.counter.request or _UNSTATED
    case.tell(T.REQUEST_FILED, data=EventData(text=case.rng.choice(REQUESTS)))
    if case.counter.request is not None and case.chance(mix.mishandled):
        case.at = overdue(case.within(limit)) + case.rng.random()
        case.plan("V28", "request:1")
    else:
        case.at += float(limit.days) * case.rng.uniform(0.1, 0.8)
    case.tell(T.REQUEST_CLOSED, "accept", EventData(text=case.rng.choice(SETTLED)), operator=_clerk(case))


def _complaint(
    case: Proceeding, clerk: str, against: str | None = None, *, late_acceptance: bool = False, late: bool = False
) -> None:
    """Take a complaint from its filing to its answer, in time or not."""
    acceptance, whole = case.counter.complaint_accept or _UNSTATED, case.counter.complaint or _UNSTATED
    case.tell(T.COMPLAINT_FILED, data=EventData(text=case.rng.choice(COMPLAINTS), against=against))
    if late_acceptance:
        case.at = overdue(case.within(acceptance)) + case.rng.random()
    else:
        case.days(0.8, case.within(acceptance))
    case.tell(T.COMPLAINT_ACCEPTED, "accept", operator=clerk)
    if late:
        case.at = overdue(case.within(whole)) + case.rng.random()
    else:
        case.at += float(whole.days) * case.rng.uniform(0.25, 0.9)
    case.tell(T.COMPLAINT_CLOSED, "accept", EventData(text=case.rng.choice(ANSWERS)), operator=clerk)


def _accepted_late(case: Proceeding) -> None:
    """Accept a complaint after the limit for it (V28)."""
    _complaint(case, _clerk(case), late_acceptance=case.counter.complaint_accept is not None)
    if case.counter.complaint_accept is not None:
        case.plan("V28", "complaint_accept:1")


def _answered_late(case: Proceeding) -> None:
    """Answer a complaint after the limit for it (V28)."""
    _complaint(case, _clerk(case), late=case.counter.complaint is not None)
    if case.counter.complaint is not None:
        case.plan("V28", "complaint:1")


def _filed_again(case: Proceeding) -> None:
    """Answer a complaint so that it is filed again (V28)."""
    clerk = _clerk(case)
    _complaint(case, clerk)
    case.at += 1 + 4 * case.rng.random()
    _complaint(case, clerk)
    case.plan("V28", "reopened:complaint:2")


def _handled_by_oneself(case: Proceeding) -> None:
    """Let a complaint be handled by the person complained of (V28)."""
    person = case.operator("accept")
    _complaint(case, person, person)
    case.plan("V28", "own_case:1")


def _clerk(case: Proceeding) -> str:
    """Name one of the centre's own staff: nobody of the department is asked about himself."""
    return f"centre-{case.rng.randint(1, _STAFF):02}"
