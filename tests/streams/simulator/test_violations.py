"""Every form of every violation shows the rule what it was planned to show, and nothing else."""

from datetime import date, datetime, timedelta, timezone
from random import Random

import pytest

from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from monitor.verdict import Clock
from streams.simulator import Mix
from streams.simulator.violations import FORMS, Form
from streams.simulator.year import Centre
from tests.conftest import ROOT
from tests.streams.simulator.test_clean import conduct, judge

FIRST, LAST = date(2009, 2, 2), date(2009, 8, 31)
EVENTUALLY = datetime(2010, 12, 1, tzinfo=timezone(timedelta(hours=8)))
DRAWS = 25


@pytest.fixture(scope="module")
def yulin() -> Rulebook:
    """The example that ships."""
    return load(ROOT / "monitor" / "rulebooks" / "yulin")


@pytest.fixture(scope="module")
def centre(yulin: Rulebook) -> Centre:
    """Its centre, in which nothing goes wrong by itself."""
    calm = Mix(late_promised=0, late_statutory=0, extended=0, deemed=0, late_issued=0, late_leg=0)
    return Centre(yulin, 7, (FIRST, LAST), calm)


def subject_of(clock: Clock) -> str:
    """Give the subject a finding about a clock has."""
    return f"{clock.name}:{clock.subject}" if clock.subject else clock.name


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.rule}-{form.plant.__name__}")
def test_a_form_shows_what_it_plans(yulin: Rulebook, centre: Centre, form: Form) -> None:
    """Wherever a form fits, on any day and channel, its case breaks exactly what is written down of it."""
    rng = Random(form.plant.__name__)
    counters = [counter for counter in centre.hall.counters if form.fits(counter)]
    shown: set[str] = set()
    for number in range(DRAWS):
        day, at = rng.randrange(10, 130), 0.98 * rng.random()
        case = centre.proceeding(f"c{number}", rng, day, at, counter=rng.choice(counters))
        form.plant(case, centre.mix, centre.hall.pace)
        verdict = judge(yulin, tuple(case.events), EVENTUALLY)
        found = conduct(verdict)
        unseen = {subject_of(clock) for clock in verdict.clocks if clock.phase == "unobserved"}
        assert found == {planned for planned in case.planned if planned.subject not in unseen}, case.events
        shown |= {violation.rule for violation in found}
    assert form.rule in shown
