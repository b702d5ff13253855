"""The rules: one small function each, registered under its id (domain.md section 3.3).

`rule` holds what a rule is and evaluates them all, `mode` says how a finding is used; `data` holds the findings about
the feed itself, `silence` and `publication` those about no case (`apart`), the other modules the rules on conduct by
what they watch. To change a rule, edit its function and
raise its version.
"""

from monitor.rules import (
    acceptance,
    data,
    endings,
    entry,
    extension,
    fees,
    limits,
    persons,
    publication,
    service,
    silence,
    steps,
    supplements,
    suspension,
)
from monitor.rules.rule import RULES, Rule, evaluate

__all__ = [
    "RULES",
    "Rule",
    "acceptance",
    "data",
    "endings",
    "entry",
    "evaluate",
    "extension",
    "fees",
    "limits",
    "persons",
    "publication",
    "service",
    "silence",
    "steps",
    "supplements",
    "suspension",
]
