"""The eight clocks of a case: what starts and ends each, its limit, and where it stands (design section 6).

One small function arms each clock. `_run` then counts it under its profile. What an event *is* compares event
times; what is *absent* is judged up to the case's `judged_at`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from monitor.calendar import CalendarError
from monitor.case import CaseFile
from monitor.counting import MICROSECOND, Counting, Interval, counting_for
from monitor.events import PROCEDURES, STEPS, Event, EventType
from monitor.rulebook.model import ClockProfile, Item, Limit, Limits, RulebookVersion, parse_limit
from monitor.verdict import Clock, ClockName, ClockPhase, Pause

T = EventType

TERMINAL: Final = (T.WITHDRAW, T.VOID, T.FORWARD)
"""What ends every clock of a case without an answer to it."""

_NOT_GRANTED: Final = frozenset({"refused", "returned", "lapsed"})


class Clocks(msgspec.Struct, frozen=True):
    """The clocks of a case, with the acceptance they follow from and the catalogue version they are frozen to."""

    clocks: tuple[Clock, ...]
    accepted_at: datetime | None
    deemed: bool
    catalogue: RulebookVersion
    item: Item | None
    pauses: tuple[Pause, ...]
    decision: Event | None


def clocks_of(case: CaseFile) -> Clocks:
    """Arm and run every clock of a case. Pure; a clock that cannot be armed says so in its phase."""
    before = _Armory(case, case.before_acceptance, ())
    notice = _notice(before)
    deemed = notice is not None and notice.phase == "breached"
    accept = case.first(T.ACCEPT)
    if deemed and notice is not None:
        accepted_at, accept_key = notice.started_at, notice.start_event
    else:
        accepted_at, accept_key = (accept.time, key(accept)) if accept else (None, "")

    version = case.catalogue(accepted_at)
    item = case.item(version)
    after = _Armory(case, version, _pauses(case, item, version))
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
    ]
    armed = tuple(clock for clock in clocks if clock is not None)
    return Clocks(armed, accepted_at, deemed, version, item, after.pauses, decision)


def key(event: Event) -> str:
    """Name an event within its case: `source/id`."""
    return f"{event.source}/{event.id}"


class _Armory(msgspec.Struct, frozen=True):
    """What arming a clock needs: the case, the catalogue version frozen onto it, its valid pauses."""

    case: CaseFile
    version: RulebookVersion
    pauses: tuple[Pause, ...]

    @property
    def item(self) -> Item | None:
        return self.case.item(self.version)

    @property
    def limits(self) -> Limits:
        return self.version.rulebook.limits

    def observed(self, *groups: tuple[EventType, ...]) -> bool:
        """Tell whether, of every group, the case's sources are able to send at least one type."""
        return all(self.case.can_send(*group) for group in groups)

    def counting(self, limit: Limit) -> Counting:
        """Choose the counting: the profile is frozen with the catalogue, the calendar is always the current one.

        Raises CalendarError where the rulebook has no such profile.
        """
        current, profile = self.case.current, self.version.rulebook.profile.get(self.profile)
        if profile is None:
            raise CalendarError(f"the rulebook has no clock profile {self.profile!r}")
        known: dict[tuple[ClockProfile, Limit], Counting] = current.__dict__.setdefault("_countings", {})
        if (profile, limit) not in known:
            known[profile, limit] = counting_for(profile, current.days, limit)
        return known[profile, limit]

    @property
    def profile(self) -> str:
        """Code of the clock profile: the item's, else the rulebook's."""
        item = self.item
        return (item and item.profile) or self.limits.profile


def _notice(armory: _Armory) -> Clock | None:
    """Run from receipt of materials to accept, refuse or supplement notice, 5 wd (art. 32(1)(4))."""
    case = armory.case
    start = case.first(T.RECEIVED) or case.first(T.APPLY)
    if start is None:
        return None
    blank = Clock(name="notice", phase="unobserved", department=case.department)
    if not armory.observed((T.ACCEPT,), (T.REFUSE,), (T.SUPPLEMENT_NOTICE,)):
        return blank
    end = case.first(T.ACCEPT, T.REFUSE, T.SUPPLEMENT_NOTICE)
    return _run(armory, blank, start.time, key(start), end, armory.limits.notice)


def _accept_rounds(armory: _Armory) -> Iterator[Clock]:
    """Run from supplement received to accept or refuse the same day (art. 32(1)(5)), once for every notice given."""
    case, start = armory.case, None
    observed = armory.observed((T.SUPPLEMENT_RECEIVED,), (T.ACCEPT,), (T.REFUSE,))
    rounds = 0
    for event in (*case.all(T.SUPPLEMENT_RECEIVED, T.SUPPLEMENT_NOTICE, T.ACCEPT, T.REFUSE), None):
        if start is None:
            if event is None or event.type in (T.ACCEPT, T.REFUSE):
                return  # what comes after the answer (domain.md V12) expects no second one
            start = event if event.type is T.SUPPLEMENT_RECEIVED else None
            continue
        if event is not None and event.type is T.SUPPLEMENT_RECEIVED:
            continue
        rounds += 1
        blank = Clock(name="accept", phase="unobserved", subject=str(rounds), department=case.department)
        yield _run(armory, blank, start.time, key(start), event, armory.limits.accept) if observed else blank
        if event is None or event.type is not T.SUPPLEMENT_NOTICE:
            return
        start = None


