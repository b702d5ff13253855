"""Figures of cards: violations shown, for every thousand cases accepted (红黄牌率)."""

from typing import Final

from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Figure
from monitor.ledger.schema import findings
from monitor.verdict import Severity

SHOWN_MODE: Final = "card"
"""The mode of findings that count in figures and stand on boards."""
_APART: Final = ("contested", "provisional", "cancelled", "withdrawn")
"""Cards nobody can be blamed for yet, or any more: shown beside the others, never among them."""


def _cards(facts: Facts, figure: Figure) -> Answer:
    accepted = facts.sums["accepted"]
    found = facts.findings(findings.c.mode == SHOWN_MODE, findings.c.kind == "conduct")
    live = {severity: found.get((int(severity), "live"), 0) for severity in Severity}
    apart = {state: sum(number for (_, of), number in found.items() if of == state) for state in _APART}
    return Answer(
        figure.quotient(sum(live.values()), accepted),
        (
            *(figure.quotient(number, accepted, severity.name.lower()) for severity, number in live.items()),
            *(figure.quotient(number, accepted, state) for state, number in apart.items()),
        ),
    )


FIGURES: Final = (Figure(id="card_rate", unit="per_thousand", compute=_cards),)
