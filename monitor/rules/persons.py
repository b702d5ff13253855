"""Rules on who acted: V15 approver without delegation, V16 no separation of persons. No finding names anybody."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, Final

from monitor.events import Event, EventType
from monitor.rulebook.model import Delegation, Item, RulebookVersion
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Severity

T = EventType

_REVIEWING: Final = (T.TRANSFER, T.SITE_CHECK, T.APPROVE)
_LISTED_MAX: Final = 20
"""So many events of one person are listed in the evidence."""


@rule("V15", version=1, basis="行政许可法第二十二条至第二十四条、第七十四条第一项", about=(T.APPROVE,))
def unauthorised_approver(subject: Subject) -> Iterator[Violation]:
    """Find approvals by an operator who had no delegation for the item on that day, or none for so much money.

    Only where the deciding department has declared its delegations complete, and the event names an operator. Of a
    joint case the department of the leg decides. A delegation counts that stands in the rulebook of now, however
    late it was entered, or stood in the one of that moment.
    """
    case = subject.case
    for event in case.all(T.APPROVE):
        rows = _delegations(subject, event)
        if rows is None:
            continue
        on_that_day = [row for row in rows if _holds(subject, row, event)]
        if any(_covers(row, event) for row in on_that_day):
            continue
        act = "amount" if on_that_day else "expired" if rows else "none"
        yield Violation(
            occurred_at=event.time,
            severity=Severity.STATUTORY_BREACH,
            subject=key(event),
            department=event.department or case.department,
            events=(key(event),),
            evidence={
                "act": act,
                "at": stamp(event.time),
                "amount": event.data.amount,
                "delegations": [_row(row) for row in dict.fromkeys(rows)],
                "compared_with": sorted({version.version for version in _versions(subject, event)}),
            },
        )


def is_authorised(subject: Subject, event: Event) -> bool | None:
    """Tell whether an approval was made by a power given to its operator; None: nobody can know."""
    rows = _delegations(subject, event)
    return None if rows is None else any(_holds(subject, row, event) and _covers(row, event) for row in rows)


def _delegations(subject: Subject, event: Event) -> list[Delegation] | None:
    """List the delegations of an approval's operator; None: he is not told, or not all delegations are."""
    case, item = subject.case, subject.clocks.item
    department = None if item is None else case.current.department.get(_deciding(item, event))
    if item is None or event.operator is None or department is None or not department.delegations_complete:
        return None
    given = (version.rulebook.approvals.get((item.code, event.operator), ()) for version in _versions(subject, event))
    return [row for rows in given for row in rows]


def _versions(subject: Subject, event: Event) -> tuple[RulebookVersion, RulebookVersion]:
    rulebooks = subject.case.rulebooks
    return rulebooks.current, rulebooks.at(event.time)


def _deciding(item: Item, event: Event) -> str:
    """Name the department whose delegations an approval is held against."""
    return event.department if event.department is not None and event.department in item.legs else item.department


def _holds(subject: Subject, row: Delegation, event: Event) -> bool:
    """Tell whether a delegation held on the day of an event, or on the one its clock may have been off by."""
    day, off = subject.case.current.days.day, subject.case.tolerance(event)
    if _is_within(row, day(event.time)):
        return True
    return _is_within(row, day(event.time - off)) or _is_within(row, day(event.time + off))


def _is_within(row: Delegation, day: date) -> bool:
    return row.valid_from <= day and (row.valid_to is None or day <= row.valid_to)


def _covers(row: Delegation, event: Event) -> bool:
    """Tell whether a delegation covers the amount approved; one not told is believed."""
    return row.amount_max is None or event.data.amount is None or event.data.amount <= row.amount_max


def _row(row: Delegation) -> dict[str, Any]:
    return {
        "valid_from": row.valid_from.isoformat(),
        "valid_to": row.valid_to and row.valid_to.isoformat(),
        "amount_max": row.amount_max,
    }


def _when_counted(subject: Subject) -> Iterator[datetime]:
    for day in _checked_on(subject) if T.SITE_CHECK in subject.case.by_type else ():
        settled = _settled(subject, day)
        if subject.case.judged_at < settled:
            yield settled


@rule(
    "V16",
    version=1,
    basis="行政许可法第三十四条第三款、第四十八条第一款第三项；不相容岗位分离",
    wake=_when_counted,
    about=(T.APPROVE, T.SITE_CHECK, T.HEARING),
)
def no_separation(subject: Subject) -> Iterator[Violation]:
    """Find cases in which one person did what takes two.

    Accepted and approved the same case, where the item asks for two; checked a site alone; chaired the hearing of a
    case he reviewed or approved. Only persons told of are compared.
    """
    types, item = subject.case.by_type, subject.clocks.item
    if item is not None and item.two_persons:
        yield from _accepted_and_approved(subject)
    if T.SITE_CHECK in types:
        yield from _checked_alone(subject)
    if T.HEARING in types:
        yield from _chaired_his_own(subject)


def _accepted_and_approved(subject: Subject) -> Iterator[Violation]:
    case = subject.case
    accepted = {event.operator: event for event in reversed(case.all(T.ACCEPT)) if event.operator is not None}
    for event in case.all(T.APPROVE):
        if event.operator in accepted:
            both = (accepted[event.operator], event)
            yield _one_person(subject, "two_persons", f"two_persons:{key(event)}", both, {})


def _checked_on(subject: Subject) -> dict[date, list[Event]]:
    """List the site checks of each day: one may be told in an event for each officer."""
    checks: dict[date, list[Event]] = {}
    for event in subject.case.all(T.SITE_CHECK):
        checks.setdefault(subject.case.current.days.day(event.time), []).append(event)
    return checks


def _settled(subject: Subject, day: date) -> datetime:
    return subject.case.settled_after(subject.case.current.days.end(day))


def _checked_alone(subject: Subject) -> Iterator[Violation]:
    """Find days on which a site was checked by fewer than two officers, once all of the day may have arrived."""
    for day, checks in _checked_on(subject).items():
        told = [event.data.officers for event in checks]
        officers = {officer for each in told if each is not None for officer in each}
        if None not in told and len(officers) < 2 and subject.case.judged_at >= _settled(subject, day):
            yield _one_person(subject, "officers", f"officers:{day}", checks, {"officers": len(officers)})


def _chaired_his_own(subject: Subject) -> Iterator[Violation]:
    case = subject.case
    reviewing: dict[str | None, list[Event]] = {}
    for event in case.all(*_REVIEWING):
        for person in {event.operator, *(event.data.officers or ())}:
            reviewing.setdefault(person, []).append(event)
    for hearing in case.all(T.HEARING):
        chair, reviewed = hearing.data.chair, reviewing.get(hearing.data.chair, [])[:_LISTED_MAX]
        if chair is not None and reviewed:
            steps = list(dict.fromkeys(event.type.value for event in reviewed))
            yield _one_person(subject, "chair", f"chair:{key(hearing)}", (hearing, *reviewed), {"steps": steps})


def _one_person(subject: Subject, act: str, about: str, events: Iterable[Event], evidence: dict[str, Any]) -> Violation:
    events = tuple(events)
    last = events[-1] if act == "two_persons" else events[0]
    return Violation(
        occurred_at=last.time,
        severity=Severity.WARNING,
        subject=about,
        department=last.department or subject.case.department,
        events=tuple(key(event) for event in events),
        evidence={"act": act, "at": stamp(last.time), **evidence},
    )
