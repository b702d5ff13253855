"""Measures: what one case adds to the statistics, each on the day it counts on (names in `verdict.MEASURES`).

How the case ended comes from its `Handling`, which the columns of `cases` repeat: a sum over the statistics is a sum
over the cases.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Final

from monitor.case import CaseFile
from monitor.clocks import Clocks
from monitor.events import EventType
from monitor.processes import REQUEST, rounds_of
from monitor.rules.entry import delay_of, entries
from monitor.rules.persons import is_authorised
from monitor.rules.rule import Subject, parameters_of
from monitor.verdict import Clock, Finding, Handling, Measure, excused

T = EventType
Excused = frozenset[tuple[str, str]]
Counted = Iterator[tuple[datetime, str, str, int]]  # instant, department, name, amount

_FIRSTS: Final = {
    T.CONSULT: "consulted",
    T.SUPPLEMENT_NOTICE: "supplemented",
    T.FORWARD: "forwarded",
    T.WITHDRAW: "withdrawn",
    T.VOID: "voided",
    T.ISSUE: "issued",
    T.ARCHIVE: "archived",
}
"""Measures that count a case once, on the day of its first event of a type."""

_ONLINE: Final = frozenset({"online", "mobile"})
_BAD_RATING: Final = 4
"""Of the five levels of 好差评 the last two are bad."""


def measures_of(case: CaseFile, clocks: Clocks, findings: Iterable[Finding], handling: Handling) -> tuple[Measure, ...]:
    """List what a case adds to the statistics, sorted; equal entries are joined."""
    calendar, findings = case.current.days, tuple(findings)
    cancelled = excused(findings)
    days: dict[datetime, date] = {}
    totals: dict[tuple[date, str, str], int] = {}
    for counted in (
        _steps(case, clocks),
        _ratings(case),
        _processes(case, handling),
        _entries(case, clocks),
        _finished(case, clocks, handling, cancelled),
        _clocks(case, clocks, cancelled),
        _findings(findings),
    ):
        for at, department, name, amount in counted:
            day = days.get(at)
            if day is None:
                day = days[at] = calendar.day(at)
            place = (day, department, name)
            totals[place] = totals.get(place, 0) + amount
    return tuple([Measure(*place, amount) for place, amount in sorted(totals.items())])


def _steps(case: CaseFile, clocks: Clocks) -> Counted:
    lead = case.department
    for kind, events in case.by_type.items():
        if kind in _FIRSTS:
            yield events[0].time, lead, _FIRSTS[kind], 1
    applied = case.first(T.APPLY, T.RECEIVED)
    if applied is not None:
        yield applied.time, lead, "applied", 1
        if applied.channel in _ONLINE:
            yield applied.time, lead, "applied_online", 1
    if clocks.accepted_at is None:
        if case.refusal is not None:
            yield case.refusal.time, lead, "refused", 1
    else:
        yield clocks.accepted_at, lead, "accepted", 1
        if clocks.deemed:
            yield clocks.accepted_at, lead, "deemed", 1
    if clocks.pauses:
        yield clocks.pauses[0].since, lead, "suspended", 1


def _ratings(case: CaseFile) -> Counted:
    for event in case.all(T.RATING):
        if event.data.rating is not None:
            yield event.time, case.department, "ratings", 1
            if event.data.rating >= _BAD_RATING:
                yield event.time, case.department, "ratings_bad", 1


def _processes(case: CaseFile, handling: Handling) -> Counted:
    """Count a complaint and a request once, as closed when their last round is."""
    requests = rounds_of(case, REQUEST)
    filed = requests[0].opened if requests else None
    closed = requests[-1].closed if requests else None
    for name, at in (
        ("complaints_accepted", handling.complaint_accepted_at),
        ("complaints_closed", handling.complaint_closed_at),
        ("requests_filed", filed.time if filed else None),
        ("requests_closed", closed.time if closed else None),
    ):
        if at is not None:
            yield at, case.department, name, 1


def _entries(case: CaseFile, clocks: Clocks) -> Counted:
    """Count the acts that tell when they were entered, and those entered late by V08, on the case's first day."""
    subject = Subject(case, clocks, parameters_of("V08", case.current))
    told = entries(subject)
    late = sum(delay_of(subject, event) is not None for event in told)
    if told:
        yield case.events[0].time, case.department, "entries", len(told)
    if late:
        yield case.events[0].time, case.department, "entries_late", late


