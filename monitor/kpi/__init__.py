"""Key figures (指标): each with one definition, one numerator and one denominator (domain.md 4, design 9).

`ask` puts a question, `make_report` answers it. `standing` counts how things stand at this moment, for boards and
metrics. Cards count: findings in shadow are in no figure, and a lead is for inspectors.
"""

from monitor.kpi.extent import Extent
from monitor.kpi.facts import Facts
from monitor.kpi.figure import Answer, Figure, Value
from monitor.kpi.period import Period, parse_period
from monitor.kpi.question import Question, Unanswerable, ask
from monitor.kpi.register import FIGURES
from monitor.kpi.report import Report, make_report

__all__ = [
    "FIGURES",
    "Answer",
    "Extent",
    "Facts",
    "Figure",
    "Period",
    "Question",
    "Report",
    "Unanswerable",
    "Value",
    "ask",
    "make_report",
    "parse_period",
]
