"""Fees that are not as published, or not taken as they must be (V19)."""

from monitor.events import EventData, EventType
from monitor.rulebook.model import Fee
from streams.simulator.courses import on_time
from streams.simulator.hall import Counter
from streams.simulator.handling import transfer
from streams.simulator.intake import accept, apply, voucher
from streams.simulator.mix import Mix
from streams.simulator.outcome import close, decide, hand_over, pay
from streams.simulator.proceeding import Proceeding
from streams.simulator.violations.form import APART_MINUTES, all_of, begin_early, form, is_promised, with_rates

T = EventType


def _costs(counter: Counter) -> bool:
    return bool(counter.item.fees)


def _is_free(counter: Counter) -> bool:
    return not counter.item.fees


@form("V19", all_of(is_promised, _is_free))
def charged_for_nothing(case: Proceeding, mix: Mix, pace: float) -> None:
    """Take a fee for what costs nothing."""
    begin_early(case)
    accept(case, mix)
    transfer(case, case.at + 0.3)
    decided_at = decide(case, case.at + 0.1)
    case.minutes(5, 15)
    paid = case.tell(T.FEE, "accept", EventData(fee="F9", fee_act="paid", amount=30, method="pos"))
    close(case, case.at + 0.1)
    hand_over(case, mix, decided_at)
    case.plan_at("V19", paid, "no_fee")


@form("V19", all_of(is_promised, _costs))
def charged_too_much(case: Proceeding, mix: Mix, pace: float) -> None:
    """Take more than is published."""
    fee = _charged(case, mix, pace)
    if fee is not None:
        case.amend(T.FEE, {"amount": fee.amount * 2})
        case.plan_at("V19", case.amend(T.FEE, {"amount": fee.amount * 2}, first=True), "amount")


@form("V19", all_of(is_promised, _costs))
def reduced_without_approval(case: Proceeding, mix: Mix, pace: float) -> None:
    """Take half of what is published, with no approval of a reduction."""
    fee = _charged(case, mix, pace)
    if fee is not None:
        case.amend(T.FEE, {"amount": fee.amount / 2})
        case.plan_at("V19", case.amend(T.FEE, {"amount": fee.amount / 2}, first=True), "reduction")


@form("V19", all_of(is_promised, _costs))
def paid_in_cash(case: Proceeding, mix: Mix, pace: float) -> None:
    """Take cash at the window."""
    if _charged(case, mix, pace) is not None:
        case.plan_at("V19", case.amend(T.FEE, {"method": "cash"}), "cash")


@form("V19", all_of(is_promised, _costs))
def paid_before_acceptance(case: Proceeding, mix: Mix, pace: float) -> None:
    """Have the fee paid before the application is accepted."""
    begin_early(case)
    apply(case, mix)
    pay(case, case.at + 0.1, with_rates(mix, reduced=0))
    case.minutes(*APART_MINUTES)
    voucher(case)
    transfer(case, case.at + 0.3)
    decided_at = decide(case, case.at + 0.1)
    close(case, case.at + 0.1)
    hand_over(case, mix, decided_at)
    if case.tells(T.ACCEPT):
        case.plan_at("V19", case.last(T.FEE), "before_acceptance")


@form("V19", all_of(is_promised, _costs))
def assessed_after_finish(case: Proceeding, mix: Mix, pace: float) -> None:
    """Assess a fee once the case is finished."""
    begin_early(case)
    accept(case, mix)
    transfer(case, case.at + 0.3)
    decided_at = decide(case, case.at + 0.1)
    close(case, case.at + 0.05)
    case.minutes(*APART_MINUTES)
    first = len(case.events)
    pay(case, case.at + 0.1, with_rates(mix, reduced=0))
    hand_over(case, mix, decided_at)
    if len(case.events) > first and case.tells(T.FEE):
        case.plan_at("V19", case.events[first], "after_finish")


def _charged(case: Proceeding, mix: Mix, pace: float) -> Fee | None:
    """Take a case through with a fee, unreduced; give the fee, None where it is not told."""
    on_time(case, with_rates(mix, denied=0, reduced=0), pace)
    paid = case.last(T.FEE)
    return None if paid is None else next(fee for fee in case.counter.item.fees if fee.code == paid.data.fee)
