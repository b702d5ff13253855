"""What the survey counts with: durations, the order of steps, fields."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.events import Event, EventData, EventType
from monitor.readiness.filled import Fields
from monitor.readiness.order import StepOrder
from monitor.readiness.spread import Durations, Spread
from tests.small_centre import at, event


def seconds(*values: float) -> Durations:
    """Collect durations of so many seconds."""
    durations = Durations()
    for value in values:
        durations.add(timedelta(seconds=value))
    return durations


def test_no_durations_have_no_spread() -> None:
    """Nothing seen is nothing said, not zero seconds."""
    assert seconds().spread() is None


def test_durations_are_summed_up() -> None:
    """Of a hundred durations the 95th in order is the 95 %; durations may be negative and are rounded down."""
    assert seconds(*range(1, 101)).spread() == Spread(100, 1, 50, 95, 99, 100)
    assert seconds(-0.5, 7.9).spread() == Spread(2, -1, -1, 7, 7, 7)
    assert seconds(1, 2, 3, 3600).beyond(timedelta(seconds=2)) == 2


@given(st.lists(st.integers(-1000, 1000), min_size=1))
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(values: list[int]) -> None:
    """For each percentile at least so many are not above it, and fewer than so many are below it."""
    spread = seconds(*values).spread()
    assert spread is not None
    for part, found in ((50, spread.p50), (95, spread.p95), (99, spread.p99)):
        assert sum(value <= found for value in values) * 100 >= part * len(values)
        assert sum(value < found for value in values) * 100 < part * len(values)
    assert (spread.least, spread.most) == (min(values), max(values))


def case(accept: float, approve: float, *, source: str = "night", finish: float = 9) -> list[Event]:
    """An application at 0, accepted, approved by another source, and finished, in hours."""
    return [
        event("finish", time=at(0, finish)),
        event("approve", time=at(0, approve), source=source),
        event("accept", time=at(0, accept)),
        event(time=at(0, 0)),
    ]


def test_steps_in_order_show_no_clock() -> None:
    """Neighbouring steps of a case are compared, in whatever order they came."""
    order = StepOrder("hall")
    order.add(case(1, 2))
    within, between = order.inversions()
    assert (within.other, within.pairs, within.inverted, within.gap) == ("hall", 1, 0, None)
    assert (between.other, between.pairs, between.inverted) == ("night", 2, 0)


def test_wrong_order_tells_which_clock_seems_ahead_and_by_how_much() -> None:
    """Accepted here after it was approved there: this clock is ahead; finished here before: the other one is."""
    order = StepOrder("hall")
    order.add(case(2.1, 2))
    order.add(case(1, 9.2))
    between = order.inversions()[1]
    assert (between.pairs, between.inverted, between.ahead) == (4, 2, 1)
    assert between.gap is not None
    assert (between.gap.least, between.gap.most) == (360, 720)


def test_steps_of_other_sources_alone_say_nothing_of_this_one() -> None:
    """A pair neither step of which it sent is left out; a case of one step has no pair."""
    order = StepOrder("files")
    order.add(case(3, 2))
    order.add([event(source="files")])
    assert order.inversions() == []


def test_fields_are_counted_where_they_matter() -> None:
    """A voucher matters in an acceptance and not in an application; a reason may be a code, a hash or a text."""
    fields = Fields()
    for each in (
        event("accept", data=EventData(voucher="v1")),
        event("accept", name="2"),
        event("refuse", data=EventData(reason_hash="h")),
        event("refuse", data=EventData(text="一段话")),
        event("refuse"),
        Event(id="1", source="hall", type=EventType.HEARTBEAT, time=at(0)),
    ):
        fields.add(each)
    told = {(each.type, each.field): (each.filled, each.events) for each in fields.filled()}
    assert told["accept", "voucher"] == (1, 2)
    assert told["refuse", "reason"] == (2, 3)
    assert told["accept", "operator"] == (0, 2)
    assert ("heartbeat", "recorded") not in told
    assert (fields.share("voucher"), fields.share("recorded"), fields.share("rating")) == (0.2, 0.0, None)
