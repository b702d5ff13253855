"""Cases of a log become events as the mapping says, and what does not fit is left as it was written."""

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from monitor.events import Event, EventType
from streams.drafts import Drafter
from streams.logs import CaseRecord, Row
from streams.mapping import Activity, CaseEvent, DataField, Mapping, Precision, Value
from tests.streams.logs_at_hand import MAPPING

START = "2011-03-01T09:00:00+01:00"


def case(*rows: dict[str, str], **attributes: str) -> CaseRecord:
    """Make a case `c1` of rows at 09:00 on 2 March unless they say otherwise."""
    said = {"concept:name": "c1", "department": "Land office", **attributes}
    stated = [{"time:timestamp": "2011-03-02T09:00:00+01:00", **row} for row in rows]
    return CaseRecord("trace 1", said, [Row(f"trace 1, event {n}", row) for n, row in enumerate(stated, 1)])


def named(name: str, **others: str) -> dict[str, str]:
    """Make a row of an activity."""
    return {"concept:name": name, **others}


def events(mapping: Mapping, record: CaseRecord) -> list[Event]:
    """Give the events of a case, all of which must be in order."""
    drafts = Drafter(mapping).draft(record).drafts
    assert [draft.raw for draft in drafts if draft.event is None] == []
    return [draft.event for draft in drafts if draft.event is not None]


def time_of(written: str, precision: Precision = "second", formats: tuple[str, ...] = ()) -> datetime | None:
    """Give the time a row's text is read as; None: it becomes no event in order."""
    mapping = replace(MAPPING, precision=precision, time_formats=formats)
    [draft] = Drafter(mapping).draft(case(named("check", **{"time:timestamp": written}))).drafts
    return draft.event.time if draft.event else None


def test_attributes_of_a_case_become_events() -> None:
    """What the case itself says becomes an event with a stable id, with the due its source has set."""
    [apply] = events(MAPPING, case(start=START, deadline="2011-03-11T00:00:00+01:00"))
    assert (apply.id, apply.type, apply.case) == ("case:apply", EventType.APPLY, "c1")
    assert apply.time == datetime(2011, 3, 1, 8, tzinfo=UTC)
    assert (apply.region, apply.item, apply.department) == ("r1", "i1", "land")
    assert apply.data.due is not None
    assert apply.data.due.promised == datetime(2011, 3, 10, 23, tzinfo=UTC)


@pytest.mark.parametrize("end", [{}, {"end": ""}, {"end": "UNKNOWN"}])
def test_what_is_absent_makes_no_event(end: dict[str, str]) -> None:
    """No attribute, an empty one and a placeholder are all the same: there is no finish."""
    assert [event.type for event in events(MAPPING, case(start=START, **end))] == [EventType.APPLY]


def test_activities_fit_exactly_or_by_their_beginning() -> None:
    """`confirm *` takes what begins so; a name that fits nothing is counted by name."""
    made = Drafter(replace(MAPPING, once=())).draft(
        case(named("check"), named("confirm a"), named("confirm"), named("Check"), named("letter"), named("letter"))
    )
    assert [draft.event.id for draft in made.drafts if draft.event] == ["check#1", "confirm a#1"]
    assert made.unmapped == {"confirm": 1, "Check": 1, "letter": 2}


def test_the_first_entry_that_fits_wins() -> None:
    """An exception is written above the rule."""
    activities = (
        Activity(type=EventType.REFUSE, names=("check b",)),
        Activity(type=EventType.ACCEPT, names=("check*",)),
    )
    made = events(replace(MAPPING, activities=activities, once=()), case(named("check a"), named("check b")))
    assert [event.type for event in made] == [EventType.ACCEPT, EventType.REFUSE]


def test_conditions_look_at_the_row_and_then_at_the_case() -> None:
    """A row counts only where its condition holds; one it does not hold for is unmapped."""
    made = Drafter(MAPPING).draft(case(named("decide", answer="yes"), named("decide", answer="no"), named("decide")))
    assert len(made.drafts) == 1
    assert made.unmapped == {"decide": 2}
    assert len(events(MAPPING, case(named("decide"), answer="yes"))) == 1


def test_of_what_happens_once_the_earliest_counts() -> None:
    """Not the first row of the file but the earliest; the others are counted and named as what they are."""
    later, earlier = "2011-03-03T09:00:00+01:00", "2011-03-02T10:00:00+02:00"
    made = Drafter(MAPPING).draft(
        case(named("check", **{"time:timestamp": later}), named("confirm x", **{"time:timestamp": earlier}))
    )
    assert [draft.event.id for draft in made.drafts if draft.event] == ["confirm x#1"]
    assert made.unmapped == {"check (not the first accept)": 1}


def test_a_row_without_a_time_is_not_taken_for_a_later_one() -> None:
    """Whether it was the first cannot be known: it is left to be rejected, not left out."""
    made = Drafter(MAPPING).draft(case(named("check", **{"time:timestamp": "soon"}), named("check")))
    assert [draft.event is None for draft in made.drafts] == [True, False]
    assert made.unmapped == {}


def test_derived_ids_are_unique_and_stable() -> None:
    """Repeated activities are numbered by their order, so that importing again makes the same ids."""
    mapping = replace(MAPPING, once=())
    record = case(named("check"), named("check"), named("confirm " + "x" * 200), named("confirm " + "x" * 200 + "y"))
    ids = [event.id for event in events(mapping, record)]
    assert len(set(ids)) == 4
    assert ids[:2] == ["check#1", "check#2"]
    assert ids == [event.id for event in events(mapping, record)]


def test_an_id_of_the_log_is_taken() -> None:
    """Where the log has ids of its own, they are the events'; where one lacks, it is derived."""
    mapping = replace(MAPPING, id="task", once=())
    assert [event.id for event in events(mapping, case(named("check", task="t7"), named("check")))] == ["t7", "check#2"]


