"""A centre small enough to reason about: two sources, one item, and an assessment of a few lines.

`assess_plainly` stands in for `monitor.assessment.assess` where a test is about the ledger or the engine: what is
promised is kept within three days of the application, else there is a V01.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.events import CONSOLE, Event, EventData, EventType, content
from monitor.ledger import Ledger
from monitor.rulebook.model import Department, Item, Region, Rulebook, RulebookHistory, Source
from monitor.verdict import (
    Assessment,
    Clock,
    Finding,
    FindingState,
    Handling,
    JournalEntry,
    Light,
    Measure,
    Severity,
    Stage,
    finding_id,
)
from streams.engine import Delivery, Engine
from tests.databases import ledger_url

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""A Monday, 09:00 in Yulin."""
LIMIT = timedelta(days=3)

RULEBOOK = Rulebook(
    name="小城",
    name_en="Small town",
    regions=(
        Region(code="4509", name="玉林市", name_en="Yulin", level="city"),
        Region(code="450902", name="玉州区", name_en="Yuzhou", parent="4509", level="county"),
        Region(code="4501", name="南宁市", name_en="Nanning", level="city"),
    ),
    departments=(Department(code="land", name="国土局", name_en="Land", region="4509"),),
    items=(Item(code="i1", name="许可", name_en="Permit", department="land", type="promised", nature="licence"),),
    sources=(
        Source(code="hall", name="大厅", owner="中心", regions=("4509",)),
        Source(code="night", name="夜间", owner="中心", regions=("4509",), lateness_hours=24),
        Source(code="files", name="文件", owner="中心", regions=("4509",), authentication="import"),
        Source(code="clerk", name="窗口", owner="中心", regions=("4509",), types=(EventType.APPLY,)),
        Source(code=CONSOLE, name="监察", owner="监察局", regions=("4509",)),
    ),
)


def at(days: float = 0, hours: float = 0) -> datetime:
    """Give an instant so long after `MONDAY`."""
    return MONDAY + timedelta(days=days, hours=hours)


def event(
    kind: str = "apply",
    case: str = "c1",
    time: datetime = MONDAY,
    *,
    name: str = "",
    source: str = "hall",
    region: str = "4509",
    data: EventData | None = None,
) -> Event:
    """Make an event; its id is its type unless named otherwise."""
    return Event(
        id=name or kind,
        source=source,
        type=EventType(kind),
        time=time,
        case=case,
        region=region,
        item="i1",
        department="land",
        data=data or EventData(),
    )


def heartbeat(source: str, name: str, time: datetime, complete_until: datetime | None = None) -> Event:
    """Make a heartbeat."""
    return Event(
        id=name,
        source=source,
        type=EventType.HEARTBEAT,
        time=time,
        data=EventData(complete_until=complete_until),
    )


def delivered(*events: Event, received_at: datetime | None = None, backfill: bool = False) -> list[Delivery]:
    """Put events into a batch, as a source system sends them; received as they happen unless said otherwise."""
    return [Delivery(content(each), received_at or each.time, backfill) for each in events]


def assess_plainly(entries: Iterable[JournalEntry], rulebooks: RulebookHistory, judged_at: datetime) -> Assessment:
    """Judge a case by one rule: finished within three days of its first event."""
    ordered = sorted(entries, key=lambda entry: (entry.event.order, entry.content_hash))
    first = ordered[0].event
    finish = next((entry.event for entry in ordered if entry.event.type is EventType.FINISH), None)
    due = first.time + LIMIT
    late = finish.time > due if finish else judged_at > due
    findings = [_late(first, due, "contested" if finish else "live")] if late else []
    identities = [entry.event.identity for entry in ordered]
    if len(set(identities)) < len(identities):
        findings.append(_contradiction(first))
    measures = [_measure(first, "applied", first.time)]
    if finish:
        measures.append(_measure(first, "finished", finish.time))
    if late:
        measures.append(_measure(first, "findings_conduct", due))
    return Assessment(
        case=first.case or "",
        judged_at=judged_at,
        rulebook=rulebooks.current.version,
        catalogue=rulebooks.at(first.time).version,
        region=first.region or "",
        item=first.item or "",
        department=first.department or "",
        stage=Stage.FINISHED if finish else Stage.APPLIED,
        light=Light.PROMISED_BREACH if late else Light.NORMAL,
        started_at=first.time,
        closed=finish is not None,
        handling=Handling(finished_at=finish.time if finish else None, closed_at=finish.time if finish else None),
        clocks=(Clock(name="promised", phase="breached" if late else "met" if finish else "running", due=due),),
        findings=tuple(findings),
        measures=tuple(sorted(measures)),
        next_change=None if finish or late else due,
    )


def _late(first: Event, due: datetime, state: FindingState) -> Finding:
    return Finding(
        id=finding_id(first.case or "", "V01"),
        rule="V01",
        rule_version=1,
        kind="conduct",
        severity=Severity.PROMISED_BREACH,
        state=state,
        mode="card",
        department=first.department or "",
        occurred_at=due,
        evidence={"due": due.isoformat(), "events": [list(first.identity)]},
    )


def _contradiction(first: Event) -> Finding:
    return Finding(
        id=finding_id(first.case or "", "D01"),
        rule="D01",
        rule_version=1,
        kind="data",
        severity=Severity.NOTICE,
        state="live",
        mode="card",
        cause="contradiction",
        occurred_at=first.time,
    )


def _measure(first: Event, name: str, instant: datetime) -> Measure:
    return Measure(instant.date(), first.department or "", name, 1)


@contextmanager
def opened_engine(folder: Path, name: str = "ledger") -> Iterator[Engine]:
    """Open an engine that judges by `assess_plainly`, on the ledger that a folder and a name stand for."""
    folder.mkdir(parents=True, exist_ok=True)
    with engine_at(ledger_url(folder, name), folder) as engine:
        yield engine


@contextmanager
def engine_at(url: str, folder: Path | None = None) -> Iterator[Engine]:
    """Open an engine that judges by `assess_plainly`, on the ledger of a database; its keys live in the folder."""
    with Ledger.open(url, folder=folder) as ledger:
        ledger.publish(RULEBOOK)
        engine = Engine(ledger, assess=assess_plainly)
        try:
            yield engine
        finally:
            engine.close()
