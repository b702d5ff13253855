"""A small centre in Yulin, 2009, and its cases written as compact lines: `case(at("2009-03-02 09:00", "apply"))`.

All times are wall-clock times of the calendar's zone. 2009-03-02 is a Monday; Monday 6 April is a holiday.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec

from monitor.assessment import assess
from monitor.events import CONSOLE, Due, Event, EventData, EventType, content, content_hash
from monitor.rulebook.model import (
    CalendarRules,
    ClockProfile,
    ClosedDay,
    Department,
    Item,
    Limits,
    Mode,
    ProfileKind,
    Region,
    Rulebook,
    RulebookHistory,
    RulebookVersion,
    RuleSetting,
    Season,
    Source,
)
from monitor.rules import RULES
from monitor.verdict import Assessment, Clock, ClockName, Finding, JournalEntry

T = EventType
ZONE = ZoneInfo("Asia/Shanghai")
CONDUCT = tuple(rule.id for rule in RULES.values() if rule.kind == "conduct")
SEASON = Season(sessions=((time(8, 30), time(12)), (time(14, 30), time(17, 30))))
TICK = timedelta(microseconds=1)


def _item(code: str, **settings: Any) -> Item:
    given = {"department": "land", "type": "promised", "nature": "licence", "name": code, "name_en": code, **settings}
    return Item(code=code, **given)


ITEMS = (
    _item("permit", promised_limit="5 wd"),
    _item("unpromised"),
    _item("long", promised_limit="30 wd", statutory_limit="60 wd", statutory_basis="Act, art. 9"),
    _item("joint", type="joint", promised_limit="15 wd", legs={"fire": "3 wd", "water": "5 wd"}),
    _item("instant", type="instant", nature="public_service"),
    _item("service", nature="public_service", promised_limit="3 wd"),
    _item("approval", nature="non_licence", promised_limit="5 wd", statutory_limit="30 cd", statutory_basis="Decree 3"),
    _item("escalated", type="escalated", promised_limit="5 wd"),
    _item("tested", promised_limit="5 wd", procedures=("testing",)),
    _item("stepped", promised_limit="10 wd", step_limits={"accept": "2 wd", "transfer": "1 wd"}),
    _item("strict", promised_limit="10 wd", steps=(T.APPLY, T.ACCEPT, T.TRANSFER, T.APPROVE, T.FINISH, T.ISSUE)),
    _item("hours", promised_limit="1.5 wd", profile="work_time"),
    _item("same", promised_limit="3 wd", profile="same_time"),
    _item("natural", promised_limit="5 cd", profile="calendar_day"),
    _item("misfiled", promised_limit="5 wd", profile="nowhere"),
)

SOURCES = (
    Source(code="hall", name="大厅", owner="中心", regions=("4509",)),
    Source(code="night", name="夜间", owner="省厅", regions=("4509",), lateness_hours=24),
    Source(code="daily", name="按日", owner="局", regions=("4509",), precision="day"),
    Source(code="minute", name="按分", owner="局", regions=("4509",), precision="minute"),
    Source(code="rough", name="粗钟", owner="局", regions=("4509",), tolerance_minutes=60),
    Source(code="at_end", name="事后", owner="局", regions=("4509",), suspensions_at_end=True),
)

BOOK = Rulebook(
    name="玉林市",
    name_en="Yulin",
    regions=(Region(code="4509", name="玉林市", name_en="Yulin", level="city"),),
    departments=tuple(Department(code=c, name=c, name_en=c, region="4509") for c in ("land", "fire", "water")),
    items=ITEMS,
    sources=SOURCES,
    calendar=CalendarRules(version="2009", closed=(ClosedDay(day=date(2009, 4, 6), name="清明节"),)),
    profiles=tuple(ClockProfile(code=kind, kind=kind, seasons=(SEASON,)) for kind in get_args(ProfileKind)),
    limits=Limits(reply="3 wd", archive="5 wd"),
    rules={rule: RuleSetting(mode="card") for rule in CONDUCT},
)


REASON = {"reason_code": "not_competent"}
LAWFUL: dict[str, dict[str, Any]] = {
    "refuse": {**REASON, "voucher": "B1"},
    "void": REASON,
    "suspend": {"legal_basis": "第四十五条", "told_at": datetime(2009, 3, 2, tzinfo=UTC)},
    "resume": {"result": "R1"},
    "extend": {"approver": "head", "told_at": datetime(2009, 3, 2, tzinfo=UTC)},
}
"""What the law asks an event to say; a test that gives another value, or None, breaks it."""


def when(written: str) -> datetime:
    """Read a wall-clock time of the calendar's zone."""
    return datetime.fromisoformat(written).replace(tzinfo=ZONE).astimezone(UTC)


def end_of(day: str) -> datetime:
    """Give the last instant of a day."""
    return when(f"{day} 23:59:59.999999")


@dataclass(frozen=True)
class Line:
    """One event of a case yet to be named; `received` None: as it happened."""

    time: datetime
    kind: EventType
    source: str
    name: str
    received: datetime | None
    fields: dict[str, Any]
    data: EventData


