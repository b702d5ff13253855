"""Rules on acceptance: V04 late notice or acceptance, V33 deferred materials that never came."""

from collections.abc import Iterator
from datetime import datetime

from msgspec.structs import replace

from monitor.counting import MICROSECOND
from monitor.events import Event, EventType
from monitor.rules.evidence import stamp
from monitor.rules.limits import breach
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Clock, Severity

T = EventType


@rule("V04", version=1, basis="行政许可法第三十二条、第七十二条第三项、第四项", clocks=("notice", "accept"))
def late_notice(subject: Subject) -> Iterator[Violation]:
    """Find applications that were not accepted, refused or sent a supplement notice in time."""
    for clock in subject.breached("notice", "accept"):
        yield breach(subject, clock, Severity.PROMISED_BREACH)


def _deferred(subject: Subject) -> Clock | None:
    clock = next((clock for clock in subject.clocks.clocks if clock.name == "deferred"), None)
    return None if clock is None or clock.due is None else clock


def _lapses_at(subject: Subject, clock: Clock) -> datetime:
    """Find the last instant at which the department may still end the case: it cannot before the materials are due."""
    assert clock.due is not None, "a deferral has a due instant"
    days, calendar = int(subject.parameters["grace_days"]), subject.case.current.days
    return calendar.end(calendar.nth_after(calendar.day(clock.due), days)) if days > 0 else clock.due


def _issued_without(subject: Subject) -> Event | None:
    """Find the licence issued before the materials were there."""
    case = subject.case
    issue, received = case.first(T.ISSUE), case.first(T.DEFERRED_RECEIVED)
    if issue is None or (received is not None and not case.before(issue, received)):
        return None
    return issue


def _when_settled(subject: Subject) -> Iterator[datetime]:
    clock, issue, case = _deferred(subject), _issued_without(subject), subject.case
    if clock is None:
        return
    if clock.is_open and (lapses := _lapses_at(subject, clock)) >= case.judged_at:
        yield lapses + MICROSECOND
    if issue is not None and (settled := case.settled_at(issue)) > case.judged_at:
        yield settled


@rule(
    "V33",
    version=1,
    basis="容缺受理承诺的补齐期限（DB45/T 2433—2021）",
    parameters={"grace_days": 1},
    about=(T.ACCEPT,),
    wake=_when_settled,
)
def deferral_lapsed(subject: Subject) -> Iterator[Violation]:
    """Find cases carried on without the materials deferred: not ended once they are due, or the licence issued.

    That they do not come is no fault of the department; it has the `grace_days` (working days) to end the case.
    """
    clock, case = _deferred(subject), subject.case
    if clock is None:
        return
    issue, lapses = _issued_without(subject), _lapses_at(subject, clock)
    if issue is not None and case.judged_at >= case.settled_at(issue):
        found = breach(subject, clock, Severity.PROMISED_BREACH, act="issued", at=stamp(issue.time))
        yield replace(found, occurred_at=issue.time, events=(*found.events, key(issue)))
    elif (clock.ended_at or case.judged_at) > lapses:
        found = breach(subject, clock, Severity.PROMISED_BREACH, act="lapsed", at=stamp(lapses))
        yield replace(found, occurred_at=lapses)
