"""The violations a case can be made to show, by rule and form; each is one small function that makes the whole case.

A case shows what it was planned to and nothing else. Which rule has which forms: domain.md section 3.3.
"""

from streams.simulator.violations import endings, entry, fees, intake, limits, persons, steps
from streams.simulator.violations.form import FORMS, Form, Planting

__all__ = ["FORMS", "Form", "Planting", "endings", "entry", "fees", "intake", "limits", "persons", "steps"]
