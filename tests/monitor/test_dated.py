"""Sources that know the day alone (`precision: day`): nothing is judged to the hour, late is later than the due day."""

import pytest
from msgspec.structs import replace

from monitor.case import open_file
from monitor.explain import explain
from monitor.rulebook.model import Rulebook
from monitor.verdict import Assessment, Clock, Pause
from tests.monitor.cases import (
    BOOK,
    TICK,
    Line,
    at,
    book_with,
    case,
    clock,
    end_of,
    finding,
    found,
    history,
    judge,
    when,
    with_item,
)

LATER = "2009-06-01 00:00"


def on(day: str, kind: str, **changes: object) -> Line:
    """Write an event of the source that tells dates: midnight of its day."""
    return at(f"{day} 00:00", kind, source="daily", **changes)  # type: ignore[arg-type]


def judged(*lines: Line, until: object = LATER, item: str = "permit", book: Rulebook = BOOK) -> Assessment:
    """Judge a case of an item."""
    return judge(case(*lines, item=item), until, book)  # type: ignore[arg-type]


def promised(*lines: Line, until: object = LATER, item: str, book: Rulebook = BOOK) -> Clock:
    """Give the promised clock of a case."""
    return clock(judged(*lines, until=until, item=item, book=book), "promised")


ACCEPTED = (on("2009-03-02", "apply"), on("2009-03-02", "accept"))


@pytest.mark.parametrize(
    ("item", "due", "used"),
    [
        ("permit", "2009-03-09", 5),  # 5 wd, next_day
        ("same", "2009-03-05", 3),  # 3 wd at the same time of day
        ("hours", "2009-03-04", 2),  # 1.5 wd of office hours
        ("natural", "2009-03-07", 5),  # 5 calendar days
    ],
)
def test_every_way_of_counting_counts_days(item: str, due: str, used: int) -> None:
    """Due is the end of a day whatever the profile; a part of a day is a whole one; dated that day is in time."""
    ended = promised(*ACCEPTED, on(due, "finish"), item=item)
    assert (ended.due, ended.phase, ended.used, ended.per_day) == (end_of(due), "met", used, 1)
    open_clock = promised(*ACCEPTED, until=end_of(due), item=item)
    assert open_clock.phase == "running"
    assert promised(*ACCEPTED, until=end_of(due) + TICK, item=item).phase == "breached"


@pytest.mark.parametrize("item", ["same", "hours"])
def test_a_day_too_late_is_late(item: str) -> None:
    """Days can be judged: what is dated behind the due day is a breach."""
    late = promised(*ACCEPTED, on("2009-03-06", "finish"), item=item)
    assert late.phase == "breached"


def test_the_hours_of_one_source_do_not_judge_the_days_of_another() -> None:
    """Accepted at ten in the hall with half a day to go, and finished by a system of dates: by the end of the next day.

    It may have been accepted in the last minute of office, so that half a day reaches into the next.
    """
    half = with_item("hours", promised_limit="0.5 wd")
    lines = (at("2009-03-02 09:00", "apply"), at("2009-03-02 10:00", "accept"))
    precise = promised(*lines, item="hours", book=half)
    assert precise.due == when("2009-03-02 15:45")
    mixed = promised(*lines, on("2009-03-03", "finish"), item="hours", book=half)
    assert (mixed.due, mixed.phase) == (end_of("2009-03-03"), "met")


def test_closing_time_is_not_known_either() -> None:
    """Where a due day ends with the office, that of a source of dates ends at midnight."""
    closing = book_with(profiles=tuple(replace(profile, day_end="closing") for profile in BOOK.profiles))
    assert promised(*ACCEPTED, item="permit", book=closing).due == end_of("2009-03-09")
    hall = tuple(at(line.time, line.kind.value) for line in ACCEPTED)
    assert promised(*hall, item="permit", book=closing).due == when("2009-03-09 17:30")


def test_a_due_instant_set_by_a_source_of_dates_is_a_day() -> None:
    """Due on the 9th means up to its end, for what is absent and for a later word that moves it."""
    set_due = on("2009-03-02", "accept", due="2009-03-09 00:00")
    assert promised(ACCEPTED[0], set_due, item="permit").due == end_of("2009-03-09")
    moved = on("2009-03-09", "transfer", due="2009-03-20 00:00")
    assert promised(ACCEPTED[0], set_due, moved, item="permit").due == end_of("2009-03-20")
    too_late = on("2009-03-10", "transfer", due="2009-03-20 00:00")
    assert promised(ACCEPTED[0], set_due, too_late, item="permit").due == end_of("2009-03-09")


