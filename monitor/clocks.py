"""The clocks of a case: what starts and ends each, its limit, and where it stands (design section 6).

One small function arms each clock; `monitor.timing` runs it, `monitor.suspensions` says what pauses it.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from monitor.case import CaseFile
from monitor.events import RANK, STEPS, Event, EventType
from monitor.processes import process_clocks
from monitor.rulebook.model import Item, Limits, RulebookVersion
from monitor.suspensions import Suspension, pauses_of, suspensions_of
from monitor.timing import Armory, armory_of, key, run, run_against
from monitor.verdict import Clock, ClockName, Pause

T = EventType

_NOT_GRANTED: Final = frozenset({"refused", "returned", "lapsed"})


class Clocks(msgspec.Struct, frozen=True):
    """The clocks of a case, with the acceptance they follow from and the catalogue version they are frozen to."""

    clocks: tuple[Clock, ...]
    accepted_at: datetime | None
    deemed: bool
    catalogue: RulebookVersion
    item: Item | None
    suspensions: tuple[Suspension, ...]
    pauses: tuple[Pause, ...]
    decision: Event | None


def clocks_of(case: CaseFile) -> Clocks:
    """Arm and run every clock of a case. Pure; a clock that cannot be armed says so in its phase."""
    before = armory_of(case, case.before_acceptance)
    notice = _notice(before)
    deemed = notice is not None and notice.phase == "breached"
    accept = case.first(T.ACCEPT)
    if deemed and notice is not None:
        accepted_at, accept_key = notice.started_at, notice.start_event
    else:
        accepted_at, accept_key = (accept.time, key(accept)) if accept else (None, "")

    version = case.catalogue(accepted_at)
    after = before if version is case.before_acceptance else armory_of(case, version)
    suspensions = suspensions_of(after)
    if suspensions:
        after = msgspec.structs.replace(after, pauses=pauses_of(suspensions))
    item = after.item
    legs = _legs(case, item)
    decision = _decision(case, legs)
    clocks = [
        notice,
        *_accept_rounds(before),
        _promised(after, accepted_at, accept_key),
        _statutory(after, accepted_at, accept_key, decision),
        *_leg_clocks(after, legs),
        *_steps(after, decision),
        _issue(after, decision),
        _archive(after),
        _reply(before),
        _deferred(after),
        *process_clocks(case),
    ]
    armed = tuple(clock for clock in clocks if clock is not None)
    return Clocks(armed, accepted_at, deemed, version, item, suspensions, after.pauses, decision)


def _notice(armory: Armory) -> Clock | None:
    """Run from receipt of materials to accept, refuse or supplement notice, 5 wd (art. 32(1)(4))."""
    case = armory.case
    start = case.first(T.RECEIVED) or case.first(T.APPLY)
    if start is None:
        return None
    blank = Clock(name="notice", phase="unobserved", department=case.department)
    if not armory.observed((T.ACCEPT,), (T.REFUSE,), (T.SUPPLEMENT_NOTICE,)):
        return blank
    end = case.first(T.ACCEPT, T.REFUSE, T.SUPPLEMENT_NOTICE)
    return run(armory, blank, start.time, key(start), end, armory.limits.notice)


def _accept_rounds(armory: Armory) -> Iterator[Clock]:
    """Run from supplement received to accept or refuse the same day (art. 32(1)(5)), once for every notice given."""
    observed = armory.observed((T.SUPPLEMENT_RECEIVED,), (T.ACCEPT,), (T.REFUSE,))
    for number, (brought, answer) in enumerate(_supplements(armory.case), 1):
        blank = Clock(name="accept", phase="unobserved", subject=str(number), department=armory.case.department)
        yield run(armory, blank, brought.time, key(brought), answer, armory.limits.accept) if observed else blank


def _supplements(case: CaseFile) -> Iterator[tuple[Event, Event | None]]:
    """Iterate what was brought before the answer to it, each with that answer: accepted, refused, more asked for.

    What comes after the acceptance (domain.md V12) expects no second one. A further notice that clocks, or days alone,
    do not surely put before what was brought is the answer to it.
    """
    brought: Event | None = None
    asked: list[Event] = []
    for event in case.all(T.SUPPLEMENT_RECEIVED, T.SUPPLEMENT_NOTICE, T.ACCEPT, T.REFUSE):
        if event.type is T.SUPPLEMENT_RECEIVED:
            if brought is None and len(asked) > 1 and not case.before(asked[-1], event):
                yield event, asked[-1]
                asked = asked[-1:]
            else:
                brought = brought or event
            continue
        if brought is not None:
            yield brought, event
            brought, asked = None, []
        if event.type is not T.SUPPLEMENT_NOTICE:
            return
        asked.append(event)
    if brought is not None:
        yield brought, None


def _promised(armory: Armory, accepted_at: datetime | None, accept_key: str) -> Clock | None:
    """Run from acceptance to finish or refuse, within the promise or up to the due instant the source has set."""
    case, item = armory.case, armory.item
    blank = Clock(name="promised", phase="unobserved", department=case.department)
    end, set_by_source = case.answer, _due_set(case)
    if set_by_source is not None:
        if not armory.observed((T.FINISH,)):
            return blank
        return run_against(armory, blank, set_by_source[0], end, set_by_source[1])
    if not case.is_application:
        return None
    if item is None:
        return msgspec.structs.replace(blank, phase="unarmable")
    limit = item.promised_limit or ("0 wd" if item.type == "instant" else None)
    if limit is None:
        return None
    if not armory.observed((T.ACCEPT,), (T.FINISH,)):
        return blank
    if accepted_at is None:
        return None
    return run(armory, blank, accepted_at, accept_key, end, limit, pausable=True)


def _due_set(case: CaseFile) -> tuple[Event, datetime] | None:
    """Find the due instant the source has set last, and the event that did; once it has passed it stays."""
    found: tuple[Event, datetime] | None = None
    for event in case.events:
        if event.data.due is not None and (found is None or event.time <= case.due_at(found[1])):
            found = (event, event.data.due.promised)
    return found


def _statutory(armory: Armory, accepted_at: datetime | None, accept_key: str, decision: Event | None) -> Clock | None:
    """Run from acceptance to the decision, within the item's legal limit and a valid extension (art. 42).

    What was issued or archived was decided by then, even where nobody told of the decision (a finding of its own).
    """
    case, item = armory.case, armory.item
    if not case.is_application:
        return None
    blank = Clock(name="statutory", phase="unobserved", department=case.department)
    if item is None:
        return msgspec.structs.replace(blank, phase="unarmable")
    limit = _statutory_limit(item, armory.limits)
    if limit is None:
        return None
    if not armory.observed((T.ACCEPT,), (T.APPROVE, T.FINISH)):
        return blank
    if accepted_at is None:
        return None
    end = decision or case.answer or case.first(T.READY, T.ISSUE, T.ARCHIVE)
    plain = run(armory, blank, accepted_at, accept_key, end, limit, pausable=True)
    days = _extension_days(case, item, armory.limits, plain.due)
    if not days:
        return plain
    return run(armory, blank, accepted_at, accept_key, end, limit, pausable=True, extension=days)


def _statutory_limit(item: Item, limits: Limits) -> str | None:
    if item.nature != "licence":
        return item.statutory_limit
    return item.statutory_limit or (limits.statutory_joint if item.type == "joint" else limits.statutory)


def _extension_days(case: CaseFile, item: Item, limits: Limits, due: datetime | None) -> Decimal:
    """Find the days of the one extension the law allows (art. 42): by the right head, granted before the due instant.

    More days than the law allows count as what it allows. A feed that does not tell the approver's post is
    believed here; that nobody is named is a finding of its own.
    """
    joint = item.type == "joint"
    role = "government_head" if joint else "organ_head"
    most = Decimal(limits.extension_joint_days_max if joint else limits.extension_days_max)
    for event in case.all(T.EXTEND):
        if event.data.days is None or (due is not None and event.time > due):
            continue
        if event.data.approver_role in (None, role):
            return min(Decimal(str(event.data.days)), most)
    return Decimal(0)


def _legs(case: CaseFile, item: Item | None) -> dict[str, Event]:
    """Find the transfer that opened the leg of each department of a joint case."""
    legs: dict[str, Event] = {}
    if item is not None and item.type == "joint":
        for event in case.all(T.TRANSFER):
            for department in event.data.to or tuple(item.legs):
                legs.setdefault(department, event)
    return legs


def _decision(case: CaseFile, legs: dict[str, Event]) -> Event | None:
    """Find the final approval, the last up to the finish; of a joint case the last leg's, once every leg is decided."""
    approvals = case.all(T.APPROVE)
    if legs:
        decided = [_final([e for e in approvals if e.department == leg]) for leg in legs]
        if any(event is None for event in decided):
            return None
        return max((event for event in decided if event is not None), key=lambda event: event.order)
    finish = case.first(T.FINISH)
    return _final([e for e in approvals if finish is None or not case.before(finish, e)] or approvals)


