"""Logs and a mapping small enough to read, for the tests of the importer."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

from monitor.events import EventType
from monitor.rulebook.model import Department, Item, Region, Rulebook, Source
from streams.logs import BadRow, CaseRecord, LogFault, LogFile, LogReader
from streams.mapping import Activity, CaseEvent, Mapping, Value
from streams.xes import XesLog

RULEBOOK = Rulebook(
    name="小镇",
    name_en="Small town",
    regions=(Region(code="r1", name="小镇", name_en="Small town", level="city"),),
    departments=(Department(code="land", name="国土局", name_en="Land", region="r1"),),
    items=(
        Item(code="i1", name="许可", name_en="Permit", department="land", type="promised", nature="public_service"),
    ),
    sources=(
        Source(
            code="files",
            name="文件",
            owner="中心",
            regions=("r1",),
            types=(EventType.APPLY, EventType.ACCEPT, EventType.APPROVE, EventType.FINISH),
            zone="Europe/Amsterdam",
            authentication="import",
        ),
    ),
)
MAPPING = Mapping(
    name="small",
    source="files",
    format="xes",
    zone="Europe/Amsterdam",
    precision="second",
    absent=("UNKNOWN",),
    fields={
        "region": Value(value="r1"),
        "item": Value(value="i1"),
        "department": Value(attribute="department", values={"Land office": "land"}),
    },
    case_events=(
        CaseEvent(type=EventType.APPLY, time="start", data={"due": Value(attribute="deadline")}),
        CaseEvent(type=EventType.FINISH, time="end"),
    ),
    activities=(
        Activity(type=EventType.ACCEPT, names=("check", "confirm *")),
        Activity(type=EventType.APPROVE, names=("decide",), when={"answer": ("yes",)}),
    ),
    once=(EventType.ACCEPT,),
)
LAST_ROW = datetime(2011, 3, 20, 9, 0, tzinfo=UTC)


def attribute(key: str, value: str, kind: str = "string") -> str:
    """Write one attribute."""
    return f'<{kind} key="{key}" value="{value}"/>'


def row(name: str, time: str, **others: str) -> str:
    """Write one event of a trace."""
    more = "".join(attribute(key, value) for key, value in others.items())
    return f"<event>{attribute('concept:name', name)}{attribute('time:timestamp', time, 'date')}{more}</event>"


def trace(
    number: str, *rows: str, end: str = "2011-03-10T10:00:00+01:00", deadline: str = "2011-03-11T00:00:00+01:00"
) -> str:
    """Write one trace; an `end` of `` leaves the case open."""
    said = [
        attribute("concept:name", number),
        attribute("department", "Land office"),
        attribute("start", "2011-03-01T09:00:00+01:00", "date"),
        attribute("deadline", deadline, "date"),
    ]
    if end:
        said.append(attribute("end", end, "date"))
    return f"<trace>{''.join(said)}{''.join(rows)}</trace>\n"


ACCEPTED = row("check", "2011-03-02T09:00:00+01:00")
LAST = row("letter", LAST_ROW.isoformat())
LATE = "2011-03-12T10:00:00+01:00"


def log(*traces: str) -> str:
    """Write a log."""
    globals_ = f'<global scope="trace">{attribute("concept:name", "UNKNOWN")}</global>\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1.0">\n{globals_}{"".join(traces)}</log>\n'


def many(cases: int) -> str:
    """Write a log of so many cases of three events each: one in three late, one in three open."""
    ends = ("2011-03-10T10:00:00+01:00", LATE, "")
    return log(*(trace(f"c{n}", ACCEPTED, LAST, end=ends[n % 3]) for n in range(cases)))


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, compressed where its name says so."""
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def until_fault(log: LogReader) -> tuple[list[CaseRecord | BadRow], LogFault | None]:
    """Read a log as far as it goes; give what came, and the fault that ended it."""
    read: list[CaseRecord | BadRow] = []
    try:
        for case in log:
            read.append(case)  # noqa: PERF402 - what came before the fault must be kept
    except LogFault as fault:
        return read, fault
    return read, None


def cases_of(path: Path) -> list[CaseRecord | BadRow]:
    """Read all cases of an XES file."""
    with LogFile(path) as file:
        return list(XesLog(file))
