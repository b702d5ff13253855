"""Verify a ledger: compute again everything that follows from its events, and name the first difference."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, func, select

from monitor.assessment import assess as assess_case
from monitor.events import content, content_hash, from_content
from monitor.ledger.access import CASES_AT_ONCE, Ledger
from monitor.ledger.changes import Statistics, case_columns, finding_columns
from monitor.ledger.digest import misreported
from monitor.ledger.instants import to_us
from monitor.ledger.journal import genesis, link
from monitor.ledger.judging import completed_by, source_set
from monitor.ledger.packing import digest_of, pack_assessment, unpack_assessment, unpack_entries
from monitor.ledger.schema import (
    cases,
    findings,
    journal,
    positions,
    rejects,
    rulebooks,
    sources,
    stats_items,
    stats_units,
)
from monitor.rulebook.model import RulebookHistory
from monitor.verdict import MEASURES, Assessment, JournalEntry

Assess = Callable[[Iterable[JournalEntry], RulebookHistory, datetime], Assessment]


class Difference(msgspec.Struct, frozen=True):
    """Where the ledger does not say what follows from its events: `table`, `key` of the row, `field`."""

    table: str
    key: str
    field: str
    expected: str
    found: str


class Verification(msgspec.Struct, frozen=True):
    """What was checked, and the first difference; None: there is none."""

    events: int
    cases: int
    findings: int
    statistics: int
    difference: Difference | None


def verify(ledger: Ledger, assess: Assess = assess_case) -> Verification:
    """Check a ledger in one consistent state, whatever a writer does meanwhile.

    The chain is computed again; each case's events are compared with the journal, each assessment is taken again
    at its own moment and rulebook, and findings, outbox, statistics and counters are compared with what follows.
    """
    with ledger.read() as connection:
        check = _Check(ledger, connection, assess)
        difference = next(check.differences(), None)
    return Verification(check.events, check.cases, check.findings, check.statistics, difference)


class _Check:
    def __init__(self, ledger: Ledger, connection: Connection, assess: Assess) -> None:
        self._publications, self._connection, self._assess = ledger.publications, connection, assess
        self.events = self.cases = self.findings = self.statistics = 0
        self._journalled: dict[str, int] = defaultdict(int)
        self._applied: Counter[tuple[str, str]] = Counter()
        self._complete_until: dict[tuple[str, str], datetime] = {}
        self._expected: dict[str, Statistics] = defaultdict(Statistics)
        self._said: Counter[str] = Counter()
        self._histories: dict[int, RulebookHistory] = {}

    def differences(self) -> Iterator[Difference]:
        """Find every difference, first those of rulebooks and journal: what rests on them is checked against them."""
        yield from self._published()
        for position in self._connection.execute(select(positions).order_by(positions.c.stream)).all():
            yield from self._journal(position)
            yield from self._counters(position)
        yield from self._strays()
        yield from self._cases()
        yield from self._withdrawn()
        for finding in sorted(misreported(self._connection)):
            yield Difference("outbox", finding, "act", "raise and withdraw in turn, as the finding stands", "otherwise")
        yield from self._statistics(stats_units, ("day", "region", "department", "channel"))
        yield from self._statistics(stats_items, ("day", "item"))

    def _published(self) -> Iterator[Difference]:
        columns = (rulebooks.c.version, rulebooks.c.digest, rulebooks.c.content)
        for number, row in enumerate(self._connection.execute(select(*columns).order_by(rulebooks.c.version)), start=1):
            expected = {"version": number, "digest": digest_of(row.content)}
            yield from _compare("rulebooks", str(row.version), expected, row)

    def _strays(self) -> Iterator[Difference]:
        """Find rows of the journal that no position leads to."""
        known = select(positions.c.stream)
        stray = select(journal.c.stream).where(journal.c.stream.not_in(known)).distinct().order_by(journal.c.stream)
        for stream in self._connection.execute(stray).scalars():
            yield Difference("positions", stream, "stream", "a row, there are events of it in the journal", "no row")

    def _journal(self, position: Row[*tuple[Any, ...]]) -> Iterator[Difference]:
        seq, chain_hash = 0, genesis(position.stream)
        query = select(journal).where(journal.c.stream == position.stream).order_by(journal.c.seq)
        for row in chain.from_iterable(self._parts(query)):
            self.events += 1
            seq, key = seq + 1, f"{row.stream} {row.seq}"
            chain_hash = link(chain_hash, row)
            yield from _compare("journal", key, {"seq": seq}, row)
            if not isinstance(row.content, bytes):
                # SQLite lets anybody put a text where bytes belong.
                yield Difference("journal", key, "content", "bytes", type(row.content).__name__)
            if (found := content_hash(row.content)) != row.content_hash:
                yield Difference("journal", key, "content", f"hash {row.content_hash.hex()}", f"hash {found.hex()}")
            yield from _compare("journal", key, {"chain_hash": chain_hash}, row)
            event = from_content(row.content)
            told = {"case": event.case, "source": event.source, "id": event.id, "type": event.type.value}
            yield from _compare("journal", key, {**told, "time": event.time}, row)
            self._applied[row.stream, row.source] += 1
            if (until := completed_by(event)) is not None:
                known = self._complete_until.get((row.stream, row.source), until)
                self._complete_until[row.stream, row.source] = max(known, until)
            if row.case is not None:
                self._journalled[row.case] += _fingerprint(row.content, row.received_at)
        yield from _compare("positions", position.stream, {"seq": seq, "chain_hash": chain_hash}, position)

    def _counters(self, position: Row[*tuple[Any, ...]]) -> Iterator[Difference]:
        stream, taken = position.stream, 0
        for row in self._connection.execute(select(sources).where(sources.c.stream == stream)).all():
            key = f"{stream} {row.source or '(unknown)'}"
            applied = self._applied.pop((stream, row.source), 0)
            complete_until = self._complete_until.get((stream, row.source))
            yield from _compare("sources", key, {"applied": applied, "complete_until": complete_until}, row)
            taken += row.applied + row.duplicate + row.rejected
        for (_, source), count in sorted(self._applied.items()):
            yield Difference("sources", f"{stream} {source}", "applied", str(count), "no row")
        self._applied.clear()
        yield from _compare("positions", stream, {"next": taken}, position)
        refused = select(func.coalesce(func.sum(sources.c.rejected), 0)).where(sources.c.stream == stream)
        expected = self._connection.execute(refused).scalar_one()
        kept = select(func.count()).select_from(rejects).where(rejects.c.stream == stream)
        found = self._connection.execute(kept).scalar_one()
        if expected != found:
            yield Difference("rejects", stream, "count", str(expected), str(found))

    def _cases(self) -> Iterator[Difference]:
        for rows in self._parts(select(cases).order_by(cases.c.case)):
            stored = self._findings_of([row.case for row in rows])
            for row in rows:
                self.cases += 1
                yield from self._case(row, stored)
        for case in sorted(self._journalled):
            yield Difference("cases", case, "case", "a row, its events are in the journal", "no row")

    def _case(self, row: Row[*tuple[Any, ...]], stored: dict[str, Row[*tuple[Any, ...]]]) -> Iterator[Difference]:
        try:
            entries = unpack_entries(row.events)
        except (msgspec.DecodeError, TypeError) as error:
            yield Difference("cases", row.case, "events", "readable", str(error))
            return
        fingerprint = sum(_fingerprint(content(entry.event), entry.received_at) for entry in entries)
        if not entries or fingerprint != self._journalled.pop(row.case, 0):
            yield self._astray(row.case, entries)
            return
        counted = {"events_count": len(entries), "source_set": source_set(entries)}
        yield from _compare("cases", row.case, counted, row)
        again = self._assess(entries, self._rulebooks(row.rulebook), row.judged_at)
        if pack_assessment(again) != row.assessment:
            yield _first_change(row.case, again, row.assessment)
            return
        yield from _compare("cases", row.case, case_columns(again), row)
        self._expected[row.stream].add(again, 1)
        for finding in again.findings:
            self.findings += 1
            self._said[row.stream] += 1
            if finding.id not in stored:
                yield Difference("findings", finding.id, "id", f"{finding.rule} of case {row.case}", "no row")
            else:
                yield from _compare("findings", finding.id, finding_columns(finding, again), stored[finding.id])

    def _withdrawn(self) -> Iterator[Difference]:
        """Find rows that stand although no assessment says so: every other row was compared already."""
        standing = select(findings).where(findings.c.state != "withdrawn").order_by(findings.c.id)
        count = self._connection.execute(select(func.count()).select_from(standing.subquery())).scalar_one()
        if count == self._said.total():
            return
        for row in self._connection.execute(standing).all():
            packed = select(cases.c.assessment).where(cases.c.case == row.case)
            assessment = self._connection.execute(packed).scalar_one_or_none()
            said = unpack_assessment(assessment).findings if assessment is not None else ()
            if row.id not in {finding.id for finding in said}:
                yield Difference("findings", row.id, "state", "withdrawn", row.state)

    def _statistics(self, table: Table, names: tuple[str, ...]) -> Iterator[Difference]:
        expected: dict[tuple[Any, ...], dict[str, int]] = {}
        for stream, statistics in self._expected.items():
            totals: dict[Any, dict[str, int]] = {**(statistics.units if table is stats_units else statistics.items)}
            expected.update({(stream, *key): totals[key] for key in totals})
        found = {
            tuple(getattr(row, name) for name in ("stream", *names)): row
            for row in self._connection.execute(select(table)).all()
        }
        self.statistics += len(found)
        for key in sorted(expected.keys() | found.keys()):
            row, sums = found.get(key), expected.get(key, {})
            for name in MEASURES:
                amount = 0 if row is None else getattr(row, name)
                if sums.get(name, 0) != amount:
                    yield Difference(table.name, _written(key), name, str(sums.get(name, 0)), str(amount))

    def _findings_of(self, names: list[str]) -> dict[str, Row[*tuple[Any, ...]]]:
        rows = self._connection.execute(select(findings).where(findings.c.case.in_(names)))
        return {row.id: row for row in rows}

    def _astray(self, case: str, entries: list[JournalEntry]) -> Difference:
        """Name the first event that a case and the journal do not share."""
        query = select(journal).where(journal.c.case == case).order_by(journal.c.stream, journal.c.seq)
        kept = {(row.content, row.received_at): row for row in self._connection.execute(query)}
        held = {(content(entry.event), entry.received_at): entry.event for entry in entries}
        for key, row in kept.items():
            if key not in held:
                return Difference("cases", case, "events", f"journal {row.stream} {row.seq}", "not among its events")
        extra = next((event for key, event in held.items() if key not in kept), None)
        found = f"event {extra.source} {extra.id}" if extra else "an event twice" if entries else "none"
        return Difference("cases", case, "events", "what the journal holds", found)

    def _rulebooks(self, version: int) -> RulebookHistory:
        """Give the rulebooks an assessment was taken by: those up to its version, read once for all cases."""
        if version not in self._histories:
            self._histories[version] = self._publications.history(self._connection, version=version)
        return self._histories[version]

    def _parts(self, query: Any) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
        with self._connection.execute(query, execution_options={"yield_per": CASES_AT_ONCE}) as rows:
            yield from rows.partitions()


def _fingerprint(written: bytes, received_at: datetime) -> int:
    """Hash an event so that the sum over a case does not depend on the order of its events."""
    return int.from_bytes(sha256(written + to_us(received_at).to_bytes(8, "big", signed=True)).digest()[:16])


def _compare(table: str, key: str, expected: dict[str, Any], row: Row[*tuple[Any, ...]]) -> Iterator[Difference]:
    for name, value in expected.items():
        found = row._mapping[name]  # noqa: SLF001 - the documented name of a row's mapping
        if found != value:
            yield Difference(table, key, name, _show(value), _show(found))


def _first_change(case: str, again: Assessment, packed: bytes) -> Difference:
    try:
        stored = unpack_assessment(packed)
    except (msgspec.DecodeError, TypeError) as error:
        return Difference("cases", case, "assessment", "readable", str(error))
    for name in Assessment.__struct_fields__:
        expected, found = getattr(again, name), getattr(stored, name)
        if expected != found:
            return Difference("cases", case, f"assessment.{name}", _show(expected), _show(found))
    return Difference("cases", case, "assessment", pack_assessment(again).hex(), packed.hex())


def _written(key: tuple[Any, ...]) -> str:
    return " ".join(str(part) or "-" for part in key)


def _show(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else str(value)