def at(
    written: str | datetime,
    kind: str,
    *,
    source: str = "hall",
    name: str = "",
    received: str | datetime | None = None,
    department: str = "land",
    due: str | None = None,
    window: str | None = None,
    item: str | None = None,
    recorded: str | datetime | None = None,
    operator: str | None = None,
    channel: str | None = None,
    **data: Any,
) -> Line:
    """Write one event: when, what, what the law asks for and what else it says; its id is its type unless named."""
    if due is not None:
        data["due"] = Due(promised=when(due))
    data = {**LAWFUL.get(kind, {}), **(REASON if data.get("outcome") == "refused" else {}), **data}
    fields: dict[str, Any] = {
        "department": department,
        "window": window,
        "item": item,
        "operator": operator,
        "channel": channel,
    }
    if recorded is not None:
        fields["recorded"] = when(recorded) if isinstance(recorded, str) else recorded
    instant = when(written) if isinstance(written, str) else written
    arrival = when(received) if isinstance(received, str) else received
    return Line(instant, T(kind), source, name, arrival, fields, EventData(**data))


def case(*lines: Line, item: str = "permit", number: str = "C1") -> list[JournalEntry]:
    """Make the journal entries of a case; a second event of one type gets the id `type-2`."""
    entries, seen = [], dict[EventType, int]()
    for line in lines:
        seen[line.kind] = seen.get(line.kind, 0) + 1
        count = seen[line.kind]
        event = Event(
            id=line.name or (line.kind.value if count == 1 else f"{line.kind.value}-{count}"),
            source=line.source,
            type=line.kind,
            time=line.time,
            case=number,
            region="4509",
            **{"item": item, **{field: value for field, value in line.fields.items() if value is not None}},
            data=line.data,
        )
        entries.append(JournalEntry(event, line.received or line.time, content_hash(content(event))))
    return entries


def history(*versions: Rulebook, since: Iterable[str] = ()) -> RulebookHistory:
    """Publish rulebooks one after the other; the first is in force from the beginning, the last one now."""
    starts = (None, *(when(written) for written in since))
    published = tuple(RulebookVersion(i + 1, *pair) for i, pair in enumerate(zip(versions, starts, strict=True)))
    return RulebookHistory(published, published[-1])


def judge(entries: list[JournalEntry], until: str | datetime, book: Rulebook | RulebookHistory = BOOK) -> Assessment:
    """Assess a case as far as it may be judged up to an instant."""
    books = book if isinstance(book, RulebookHistory) else history(book)
    return assess(entries, books, when(until) if isinstance(until, str) else until)


def clock(assessment: Assessment, name: ClockName, subject: str = "") -> Clock:
    """Find a clock that must be there."""
    found = assessment.clock(name, subject)
    assert found is not None, f"no clock {name} {subject} among {[(c.name, c.subject) for c in assessment.clocks]}"
    return found


def finding(assessment: Assessment, rule: str, subject: str = "") -> Finding:
    """Find the one finding of a rule that must be there."""
    of_rule = [f for f in assessment.findings if f.rule == rule and subject in ("", f.subject)]
    assert len(of_rule) == 1, f"{len(of_rule)} findings of {rule}, findings: {found(assessment)}"
    return of_rule[0]


def found(assessment: Assessment) -> list[tuple[str, str]]:
    """List the findings as rule and state."""
    return [(f.rule, f.state) for f in assessment.findings]


def book_with(**changes: Any) -> Rulebook:
    """Give the rulebook with some parts replaced."""
    return msgspec.structs.replace(BOOK, **changes)


def with_source(code: str, **changes: Any) -> Rulebook:
    """Give the rulebook with one source changed."""
    return book_with(
        sources=tuple(msgspec.structs.replace(s, **changes) if s.code == code else s for s in BOOK.sources)
    )


def with_item(code: str, **changes: Any) -> Rulebook:
    """Give the rulebook with one item changed."""
    return book_with(items=tuple(msgspec.structs.replace(i, **changes) if i.code == code else i for i in BOOK.items))


def with_mode(rule: str, mode: Mode, **parameters: float) -> Rulebook:
    """Give the rulebook with one rule in another mode, or with other parameters."""
    return book_with(rules={**BOOK.rules, rule: RuleSetting(mode=mode, parameters=parameters)})


def sending(*types: str) -> tuple[EventType, ...]:
    """Give every type a source may send but these."""
    return tuple(kind for kind in T if kind not in {T(name) for name in types})


def moved(line: Line, *, to: str) -> Line:
    """Give the same line at another time."""
    return replace(line, time=when(to))


__all__ = [
    "BOOK",
    "CONDUCT",
    "CONSOLE",
    "TICK",
    "Line",
    "at",
    "book_with",
    "case",
    "clock",
    "end_of",
    "finding",
    "found",
    "history",
    "judge",
    "moved",
    "sending",
    "when",
    "with_item",
    "with_mode",
    "with_source",
]
