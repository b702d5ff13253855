"""Verify a ledger: compute again everything that follows from its events, and name the first difference."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, func, select

from monitor.assessment import assess as assess_case
from monitor.ledger.access import Ledger
from monitor.ledger.apart import NO_CASE
from monitor.ledger.chain import CHAINS
from monitor.ledger.difference import Difference, compare
from monitor.ledger.digest import misreported
from monitor.ledger.packing import digest_of
from monitor.ledger.schema import (
    cases,
    findings,
    journal,
    outbox,
    positions,
    rejects,
    rulebooks,
    sources,
    stats_items,
    stats_units,
    texts,
)
from monitor.ledger.seal import Statement
from monitor.ledger.stored import as_stored, misfits, undecoded
from monitor.ledger.verify_apart import verify_apart
from monitor.ledger.verify_cases import Assess, CaseCheck, Since
from monitor.ledger.verify_journal import Journalled, verify_journal
from monitor.ledger.verify_sources import verify_rejects, verify_sources
from monitor.ledger.verify_texts import TextCheck, named_texts, verify_named
from monitor.verdict import MEASURES

__all__ = ["Assess", "Difference", "Verification", "verify"]


READ_AS_USUAL: Final = (
    rulebooks,
    positions,
    sources,
    rejects,
    texts,
    cases,
    findings,
    outbox,
    stats_units,
    stats_items,
)
"""Tables that are read by the kinds of their columns, which SQLite does not insist on."""
UNSEALED_PARTS: Final = ("sources", "rejects", "texts", "statistics")
"""What can only be compared with everything: a verification since a seal leaves it out."""


class Skipped(msgspec.Struct, frozen=True):
    """What a verification since a seal did not look at: sealed events, cases not written since, and whole parts."""

    events: int
    cases: int
    parts: tuple[str, ...]


class Verification(msgspec.Struct, frozen=True):
    """What was checked, and the first difference; None: there is none."""

    events: int
    cases: int
    findings: int
    statistics: int
    actions: int
    audit: int
    texts: int
    skipped: Skipped | None
    difference: Difference | None


def verify(ledger: Ledger, assess: Assess = assess_case, since: Statement | None = None) -> Verification:
    """Check a ledger in one consistent state, whatever a writer does meanwhile.

    The chains are computed again; each case's events are compared with the journal, each assessment is taken again
    at its own moment and rulebook, and findings, outbox, statistics, counters and texts are compared with what
    follows. `since` is the statement of a seal that was verified: events it has sealed are taken from it, and of the
    cases only those written since are looked at.
    """
    with ledger.read() as connection, undecoded(connection):
        check = _Check(ledger, connection, assess, since)
        difference = next(check.differences(), None)
        skipped = check.skipped() if since is not None else None
    return Verification(
        events=check.journalled.events,
        cases=check.cases.count,
        findings=check.cases.findings,
        statistics=check.statistics,
        actions=check.chained["actions"],
        audit=check.chained["audit"],
        texts=check.texts.count,
        skipped=skipped,
        difference=difference,
    )


class _Check:
    def __init__(self, ledger: Ledger, connection: Connection, assess: Assess, since: Statement | None) -> None:
        self._connection, self._vault, self._whole = connection, ledger.vault, since is None
        self._publications = ledger.publications
        heads = since.heads if since is not None else ()
        self._sealed = {head.stream: head for head in heads}
        self.journalled = Journalled()
        ends = {head.stream: Since(head.seq, head.transaction) for head in heads}
        self.cases = CaseCheck(connection, ledger.publications, assess, self.journalled, ends)
        self.texts = TextCheck(connection, ledger.texts)
        self.chained = {chain.name: 0 for chain in CHAINS}
        self.statistics = 0

    def differences(self) -> Iterator[Difference]:
        """Find every difference, first those of rulebooks and chains: what rests on them is checked against them."""
        yield from self._published()
        for table in READ_AS_USUAL:
            for key, column, expected, found in misfits(self._connection, table):
                yield Difference(str(table.name), key, column, expected, found)
        yield from self._chains()
        yield from self._journals()
        if self._whole:
            yield from self._sources()
            yield from self.texts.differences()
        yield from self.cases.differences()
        yield from self._orphans()
        yield from verify_apart(self._connection, self._publications)
        for finding in sorted(misreported(self._connection)):
            yield Difference("outbox", finding, "act", "raise and withdraw in turn, as the finding stands", "otherwise")
        if self._whole:
            yield from self._statistics(stats_units, ("day", "region", "department", "channel"))
            yield from self._statistics(stats_items, ("day", "item"))

    def skipped(self) -> Skipped:
        """Tell what was left out because a seal speaks for it."""
        sealed = sum(head.seq for head in self._sealed.values())
        there = self._connection.execute(select(func.count()).select_from(cases)).scalar_one()
        return Skipped(sealed, there - self.cases.count, UNSEALED_PARTS)

    def _published(self) -> Iterator[Difference]:
        columns = (rulebooks.c.version, rulebooks.c.digest, rulebooks.c.content)
        for number, row in enumerate(self._connection.execute(select(*columns).order_by(rulebooks.c.version)), start=1):
            expected = {"version": number, "digest": digest_of(row.content)}
            yield from compare("rulebooks", str(row.version), expected, row)

    def _chains(self) -> Iterator[Difference]:
        for chain in CHAINS:
            for found in chain.breaks(self._connection):
                place = ("chains", chain.name) if found.at_head else (chain.name, str(found.seq))
                yield Difference(*place, found.field, found.expected, found.found)
            self.chained[chain.name] = chain.head(self._connection).seq
        yield from verify_named(self._connection, named_texts(self._connection))

    def _journals(self) -> Iterator[Difference]:
        stored = select(*as_stored(positions)).order_by(positions.c.stream)
        for position in self._connection.execute(stored).mappings().all():
            sealed = self._sealed.get(position["stream"])
            since = (sealed.seq, bytes.fromhex(sealed.chain_hash)) if sealed is not None and sealed.seq else None
            yield from verify_journal(self._connection, position, self.journalled, since)
        known = select(positions.c.stream)
        stray = select(journal.c.stream).where(journal.c.stream.not_in(known)).distinct().order_by(journal.c.stream)
        for stream in self._connection.execute(stray).scalars():
            yield Difference("positions", stream, "stream", "a row, there are events of it in the journal", "no row")

    def _sources(self) -> Iterator[Difference]:
        for position in self._connection.execute(select(positions).order_by(positions.c.stream)).all():
            yield from verify_sources(self._connection, position, self.journalled)
            yield from verify_rejects(self._connection, position.stream, self._vault)

    def _orphans(self) -> Iterator[Difference]:
        """Find findings that stand although there is no such case: every other row was compared with its case."""
        standing = select(findings).where(
            findings.c.state != "withdrawn", findings.c.case != NO_CASE, findings.c.case.not_in(select(cases.c.case))
        )
        for row in self._connection.execute(standing.order_by(findings.c.id)):
            yield Difference("findings", row.id, "state", "withdrawn", row.state)

    def _statistics(self, table: Table, names: tuple[str, ...]) -> Iterator[Difference]:
        expected: dict[tuple[Any, ...], dict[str, int]] = {}
        for stream, statistics in self.cases.statistics.items():
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


def _written(key: tuple[Any, ...]) -> str:
    return " ".join(str(part) or "-" for part in key)
