"""Rules on extensions: V14 extended without authority (Licensing Law art. 42)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from monitor.events import Event, EventType
from monitor.rules.due import due_before
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Severity

T = EventType


class _Grant(msgspec.Struct):
    """One extension, as told in one event or several."""

    told: list[Event]

    def says(self, name: str) -> Any:
        """Give what the first event that tells a field says, None where none does."""
        return next((value for event in self.told if (value := getattr(event.data, name)) is not None), None)


@rule("V14", version=1, basis="行政许可法第四十二条", about=(T.EXTEND,))
def extension_without_authority(subject: Subject) -> Iterator[Violation]:
    """Find extensions of a licence's legal limit that are too long, not the first, not the right head's, or too late.

    Too long: more days than the law allows; nobody: neither approver nor post told; unnotified: no word that the
    applicant was told (art. 42 makes it mandatory); too late: granted after the limit itself had run out. A post that
    is not told is believed; other items than licences have a law of their own.
    """
    item = subject.clocks.item
    if item is None or item.nature != "licence":
        return
    joint, limits = item.type == "joint", subject.clocks.catalogue.rulebook.limits
    most = limits.extension_joint_days_max if joint else limits.extension_days_max
    head = "government_head" if joint else "organ_head"
    for number, grant in enumerate(_grants(subject)):
        days, role = grant.says("days"), grant.says("approver_role")
        roles = {event.data.approver_role for event in grant.told}
        if days is not None and days > most:
            yield _violation(subject, "days", grant, {"days": days, "days_max": most})
        if number > 0:
            yield _violation(subject, "second", grant, {"number": number + 1})
        if role is not None and head not in roles:
            yield _violation(subject, "role", grant, {"role": role, "role_needed": head})
        if role is None and grant.says("approver") is None:
            yield _violation(subject, "nobody", grant, {})
        if grant.says("told_at") is None:
            yield _violation(subject, "unnotified", grant, {})
        yield from _late(subject, grant)


def _grants(subject: Subject) -> list[_Grant]:
    """List the extensions; told again at the same moment, or by another source on that day, one is still one."""
    case, days = subject.case, subject.case.current.days
    grants: list[_Grant] = []
    for event in case.all(T.EXTEND):
        last = grants[-1].told[-1] if grants else None
        if last is not None and not case.before(last, event):
            grants[-1].told.append(event)
            continue
        same_day = last is not None and days.day(last.time) == days.day(event.time)
        if last is not None and same_day and last.source != event.source and last.data.days == event.data.days:
            grants[-1].told.append(event)
        else:
            grants.append(_Grant([event]))
    return grants


def _late(subject: Subject, grant: _Grant) -> Iterator[Violation]:
    """Find an extension granted after the due instant it was to move."""
    granted = grant.told[0]
    clock = next((clock for clock in subject.clocks.clocks if clock.name == "statutory"), None)
    due = None if clock is None else due_before(subject, clock, granted, extended=False)
    if due is not None and subject.case.is_after(granted, due):
        yield _violation(subject, "late", grant, {"due_at": stamp(due)})


def _violation(subject: Subject, act: str, grant: _Grant, evidence: dict[str, Any]) -> Violation:
    granted = grant.told[0]
    return Violation(
        occurred_at=granted.time,
        severity=Severity.STATUTORY_BREACH,
        subject=f"{act}:{key(granted)}",
        department=granted.department or subject.case.department,
        events=tuple(key(event) for event in grant.told),
        evidence={"act": act, "at": stamp(granted.time), **evidence},
    )
