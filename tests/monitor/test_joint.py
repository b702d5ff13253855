"""Joint cases (联办件): each leg is charged to its department, and the law's clock stops with the last of them."""

from monitor.explain import explain
from monitor.verdict import Assessment
from tests.monitor.cases import BOOK, Line, at, case, clock, end_of, finding, history, judge, when

OPENED = (
    at("2009-03-02 09:00", "apply"),
    at("2009-03-02 10:00", "accept"),
    at("2009-03-04 10:00", "transfer", to=("fire", "water")),
)
"""Fire has 3 working days, water 5."""
FIRE = at("2009-03-11 10:00", "approve", department="fire", outcome="granted")
WATER = at("2009-03-10 10:00", "approve", department="water", outcome="granted")


def judged(*lines: Line, until: str = "2009-03-12 09:00") -> Assessment:
    """Judge a joint case."""
    return judge(case(*OPENED, *lines, item="joint"), until)


def test_each_leg_is_charged_to_its_department() -> None:
    """Fire was two days late: the finding, the figure and the light are its own, not the lead's nor water's."""
    assessment = judged(FIRE, WATER)
    said = finding(assessment, "V03")
    assert (said.subject, said.department, said.occurred_at) == ("leg:fire", "fire", end_of("2009-03-09"))
    legs = {(m.department, m.name) for m in assessment.measures if m.name.startswith("leg_")}
    assert legs == {("fire", "leg_overdue"), ("water", "leg_on_time")}


def test_the_statutory_clock_stops_when_the_last_leg_is_decided() -> None:
    """With one leg decided it still runs; with both it stops at the later decision."""
    assert clock(judged(WATER), "statutory").phase == "running"
    stopped = clock(judged(FIRE, WATER), "statutory")
    assert (stopped.phase, stopped.ended_at) == ("met", FIRE.time)


def test_a_leg_lists_its_own_days() -> None:
    """Whatever the other leg does meanwhile, fire held its leg for all of its working days."""
    assert finding(judged(FIRE, WATER), "V03").evidence["held"] == {"fire": 5}


def test_the_whole_lists_the_days_of_every_unit() -> None:
    """The lead held the case before the legs and after the last; the legs ran side by side."""
    finish = at("2009-03-24 10:00", "finish", outcome="granted")
    late = judged(FIRE, WATER, finish, until="2009-03-24 12:00")
    assert finding(late, "V01").evidence["held"] == {"land": 2 + 9, "fire": 5, "water": 4}


def test_a_leg_still_open_holds_the_case_to_the_end() -> None:
    """Where nobody has decided, the days run up to the due instant."""
    open_case = judged(until="2009-03-24 12:00")
    assert finding(open_case, "V01").evidence["held"] == {"land": 2, "fire": 13, "water": 13}


def test_explain_shows_the_light_of_each_leg() -> None:
    """Late is fire's leg alone."""
    told = explain(case(*OPENED, FIRE, WATER, item="joint"), history(BOOK), when("2009-03-12 09:00"), "en")
    lights = {each.title: each.title.rpartition("light: ")[2] for each in told.clocks if "leg" in each.title}
    assert sorted(lights.values()) == ["normal", "over the promised limit"]
