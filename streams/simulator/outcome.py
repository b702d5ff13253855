"""From the decision to the archive: approve, fee, finish, rating, issue, archive."""

from typing import Final

from monitor.events import EventData, EventType, Payment
from streams.simulator.mix import Mix
from streams.simulator.proceeding import Proceeding
from streams.simulator.timetable import overdue
from streams.simulator.words import DENIALS, OPINIONS

FINISHED: Final = EventData(outcome="granted")
_GRANTED: Final = tuple(EventData(outcome="granted", text=opinion) for opinion in OPINIONS)
_METHODS: Final[tuple[Payment, ...]] = ("bank", "bank", "pos", "online")
"""Cash is not taken at the windows (domain.md V19)."""
_RATINGS = tuple(EventData(rating=rating) for rating in (1, 1, 1, 1, 1, 1, 1, 2, 2, 3))
_BAD = EventData(rating=4)
_BAD_SHARE = 0.001  # Yulin publishes 99.9 % satisfied (domain.md 4.4)


def decide(case: Proceeding, at: float, *, granted: bool = True) -> float:
    """Decide at an office time, where cases of the item are decided apart from being finished; return when."""
    if case.needs(EventType.APPROVE):
        case.on_to(at)
        case.tell(EventType.APPROVE, "approve", granted_opinion(case) if granted else denial(case))
    return case.at


def granted_opinion(case: Proceeding) -> EventData:
    """Write why something is granted; where whoever decides may do so up to an amount, how much it is."""
    if case.counter.amount_max is None:
        return case.rng.choice(_GRANTED)
    amount = round(case.counter.amount_max * case.rng.uniform(0.05, 0.95))
    return EventData(outcome="granted", text=case.rng.choice(OPINIONS), amount=amount)


def denial(case: Proceeding) -> EventData:
    """Refuse in writing, with reasons and remedies (art. 38)."""
    return EventData(
        outcome="refused",
        reason_code="conditions_not_met",
        text=case.rng.choice(DENIALS),
        voucher=f"BYXK-{case.case}",
        legal_basis="行政许可法第三十八条",
        remedies_told=True,
    )


def finish(case: Proceeding, at: float, mix: Mix, *, granted: bool = True) -> None:
    """Finish, after the published fee was assessed and paid."""
    if case.counter.item.fees and granted:
        pay(case, at, mix)
    close(case, at, granted=granted)


def close(case: Proceeding, at: float, *, granted: bool = True) -> None:
    """Finish, whatever there is to pay."""
    case.on_to(at)
    case.tell(EventType.FINISH, "accept", FINISHED if granted else denial(case))


def pay(case: Proceeding, by: float, mix: Mix) -> None:
    """Pay one of the published fees, some of them reduced by an approval with a number."""
    fee = case.rng.choice(case.counter.item.fees)
    reduced = case.chance(mix.reduced)
    amount, reduction = (fee.amount / 2, f"JM-{case.case}") if reduced else (fee.amount, None)
    case.minutes(1, 5, by)
    assessed = EventData(fee=fee.code, fee_act="assessed", amount=amount, reduction=reduction)
    case.tell(EventType.FEE, "accept", assessed)
    case.minutes(2, 15, by)
    method = case.rng.choice(_METHODS)
    paid = EventData(fee=fee.code, fee_act="paid", amount=amount, method=method, reduction=reduction)
    case.tell(EventType.FEE, "accept", paid)


def hand_over(case: Proceeding, mix: Mix, decided_at: float, *, today: bool = False, granted: bool = True) -> None:
    """Issue what was granted within the limit of art. 44, then archive the finished case."""
    finished_at = case.at
    if case.chance(mix.rated):
        case.minutes(1, 4, case.closing())
        case.tell(EventType.RATING, data=_BAD if case.chance(_BAD_SHARE) else case.rng.choice(_RATINGS))
    archive_by = case.at + 20 if case.counter.archive is None else case.within(case.counter.archive, finished_at)
    if granted and (case.needs(EventType.ISSUE) or case.counter.item.nature == "licence"):
        issue(case, mix, decided_at, archive_by, today=today)
    if case.needs(EventType.ARCHIVE) or case.counter.archive is not None:
        case.days(0.5 if today else 1.5, min(archive_by, case.step_latest()))
        case.tell(EventType.ARCHIVE, "accept")


def issue(case: Proceeding, mix: Mix, decided_at: float, archive_by: float, *, today: bool) -> None:
    """Hand out the document; a few applicants fetch later what was ready, a few departments are late (V05)."""
    latest = min(archive_by - 0.1, case.step_latest())
    limit = case.counter.issue
    issue_by = latest if limit is None else min(latest, case.within(limit, decided_at))
    late_at = overdue(issue_by) + case.rng.random()
    if today:
        case.minutes(2, 10, case.closing())
    elif case.chance(mix.late_issued) and limit is not None and case.needs(EventType.APPROVE) and late_at < latest:
        case.plan("V05", "issue")
        case.at = late_at
    elif case.chance(mix.collected_late):
        case.days(0.3, issue_by)
        case.tell(EventType.READY, "accept")
        case.days(3.0, latest)
    else:
        case.days(0.4, issue_by)
    case.tell(EventType.ISSUE, "accept")
