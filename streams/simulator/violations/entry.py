"""How steps were entered: late or after a later one (V08), several at one instant (V10)."""

from datetime import datetime, timedelta

from monitor.events import EventData, EventType
from streams.simulator.courses import joint
from streams.simulator.handling import handle, transfer
from streams.simulator.intake import accept, apply, voucher
from streams.simulator.mix import Mix
from streams.simulator.outcome import decide, finish, hand_over
from streams.simulator.proceeding import Proceeding
from streams.simulator.violations.form import all_of, form, hands_on, has_time, is_joint, is_promised, is_unlimited

T = EventType

_LATE_DAYS = 0.6
"""About four office hours."""
_OVERTAKEN = timedelta(minutes=28)
"""More than two clocks of ten minutes' error can explain."""
_AT_ONCE = (T.ACCEPT, T.TRANSFER, T.APPROVE, T.FINISH)


@form("V08", all_of(is_promised, is_unlimited, has_time, hands_on))
def entered_late(case: Proceeding, mix: Mix, pace: float) -> None:
    """Enter a step half a day after it was taken, though before the next one."""
    accept(case, mix)
    end = case.at + 3
    transfer(case, end)
    known = case.timetable.instant(case.day, case.at + _LATE_DAYS)
    case.at += 1
    handle(case, mix, end, transferred=True)
    _entered(case, T.TRANSFER, known)


@form("V08", all_of(is_promised, is_unlimited, has_time, hands_on))
def entered_after_a_later_step(case: Proceeding, mix: Mix, pace: float) -> None:
    """Enter a step within the hours allowed, but after the decision that followed it."""
    case.at = min(case.at, 0.2)
    apply(case, mix)
    case.minutes(5, 15)
    voucher(case)
    case.minutes(2, 5)
    case.tell(T.TRANSFER, "accept")
    case.minutes(32, 45)
    decided_at = decide(case, case.at)
    known = case.instant() + _OVERTAKEN
    finish(case, case.at + 1, mix)
    hand_over(case, mix, decided_at)
    if case.tells(T.APPROVE):
        _entered(case, T.TRANSFER, known)


@form("V08", is_joint)
def entered_days_later(case: Proceeding, mix: Mix, pace: float) -> None:
    """Enter the decision of a department outside the hall days after it was taken."""
    joint(case, mix, pace)
    first = next((event for event in case.events if event.type is T.APPROVE), None)
    if first is not None:
        day, at = case.timetable.position(first.time)
        _entered(case, T.APPROVE, case.timetable.instant(day, at + 2))


@form("V10", is_promised)
def fabricated(case: Proceeding, mix: Mix, pace: float) -> None:
    """Tell a whole course at the instant of its end, with the names of the steps for opinions (domain.md 3.2)."""
    apply(case, mix)
    case.minutes(5, 15)
    voucher(case)
    if case.needs(T.TRANSFER):
        case.tell(T.TRANSFER, "accept")
    case.tell(T.APPROVE, "approve", EventData(outcome="granted", text="审批"))
    case.tell(T.FINISH, "accept", EventData(outcome="granted"))
    told = [event for event in case.events if event.type in _AT_ONCE and case.needs(event.type)]
    if len(told) >= 3 and case.knows_seconds(T.FINISH):
        case.plan("V10")
    hand_over(case, mix, case.at)


def _entered(case: Proceeding, kind: EventType, known: datetime) -> None:
    """Have the first event of a type recorded at an instant, as a finding of its source says."""
    event = next((event for event in case.events if event.type is kind), None)
    if event is not None and case.amend(kind, first=True, recorded=known):
        case.plan("V08", event.source)
