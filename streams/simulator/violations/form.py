"""What a form of a violation is, and the drawing of forms and of the counters where they can be shown."""

from collections import Counter as Count
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from msgspec.structs import replace

from monitor.events import EventType, Procedure
from streams.simulator.draw import Draw
from streams.simulator.hall import Counter, Hall
from streams.simulator.mix import Mix
from streams.simulator.proceeding import Proceeding

FORMS_A_RULE_MIN: Final = 3
"""A rule of more forms than this is broken more often, so that each form is seen."""

APART_MINUTES: Final = (35.0, 60.0)
"""Between two steps in the wrong order: more than two clocks of ten minutes' error can explain."""
_MORNING: Final = 0.3

Plant = Callable[[Proceeding, Mix, float], None]
"""Makes a case from its first event to its last; arguments as those of a course."""


class Form(NamedTuple):
    """One way of breaking a rule; `fits` tells at which counters it can happen."""

    rule: str
    plant: Plant
    fits: Callable[[Counter], bool]


FORMS: Final[list[Form]] = []
"""Every form, in the order of their registration."""


def form(rule: str, fits: Callable[[Counter], bool]) -> Callable[[Plant], Plant]:
    """Register a function as a form of a violation."""

    def register(plant: Plant) -> Plant:
        FORMS.append(Form(rule, plant, fits))
        return plant

    return register


class Planting:
    """Draws which violation comes next: every rule as often as any other, as far as the hall has counters for it."""

    def __init__(self, hall: Hall) -> None:
        fitting = [(form, [counter for counter in hall.counters if form.fits(counter)]) for form in FORMS]
        forms = [(form, Draw((c, c.weight) for c in counters)) for form, counters in fitting if counters]
        by_rule = Count(form.rule for form, _ in forms)
        weighted = [(each, max(1 / by_rule[each[0].rule], 1 / FORMS_A_RULE_MIN)) for each in forms]
        self.weight = sum(weight for _, weight in weighted)
        """How many rules' worth of violations there are to plant."""
        self._draw = Draw(weighted) if weighted else None

    def draw(self, rng: Random) -> tuple[Form, Counter] | None:
        """Draw a form, and a counter where it fits; None where nothing fits anywhere."""
        if self._draw is None:
            return None
        form, counter = self._draw(rng)
        return form, counter(rng)


def with_rates(mix: Mix, **rates: float) -> Mix:
    """Change rates of a mix, so that what a form needs is sure to happen."""
    return replace(mix, **rates)


def begin_early(case: Proceeding) -> None:
    """Come in the morning, so that everything falls on one day."""
    case.at = min(case.at, _MORNING)


def meanwhile(case: Proceeding, end: float) -> None:
    """Let some of the time pass that a step has until an end, in time for the next step."""
    case.at += (min(end, case.step_latest()) - case.at) * 0.3


def always(counter: Counter) -> bool:
    """Fit everywhere."""
    return True


def all_of(*conditions: Callable[[Counter], bool]) -> Callable[[Counter], bool]:
    """Join conditions on a counter."""
    return lambda counter: all(condition(counter) for condition in conditions)


def is_promised(counter: Counter) -> bool:
    """Tell whether cases are handled within a promise of days (承诺件)."""
    return counter.item.type == "promised"


def is_licence(counter: Counter) -> bool:
    """Tell whether a document is issued that the Licensing Law is about."""
    return counter.item.nature == "licence"


def is_instant(counter: Counter) -> bool:
    """Tell whether cases are handled while the applicant waits (即办件)."""
    return counter.item.type == "instant"


def is_joint(counter: Counter) -> bool:
    """Tell whether several departments decide (联办件)."""
    return bool(counter.legs)


def is_unlimited(counter: Counter) -> bool:
    """Tell whether no single step has a limit, so that nothing is late between acceptance and finish."""
    return not counter.step_limits


def hands_on(counter: Counter) -> bool:
    """Tell whether a case is passed on inside the department."""
    return EventType.TRANSFER in counter.steps


def decides_apart(counter: Counter) -> bool:
    """Tell whether a case is decided apart from being finished."""
    return EventType.APPROVE in counter.steps or not counter.steps


def archives(counter: Counter) -> bool:
    """Tell whether finished cases are archived."""
    return EventType.ARCHIVE in counter.steps or counter.archive is not None


def waits_for(procedure: Procedure) -> Callable[[Counter], bool]:
    """Tell of a counter whether its cases may need a procedure of art. 45."""
    return lambda counter: procedure in (counter.item.procedures or ())


def has_time(counter: Counter) -> bool:
    """Tell whether both promise and law leave a week at least."""
    return counter.leaves(6)
