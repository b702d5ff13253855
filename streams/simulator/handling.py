"""Handling an accepted case: passed on, inspected, suspended, extended, decided and finished within its limits."""

from typing import Final

from monitor.events import EventData, EventType, Procedure
from streams.simulator.intake import bring_deferred
from streams.simulator.mix import Mix
from streams.simulator.outcome import decide, finish, hand_over
from streams.simulator.proceeding import Proceeding
from streams.simulator.words import COMPLEX, PROCEDURES

LEAST_MINUTES: Final = (20.0, 60.0)
"""However simple a case, somebody reads it before he decides."""
_FINISH_DAYS: Final = 1.5
"""What lies at most between a decision and the finish, so that art. 44 leaves time to issue."""


def lawful_until(case: Proceeding, since: float) -> float:
    """Tell until when both promise and law are kept, counted from an office time."""
    latest = case.within(case.counter.decided_within, since)
    if case.counter.statutory is not None:
        latest = min(latest, case.within(case.counter.statutory, since))
    return latest


def in_time(case: Proceeding, pace: float, since: float) -> float:
    """Draw when a case is finished: promises are slack, so most often after a fraction of the limit."""
    latest = lawful_until(case, since)
    now = case.at
    case.minutes(*LEAST_MINUTES, latest)
    case.days(max(0.05, pace * float(case.counter.decided_within.days)), latest)
    end, case.at = case.at, now
    return end


def transfer(case: Proceeding, end: float) -> None:
    """Pass the case on inside the department soon after acceptance."""
    if case.needs(EventType.TRANSFER):
        case.minutes(5, 60, case.at + (end - case.at) * 0.2)
        case.tell(EventType.TRANSFER, "accept")


def handle(
    case: Proceeding, mix: Mix, end: float, *, decided_at: float | None = None, transferred: bool = False
) -> None:
    """Take an accepted case through review and decision to its finish at `end`, then hand over and archive."""
    bring_deferred(case, case.at + (end - case.at) * 0.5)
    if not transferred:
        transfer(case, end)
    if case.chance(mix.inspected):
        case.at += (end - case.at) * 0.3
        officers = (case.operator("review"), f"{case.counter.item.department}-inspector")
        case.tell(EventType.SITE_CHECK, "review", EventData(officers=officers))
    granted = not case.chance(mix.denied)
    if decided_at is None:
        decided_at = end - min(_FINISH_DAYS, 0.3 * (end - case.at)) * case.rng.random()
    decided_at = decide(case, decided_at, granted=granted)
    finish(case, end, mix, granted=granted)
    hand_over(case, mix, decided_at, granted=granted)


def suspension(case: Proceeding, procedure: Procedure, planned_days: float) -> EventData:
    """Write down a suspension as art. 45 asks for it: what for, on which basis, for how long, told and allowed."""
    return EventData(
        procedure=procedure,
        legal_basis="行政许可法第四十五条",
        text=case.rng.choice(PROCEDURES),
        planned_days=planned_days,
        told_at=case.instant(),
        approver=case.head,
        approver_role="organ_head",
    )


def extension(case: Proceeding) -> EventData:
    """Write down an extension as art. 42 asks for it."""
    return EventData(
        days=float(case.counter.extension_days),
        reason_code="complex_case",
        text=case.rng.choice(COMPLEX),
        legal_basis="行政许可法第四十二条",
        approver=case.head,
        approver_role="government_head" if case.counter.legs else "organ_head",
        told_at=case.instant(),
    )


def hear(case: Proceeding) -> None:
    """Hold a hearing, in the chair somebody who does not review the case (art. 48)."""
    department = case.counter.item.department
    case.tell(EventType.HEARING, "review", EventData(chair=f"{department}-legal", officers=(f"{department}-recorder",)))
