"""Measures: what one case adds to the statistics, each on the day it counts on (names in `verdict.MEASURES`)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from monitor.case import CaseFile
from monitor.clocks import Clocks
from monitor.events import EventType
from monitor.verdict import Finding, Measure

T = EventType

_FIRSTS: Final = (
    ("consulted", (T.CONSULT,)),
    ("applied", (T.APPLY, T.RECEIVED)),
    ("supplemented", (T.SUPPLEMENT_NOTICE,)),
    ("finished", (T.FINISH,)),
    ("forwarded", (T.FORWARD,)),
    ("withdrawn", (T.WITHDRAW,)),
    ("voided", (T.VOID,)),
    ("issued", (T.ISSUE,)),
    ("archived", (T.ARCHIVE,)),
)
"""Measures that count a case once, on the day of the first event of these types."""


def measures_of(case: CaseFile, clocks: Clocks, findings: Iterable[Finding]) -> tuple[Measure, ...]:
    """List what a case adds to the statistics, sorted; equal entries are joined."""
    day = case.current.days.day
    counted = (*_steps(case, clocks), *_clocks(case, clocks), *_findings(findings))
    totals = Counter((day(at), department, name) for at, department, name in counted)
    return tuple(Measure(*place, amount) for place, amount in sorted(totals.items()))


def _steps(case: CaseFile, clocks: Clocks) -> Iterator[tuple[datetime, str, str]]:
    lead = case.department
    for name, types in _FIRSTS:
        event = case.first(*types)
        if event is not None:
            yield event.time, lead, name
            if name == "finished":
                refused = event.data.outcome in ("refused", "returned", "lapsed")
                yield event.time, lead, "finished_refused" if refused else "finished_granted"
    if case.refusal is not None:
        yield case.refusal.time, lead, "refused"
    if clocks.accepted_at is not None:
        yield clocks.accepted_at, lead, "accepted"
        if clocks.deemed:
            yield clocks.accepted_at, lead, "deemed"
    if clocks.pauses:
        yield clocks.pauses[0].since, lead, "suspended"


def _clocks(case: CaseFile, clocks: Clocks) -> Iterator[tuple[datetime, str, str]]:
    for clock in clocks.clocks:
        unseen = clock.phase in ("unobserved", "unarmable")
        yield case.events[0].time, case.department, "clocks_unobserved" if unseen else "clocks_observed"
        if clock.name in ("promised", "statutory") and clock.due is not None and clock.phase != "cancelled":
            yield clock.due, clock.department, f"{clock.name}_due"
        if clock.name in ("promised", "statutory", "leg") and clock.ended_at is not None:
            if clock.phase == "met":
                yield clock.ended_at, clock.department, f"{clock.name}_on_time"
            elif clock.phase == "breached":
                yield clock.ended_at, clock.department, f"{clock.name}_overdue"


def _findings(findings: Iterable[Finding]) -> Iterator[tuple[datetime, str, str]]:
    for finding in findings:
        if finding.mode != "card" or finding.state in ("provisional", "cancelled"):
            continue
        name = "findings_contested" if finding.state == "contested" else f"findings_{finding.kind}"
        yield finding.occurred_at, finding.department, name
