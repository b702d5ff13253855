"""Checks over a whole rulebook: codes, references, the region tree, sources, validities, the calendar, rules."""

from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.rulebook.base_calendar import overlays
from monitor.rulebook.check_items import check_items
from monitor.rulebook.check_profiles import check_profiles
from monitor.rulebook.draft import Draft, Placed
from monitor.rulebook.faults import Fault, fault
from monitor.rulebook.files import LISTS
from monitor.rulebook.model import Delegation, DirectLine, Region, RuleSetting
from monitor.rules import RULES


def check(draft: Draft) -> Iterator[Fault]:
    """Find what is wrong between values that are each well formed; one small function per kind of fault."""
    for one in CHECKS:
        yield from one(draft)


def duplicate_codes(draft: Draft) -> Iterator[Fault]:
    """Report a code that two entries of one section carry."""
    for section in LISTS:
        first: dict[str, str] = {}
        for entry in draft.sections.lists[section]:
            code = entry.written.fields.get("code") if entry.written.fields else None
            if code is None or code.text is None:
                continue
            if code.text in first:
                yield entry.fault("duplicate_code", "code", code=code.text, first=first[code.text])
            else:
                first[code.text] = f"{entry.file}:{code.line}"


def unknown_references(draft: Draft) -> Iterator[Fault]:
    """Report a region, department or item that is named and not listed."""
    regions, departments = draft.sections.codes("regions"), draft.sections.codes("departments")
    items = draft.sections.codes("items")
    for department in draft.departments:
        if department.value.region not in regions:
            yield department.fault("unknown_region", "region", code=department.value.region)
    for window in draft.windows:
        if window.value.department not in departments:
            yield window.fault("unknown_department", "department", code=window.value.department)
    for delegation in draft.delegations:
        if delegation.value.item not in items:
            yield delegation.fault("unknown_item", "item", code=delegation.value.item)


def region_tree(draft: Draft) -> Iterator[Fault]:
    """Report regions that do not form one tree: no root, several, an unknown parent, a circle."""
    regions = {region.value.code: region for region in draft.regions}
    known = draft.sections.codes("regions")
    roots = [region for region in draft.regions if region.value.parent is None]
    if draft.regions and not roots:
        yield fault(draft.sections.origin, 1, "regions", "no_root")
    for extra in roots[1:]:
        yield extra.fault("second_root", root=roots[0].value.code)
    for region in draft.regions:
        parent = region.value.parent
        if parent is not None and parent not in known:
            yield region.fault("unknown_region", "parent", code=parent)
        elif _circles({code: placed.value for code, placed in regions.items()}, region.value.code):
            yield region.fault("region_circle", "parent", code=region.value.code)


def _circles(regions: dict[str, Region], start: str) -> bool:
    """Tell whether going up from a region leads back to it."""
    seen: set[str] = set()
    code = regions[start].parent
    while code is not None and code in regions and code not in seen:
        if code == start:
            return True
        seen.add(code)
        code = regions[code].parent
    return False


def sources(draft: Draft) -> Iterator[Fault]:
    """Report a source that may speak for nobody or for an unlisted region, or whose zone does not exist."""
    regions = draft.sections.codes("regions")
    for source in draft.sources:
        if not source.value.regions:
            yield source.fault("empty", "regions")
        for position, code in enumerate(source.value.regions):
            if code not in regions:
                yield source.fault("unknown_region", "regions", position, code=code)
        if not _zone_exists(source.value.zone):
            yield source.fault("unknown_zone", "zone", zone=source.value.zone)


def validities(draft: Draft) -> Iterator[Fault]:
    """Report a delegation or a place on the direct line that ends before it begins."""
    dated: list[Placed[Delegation] | Placed[DirectLine]] = [*draft.delegations, *draft.direct_lines]
    for placed in dated:
        begins, ends = placed.value.valid_from, placed.value.valid_to
        if ends is not None and ends < begins:
            yield placed.fault("validity", "valid_to", begins=begins, ends=ends)


def calendar(draft: Draft) -> Iterator[Fault]:
    """Report an unknown zone or overlay, a day listed twice, and one listed both closed and open."""
    written = draft.calendar
    if not _zone_exists(written.zone):
        yield draft.table_fault("calendar", "zone", "unknown_zone", zone=written.zone)
    for position, code in enumerate(written.regional):
        if code not in overlays():
            known = ", ".join(overlays())
            yield draft.table_fault("calendar", "regional", "unknown_overlay", position, code=code, known=known)
    closed = [day.day for day in written.closed]
    for position, day in enumerate(closed):
        if day in closed[:position]:
            yield draft.table_fault("calendar", "closed", "day_twice", position, day=day)
    for position, day in enumerate(written.open):
        if day in written.open[:position]:
            yield draft.table_fault("calendar", "open", "day_twice", position, day=day)
        if day in closed:
            yield draft.table_fault("calendar", "open", "closed_and_open", position, day=day)


def rules(draft: Draft) -> Iterator[Fault]:
    """Report a setting for no rule there is, for a parameter its rule does not have, or a card of a lead-only rule."""
    for code, setting in draft.rules.items():
        if code not in RULES:
            yield setting.fault("unknown_rule", code=code, known=", ".join(sorted(RULES)))
            continue
        yield from _exceptions(draft, setting)
        modes = (setting.value.mode, *(exception.mode for exception in setting.value.exceptions))
        if RULES[code].lead and "card" in modes:
            yield setting.fault("lead_only", "mode" if modes[0] == "card" else "exceptions", rule=code)
        known = RULES[code].parameters
        for name in setting.value.parameters:
            if name not in known:
                listed = ", ".join(known) or "-"
                yield setting.fault("unknown_parameter", "parameters", name, rule=code, parameter=name, known=listed)


def _exceptions(draft: Draft, setting: Placed[RuleSetting]) -> Iterator[Fault]:
    """Report an exception that fits everything, and one for a source, department or item that is not listed."""
    for position, exception in enumerate(setting.value.exceptions):
        named = {name: getattr(exception, name) for name in ("source", "department", "item")}
        if not any(named.values()):
            yield setting.fault("exception_of_nothing", "exceptions", position)
        for name, code in named.items():
            if code is not None and code not in draft.sections.codes(f"{name}s"):
                yield setting.fault(f"unknown_{name}", "exceptions", position, name, code=code)


def _zone_exists(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of the database is an OSError
        return False
    return True


CHECKS: tuple[Callable[[Draft], Iterator[Fault]], ...] = (
    duplicate_codes,
    unknown_references,
    region_tree,
    sources,
    validities,
    calendar,
    rules,
    check_profiles,
    check_items,
)
