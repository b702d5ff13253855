"""V23: a version of the rulebook that loosens what open cases are judged by, or comes into force in the past."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from monitor.rulebook.danger import Danger, Kind, dangers
from monitor.rulebook.model import Rulebook, RulebookVersion
from monitor.rules.apart import Apart, finding_apart
from monitor.rules.evidence import stamp
from monitor.rules.mode import NOBODY, mode_of
from monitor.rules.rule import NO_SETTING, Subject, Violation, rule
from monitor.verdict import FindingMode, Severity

LOOSENED: Final[frozenset[Kind]] = frozenset({"mode", "limit", "check"})
"""The dangers that are meant: a rule weaker or off, a limit longer, something no longer asked of an item. What other
dates, parameters and ways of counting mean, only the second person can tell who has to agree to them."""


class Published(msgspec.Struct, frozen=True):
    """A version as it was published: when, whether for the past, and how many cases of each item were open then."""

    version: RulebookVersion
    published_at: datetime
    retroactive: bool
    open_cases: Mapping[str, int]


@rule("V23", version=1, basis="行政许可法第七十七条；目录与规则变更", of_cases=False)
def limit_tampering(subject: Subject) -> Iterator[Violation]:
    """Stand for tampering by a published rulebook, which `tamperings` finds; a case has none."""
    yield from ()


def tamperings(published: Sequence[Published]) -> list[Apart]:
    """Find what each version but the first loosened while cases were open, and each that began in the past.

    A version is compared with those it took the place of: the one in force when it begins, and, of a retroactive one,
    those in force since. One that never came into force has loosened nothing. One finding for each version and item;
    the modes are those of the rulebook before it, so that no version hides itself.
    """
    found: list[Apart] = []
    for number, each in enumerate(published):
        earlier, later = published[:number], published[number + 1 :]
        if not earlier or not _takes_effect(each, later):
            continue
        replaced = list(_replaced(each, earlier))
        before = replaced[0].rulebook
        if each.retroactive:
            found.append(_retroactive(each, before))
        changes: dict[str, list[Danger]] = {}
        for version in replaced:
            for danger in dangers(version.rulebook, each.version.rulebook):
                about = changes.setdefault(danger.about or "rulebook", [])
                if danger.kind in LOOSENED and danger not in about:
                    about.append(danger)
        found += [apart for about, what in changes.items() if (apart := _loosened(each, before, about, what))]
    return found


def _begins(each: Published) -> datetime:
    assert each.version.in_force_from is not None, "only the first version holds from the beginning of time"
    return each.version.in_force_from


def _takes_effect(each: Published, later: Iterable[Published]) -> bool:
    """Tell whether a version was in force before another one took its place, or still may come into force."""
    begins = _begins(each)
    return not any(_begins(other) < begins and other.published_at < begins for other in later)


def _replaced(each: Published, earlier: Sequence[Published]) -> Iterator[RulebookVersion]:
    """List what was in force when a version begins, and what had come into force since when it was published."""
    begins = _begins(each)
    follows = next(e for e in reversed(earlier) if e.version.in_force_from is None or _begins(e) <= begins)
    yield follows.version
    for other in earlier:
        since = other.version.in_force_from
        if since is not None and begins < since <= each.published_at:
            yield other.version


def _loosened(each: Published, before: Rulebook, about: str, changes: list[Danger]) -> Apart | None:
    item = before.item.get(about)
    open_cases = sum(each.open_cases.values()) if item is None else each.open_cases.get(about, 0)
    if not changes or not open_cases:
        return None
    listed = [{"kind": c.kind, "what": c.what, "before": c.before, "after": c.after} for c in changes]
    department = item.department if item else ""
    return _finding(each, before, "loosened", about, department, "" if item is None else about, open_cases, listed)


def _retroactive(each: Published, before: Rulebook) -> Apart:
    return _finding(each, before, "retroactive", "retroactive", "", "", sum(each.open_cases.values()), [])


def _finding(
    each: Published,
    before: Rulebook,
    act: str,
    about: str,
    department: str,
    item: str,
    open_cases: int,
    changes: list[dict[str, str]],
) -> Apart:
    begins = _begins(each)
    use = mode_of(before.rules.get("V23", NO_SETTING), NOBODY, department, item, before.days.day(begins))
    mode: FindingMode = "shadow" if use == "off" else use  # the rule that watches the rules is never off
    finding = finding_apart(
        "V23",
        f"{each.version.version}:{about}",
        begins,
        Severity.STATUTORY_BREACH,
        each.version,
        mode=mode,
        department=department,
        act=act,
        version=each.version.version,
        about=about,
        changes=changes,
        count=open_cases,
        at=stamp(begins),
        recorded=stamp(each.published_at),
    )
    root = next((region.code for region in before.regions if region.parent is None), "")
    region = before.department[department].region if department in before.department else root
    return Apart(finding, region=region, item=item)
