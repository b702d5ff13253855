"""What a rule is, and the evaluation of all of them over one case."""

from collections.abc import Callable, Collection, Iterator, Mapping, Set
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from monitor.case import CaseFile
from monitor.clocks import Clocks
from monitor.events import EventType
from monitor.rulebook.model import Rulebook, RuleSetting
from monitor.rules.mode import Use, is_ever_on, mode_of, senders_of
from monitor.verdict import Clock, ClockName, Finding, FindingKind, FindingState, Severity, finding_id

NO_SETTING: Final = RuleSetting()


class Subject(msgspec.Struct, frozen=True):
    """What a rule looks at: the case, its clocks, and the rule's parameters as set here."""

    case: CaseFile
    clocks: Clocks
    parameters: Mapping[str, float]

    def breached(self, *names: str) -> Iterator[Clock]:
        """Iterate the clocks of these names that stand breached."""
        return (clock for clock in self.clocks.clocks if clock.name in names and clock.phase == "breached")


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule says of a case; `evaluate` makes a finding of it.

    `events` are the keys of the events it rests on; `evidence` holds JSON values only.
    """

    occurred_at: datetime
    severity: Severity
    subject: str = ""
    department: str
    state: FindingState = "live"
    cause: str = ""
    events: tuple[str, ...] = ()
    evidence: dict[str, Any] = {}


Check = Callable[[Subject], Iterator[Violation]]
Wake = Callable[[Subject], Iterator[datetime]]


class Rule(msgspec.Struct, frozen=True):
    """One rule: id, version (raised with every change of its meaning), legal basis and default parameters.

    `wake` yields the instants at which the rule itself must be looked at again, beside those of the clocks.
    `lead`: it gives inspectors a lead and can never be a card, whatever the rulebook says. `about` are types of
    events, `clocks` clocks: without an event of one of these, or one of these clocks breached, the rule has nothing to
    say and is not asked; one that is not `of_cases` is about sources or rulebooks and never is. Name and text stand in
    the catalogue of strings under `rule.<id>`.
    """

    id: str
    version: int
    kind: FindingKind
    basis: str
    check: Check
    parameters: Mapping[str, float] = MappingProxyType({})
    wake: Wake | None = None
    lead: bool = False
    about: frozenset[EventType] = frozenset()
    clocks: frozenset[ClockName] = frozenset()
    of_cases: bool = True

    def may_speak(self, types: Set[EventType], breached: Set[str]) -> bool:
        """Tell whether a case with events of these types and these clocks breached can interest the rule."""
        if self.about and self.about.isdisjoint(types):
            return False
        return not self.clocks or not self.clocks.isdisjoint(breached)


_ALIKE_MAX: Final = 5_000
"""For so many kinds of cases, by events and breached clocks, the rules to ask are kept; a city has some hundreds."""

_InUse = tuple[Rule, RuleSetting, Mapping[str, float]]

RULES: Final[dict[str, Rule]] = {}
"""Every rule by id, in the order of their registration."""


def rule(
    id: str,  # noqa: A002 - the field's name for it
    *,
    version: int,
    basis: str,
    kind: FindingKind = "conduct",
    parameters: Mapping[str, float] = MappingProxyType({}),
    wake: Wake | None = None,
    lead: bool = False,
    about: Collection[EventType] = (),
    clocks: tuple[ClockName, ...] = (),
    of_cases: bool = True,
) -> Callable[[Check], Check]:
    """Register a function as a rule. Raises ValueError on an id used twice."""

    def register(check: Check) -> Check:
        if id in RULES:
            raise ValueError(f"rule {id} is registered twice")
        triggers = (frozenset(about), frozenset(clocks))
        RULES[id] = Rule(id, version, kind, basis, check, parameters, wake, lead, *triggers, of_cases)
        return check

    return register


def evaluate(case: CaseFile, clocks: Clocks) -> tuple[list[Finding], list[datetime]]:
    """Evaluate every rule that is not off and may have something to say; return the findings and when to look again.

    A rule that crashes is itself a finding (D04): it must never look like a case that is on time.
    """
    findings: list[Finding] = []
    wakes: list[datetime] = []
    breached = frozenset([clock.name for clock in clocks.clocks if clock.phase == "breached"])
    for each, setting, parameters in _asked(case.current, frozenset(case.by_type), breached):
        subject = Subject(case, clocks, parameters)
        try:
            violations = list(each.check(subject))
            again = list(each.wake(subject)) if each.wake else []
            found = [_finding(each, setting, subject, violation) for violation in violations] if violations else []
        except Exception as error:  # noqa: BLE001 - whatever a rule fails with becomes a finding that names it
            findings.append(_crashed(each, subject, error))
            continue
        if found or again:
            findings += [finding for finding in found if finding is not None]
            wakes += again
    return findings, wakes


def parameters_of(id: str, book: Rulebook) -> Mapping[str, float]:  # noqa: A002 - the field's name for it
    """Give the parameters of a rule as set here, whether it is used or not."""
    known: dict[str, Mapping[str, float]] = book.__dict__.setdefault("_rule_parameters", {})
    if id not in known:
        known[id] = {**RULES[id].parameters, **book.rules.get(id, NO_SETTING).parameters}
    return known[id]


def _asked(book: Rulebook, types: frozenset[EventType], breached: frozenset[ClockName]) -> list[_InUse]:
    """List the rules that may have something to say of cases alike; worked out once for the alike of a rulebook."""
    known: dict[object, list[_InUse]] = book.__dict__.setdefault("_rules_asked", {})
    alike = (len(RULES), types, breached)
    asked = known.get(alike)
    if asked is None:
        if len(known) >= _ALIKE_MAX:
            known.clear()
        asked = known[alike] = [use for use in _in_use(book) if use[0].may_speak(types, breached)]
    return asked


def _in_use(book: Rulebook) -> list[_InUse]:
    """List the rules that are not off, with their settings; worked out once for a rulebook and a set of rules."""
    known: dict[int, list[_InUse]] = book.__dict__.setdefault("_rules_in_use", {})
    if len(RULES) not in known:
        settings = [(each, book.rules.get(each.id, NO_SETTING)) for each in RULES.values()]
        known[len(RULES)] = [
            (each, setting, {**each.parameters, **setting.parameters})
            for each, setting in settings
            if each.of_cases and (each.kind == "data" or is_ever_on(setting))
        ]
    return known[len(RULES)]


def _finding(each: Rule, setting: RuleSetting, subject: Subject, violation: Violation) -> Finding | None:
    """Make a finding of a violation; None where the rule is off for its source, department or item."""
    case = subject.case
    use: Use = "card"
    if each.kind == "conduct":
        day = case.current.days.day(violation.occurred_at)
        use = mode_of(setting, senders_of(case), violation.department, case.item_code, day)
    if use == "off":
        return None
    if use == "card" and each.lead:
        use = "lead"
    return Finding(
        id=finding_id(case.case, each.id, violation.subject),
        rule=each.id,
        rule_version=each.version,
        kind=each.kind,
        severity=violation.severity,
        state=violation.state,
        mode=use,
        subject=violation.subject,
        department=violation.department,
        cause=violation.cause,
        occurred_at=violation.occurred_at,
        evidence={
            **violation.evidence,
            "basis": each.basis,
            "events": list(violation.events),
            "versions": {
                "rule": each.version,
                "calendar": case.current.calendar.version,
                "catalogue": subject.clocks.catalogue.version,
                "rulebook": case.rulebooks.current.version,
            },
        },
    )


def _crashed(each: Rule, subject: Subject, error: Exception) -> Finding:
    violation = Violation(
        occurred_at=subject.case.events[0].time if subject.case.events else subject.case.judged_at,
        severity=Severity.NOTICE,
        subject=each.id,
        department=subject.case.department,
        cause=f"rule:{each.id}:{type(error).__name__}",
        evidence={"rule": each.id, "error": f"{type(error).__name__}: {error}"},
    )
    finding = _finding(RULES["D04"], NO_SETTING, subject, violation)
    assert finding is not None, "a finding about the data is never off"
    return finding
