"""What holds for each of the eight clocks as a case arms it (I7): due and used are those of a walk minute by minute."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.rulebook.model import parse_limit
from monitor.timing import interval
from monitor.verdict import Clock
from tests.monitor.brute_force import Walk
from tests.monitor.cases import BOOK, ZONE, Line, at, case, judge, when

LENGTH = 24 * 24 * 60
HOLIDAY = date(2009, 4, 6)
START = when("2009-03-27 00:00")  # a Friday; the Monday after next is a holiday
LATER = "2009-12-31 00:00"
KINDS = (
    *("consult", "reply", "apply", "received", "supplement_notice", "supplement_received", "accept", "accept"),
    *("transfer", "suspend", "resume", "approve", "approve", "finish", "finish", "issue", "archive"),
)


def works(day: date) -> bool:
    """Tell a working day of the centre: Monday to Friday but for one holiday."""
    return day.weekday() < 5 and day != HOLIDAY


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Draw one event at a whole minute, in office hours and out of them."""
    minutes = draw(st.integers(0, 14)) * 1440 + draw(st.sampled_from([0, 510, 607, 720, 1020, 1050, 1320, 1439]))
    kind = draw(st.sampled_from(KINDS))
    data = {
        "transfer": {"to": ("fire", "water")},
        "suspend": {"procedure": "testing"},
        "approve": {"outcome": "granted"},
    }.get(kind, {})
    department = draw(st.sampled_from(["land", "fire", "water"]))
    return at(START + timedelta(minutes=minutes), kind, department=department, **data)


def walk_of(clock: Clock) -> Walk:
    """Walk a clock from its start, under the profile and with the pauses it names."""
    assert clock.started_at is not None
    profile = BOOK.profile[clock.profile]
    pauses = [interval(pause) for pause in clock.pauses]
    return Walk(profile, parse_limit(clock.limit), works, ZONE, clock.started_at, pauses, LENGTH)


@given(
    st.lists(lines(), min_size=2, max_size=12),
    st.sampled_from(["permit", "tested", "joint", "stepped", "hours", "same", "natural", "approval", "instant"]),
)
def test_every_clock_of_a_case_is_counted_as_a_walk_counts_it(drawn: list[Line], item: str) -> None:
    """Whatever happens to a case, each clock is due when the walk says, and has used what the walk used."""
    for clock in judge(case(*drawn, item=item), LATER).clocks:
        assert clock.phase not in ("unobserved", "unarmable")
        walk = walk_of(clock)
        assert (clock.budget, clock.per_day > 0) == (walk.budget, True)
        if walk.due is not None:
            assert clock.due == walk.due, clock
            assert (clock.phase == "breached") == ((clock.ended_at or when(LATER)) > walk.due), clock
        if clock.ended_at is not None:
            assert clock.used == walk.used(clock.ended_at), clock
            assert clock.remaining == walk.budget - walk.used(clock.ended_at)
