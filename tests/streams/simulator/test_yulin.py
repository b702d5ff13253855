"""The shipped rulebook brought to life: the figures Yulin published for ten months of 2009 (domain.md 4.4)."""

from collections import Counter
from datetime import datetime, timedelta, timezone
from importlib.resources import as_file, files

import pytest

from monitor.events import EventType
from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from monitor.rules import RULES
from streams.simulator import SimulatedCase, simulate_cases

ZONE = timezone(timedelta(hours=8))
START, END = datetime(2009, 1, 1, tzinfo=ZONE), datetime(2009, 11, 1, tzinfo=ZONE)
T = EventType


@pytest.fixture(scope="module")
def yulin() -> Rulebook:
    """The example that ships."""
    with as_file(files("monitor") / "rulebooks" / "yulin") as folder:
        return load(folder)


@pytest.fixture(scope="module")
def cases(yulin: Rulebook) -> list[SimulatedCase]:
    """January to October 2009."""
    return list(simulate_cases(yulin, 2009, START, END))


def test_as_many_are_accepted_as_yulin_published(cases: list[SimulatedCase]) -> None:
    """About 41,069 cases are accepted; not told of are only those of the system that cannot tell acceptance."""
    told = sum(any(event.type is T.ACCEPT for event in case.events) for case in cases)
    untold = sum(
        any(event.type is T.APPLY and event.source in ("gsj", "online") for event in case.events)
        and not any(event.type in (T.ACCEPT, T.REFUSE) for event in case.events)
        for case in cases
    )
    assert told + untold == pytest.approx(41_069, rel=0.02)
    assert untold / told < 0.05


def test_as_many_stay_open_as_yulin_published(cases: list[SimulatedCase]) -> None:
    """About 266 of them are open at the end."""
    entered = [{event.type for event in case.events} for case in cases]
    still_open = [types for types in entered if T.ACCEPT in types and not types & {T.FINISH, T.FORWARD, T.WITHDRAW}]
    assert 180 < len(still_open) < 340


def test_every_part_of_the_centre_is_at_work(yulin: Rulebook, cases: list[SimulatedCase]) -> None:
    """Every department, every source, nearly every window and item of the catalogue, and the direct line have cases."""
    events = [event for case in cases for event in case.events]
    assert {e.source for e in events} == set(yulin.source) - {"console"}
    entered = [item for item in yulin.items if item.entered]
    assert {item.department for item in entered} <= {e.department for e in events}
    assert len({e.item for e in events}) > 0.97 * len(entered)
    assert len({e.window for e in events}) > 0.9 * len(yulin.windows)
    assert len({e.direct_line for e in events if e.direct_line}) > 0.9 * len(yulin.direct_lines)


def test_the_promise_is_slack(yulin: Rulebook, cases: list[SimulatedCase]) -> None:
    """A promised-time case takes about 1.8 working days, as in Guangxi's bulletins (domain.md 4.2)."""
    days = yulin.days
    taken = []
    for case in cases:
        times = {event.type: event.time for event in case.events}
        item = yulin.item.get(case.events[0].item or "")
        promised = item is not None and item.type == "promised"
        if promised and {T.ACCEPT, T.FINISH} <= times.keys() and T.SUSPEND not in times:
            taken.append(days.count(days.day(times[T.ACCEPT]), days.day(times[T.FINISH])))
    assert sum(taken) / len(taken) == pytest.approx(1.78, abs=0.2)


def test_nothing_of_the_days_after_is_known(cases: list[SimulatedCase]) -> None:
    """At the end of October nothing of November is known, and October 31 was a Saturday."""
    last = max(event.time for case in cases for event in case.events)
    assert END - timedelta(days=2) < last < END - timedelta(days=1)


def test_every_rule_is_broken_in_all_its_forms(cases: list[SimulatedCase]) -> None:
    """Several cases at least show each rule, none more than a few hundred; every letter and act occurs."""
    planted = [violation for case in cases for violation in case.planned]
    by_rule = Counter(violation.rule for violation in planted)
    of_cases = {rule.id for rule in RULES.values() if rule.kind == "conduct" and rule.of_cases}
    assert by_rule.keys() == of_cases
    assert all(8 <= count < 250 for count in by_rule.values()), by_rule
    assert sum(by_rule.values()) < 0.03 * len(cases)
    acts = {(violation.rule, violation.subject.split(":")[0]) for violation in planted}
    for rule, subjects in (
        ("V07", {"approve<accept", "finish<approve", "issue<approve"}),
        ("V11", set("abc")),
        ("V13", {*"abcdeghi", "d_accept", "e_role"}),
        ("V14", {"days", "second", "role", "nobody", "unnotified", "late"}),
        ("V16", {"two_persons", "officers", "chair"}),
        ("V19", {"no_fee", "amount", "reduction", "cash", "before_acceptance", "after_finish"}),
        ("V20", {"refuse", "finish", "void"}),
        ("V28", {"complaint_accept", "complaint", "request", "reopened", "own_case"}),
    ):
        assert {subject for of, subject in acts if of == rule} == subjects, rule
