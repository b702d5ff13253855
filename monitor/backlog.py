"""The backlog (存量超期清单): what was late before a deployment went live, one list instead of a thousand cards."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, select

from monitor.ledger.schema import cases, findings
from monitor.rulebook.model import Rulebook, parse_limit
from monitor.verdict import STANDING

Grouping = Literal["department", "item", "region"]


class Overdue(msgspec.Struct, frozen=True):
    """One finding of the backlog, with where its case stands now.

    `due` and `days_late` are of the limit that was broken, None where the rule is about none; the days are working
    days, or calendar days where the limit is one, and still grow while `open`.
    """

    region: str
    department: str
    item: str
    case: str
    rule: str
    subject: str
    occurred_at: datetime
    due: datetime | None
    days_late: int | None
    open: bool
    stage: str


class Group(msgspec.Struct, frozen=True):
    """The backlog of one department, item or region, by its `code`."""

    code: str
    findings: int
    cases: int
    open: int
    days_late_max: int


def read(
    connection: Connection,
    book: Rulebook,
    department: str | None = None,
    item: str | None = None,
    region: str | None = None,
) -> list[Overdue]:
    """Read the backlog by department, item and instant; `region` with all below it."""
    query = (
        select(findings, cases.c.stage, cases.c.judged_at)
        .join(cases, cases.c.case == findings.c.case)
        .where(findings.c.mode == "backlog", findings.c.state.in_(STANDING))
        .order_by(findings.c.department, findings.c.item, findings.c.occurred_at, findings.c.id)
    )
    if department is not None:
        query = query.where(findings.c.department == department)
    if item is not None:
        query = query.where(findings.c.item == item)
    if region is not None:
        query = query.where(findings.c.region.in_(sorted(book.below(region))))
    return [_overdue(row, book) for row in connection.execute(query)]


def grouped(backlog: Iterable[Overdue], by: Grouping) -> list[Group]:
    """Count the backlog by department, item or region, the largest first."""
    members: dict[str, list[Overdue]] = {}
    for entry in backlog:
        members.setdefault(getattr(entry, by), []).append(entry)
    groups = [
        Group(
            code=code,
            findings=len(entries),
            cases=len({entry.case for entry in entries}),
            open=len({entry.case for entry in entries if entry.open}),
            days_late_max=max(entry.days_late or 0 for entry in entries),
        )
        for code, entries in members.items()
    ]
    return sorted(groups, key=lambda group: (-group.findings, group.code))


def _overdue(row: Row[*tuple[Any, ...]], book: Rulebook) -> Overdue:
    evidence = msgspec.json.decode(row.evidence)
    due, ended = (_instant(evidence.get(name)) for name in ("due", "ended_at"))
    return Overdue(
        region=row.region,
        department=row.department,
        item=row.item,
        case=row.case,
        rule=row.rule,
        subject=row.subject,
        occurred_at=row.occurred_at,
        due=due,
        days_late=None if due is None else _days_late(book, str(evidence["limit"]), due, ended or row.judged_at),
        open=due is not None and ended is None,
        stage=row.stage,
    )


def _days_late(book: Rulebook, limit: str, due: datetime, until: datetime) -> int:
    """Count the days from the due day on; a limit in calendar days is counted in those."""
    first, last = book.days.day(due), book.days.day(until)
    if limit != "due" and parse_limit(limit).unit == "cd":
        return (last - first).days
    return book.days.count(first, last)


def _instant(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
