"""The canonical digest: what 'the same ledger' means, across runtimes, arrival orders and faults.

It describes the ledger as its ticks would leave it at a horizon: events as a set, every assessment, the findings
that stand, the sums of the statistics, and whether the outbox tells what the findings say. When and how often
something was delivered or detected is not in it. So the silence of sources (V31), which follows from that alone, is
left out; of a loosened rulebook (V23) what was loosened while cases were open is a part of its own, without when
and how many.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, select

from monitor.assessment import assess as assess_case
from monitor.events import TIME_MIN
from monitor.ledger import judging
from monitor.ledger.access import CASES_AT_ONCE, Ledger
from monitor.ledger.apart import NO_CASE
from monitor.ledger.changes import Statistics
from monitor.ledger.instants import to_us
from monitor.ledger.packing import pack_assessment, to_json, unpack_assessment, unpack_entries
from monitor.ledger.positions import last_horizon
from monitor.ledger.schema import cases, findings, journal, outbox, stats_items, stats_units
from monitor.rulebook.model import RulebookHistory
from monitor.rules.publication import tamperings
from monitor.verdict import MEASURES, TOLD, TOLD_STATES, Assessment, Finding, JournalEntry

Assess = Callable[[Iterable[JournalEntry], RulebookHistory, datetime], Assessment]

_msgpack = msgspec.msgpack.Encoder(order="deterministic")


class Digest(msgspec.Struct, frozen=True):
    """The digest of each part of a ledger at a horizon; `whole` is that of all of them together."""

    horizon: datetime
    journal: str
    assessments: str
    findings: str
    statistics: str
    outbox: str
    publications: str

    @property
    def whole(self) -> str:
        """The canonical digest, 64 hexadecimal digits."""
        parts = (self.journal, self.assessments, self.findings, self.statistics, self.outbox, self.publications)
        return sha256("\n".join(parts).encode()).hexdigest()


class _Heap:
    """The digest of a set of lines whatever their order: the sum of their hashes."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, *line: object, sign: Literal[1, -1] = 1) -> None:
        self._sum += sign * int.from_bytes(sha256(_msgpack.encode(line)).digest())

    def digest(self) -> str:
        return f"{self._sum % (1 << 256):064x}"


def digest(ledger: Ledger, horizon: datetime | None = None, assess: Assess = assess_case) -> str:
    """Give the canonical digest of a ledger at a horizon, by default the largest it has seen."""
    return digests(ledger, horizon, assess).whole


def digests(ledger: Ledger, horizon: datetime | None = None, assess: Assess = assess_case) -> Digest:
    """Give the digest of each part of a ledger, to see which part differs from another's."""
    with ledger.read() as connection:
        at = (horizon or last_horizon(connection) or TIME_MIN).astimezone(UTC)
        events = _Heap()
        told = select(journal.c.case, journal.c.source, journal.c.id, journal.c.content)
        for row in _all(connection, told.where(journal.c.case.is_not(None))):
            events.add(*row)
        # A heartbeat speaks for its source in every stream, and stands in the journal of each.
        for row in _all(connection, told.where(journal.c.case.is_(None)).distinct()):
            events.add(*row)
        assessments, standing, statistics = _moved(ledger, connection, at, assess)
        return Digest(
            horizon=at,
            journal=events.digest(),
            assessments=assessments.digest(),
            findings=standing.digest(),
            statistics=_sums(connection, statistics),
            outbox=_outbox(connection),
            publications=_publications(ledger, connection),
        )


def _moved(
    ledger: Ledger, connection: Connection, horizon: datetime, assess: Assess
) -> tuple[_Heap, _Heap, Statistics]:
    """Take every assessment again at the horizon; move findings and statistics along, from what is stored."""
    assessments, standing, statistics = _Heap(), _Heap(), Statistics()
    of_cases = select(findings).where(findings.c.state != "withdrawn", findings.c.case != NO_CASE)
    for row in _all(connection, of_cases):
        standing.add(row.id, row.severity, to_us(row.occurred_at), row.state, row.evidence)
    states: dict[str, dict[str, judging.SourceState]] = {}
    rulebooks = None
    for row in _all(connection, select(cases.c.stream, cases.c.source_set, cases.c.assessment, cases.c.events)):
        if rulebooks is None:
            rulebooks = ledger.publications.history(connection, horizon)
        if row.stream not in states:
            states[row.stream] = judging.load_states(connection, row.stream)
        judged_at = judging.judged_at(row.source_set, states[row.stream], rulebooks.current.rulebook, horizon)
        before, after = unpack_assessment(row.assessment), assess(unpack_entries(row.events), rulebooks, judged_at)
        assessments.add(pack_assessment(after))
        statistics.move(before, after)
        for finding in before.findings:
            standing.add(*_line(finding), sign=-1)
        for finding in after.findings:
            standing.add(*_line(finding))
    return assessments, standing, statistics


def _line(finding: Finding) -> tuple[object, ...]:
    occurred = to_us(finding.occurred_at)
    return (finding.id, int(finding.severity), occurred, finding.state, to_json(finding.evidence))


def _sums(connection: Connection, moved: Statistics) -> str:
    """Sum the statistics over streams, moved to the horizon; zeros count for nothing."""
    heap = _Heap()
    units: Counter[tuple[Any, ...]] = Counter()
    for row in _all(connection, select(stats_units)):
        units.update(
            {(row.day, row.region, row.department, row.channel, name): getattr(row, name) for name in MEASURES}
        )
    for unit, amounts in moved.units.items():
        units.update({(*unit, name): amount for name, amount in amounts.items()})
    items: Counter[tuple[Any, ...]] = Counter()
    for row in _all(connection, select(stats_items)):
        items.update({(row.day, row.item, name): getattr(row, name) for name in MEASURES})
    for item, amounts in moved.items.items():
        items.update({(*item, name): amount for name, amount in amounts.items()})
    for key, amount in (*units.items(), *items.items()):
        if amount:
            heap.add(*key, amount)
    return heap.digest()


def _outbox(connection: Connection) -> str:
    heap = _Heap()
    for finding in misreported(connection):
        heap.add(finding)
    return heap.digest()


def _publications(ledger: Ledger, connection: Connection) -> str:
    heap = _Heap()
    for each in tamperings(ledger.publications.published(connection)):
        heap.add(each.finding.id, int(each.finding.severity), each.finding.evidence["changes"])
    return heap.digest()


def misreported(connection: Connection) -> set[str]:
    """Find the findings of which the outbox does not tell, act by act, what the ledger says; normally none."""
    raised: dict[str, bool] = {}
    wrong: set[str] = set()
    of_findings = select(outbox.c.finding, outbox.c.act).where(outbox.c.act != "notice").order_by(outbox.c.seq)
    for row in _all(connection, of_findings):
        if row.act != "worsen":
            if (row.act == "raise") == raised.get(row.finding, False):
                wrong.add(row.finding)
            raised[row.finding] = row.act == "raise"
    told = (findings.c.kind == "conduct") & findings.c.mode.in_(TOLD) & findings.c.state.in_(TOLD_STATES)
    standing = set(connection.execute(select(findings.c.id).where(told)).scalars())
    return wrong | standing ^ {finding for finding, is_raised in raised.items() if is_raised}


def _all(connection: Connection, query: Any) -> Iterator[Row[*tuple[Any, ...]]]:
    rows: Iterator[Row[*tuple[Any, ...]]] = iter(
        connection.execute(query, execution_options={"yield_per": CASES_AT_ONCE})
    )
    return rows