def _finished(case: CaseFile, clocks: Clocks, handling: Handling, cancelled: Excused) -> Counted:
    """Count a case that was finished, on that day: how it ended, how fast, how often the applicant had to come."""
    at, lead = handling.finished_at, case.department
    if at is None:
        return
    days = case.current.days
    yield at, lead, "finished", 1
    if handling.outcome == "refused":
        yield at, lead, "finished_refused", 1
    begun = clocks.accepted_at or case.events[0].time
    if days.day(begun) == days.day(at):
        yield at, lead, "finished_same_day", 1
    if case.first(T.RATING):
        yield at, lead, "finished_rated", 1
    if not handling.decided:
        yield at, lead, "finished_returned", 1
        return
    if case.first(T.SUPPLEMENT_NOTICE) or len(case.all(T.TICKET)) > 1:
        yield at, lead, "finished_not_once", 1
    yield from _timeliness(clocks, at, lead, cancelled)
    yield from _decision(case, clocks, at)
    if handling.counts_in_speed and not case.direct_line:
        yield at, lead, "speed_cases", 1
        for name in ("statutory", "promised", "used"):
            yield at, lead, f"speed_{name}_millidays", getattr(handling, f"{name}_millidays")


def _timeliness(clocks: Clocks, at: datetime, lead: str, cancelled: Excused) -> Counted:
    """Count a decided case as on time or overdue, by each clock that was seen."""
    for clock in clocks.clocks:
        if clock.name in ("promised", "statutory") and (kept := _kept(clock, cancelled)):
            yield at, lead, f"{clock.name}_{kept}", 1
            if clock.name == "promised" and clock.phase == "met" and clock.ended_early:
                yield at, lead, "promised_early", 1


def _kept(clock: Clock, cancelled: Excused) -> str | None:
    """Say whether a clock that has ended was kept."""
    return {"met": "on_time", "breached": "overdue"}.get(clock.phase_but_for(cancelled)) if clock.ended_at else None


def _decision(case: CaseFile, clocks: Clocks, at: datetime) -> Counted:
    """Count a decision of which it can be known, as V15 does, whether a power given to the window made it.

    Not that of a joint case, which several departments decide.
    """
    decision, item = clocks.decision, clocks.item
    if decision is None or item is None or item.type == "joint":
        return
    at_window = is_authorised(Subject(case, clocks, {}), decision)
    if at_window is not None:
        yield at, case.department, "decided", 1
        if not at_window:
            yield at, case.department, "decided_elsewhere", 1


def _clocks(case: CaseFile, clocks: Clocks, cancelled: Excused) -> Counted:
    unseen = sum([clock.phase in ("unobserved", "unarmable") for clock in clocks.clocks])
    if unseen:
        yield case.events[0].time, case.department, "clocks_unobserved", unseen
    if len(clocks.clocks) > unseen:
        yield case.events[0].time, case.department, "clocks_observed", len(clocks.clocks) - unseen
    for clock in clocks.clocks:
        if clock.name in ("promised", "statutory") and clock.due is not None and clock.phase != "cancelled":
            yield clock.due, clock.department, f"{clock.name}_due", 1
        if clock.name == "leg" and clock.ended_at is not None and (kept := _kept(clock, cancelled)):
            yield clock.ended_at, clock.department, f"leg_{kept}", 1


def _findings(findings: Iterable[Finding]) -> Counted:
    """Count the findings shown; one taken back by an inspector, and one late before the baseline, as just that."""
    for finding in findings:
        if finding.mode not in ("card", "backlog") or finding.state == "provisional":
            continue
        name = finding.kind if finding.state == "live" else finding.state
        yield finding.occurred_at, finding.department, f"findings_{'backlog' if finding.mode == 'backlog' else name}", 1
