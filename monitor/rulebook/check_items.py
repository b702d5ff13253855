"""Checks of the catalogue: an item's references, its limits against each other and against the law."""

from collections.abc import Iterator
from decimal import Decimal

from monitor.events import STEPS
from monitor.rulebook.draft import Draft, Placed
from monitor.rulebook.faults import Fault
from monitor.rulebook.model import Item, Limit, Limits, parse_limit

STEP_NAMES = tuple(step.value for step in STEPS)


def check_items(draft: Draft) -> Iterator[Fault]:
    """Find the faults of every item, and of the limits that hold where an item states none."""
    yield from _defaults(draft)
    departments, profiles = draft.sections.codes("departments"), draft.sections.codes("profiles")
    with_sessions = {p.value.code for p in draft.profiles if all(season.sessions for season in p.value.seasons)}
    for item in draft.items:
        yield from _references(item, departments, profiles)
        yield from _steps(item)
        yield from _promise(item, draft.limits)
        yield from _statutory(item)
        yield from _legs(item, departments, draft.limits)
        yield from _repeated(item)
        profile = item.value.profile or draft.limits.profile
        if profile in profiles and profile not in with_sessions:
            yield from _fractions(item, profile)


def _defaults(draft: Draft) -> Iterator[Fault]:
    """Report an unknown default profile and default limits of no days."""
    if draft.limits.profile not in draft.sections.codes("profiles"):
        yield draft.table_fault("limits", "profile", "unknown_profile", code=draft.limits.profile)
    for name in ("notice", "statutory", "statutory_joint", "issue"):
        if parse_limit(getattr(draft.limits, name)).days == 0:
            yield draft.table_fault("limits", name, "limit_zero")


def _references(item: Placed[Item], departments: frozenset[str], profiles: frozenset[str]) -> Iterator[Fault]:
    """Report a department or profile that is named and not listed."""
    if item.value.department not in departments:
        yield item.fault("unknown_department", "department", code=item.value.department)
    if item.value.profile is not None and item.value.profile not in profiles:
        yield item.fault("unknown_profile", "profile", code=item.value.profile)


def _steps(item: Placed[Item]) -> Iterator[Fault]:
    """Report a step that is none of the eight, and one required twice."""
    for position, step in enumerate(item.value.steps):
        if step not in STEPS:
            yield item.fault("unknown_step", "steps", position, step=step.value, known=", ".join(STEP_NAMES))
        if step in item.value.steps[:position]:
            yield item.fault("repeated", "steps", position, value=step.value)
    for name in item.value.step_limits:
        if name not in STEP_NAMES:
            yield item.fault("unknown_step", "step_limits", name, step=name, known=", ".join(STEP_NAMES))


def _promise(item: Placed[Item], limits: Limits) -> Iterator[Fault]:
    """Report a promise of no time, one above the law's limit, and one of days on an instant item (即办件)."""
    if item.value.promised_limit is None:
        return
    promised = parse_limit(item.value.promised_limit)
    if item.value.type == "instant":
        if promised.days != 0:
            yield item.fault("instant_with_days", "promised_limit", promised=promised)
        return
    if promised.days == 0:
        yield item.fault("limit_zero", "promised_limit")
    statutory = statutory_limit(item.value, limits)
    if statutory is not None and _above(promised, statutory):
        yield item.fault("promise_above_law", "promised_limit", promised=promised, statutory=statutory)


def statutory_limit(item: Item, limits: Limits) -> Limit | None:
    """Give the legal limit of an item: its own, else the Licensing Law's for a licence (art. 42), else none."""
    if item.statutory_limit is not None:
        return parse_limit(item.statutory_limit)
    if item.nature != "licence":
        return None
    return parse_limit(limits.statutory_joint if item.type == "joint" else limits.statutory)


def _statutory(item: Placed[Item]) -> Iterator[Fault]:
    """Report a legal limit or an issue limit of no days, and a legal limit of a non-licence without its basis."""
    if item.value.statutory_limit is not None:
        if parse_limit(item.value.statutory_limit).days == 0:
            yield item.fault("limit_zero", "statutory_limit")
        if item.value.nature != "licence" and item.value.statutory_basis is None:
            yield item.fault("basis_missing", "statutory_limit")
    if item.value.issue_limit is not None and parse_limit(item.value.issue_limit).days == 0:
        yield item.fault("limit_zero", "issue_limit")


def _legs(item: Placed[Item], departments: frozenset[str], limits: Limits) -> Iterator[Fault]:
    """Report a joint item (联办件) without at least two legs, a leg longer than its item, and legs of another type."""
    legs = item.value.legs
    if item.value.type != "joint":
        if legs:
            yield item.fault("legs_not_joint", "legs", type=item.value.type)
        return
    if len(legs) < 2:  # two departments are what makes a case joint
        yield item.fault("legs_too_few", "legs")
    promised = parse_limit(item.value.promised_limit) if item.value.promised_limit else None
    whole = promised or statutory_limit(item.value, limits)
    for department, written in legs.items():
        if department not in departments:
            yield item.fault("unknown_department", "legs", department, code=department)
        if whole is not None and _above(parse_limit(written), whole):
            yield item.fault("leg_above_item", "legs", department, leg=parse_limit(written), whole=whole)


def _repeated(item: Placed[Item]) -> Iterator[Fault]:
    """Report a material, procedure, delegated power or disclosure listed twice."""
    listed: dict[str, list[str]] = {
        "materials": [material.code for material in item.value.materials],
        "fees": [fee.code for fee in item.value.fees],
        "procedures": list(item.value.procedures or ()),
        "delegated": list(item.value.delegated),
        "disclosures": list(item.value.disclosures),
    }
    for section, values in listed.items():
        for position, value in enumerate(values):
            if value in values[:position]:
                yield item.fault("repeated", section, position, value=value)


def _fractions(item: Placed[Item], profile: str) -> Iterator[Fault]:
    """Report a part of a day where the profile has no office hours to count it by."""
    for name in ("promised_limit", "statutory_limit", "issue_limit"):
        written = getattr(item.value, name)
        if written is not None and _is_fraction(written):
            yield item.fault("fraction_without_sessions", name, limit=written, profile=profile)
    for section in ("step_limits", "legs"):
        for key, written in getattr(item.value, section).items():
            if _is_fraction(written):
                yield item.fault("fraction_without_sessions", section, key, limit=written, profile=profile)


def _is_fraction(written: str) -> bool:
    return parse_limit(written).days % 1 != Decimal(0)


def _above(one: Limit, other: Limit) -> bool:
    """Compare limits of one unit; working and calendar days cannot be compared without a date."""
    return one.unit == other.unit and one.days > other.days
