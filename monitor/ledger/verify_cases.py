"""Verify the cases: their events are those of the journal, and assessment and findings follow from them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, or_, select

from monitor.events import content
from monitor.ledger.access import CASES_AT_ONCE
from monitor.ledger.changes import Statistics, case_columns
from monitor.ledger.difference import Difference, compare, show
from monitor.ledger.findings import finding_columns
from monitor.ledger.instants import to_us
from monitor.ledger.judging import source_set
from monitor.ledger.packing import pack_assessment, unpack_assessment, unpack_entries
from monitor.ledger.publication import Publications
from monitor.ledger.schema import cases, findings, journal
from monitor.ledger.verify_journal import Journalled, fingerprint
from monitor.rulebook.model import RulebookHistory
from monitor.verdict import Assessment, JournalEntry

Assess = Callable[[Iterable[JournalEntry], RulebookHistory, datetime], Assessment]


class Since(msgspec.Struct, frozen=True):
    """Where a stream stood when it was sealed: last row of its journal, and last transaction."""

    seq: int = 0
    version: int = -1


class CaseCheck:
    """The cases against what the journal says, all of them or those written since; `statistics` adds up theirs."""

    def __init__(
        self,
        connection: Connection,
        publications: Publications,
        assess: Assess,
        journalled: Journalled,
        since: Mapping[str, Since],
    ) -> None:
        self._connection, self._publications, self._assess = connection, publications, assess
        self._journalled, self._since = journalled, since
        self.statistics: dict[str, Statistics] = defaultdict(Statistics)
        self.count = self.findings = 0
        self._histories: dict[int, RulebookHistory] = {}

    def differences(self) -> Iterator[Difference]:
        """Find what does not follow from the events of a case."""
        query = select(cases).order_by(cases.c.case)
        if self._since:
            later = [
                (cases.c.stream == name) & (cases.c.version > since.version) for name, since in self._since.items()
            ]
            query = query.where(or_(*later, cases.c.stream.not_in(list(self._since))))
        with self._connection.execute(query, execution_options={"yield_per": CASES_AT_ONCE}) as found:
            for rows in found.partitions():
                stored = self._findings_of([row.case for row in rows])
                for row in rows:
                    self.count += 1
                    yield from self._case(row, stored[row.case])
        for case in sorted(self._journalled.prints):
            yield Difference("cases", case, "case", "a row, its events are in the journal", "no row")

    def _case(self, row: Row[Any], stored: dict[str, Row[Any]]) -> Iterator[Difference]:
        try:
            entries = unpack_entries(row.events)
        except (msgspec.DecodeError, TypeError) as error:
            yield Difference("cases", row.case, "events", "readable", str(error))
            return
        astray = self._astray(row, entries)
        if astray is not None:
            yield astray
            return
        counted = {"events_count": len(entries), "source_set": source_set(entries)}
        yield from compare("cases", row.case, counted, row)
        live = row.case in self._journalled.live_cases
        if live or not self._since:
            yield from compare("cases", row.case, {"live": live}, row)
        again = self._assess(entries, self._rulebooks(row.rulebook), row.judged_at)
        if pack_assessment(again) != row.assessment:
            yield _first_change(row.case, again, row.assessment)
            return
        yield from compare("cases", row.case, case_columns(again), row)
        self.statistics[row.stream].add(again, 1)
        yield from self._findings(row, again, stored)

    def _findings(self, row: Row[Any], again: Assessment, stored: dict[str, Row[Any]]) -> Iterator[Difference]:
        for finding in again.findings:
            self.findings += 1
            kept = stored.pop(finding.id, None)
            if kept is None:
                yield Difference("findings", finding.id, "id", f"{finding.rule} of case {row.case}", "no row")
                continue
            expected = {**finding_columns(finding, again), "stream": row.stream, "withdrawal": None}
            yield from compare("findings", finding.id, expected, kept)
            if kept.detected_at > kept.changed_at:
                bound = f"not after {show(kept.changed_at)}, when it last changed"
                yield Difference("findings", finding.id, "detected_at", bound, show(kept.detected_at))
        for kept in stored.values():
            if kept.state != "withdrawn":
                yield Difference("findings", kept.id, "state", "withdrawn", kept.state)

    def _findings_of(self, names: Sequence[str]) -> dict[str, dict[str, Row[Any]]]:
        found: dict[str, dict[str, Row[Any]]] = defaultdict(dict)
        for row in self._connection.execute(select(findings).where(findings.c.case.in_(names)).order_by(findings.c.id)):
            found[row.case][row.id] = row
        return found

    def _astray(self, row: Row[Any], entries: list[JournalEntry]) -> Difference | None:
        """Name the first event that a case and the journal do not share."""
        since = self._since.get(row.stream, Since())
        later = [entry for entry in entries if entry.seq > since.seq]
        sum_of_prints = sum(fingerprint(content(e.event), to_us(e.received_at), e.seq) for e in later)
        agree = bool(entries) and sum_of_prints == self._journalled.prints.pop(row.case, 0)
        if agree and len(later) == len(entries):
            return None
        held = {entry.seq: (content(entry.event), entry.received_at, row.case) for entry in entries}
        kept = self._kept(row, list(held), whole=not agree)
        for seq in sorted(kept.keys() | held.keys()):
            if seq not in held:
                return Difference("cases", row.case, "events", f"journal {row.stream} {seq}", "not among its events")
            if held[seq] != kept.get(seq):
                event = next(entry.event for entry in entries if entry.seq == seq)
                found = f"event {event.source} {event.id}"
                return Difference("cases", row.case, "events", "what the journal holds", found)
        if agree:
            return None
        return Difference(
            "cases", row.case, "events", "what the journal holds", "an event twice" if entries else "none"
        )

    def _kept(self, row: Row[Any], held: list[int], whole: bool) -> dict[int, tuple[bytes, datetime, str]]:
        """Read rows of the journal: those of a case, by looking at every row, or those it says are its own."""
        ours = journal.c.case == row.case if whole else journal.c.seq.in_(held)
        columns = (journal.c.seq, journal.c.content, journal.c.received_at, journal.c.case)
        found = self._connection.execute(select(*columns).where(journal.c.stream == row.stream, ours))
        return {seq: (written, received_at, case) for seq, written, received_at, case in found}

    def _rulebooks(self, version: int) -> RulebookHistory:
        """Give the rulebooks an assessment was taken by: those up to its version, read once for all cases."""
        if version not in self._histories:
            self._histories[version] = self._publications.history(self._connection, version=version)
        return self._histories[version]


def _first_change(case: str, again: Assessment, packed: bytes) -> Difference:
    try:
        stored = unpack_assessment(packed)
    except (msgspec.DecodeError, TypeError) as error:
        return Difference("cases", case, "assessment", "readable", str(error))
    for name in Assessment.__struct_fields__:
        expected, found = getattr(again, name), getattr(stored, name)
        if expected != found:
            return Difference("cases", case, f"assessment.{name}", show(expected), show(found))
    return Difference("cases", case, "assessment", pack_assessment(again).hex(), packed.hex())
