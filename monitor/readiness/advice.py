"""What to change before a source goes live, as far as its feed tells; a person decides."""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from typing import Final, Literal

import msgspec

from monitor.language import Lang, text
from monitor.readiness.order import Inversions
from monitor.readiness.survey import Readiness
from monitor.rulebook.model import Rulebook, Source

Code = Literal[
    "nothing_sent",
    "unknown",
    "never_sent",
    "types",
    "precision",
    "lateness",
    "not_live",
    "ahead",
    "tolerance",
    "skew",
    "disorder",
    "suspensions_at_end",
    "recorded",
    "delegations",
    "rejects",
    "baseline",
    "review",
]

ALMOST_ALL: Final = 0.9
CLOCKS_APART_MAX: Final = timedelta(hours=1)
"""Steps further apart in the wrong order were done so, or entered so; no clock of a server is off by that."""
FEW: Final = 5
"""Fewer than so many show no habit."""
NAMED_MAX: Final = 5


class Advice(msgspec.Struct, frozen=True):
    """One change to make, or to think about, before going live."""

    code: Code
    params: dict[str, str]

    def say(self, lang: Lang) -> str:
        """Say it in a sentence."""
        return text(f"readiness.advice.{self.code}", lang, **self.params)


def advise(found: Readiness, rulebook: Rulebook) -> list[Advice]:
    """Say what to change; the most important first."""
    source = rulebook.source[found.source]
    if not found.events:
        return [Advice("nothing_sent", {"source": source.code})]
    return [
        *_codes(found),
        *_declared(found, source),
        *_lateness(found, source),
        *_clocks(found, source),
        *_evidence(found),
        *_going_live(found, source, rulebook),
    ]


def _codes(found: Readiness) -> Iterator[Advice]:
    for field in ("item", "department", "window", "direct_line"):
        codes = [each for each in found.unknown if each.field == field]
        if codes:
            named = ", ".join(f"{each.code} ({each.events})" for each in codes[:NAMED_MAX])
            events = sum(each.events for each in codes)
            yield Advice("unknown", {"field": field, "codes": str(len(codes)), "events": str(events), "named": named})
    if found.rejected:
        named = ", ".join(f"{code} {count}" for code, count in found.rejects.items())
        yield Advice("rejects", {"count": str(found.rejected), "named": named})


def _declared(found: Readiness, source: Source) -> Iterator[Advice]:
    if found.types_never:
        seen = ", ".join(kind for kind in found.types_seen if kind != "heartbeat")
        code: Code = "never_sent" if source.types else "types"
        yield Advice(code, {"never": ", ".join(found.types_never), "seen": seen})
    times = found.times
    if times.events >= FEW and source.precision != "day" and times.midnight >= ALMOST_ALL * times.events:
        yield Advice("precision", {"precision": "day"})
    elif times.events >= FEW and source.precision == "second" and times.whole_minute >= ALMOST_ALL * times.events:
        yield Advice("precision", {"precision": "minute"})
    suspensions = found.suspensions
    if suspensions.of >= FEW and not source.suspensions_at_end and suspensions.seen >= ALMOST_ALL * suspensions.of:
        yield Advice("suspensions_at_end", {"seen": str(suspensions.seen), "of": str(suspensions.of)})


def _lateness(found: Readiness, source: Source) -> Iterator[Advice]:
    if found.lateness is None:
        yield Advice("not_live", {})
        return
    if found.beyond_declared * 100 > found.lateness.count:
        hours = max(1, ceil(found.lateness.p99 / 3600))
        late = f"{found.beyond_declared:,}/{found.lateness.count:,}"
        yield Advice("lateness", {"late": late, "declared": f"{source.lateness_hours:g}", "hours": str(hours)})
    ahead = -found.lateness.least
    if ahead > source.tolerance.total_seconds():
        yield Advice("ahead", {"minutes": str(ceil(ahead / 60)), "tolerance": f"{source.tolerance_minutes:g}"})


def _clocks(found: Readiness, source: Source) -> Iterator[Advice]:
    for each in found.inversions:
        if each.gap is None or each.inverted < FEW:
            continue
        shown = {"other": each.other, "inverted": str(each.inverted), "pairs": str(each.pairs)}
        if each.gap.p95 > CLOCKS_APART_MAX.total_seconds():
            yield Advice("disorder", {**shown, "hours": f"{each.gap.p95 / 3600:.1f}"})
            continue
        minutes = ceil(each.gap.p95 / 60)
        if each.other == source.code:
            if minutes > source.tolerance_minutes:
                yield Advice("tolerance", {**shown, "minutes": str(minutes)})
        elif minutes > source.tolerance_minutes + source.skew_minutes:
            skew = ceil(minutes - source.tolerance_minutes)
            yield Advice("skew", {**shown, "minutes": str(skew), "ahead": _direction(each)})


def _direction(each: Inversions) -> str:
    return f"{each.ahead}/{each.inverted}"


def _evidence(found: Readiness) -> Iterator[Advice]:
    if found.recorded_share is not None and found.recorded_share < ALMOST_ALL:
        yield Advice("recorded", {"percent": f"{100 * found.recorded_share:.0f}"})
    approvals = found.approvals_delegated
    if not found.departments_complete.seen and approvals.of:
        yield Advice("delegations", {"seen": str(approvals.seen), "of": str(approvals.of)})


def _going_live(found: Readiness, source: Source, rulebook: Rulebook) -> Iterator[Advice]:
    if source.baseline is None and any(setting.baseline is None for setting in rulebook.rules.values()):
        yield Advice("baseline", {"source": source.code})
    waiting = [each for each in found.rules if each.kind == "conduct" and each.mode == "shadow"]
    if waiting:
        yield Advice("review", {"rules": ", ".join(f"{each.rule} ({each.hits})" for each in waiting)})
