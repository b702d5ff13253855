"""Extents: whose figures are asked for. A figure of a region says whether it is the level itself or all below it."""

from typing import Literal

import msgspec

from monitor.language import Lang, text
from monitor.rulebook.model import Rulebook
from monitor.wording import say_department, say_item


class Extent(msgspec.Struct, frozen=True):
    """A region alone (市本级) or with all below it (全市), a department of that, or one item wherever handled."""

    region: str | None = None  # None: everything the ledger holds
    below: bool = True
    department: str | None = None
    item: str | None = None

    @property
    def kind(self) -> Literal["region", "department", "item"]:
        """Say what the figures are of."""
        return "item" if self.item is not None else "department" if self.department is not None else "region"

    def regions(self, rulebook: Rulebook) -> frozenset[str] | None:
        """Give the codes of the regions it takes in; None: whatever there is."""
        if self.region is None:
            return None
        return rulebook.below(self.region) if self.below else frozenset({self.region})

    def takes_in(self, department: str, rulebook: Rulebook) -> bool:
        """Tell whether a department of the catalogue is in it."""
        if self.department not in (None, department):
            return False
        regions, known = self.regions(rulebook), rulebook.department.get(department)
        return regions is None or (known is not None and known.region in regions)


def home(rulebook: Rulebook) -> str:
    """Find the lowest region that takes in every department: the one whose figures are asked for by default."""
    regions = {department.region for department in rulebook.departments}
    holding = [region.code for region in rulebook.regions if regions <= rulebook.below(region.code)]
    return min(holding, key=lambda code: len(rulebook.below(code)), default=rulebook.regions[0].code)


def say_extent(extent: Extent, rulebook: Rulebook, lang: Lang) -> str:
    """Name an extent; that of a region says which of its two meanings it has."""
    if extent.item is not None:
        return say_item(extent.item, lang, rulebook)
    parts = [] if extent.region is None else [_say_region(extent.region, extent.below, rulebook, lang)]
    if extent.department is not None:
        parts.append(say_department(extent.department, lang, rulebook))
    return " · ".join(parts) or text("kpi_extent.everything", lang)


def _say_region(code: str, below: bool, rulebook: Rulebook, lang: Lang) -> str:
    region = rulebook.region[code]
    name = region.name if lang == "zh" else region.name_en
    return text(f"kpi_extent.{region.level}_{'all' if below else 'itself'}", lang, name=name)
