"""The structs of a rulebook: regions, catalogue, delegations, sources, calendar, clock profiles, rule parameters."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, cached_property
from typing import Annotated, Final, Literal

import msgspec

from monitor.calendar import Calendar
from monitor.events import Channel, Code, EventType, Procedure

ItemType = Literal["instant", "promised", "joint", "escalated"]
"""即办件, 承诺件, 联办件, 上报件."""
Nature = Literal["licence", "non_licence", "public_service"]
"""许可, 非许可审批, 公共服务. Only a licence has the Licensing Law's clocks."""
Power = Literal["accept", "review", "approve"]
Disclosure = Literal[
    "name", "basis", "materials", "standards", "procedure", "promised_limit", "fees", "window_authority"
]
"""The eight disclosures 八公开 (Guangxi 2007)."""
Mode = Literal["off", "shadow", "lead", "card"]
Precision = Literal["second", "minute", "day"]
"""How exactly a source tells times: a day, and within it the minute or the second, or the day alone."""
ProfileKind = Literal["next_day", "same_time", "work_time", "calendar_day"]
LimitText = Annotated[str, msgspec.Meta(pattern=r"^\d{1,4}(\.\d{1,3})? (wd|cd)$")]
"""`20 wd` is 20 working days, `30 cd` 30 calendar days, `0 wd` the same working day; decimals are allowed."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

_LIMIT: Final = re.compile(r"^(\d{1,4}(?:\.\d{1,3})?) (wd|cd)$")


class Limit(msgspec.Struct, frozen=True):
    """A limit in days: `unit` is `wd` (working days) or `cd` (calendar days)."""

    days: Decimal
    unit: Literal["wd", "cd"]

    def __str__(self) -> str:
        """Write the limit as rulebook files do."""
        return f"{self.days.normalize():f} {self.unit}"


@cache
def parse_limit(written: str) -> Limit:
    """Read `20 wd`. Raises ValueError naming the form expected."""
    match = _LIMIT.match(written)
    if match is None:
        raise ValueError(f"limit {written!r}: write a number of days and wd or cd, as in '20 wd'")
    return Limit(Decimal(match.group(1)), "wd" if match.group(2) == "wd" else "cd")


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What every entry of a rulebook file shares: unknown keys are faults, defaults are not written out."""


class Region(_Entry, frozen=True, kw_only=True):
    """A node of the region tree; `code` is a national code (GB/T 2260) or a local one."""

    code: Code
    name: Name
    name_en: Name
    parent: Code | None = None
    level: Literal["region", "city", "county"]


class Department(_Entry, frozen=True, kw_only=True):
    """A department with approval business."""

    code: Code
    name: Name
    name_en: Name
    region: Code
    delegations_complete: bool = False  # every delegation of its items is listed: what is not, was not given (V15)


class Window(_Entry, frozen=True, kw_only=True):
    """A service window of a department in the hall."""

    code: Code
    department: Code
    name: Name


class Material(_Entry, frozen=True, kw_only=True):
    """A document the applicant must hand in."""

    code: Code
    name: Name


class Fee(_Entry, frozen=True, kw_only=True):
    """A published fee: amount in yuan and the legal basis it may be charged on (Licensing Law art. 58)."""

    code: Code
    name: Name
    amount: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    basis: Name


class Item(_Entry, frozen=True, kw_only=True):
    """A service item of the catalogue with everything its cases are judged by."""

    code: Code
    name: Name
    name_en: Name
    department: Code
    type: ItemType
    nature: Nature
    statutory_limit: LimitText | None = None
    statutory_basis: Name | None = None
    promised_limit: LimitText | None = None
    issue_limit: LimitText | None = None
    steps: tuple[EventType, ...] = ()
    step_limits: dict[str, LimitText] = {}
    legs: dict[Code, LimitText] = {}
    materials: tuple[Material, ...] = ()
    fees: tuple[Fee, ...] = ()
    procedures: tuple[Procedure, ...] | None = None  # art. 45 procedures the item may need; None: any of the eight
    delegated: tuple[Power, ...] = ()
    entered: bool = True
    disclosures: tuple[Disclosure, ...] = ()
    profile: Code | None = None
    two_persons: bool = False  # whoever accepts a case may not approve it (V16)


class Delegation(_Entry, frozen=True, kw_only=True):
    """A power over an item given to one operator of a window, with its validity (last day included)."""

    item: Code
    power: Power
    operator: Code
    valid_from: date
    valid_to: date | None = None
    amount_max: Annotated[float, msgspec.Meta(gt=0)] | None = None  # approve: up to so many yuan; None: any amount


class DirectLine(_Entry, frozen=True, kw_only=True):
    """An enterprise or project on the direct line (直通车), with its validity (last day included)."""

    code: Code
    name: Name
    kind: Literal["enterprise", "project"]
    valid_from: date
    valid_to: date | None = None


