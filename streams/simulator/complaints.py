"""Processes beside the cases: complaints (投诉), and requests of enterprises on the direct line (企业诉求)."""

from typing import Final

from monitor.events import Channel, EventData, EventType
from monitor.rulebook.model import parse_limit
from streams.simulator.proceeding import Proceeding
from streams.simulator.words import ANSWERS, COMPLAINTS, REQUESTS, SETTLED

CHANNELS: Final[tuple[Channel, ...]] = ("hotline", "hotline", "online", "window")
"""How people complain, and enterprises ask: most often by telephone."""
_UNSTATED: Final = parse_limit("30 wd")
_AGAINST: Final = 0.3
"""Share of complaints that name somebody."""
_STAFF: Final = 3


def complain(case: Proceeding) -> None:
    """Complain of a department: accepted within days, looked into and answered within weeks.

    About 18 working days, which leaves some eleven open of those Yulin had in ten months (domain.md 4.4).
    """
    against = case.operator("accept") if case.chance(_AGAINST) else None
    case.tell(EventType.COMPLAINT_FILED, data=EventData(text=case.rng.choice(COMPLAINTS), against=against))
    clerk = _clerk(case)
    case.days(0.8, case.within(case.counter.complaint_accept or _UNSTATED))
    case.tell(EventType.COMPLAINT_ACCEPTED, "accept", operator=clerk)
    case.at += float((case.counter.complaint or _UNSTATED).days) * case.rng.uniform(0.25, 0.9)
    case.tell(EventType.COMPLAINT_CLOSED, "accept", EventData(text=case.rng.choice(ANSWERS)), operator=clerk)


def request(case: Proceeding) -> None:
    """Ask for something as an enterprise on the direct line, and have it settled within the limit."""
    case.tell(EventType.REQUEST_FILED, data=EventData(text=case.rng.choice(REQUESTS)))
    case.at += float((case.counter.request or _UNSTATED).days) * case.rng.uniform(0.1, 0.8)
    case.tell(EventType.REQUEST_CLOSED, "accept", EventData(text=case.rng.choice(SETTLED)), operator=_clerk(case))


def _clerk(case: Proceeding) -> str:
    """Name one of the centre's own staff: nobody of the department is asked about himself."""
    return f"centre-{case.rng.randint(1, _STAFF):02}"
