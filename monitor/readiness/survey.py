"""The survey of a source: everything it has sent, and what was found of its cases, read once and summed up."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Row, func, select

from monitor.events import Event, EventType, from_content
from monitor.ledger.packing import unpack_entries
from monitor.ledger.schema import cases, findings, journal, rejects, sources
from monitor.readiness.filled import Fields, Filled
from monitor.readiness.order import Inversions, StepOrder
from monitor.readiness.spread import Durations, Spread
from monitor.rulebook.model import Rulebook, Source
from monitor.sampling import SAMPLE_MIN, sets_with

ROWS_AT_ONCE: Final = 1_000

T = EventType
_NOBODYS: Final = frozenset({T.HEARTBEAT, T.RETRACT, T.CARD_UPHELD, T.CARD_CANCELLED, T.CARD_CONFIRMED})
"""Types that no source need send: it has nothing to take back, and verdicts are the console's."""


class UnknownCode(msgspec.Struct, frozen=True):
    """A code the rulebook does not know, and in how many events it stands."""

    field: str
    code: str
    events: int


class Part(msgspec.Struct, frozen=True):
    """So many of so many; no share where there are none."""

    seen: int
    of: int

    @property
    def share(self) -> float | None:
        """The share, None: there is nothing to be part of."""
        return self.seen / self.of if self.of else None


class Times(msgspec.Struct, frozen=True):
    """How exact the times are: of `events` so many are at midnight, and so many at a whole minute."""

    events: int
    midnight: int
    whole_minute: int


class RuleHits(msgspec.Struct, frozen=True):
    """What one rule finds in cases of the source, in one mode, with cases drawn from it."""

    rule: str
    kind: str
    mode: str
    hits: int
    cases: list[str]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What the feed of a source is like. Durations are in seconds."""

    source: str
    rulebook: int
    events: int
    live: int
    cases: int
    first: datetime | None
    last: datetime | None
    unknown: list[UnknownCode]
    items: Part
    """Items of the source's regions that it sent cases of."""
    approvals_delegated: Part
    """Approvals with an operator, given by one who has the power over the item on that day."""
    departments_complete: Part
    """Departments of its regions whose delegations are declared complete."""
    fields: list[Filled]
    types_seen: dict[str, int]
    types_never: list[str]
    times: Times
    lateness: Spread | None
    """From the event to its receipt, of live deliveries but heartbeats."""
    lateness_declared: float
    beyond_declared: int
    recording: Spread | None
    """From recording to receipt, of live deliveries."""
    inversions: list[Inversions]
    suspensions: Part
    """Suspensions that were told no sooner than their end."""
    applied: int
    duplicates: int
    rejected: int
    rejects: dict[str, int]
    rules: list[RuleHits]
    recorded_share: float | None


def survey(connection: Connection, rulebook: Rulebook, version: int, source: Source) -> Readiness:
    """Read everything a source sent, judged by a rulebook. Reads the journal once, and the cases it is in."""
    feed = _Feed(rulebook, source)
    feed.read_journal(connection)
    sets = sets_with(connection, source.code)
    feed.read_cases(connection, sets)
    departments = _departments_of(rulebook, source)
    items = {item.code for item in rulebook.items if item.department in departments}
    complete = sum(rulebook.department[code].delegations_complete for code in departments)
    declared = [kind for kind in T if source.can_send(kind) and kind not in _NOBODYS]
    counted = connection.execute(
        select(func.sum(sources.c.applied), func.sum(sources.c.duplicate), func.sum(sources.c.rejected)).where(
            sources.c.source == source.code
        )
    ).one()
    reasons = select(rejects.c.code, func.count()).where(rejects.c.source == source.code).group_by(rejects.c.code)
    return Readiness(
        source=source.code,
        rulebook=version,
        events=feed.fields.events.total(),
        live=feed.live,
        cases=feed.cases,
        first=feed.first,
        last=feed.last,
        unknown=[UnknownCode(*key, count) for key, count in feed.unknown.most_common()],
        items=Part(len(items & feed.items), len(items)),
        approvals_delegated=Part(feed.delegated, feed.approvals),
        departments_complete=Part(complete, len(departments)),
        fields=feed.fields.filled(),
        types_seen={kind.value: feed.fields.events[kind] for kind in T if feed.fields.events[kind]},
        types_never=[kind.value for kind in declared if not feed.fields.events[kind]],
        times=Times(feed.timed, feed.midnight, feed.whole_minute),
        lateness=feed.lateness.spread(),
        lateness_declared=source.lateness.total_seconds(),
        beyond_declared=feed.lateness.beyond(source.lateness + source.tolerance),
        recording=feed.recording.spread(),
        inversions=feed.order.inversions(),
        suspensions=Part(feed.told_at_end, feed.ended),
        applied=int(counted[0] or 0),
        duplicates=int(counted[1] or 0),
        rejected=int(counted[2] or 0),
        rejects={row[0]: row[1] for row in connection.execute(reasons.order_by(rejects.c.code))},
        rules=_hits(connection, sets),
        recorded_share=feed.fields.share("recorded"),
    )


