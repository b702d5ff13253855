"""How steps were entered: late entry (V08), and several steps at one instant (V10)."""

from typing import Any

import pytest

from monitor.events import TextMark
from monitor.language import LANGS, Lang
from monitor.verdict import Severity
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, Line, at, book_with, with_item, with_mode, with_source
from tests.monitor.rules.conduct import ACCEPT, APPLY, ARCHIVE, CLOSED, ISSUE, OPENED, found_of, subjects_of

WINDOW = "W1"


def approved(done: str, entered: str | None, **settings: Any) -> Line:
    """Approve at one time and enter it at another."""
    return at(done, "approve", outcome="granted", recorded=entered, **settings)


def test_an_act_entered_hours_after_it_was_done_is_found() -> None:
    """The finding says what was done when, when it was entered, how late that is and what is allowed."""
    late = approved("2009-03-03 09:00", "2009-03-03 16:00", window=WINDOW)
    (said,) = found_of("V08", *OPENED, late)
    assert (said.severity, said.subject, said.mode, said.department) == (Severity.WARNING, "hall", "card", "land")
    assert said.evidence["events"] == ["hall/approve"]
    assert said.evidence["delays"] == [
        {
            "event": "hall/approve",
            "step": "approve",
            "at": "2009-03-03T01:00:00Z",
            "recorded": "2009-03-03T08:00:00Z",
            "hours": 4.5,
            "hours_allowed": 2,
        }
    ]
    assert say_finding(said, "zh", BOOK) == (
        "1 个环节补录，或晚于后续环节登记；首个：审批办理于 2009-03-03 09:00，登记于 2009-03-03 16:00。"
    )


@pytest.mark.parametrize(
    ("done", "entered", "window", "found"),
    [
        ("2009-03-03 09:00", "2009-03-03 11:00", WINDOW, False),
        ("2009-03-03 09:00", "2009-03-03 11:01", WINDOW, True),
        ("2009-03-03 11:30", "2009-03-03 15:30", WINDOW, False),  # the lunch break is no office time
        ("2009-03-06 17:00", "2009-03-09 09:30", WINDOW, False),  # nor is the weekend
        ("2009-03-06 17:00", "2009-03-09 10:30", WINDOW, True),
        ("2009-03-03 09:00", "2009-03-04 09:00", None, False),
        ("2009-03-03 09:00", "2009-03-04 09:01", None, True),
        ("2009-03-06 17:00", "2009-03-09 17:00", None, False),  # a closed day does not count elsewhere either
        ("2009-03-06 17:00", "2009-03-09 17:01", None, True),
        ("1999-03-03 09:00", "2009-03-04 09:01", WINDOW, True),
        ("2009-03-03 09:00", None, WINDOW, False),
    ],
)
def test_a_window_has_two_office_hours_and_a_system_a_working_day(
    done: str, entered: str | None, window: str | None, found: bool
) -> None:
    """Late is late in the time anybody could have entered it; an entry nobody tells of is not held against anyone."""
    assert bool(found_of("V08", *OPENED, approved(done, entered, window=window))) is found


def test_hours_are_those_of_the_clock_where_no_office_hours_are_known() -> None:
    """A rulebook without office hours counts the hours as they are."""
    bare = tuple(type(p)(code=p.code, kind=p.kind, seasons=()) for p in BOOK.profiles)
    late = approved("2009-03-03 11:30", "2009-03-03 15:30", window=WINDOW)
    assert found_of("V08", *OPENED, late, book=book_with(profiles=bare))


def test_what_is_allowed_are_parameters() -> None:
    """A deployment allows its windows more, or less."""
    late = approved("2009-03-03 09:00", "2009-03-03 11:01", window=WINDOW)
    assert found_of("V08", *OPENED, late, book=with_mode("V08", "card", window_hours=3)) == []


@pytest.mark.parametrize(
    ("entered", "found"), [("2009-03-04 23:00", False), ("2009-03-05 00:00", False), ("2009-03-05 09:00", True)]
)
def test_a_source_of_days_is_late_from_the_end_of_the_day(entered: str, found: bool) -> None:
    """Of a date alone nobody knows the hour: the whole day is given, and the hours allowed after it."""
    late = approved("2009-03-03 00:00", entered, source="daily")
    assert bool(found_of("V08", *OPENED, late)) is found


def test_a_suspension_told_at_its_end_is_not_late() -> None:
    """A source registered to tell suspensions only once they have ended does what it said; another is late."""
    for source, found in (("at_end", False), ("hall", True)):
        suspend = at("2009-03-03 09:00", "suspend", source=source, procedure="testing", recorded="2009-03-06 09:00")
        resume = at("2009-03-06 09:00", "resume", source=source, recorded="2009-03-06 09:01")
        assert bool(found_of("V08", *OPENED, suspend, resume)) is found


@pytest.mark.parametrize("kind", ["apply", "supplement_received", "withdraw", "rating", "fee"])
def test_what_an_applicant_does_may_be_entered_later(kind: str) -> None:
    """Paper that is keyed in later is no late entry of the office (offline intake)."""
    assert found_of("V08", at("2009-03-02 09:00", kind, recorded="2009-03-09 09:00")) == []


BACK_FILLED = (
    ("2009-03-03 09:00", "2009-03-03 10:30", "2009-03-03 09:30", True),
    ("2009-03-03 09:00", "2009-03-03 09:34", "2009-03-03 09:30", False),  # within the tolerance of the clock
    ("2009-03-03 09:26", "2009-03-03 10:00", "2009-03-03 09:30", False),  # their order means nothing
)


