"""The processes beside the approval: complaints, and requests of enterprises on the direct line (企业诉求).

Each has a case number of its own, or is told within the case of an application, which goes its own way then. Filed or
accepted again after it was closed, it begins a new round.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from monitor.case import CaseFile
from monitor.events import NO_ITEM, Event, EventType
from monitor.timing import Armory, armory_of, key, run
from monitor.verdict import Clock, ClockName, Stage

T = EventType


class Process(msgspec.Struct, frozen=True):
    """What opens, takes up and closes a process; `taken_up` None: nothing does."""

    name: str
    filed: EventType
    taken_up: EventType | None
    closed: EventType


COMPLAINT: Final = Process("complaint", T.COMPLAINT_FILED, T.COMPLAINT_ACCEPTED, T.COMPLAINT_CLOSED)
REQUEST: Final = Process("request", T.REQUEST_FILED, None, T.REQUEST_CLOSED)


class Round(msgspec.Struct):
    """One time a complaint or request was taken through; `number` counts from 1."""

    number: int
    filed: Event | None = None
    taken_up: Event | None = None
    closed: Event | None = None

    @property
    def opened(self) -> Event | None:
        """The event the round began with, as far as one was told."""
        return self.filed or self.taken_up


def rounds_of(case: CaseFile, process: Process) -> list[Round]:
    """Take a case's complaint or request apart into rounds; what clocks that disagree put in wrong order is one."""
    rounds: list[Round] = []
    if NO_ITEM.isdisjoint(case.by_type):
        return rounds
    kinds = tuple(kind for kind in (process.filed, process.taken_up, process.closed) if kind is not None)
    for event in case.all(*kinds):
        last = rounds[-1] if rounds else None
        if event.type is process.closed:
            if last is None:
                rounds.append(Round(1, closed=event))
            elif last.closed is None:
                last.closed = event
            continue
        if last is None or (last.closed is not None and case.before(last.closed, event)):
            last = Round(len(rounds) + 1)
            rounds.append(last)
        if event.type is process.filed:
            last.filed = last.filed or event
        else:
            last.taken_up = last.taken_up or event
    return rounds


def process_clocks(case: CaseFile) -> Iterator[Clock]:
    """Run each round's clocks, where the deployment sets their limits: to acceptance, and from there to the close."""
    if NO_ITEM.isdisjoint(case.by_type):
        return
    armory = armory_of(case, case.before_acceptance, beside=True)
    limits = armory.limits
    for turn in rounds_of(case, COMPLAINT):
        answered = turn.taken_up or turn.closed
        yield from _clock(armory, "complaint_accept", turn, turn.filed, answered, limits.complaint_accept)
        yield from _clock(armory, "complaint", turn, turn.taken_up, turn.closed, limits.complaint)
    for turn in rounds_of(case, REQUEST):
        yield from _clock(armory, "request", turn, turn.filed, turn.closed, limits.request)


_ENDS: Final[dict[str, tuple[tuple[EventType, ...], ...]]] = {
    "complaint_accept": ((T.COMPLAINT_FILED,), (T.COMPLAINT_ACCEPTED, T.COMPLAINT_CLOSED)),
    "complaint": ((T.COMPLAINT_ACCEPTED,), (T.COMPLAINT_CLOSED,)),
    "request": ((T.REQUEST_FILED,), (T.REQUEST_CLOSED,)),
}


def _clock(
    armory: Armory, name: ClockName, turn: Round, start: Event | None, end: Event | None, limit: str | None
) -> Iterator[Clock]:
    if start is None or limit is None:
        return
    department = start.department or armory.case.department
    blank = Clock(name=name, phase="unobserved", subject=str(turn.number), department=department)
    yield run(armory, blank, start.time, key(start), end, limit) if armory.observed(*_ENDS[name]) else blank


def stage_of(case: CaseFile) -> Stage | None:
    """Tell how far the latest round of a case's complaint, else of its request, has come; None: it has neither."""
    complaints, requests = rounds_of(case, COMPLAINT), rounds_of(case, REQUEST)
    if complaints:
        if complaints[-1].closed is not None:
            return Stage.COMPLAINT_CLOSED
        return Stage.COMPLAINT_FILED if complaints[-1].taken_up is None else Stage.COMPLAINT_ACCEPTED
    if requests:
        return Stage.REQUEST_FILED if requests[-1].closed is None else Stage.REQUEST_CLOSED
    return None