class Source(_Entry, frozen=True, kw_only=True, dict=True):
    """A registered source system: what it can send, how exact and how late it is, and for whom it may speak."""

    code: Code
    name: Name
    name_en: Name | None = None  # None: the name serves for both languages
    owner: Name
    regions: tuple[Code, ...]
    types: tuple[EventType, ...] = ()  # empty: every type
    suspensions_at_end: bool = False
    precision: Precision = "second"
    zone: Name = "Asia/Shanghai"
    lateness_hours: Annotated[float, msgspec.Meta(ge=0, le=24 * 31)] = 0
    tolerance_minutes: Annotated[float, msgspec.Meta(ge=0, le=24 * 60)] = 5
    skew_minutes: Annotated[float, msgspec.Meta(ge=0, le=24 * 60)] = 0  # measured (`monitor readiness`), see V07
    silence_hours: Annotated[float, msgspec.Meta(gt=0, le=24 * 31)] | None = None  # of office hours; None: as V31 says
    live_from: date | None = None
    baseline: date | None = None  # what was late before this day is one list (存量超期清单), no cards
    authentication: Literal["api_key", "import", "broker_acl"] = "api_key"

    @cached_property
    def lateness(self) -> timedelta:
        """The delay within which the source promises to deliver an event."""
        return timedelta(hours=self.lateness_hours)

    @cached_property
    def late_after(self) -> timedelta:
        """How long after it happened an event may arrive before it counts as late."""
        return self.lateness + self.tolerance

    @cached_property
    def tolerance(self) -> timedelta:
        """How far two clocks of this source may disagree before order means anything."""
        return timedelta(minutes=self.tolerance_minutes)

    @property
    def skew(self) -> timedelta:
        """How far its clock was measured to be off."""
        return timedelta(minutes=self.skew_minutes)

    def can_send(self, kind: EventType) -> bool:
        """Tell whether the source is registered to send events of this type."""
        return not self.types or kind in self.types


class ClosedDay(_Entry, frozen=True, kw_only=True):
    """A day off that would be a working day by the base calendar."""

    day: date
    name: Name
    name_en: Name = ""


class CalendarRules(_Entry, frozen=True, kw_only=True):
    """Working days as data: the exceptions to Monday–Friday, and the years they were announced for.

    `closed` are weekdays off, `open` weekends worked (调休). A day of a year outside `announced` follows the week
    alone and is provisional. The loader expands the base calendar into these lists, so that a published rulebook
    does not change with the package the base comes from.
    """

    version: Name = "weekdays"
    zone: Name = "Asia/Shanghai"
    closed: tuple[ClosedDay, ...] = ()
    open: tuple[date, ...] = ()
    announced: tuple[int, int] | None = None  # first and last year; None: a plain week, never provisional


class Season(_Entry, frozen=True, kw_only=True):
    """Office sessions in force from a day of the year on (`MM-DD`), as `(opening, closing)` pairs."""

    from_day: Annotated[str, msgspec.Meta(pattern=r"^\d\d-\d\d$")] = "01-01"
    sessions: tuple[tuple[time, time], ...]


class ClockProfile(_Entry, frozen=True, kw_only=True):
    """A counting convention (domain.md 1.3): how days are counted and when a due day ends."""

    code: Code
    kind: ProfileKind
    seasons: tuple[Season, ...]
    day_end: Literal["midnight", "closing"] = "midnight"
    intake_cutoff: time | None = None  # what starts later in the day counts as the next working day's opening
    roll_start: bool = False  # what starts on a closed day counts as the next working day's opening
    roll_end: bool = False  # calendar_day: a last day that is closed moves to the next working day (Civil Code 203)


class RuleException(_Entry, frozen=True, kw_only=True):
    """Another mode of a rule where every code given here fits: source and item of the case, department charged."""

    mode: Mode
    source: Code | None = None
    department: Code | None = None
    item: Code | None = None


class RuleSetting(_Entry, frozen=True, kw_only=True):
    """How one rule is used here: its mode, where it has another, and the parameters that differ from its defaults.

    Of the exceptions that fit a source the first counts. What occurred before `start` stays in shadow; what occurred
    before `baseline` is one list (存量超期清单), no cards. `monitor.rules.mode` puts them together.
    """

    mode: Mode = "shadow"
    exceptions: tuple[RuleException, ...] = ()
    start: date | None = None
    baseline: date | None = None
    parameters: dict[str, float] = {}


class Limits(_Entry, frozen=True, kw_only=True):
    """Limits that hold where an item states none, each with its article of the Licensing Law."""

    profile: Code = "next_day"
    notice: LimitText = "5 wd"  # art. 32(1)(4)
    accept: LimitText = "0 wd"  # art. 32(1)(5): the same day
    statutory: LimitText = "20 wd"  # art. 42(1)
    statutory_joint: LimitText = "45 wd"  # art. 42(2)
    issue: LimitText = "10 wd"  # art. 44
    archive: LimitText | None = None
    reply: LimitText | None = None
    complaint_accept: LimitText | None = None  # from complaint_filed to complaint_accepted
    complaint: LimitText | None = None  # from complaint_accepted to complaint_closed
    request: LimitText | None = None  # direct line (企业诉求): from request_filed to request_closed
    extension_days_max: Annotated[int, msgspec.Meta(ge=0, le=365)] = 10  # art. 42(1)
    extension_joint_days_max: Annotated[int, msgspec.Meta(ge=0, le=365)] = 15  # art. 42(2)
    warning_days: Annotated[float, msgspec.Meta(ge=0, le=365)] = 2  # warn when fewer days than this remain


