"""What a fault left behind, held against what was sent and against an undisturbed run; nothing here is forgiving."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from monitor.assessment import assess
from monitor.ledger import Ledger, judging
from monitor.ledger.digest import digests, misreported
from monitor.ledger.packing import unpack_assessment, unpack_entries
from monitor.ledger.schema import cases, findings, outbox, positions, sources
from monitor.ledger.verify import verify
from monitor.verdict import TOLD, TOLD_STATES
from streams.kafka.settings import KafkaSettings
from tests.faults.accounts import Counted, count
from tests.faults.workers import Memory

GROWTH_MB_MAX: Final = 64.0
"""Caches fill while a worker gets to know its cases; what grows beyond that has no bound."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The report on one fault."""

    fault: str
    digest_undisturbed: str
    digest_now: str
    agree: bool
    differing: tuple[str, ...] = ()
    seconds_to_recover: tuple[float, ...] = ()
    seconds: float = 0.0
    counted: Counted | None = None
    findings_told_wrongly: int = 0
    cards_too_early: int = 0
    memory: tuple[Memory, ...] = ()
    ended: tuple[str, ...] = ()
    """Workers that ended by themselves, with why; the supervisor of processes started others."""
    problems: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Tell whether nothing at all is to be objected to."""
        return self.agree and not self.problems


def examine(
    fault: str,
    ledger: Ledger,
    undisturbed: Ledger,
    settings: KafkaSettings,
    acknowledged: list[bytes | None],
    *,
    misplaced: bool = False,
) -> Outcome:
    """Compare a ledger whose workers have stopped with the undisturbed one, and with what its topic holds.

    Where records are `misplaced`, what disproves a card may still be on its way from a wrong partition when the card is
    raised; it must be withdrawn, as the digest tells, and is counted, but not objected to.
    """
    problems: list[str] = []
    with ledger.read() as connection:
        horizon = connection.execute(select(func.max(positions.c.horizon))).scalar_one()
        at = horizon + timedelta(seconds=1)
        told_wrongly = sorted(misreported(connection) | told_otherwise_than_once(connection))
        early = sorted(raised_too_early(ledger, connection))
        unjudged = overdue(ledger, connection)
        counted = count(connection, settings, acknowledged, problems)
    ours, theirs = digests(ledger, at), digests(undisturbed, at)
    parts = [part for part in ours.__struct_fields__ if getattr(ours, part) != getattr(theirs, part)]
    verified = verify(ledger)
    if verified.difference is not None:
        problems.append(f"verify: {verified.difference}")
    if told_wrongly:
        problems.append(f"{len(told_wrongly)} findings without exactly one live row, as {told_wrongly[0]}")
    if early and not misplaced:
        problems.append(f"{len(early)} cards against what was known when they were raised, as {early[0]}")
    if unjudged:
        problems.append(f"{len(unjudged)} cases that are due are not judged, as {unjudged[0]}")
    return Outcome(
        fault=fault,
        digest_undisturbed=theirs.whole,
        digest_now=ours.whole,
        agree=ours.whole == theirs.whole,
        differing=tuple(parts),
        counted=counted,
        findings_told_wrongly=len(told_wrongly),
        cards_too_early=len(early),
        problems=tuple(problems),
    )


def overdue(ledger: Ledger, connection: Connection) -> list[str]:
    """Find the cases that can be judged at their stream's horizon and were not (I6)."""
    found: list[str] = []
    for stream, horizon in connection.execute(select(positions.c.stream, positions.c.horizon)).all():
        states = judging.load_states(connection, stream)
        rulebook = ledger.publications.history(connection, horizon).current.rulebook
        for named in judging.source_sets(connection, [stream]):
            upto = judging.judged_at(named, states, rulebook, horizon)
            where = (cases.c.stream == stream) & (cases.c.source_set == named) & (cases.c.next_change <= upto)
            for case, stored in connection.execute(select(cases.c.case, cases.c.assessment).where(where)):
                if unpack_assessment(stored).judged_at < upto:
                    found.append(case)
    return found


def growing(memory: tuple[Memory, ...]) -> list[str]:
    """Find the workers whose memory has grown over the run; one that was killed before it was ready has no start."""
    return [
        f"the memory of {name} grew from {start} to {end} MB"
        for name, start, end in memory
        if start and end - start > GROWTH_MB_MAX
    ]


def told_otherwise_than_once(connection: Connection) -> set[str]:
    """Find the findings that stand with other than one raise more than withdrawals (I4)."""
    raises: Counter[str] = Counter()
    query = select(outbox.c.finding, outbox.c.act).where(outbox.c.act.in_(("raise", "withdraw")))
    for finding, act in connection.execute(query):
        raises[finding] += 1 if act == "raise" else -1
    told = (findings.c.kind == "conduct") & findings.c.mode.in_(TOLD) & findings.c.state.in_(TOLD_STATES)
    standing = set(connection.execute(select(findings.c.id).where(told)).scalars())
    return {each for each in raises.keys() | standing if raises[each] != (each in standing)}


def raised_too_early(ledger: Ledger, connection: Connection) -> Iterator[str]:
    """Find the cards that what had been appended by then, in their own partition, did not bear out (I5).

    Looked at is what was taken back again, and raised when the past was complete: what is imported was received when
    it happened, so that nobody can tell what of it was known earlier.
    """
    imported = connection.execute(select(func.max(sources.c.imported_at))).scalar_one()
    if imported is None:
        return  # the past was never complete, which shows elsewhere
    withdrawn = select(outbox.c.finding).where(outbox.c.act == "withdraw")
    raised = (
        select(outbox.c.finding, outbox.c.created_at, cases.c.case, cases.c.stream, cases.c.events)
        .join(cases, cases.c.case == outbox.c.case)
        .where(outbox.c.act == "raise", outbox.c.created_at > imported, outbox.c.finding.in_(withdrawn))
    )
    for row in connection.execute(raised).all():
        rulebooks = ledger.publications.history(connection, row.created_at)
        known = [entry for entry in unpack_entries(row.events) if entry.received_at <= row.created_at]
        states = judging.load_states(connection, row.stream)
        upto = judging.judged_at(judging.source_set(known), states, rulebooks.current.rulebook, row.created_at)
        if row.finding not in {each.id for each in assess(known, rulebooks, upto).findings}:
            yield f"{row.case}: {row.finding}"
