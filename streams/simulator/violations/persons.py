"""Who acted: V15 an approver without delegation, V16 one person where it takes two."""

from monitor.events import EventType
from streams.simulator.courses import instant, is_suspendable, on_time, suspended
from streams.simulator.hall import Counter
from streams.simulator.mix import Mix
from streams.simulator.proceeding import Proceeding
from streams.simulator.violations.form import (
    all_of,
    decides_apart,
    form,
    is_instant,
    is_promised,
    waits_for,
    with_rates,
)

T = EventType


def _is_complete(counter: Counter) -> bool:
    """Tell whether every delegation is listed, so that what is not listed was not given."""
    return counter.complete


def _is_replaced(counter: Counter) -> bool:
    return counter.complete and counter.has_outsiders


def _is_capped(counter: Counter) -> bool:
    return counter.complete and counter.amount_max is not None


def _takes_two(counter: Counter) -> bool:
    """Tell whether whoever accepts may not approve, where only that is held against him."""
    return counter.item.two_persons and not counter.complete


@form("V15", all_of(is_instant, decides_apart, _is_complete))
def approved_by_nobody(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let somebody decide who was never given the power."""
    instant(case, mix, pace)
    stranger = f"{case.counter.item.department}-temp"
    case.plan_at("V15", case.amend(T.APPROVE, operator=stranger))


@form("V15", all_of(decides_apart, _is_replaced))
def approved_out_of_time(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let somebody decide who has the power no longer, or not yet."""
    on_time(case, mix, pace)
    approved = case.last(T.APPROVE)
    if approved is None:
        return
    outsider = case.counter.outsider(approved.time.astimezone(case.timetable.zone).date())
    if outsider is not None:
        case.plan_at("V15", case.amend(T.APPROVE, operator=outsider))


@form("V15", all_of(decides_apart, _is_capped))
def approved_too_much(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let somebody decide about more money than he may."""
    assert case.counter.amount_max is not None, "only counters with an amount fit"
    on_time(case, with_rates(mix, denied=0), pace)
    case.plan_at("V15", case.amend(T.APPROVE, {"amount": case.counter.amount_max * case.rng.uniform(1.1, 3)}))


@form("V16", all_of(is_promised, decides_apart, _takes_two))
def accepted_and_approved(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let whoever accepted a case approve it."""
    on_time(case, mix, pace)
    accepted = case.last(T.ACCEPT)
    if accepted is not None:
        case.plan_at("V16", case.amend(T.APPROVE, operator=accepted.operator), "two_persons")


@form("V16", is_promised)
def checked_alone(case: Proceeding, mix: Mix, pace: float) -> None:
    """Check a site with one officer."""
    on_time(case, with_rates(mix, inspected=1), pace)
    checked = case.last(T.SITE_CHECK)
    if checked is not None and case.amend(T.SITE_CHECK, {"officers": (checked.data.officers or ())[:1]}):
        case.plan("V16", f"officers:{checked.time.astimezone(case.timetable.zone).date()}")


@form("V16", all_of(is_promised, decides_apart, is_suspendable, waits_for("hearing")))
def chaired_by_the_reviewer(case: Proceeding, mix: Mix, pace: float) -> None:
    """Let whoever decides a case chair its hearing."""
    suspended(case, mix, pace, procedure="hearing")
    approved = case.last(T.APPROVE)
    if approved is not None:
        case.plan_at("V16", case.amend(T.HEARING, {"chair": approved.operator}), "chair")
