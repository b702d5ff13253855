"""Load a rulebook from its YAML files, or say everything that is wrong with them."""

from pathlib import Path

from monitor.rulebook.base_calendar import expand
from monitor.rulebook.check import check
from monitor.rulebook.draft import Draft, draft
from monitor.rulebook.faults import Fault, RulebookFaults
from monitor.rulebook.model import Rulebook


def load(path: Path | str) -> Rulebook:
    """Load a rulebook from a YAML file, or from a folder whose YAML files together are one.

    A section may be spread over files: lists are joined in the order of file names, a field or rule named twice is
    a fault. The calendar is expanded, so that the rulebook no longer depends on the packages it came from.
    Raises RulebookFaults with every fault found, each with file, line, reason and remedy.
    """
    faults: list[Fault] = []
    found = draft(Path(path), faults)
    if found.sections.complete:
        faults.extend(check(found))
    if faults:
        raise RulebookFaults(faults)
    return _rulebook(found)


def _rulebook(found: Draft) -> Rulebook:
    return Rulebook(
        name=found.texts["name"],
        name_en=found.texts["name_en"],
        regions=tuple(placed.value for placed in found.regions),
        departments=tuple(placed.value for placed in found.departments),
        windows=tuple(placed.value for placed in found.windows),
        items=tuple(placed.value for placed in found.items),
        delegations=tuple(placed.value for placed in found.delegations),
        direct_lines=tuple(placed.value for placed in found.direct_lines),
        sources=tuple(placed.value for placed in found.sources),
        calendar=expand(found.calendar),
        profiles=tuple(placed.value for placed in found.profiles),
        limits=found.limits,
        rules={code: placed.value for code, placed in found.rules.items()},
    )
