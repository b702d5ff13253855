"""The courses a case can take, one small function each; a clean course breaks no rule, the others say which."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from monitor.events import Due, EventData, EventType, Procedure
from monitor.rulebook.model import ItemType
from streams.simulator.hall import Counter
from streams.simulator.handling import (
    LEAST_MINUTES,
    extension,
    handle,
    hear,
    in_time,
    lawful_until,
    suspension,
    transfer,
)
from streams.simulator.intake import accept, accept_today, apply, consult, refuse, voucher
from streams.simulator.mix import Mix
from streams.simulator.outcome import decide, finish, granted_opinion, hand_over
from streams.simulator.proceeding import Proceeding
from streams.simulator.timetable import overdue
from streams.simulator.words import CHANGED_PLANS

_SUSPENDABLE_DAYS: Final = 4
"""Promises shorter than this leave no room for a procedure of art. 45 that is not late either way of counting it."""
_DEEMED_DAYS: Final = 15
"""Promises shorter than this (calendar days at worst) would be broken too by a notice that comes after a week."""
_PLANNED_DAYS: Final = (5.0, 10.0, 15.0, 20.0)


def visit(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let a visitor in: a question only, a refusal, or the course of the item's type.

    `pace` is the share of the promise that handling takes on average.
    """
    if case.chance(mix.consulted_only):
        consult(case)
    elif case.chance(mix.refused):
        refuse(case, mix)
    else:
        _BY_TYPE[case.counter.item.type](case, mix, pace)


def instant(case: Proceeding, mix: Mix, pace: float) -> None:
    """即办件: accepted, decided and finished on the same day."""
    accept_today(case, mix)
    if case.needs(EventType.TRANSFER):
        case.minutes(1, 5, case.closing())
        case.tell(EventType.TRANSFER, "accept")
    granted = not case.chance(mix.denied)
    case.minutes(5, 30, case.closing())
    decided_at = decide(case, case.at, granted=granted)
    case.minutes(2, 10, case.closing())
    finish(case, case.at, mix, granted=granted)
    hand_over(case, mix, decided_at, today=True, granted=granted)


def promised(case: Proceeding, mix: Mix, pace: float) -> None:
    """承诺件: one of the courses below, almost always on time."""
    draw = case.rng.random()
    for share, course in (
        (mix.late_promised, late_promised),
        (mix.late_statutory, late_statutory),
        (mix.extended, extended),
        (mix.deemed, deemed),
        (mix.withdrawn, withdrawn),
        (mix.suspended, suspended),
        (1.0, on_time),
    ):
        draw -= share
        if draw < 0:
            course(case, mix, pace)
            return


def on_time(case: Proceeding, mix: Mix, pace: float) -> None:
    """Decide and finish well within the promise."""
    accept(case, mix, deferrable=True)
    handle(case, mix, in_time(case, pace, case.at))


def withdrawn(case: Proceeding, mix: Mix, pace: float) -> None:
    """Accept, and then the applicant thinks better of it, and signs or confirms that he does."""
    accept(case, mix)
    end = in_time(case, pace, case.at)
    transfer(case, end)
    case.on_to(case.at + (end - case.at) * 0.7)
    reason = case.rng.choice(CHANGED_PLANS)
    data = EventData(reason_code="applicant_withdrew", text=reason, confirmed=True)
    case.tell(EventType.WITHDRAW, None if case.by_oneself else "accept", data)


def is_suspendable(counter: Counter) -> bool:
    """Tell whether a case may need a procedure of art. 45, and promise and law leave room for it."""
    return bool(counter.item.procedures) and counter.leaves(_SUSPENDABLE_DAYS)


def suspended(case: Proceeding, mix: Mix, pace: float, procedure: Procedure | None = None) -> None:
    """Stop the clocks for a listed procedure of the item, told in writing (art. 45), and go on before it is used up."""
    item, rng = case.counter.item, case.rng
    if not item.procedures or not is_suspendable(case.counter):
        return on_time(case, mix, pace)
    accept(case, mix)
    accepted_at = case.at
    transfer(case, case.at + 0.2)
    case.at += 0.1 + 0.7 * rng.random()
    planned = rng.choice(_PLANNED_DAYS)
    suspended_at, resumed_at = case.at, case.at + planned * (0.2 + 0.7 * rng.random())
    needed: Procedure = rng.choice(item.procedures) if procedure is None else procedure
    data = suspension(case, needed, planned)
    known_at = resumed_at if case.reports_at_end(EventType.SUSPEND) else None
    case.tell(EventType.SUSPEND, "review", data, known_at=known_at)
    if needed == "hearing":
        case.at += (resumed_at - suspended_at) * 0.8
        hear(case)
    case.at = resumed_at
    case.tell(EventType.RESUME, "review", EventData(procedure=needed, result=f"JG-{case.case}"))
    latest = lawful_until(case, accepted_at) - 2 + resumed_at - suspended_at
    case.days(max(0.3, pace * float(case.counter.decided_within.days)), latest)
    end = case.at
    case.at = resumed_at
    return handle(case, mix, end, transferred=True)


def late_promised(case: Proceeding, mix: Mix, pace: float) -> None:
    """Break the promise by a day or two, not the law (V01)."""
    accept(case, mix)
    counter = case.counter
    late_at = overdue(case.within(counter.decided_within)) + 1.5 * case.rng.random()
    lawful = counter.statutory is None or late_at < case.within(counter.statutory)
    if counter.item.promised_limit is None or not lawful:
        return handle(case, mix, in_time(case, pace, case.at))
    case.plan("V01", "promised")
    case.late = True
    return handle(case, mix, late_at)