class Rulebook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, dict=True, kw_only=True):
    """One immutable version of everything a case is judged by. `in_force` and `version` live in the ledger."""

    name: Name
    name_en: Name
    regions: tuple[Region, ...]
    departments: tuple[Department, ...]
    windows: tuple[Window, ...] = ()
    items: tuple[Item, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    direct_lines: tuple[DirectLine, ...] = ()
    sources: tuple[Source, ...] = ()
    calendar: CalendarRules = CalendarRules()
    profiles: tuple[ClockProfile, ...] = ()
    limits: Limits = Limits()
    rules: dict[str, RuleSetting] = {}

    @cached_property
    def region(self) -> dict[str, Region]:
        """Regions by code."""
        return {region.code: region for region in self.regions}

    @cached_property
    def department(self) -> dict[str, Department]:
        """Departments by code."""
        return {department.code: department for department in self.departments}

    @cached_property
    def window(self) -> dict[str, Window]:
        """Windows by code."""
        return {window.code: window for window in self.windows}

    @cached_property
    def item(self) -> dict[str, Item]:
        """Items by code."""
        return {item.code: item for item in self.items}

    @cached_property
    def approvals(self) -> dict[tuple[str, str], tuple[Delegation, ...]]:
        """Delegations of the power to approve, by item and operator."""
        found: dict[tuple[str, str], tuple[Delegation, ...]] = {}
        for row in self.delegations:
            if row.power == "approve":
                found[row.item, row.operator] = (*found.get((row.item, row.operator), ()), row)
        return found

    @cached_property
    def lists_fees(self) -> bool:
        """Tell whether the catalogue lists any fee at all."""
        return any(item.fees for item in self.items)

    @cached_property
    def direct_line(self) -> dict[str, DirectLine]:
        """Enterprises and projects on the direct line by code."""
        return {line.code: line for line in self.direct_lines}

    @cached_property
    def source(self) -> dict[str, Source]:
        """Sources by code."""
        return {source.code: source for source in self.sources}

    @cached_property
    def profile(self) -> dict[str, ClockProfile]:
        """Clock profiles by code."""
        return {profile.code: profile for profile in self.profiles}

    @cached_property
    def days(self) -> Calendar:
        """The working days this version counts by."""
        rules = self.calendar
        closed = {day.day: day.name for day in rules.closed}
        return Calendar(rules.zone, closed, rules.open, rules.announced, rules.version)

    @cached_property
    def _ancestors(self) -> dict[str, frozenset[str]]:
        above: dict[str, frozenset[str]] = {}
        for region in self.regions:
            chain: set[str] = set()
            code: str | None = region.code
            while code is not None and code in self.region and code not in chain:
                chain.add(code)
                code = self.region[code].parent
            above[region.code] = frozenset(chain)
        return above

    def below(self, region: str) -> frozenset[str]:
        """Give the codes of a region and of all below it; an unknown one stands for itself."""
        return frozenset({region, *(code for code, above in self._ancestors.items() if region in above)})

    def may_speak_for(self, source: Source, region: str) -> bool:
        """Tell whether a source may send events of a region: its own regions and all below them."""
        return not self._ancestors.get(region, frozenset()).isdisjoint(source.regions)


class RulebookVersion(msgspec.Struct, frozen=True):
    """A published rulebook: `version` counts from 1; in force from `in_force_from`, None: from the beginning."""

    version: int
    rulebook: Rulebook
    in_force_from: datetime | None = None


class RulebookHistory(msgspec.Struct, frozen=True, dict=True):
    """Every published version, oldest first; `current` is the one in force at the horizon of the reader."""

    versions: tuple[RulebookVersion, ...]
    current: RulebookVersion

    def at(self, instant: datetime) -> RulebookVersion:
        """Find the version that was in force at an instant."""
        for version in reversed(self.versions):
            if version.in_force_from is None or version.in_force_from <= instant:
                return version
        return self.versions[0]


__all__ = [
    "CalendarRules",
    "Channel",
    "ClockProfile",
    "ClosedDay",
    "Delegation",
    "Department",
    "DirectLine",
    "Disclosure",
    "Fee",
    "Item",
    "ItemType",
    "Limit",
    "LimitText",
    "Limits",
    "Material",
    "Mode",
    "Nature",
    "Power",
    "Precision",
    "Region",
    "RuleException",
    "RuleSetting",
    "Rulebook",
    "RulebookHistory",
    "RulebookVersion",
    "Season",
    "Source",
    "Window",
    "parse_limit",
]
