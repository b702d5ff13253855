"""Cases that end without a grant: V20 refused without a reason, V25 a withdrawal the applicant may not have wanted."""

from monitor.events import EventData, EventType
from streams.simulator.courses import instant
from streams.simulator.handling import handle, transfer
from streams.simulator.intake import accept, refuse
from streams.simulator.mix import Mix
from streams.simulator.proceeding import Proceeding
from streams.simulator.violations.form import (
    all_of,
    always,
    decides_apart,
    form,
    has_time,
    is_instant,
    is_promised,
    is_unlimited,
    with_rates,
)

T = EventType

_NO_REASON = {"reason_code": None, "text": "不予许可"}


@form("V20", always)
def turned_away_without_reason(case: Proceeding, mix: Mix, pace: float) -> None:
    """Refuse to accept, and do not say why."""
    refuse(case, mix)
    if case.amend(T.REFUSE, {"reason_code": None, "text": None}):
        case.plan("V20", "refuse")


@form("V20", always)
def turned_away_without_voucher(case: Proceeding, mix: Mix, pace: float) -> None:
    """Refuse to accept without a dated, sealed voucher."""
    refuse(case, mix)
    if case.amend(T.REFUSE, {"voucher": None}):
        case.plan("V20", "refuse")


@form("V20", all_of(is_instant, decides_apart))
def refused_without_reason(case: Proceeding, mix: Mix, pace: float) -> None:
    """Refuse a licence in four characters."""
    instant(case, with_rates(mix, denied=1), pace)
    case.amend(T.APPROVE, _NO_REASON)
    if case.amend(T.FINISH, _NO_REASON):
        case.plan("V20", "finish")


@form("V20", all_of(is_instant, decides_apart))
def refused_without_remedies(case: Proceeding, mix: Mix, pace: float) -> None:
    """Refuse a licence and do not tell what can be done about it."""
    instant(case, with_rates(mix, denied=1), pace)
    case.amend(T.APPROVE, {"remedies_told": False})
    if case.amend(T.FINISH, {"remedies_told": False}):
        case.plan("V20", "finish")


@form("V20", all_of(is_promised, is_unlimited))
def voided_without_reason(case: Proceeding, mix: Mix, pace: float) -> None:
    """Void an accepted case, and do not say why."""
    accept(case, mix)
    transfer(case, case.at + 0.5)
    case.minutes(10, 60)
    if case.tell(T.VOID, "accept"):
        case.plan("V20", "void")


@form("V25", all_of(is_promised, is_unlimited, has_time))
def talked_out_of_it(case: Proceeding, mix: Mix, pace: float) -> None:
    """Enter a withdrawal shortly before the promise is broken, with nobody's signature."""
    accept(case, mix)
    transfer(case, case.at + 0.5)
    if case.by_oneself or not case.tells(T.ACCEPT):
        return handle(case, mix, case.at + 1, transferred=True)
    case.at = max(case.at, case.within(case.counter.decided_within) - 1 - 0.5 * case.rng.random())
    if case.tell(T.WITHDRAW, "accept", EventData(reason_code="applicant_withdrew")):
        case.plan("V25")
    return None
