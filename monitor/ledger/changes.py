"""The difference between two assessments, and how it is written: cases, findings and statistics."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection

from monitor.ledger.findings import Cause, FindingChange, write_findings
from monitor.ledger.packing import Written, pack_assessment, pack_written
from monitor.ledger.schema import cases, stats_items, stats_units
from monitor.ledger.upsert import add_up, upsert
from monitor.verdict import MEASURES, Assessment, JournalEntry

_NOTHING: Final = dict.fromkeys(MEASURES, 0)

UnitKey = tuple[date, str, str, str]  # day, region, department, channel
ItemKey = tuple[date, str]


class Standing(msgspec.Struct):
    """A case as the ledger holds it, and what an engine adds to it within one transaction."""

    case: str
    entries: list[JournalEntry] = []
    written: list[Written] = []  # the same as they are packed
    before: Assessment | None = None  # the stored assessment
    source_set: str = ""
    live: bool = False


class Statistics:
    """Additions to the statistics, by key and measure."""

    def __init__(self) -> None:
        self.units: dict[UnitKey, dict[str, int]] = defaultdict(dict)
        self.items: dict[ItemKey, dict[str, int]] = defaultdict(dict)

    def add(self, assessment: Assessment, sign: Literal[1, -1]) -> None:
        """Add what an assessment measures, or take it away."""
        place: tuple[date, str] | None = None
        unit: dict[str, int] = {}
        item: dict[str, int] = {}
        for measure in assessment.measures:  # sorted, so that those of one place follow each other
            if place != (measure.day, measure.department):
                place = (measure.day, measure.department)
                unit = self.units[measure.day, assessment.region, measure.department, assessment.channel]
                item = self.items[measure.day, assessment.item]
            name, amount = measure.name, sign * measure.amount
            unit[name] = unit.get(name, 0) + amount
            item[name] = item.get(name, 0) + amount

    def move(self, before: Assessment | None, after: Assessment) -> None:
        """Replace what one assessment measures by what the next one does."""
        if before is not None:
            if _measured_alike(before, after):
                return
            self.add(before, -1)
        self.add(after, 1)

    def unit_rows(self, stream: str) -> Iterator[dict[str, Any]]:
        """Give what is to be added to the rows of the units, in the order of their keys."""
        for (day, region, department, channel), row in _rows(self.units):
            yield {"stream": stream, "day": day, "region": region, "department": department, "channel": channel, **row}

    def item_rows(self, stream: str) -> Iterator[dict[str, Any]]:
        """Give what is to be added to the rows of the items, in the order of their keys."""
        for (day, item), row in _rows(self.items):
            yield {"stream": stream, "day": day, "item": item, **row}


class Changes:
    """What the assessments of one stream in a transaction, its `version`, change; written in bulk by `write`."""

    def __init__(self, stream: str, horizon: datetime, version: int) -> None:
        self.stream, self._horizon, self._version = stream, horizon, version
        self.cases: dict[str, dict[str, Any]] = {}
        self.findings: list[FindingChange] = []
        self.statistics = Statistics()

    def add(
        self, standing: Standing, after: Assessment, cause: Cause, why: Mapping[str, Any], quiet_until: datetime | None
    ) -> None:
        """Take the new assessment of a case.

        `why` is kept with each finding withdrawn by it. What occurred up to `quiet_until` was late before an
        import ended: it is recorded, but sent to nobody when the passing of time is all that brought it up.
        """
        before = standing.before
        self.cases[standing.case] = _case_row(self.stream, self._version, standing, after)
        self.statistics.move(before, after)
        old = {finding.id: finding for finding in before.findings} if before is not None else {}
        # The rows of findings repeat these two of the case.
        elsewhere = before is not None and (before.region, before.item) != (after.region, after.item)
        new = {finding.id: finding for finding in after.findings}
        for key in sorted(old.keys() | new.keys()):
            if elsewhere or old.get(key) != new.get(key):
                change = FindingChange(self.stream, self._horizon, after, old.get(key), new.get(key), cause, why)
                if cause == "time" and quiet_until is not None and change.finding.occurred_at <= quiet_until:
                    change = msgspec.structs.replace(change, cause="backfill")
                self.findings.append(change)

    @staticmethod
    def write(connection: Connection, several: Sequence["Changes"]) -> None:
        """Write everything taken, of one stream or of several.

        All in the order of keys, so that no two writers wait for each other.
        """
        rows = {key: row for each in several for key, row in each.cases.items()}
        upsert(connection, cases, [rows[key] for key in sorted(rows)])
        write_findings(connection, [change for each in several for change in each.findings])
        in_order = sorted(several, key=lambda each: each.stream)
        add_up(connection, stats_units, [row for each in in_order for row in each.statistics.unit_rows(each.stream)])
        add_up(connection, stats_items, [row for each in in_order for row in each.statistics.item_rows(each.stream)])


def _measured_alike(before: Assessment, after: Assessment) -> bool:
    return (
        before.measures == after.measures
        and before.region == after.region
        and before.item == after.item
        and before.channel == after.channel
    )


def _rows(totals: Mapping[Any, Mapping[str, int]]) -> Iterable[tuple[Any, dict[str, int]]]:
    for key in sorted(totals):
        if any(totals[key].values()):
            yield key, {**_NOTHING, **totals[key]}


def case_columns(assessment: Assessment) -> dict[str, Any]:
    """Give the columns of a case's row that repeat, to be searched by, what its assessment says."""
    promised, statutory = assessment.clock("promised"), assessment.clock("statutory")
    handling = assessment.handling
    return {
        "region": assessment.region,
        "item": assessment.item,
        "department": assessment.department,
        "channel": assessment.channel,
        "direct_line": assessment.direct_line,
        "stage": assessment.stage.value,
        "light": assessment.light.value,
        "closed": assessment.closed,
        "started_at": assessment.started_at,
        "accepted_at": assessment.accepted_at,
        **{name: getattr(handling, name) for name in handling.__struct_fields__},
        "promised": promised.phase_but_for(assessment.excused) if promised else "",
        "promised_due": promised.due if promised else None,
        "statutory": statutory.phase_but_for(assessment.excused) if statutory else "",
        "statutory_due": statutory.due if statutory else None,
        "judged_at": assessment.judged_at,
        "next_change": assessment.next_change,
        "rulebook": assessment.rulebook,
    }


def _case_row(stream: str, version: int, standing: Standing, after: Assessment) -> dict[str, Any]:
    return {
        "case": standing.case,
        "stream": stream,
        "version": version,
        **case_columns(after),
        "source_set": standing.source_set,
        "live": standing.live,
        "marked": False,
        "events_count": len(standing.entries),
        "assessment": pack_assessment(after),
        "events": pack_written(standing.written),
    }