def _promised(armory: _Armory, accepted_at: datetime | None, accept_key: str) -> Clock | None:
    """Run from acceptance to finish or refuse, within the promise or up to the due instant the source has set."""
    case, item = armory.case, armory.item
    blank = Clock(name="promised", phase="unobserved", department=case.department)
    end, set_by_source = case.answer, _due_set(case)
    if set_by_source is not None:
        if not armory.observed((T.FINISH,)):
            return blank
        return _against(armory, blank, set_by_source[0], end, set_by_source[1])
    if not _is_application(case):
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
    return _run(armory, blank, accepted_at, accept_key, end, limit, pausable=True)


def _due_set(case: CaseFile) -> tuple[Event, datetime] | None:
    """Find the due instant the source has set last, and the event that did; once it has passed it stays."""
    found: tuple[Event, datetime] | None = None
    for event in case.events:
        if event.data.due is not None and (found is None or event.time <= found[1]):
            found = (event, event.data.due.promised)
    return found


def _statutory(armory: _Armory, accepted_at: datetime | None, accept_key: str, decision: Event | None) -> Clock | None:
    """Run from acceptance to the decision, within the item's legal limit and a valid extension (art. 42)."""
    case, item = armory.case, armory.item
    if not _is_application(case):
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
    end = decision or case.answer
    plain = _run(armory, blank, accepted_at, accept_key, end, limit, pausable=True)
    days = _extension_days(case, item, armory.limits, plain.due)
    if not days:
        return plain
    return _run(armory, blank, accepted_at, accept_key, end, limit, pausable=True, extension=days)


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
    """Find the final approval: of a joint case the last leg's, once every leg is decided."""
    approvals = case.all(T.APPROVE)
    if legs:
        decided = [_final([e for e in approvals if e.department == leg], None) for leg in legs]
        if any(event is None for event in decided):
            return None
        return max((event for event in decided if event is not None), key=lambda event: event.order)
    return _final(approvals, case.first(T.FINISH))


def _final(approvals: list[Event], finish: Event | None) -> Event | None:
    """Take the last approval, of those up to the finish where there are any."""
    in_time = [e for e in approvals if finish is None or e.time <= finish.time]
    chosen = in_time or approvals
    return chosen[-1] if chosen else None


def _leg_clocks(armory: _Armory, legs: dict[str, Event]) -> Iterator[Clock]:
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
        yield _run(armory, blank, transfer.time, key(transfer), end, limit, pausable=True)


def _steps(armory: _Armory, decision: Event | None) -> Iterator[Clock]:
    """Run from each step with a limit to the next step; approval is done with the final one, of the last leg."""
    case, item = armory.case, armory.item
    for name, limit in sorted(item.step_limits.items()) if item else ():
        step = EventType(name)
        start = decision if step is T.APPROVE else case.first(step)
        if start is None:
            continue
        blank = Clock(name="step", phase="unobserved", subject=name, department=start.department or "")
        others = tuple(other for other in STEPS if other is not step)
        if not armory.observed(others):
            yield blank
            continue
        later = (event for event in case.all(*others, T.REFUSE) if event.order > start.order)
        yield _run(armory, blank, start.time, key(start), next(later, None), limit, pausable=True)


def _issue(armory: _Armory, decision: Event | None) -> Clock | None:
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
    return _run(armory, blank, decision.time, key(decision), case.first(T.ISSUE, T.READY), limit)


def _archive(armory: _Armory) -> Clock | None:
    """Run from finish to archive, where the deployment sets a limit."""
    return _between(armory, "archive", T.FINISH, (T.ARCHIVE,), armory.limits.archive)


def _reply(armory: _Armory) -> Clock | None:
    """Run from consult to reply or apply, where the deployment sets a limit."""
    return _between(armory, "reply", T.CONSULT, (T.REPLY, T.APPLY), armory.limits.reply)


def _between(
    armory: _Armory, name: ClockName, first: EventType, last: tuple[EventType, ...], limit: str | None
) -> Clock | None:
    case = armory.case
    start = case.first(first)
    if start is None or limit is None:
        return None
    blank = Clock(name=name, phase="unobserved", department=case.department)
    if not armory.observed((first,), last):
        return blank
    return _run(armory, blank, start.time, key(start), case.first(*last), limit)


def _is_application(case: CaseFile) -> bool:
    return case.first(T.APPLY, T.RECEIVED, T.ACCEPT) is not None


