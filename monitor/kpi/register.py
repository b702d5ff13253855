"""Every figure there is, by its id, in the order in which they are shown."""

from types import MappingProxyType
from typing import Final

from monitor.kpi import absent, cards, cohorts, durations, flow, offer, open_cases

FIGURES: Final = MappingProxyType(
    {
        figure.id: figure
        for module in (cohorts, flow, open_cases, durations, offer, cards, absent)
        for figure in module.FIGURES
    }
)
