"""Dangerous changes of a rulebook: those by which a breach may come to be shown to nobody.

They need a reason and a second person (design section 7). Changes are compared by what they mean, not as text: an
exception that weakens a rule for one department is found, a limit that moves from an item to the default is none.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Literal

import msgspec

from monitor.events import EventType
from monitor.language import Lang, text
from monitor.rulebook.model import Item, Limits, Mode, Rulebook, RuleException, RuleSetting, parse_limit
from monitor.rules.mode import mode_in
from monitor.rules.steps import STATED_ALWAYS

Kind = Literal[
    "mode", "baseline", "start", "parameter", "closed", "limit", "counting", "allowance", "check", "retroactive"
]

_WEAKEST_FIRST: Final[tuple[Mode, ...]] = ("off", "shadow", "lead", "card")
_TOLD: Final[frozenset[Mode]] = frozenset({"lead", "card"})
_UNSET: Final = RuleSetting()
_SATURDAY: Final = 5
_PRECISIONS: Final = ("second", "minute", "day")
_ALLOWANCES: Final = ("lateness_hours", "tolerance_minutes", "skew_minutes")


class Danger(msgspec.Struct, frozen=True):
    """One dangerous difference: of which kind, of `what`, and its values before and after.

    `about` is the code of the item or rule it loosens; empty: it is about something else.
    """

    kind: Kind
    what: str
    before: str
    after: str
    about: str = ""

    def say(self, lang: Lang) -> str:
        """Say it in a sentence."""
        return text(f"danger.{self.kind}", lang, what=self.what, before=self.before, after=self.after)


def dangers(before: Rulebook, after: Rulebook) -> list[Danger]:
    """Find what is dangerous in going from one rulebook to another; empty: nothing is."""
    return [
        *_rules(before, after),
        *_sources(before, after),
        *_calendar(before, after),
        *_limits(before, after),
        *_counting(before, after),
        *_checks(before, after),
    ]


def _rules(before: Rulebook, after: Rulebook) -> Iterator[Danger]:
    for rule in sorted(before.rules.keys() | after.rules.keys()):
        old, new = before.rules.get(rule, _UNSET), after.rules.get(rule, _UNSET)
        yield from _weakened(rule, old, new)
        if not _is_told(old):
            continue  # it was shown to nobody: nothing can be hidden by its dates and parameters
        dates: tuple[Kind, ...] = ("baseline", "start")
        for name in dates:
            was, now = getattr(old, name), getattr(new, name)
            if now is not None and (was is None or now > was):
                yield Danger(name, rule, str(was or "-"), str(now))
        for parameter in sorted(old.parameters.keys() | new.parameters.keys()):
            values = (old.parameters.get(parameter), new.parameters.get(parameter))
            if values[0] != values[1]:  # which way is the weaker one, only the rule knows
                yield Danger("parameter", f"{rule}.{parameter}", *(_number(value) for value in values))


def _weakened(rule: str, old: RuleSetting, new: RuleSetting) -> Iterator[Danger]:
    """Find where a rule's mode gets weaker.

    Modes are constant but for the codes that exceptions name, and the first exception that fits decides. So every
    weakening there is shows at a place named by one exception of each side and by nothing else.
    """
    everywhere = RuleException(mode="off")
    seen: set[tuple[str | None, ...]] = set()
    for left in (everywhere, *old.exceptions):
        for right in (everywhere, *new.exceptions):
            place = _meet(left, right)
            if place is None or place in seen:
                continue
            seen.add(place)
            was, now = mode_in(old, *place), mode_in(new, *place)
            if _WEAKEST_FIRST.index(now) < _WEAKEST_FIRST.index(was):
                where = " ".join(code for code in place if code is not None)
                yield Danger("mode", f"{rule} ({where})" if where else rule, was, now, rule)


def _meet(left: RuleException, right: RuleException) -> tuple[str | None, str | None, str | None] | None:
    """Give the codes of the places where two exceptions both fit; None: there are none."""
    pairs = ((left.source, right.source), (left.department, right.department), (left.item, right.item))
    if any(one is not None and other is not None and one != other for one, other in pairs):
        return None
    source, department, item = (one if one is not None else other for one, other in pairs)
    return source, department, item


def _is_told(setting: RuleSetting, source: str | None = None) -> bool:
    """Tell whether findings of a rule are told to anybody, anywhere or about a source."""
    if setting.mode in _TOLD:
        return True
    return any(each.mode in _TOLD and source in (None, each.source or source) for each in setting.exceptions)


def _sources(before: Rulebook, after: Rulebook) -> Iterator[Danger]:
    for code, old in before.source.items():
        new = after.source.get(code)
        if new is None or not any(_is_told(setting, code) for setting in before.rules.values()):
            continue
        if new.baseline is not None and (old.baseline is None or new.baseline > old.baseline):
            yield Danger("baseline", code, str(old.baseline or "-"), str(new.baseline))
        for name in _ALLOWANCES:
            was, now = getattr(old, name), getattr(new, name)
            if now > was:
                yield Danger("allowance", f"{code}.{name}", _number(was), _number(now))
        if _PRECISIONS.index(new.precision) > _PRECISIONS.index(old.precision):
            yield Danger("allowance", f"{code}.precision", old.precision, new.precision)
        if new.suspensions_at_end and not old.suspensions_at_end:  # what is late is provisional from then on
            yield Danger("allowance", f"{code}.suspensions_at_end", "false", "true")
        if unsent := [kind.value for kind in EventType if old.can_send(kind) and not new.can_send(kind)]:
            yield Danger("check", f"{code}.types", ", ".join(unsent), "-")  # clocks that need them are not observed


def _calendar(before: Rulebook, after: Rulebook) -> Iterator[Danger]:
    opened = set(before.calendar.open)
    known = {day.day for day in before.calendar.closed}
    names = {day.day: day.name for day in after.calendar.closed}
    closed = {day for day in names.keys() - known if day in opened or day.weekday() < _SATURDAY}
    for day in sorted(closed | (opened - set(after.calendar.open))):
        yield Danger("closed", str(day), "", names.get(day, ""))


def _limits(before: Rulebook, after: Rulebook) -> Iterator[Danger]:
    for name in Limits.__struct_fields__:
        was, now = getattr(before.limits, name), getattr(after.limits, name)
        if name.endswith("_days_max") and now > was:
            yield Danger("limit", f"limits.{name}", str(was), str(now))
        elif name in _LIMIT_NAMES and _is_longer(was, now):
            yield Danger("limit", f"limits.{name}", was, now or "-")
    for code, old in before.item.items():
        new = after.item.get(code)
        was, now = _limits_of(old, before.limits), {} if new is None else _limits_of(new, after.limits)
        for name, limit in was.items():
            if _is_longer(limit, now.get(name)):
                yield Danger("limit", f"{code}.{name}", limit, now.get(name) or "-", code)


_LIMIT_NAMES: Final = frozenset({"notice", "accept", "archive", "reply", "complaint_accept", "complaint", "request"})
"""Limits that hold for every case; those that items may have of their own are compared item by item."""


def _limits_of(item: Item, limits: Limits) -> dict[str, str]:
    """List the limits that hold for an item, its own or those it falls back to; the clocks take the same."""
    licence = item.nature == "licence"
    fallback = limits.statutory_joint if item.type == "joint" else limits.statutory
    held = {
        "promised_limit": item.promised_limit or ("0 wd" if item.type == "instant" else None),
        "statutory_limit": item.statutory_limit or (fallback if licence else None),
        "issue_limit": item.issue_limit or (limits.issue if licence else None),
        **{f"step_limits.{step}": limit for step, limit in item.step_limits.items()},
        **{f"legs.{department}": limit for department, limit in item.legs.items()},
    }
    return {name: limit for name, limit in held.items() if limit is not None}


def _is_above_law(item: Item, limits: Limits) -> bool:
    """Tell whether an item promises more days than the law allows, counted alike."""
    held = _limits_of(item, limits)
    if "promised_limit" not in held or "statutory_limit" not in held:
        return False
    promised, statutory = parse_limit(held["promised_limit"]), parse_limit(held["statutory_limit"])
    return promised.unit == statutory.unit and promised.days > statutory.days


def _is_longer(before: str | None, after: str | None) -> bool:
    """Tell whether a limit may be longer than it was, as one that is gone is; a calendar day is no longer than a wd."""
    if before is None or before == after:
        return False
    if after is None:
        return True
    was, now = parse_limit(before), parse_limit(after)
    return now.days > was.days or (was.unit, now.unit) == ("cd", "wd")


def _counting(before: Rulebook, after: Rulebook) -> Iterator[Danger]:
    """Find other ways of counting: they move every due instant, some of them later."""
    for code, old in before.profile.items():
        if (new := after.profile.get(code)) is not None and new != old:
            yield Danger("counting", f"profiles.{code}", old.kind, new.kind)
    if before.limits.profile != after.limits.profile:
        yield Danger("counting", "limits.profile", before.limits.profile, after.limits.profile)
    if before.calendar.zone != after.calendar.zone:
        yield Danger("counting", "calendar.zone", before.calendar.zone, after.calendar.zone)
    for code, item in before.item.items():
        if code in after.item and item.profile != after.item[code].profile:
            yield Danger("counting", f"{code}.profile", item.profile or "-", after.item[code].profile or "-")


def _checks(before: Rulebook, after: Rulebook) -> Iterator[Danger]:
    """Find what rules no longer ask of an item or a department."""
    for code, old in before.item.items():
        if (new := after.item.get(code)) is None:
            continue
        asked = new.steps or STATED_ALWAYS
        if dropped := [step.value for step in old.steps or STATED_ALWAYS if step not in asked]:
            yield Danger("check", f"{code}.steps", ", ".join(dropped), "-", code)
        if old.two_persons and not new.two_persons:
            yield Danger("check", f"{code}.two_persons", "true", "false", code)
        if new.type == "instant" and old.type != "instant":  # promised-time cases alone are asked for more (V10)
            yield Danger("check", f"{code}.type", old.type, new.type, code)
        if _is_above_law(new, after.limits) and not _is_above_law(old, before.limits):
            yield Danger("check", f"{code}.promised_limit", old.promised_limit or "-", new.promised_limit or "-", code)
    for code, department in before.department.items():
        kept = after.department.get(code)
        if kept is not None and department.delegations_complete and not kept.delegations_complete:
            yield Danger("check", f"{code}.delegations_complete", "true", "false")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{Decimal(str(value)).normalize():f}"
