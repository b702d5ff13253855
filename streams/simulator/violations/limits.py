"""Limits stretched: V13 suspensions the law does not allow, V14 extensions without authority."""

from collections.abc import Callable

from msgspec.structs import replace

from monitor.events import Event, EventData, EventType
from streams.simulator.courses import is_suspendable
from streams.simulator.hall import Counter
from streams.simulator.handling import extension, handle, hear, suspension, transfer
from streams.simulator.intake import accept
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
)

T = EventType

_UNLISTED = "site_survey"
_WAITED_DAYS = 1.2
_MUCH_TOO_LONG = 5.0

_waits_in_time = all_of(is_promised, is_unlimited, has_time, is_suspendable)
"""Where even a wait that does not count leaves time to decide as promised."""


def _is_late_by_law(counter: Counter) -> bool:
    return counter.statutory is not None and counter.statutory.unit == "wd"


_extendable = all_of(is_promised, is_unlimited, has_time, is_licence, _is_late_by_law)


@form("V13", _waits_in_time)
def suspended_for_nothing_listed(case: Proceeding, mix: Mix, pace: float) -> None:
    """Suspend for what is none of the procedures of art. 45 (a)."""
    accept(case, mix)
    case.plan_at("V13", _wait(case, replace(_lawful(case), procedure=_UNLISTED)), "a")
    _go_on(case, mix)


@form("V13", _waits_in_time)
def suspended_on_no_basis(case: Proceeding, mix: Mix, pace: float) -> None:
    """Suspend without naming a legal basis (b)."""
    accept(case, mix)
    case.plan_at("V13", _wait(case, replace(_lawful(case), legal_basis=None)), "b")
    _go_on(case, mix)


@form("V13", _waits_in_time)
def suspended_without_a_word(case: Proceeding, mix: Mix, pace: float) -> None:
    """Suspend without telling the applicant (b)."""
    accept(case, mix)
    begun = _wait(case, _lawful(case))
    if begun is not None:
        case.plan_at("V13", case.amend(T.SUSPEND, {"told_at": None}), "b")
    _go_on(case, mix)


@form("V13", _waits_in_time)
def suspended_at_the_last_moment(case: Proceeding, mix: Mix, pace: float) -> None:
    """Suspend within a day of the due instant (c)."""
    accept(case, mix)
    until = case.within(case.counter.decided_within)
    transfer(case, case.at + 0.5)
    case.at = max(case.at, until - 0.7)
    begun = _wait(case, _lawful(case))
    handle(case, mix, case.at + 0.3, transferred=True)
    if case.tells(T.ACCEPT):
        case.plan_at("V13", begun, "c")


@form("V13", _waits_in_time)
def suspended_afterwards(case: Proceeding, mix: Mix, pace: float) -> None:
    """Enter a suspension once the case is decided (d): entered late, too (V08)."""
    accept(case, mix)
    begun = _wait(case, _lawful(case))
    _go_on(case, mix)
    finished = case.last(T.FINISH)
    if begun is None or finished is None:
        return
    day, at = case.timetable.position(finished.time)
    case.plan_at("V13", case.amend(T.SUSPEND, recorded=case.timetable.instant(day, at + 0.15)), "d")
    if not case.reports_at_end(T.SUSPEND):
        case.plan("V08", begun.source)


@form("V13", _waits_in_time)
def suspended_on_acceptance(case: Proceeding, mix: Mix, pace: float) -> None:
    """Suspend a case in the second of its acceptance (d)."""
    accept(case, mix)
    begun = _wait(case, _lawful(case), at_once=True)
    _go_on(case, mix)
    if case.tells(T.ACCEPT):
        case.plan_at("V13", begun, "d_accept")


