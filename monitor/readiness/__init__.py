"""Readiness: what a source's feed is really like, so that a deployment goes live without accusing the innocent.

`survey` reads everything a source has sent and what was found of it, `order` compares clocks by the order of steps,
`advice` says what to change in the rulebook first. Nothing here changes anything.
"""

from monitor.readiness.advice import Advice, advise
from monitor.readiness.survey import Readiness, survey

__all__ = ["Advice", "Readiness", "advise", "survey"]