def _pauses(case: CaseFile, item: Item | None, version: RulebookVersion) -> tuple[Pause, ...]:
    """Find the valid suspensions (art. 45): one of the eight, and one the item may need.

    A pause lasts no longer than the days told to the applicant; after them the same procedure may begin anew. A
    resume that names a suspended procedure ends that one, valid or not; any other ends all.
    """
    allowed = PROCEDURES if item is None or item.procedures is None else frozenset(item.procedures)
    under_way: dict[str, Pause | None] = {}  # None: a suspension that stops nothing
    pauses: list[Pause] = []
    for event in case.all(T.SUSPEND, T.RESUME):
        procedure = event.data.procedure or ""
        if event.type is T.RESUME:
            ended = [procedure] if procedure and procedure in under_way else list(under_way)
            resumed = [pause for name in ended if (pause := under_way.pop(name)) is not None]
            pauses += [msgspec.structs.replace(pause, until=event.time) for pause in resumed]
            continue
        before = under_way.get(procedure)
        if before is not None and before.planned_until is not None and before.planned_until < event.time:
            pauses.append(before)
            del under_way[procedure]
        if procedure not in under_way:
            valid = procedure in PROCEDURES & allowed
            planned = _planned_until(_Armory(case, version, ()), event) if valid else None
            under_way[procedure] = Pause(event.time, planned_until=planned) if valid else None
    pauses += [pause for pause in under_way.values() if pause is not None]
    return tuple(sorted(pauses, key=lambda pause: pause.since))


def _planned_until(armory: _Armory, suspension: Event) -> datetime | None:
    if suspension.data.planned_days is None:
        return None
    days = Decimal(str(suspension.data.planned_days))
    try:
        return armory.counting(Limit(days, "wd")).planned_until(suspension.time, float(days))
    except CalendarError:
        return None


def interval(pause: Pause) -> Interval:
    """Give the time a pause takes out: up to its resume or the end of its planned days, whichever is first."""
    ends = [end for end in (pause.until, pause.planned_until) if end is not None]
    return Interval(pause.since, min(ends) if ends else None)


def _run(
    armory: _Armory,
    blank: Clock,
    started_at: datetime,
    start_event: str,
    end: Event | None,
    limit: str,
    *,
    pausable: bool = False,
    extension: Decimal = Decimal(0),
) -> Clock:
    """Count a clock from its start under the frozen profile and the current calendar."""
    parsed, stop = parse_limit(limit), _stop(armory.case, end)
    pauses = armory.pauses if pausable else ()
    intervals = [interval(pause) for pause in pauses]
    warning = Decimal(str(armory.limits.warning_days))
    days = parsed.days + extension
    try:
        counting = armory.counting(parsed)
        budget = counting.budget(days, started_at)
        due = counting.due(started_at, budget, intervals)
        warn_from = None
        if days > warning:
            warn_from = counting.due(started_at, counting.budget(days - warning, started_at), intervals)
        used = counting.used(started_at, stop.time, intervals) if stop else None
    except CalendarError:
        return msgspec.structs.replace(blank, phase="unarmable", limit=limit)
    return Clock(
        name=blank.name,
        phase=_phase(armory.case, due, pauses, stop),
        subject=blank.subject,
        department=blank.department,
        profile=armory.profile,
        limit=limit,
        extension_days=float(extension),
        started_at=started_at,
        start_event=start_event,
        due=due,
        warn_from=warn_from,
        ended_at=stop.time if stop else None,
        end_event=key(stop) if stop else "",
        pauses=pauses,
        budget=budget,
        per_day=counting.per_day,
        used=used,
    )


def _against(armory: _Armory, blank: Clock, carrier: Event, end: Event | None, due: datetime) -> Clock:
    """Hold a clock against an instant the source has set: compared as it stands, not shifted by pauses."""
    warn_from = due - timedelta(days=armory.limits.warning_days)
    stop = _stop(armory.case, end)
    return msgspec.structs.replace(
        blank,
        phase=_phase(armory.case, due, (), stop),
        limit="due",
        started_at=carrier.time,
        start_event=key(carrier),
        due=due,
        warn_from=warn_from if warn_from > carrier.time else None,
        ended_at=stop.time if stop else None,
        end_event=key(stop) if stop else "",
    )


def _stop(case: CaseFile, end: Event | None) -> Event | None:
    """Choose what stops a clock: its end, or what ends the case before it."""
    terminal = case.first(*TERMINAL)
    if end is None or (terminal is not None and terminal.order < end.order):
        return terminal
    return end


def _phase(case: CaseFile, due: datetime | None, pauses: tuple[Pause, ...], stop: Event | None) -> ClockPhase:
    """Say where a clock stands: by the event that stopped it, or by its absence up to the judged instant."""
    if due is not None and (stop.time if stop else case.judged_at) > due:
        return "breached"
    if stop is not None:
        return "cancelled" if stop.type in TERMINAL else "met"
    return "paused" if any(_holds(pause, case.judged_at) for pause in pauses) else "running"


def _holds(pause: Pause, judged_at: datetime) -> bool:
    return pause.until is None and (pause.planned_until is None or judged_at <= pause.planned_until)


def next_change(clock: Clock, judged_at: datetime) -> datetime | None:
    """Find the earliest instant later than `judged_at` at which a clock would stand otherwise with no new event."""
    if clock.phase not in ("running", "paused"):
        return None
    instants = [clock.warn_from, clock.due, *(p.planned_until for p in clock.pauses if p.until is None)]
    return min((i + MICROSECOND for i in instants if i is not None and i >= judged_at), default=None)
