"""What applicants are told and asked for: V11, V12 supplements, V32 questions, V33 materials accepted as missing."""

from monitor.events import Event, EventData, EventType
from streams.simulator.hall import Counter
from streams.simulator.handling import handle, in_time
from streams.simulator.intake import accept, apply, look_through, voucher
from streams.simulator.mix import Mix
from streams.simulator.proceeding import Proceeding
from streams.simulator.timetable import overdue
from streams.simulator.violations.form import (
    all_of,
    form,
    has_time,
    is_licence,
    is_promised,
    is_unlimited,
    meanwhile,
    with_rates,
)

T = EventType

_UNPUBLISHED = "Z9"
_DEFERRED_DAYS = 3


def _asks_for_two(counter: Counter) -> bool:
    return len(counter.item.materials) >= 2


def _answers(counter: Counter) -> bool:
    return counter.reply is not None


def _is_long(counter: Counter) -> bool:
    return counter.leaves(12)


@form("V11", all_of(is_promised, _asks_for_two))
def asked_twice(case: Proceeding, mix: Mix, pace: float) -> None:
    """Ask twice for what is missing, with nothing brought in between."""
    first, second = (material.code for material in case.counter.item.materials[:2])
    apply(case, mix)
    look_through(case)
    _ask(case, first, second)
    case.at += 0.5 + case.rng.random()
    again = _ask(case, first)
    _bring(case)
    _accepted(case, mix, pace)
    if case.tells(T.SUPPLEMENT_RECEIVED):
        case.plan_at("V11", again, "a")


@form("V11", all_of(is_promised, _asks_for_two))
def asked_for_more(case: Proceeding, mix: Mix, pace: float) -> None:
    """Ask, once that was brought, for something that could have been asked for at first."""
    first, second = (material.code for material in case.counter.item.materials[:2])
    apply(case, mix)
    look_through(case)
    _ask(case, first)
    _bring(case)
    case.minutes(35, 60, case.closing())
    more = _ask(case, second)
    _bring(case)
    _accepted(case, mix, pace)
    case.plan_at("V11", more, "b")


@form("V11", is_promised)
def asked_for_the_unpublished(case: Proceeding, mix: Mix, pace: float) -> None:
    """Ask for something that is not among the published materials."""
    apply(case, mix)
    look_through(case)
    asked = _ask(case, *(material.code for material in case.counter.item.materials[:1]), _UNPUBLISHED)
    _bring(case)
    _accepted(case, mix, pace)
    case.plan_at("V11", asked, "c")


@form("V12", all_of(is_promised, has_time))
def asked_after_acceptance(case: Proceeding, mix: Mix, pace: float) -> None:
    """Ask for more after having accepted; the clocks run on."""
    accept(case, mix)
    end = case.at + 4
    meanwhile(case, end)
    asked = _ask(case, *(material.code for material in case.counter.item.materials[:1]))
    handle(case, mix, end)
    if case.tells(T.ACCEPT):
        case.plan_at("V12", asked)


@form("V32", _answers)
def left_without_answer(case: Proceeding, mix: Mix, pace: float) -> None:
    """Answer a question after the limit for it."""
    assert case.counter.reply is not None, "only counters with a limit fit"
    case.tell(T.CONSULT)
    case.at = overdue(case.within(case.counter.reply)) + case.rng.random()
    case.tell(T.REPLY, "accept")
    if case.tells(T.CONSULT, T.REPLY):
        case.plan("V32", "reply")


@form("V33", all_of(is_promised, is_unlimited, _is_long))
def carried_on_without(case: Proceeding, mix: Mix, pace: float) -> None:
    """Carry on with a case although what was accepted as missing does not come."""
    _defer(case, mix)
    case.at += _DEFERRED_DAYS + 2 + case.rng.random()
    case.tell(T.DEFERRED_RECEIVED, None if case.by_oneself else "accept")
    handle(case, mix, case.at + 1.5)
    if case.tells(T.ACCEPT, T.DEFERRED_RECEIVED):
        case.plan("V33", "deferred")


@form("V33", all_of(is_promised, is_unlimited, _is_long, is_licence))
def issued_without(case: Proceeding, mix: Mix, pace: float) -> None:
    """Issue the licence although what was accepted as missing never comes."""
    _defer(case, mix)
    handle(case, with_rates(mix, denied=0), case.at + 1)
    if case.tells(T.ACCEPT, T.DEFERRED_RECEIVED, T.ISSUE):
        case.plan("V33", "deferred")


def _defer(case: Proceeding, mix: Mix) -> None:
    """Apply, and be accepted with something missing that is due in a few days."""
    apply(case, mix)
    look_through(case)
    due = case.timetable.instant(case.day, case.at + _DEFERRED_DAYS)
    voucher(case, EventData(voucher=f"SL-{case.case}", deferred_until=due))


def _ask(case: Proceeding, *materials: str) -> Event | None:
    return case.tell(T.SUPPLEMENT_NOTICE, "accept", EventData(materials=materials))


def _bring(case: Proceeding) -> None:
    case.at += 0.2
    case.days(1.3, case.at + 6)
    case.tell(T.SUPPLEMENT_RECEIVED, None if case.by_oneself else "accept")


def _accepted(case: Proceeding, mix: Mix, pace: float) -> None:
    case.minutes(10, 30, case.closing())
    voucher(case)
    handle(case, mix, in_time(case, pace, case.at))
