"""From the first question to acceptance: ticket, consult, apply, supplement, refuse, accept."""

from monitor.events import EventData, EventType
from streams.simulator.mix import Mix
from streams.simulator.proceeding import Proceeding
from streams.simulator.words import NOT_COMPETENT

_AWAITED_DAYS = 12.0
"""How long applicants take at most to bring what was missing, in office days."""
_DEFERRED_DAYS = 10
"""Within how many office days a material accepted as missing is to be brought (容缺受理)."""


def consult(case: Proceeding) -> None:
    """Ask and be answered, within the reply limit where there is one."""
    case.tell(EventType.CONSULT)
    reply = case.counter.reply
    case.minutes(2, 25, case.within(reply) if reply is not None else case.closing())
    case.tell(EventType.REPLY, "accept")


def apply(case: Proceeding, mix: Mix) -> None:
    """Hand in an application, now and then after asking first, or after waiting for one's number to be called."""
    if not case.by_oneself and case.chance(mix.ticketed):
        case.tell(EventType.TICKET)
        case.minutes(3, 20, case.closing())
    if EventType.CONSULT in case.counter.steps or case.chance(mix.consulted_first):
        consult(case)
        case.minutes(5, 40, case.closing())
    case.tell(EventType.APPLY, None if case.by_oneself else "accept")


def refuse(case: Proceeding, mix: Mix) -> None:
    """Apply where one is not competent: refused at once, with voucher, reason and remedies (art. 32, 38)."""
    apply(case, mix)
    case.minutes(5, 40, case.closing())
    data = EventData(
        voucher=f"BSL-{case.case}",
        reason_code="not_competent",
        text=case.rng.choice(NOT_COMPETENT),
        legal_basis="行政许可法第三十二条",
        remedies_told=True,
    )
    case.tell(EventType.REFUSE, "accept", data)


def accept(case: Proceeding, mix: Mix, *, deferrable: bool = False) -> None:
    """Apply and be accepted within the notice limit, after a supplement where something was missing.

    `deferrable`: something minor may be accepted as missing; whoever lets it be has `bring_deferred` follow.
    """
    apply(case, mix)
    if case.chance(mix.supplemented):
        supplement(case)
        case.minutes(10, 60, case.closing())
    else:
        look_through(case)
        if deferrable and case.chance(mix.deferred) and case.tells(EventType.ACCEPT, EventType.DEFERRED_RECEIVED):
            return accept_deferred(case)
    return voucher(case)


def accept_today(case: Proceeding, mix: Mix) -> None:
    """Apply and be accepted on the spot; materials are complete, or put right at the window (art. 32(1)(3))."""
    apply(case, mix)
    case.minutes(3, 15, case.closing())
    voucher(case)


def supplement(case: Proceeding) -> None:
    """Be told once of everything missing, and bring all of it."""
    look_through(case)
    materials = tuple(material.code for material in case.counter.item.materials[:2])
    case.tell(EventType.SUPPLEMENT_NOTICE, "accept", EventData(materials=materials or None))
    case.days(2.5, case.at + _AWAITED_DAYS)
    case.tell(EventType.SUPPLEMENT_RECEIVED, None if case.by_oneself else "accept")


def look_through(case: Proceeding) -> None:
    """Check the materials: while the applicant waits, or within days where he is not there."""
    latest = case.within(case.counter.notice)
    if case.by_oneself:
        case.days(0.4, latest)
    else:
        case.minutes(5, 40, latest)


def voucher(case: Proceeding, data: EventData | None = None) -> None:
    """Accept with a dated, sealed voucher (art. 32(2))."""
    case.tell(EventType.ACCEPT, "accept", data or EventData(voucher=f"SL-{case.case}"))


def accept_deferred(case: Proceeding) -> None:
    """Accept although something minor is missing, to be brought by a day that is told (容缺受理)."""
    case.deferred_until = case.timetable.instant(case.day, case.at + _DEFERRED_DAYS)
    voucher(case, EventData(voucher=f"SL-{case.case}", deferred_until=case.deferred_until))


def bring_deferred(case: Proceeding, by: float) -> None:
    """Bring what was accepted as missing, before an office time and in time for the next step."""
    if case.deferred_until is not None:
        case.at += min(by - case.at, case.step_latest() - case.at, _DEFERRED_DAYS - 0.5) * (
            0.1 + 0.8 * case.rng.random()
        )
        case.tell(EventType.DEFERRED_RECEIVED, None if case.by_oneself else "accept")
