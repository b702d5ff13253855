"""Figures of findings shown as cards: for every thousand cases accepted (红黄牌率), and where one rule says it all."""

from typing import Final

from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Figure, missing
from monitor.ledger.schema import findings
from monitor.verdict import Severity

SHOWN_MODE: Final = "card"
"""The mode of findings that count in figures and stand on boards."""
ONE_NOTICE: Final = "V11"
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


def _one_notice(facts: Facts, figure: Figure) -> Answer:
    """Say nothing unless the rule on repeated supplements is used everywhere: what nobody looks for is not found."""
    setting = facts.rulebook.rules.get(ONE_NOTICE)
    if setting is None or {setting.mode, *(exception.mode for exception in setting.exceptions)} != {SHOWN_MODE}:
        return Answer(missing(figure.unit, "rule"))
    found = findings.c.rule == ONE_NOTICE, findings.c.mode == SHOWN_MODE, findings.c.state == "live"
    asked = facts.sums["supplemented"]
    return Answer(figure.quotient(asked - facts.cases_found(*found), asked))


FIGURES: Final = (
    Figure(id="card_rate", unit="per_thousand", compute=_cards),
    Figure(id="one_notice_rate", compute=_one_notice),
)
