"""A clean case is judged clean: the simulator and the rules agree on what is lawful."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from monitor.assessment import assess
from monitor.events import Event, EventType, content, content_hash
from monitor.rulebook.model import Rulebook, RulebookHistory, RulebookVersion
from monitor.verdict import Assessment, JournalEntry
from streams.simulator import LiveCentre, Mix, Planned, simulate_cases

ZONE = timezone(timedelta(hours=8))
START, END = datetime(2009, 8, 17, tzinfo=ZONE), datetime(2009, 11, 17, tzinfo=ZONE)
BUSY_WITH_TROUBLE = Mix(
    accepted_per_day=70, late_promised=0.02, late_statutory=0.01, extended=0.01, deemed=0.01, late_issued=0.02,
    late_leg=0.3, suspended=0.1, supplemented=0.2, planted=0.002, mishandled=0.5,
)  # fmt: skip
T = EventType


def judge(rulebook: Rulebook, events: tuple[Event, ...], until: datetime) -> Assessment:
    """Assess a case from its events, each received as it was recorded."""
    version = RulebookVersion(version=1, rulebook=rulebook)
    entries = [JournalEntry(e, e.recorded or e.time, content_hash(content(e))) for e in events]
    return assess(entries, RulebookHistory(versions=(version,), current=version), until)


def conduct(assessment: Assessment) -> set[Planned]:
    """Give the violations a case is found to show."""
    return {Planned(finding.rule, finding.subject) for finding in assessment.findings if finding.kind == "conduct"}


def test_a_quarter_breaks_only_the_rules_it_was_planned_to(rulebook: Rulebook) -> None:
    """Over the long holiday of 2009 no case is found at fault that was not planned to be, and no data is doubted."""
    late = max(source.lateness for source in rulebook.sources)
    for case in simulate_cases(rulebook, 7, START, END, BUSY_WITH_TROUBLE):
        verdict = judge(rulebook, case.events, END - late)
        assert conduct(verdict) <= case.planned, case
        assert not [finding for finding in verdict.findings if finding.kind == "data"], case


def test_every_planned_violation_is_found(rulebook: Rulebook) -> None:
    """What was planned is found, once the case has gone its way and its source can tell of it."""
    found: set[str] = set()
    for case in simulate_cases(rulebook, 7, START, END, BUSY_WITH_TROUBLE):
        told_of = {event.type for event in case.events}
        if case.planned and case.complete and (T.ACCEPT in told_of or T.COMPLAINT_FILED in told_of):
            assert conduct(judge(rulebook, case.events, END)) == case.planned, case
            found |= {violation.rule for violation in case.planned}
    assert found >= {f"V{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 19, 20, 28, 33)}


@pytest.mark.parametrize(
    "now",
    [
        datetime(2009, 10, 23, 6, 30, tzinfo=UTC),  # a Friday afternoon
        datetime(2009, 10, 25, 13, 0, tzinfo=UTC),  # a Sunday night
    ],
)
def test_live_breaks_only_promises_set_by_the_source(rulebook: Rulebook, now: datetime) -> None:
    """Live, ignoring office hours, nothing is late but cases due within minutes and what was late before."""
    small = Mix(accepted_per_day=60)
    centre = LiveCentre(rulebook, 7, now, small)
    until = now + timedelta(hours=5)
    cases: dict[str, list[Event]] = {}
    planned: dict[str, frozenset[Planned]] = {}
    for case in simulate_cases(rulebook, 7, now - timedelta(days=90), now, small):
        name = case.events[0].case or ""
        cases[name], planned[name] = list(case.events), case.planned
    carried = set()
    for event in centre.events_until(until):
        if event.case is not None:
            cases.setdefault(event.case, []).append(event)
            carried.add(event.case)
    broken = 0
    for name in carried:
        due_soon = any(event.data.due is not None for event in cases[name])
        found = conduct(judge(rulebook, tuple(cases[name]), until - timedelta(minutes=20)))
        assert found <= ({Planned("V01", "promised")} if due_soon else planned.get(name, frozenset())), cases[name]
        broken += due_soon and bool(found)
    assert broken > 50
