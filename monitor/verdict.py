"""What an assessment says: stage, clocks, light, findings and measures, as immutable values.

`monitor.assessment` computes them; the ledger stores them; everything shown, counted or alerted is read from them.
Nothing here varies continuously: a running clock has a due instant, and `used` is filled in once it has stopped.
Values hold no reference back to what holds them, so that the garbage collector need not look at them (`gc=False`).
"""

from collections.abc import Iterable
from datetime import date, datetime
from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec

from monitor.events import Event

ClockName = Literal[
    "notice",
    "accept",
    "promised",
    "statutory",
    "step",
    "leg",
    "issue",
    "archive",
    "reply",
    "deferred",
    "complaint_accept",
    "complaint",
    "request",
]
ClockPhase = Literal["running", "paused", "met", "breached", "cancelled", "unobserved", "unarmable"]
FindingKind = Literal["conduct", "data"]
FindingMode = Literal["shadow", "backlog", "lead", "card"]
"""How a finding is used: that of its rule, or `backlog` for what was late before the baseline (存量超期清单)."""
FindingState = Literal["live", "provisional", "contested", "cancelled"]
"""What an assessment says of a finding; the ledger adds `withdrawn` for one that is no longer said.

`cancelled`: an inspector took it back (`card_cancelled`); it is kept, told to nobody and in no figure but its own."""
STANDING: Final[tuple[FindingState, ...]] = ("live", "provisional", "contested")
"""The states of a finding that is held against somebody."""
TOLD_STATES: Final[tuple[FindingState, ...]] = ("live", "contested")
"""Those in which somebody is told: while it is provisional, a suspension may still show that it is none."""
TOLD: Final[tuple[FindingMode, ...]] = ("lead", "card")
"""The modes in which anybody is told of a finding."""


class Severity(IntEnum):
    """Internal severities in their order; colours are a profile of the board."""

    NOTICE = 1
    WARNING = 2
    PROMISED_BREACH = 3
    STATUTORY_BREACH = 4


class Light(StrEnum):
    """The light of a case: grey where a clock cannot be seen or armed, else the gravest thing known."""

    GREY = "grey"
    NORMAL = "normal"
    NOTICE = "notice"
    WARNING = "warning"
    PROMISED_BREACH = "promised_breach"
    STATUTORY_BREACH = "statutory_breach"


class Stage(StrEnum):
    """How far a case has come."""

    CONSULTED = "consulted"
    APPLIED = "applied"
    SUPPLEMENTING = "supplementing"
    ACCEPTED = "accepted"
    SUSPENDED = "suspended"
    TRANSFERRED = "transferred"
    APPROVED = "approved"
    FINISHED = "finished"
    ISSUED = "issued"
    ARCHIVED = "archived"
    REFUSED = "refused"
    FORWARDED = "forwarded"
    WITHDRAWN = "withdrawn"
    VOIDED = "voided"
    COMPLAINT_FILED = "complaint_filed"
    COMPLAINT_ACCEPTED = "complaint_accepted"
    COMPLAINT_CLOSED = "complaint_closed"
    REQUEST_FILED = "request_filed"
    REQUEST_CLOSED = "request_closed"
    OTHER = "other"


CLOSED_STAGES = frozenset(
    {
        Stage.FINISHED,
        Stage.ISSUED,
        Stage.ARCHIVED,
        Stage.REFUSED,
        Stage.FORWARDED,
        Stage.WITHDRAWN,
        Stage.VOIDED,
        Stage.COMPLAINT_CLOSED,
        Stage.REQUEST_CLOSED,
    }
)
"""A case in one of these is not open any more."""


class JournalEntry(msgspec.Struct, frozen=True, gc=False):
    """An event as the ledger holds it: with the hash of its content and the moment it was first received.

    `seq` is its row in the journal of the case's stream, 0: it is in none.
    """

    event: Event
    received_at: datetime
    content_hash: bytes
    seq: int = 0


