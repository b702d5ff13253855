"""What the tests of the rules on procedure share: a proper case, and what a rule finds of it."""

from typing import Any

from monitor.rulebook.model import Rulebook, RulebookHistory
from monitor.verdict import Finding
from tests.monitor.cases import BOOK, Line, at, case, judge

LATER = "2009-12-31 00:00"
APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")
APPROVE = at("2009-03-03 10:00", "approve", outcome="granted")
FINISH = at("2009-03-04 10:00", "finish", outcome="granted")
ISSUE = at("2009-03-04 11:00", "issue")
ARCHIVE = at("2009-03-04 12:00", "archive")
OPENED = (APPLY, ACCEPT)
CLOSED = (APPROVE, FINISH, ISSUE, ARCHIVE)


def found_of(
    rule: str, *lines: Line, until: str = LATER, item: str = "permit", book: Rulebook | RulebookHistory = BOOK
) -> list[Finding]:
    """List what a rule finds in a case."""
    return [finding for finding in judge(case(*lines, item=item), until, book).findings if finding.rule == rule]


def subjects_of(rule: str, *lines: Line, **settings: Any) -> list[str]:
    """List what a rule's findings in a case are about."""
    return [finding.subject for finding in found_of(rule, *lines, **settings)]
