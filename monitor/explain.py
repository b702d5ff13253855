"""explain: a case's time line and the arithmetic of each clock, day by day, so that anyone can check a verdict."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from monitor.assessment import assess, light_of
from monitor.case import CaseFile, open_file
from monitor.clocks import clocks_of
from monitor.counting import Counting, DayCount, counting_for
from monitor.language import Lang, text
from monitor.rulebook.model import Rulebook, RulebookHistory, parse_limit
from monitor.timing import interval
from monitor.verdict import Assessment, Clock, Finding, JournalEntry, Pause
from monitor.wording import say_clock, say_days, say_department, say_finding, say_instant, say_item, say_limit

BEFORE_ACCEPTANCE: Final = ("notice", "accept", "reply", "complaint_accept", "complaint", "request")
"""Clocks counted by the version in force at the case's first event."""


class TimeLineEntry(msgspec.Struct, frozen=True):
    """One event of the time line in words; `note` says why it does not count, or that it was late."""

    time: str
    event: str
    by: str
    note: str


class DayLine(msgspec.Struct, frozen=True):
    """One day of a clock: what it contributed and the sum so far, in days, and why."""

    day: str
    counted: str
    sum: str
    why: str
    mark: str


class ClockExplanation(msgspec.Struct, frozen=True):
    """One clock in words, with its days where days were counted."""

    title: str
    dates: str
    pauses: tuple[str, ...]
    arithmetic: str
    days: tuple[DayLine, ...]


class Explanation(msgspec.Struct, frozen=True):
    """Everything that led to the verdict on one case, in words of one language; `verdict` is the same for programs."""

    case: str
    item: str
    department: str
    stage: str
    light: str
    judged_at: str
    versions: str
    timeline: tuple[TimeLineEntry, ...]
    deemed: str
    clocks: tuple[ClockExplanation, ...]
    findings: tuple[tuple[str, str], ...]  # sentence, evidence
    verdict: Assessment


def explain(
    entries: Iterable[JournalEntry], rulebooks: RulebookHistory, judged_at: datetime, lang: Lang
) -> Explanation:
    """Explain the verdict on a case from the same inputs as `assess`."""
    entries = list(entries)
    verdict = assess(entries, rulebooks, judged_at)
    case = open_file(entries, rulebooks, judged_at)
    book = rulebooks.current.rulebook
    versions = text(
        "explain.versions_text",
        lang,
        catalogue=verdict.catalogue,
        rulebook=verdict.rulebook,
        calendar=book.calendar.version,
    )
    return Explanation(
        case=verdict.case,
        item=f"{say_item(verdict.item, lang, book)} ({verdict.item})",
        department=say_department(verdict.department, lang, book),
        stage=text(f"stage.{verdict.stage}", lang),
        light=text(f"light.{verdict.light}", lang),
        judged_at=say_instant(verdict.judged_at, book.days),
        versions=versions,
        timeline=tuple(_time_line(entries, case, lang)),
        deemed=text("explain.deemed", lang) if verdict.deemed else "",
        clocks=tuple(_clock(clock, case, verdict, lang) for clock in verdict.clocks),
        findings=tuple(_finding(finding, book, lang) for finding in verdict.findings),
        verdict=verdict,
    )


def _finding(finding: Finding, book: Rulebook, lang: Lang) -> tuple[str, str]:
    name, state = text(f"rule.{finding.rule}.name", lang), text(f"state.{finding.state}", lang)
    events, basis = ", ".join(finding.evidence["events"]), text(f"rule.{finding.rule}.basis", lang)
    title = f"{finding.rule} {name}（{state}）" if lang == "zh" else f"{finding.rule} {name} ({state}): "
    return title + say_finding(finding, lang, book), text("explain.evidence", lang, events=events, basis=basis)


def _time_line(entries: list[JournalEntry], case: CaseFile, lang: Lang) -> Iterable[TimeLineEntry]:
    book = case.current
    counted, late = set(map(id, (*case.entries, *case.verdicts))), set(map(id, case.late))
    identities = {entry.event.identity for entry in case.entries}
    for entry in sorted(entries, key=lambda entry: (entry.event.order, entry.content_hash)):
        event, note = entry.event, ""
        if id(entry) not in counted and event.type != "retract":
            why = "foreign" if event in case.foreign else "duplicate" if event.identity in identities else "retracted"
            note = text(f"explain.{why}", lang)
        elif id(entry) in late:
            note = text("explain.late", lang, received=say_instant(entry.received_at, book.days))
        yield TimeLineEntry(
            time=say_instant(event.time, book.days),
            event=text(f"event.{event.type}", lang),
            by=f"{say_department(event.department or '', lang, book)} / {event.source}",
            note=note,
        )


