"""V31: a source of which nothing is heard in office hours."""

from datetime import datetime, time, timedelta

import pytest
from msgspec.structs import replace

from monitor.rulebook.model import Limits, Rulebook, RulebookVersion, RuleSetting
from monitor.rules.apart import Apart
from monitor.rules.silence import Heard, silences
from monitor.verdict import Severity, finding_id
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, TICK, book_with, when, with_source

FRIDAY = "2009-03-06 16:30"
"""An hour of office is left on Friday; Monday's begins at 08:30."""


def silent(until: str | datetime, book: Rulebook = BOOK, source: str = "hall", heard: str = FRIDAY) -> list[Apart]:
    """Ask which of one source is silent at an instant, and was last heard of at another."""
    last = Heard(event_at=when(heard) - timedelta(minutes=1), received_at=when(heard))
    horizon = when(until) if isinstance(until, str) else until
    return silences(RulebookVersion(3, book), {source: last}, horizon)


def test_two_office_hours_without_a_word() -> None:
    """An hour on Friday and one on Monday: nights and weekends are silent by nature."""
    gone = when("2009-03-09 09:30")
    assert silent(gone) == []
    (said,) = silent(gone + TICK)
    assert (said.finding.rule, said.finding.kind, said.finding.severity) == ("V31", "data", Severity.NOTICE)
    assert said.finding.occurred_at == gone
    assert said.finding.id == finding_id("", "V31", "hall")
    assert (said.finding.cause, said.region, said.case) == ("silence:hall", "4509", "")


def test_three_times_as_long_is_a_warning() -> None:
    """Six office hours: one on Friday, five on Monday."""
    grave = when("2009-03-09 16:00")
    assert [each.finding.severity for each in silent(grave)] == [Severity.NOTICE]
    assert [each.finding.severity for each in silent(grave + TICK)] == [Severity.WARNING]


def test_holidays_are_silent_by_nature() -> None:
    """Monday 6 April is a holiday; the hours go on counting on Tuesday."""
    assert silent("2009-04-06 20:00", heard="2009-04-03 16:30") == []
    assert silent("2009-04-07 09:31", heard="2009-04-03 16:30")


def test_a_late_source_is_given_its_lateness() -> None:
    """A source that delivers nightly is expected a day after it was last heard of."""
    heard = "2009-03-03 01:00"
    assert silent("2009-03-04 10:30", source="night", heard=heard) == []
    assert silent("2009-03-04 10:31", source="night", heard=heard)


@pytest.mark.parametrize(
    ("book", "hours"),
    [
        (BOOK, 2.0),
        (with_source("hall", silence_hours=0.5), 0.5),
        (book_with(rules={"V31": RuleSetting(parameters={"hours": 2.5})}), 2.5),
        (book_with(rules={"V31": RuleSetting(mode="off")}), 2.0),
    ],
)
def test_the_hours_are_those_of_the_source_or_of_the_rule(book: Rulebook, hours: float) -> None:
    """A source may be quieter than others; a rule about the data is never off."""
    gone = when("2009-03-04 09:00") + timedelta(hours=hours)
    assert silent(gone, book, heard="2009-03-04 09:00") == []
    (said,) = silent(gone + TICK, book, heard="2009-03-04 09:00")
    assert said.finding.evidence["hours"] == hours


def test_intake_hours_do_not_matter() -> None:
    """When applications count as the next day's says nothing of when a source should be heard."""
    early = tuple(replace(profile, intake_cutoff=time(9), roll_start=True) for profile in BOOK.profiles)
    assert silent("2009-03-04 12:00", book_with(profiles=early), heard="2009-03-04 09:30")


def test_without_a_profile_nothing_is_concluded() -> None:
    """Where nobody knows the office hours, or they never come, no source is silent."""
    assert silent("2009-06-01 00:00", book_with(limits=Limits(profile="nowhere"))) == []
    closed = tuple(replace(profile, seasons=()) for profile in BOOK.profiles)
    assert silent("2009-03-12 00:00", book_with(profiles=closed)), "then whole working days count"


def test_what_is_not_registered_is_not_missed() -> None:
    """A retired source, and one that was never heard of live, are silent for good."""
    assert silences(RulebookVersion(1, BOOK), {}, when("2009-06-01 00:00")) == []
    gone = book_with(sources=tuple(source for source in BOOK.sources if source.code != "hall"))
    assert silent("2009-06-01 00:00", gone) == []


def test_the_sentence_names_the_last_event() -> None:
    """Whoever runs the source sees what came last, and when."""
    (said,) = silent("2009-03-09 12:00")
    english = say_finding(said.finding, "en", BOOK)
    assert "Nothing from source hall for more than 2 office hours" in english
    assert "its last event was of 2009-03-06 16:29, last received at 2009-03-06 16:30" in english
    assert "来源 hall 在 2 个以上办公小时内没有任何报送" in say_finding(said.finding, "zh", BOOK)