def test_deferred_materials_are_due_with_their_day() -> None:
    """Received on the day named is in time; that day must be over before they are overdue."""
    owed = on("2009-03-02", "accept", deferred_until=when("2009-03-09 00:00"))
    assert clock(judged(owed, until=end_of("2009-03-09")), "deferred").phase == "running"
    assert clock(judged(owed, on("2009-03-09", "deferred_received")), "deferred").phase == "met"


def test_notice_and_acceptance_compare_dates() -> None:
    """Five working days from receipt, and the same day after a supplement."""
    in_time = (on("2009-03-02", "received"), on("2009-03-09", "supplement_notice"))
    again = (on("2009-03-16", "supplement_received"), on("2009-03-16", "accept"))
    assert found(judged(*in_time, *again, until="2009-03-16 20:00")) == []
    assert clock(judged(on("2009-03-02", "received"), on("2009-03-10", "accept")), "notice").phase == "breached"
    a_day_later = (*in_time, again[0], on("2009-03-17", "accept"))
    assert clock(judged(*a_day_later), "accept", "1").phase == "breached"


def test_a_suspension_takes_out_whole_days() -> None:
    """From a day to a day: the days behind the first are out, as where days are counted anyway."""
    out = (on("2009-03-03", "suspend", procedure="testing"), on("2009-03-05", "resume"))
    paused = promised(*ACCEPTED, *out, item="same")
    assert paused.pauses == (Pause(when("2009-03-03 00:00"), when("2009-03-05 00:00")),)
    assert paused.due == end_of("2009-03-09")
    planned = on("2009-03-03", "suspend", procedure="testing", planned_days=0.5)
    assert promised(*ACCEPTED, planned, item="hours").due == end_of("2009-03-05")


def test_steps_of_one_day_follow_by_their_types() -> None:
    """A finish dated the day of an acceptance at ten comes after it: the step in between was not left lying."""
    lines = (at("2009-03-02 09:00", "apply"), at("2009-03-02 10:00", "accept"), on("2009-03-02", "approve"))
    step = clock(judged(*lines, item="stepped"), "step", "accept")
    assert (step.phase, step.end_event) == ("met", "daily/approve")


def test_the_decision_of_the_day_of_the_finish_counts() -> None:
    """An approval at three in the afternoon is up to a finish that is dated the same day."""
    lines = (at("2009-03-02 10:00", "accept"), at("2009-03-03 10:00", "approve", outcome="refused"))
    second = at("2009-03-06 15:00", "approve", outcome="refused")
    decided = clock(judged(*lines, second, on("2009-03-06", "finish")), "statutory")
    assert decided.end_event == "hall/approve-2"


def test_steps_of_the_day_of_the_finish_may_still_come() -> None:
    """A case finished today lacks a step only when the day is over, and what clocks may differ."""
    lines = (*ACCEPTED, on("2009-03-04", "finish", outcome="refused"))
    assert ("V06", "live") not in found(judged(*lines, until="2009-03-04 18:00"))
    assert finding(judged(*lines, until="2009-03-05 00:05"), "V06").evidence["missing"] == ["approve"]


def test_a_date_is_not_late_before_its_day_is_over() -> None:
    """What happened on the 9th is told in the evening of the 9th: nothing is contested by it."""
    evening = on("2009-03-09", "finish", received="2009-03-09 19:00")
    books = history(BOOK)
    assert open_file(case(*ACCEPTED, evening), books, when(LATER)).late == ()
    next_day = on("2009-03-09", "finish", received="2009-03-10 08:00")
    assert len(open_file(case(*ACCEPTED, next_day), books, when(LATER)).late) == 1


def test_explain_says_that_days_were_counted() -> None:
    """The arithmetic is in days, says why, and adds up to what was used."""
    entries = case(*ACCEPTED, on("2009-03-05", "finish"), item="hours")
    for lang, why in (("zh", "只报日期"), ("en", "dates alone")):
        told = explain(entries, history(BOOK), when(LATER), lang)  # type: ignore[arg-type]
        shown = next(each for each in told.clocks if why in each.arithmetic)
        assert shown.days
    assert "used 3, budget 2, remaining -1" in next(c for c in told.clocks if "promised" in c.title).arithmetic
