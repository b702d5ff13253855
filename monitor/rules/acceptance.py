"""Rules on acceptance: V04 late notice (deemed acceptance), or no acceptance once the supplement was received."""

from collections.abc import Iterator

from monitor.rules.limits import breach
from monitor.rules.rule import Subject, Violation, rule
from monitor.verdict import Severity


@rule("V04", version=1, basis="行政许可法第三十二条、第七十二条第三项、第四项", clocks=("notice", "accept"))
def late_notice(subject: Subject) -> Iterator[Violation]:
    """Find applications that were not accepted, refused or sent a supplement notice in time."""
    for clock in subject.breached("notice", "accept"):
        yield breach(subject, clock, Severity.PROMISED_BREACH)
