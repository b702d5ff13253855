"""Proving the rules: what was planted in a simulated feed, held against what the engine found in it.

What was announced and taken back again is counted too. Used by `make rules-report`.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from tempfile import TemporaryDirectory
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, func, select

from monitor.ledger.access import Ledger
from monitor.ledger.packing import unpack_assessment
from monitor.ledger.schema import cases, findings, outbox, stats_units
from monitor.rulebook.model import Rulebook
from monitor.rules import RULES
from streams.simulator.dirty import DIRTS, Feed
from streams.simulator.driving import Drive, Violation
from streams.simulator.incidents import loosening_of, outage_of
from streams.simulator.mix import YULIN
from streams.simulator.year import SimulatedCase, simulate_cases

CLEAN: Final = "clean"
"""Name of the feed with no dirt."""
DENSE: Final = msgspec.structs.replace(
    YULIN, accepted_per_day=40, planted=0.01, late_promised=0.01, late_statutory=0.005, extended=0.01, deemed=0.005,
    late_issued=0.01, late_leg=0.3, suspended=0.2, deferred=0.1, complained=0.03, requested=0.03,
)  # fmt: skip
"""A small centre with much trouble, for a short period."""
TAIL: Final = timedelta(days=150)
"""How long time goes on after the last case began, so that everything comes to its end."""
_EXAMPLES: Final = 20

Reason = Literal["not_due", "not_observed", "explained", "provisional", "contested", "unexplained"]
"""Why what was planted does not stand as a finding: its time had not come; its source does not tell what shows it;
what its source is declared to be explains it (clocks apart, days only, lateness); it waits for a suspension told late,
or for an inspector."""


class Plan(msgspec.Struct, frozen=True):
    """What to simulate: a number of days from the first on, as busy as Yulin or small and `dense` with trouble."""

    rulebook: Rulebook
    seed: int
    first: date
    days: int
    dense: bool = False


class Account(msgspec.Struct):
    """What became of one rule in one feed."""

    planted: int = 0
    found: int = 0
    leads: int = 0  # of those found: told to inspectors alone
    missed: dict[str, int] = {}  # planted and not found, by reason
    raised: int = 0  # stands at the end and was not planted
    announced: int = 0  # a card that went out at any time and was not planted
    contested: int = 0  # of those announced: stands at the end as contested, for an inspector to decide


class Proof(msgspec.Struct):
    """A feed held against what was planted in it; `examples` name what should not be, and why not."""

    feed: str
    events: int
    cases: int
    rules: dict[str, Account] = {}
    clocks_not_observed: int = 0
    provisional: int = 0  # at any time
    contested: int = 0
    data: dict[str, int] = {}  # findings on the data of cases, by rule
    examples: list[tuple[str, str]] = []

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing was raised or announced that was not planted.

        What came later than declared may have been announced, and must then stand as contested.
        """
        return not any(each.raised or each.announced > each.contested for each in self.rules.values())

    def account(self, violation: Violation) -> Account:
        """Give the account of a violation's rule."""
        return self.rules.setdefault(violation.rule, Account())

    def show(self, why: str, violation: Violation) -> None:
        """Keep an example of what should not be."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append((why, " ".join(violation).strip()))


class Stands(msgspec.Struct, frozen=True):
    """How a finding stands at the end."""

    state: str
    mode: str
    kind: str


def prove(plan: Plan, name: str) -> Proof:
    """Drive one feed, clean or with dirt (names joined by `+`), and hold what was found against what was planted.

    Raises KeyError on a name of no dirt.
    """
    dirts = [DIRTS[each] for each in name.split("+") if each != CLEAN]
    zone, half = plan.rulebook.days.zone, plan.first + timedelta(days=plan.days // 2)
    start = datetime.combine(plan.first, time(), zone)
    last = start + timedelta(days=plan.days)
    until, mix = last + TAIL, DENSE if plan.dense else YULIN

    def simulated() -> Iterator[SimulatedCase]:
        every = simulate_cases(plan.rulebook, plan.seed, start, until, mix)
        return takewhile(lambda case: case.midnight < last, every)

    loosening = loosening_of(plan.rulebook, simulated(), datetime.combine(half, time(12), zone))
    with TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{folder}/ledger.sqlite") as ledger:
        feed = Feed(plan.rulebook, plan.seed)
        drive = Drive(ledger, feed, dirts, outage_of(plan.rulebook, _working_day(plan, half)), loosening)
        drive.run(simulated(), start, until)
        return hold_against(drive, name)


def hold_against(drive: Drive, name: str) -> Proof:
    """Hold what the ledger of a drive says against what was planted."""
    proof = Proof(name, drive.events, drive.cases, provisional=len(drive.ever_provisional))
    with drive.ledger.read() as connection:
        stands = _stands(connection)
        for violation in drive.planted:
            _settle(drive, connection, violation, stands.get(violation), proof)
        for violation, how in stands.items():
            if how.kind == "conduct":
                proof.contested += how.state == "contested"
            elif violation.case:
                proof.data[violation.rule] = proof.data.get(violation.rule, 0) + 1
            is_held = how.state == "live" and (how.kind == "conduct" or not violation.case)
            if is_held and violation not in drive.planted:
                proof.account(violation).raised += 1
                proof.show("raised", violation)
        for violation in _announced(connection) - drive.planted.keys():
            account, at_end = proof.account(violation), stands.get(violation)
            account.announced += 1
            if at_end is not None and at_end.state == "contested":
                account.contested += 1
            else:
                proof.show("announced", violation)
        measured = select(func.sum(stats_units.c.clocks_unobserved))
        proof.clocks_not_observed = int(connection.execute(measured).scalar() or 0)
    return proof


def _settle(drive: Drive, connection: Connection, violation: Violation, how: Stands | None, proof: Proof) -> None:
    """Count one planted violation as found, or as missed for a reason."""
    account = proof.account(violation)
    account.planted += 1
    if how is not None and how.state == "live":
        account.found += 1
        account.leads += how.mode == "lead"
        return
    reason = _reason(drive, connection, violation) if how is None else how.state
    account.missed[reason] = account.missed.get(reason, 0) + 1
    if reason == "unexplained":
        proof.show("missed", violation)


def _reason(drive: Drive, connection: Connection, violation: Violation) -> Reason:
    """Say why something planted was not found at all."""
    case = drive.planted[violation]
    if case is None:
        codes = {violation.subject} & drive.rulebook.source.keys()
    elif not case.complete:
        return "not_due"
    else:
        codes = {event.source for event in case.events}
        stored = connection.execute(select(cases.c.assessment).where(cases.c.case == violation.case)).scalar()
        clocks = () if stored is None else unpack_assessment(stored).clocks
        about = RULES[violation.rule].clocks
        if stored is None or any(clock.name in about and clock.phase == "unobserved" for clock in clocks):
            return "not_observed"
    declared = [(drive.feed.rulebook.source[code], drive.rulebook.source[code]) for code in codes]
    if any(clean.types != soiled.types for clean, soiled in declared):
        return "not_observed"
    return "explained" if any(clean != soiled for clean, soiled in declared) else "unexplained"


def _stands(connection: Connection) -> dict[Violation, Stands]:
    """Read what was found and stands; that a source was silent stands as found although it speaks again."""
    query = select(
        findings.c.case, findings.c.rule, findings.c.subject, findings.c.state, findings.c.mode, findings.c.kind
    )
    found: dict[Violation, Stands] = {}
    for case, rule, subject, state, mode, kind in connection.execute(query):
        if rule == "V31" or state != "withdrawn":
            found[Violation(case, rule, subject)] = Stands("live" if rule == "V31" else state, mode, kind)
    return found


def _announced(connection: Connection) -> set[Violation]:
    """Read which cards ever went out."""
    query = (
        select(findings.c.case, findings.c.rule, findings.c.subject)
        .join(outbox, outbox.c.finding == findings.c.id)
        .where(outbox.c.act == "raise", outbox.c.delivery == "send", outbox.c.mode == "card")
    )
    return {Violation(*row) for row in connection.execute(query)}


def _working_day(plan: Plan, day: date) -> date:
    """Find the first working day from a day on."""
    days = plan.rulebook.days
    return day if days.is_working(day) else _working_day(plan, day + timedelta(days=1))