@pytest.mark.parametrize(("done", "entered", "finish_entered", "found"), BACK_FILLED)
def test_a_step_entered_after_a_later_one_is_found(done: str, entered: str, finish_entered: str, found: bool) -> None:
    """A step filled in behind a later one is found however soon, beyond the tolerance of the source's clock."""
    finish = at("2009-03-03 09:30", "finish", outcome="granted", recorded=finish_entered)
    said = found_of("V08", *OPENED, approved(done, entered), finish)
    assert bool(said) is found
    if said:
        (pair,) = said[0].evidence["overtaken"]
        assert (pair["event"], pair["by"]["event"]) == ("hall/approve", "hall/finish")


def test_two_systems_need_not_enter_in_order() -> None:
    """What another source entered says nothing of this one's order."""
    finish = at("2009-03-03 09:30", "finish", source="night", recorded="2009-03-03 09:30")
    assert found_of("V08", *OPENED, approved("2009-03-03 09:00", "2009-03-03 10:30"), finish) == []


def test_many_late_entries_are_one_finding() -> None:
    """A case has one finding for each source, counted in full and dated by the first act."""
    lines = [
        at(f"2009-03-03 {9 + n // 60:02}:{n % 60:02}", "transfer", recorded="2009-03-06 09:00", window=WINDOW)
        for n in range(30)
    ]
    (said,) = found_of("V08", *OPENED, *lines)
    assert (said.evidence["count"], len(said.evidence["delays"]), said.evidence["step"]) == (30, 20, "transfer")


# Steps at one instant

NOW = "2009-03-03 10:00:"


def steps_at(*seconds: str, source: str = "hall", text: Any = None) -> list[Line]:
    """Transfer, approve and finish at seconds of one minute."""
    kinds = ("transfer", "approve", "finish")
    return [at(NOW + s, kind, source=source, text=text) for kind, s in zip(kinds, seconds, strict=True)]


@pytest.mark.parametrize(
    ("seconds", "found"),
    [(("00", "00", "00"), True), (("00", "02", "05"), True), (("00", "03", "06"), False), (("00", "20", "40"), False)],
)
def test_three_steps_within_seconds_are_a_lead(seconds: tuple[str, ...], found: bool) -> None:
    """Three different steps within five seconds are found; each alone may end when it begins."""
    assert bool(found_of("V10", *OPENED, *steps_at(*seconds))) is found


def test_the_lead_shows_each_step_with_its_opinion() -> None:
    """The rows are shown raw, with what is known of each opinion once it is sealed."""
    mark = TextMark(hash="h", length=2, names_step=True)
    for told, opinion in ((mark, {"characters": 2, "names_step": True}), (None, None)):
        (said,) = found_of("V10", *OPENED, *steps_at("00", "00", "02", text=told))
        assert (said.severity, said.mode) == (Severity.WARNING, "lead")
        assert [row["opinion"] for row in said.evidence["rows"]] == [opinion] * 3
        assert said.evidence["steps"] == ["transfer", "approve", "finish"]
        assert said.evidence["seconds"] == 2
    assert say_finding(said, "en", BOOK) == (
        "transfer, approve, finish of a promised-time case within 2 seconds, from 2009-03-03 10:00."
    )


def test_a_lead_is_never_a_card() -> None:
    """However the rulebook has it, what is a lead by nature reaches no board."""
    (said,) = found_of("V10", *OPENED, *steps_at("00", "00", "00"), book=with_mode("V10", "card"))
    assert said.mode == "lead"
    assert found_of("V10", *OPENED, *steps_at("00", "00", "00"), book=with_mode("V10", "off")) == []


@pytest.mark.parametrize("source", ["daily", "minute"])
def test_a_source_that_knows_no_seconds_is_not_compared(source: str) -> None:
    """Equal times say nothing where times are cut off to the minute or the day."""
    assert found_of("V10", *OPENED, *steps_at("00", "00", "00", source=source)) == []
    exact = with_source(source, precision="second")
    assert found_of("V10", *OPENED, *steps_at("00", "00", "00", source=source), book=exact) != []


@pytest.mark.parametrize("item", ["instant", "joint", "escalated", "nobody-knows"])
def test_only_promised_time_cases_are_compared(item: str) -> None:
    """An instant case (即办件) is done at once by right."""
    assert found_of("V10", *OPENED, *steps_at("00", "00", "00"), item=item) == []


def test_repetitions_of_one_step_are_one() -> None:
    """Two steps told three times are two; steps the item does not require do not count."""
    twice = [at(NOW + "00", "transfer"), at(NOW + "01", "transfer"), at(NOW + "02", "approve")]
    assert found_of("V10", *OPENED, *twice) == []
    narrow = with_item("permit", steps=("accept", "approve", "finish"))
    assert found_of("V10", *OPENED, *steps_at("00", "00", "00"), book=narrow) == []


def test_a_proper_case_is_neither() -> None:
    """Steps entered at once, in order and apart, are found by neither rule."""
    assert subjects_of("V08", *OPENED, *CLOSED) == []
    assert subjects_of("V10", APPLY, ACCEPT, ISSUE, ARCHIVE, *CLOSED) == []


@pytest.mark.parametrize("lang", LANGS)
def test_both_are_told_in_both_languages(lang: Lang) -> None:
    """No finding is left without a sentence."""
    late = approved("2009-03-03 09:00", "2009-03-03 16:00", window=WINDOW)
    for rule, lines in (("V08", [late]), ("V10", steps_at("00", "00", "00"))):
        (said,) = found_of(rule, *OPENED, *lines)
        assert "2009-03-03" in say_finding(said, lang, BOOK)