def late_statutory(case: Proceeding, mix: Mix, pace: float) -> None:
    """Decide past the law's limit (V02), and so past the promise as well."""
    accept(case, mix)
    counter = case.counter
    if counter.statutory is None:
        return handle(case, mix, in_time(case, pace, case.at))
    case.plan("V02", "statutory")
    if counter.item.promised_limit:
        case.plan("V01", "promised")
    case.late = True
    decided_at = overdue(case.within(counter.statutory)) + 2 * case.rng.random()
    return handle(case, mix, decided_at + 0.3, decided_at=decided_at)


def extended(case: Proceeding, mix: Mix, pace: float) -> None:
    """Have the law's limit extended by the organ's head (art. 42): lawful, but the promise is broken (V01)."""
    counter = case.counter
    if counter.item.nature != "licence" or counter.statutory is None or not counter.item.promised_limit:
        return on_time(case, mix, pace)
    accept(case, mix)
    end = case.within(counter.statutory)
    if end - case.at < 3:
        return handle(case, mix, in_time(case, pace, case.at))
    case.plan("V01", "promised")
    case.late = True
    transfer(case, end)
    case.at = end - 1.5
    case.tell(EventType.EXTEND, "review", extension(case))
    late_at = overdue(end) + (counter.extension_days - 3) * case.rng.random()
    return handle(case, mix, late_at, transferred=True)


def deemed(case: Proceeding, mix: Mix, pace: float) -> None:
    """Leave an applicant without any notice for five days: accepted by law on the day he came (V04)."""
    if case.counter.decided_within.days < _DEEMED_DAYS:
        return on_time(case, mix, pace)
    apply(case, mix)
    latest = lawful_until(case, case.at) - 0.2
    noticed_at = overdue(case.within(case.counter.notice)) + 1.5 * case.rng.random()
    case.plan("V04", "notice")
    case.at = noticed_at
    voucher(case)
    case.minutes(*LEAST_MINUTES, latest)
    case.days(1.0, latest)
    end, case.at = case.at, noticed_at
    return handle(case, mix, end)


def joint(case: Proceeding, mix: Mix, pace: float) -> None:
    """联办件: a leg for each department, decided side by side, the lead last."""
    counter, rng = case.counter, case.rng
    if not counter.legs:
        return promised(case, mix, pace)
    accept(case, mix)
    end = lawful_until(case, case.at)
    case.minutes(10, 60)
    case.tell(EventType.TRANSFER, "accept", EventData(to=tuple(counter.legs)))
    transferred_at, lead = case.at, counter.item.department
    legs: list[tuple[float, str]] = []
    for department, limit in counter.legs.items():
        case.at = transferred_at
        leg_by = min(case.within(limit), transferred_at + (end - transferred_at) * 0.8)
        case.days(max(0.2, (leg_by - transferred_at) * 0.3), leg_by)
        legs.append((case.at, department))
    slowest, department = max(legs)
    late_at = overdue(timed := case.within(counter.legs[department], transferred_at)) + 0.5 * rng.random()
    if case.chance(mix.late_leg) and slowest <= timed and late_at < end - 1:
        case.plan("V03", f"leg:{department}")
        legs[legs.index((slowest, department))] = (late_at, department)
    for case.at, department in sorted(legs):
        case.tell(EventType.APPROVE, "approve", granted_opinion(case), None if department == lead else department)
    decided_at = case.at
    if lead not in counter.legs:
        case.days(0.3, end - 0.2)
        decide(case, case.at)
    case.days(0.2, end)
    finish(case, case.at, mix)
    return hand_over(case, mix, decided_at)


def escalated(case: Proceeding, mix: Mix, pace: float) -> None:
    """上报件: reviewed here within the limit and sent up with all materials (art. 35, 43)."""
    accept(case, mix)
    end = in_time(case, pace, case.at)
    transfer(case, end)
    case.on_to(end)
    case.tell(EventType.FORWARD, "review")
    if case.counter.archive is not None:
        case.days(1.0, case.within(case.counter.archive))
        case.tell(EventType.ARCHIVE, "accept")


def due_at(case: Proceeding, due: datetime, mix: Mix, *, on_time: bool) -> None:
    """Handle a case whose source has set the due instant (`data.due`), and finish just in time or just too late (V01).

    Only for a timetable that does not close: the due instant is minutes away on the wall.
    """
    _, due_in = case.timetable.position(due)
    if EventType.CONSULT in case.counter.steps:
        case.tell(EventType.CONSULT)
        case.minutes(1, 2, case.at + (due_in - case.at) * 0.2)
    case.tell(EventType.APPLY)
    case.minutes(1, 2, case.at + (due_in - case.at) * 0.3)
    voucher(case, EventData(voucher=f"SL-{case.case}", due=Due(promised=due)))
    margin = 60 * case.rng.uniform(0.2, 0.8) if on_time else -60 * case.rng.uniform(0.5, 4)
    if not on_time:
        case.plan("V01", "promised")
        case.late = True
    handle(case, mix, due_in - margin / case.timetable.seconds(case.day))


_BY_TYPE: Final[dict[ItemType, Callable[[Proceeding, Mix, float], None]]] = {
    "instant": instant,
    "promised": promised,
    "joint": joint,
    "escalated": escalated,
}
