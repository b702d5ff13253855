"""Questions: which figures of whom and when, as a command or a request puts them."""

from collections.abc import Iterable

import msgspec

from monitor.answers import Answer, refusal
from monitor.kpi.extent import Extent, home
from monitor.kpi.figure import Figure
from monitor.kpi.period import Period, parse_period
from monitor.kpi.register import FIGURES
from monitor.language import Lang, text
from monitor.ledger.errors import Refusal
from monitor.rulebook.model import Rulebook
from monitor.scope import Scope


class Unanswerable(Refusal):
    """A question that cannot be answered, with reason and remedy."""

    def say(self, lang: Lang) -> str:
        """Say reason and remedy in one line."""
        reason, remedy = (text(f"{self.key}.{part}", lang, **self.params) for part in ("reason", "remedy"))
        return f"{reason}{' ' if lang == 'en' else ''}{remedy}"

    def answer(self, lang: Lang) -> Answer:
        """Make the HTTP answer."""
        status = 403 if self.key.endswith(".out_of_scope") else 400
        return refusal(status, self.key, lang, None, **self.params)


class Question(msgspec.Struct, frozen=True):
    """Figures of an extent in a period; no region: that of all departments, no period: the month of the data."""

    figures: tuple[Figure, ...]
    extent: Extent
    period: Period | None

    def within(self, rulebook: Rulebook, scope: Scope | None = None) -> Extent:
        """Give the extent with its region filled in, checked against the rulebook and what may be seen (None: all).

        Raises Unanswerable.
        """
        extent = self.extent
        for kind, code, known in (
            ("region", extent.region, rulebook.region),
            ("department", extent.department, rulebook.department),
            ("item", extent.item, rulebook.item),
        ):
            if code is not None and code not in known:
                raise Unanswerable(f"kpi_refusal.unknown_{kind}", code=code)
        if extent.item is not None:
            if scope is not None and not _may_see(scope, rulebook.item[extent.item].department, rulebook):
                raise Unanswerable("kpi_refusal.out_of_scope")
            return extent
        extent = msgspec.structs.replace(extent, region=extent.region or _region(rulebook, scope))
        if scope is not None:
            extent = msgspec.structs.replace(extent, department=extent.department or scope.department)
            outside = scope.regions is not None and not (extent.regions(rulebook) or frozenset()) <= scope.regions
            if outside or scope.department not in (None, extent.department):
                raise Unanswerable("kpi_refusal.out_of_scope")
        return extent


def ask(
    figures: Iterable[str] | None,
    region: str | None = None,
    below: bool = True,
    department: str | None = None,
    item: str | None = None,
    period: str | None = None,
) -> Question:
    """Put a question; no figures: all of them. Raises Unanswerable."""
    wanted = list(FIGURES) if figures is None else list(figures)
    for code in wanted:
        if code not in FIGURES:
            raise Unanswerable("kpi_refusal.no_figure", figure=code)
    if item is not None and (region is not None or department is not None or not below):
        raise Unanswerable("kpi_refusal.item_alone")
    try:
        days = None if period is None else parse_period(period)
    except ValueError:
        raise Unanswerable("kpi_refusal.no_period", written=period) from None
    return Question(tuple(FIGURES[code] for code in wanted), Extent(region, below, department, item), days)


def _region(rulebook: Rulebook, scope: Scope | None) -> str:
    """Choose the region not named: that of all departments, or the topmost of those that may be seen."""
    usual = home(rulebook)
    if scope is None or scope.regions is None or usual in scope.regions:
        return usual
    return max(
        sorted(scope.regions & rulebook.region.keys()), key=lambda code: len(rulebook.below(code)), default=usual
    )


def _may_see(scope: Scope, department: str, rulebook: Rulebook) -> bool:
    region = rulebook.department[department].region if department in rulebook.department else None
    return scope.department in (None, department) and (scope.regions is None or region in scope.regions)
