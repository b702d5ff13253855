"""In which mode a finding is used: by source, department and item, the start of its rule, and the baseline.

A deployment goes live without accusing anybody of what was already late: the mode decides who is told of a finding,
never whether it is one. Clocks and on-time figures ignore it (design section 3).
"""

from collections.abc import Iterable
from datetime import date
from typing import Final, Literal

import msgspec

from monitor.case import CaseFile
from monitor.rulebook.model import Mode, RuleSetting
from monitor.verdict import FindingMode

Use = Literal["off", FindingMode]
"""How a finding is used; `off`: it is none."""

_FROM_THE_MOST_CAREFUL: Final[tuple[Use, ...]] = ("off", "shadow", "backlog", "lead", "card")


class Sender(msgspec.Struct, frozen=True):
    """A source of a case, with the day before which what was late there is one list (存量超期清单)."""

    code: str | None
    baseline: date | None = None


NOBODY: Final = (Sender(None),)


def senders_of(case: CaseFile) -> list[Sender]:
    """List the sources of a case; one no longer registered keeps the baseline it last had."""
    known = case.registered
    return [Sender(code, known[code].baseline if code in known else None) for code in case.sources]


def mode_of(setting: RuleSetting, senders: Iterable[Sender], department: str, item: str, day: date) -> Use:
    """Give the mode of what occurred on a day: of several sources of a case the most careful one's.

    `department` is the one the finding is charged to. Of the exceptions that fit a source the first counts. What
    occurred before the baseline of rule or source is backlog, what occurred before the rule's start is shadow.
    """
    uses = (_use(setting, sender, department, item, day) for sender in tuple(senders) or NOBODY)
    return min(uses, key=_FROM_THE_MOST_CAREFUL.index)


def is_ever_on(setting: RuleSetting) -> bool:
    """Tell whether a rule is used anywhere at all."""
    return setting.mode != "off" or any(exception.mode != "off" for exception in setting.exceptions)


def _use(setting: RuleSetting, sender: Sender, department: str, item: str, day: date) -> Use:
    mode = mode_in(setting, sender.code, department, item)
    if mode in ("off", "shadow"):
        return mode
    baselines = (setting.baseline, sender.baseline)
    if any(baseline is not None and day < baseline for baseline in baselines):
        return "backlog"
    return "shadow" if setting.start is not None and day < setting.start else mode


def mode_in(setting: RuleSetting, source: str | None, department: str | None, item: str | None) -> Mode:
    """Give the mode a rule has for a source, department and item, whatever the day; None fits no exception's code."""
    for exception in setting.exceptions:
        pairs = ((exception.source, source), (exception.department, department), (exception.item, item))
        if all(asked is None or asked == given for asked, given in pairs):
            return exception.mode
    return setting.mode