@form("V13", _waits_in_time)
def suspended_by_oneself(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let whoever handles a case allow its suspension (e)."""
    accept(case, mix)
    case.plan_at("V13", _wait(case, replace(_lawful(case), approver=case.operator("accept"))), "e")
    _go_on(case, mix)


@form("V13", _waits_in_time)
def suspended_by_no_head(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let somebody allow a suspension whose post does not (e)."""
    accept(case, mix)
    case.plan_at("V13", _wait(case, replace(_lawful(case), approver_role="section_chief")), "e_role")
    _go_on(case, mix)


@form("V13", _waits_in_time)
def suspended_again(case: Proceeding, mix: Mix, pace: float) -> None:
    """Suspend twice for the same procedure (g)."""
    accept(case, mix)
    procedure = _lawful(case).procedure
    _wait(case, replace(_lawful(case), procedure=procedure))
    case.at += 0.2
    case.plan_at("V13", _wait(case, replace(_lawful(case), procedure=procedure), transferred=True), "g")
    _go_on(case, mix)


@form("V13", _waits_in_time)
def suspended_too_long(case: Proceeding, mix: Mix, pace: float) -> None:
    """Suspend for longer than was told (h)."""
    accept(case, mix)
    case.plan_at("V13", _wait(case, replace(_lawful(case), planned_days=1.0), days=2.6), "h")
    _go_on(case, mix)


@form("V13", _waits_in_time)
def suspended_to_no_end(case: Proceeding, mix: Mix, pace: float) -> None:
    """End a suspension without the document it was for (i)."""
    accept(case, mix)
    begun = _wait(case, _lawful(case))
    if case.amend(T.RESUME, {"result": None}):
        case.plan_at("V13", begun, "i")
    _go_on(case, mix)


@form("V14", _extendable)
def extended_too_far(case: Proceeding, mix: Mix, pace: float) -> None:
    """Extend by more days than the law allows."""
    days = case.counter.extension_days + _MUCH_TOO_LONG
    _extended(case, mix, "days", lambda data: replace(data, days=days))


@form("V14", _extendable)
def extended_by_the_wrong_head(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let somebody extend whose post may not."""
    _extended(case, mix, "role", lambda data: replace(data, approver_role="section_chief"))


@form("V14", _extendable)
def extended_by_nobody(case: Proceeding, mix: Mix, pace: float) -> None:
    """Extend, and tell of nobody who allowed it."""
    _extended(case, mix, "nobody", lambda data: replace(data, approver=None, approver_role=None))


@form("V14", _extendable)
def extended_without_a_word(case: Proceeding, mix: Mix, pace: float) -> None:
    """Extend without telling the applicant."""
    _extended(case, mix, "unnotified", lambda data: replace(data, told_at=None))


@form("V14", _extendable)
def extended_twice(case: Proceeding, mix: Mix, pace: float) -> None:
    """Extend a second time."""
    accept(case, mix)
    end = case.at + 4.5
    meanwhile(case, end)
    case.tell(T.EXTEND, "review", extension(case))
    case.at += 1
    case.plan_at("V14", case.tell(T.EXTEND, "review", extension(case)), "second")
    handle(case, mix, end)


@form("V14", _extendable)
def extended_too_late(case: Proceeding, mix: Mix, pace: float) -> None:
    """Extend once the law's limit has run out: it extends nothing, and the case is late (V01, V02)."""
    assert case.counter.statutory is not None, "only counters with a legal limit fit"
    accept(case, mix)
    until = overdue(case.within(case.counter.statutory))
    transfer(case, until)
    case.at = max(case.at, until) + 0.3 * case.rng.random()
    granted = case.tell(T.EXTEND, "review", extension(case))
    case.late = True
    handle(case, mix, case.at + 1.5, transferred=True)
    case.plan("V02", "statutory")
    if case.counter.item.promised_limit:
        case.plan("V01", "promised")
    if case.tells(T.ACCEPT):
        case.plan_at("V14", granted, "late")


def _extended(case: Proceeding, mix: Mix, about: str, wrong: Callable[[EventData], EventData]) -> None:
    """Take a case to its end in time, with an extension that is wrong in one way and was not needed."""
    accept(case, mix)
    end = case.at + 4
    meanwhile(case, end)
    case.plan_at("V14", case.tell(T.EXTEND, "review", wrong(extension(case))), about)
    handle(case, mix, end)


def _lawful(case: Proceeding) -> EventData:
    procedures = case.counter.item.procedures
    assert procedures, "only counters with a procedure fit"
    return suspension(case, case.rng.choice(procedures), planned_days=5.0)


def _wait(
    case: Proceeding,
    data: EventData,
    *,
    days: float = _WAITED_DAYS,
    at_once: bool = False,
    transferred: bool = False,
) -> Event | None:
    """Pass the case on, suspend it, and take it up again after so many office days; give the suspension."""
    if not at_once and not transferred and case.last(T.TRANSFER) is None:
        transfer(case, case.at + 0.5)
        case.at += 0.2
    told_at = None if data.told_at is None else case.instant()
    known_at = case.at + days if case.reports_at_end(T.SUSPEND) else None
    begun = case.tell(T.SUSPEND, "review", replace(data, told_at=told_at), known_at=known_at)
    if data.procedure == "hearing":
        case.at += days * 0.5
        hear(case)
        case.at += days * 0.5
    else:
        case.at += days
    case.tell(T.RESUME, "review", EventData(procedure=data.procedure, result=f"JG-{case.case}"))
    return begun


def _go_on(case: Proceeding, mix: Mix) -> None:
    """Decide and finish within a day, in time even where the wait does not count."""
    handle(case, mix, case.at + 0.8, transferred=case.last(T.TRANSFER) is not None)
