"""Rules on supplements (补正): V11 asked for more than once or for too much, V12 asked for after acceptance."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import msgspec

from monitor.events import Event, EventType
from monitor.rules.evidence import stamp
from monitor.rules.rule import Subject, Violation, rule
from monitor.timing import key
from monitor.verdict import Severity

T = EventType

_BEGIN_ANEW: Final = (T.APPLY, T.RECEIVED, T.REFUSE)
_FAR: Final = timedelta(days=4)
"""No two clocks, and no two days, may be taken for each other across so much."""
_UNDO_ACCEPTANCE: Final = (T.APPLY, T.REFUSE, T.WITHDRAW, T.VOID)


class _Asking(msgspec.Struct):
    """One supplement notice, as told in one event or several."""

    events: list[Event]

    @property
    def first(self) -> Event:
        return self.events[0]

    @property
    def materials(self) -> set[str] | None:
        """What was asked for; None: not told in full."""
        lists = [event.data.materials for event in self.events]
        return None if None in lists else {code for each in lists for code in each or ()}


def _applications(subject: Subject) -> list[list[_Asking]]:
    """List the notices given before acceptance, apart for every application handed in under the case's number."""
    case, accept = subject.case, subject.case.first(T.ACCEPT)
    applications: list[list[_Asking]] = [[]]
    for event in case.all(T.SUPPLEMENT_NOTICE, *_BEGIN_ANEW):
        if event.type in _BEGIN_ANEW:
            applications.append([])
        elif accept is None or not case.before(accept, event):
            askings = applications[-1]
            if askings and _is_told_again(subject, askings[-1], event):
                askings[-1].events.append(event)
            else:
                askings.append(_Asking([event]))
    return applications


def _is_told_again(subject: Subject, asking: _Asking, event: Event) -> bool:
    """Tell whether an event is part of a notice already told: of the same moment, or of another source that day."""
    case = subject.case
    if not case.before(asking.events[-1], event):
        return True
    days, known = case.current.days, asking.materials
    same_day = days.day(asking.first.time) == days.day(event.time)
    nothing_new = known is None or known.issuperset(event.data.materials or ())
    return event.source != asking.first.source and same_day and nothing_new


def _was_brought(subject: Subject, since: Event, until: Event) -> bool:
    """Tell whether the applicant may have handed something in between two notices."""
    case, brought = subject.case, subject.case.all(T.SUPPLEMENT_RECEIVED)
    first = bisect_left(brought, since.time - _FAR, key=lambda event: event.time)
    last = bisect_right(brought, until.time + _FAR, key=lambda event: event.time)
    return any(not case.before(event, since) and not case.before(until, event) for event in brought[first:last])


def _when_settled(subject: Subject) -> Iterator[datetime]:
    for askings in _applications(subject):
        for asking in askings[1:]:
            if (settled := subject.case.settled_at(asking.first)) > subject.case.judged_at:
                yield settled


@rule(
    "V11",
    version=1,
    basis="行政许可法第三十一条、第三十二条第一款第四项、第七十二条第四项",
    wake=_when_settled,
    about=(T.SUPPLEMENT_NOTICE,),
)
def repeated_supplement(subject: Subject) -> Iterator[Violation]:
    """Find applicants who were not told once of everything, or asked for what the catalogue does not ask for.

    (a) a second notice before acceptance with nothing handed in since the first; (b) a notice that asks for what
    no notice before it did; (c) one that asks for what is not among the item's published materials. A second notice
    that answers a new, again defective submission and asks for nothing new is none of them.
    """
    for askings in _applications(subject):
        for previous, asking in pairwise(askings):
            if _is_repeated(subject, previous, asking):
                yield _violation(subject, "a", asking, previous)
        for position, asking in enumerate(askings):
            before, asked = [other.materials for other in askings[:position]], asking.materials
            if before and asked and None not in before:
                new = asked.difference(*(each for each in before if each))
                if new:
                    yield _violation(subject, "b", asking, askings[position - 1], sorted(new))
            published = _published(subject, asking.first.time)
            if published and asked and (unpublished := asked - published):
                yield _violation(subject, "c", asking, None, sorted(unpublished))


def _is_repeated(subject: Subject, previous: _Asking, asking: _Asking) -> bool:
    """Tell whether nothing came between two notices, as far as that may be judged and could be told."""
    case = subject.case
    judged = case.judged_at >= subject.case.settled_at(asking.first) and case.can_send(T.SUPPLEMENT_RECEIVED)
    return judged and not _was_brought(subject, previous.events[-1], asking.first)


def _published(subject: Subject, asked_at: datetime) -> set[str]:
    """List the materials of the item, by each version that may hold: the first, the frozen, the day's."""
    case = subject.case
    versions = (case.before_acceptance, subject.clocks.catalogue, case.rulebooks.at(asked_at))
    items = (case.item(version) for version in versions)
    return {material.code for item in items if item is not None for material in item.materials}


def _violation(
    subject: Subject, letter: str, asking: _Asking, previous: _Asking | None, materials: list[str] | None = None
) -> Violation:
    evidence: dict[str, Any] = {"act": letter, "at": stamp(asking.first.time), "asked": _listed(asking)}
    if previous is not None:
        evidence |= {"before": stamp(previous.first.time), "asked_before": _listed(previous)}
    if materials is not None:
        evidence["materials"] = materials
    events = (*(previous.events if previous else ()), *asking.events)
    return Violation(
        occurred_at=asking.first.time,
        severity=Severity.PROMISED_BREACH,
        subject=f"{letter}:{key(asking.first)}",
        department=asking.first.department or subject.case.department,
        events=tuple(key(event) for event in events),
        evidence=evidence,
    )


def _listed(asking: _Asking) -> list[str] | None:
    return None if asking.materials is None else sorted(asking.materials)


@rule("V12", version=1, basis="行政许可法第三十二条、第四十五条", about=(T.SUPPLEMENT_NOTICE,))
def supplement_after_acceptance(subject: Subject) -> Iterator[Violation]:
    """Find supplement notices after acceptance; the clocks run on.

    Materials accepted as missing (容缺受理) may be asked for up to the day they are due; whoever applies anew under
    the same number may be asked anew.
    """
    case = subject.case
    accept = case.first(T.ACCEPT)
    if accept is None:
        return
    days, deferred_until = case.current.days, _deferred_until(subject)
    undone = next((event for event in case.all(*_UNDO_ACCEPTANCE) if event.order > accept.order), None)
    for event in case.all(T.SUPPLEMENT_NOTICE):
        may_ask = deferred_until is not None and days.day(event.time) <= days.day(deferred_until)
        anew = undone is not None and undone.order < event.order
        if case.before(accept, event) and not may_ask and not anew:
            evidence: dict[str, Any] = {"accepted_at": stamp(accept.time), "at": stamp(event.time)}
            if deferred_until is not None:
                evidence["deferred_until"] = stamp(deferred_until)
            yield Violation(
                occurred_at=event.time,
                severity=Severity.PROMISED_BREACH,
                subject=key(event),
                department=event.department or case.department,
                events=(key(accept), key(event)),
                evidence={**evidence, "asked": list(event.data.materials or ()) or None},
            )


def _deferred_until(subject: Subject) -> datetime | None:
    accepts = subject.case.all(T.ACCEPT)
    return max((until for event in accepts if (until := event.data.deferred_until) is not None), default=None)