def _final(approvals: list[Event]) -> Event | None:
    return approvals[-1] if approvals else None


def _leg_clocks(armory: Armory, legs: dict[str, Event]) -> Iterator[Clock]:
    """Run from transfer to approval by the department of the leg, charged to that department."""
    case, item = armory.case, armory.item
    for department, transfer in legs.items():
        blank = Clock(name="leg", phase="unobserved", subject=department, department=department)
        limit = item.legs.get(department) if item else None
        if limit is None:
            yield msgspec.structs.replace(blank, phase="unarmable")
            continue
        if not armory.observed((T.TRANSFER,), (T.APPROVE,)):
            yield blank
            continue
        own = [event for event in case.all(T.APPROVE) if event.department == department]
        end = own[-1] if own else case.answer
        yield run(armory, blank, transfer.time, key(transfer), end, limit, pausable=True)


def _steps(armory: Armory, decision: Event | None) -> Iterator[Clock]:
    """Run from each step with a limit to the next step; approval is done with the final one, of the last leg.

    Observed where the step the item has next can be told: of the ones after it nobody knows whether it was late. A
    later step that clocks within their tolerance put before this one still follows it.
    """
    case, item = armory.case, armory.item
    for name, limit in sorted(item.step_limits.items()) if item else ():
        step = EventType(name)
        start = decision if step is T.APPROVE else case.first(step)
        if start is None:
            continue
        blank = Clock(name="step", phase="unobserved", subject=name, department=start.department or "")
        others = tuple(other for other in STEPS if other is not step)
        following = [other for other in item.steps or STEPS if RANK[other] > RANK[step]] if item else []
        if not armory.observed((min(following, key=RANK.__getitem__),) if following else others):
            yield blank
            continue
        later = (event for event in case.all(*others, T.REFUSE) if _follows(case, event, start))
        yield run(armory, blank, start.time, key(start), next(later, None), limit, pausable=True)


