"""assess: a case's events, the rulebook and the moment up to which it may be judged, in; an assessment out.

The pure function everything rests on (design section 3): no I/O, no clock, the same for any order, repetition and
batching of the events, and it never raises on valid ones.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Final

import msgspec

from monitor.case import LATE_ARRIVALS_MAX, CaseFile, open_file
from monitor.clocks import Clocks, clocks_of
from monitor.events import EventType
from monitor.handling import handling_of
from monitor.measures import measures_of
from monitor.processes import stage_of
from monitor.review import reviewed
from monitor.rulebook.model import RulebookHistory
from monitor.rules import evaluate
from monitor.rules.evidence import stamp
from monitor.timing import key, next_change
from monitor.verdict import (
    CLOSED_STAGES,
    STANDING,
    Assessment,
    Clock,
    Finding,
    JournalEntry,
    Light,
    Severity,
    Stage,
    excused,
)

T = EventType

_STAGES: Final = (
    (T.VOID, Stage.VOIDED),
    (T.WITHDRAW, Stage.WITHDRAWN),
    (T.FORWARD, Stage.FORWARDED),
    (T.ARCHIVE, Stage.ARCHIVED),
    (T.ISSUE, Stage.ISSUED),
    (T.FINISH, Stage.FINISHED),
    (T.REFUSE, Stage.REFUSED),
    (T.APPROVE, Stage.APPROVED),
    (T.TRANSFER, Stage.TRANSFERRED),
    (T.ACCEPT, Stage.ACCEPTED),
    (T.SUPPLEMENT_RECEIVED, Stage.APPLIED),
    (T.SUPPLEMENT_NOTICE, Stage.SUPPLEMENTING),
    (T.APPLY, Stage.APPLIED),
    (T.RECEIVED, Stage.APPLIED),
    (T.CONSULT, Stage.CONSULTED),
)
"""The furthest event reached says the stage; the order of events plays no part."""

_BREACH_SEVERITY: Final = {
    "statutory": Severity.STATUTORY_BREACH,
    "promised": Severity.PROMISED_BREACH,
    "notice": Severity.PROMISED_BREACH,
    "accept": Severity.PROMISED_BREACH,
    "issue": Severity.PROMISED_BREACH,
    "leg": Severity.PROMISED_BREACH,
    "step": Severity.WARNING,
    "archive": Severity.WARNING,
    "reply": Severity.NOTICE,
    "deferred": Severity.WARNING,
    "complaint_accept": Severity.PROMISED_BREACH,
    "complaint": Severity.PROMISED_BREACH,
    "request": Severity.PROMISED_BREACH,
}

_LIGHTS: Final = {
    Severity.NOTICE: Light.NOTICE,
    Severity.WARNING: Light.WARNING,
    Severity.PROMISED_BREACH: Light.PROMISED_BREACH,
    Severity.STATUTORY_BREACH: Light.STATUTORY_BREACH,
}


def assess(entries: Iterable[JournalEntry], rulebooks: RulebookHistory, judged_at: datetime) -> Assessment:
    """Assess one case.

    `entries` are all entries of the case, in any order, several contents of one identity included. `judged_at` is
    the moment up to which the absence of an event may be held against anyone.
    """
    judged_at = judged_at.astimezone(UTC)
    case = open_file(entries, rulebooks, judged_at)
    clocks = clocks_of(case)
    findings, wakes = evaluate(case, clocks)
    contested, later = _contested(case, findings)
    findings = reviewed(case, sorted((*findings, *contested), key=lambda finding: (finding.rule, finding.subject)))
    stage = _stage(case, clocks)
    handling = handling_of(case, clocks)
    first = case.events[0] if case.events else None
    apply = case.first(T.APPLY, T.RECEIVED) or first
    changes = _changes(clocks, judged_at)
    return Assessment(
        case=case.case,
        judged_at=judged_at,
        rulebook=rulebooks.current.version,
        catalogue=clocks.catalogue.version,
        region=case.region,
        item=case.item_code,
        department=case.department,
        channel=(apply and apply.channel) or "",
        direct_line=case.direct_line,
        stage=stage,
        light=_light(clocks.clocks, findings, judged_at),
        started_at=first.time if first else None,
        accepted_at=clocks.accepted_at,
        deemed=clocks.deemed,
        closed=stage in CLOSED_STAGES,
        handling=handling,
        clocks=clocks.clocks,
        findings=tuple(findings),
        measures=measures_of(case, clocks, findings, handling),
        next_change=min((*changes, *wakes, *later), default=None),
    )


def _contested(case: CaseFile, findings: list[Finding]) -> tuple[list[Finding], list[datetime]]:
    """Find what was rightly found before an event came that came too late to erase it quietly.

    For each event later than its source's lateness allows, the case is judged as it stood just before and just
    after. A breach of conduct seen before, and no more after nor now, is contested: an inspector decides, with all
    three times before him. Returns the contested findings, and the instants at which more of that past may be judged.
    """
    standing = {finding.id for finding in findings}
    contested: dict[str, Finding] = {}
    wakes: list[datetime] = []
    arrivals_by_time = groupby(case.late, key=lambda entry: entry.received_at)
    for received_at, arrivals in islice(arrivals_by_time, LATE_ARRIVALS_MAX):
        late = tuple(arrivals)
        before = case.as_known_before(late[0])
        _, found, changes = _seen(before)
        doubtful = [finding for finding in found if finding.id not in standing and finding.id not in contested]
        if doubtful:
            clocks, still, more = _seen(case.as_known_with(late[0], before.judged_at))
            changes += more
            kept = {finding.id for finding in still}
            for finding in doubtful:
                excuse = _excuse(finding, late, clocks)
                if finding.id not in kept and excuse is not None:
                    contested[finding.id] = _contest(finding, excuse)
        known_until = before.judged_until(received_at)
        wakes += [change for change in changes if case.judged_at < change <= known_until]
    return list(contested.values()), wakes


def _seen(case: CaseFile) -> tuple[Clocks, list[Finding], list[datetime]]:
    """Judge a state of the case: its clocks, its findings of conduct, and the instants at which they may change."""
    clocks = clocks_of(case)
    findings, wakes = evaluate(case, clocks)
    changes = _changes(clocks, case.judged_at)
    return clocks, [finding for finding in findings if finding.kind == "conduct"], [*changes, *wakes]


def _changes(clocks: Clocks, judged_at: datetime) -> list[datetime]:
    """List the instants at which the clocks may stand otherwise with no new event."""
    open_clocks = [clock for clock in clocks.clocks if clock.phase in ("running", "paused")]
    return [change for clock in open_clocks if (change := next_change(clock, judged_at)) is not None]


def _excuse(finding: Finding, late: tuple[JournalEntry, ...], after: Clocks) -> JournalEntry | None:
    """Choose, of the events that came late together, the one that ends the clock of a finding, else the first."""
    possible = [entry for entry in late if _is_late_for(entry, finding)]
    subjects = {f"{clock.name}:{clock.subject}".rstrip(":"): clock for clock in after.clocks}
    ends = subjects[finding.subject].end_event if finding.subject in subjects else ""
    return next((entry for entry in possible if key(entry.event) == ends), possible[0] if possible else None)


def _is_late_for(entry: JournalEntry, finding: Finding) -> bool:
    """Tell whether an event came too late for a finding: a suspension its source may tell at its end did not."""
    return finding.state != "provisional" or entry.event.type not in (T.SUSPEND, T.RESUME)


def _contest(finding: Finding, late: JournalEntry) -> Finding:
    event = late.event
    times = {
        "event": f"{event.source}/{event.id}",
        "type": event.type.value,
        "occurred": stamp(event.time),
        "recorded": stamp(event.recorded) if event.recorded else None,
        "received": stamp(late.received_at),
    }
    return msgspec.structs.replace(finding, state="contested", evidence={**finding.evidence, "came_late": times})


def _stage(case: CaseFile, clocks: Clocks) -> Stage:
    reached = [stage for kind, stage in _STAGES if kind in case.by_type and (kind is not T.REFUSE or case.refusal)]
    stage = reached[0] if reached else None
    if stage is None:
        return stage_of(case) or Stage.OTHER
    supplement = case.all(T.SUPPLEMENT_NOTICE, T.SUPPLEMENT_RECEIVED)
    if stage is Stage.APPLIED and supplement and supplement[-1].type is T.SUPPLEMENT_NOTICE:
        stage = Stage.SUPPLEMENTING
    if stage in (Stage.APPLIED, Stage.SUPPLEMENTING) and clocks.deemed:
        return Stage.ACCEPTED
    if stage is Stage.SUPPLEMENTING or stage in CLOSED_STAGES:
        return stage
    paused = any(clock.phase == "paused" for clock in clocks.clocks)
    return Stage.SUSPENDED if paused else stage


def light_of(clock: Clock, judged_at: datetime) -> Light:
    """Show the light of one clock alone, as of a leg of a joint case."""
    return _light([clock], [], judged_at)


def _light(clocks: Iterable[Clock], findings: Iterable[Finding], judged_at: datetime) -> Light:
    """Show the gravest thing known; grey where nothing is wrong but a clock cannot be seen or armed.

    A clock whose breach an inspector has cancelled counts as one that is not overdue.
    """
    clocks, findings = tuple(clocks), tuple(findings)
    cancelled = excused(findings)
    standing = [clock for clock in clocks if clock.phase_but_for(cancelled) == clock.phase]
    worst = max((*_severities(standing, judged_at), *_found(findings)), default=None)
    if worst is not None and worst > Severity.NOTICE:
        return _LIGHTS[worst]
    if any(clock.phase in ("unobserved", "unarmable") for clock in clocks):
        return Light.GREY
    return Light.NORMAL if worst is None else _LIGHTS[worst]


def _severities(clocks: Iterable[Clock], judged_at: datetime) -> Iterator[Severity]:
    for clock in clocks:
        if clock.phase == "breached":
            yield _BREACH_SEVERITY[clock.name]
        elif clock.phase == "running" and clock.warn_from is not None and judged_at > clock.warn_from:
            yield Severity.WARNING


def _found(findings: Iterable[Finding]) -> Iterator[Severity]:
    for finding in findings:
        if finding.mode != "card" or finding.state not in STANDING:
            continue
        yield Severity.NOTICE if finding.state == "contested" else finding.severity