def test_unlisted_values_are_taken_as_they_are_or_as_told() -> None:
    """Without `otherwise` an unknown code goes through, to be found as such; with it, it is mapped."""
    fields = {**MAPPING.fields, "channel": Value(attribute="channel", values={"Desk": "window"}, otherwise="other")}
    [event] = events(replace(MAPPING, fields=fields), case(named("check"), department="Moon office", channel="Post"))
    assert (event.department, event.channel) == ("Moon office", "other")
    [silent] = events(replace(MAPPING, fields=fields), case(named("check")))
    assert silent.channel is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2011-03-02T09:00:00.123+01:00", datetime(2011, 3, 2, 8, 0, 0, 123_000, tzinfo=UTC)),
        ("2011-03-02T08:00:00Z", datetime(2011, 3, 2, 8, tzinfo=UTC)),
        ("2011-03-02 09:00:00", datetime(2011, 3, 2, 8, tzinfo=UTC)),  # the zone of the mapping, in winter
        ("2011-07-02 09:00", datetime(2011, 7, 2, 7, tzinfo=UTC)),  # and in summer
        ("2011-10-30T02:30:00", datetime(2011, 10, 30, 0, 30, tzinfo=UTC)),  # occurs twice: the first
        ("2011-03-02", None),
        ("02/03/2011 09:00", None),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("0000-01-01T00:00:00Z", None),
    ],
)
def test_times_are_read_in_the_zone_of_the_mapping(written: str, expected: datetime | None) -> None:
    """An offset in the log counts; without one the zone of the mapping does; anything else is no time."""
    assert time_of(written) == expected


def test_a_date_alone_is_a_time_only_at_day_precision() -> None:
    """A source that knows days may write days; one that claims seconds may not."""
    assert time_of("2011-03-02", "day") == datetime(2011, 3, 1, 23, tzinfo=UTC)
    assert time_of("2011-03-02", "minute") is None


def test_formats_of_the_mapping_are_tried_after_iso() -> None:
    """Times as Chinese and other exports write them are read by formats; a format without hours is a date."""
    formats = ("%Y/%m/%d %H:%M", "%Y年%m月%d日")
    assert time_of("2011/3/2 9:00", formats=formats) == datetime(2011, 3, 2, 8, tzinfo=UTC)
    assert time_of("2011年3月2日", formats=formats) is None
    assert time_of("2011年3月2日", "day", formats) == datetime(2011, 3, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "written", "read"),
    [
        ("days", "42", 42.0),
        ("planned_days", "0.5", 0.5),
        ("remedies_told", "True", True),
        ("to", "a, b", ("a", "b")),
        ("approver_role", "organ_head", "organ_head"),
        ("told_at", "2011-03-02T09:00:00+01:00", datetime(2011, 3, 2, 8, tzinfo=UTC)),
    ],
)
def test_data_have_the_type_of_their_field(field: DataField, written: str, read: object) -> None:
    """Numbers, truths, lists and instants are read as such."""
    activity = Activity(type=EventType.EXTEND, names=("check",), data={field: Value(attribute="x")})
    [event] = events(replace(MAPPING, activities=(activity,)), case(named("check", x=written)))
    assert getattr(event.data, field) == read


@pytest.mark.parametrize(
    ("field", "written"), [("days", "many"), ("days", "nan"), ("rating", "9"), ("outcome", "so-so")]
)
def test_a_datum_that_does_not_fit_stays_as_written(field: DataField, written: str) -> None:
    """It is not dropped and not mended: the bytes to be rejected hold it."""
    activity = Activity(type=EventType.RATING, names=("check",), data={field: Value(attribute="x")})
    [draft] = Drafter(replace(MAPPING, activities=(activity,))).draft(case(named("check", x=written))).drafts
    assert draft.event is None
    assert str(json.loads(draft.raw)["data"][field]) == written


def test_a_row_without_activity_or_case_is_left_to_be_rejected() -> None:
    """Nothing is dropped in silence: the event lacks its type or its case, and says so when it is taken."""
    [draft] = Drafter(MAPPING).draft(case({})).drafts
    assert "type" not in json.loads(draft.raw)
    nameless = CaseRecord("trace 1", {"department": "Land office"}, case(named("check")).rows)
    [draft] = Drafter(MAPPING).draft(nameless).drafts
    assert "case" not in json.loads(draft.raw)


def test_what_a_case_plans_for_after_the_export_is_no_event() -> None:
    """An end dated later than the log was made has not happened; a row dated later is kept, for it was written."""
    mapping = replace(MAPPING, exported=datetime(2011, 3, 5, tzinfo=UTC))
    late = named("check", **{"time:timestamp": "2011-08-01T09:00:00+01:00"})
    made = events(mapping, case(late, start=START, end="2011-03-20T00:00:00+01:00"))
    assert [event.type for event in made] == [EventType.APPLY, EventType.ACCEPT]


def test_the_last_time_is_over_all_rows() -> None:
    """Rows that become no event still show how far the log reaches."""
    made = Drafter(MAPPING).draft(case(named("letter", **{"time:timestamp": "2011-03-20T10:00:00+01:00"}), start=START))
    assert made.last_time == datetime(2011, 3, 20, 9, tzinfo=UTC)


def test_a_case_event_may_be_named_and_conditional() -> None:
    """An id of one's own, and a condition on the case."""
    part = CaseEvent(type=EventType.FINISH, time="end", id="closing", when={"state": ("closed",)})
    mapping = replace(MAPPING, case_events=(part,))
    assert [event.id for event in events(mapping, case(end=START, state="closed"))] == ["closing"]
    assert events(mapping, case(end=START, state="open")) == []