def _follows(case: CaseFile, event: Event, step: Event) -> bool:
    if case.follows(event, step):
        return True
    return RANK[event.type] > RANK[step.type] and not case.before(event, step)


def _issue(armory: Armory, decision: Event | None) -> Clock | None:
    """Run from a granted decision to issue or ready, 10 wd (art. 44; licences, and items that say so).

    Where neither decision nor finish tells its outcome, nobody can tell whether there is anything to issue.
    """
    case, item = armory.case, armory.item
    if decision is None or item is None:
        return None
    finish = case.first(T.FINISH)
    outcomes = {decision.data.outcome, finish.data.outcome if finish else None}
    limit = item.issue_limit or (armory.limits.issue if item.nature == "licence" else None)
    if limit is None or outcomes & _NOT_GRANTED:
        return None
    blank = Clock(name="issue", phase="unobserved", department=case.department)
    if "granted" not in outcomes or not armory.observed((T.APPROVE,), (T.ISSUE, T.READY)):
        return blank
    return run(armory, blank, decision.time, key(decision), case.first(T.ISSUE, T.READY), limit)


def _archive(armory: Armory) -> Clock | None:
    """Run from finish to archive, where the deployment sets a limit."""
    return _between(armory, "archive", T.FINISH, (T.ARCHIVE,), armory.limits.archive, told=T.ARCHIVE)


def _reply(armory: Armory) -> Clock | None:
    """Run from consult to reply or apply, where the deployment sets a limit.

    Who can tell only of applications may have been answered all the same: observed where replies are told.
    """
    return _between(armory, "reply", T.CONSULT, (T.REPLY, T.APPLY), armory.limits.reply, told=T.REPLY)


def _deferred(armory: Armory) -> Clock | None:
    """Run from an acceptance with materials deferred (容缺受理) to their receipt, up to the instant it names.

    Whatever ends the case without a grant ends the clock: nothing is owed any more.
    """
    case = armory.case
    accept = next((event for event in case.all(T.ACCEPT) if event.data.deferred_until is not None), None)
    if accept is None or accept.data.deferred_until is None:
        return None
    blank = Clock(name="deferred", phase="unobserved", department=case.department)
    if not armory.observed((T.DEFERRED_RECEIVED,)):
        return blank
    finish = case.first(T.FINISH)
    lapsed = finish if finish is not None and finish.data.outcome in _NOT_GRANTED else None
    ends = [event for event in (case.first(T.DEFERRED_RECEIVED), case.refusal, lapsed) if event is not None]
    end = min(ends, key=lambda event: event.order, default=None)
    return run_against(armory, blank, accept, end, accept.data.deferred_until)


def _between(
    armory: Armory, name: ClockName, first: EventType, last: tuple[EventType, ...], limit: str | None, told: EventType
) -> Clock | None:
    case = armory.case
    start = case.first(first)
    if start is None or limit is None:
        return None
    blank = Clock(name=name, phase="unobserved", department=case.department)
    if not armory.observed((first,), (told,)):
        return blank
    return run(armory, blank, start.time, key(start), case.first(*last), limit)