def _clock(clock: Clock, case: CaseFile, verdict: Assessment, lang: Lang) -> ClockExplanation:
    book = case.current
    limit = say_limit(clock.limit, lang, clock.extension_days) if clock.limit else "—"
    title = text(
        "explain.clock",
        lang,
        clock=say_clock(clock.name, clock.subject, lang, book),
        limit=limit,
        phase=text(f"phase.{clock.phase}", lang),
    )
    if clock.name == "leg":
        light = text(f"light.{light_of(clock, verdict.judged_at)}", lang)
        title += text("explain.leg_light", lang, light=light)
    if clock.started_at is None or clock.phase in ("unobserved", "unarmable"):
        return ClockExplanation(title, "", (), "", ())
    ended = text("explain.clock_ended", lang, ended=say_instant(clock.ended_at, book.days)) if clock.ended_at else ""
    due = say_instant(clock.due, book.days) if clock.due else text("explain.paused_no_due", lang)
    dates = text("explain.clock_dates", lang, started=say_instant(clock.started_at, book.days), due=due, end=ended)
    if clock.limit == "due":
        return ClockExplanation(title, dates, (), text("explain.compared", lang), ())
    arithmetic = _arithmetic(clock, case, verdict, lang)
    pauses = tuple(_pause(pause, book, lang) for pause in clock.pauses if _within(pause, clock))
    return ClockExplanation(title, dates, pauses, arithmetic, tuple(_days(clock, case, verdict, lang)))


def _arithmetic(clock: Clock, case: CaseFile, verdict: Assessment, lang: Lang) -> str:
    """Say what is used and what remains: when the clock stopped, or of an open one by the instant judged up to."""
    assert clock.started_at is not None, "only an armed clock has used anything"
    used = clock.used
    if used is None:
        pauses = [interval(pause) for pause in clock.pauses]
        used = _counting(clock, case).used(clock.started_at, verdict.judged_at, pauses)
    numbers = {"used": used, "budget": clock.budget, "remaining": clock.budget - used}
    said = {name: say_days(number, clock.per_day) for name, number in numbers.items()}
    dated = text("explain.by_days", lang) if case.by_days else ""
    if clock.used is not None:
        return text("explain.clock_arithmetic", lang, **said) + dated
    return text("explain.clock_so_far", lang, at=say_instant(verdict.judged_at, case.current.days), **said) + dated


def _counting(clock: Clock, case: CaseFile) -> Counting:
    """Find how a clock was counted: by its profile in the version frozen onto the case, and the calendar of now."""
    before = clock.name in BEFORE_ACCEPTANCE
    version = case.before_acceptance if before else clocks_of(case).catalogue
    profile, limit = version.rulebook.profile[clock.profile], parse_limit(clock.limit)
    return counting_for(profile, case.current.days, limit, by_days=case.by_days)


def _within(pause: Pause, clock: Clock) -> bool:
    """Tell whether a pause touches the time a clock ran."""
    until = interval(pause).until
    begins_in_time = clock.ended_at is None or pause.since < clock.ended_at
    return begins_in_time and (until is None or clock.started_at is None or until > clock.started_at)


def _pause(pause: Pause, book: Rulebook, lang: Lang) -> str:
    """Say from when to when a pause held the clock, and why it ended there."""
    since, until = say_instant(pause.since, book.days), interval(pause).until
    if until is None:
        return text("explain.pause_open", lang, since=since)
    ended = "pause_resumed" if until == pause.until else "pause_used_up"
    return text(f"explain.{ended}", lang, since=since, until=say_instant(until, book.days))


def _days(clock: Clock, case: CaseFile, verdict: Assessment, lang: Lang) -> Iterable[DayLine]:
    """Walk the days of a clock up to its end or due day, whichever is later."""
    assert clock.started_at is not None, "only an armed clock is walked"
    book, calendar = case.current, case.current.days
    counting = _counting(clock, case)
    until = max(clock.ended_at or clock.due or verdict.judged_at, clock.due or clock.started_at)
    total = 0
    for day in counting.walk(clock.started_at, until, [interval(pause) for pause in clock.pauses]):
        total += day.units
        marks = []
        if clock.due is not None and calendar.day(clock.due) == day.day:
            marks.append(text("explain.due_mark", lang))
        if clock.ended_at is not None and calendar.day(clock.ended_at) == day.day:
            marks.append(text("explain.end_mark", lang))
        weekday = text("explain.weekdays", lang).split()[day.day.weekday()]
        yield DayLine(
            day=f"{day.day} {weekday}",
            counted=say_days(day.units, counting.per_day),
            sum=say_days(total, counting.per_day),
            why=_why(day, book, lang),
            mark=", ".join(marks),
        )


def _why(day: DayCount, book: Rulebook, lang: Lang) -> str:
    name = day.name
    if lang == "en" and name:
        name = next((closed.name_en or closed.name for closed in book.calendar.closed if closed.day == day.day), name)
    why = text(f"day.{day.why}", lang, name=name) if day.why == "holiday" else text(f"day.{day.why}", lang)
    return why + (text("day.provisional", lang) if day.provisional else "")
