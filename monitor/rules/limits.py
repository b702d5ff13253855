"""Rules on limits: V01 over promised, V02 over statutory, V03 step or leg overdue, V05 late issue."""

from collections.abc import Iterator
from typing import Any

from monitor.rules import evidence
from monitor.rules.rule import Subject, Violation, rule
from monitor.verdict import Clock, Severity


@rule("V01", version=1, basis="承诺时限；优化营商环境条例第三十六条", clocks=("promised",))
def over_promised(subject: Subject) -> Iterator[Violation]:
    """Find cases not finished within the promised limit."""
    for clock in subject.breached("promised"):
        yield breach(subject, clock, Severity.PROMISED_BREACH)


@rule("V02", version=1, basis="行政许可法第四十二条、第七十四条第二项", clocks=("statutory",))
def over_statutory(subject: Subject) -> Iterator[Violation]:
    """Find cases not decided within the statutory limit and a valid extension."""
    for clock in subject.breached("statutory"):
        yield breach(subject, clock, Severity.STATUTORY_BREACH)


@rule("V03", version=1, basis="环节时限；承诺时限", clocks=("step", "leg", "archive"))
def step_overdue(subject: Subject) -> Iterator[Violation]:
    """Find steps, legs of a joint case and archiving over their own limit, charged to who held them."""
    for clock in subject.breached("step", "leg", "archive"):
        severity = Severity.PROMISED_BREACH if clock.name == "leg" else Severity.WARNING
        yield breach(subject, clock, severity)


@rule("V05", version=1, basis="行政许可法第四十四条", clocks=("issue",))
def late_issue(subject: Subject) -> Iterator[Violation]:
    """Find granted licences neither issued nor ready for collection in time."""
    for clock in subject.breached("issue"):
        yield breach(subject, clock, Severity.PROMISED_BREACH)


def breach(subject: Subject, clock: Clock, severity: Severity, **more: Any) -> Violation:
    """Describe a breached clock as a violation; it occurred at the due instant, and `more` is further evidence.

    An open clock of a case whose source reports suspensions only once they end stays provisional: a suspension
    may still come to light.
    """
    assert clock.due is not None, "a breached clock has a due instant"
    case = subject.case
    may_be_paused = clock.is_open and clock.name in evidence.PAUSABLE and clock.limit != "due"
    provisional = may_be_paused and case.senders.suspensions_at_end
    return Violation(
        occurred_at=clock.due,
        severity=severity,
        subject=f"{clock.name}:{clock.subject}" if clock.subject else clock.name,
        department=clock.department,
        state="provisional" if provisional else "live",
        events=evidence.events_of(case, clock),
        evidence=evidence.of_clock(case, clock, subject.clocks.clocks) | more,
    )
