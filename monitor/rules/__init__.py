"""The rules: one small function each, registered under its id (domain.md section 3.3).

`rule` holds what a rule is and evaluates them all, `mode` who is told; `limits`, `acceptance`, `steps`, `entry` and
`service` hold the conduct rules by what they watch, `data` the findings about the feed itself. To change a rule, edit
its function and raise its version.
"""

from monitor.rules import acceptance, data, entry, limits, service, steps
from monitor.rules.rule import RULES, Rule, evaluate

__all__ = ["RULES", "Rule", "acceptance", "data", "entry", "evaluate", "limits", "service", "steps"]