class Pause(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A valid suspension; `until` None: not resumed yet, `planned_until`: when the planned days are used up."""

    since: datetime
    until: datetime | None = None
    planned_until: datetime | None = None


class Clock(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One clock of a case.

    `budget` and `used` are whole numbers of units, `per_day` units to a day (1 where days are counted, the
    microseconds of a standard day where time is); `used` is None while the clock runs. Late means later than `due`.
    `subject` tells legs (department), steps (step name) and rounds of the accept clock apart.
    """

    name: ClockName
    phase: ClockPhase
    subject: str = ""
    department: str = ""
    profile: str = ""
    limit: str = ""  # as in `20 wd`, or `due` where the source system set the instant
    extension_days: float = 0.0
    started_at: datetime | None = None
    start_event: str = ""
    due: datetime | None = None
    warn_from: datetime | None = None  # later than this the clock warns
    ended_at: datetime | None = None
    end_event: str = ""
    pauses: tuple[Pause, ...] = ()
    budget: int = 0
    per_day: int = 1
    used: int | None = None

    @property
    def remaining(self) -> int | None:
        """Units left of the budget, negative when overdrawn; None while the clock runs."""
        return None if self.used is None else self.budget - self.used

    def phase_but_for(self, excused: frozenset[tuple[str, str]]) -> ClockPhase:
        """Give the phase, but where an inspector has cancelled the breach that of a clock that was kept."""
        if self.phase != "breached" or (self.name, self.subject) not in excused:
            return self.phase
        return "running" if self.ended_at is None else "met"

    @property
    def ended_early(self) -> bool:
        """Tell whether it was stopped with some of the budget left; one set by its source, before the instant."""
        if self.ended_at is None or self.due is None:
            return False
        return self.ended_at < self.due if self.used is None else self.used < self.budget

    @property
    def is_open(self) -> bool:
        """Tell whether no event has ended the clock."""
        return self.ended_at is None and self.phase in ("running", "paused", "breached")


class Handling(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """How a case ended, and how long it took against what it was allowed.

    `finished_at` is when it was finished, or an accepted case was refused, unless it had been withdrawn or forwarded
    by then, or was voided. Days are thousandths of a day: working days net of pauses, and `waited` days of 24 hours
    from receipt to delivery; None where they are not known, or the limit counts calendar days.
    """

    item_type: str = ""
    finished_at: datetime | None = None
    outcome: str = ""  # of what finished it: granted, refused, returned, lapsed, done; empty where it is not told
    closed_at: datetime | None = None  # when it stopped being open, in whatever way
    suspended_at: datetime | None = None  # when it was first suspended
    statutory_millidays: int | None = None
    promised_millidays: int | None = None
    used_millidays: int | None = None  # to the finish; where nothing was promised, to the decision
    waited_millidays: int | None = None
    complaint_accepted_at: datetime | None = None
    complaint_closed_at: datetime | None = None

    @property
    def decided(self) -> bool:
        """Tell whether the case ended in a decision, granted or refused, and was not returned (Fₙ, domain.md 4.1)."""
        return self.finished_at is not None and self.outcome not in ("returned", "lapsed")

    @property
    def counts_in_speed(self) -> bool:
        """Tell whether the case is one of those speed is measured over: a promised-time case with both its limits."""
        known = (self.statutory_millidays, self.promised_millidays, self.used_millidays)
        return self.item_type == "promised" and None not in known


class Finding(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One violation (`conduct`) or defect of the data (`data`) with its evidence.

    `id` is the same however often the finding is computed: a hash of case, rule and subject. `occurred_at` is the
    instant the rule was broken. `evidence` holds only JSON values, and names the events used (`events`) and the
    versions of rule, calendar and catalogue. `cause` groups data findings: one ticket per cause.
    """

    id: str
    rule: str
    rule_version: int
    kind: FindingKind
    severity: Severity
    state: FindingState
    mode: FindingMode
    subject: str = ""
    department: str = ""
    cause: str = ""
    occurred_at: datetime
    evidence: dict[str, Any] = {}


def excused(findings: Iterable[Finding]) -> frozenset[tuple[str, str]]:
    """Name the clocks, by name and subject, whose breach an inspector has cancelled: they count as not overdue."""
    return frozenset(
        (finding.evidence.get("clock", ""), finding.evidence.get("subject", ""))
        for finding in findings
        if finding.state == "cancelled"
    )


class Measure(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """One addition to the statistics: `name` counts `amount` on `day` (of the calendar's zone) for `department`."""

    day: date
    department: str
    name: str
    amount: int


class Assessment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What is known of a case from its events, the rulebook and the moment up to which it may be judged."""

    case: str
    judged_at: datetime
    rulebook: int  # the current version: calendar, sources, modes
    catalogue: int  # the version frozen at acceptance: limits, profile, required steps
    region: str
    item: str
    department: str
    channel: str = ""
    direct_line: str = ""
    stage: Stage
    light: Light
    started_at: datetime | None = None  # the case's first event
    accepted_at: datetime | None = None  # accept, or the instant materials were received when deemed
    deemed: bool = False
    closed: bool = False
    handling: Handling = Handling()
    clocks: tuple[Clock, ...] = ()
    findings: tuple[Finding, ...] = ()
    measures: tuple[Measure, ...] = ()
    next_change: datetime | None = None  # judged later than this with no new event, the assessment differs

    @property
    def finished_at(self) -> datetime | None:
        """When the case was finished; None: it was not."""
        return self.handling.finished_at

    @property
    def excused(self) -> frozenset[tuple[str, str]]:
        """The clocks, by name and subject, whose breach an inspector has cancelled."""
        return excused(self.findings)

    def clock(self, name: ClockName, subject: str = "") -> Clock | None:
        """Find a clock by name and subject."""
        return next((c for c in self.clocks if c.name == name and c.subject == subject), None)


def finding_id(case: str, rule: str, subject: str = "") -> str:
    """Make the id of a finding from what it is about, 24 hexadecimal digits."""
    return blake2b("\x1f".join((case, rule, subject)).encode(), digest_size=12).hexdigest()


MEASURES = (
    "consulted",
    "applied",
    "applied_online",
    "accepted",
    "deemed",
    "refused",
    "supplemented",
    "suspended",
    "finished",
    "finished_refused",
    "finished_returned",
    "finished_same_day",
    "finished_not_once",
    "finished_rated",
    "forwarded",
    "withdrawn",
    "voided",
    "issued",
    "archived",
    "promised_due",
    "promised_on_time",
    "promised_early",
    "promised_overdue",
    "statutory_due",
    "statutory_on_time",
    "statutory_overdue",
    "leg_on_time",
    "leg_overdue",
    "decided",
    "decided_elsewhere",
    "speed_cases",
    "speed_statutory_millidays",
    "speed_promised_millidays",
    "speed_used_millidays",
    "ratings",
    "ratings_bad",
    "entries",
    "entries_late",
    "complaints_accepted",
    "complaints_closed",
    "requests_filed",
    "requests_closed",
    "clocks_observed",
    "clocks_unobserved",
    "findings_conduct",
    "findings_data",
    "findings_contested",
    "findings_cancelled",
    "findings_backlog",
)
"""Names of the measures, one column each in the statistics rows.

Each counts on the day of what it is named for: `applied` on the day of application, `*_due` on the due day, `leg_*`
on the day the leg was decided, `findings_*` on the day the finding occurred. What says how a case ended
(`finished_*`, `promised_*` and `statutory_*` on time, early and overdue, `decided*`, `speed_*`) counts on the day it
was finished; what says how well it can be seen (`clocks_*`, `entries*`), on the day of its first event. Open and
overdue is not `overdue` yet. Exceptions are counted rather than the rule (`ratings_bad`, `entries_late`), because
most cases have none.
"""
