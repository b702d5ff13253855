"""Figures domain.md asks for that our events cannot give: listed with the reason rather than left out.

The reason stands in each figure's definition.
"""

from typing import Final

from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Figure, missing


def _absent(facts: Facts, figure: Figure) -> Answer:
    return Answer(missing(figure.unit, "absent"))


FIGURES: Final = (
    Figure(id="visits", unit="visits", compute=_absent),
    Figure(id="full_online_rate", compute=_absent),
    Figure(id="rating_repair_rate", compute=_absent),
    Figure(id="entry_rate_fees", compute=_absent),
    Figure(id="treasury_rate", section="4.3", compute=_absent),
    Figure(id="off_centre_rate", section="4.3", compute=_absent),
)