class _Feed:
    """What is counted while the feed is read."""

    def __init__(self, rulebook: Rulebook, source: Source) -> None:
        self._rulebook, self._source, self._zone = rulebook, source, ZoneInfo(source.zone)
        self._known = {
            "item": rulebook.item.keys(),
            "department": rulebook.department.keys(),
            "window": rulebook.window.keys() or None,
            "direct_line": {line.code for line in rulebook.direct_lines} or None,
        }
        self._powers = defaultdict(list)
        for delegation in rulebook.delegations:
            if delegation.power == "approve":
                self._powers[delegation.item, delegation.operator].append(delegation)
        self.fields, self.order = Fields(), StepOrder(source.code)
        self.lateness, self.recording = Durations(), Durations()
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.items: set[str] = set()
        self.live = self.cases = self.timed = self.midnight = self.whole_minute = 0
        self.approvals = self.delegated = self.ended = self.told_at_end = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def read_journal(self, connection: Connection) -> None:
        """Read every event the source sent."""
        query = select(journal.c.content, journal.c.received_at, journal.c.backfill)
        for row in _stream(connection, query.where(journal.c.source == self._source.code)):
            self._event(from_content(row.content), row.received_at, row.backfill)

    def read_cases(self, connection: Connection, sets: list[str]) -> None:
        """Read the cases the source sent events of, whole: what other sources said is compared with it."""
        for row in _stream(connection, select(cases.c.events).where(cases.c.source_set.in_(sets))):
            entries = unpack_entries(row.events)
            self.cases += 1
            self.order.add(entry.event for entry in entries)
            own = [entry for entry in entries if entry.event.source == self._source.code]
            resumed = [entry.event.time for entry in own if entry.event.type is T.RESUME]
            for entry in own:
                ends = [end for end in resumed if end >= entry.event.time]
                if entry.event.type is T.SUSPEND and ends:
                    self.ended += 1
                    self.told_at_end += entry.received_at >= min(ends)

    def _event(self, event: Event, received_at: datetime, backfill: bool) -> None:
        self.fields.add(event)
        if event.type is T.HEARTBEAT:
            return
        self.first = event.time if self.first is None else min(self.first, event.time)
        self.last = event.time if self.last is None else max(self.last, event.time)
        self._codes(event)
        local = event.time.astimezone(self._zone).time()
        self.timed += 1
        self.midnight += local == time()
        self.whole_minute += not local.second and not local.microsecond
        if not backfill:
            self.live += 1
            self.lateness.add(received_at - event.time)
            if event.recorded is not None:
                self.recording.add(received_at - event.recorded)

    def _codes(self, event: Event) -> None:
        for field, known in self._known.items():
            code = getattr(event, field)
            if code is not None and known is not None and code not in known:
                self.unknown[field, code] += 1
        if event.item is not None:
            self.items.add(event.item)
        if event.type is T.APPROVE and event.operator is not None:
            self.approvals += 1
            self.delegated += self._may_approve(event)

    def _may_approve(self, event: Event) -> bool:
        day = self._rulebook.days.day(event.time)
        return any(
            power.valid_from <= day and (power.valid_to is None or day <= power.valid_to)
            for power in self._powers.get((event.item or "", event.operator or ""), ())
        )


def _departments_of(rulebook: Rulebook, source: Source) -> set[str]:
    """Name the departments of a source's regions and all below them."""
    regions = {code for region in source.regions for code in rulebook.below(region)}
    return {department.code for department in rulebook.departments if department.region in regions}


def _hits(connection: Connection, sets: list[str]) -> list[RuleHits]:
    """Count what each rule finds in cases of these sets of sources, by mode, and draw cases.

    A finding's id is a hash, so that those with the smallest ids are drawn by chance, and the same ones each time.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    drawn: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    columns = (findings.c.rule, findings.c.kind, findings.c.mode, findings.c.case)
    query = select(*columns).join(cases, cases.c.case == findings.c.case)
    standing = (cases.c.source_set.in_(sets), findings.c.state != "withdrawn")
    for row in _stream(connection, query.where(*standing).order_by(findings.c.id)):
        key = (row.rule, row.kind, row.mode)
        counted[key] += 1
        if len(drawn[key]) < SAMPLE_MIN and row.case not in drawn[key]:
            drawn[key].append(row.case)
    return [RuleHits(*key, counted[key], drawn[key]) for key in sorted(counted)]


def _stream(connection: Connection, query: Any) -> Iterator[Row[Any]]:
    rows: Iterator[Row[Any]] = iter(connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}))
    return rows
