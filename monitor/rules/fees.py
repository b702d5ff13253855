"""Rules on money: V19 fees against what is published (Licensing Law art. 58, 59)."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import combinations
from typing import Any, Final

from monitor.events import Event, EventType
from monitor.rulebook.model import Fee
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Severity

T = EventType

_CENT: Final = 0.01
_FEES_MAX: Final = 10
"""An item of more fees is compared only where the code of the fee is told: any sum of some might be right."""


def _when_paid(subject: Subject) -> Iterator[datetime]:
    answer = subject.case.answer
    if answer is not None and (settled := subject.case.settled_at(answer)) > subject.case.judged_at:
        yield settled


@rule(
    "V19",
    version=1,
    basis="行政许可法第五十八条、第五十九条、第七十五条；收费公示",
    parameters={"cash_forbidden": 1},
    wake=_when_paid,
    about=(T.FEE,),
)
def fee_anomaly(subject: Subject) -> Iterator[Violation]:
    """Find fees that are not the published ones, or not taken as they must be.

    Compared with the catalogue frozen onto the case, or with that of the day. Refunds are no payments; an amount that
    is not told is not compared; parts of a fee that add up to it are that fee.
    """
    charged = [event for event in subject.case.all(T.FEE) if event.data.fee_act != "refunded"]
    yield from _not_published(subject, charged)
    yield from _out_of_order(subject, charged)
    for event in charged:
        at_window = event.window is not None or event.channel == "window"
        if event.data.method == "cash" and at_window and subject.parameters["cash_forbidden"]:
            yield _anomaly(subject, "cash", event, {"amount": event.data.amount}, Severity.WARNING)


def _out_of_order(subject: Subject, charged: list[Event]) -> Iterator[Violation]:
    """Find fees paid before the acceptance told of, or assessed after the finish, beyond what clocks may differ."""
    case = subject.case
    accept = None if subject.clocks.deemed else case.first(T.ACCEPT)
    finish = case.first(T.FINISH)
    for event in charged:
        if event.data.fee_act == "assessed":
            if finish is not None and case.before(finish, event):
                yield _anomaly(subject, "after_finish", event, {"known_at": stamp(finish.time)}, others=(finish,))
        elif accept is not None and case.before(event, accept):
            yield _anomaly(subject, "before_acceptance", event, {"accepted_at": stamp(accept.time)}, others=(accept,))


def _not_published(subject: Subject, charged: list[Event]) -> Iterator[Violation]:
    """Find amounts that are no published fee of the item, nor some of them together."""
    item = subject.clocks.item
    published = {fee.amount for fee in item.fees} if item is not None and len(item.fees) == 1 else set[float]()
    told = [event for event in charged if event.data.amount is not None]
    if all(event.data.amount in published for event in told):
        return
    unlike: dict[str | None, list[tuple[Event, list[float]]]] = {}
    for event in told:
        standards = _standards(subject, event)
        if standards == [] and _amount(event) > 0:
            yield _anomaly(subject, "no_fee", event, {"amount": event.data.amount})
        elif standards and not _is_among(_amount(event), standards) and not _repeats(event, told):
            if event.data.fee_act == "assessed":
                yield from _unlike(subject, event, _amount(event), standards)
            else:
                unlike.setdefault(event.data.fee, []).append((event, standards))
    for payments in unlike.values():
        standards, total = payments[0][1], sum(_amount(event) for event, _ in payments)
        if _is_among(total, standards):
            continue  # paid in parts
        above = [event for event, _ in payments if _amount(event) > max(standards)]
        for event in above:
            yield from _unlike(subject, event, _amount(event), standards)
        if not above:
            yield from _unlike(subject, payments[-1][0], total, standards)


def _unlike(subject: Subject, event: Event, amount: float, standards: list[float]) -> Iterator[Violation]:
    """Tell a surplus; a shortfall only without approval of a reduction, of payments once no more is to come."""
    evidence = {"amount": amount, "standards": standards, "standard": max(standards)}
    if amount > max(standards):
        yield _anomaly(subject, "amount", event, evidence)
        return
    case = subject.case
    answer = case.answer
    paid_in_full = event.data.fee_act == "assessed" or (
        answer is not None and case.judged_at >= case.settled_at(answer)
    )
    if paid_in_full and not any(fee.data.reduction for fee in case.all(T.FEE)):
        yield _anomaly(subject, "reduction", event, evidence)


def _repeats(event: Event, told: list[Event]) -> bool:
    """Tell whether a payment is just what was assessed: what is wrong with that is said once."""
    said = (event.data.fee, event.data.amount)
    paid = event.data.fee_act != "assessed"
    return paid and any(e.data.fee_act == "assessed" and (e.data.fee, e.data.amount) == said for e in told)


def _standards(subject: Subject, event: Event) -> list[float] | None:
    """List the amounts a fee may have; none: the item is free. None: the catalogue does not say, or too much."""
    case = subject.case
    versions = (subject.clocks.catalogue, case.rulebooks.at(event.time))
    if not any(version.rulebook.lists_fees for version in versions):
        return None
    items = [item for version in versions if (item := case.item(version)) is not None]
    if not items:
        return None
    published = {fee for item in items for fee in item.fees}
    of_code = {fee.amount for fee in published if fee.code == event.data.fee}
    if of_code:
        return sorted(of_code)
    most = max(len(item.fees) for item in items)
    return None if most > _FEES_MAX else sorted({total for item in items for total in _sums(item.fees)})


@lru_cache(maxsize=1_000)
def _sums(fees: tuple[Fee, ...]) -> frozenset[float]:
    some = (some for number in range(1, len(fees) + 1) for some in combinations(fees, number))
    return frozenset(sum(fee.amount for fee in each) for each in some)


def _is_among(amount: float, standards: list[float]) -> bool:
    return any(abs(amount - standard) < _CENT / 2 for standard in standards)


def _amount(event: Event) -> float:
    assert event.data.amount is not None, "only amounts that were told are compared"
    return event.data.amount


def _anomaly(
    subject: Subject,
    act: str,
    event: Event,
    evidence: dict[str, Any],
    severity: Severity = Severity.STATUTORY_BREACH,
    others: tuple[Event, ...] = (),
) -> Violation:
    return Violation(
        occurred_at=event.time,
        severity=severity,
        subject=f"{act}:{key(event)}",
        department=event.department or subject.case.department,
        events=(key(event), *(key(other) for other in others)),
        evidence={"act": act, "at": stamp(event.time), **evidence},
    )
