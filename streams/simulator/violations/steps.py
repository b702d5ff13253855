"""Steps: one that is missing (V06), two in the wrong order (V07), one that comes too late (V03, V04)."""

from monitor.events import EventType
from streams.simulator.courses import instant, on_time
from streams.simulator.handling import handle, in_time
from streams.simulator.intake import apply, supplement, voucher
from streams.simulator.mix import Mix
from streams.simulator.outcome import decide, finish, hand_over
from streams.simulator.proceeding import Proceeding
from streams.simulator.timetable import overdue
from streams.simulator.violations.form import (
    APART_MINUTES,
    all_of,
    archives,
    begin_early,
    decides_apart,
    form,
    hands_on,
    is_instant,
    is_promised,
    is_unlimited,
)

T = EventType


@form("V03", all_of(is_instant, is_unlimited, archives))
def archived_late(case: Proceeding, mix: Mix, pace: float) -> None:
    """Archive what was finished after the limit for it."""
    instant(case, mix, pace)
    limit, finished, archived = case.counter.archive, case.last(T.FINISH), case.last(T.ARCHIVE)
    if limit is None or finished is None or archived is None:
        return
    case.drop(T.ARCHIVE)
    day, at = case.timetable.position(finished.time)
    case.at = overdue(case.within(limit, day - case.day + at)) + 0.5 * case.rng.random()
    case.tell(T.ARCHIVE, "accept")
    case.plan("V03", "archive")


@form("V04", is_promised)
def accepted_the_day_after(case: Proceeding, mix: Mix, pace: float) -> None:
    """Accept not on the day on which everything missing was brought, but on the next."""
    apply(case, mix)
    supplement(case)
    case.at = overdue(case.closing()) + 0.3 * case.rng.random()
    voucher(case)
    handle(case, mix, in_time(case, pace, case.at))
    if case.tells(T.SUPPLEMENT_NOTICE, T.SUPPLEMENT_RECEIVED, T.ACCEPT, T.REFUSE):
        case.plan("V04", "accept:1")


@form("V06", all_of(is_promised, is_unlimited, hands_on))
def not_handed_on(case: Proceeding, mix: Mix, pace: float) -> None:
    """Finish without having passed the case on."""
    on_time(case, mix, pace)
    if case.drop(T.TRANSFER):
        case.plan("V06")


@form("V06", all_of(is_instant, is_unlimited, decides_apart))
def not_decided(case: Proceeding, mix: Mix, pace: float) -> None:
    """Finish without a decision."""
    instant(case, mix, pace)
    if case.drop(T.APPROVE):
        case.plan("V06")


@form("V07", all_of(is_instant, is_unlimited, decides_apart))
def decided_before_accepted(case: Proceeding, mix: Mix, pace: float) -> None:
    """Decide, and accept afterwards."""
    begin_early(case)
    apply(case, mix)
    case.minutes(5, 15)
    decided_at = decide(case, case.at)
    case.minutes(*APART_MINUTES)
    voucher(case)
    finish(case, case.at + 0.02, mix)
    hand_over(case, mix, decided_at, today=True)
    if case.tells(T.ACCEPT, T.APPROVE):
        case.plan("V07", "approve<accept")


@form("V07", all_of(is_instant, is_unlimited, decides_apart))
def finished_before_decided(case: Proceeding, mix: Mix, pace: float) -> None:
    """Finish, and decide afterwards: when it was finished the decision was missing too (V06)."""
    begin_early(case)
    apply(case, mix)
    case.minutes(5, 15)
    voucher(case)
    finish(case, case.at + 0.02, mix)
    case.minutes(*APART_MINUTES)
    decided_at = decide(case, case.at)
    hand_over(case, mix, decided_at, today=True)
    if case.tells(T.APPROVE, T.FINISH):
        case.plan("V07", "finish<approve")
        case.plan("V06")


@form("V07", all_of(is_instant, is_unlimited, decides_apart))
def issued_before_decided(case: Proceeding, mix: Mix, pace: float) -> None:
    """Hand out the document, and decide afterwards."""
    begin_early(case)
    apply(case, mix)
    case.minutes(5, 15)
    voucher(case)
    case.minutes(2, 10)
    case.tell(T.ISSUE, "accept")
    case.minutes(*APART_MINUTES)
    decide(case, case.at)
    finish(case, case.at + 0.02, mix)
    if archives(case.counter):
        case.minutes(10, 20)
        case.tell(T.ARCHIVE, "accept")
    if case.tells(T.APPROVE, T.ISSUE):
        case.plan("V07", "issue<approve")
