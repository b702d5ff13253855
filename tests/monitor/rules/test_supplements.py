"""Supplements: told once of everything the catalogue asks for (V11), and not after acceptance (V12)."""

from typing import Any

import pytest

from monitor.language import LANGS, Lang
from monitor.rulebook.model import Material
from monitor.verdict import Severity
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, Line, at, case, found, history, judge, sending, when, with_item, with_source
from tests.monitor.rules.conduct import ACCEPT, APPLY, OPENED, found_of, subjects_of

LISTED = with_item("permit", materials=(Material(code="M1", name="甲"), Material(code="M2", name="乙")))


def asked(moment: str, *materials: str, **settings: Any) -> Line:
    """Ask for materials."""
    return at(moment, "supplement_notice", materials=materials or None, **settings)


FIRST = asked("2009-03-02 10:00", "M1")
SECOND = asked("2009-03-04 10:00", "M1", name="again")
BROUGHT = at("2009-03-03 10:00", "supplement_received")


def test_a_second_notice_with_nothing_in_between_is_found() -> None:
    """Everything must be told at once; the finding says when it was asked for what, and when before."""
    (said,) = found_of("V11", APPLY, FIRST, SECOND, until="2009-03-04 12:00")
    assert (said.severity, said.subject, said.department) == (Severity.PROMISED_BREACH, "a:hall/again", "land")
    assert said.occurred_at == when("2009-03-04 10:00")
    assert said.evidence["events"] == ["hall/supplement_notice", "hall/again"]
    assert (said.evidence["asked_before"], said.evidence["asked"]) == (["M1"], ["M1"])


@pytest.mark.parametrize(
    ("materials", "subjects"),
    [(("M1",), []), ((), []), (("M1", "M2"), ["b:hall/again"]), (("M2",), ["b:hall/again"])],
)
def test_a_notice_that_answers_a_new_submission_may_ask_for_nothing_new(
    materials: tuple[str, ...], subjects: list[str]
) -> None:
    """A new submission may be defective again (V11's false positive); what was not asked for before tells it apart."""
    again = asked("2009-03-04 10:00", *materials, name="again")
    assert subjects_of("V11", APPLY, FIRST, BROUGHT, again) == subjects


def test_both_can_be_wrong_with_one_notice() -> None:
    """A second notice out of nothing that asks for more is found for both."""
    again = asked("2009-03-04 10:00", "M1", "M2", name="again")
    said = found_of("V11", APPLY, FIRST, again)
    assert [finding.subject for finding in said] == ["a:hall/again", "b:hall/again"]
    assert said[1].evidence["materials"] == ["M2"]


def test_what_a_notice_before_did_not_list_is_not_called_new() -> None:
    """Where a list was not told, nobody knows what is absent from it."""
    silent = asked("2009-03-02 10:00")
    assert subjects_of("V11", APPLY, silent, BROUGHT, asked("2009-03-04 10:00", "M2")) == []


def test_a_third_notice_is_held_against_all_before() -> None:
    """What any notice before asked for is not new."""
    third = asked("2009-03-06 10:00", "M1", "M2", name="third")
    more = at("2009-03-05 10:00", "supplement_received")
    assert subjects_of("V11", APPLY, FIRST, BROUGHT, asked("2009-03-04 10:00", "M2"), more, third) == [
        "b:hall/supplement_notice-2"
    ]


@pytest.mark.parametrize(
    ("second", "told_twice"),
    [
        (asked("2009-03-02 10:03", "M2"), True),  # one notice in two events
        (asked("2009-03-02 10:06", "M2"), False),
        (asked("2009-03-02 15:00", "M1", source="night"), True),  # another system tells the same
        (asked("2009-03-02 15:00", "M2", source="night"), False),
        (asked("2009-03-03 15:00", "M1", source="night"), False),
        (asked("2009-03-02 00:00", "M2", source="daily"), True),  # that day, and before it for all it knows
    ],
)
def test_one_notice_told_twice_is_one(second: Line, told_twice: bool) -> None:
    """Two events of one moment, or of one day and two sources, are one notice."""
    assert (subjects_of("V11", APPLY, FIRST, second) == []) is told_twice


@pytest.mark.parametrize("between", ["apply", "received", "refuse"])
def test_a_new_application_under_the_same_number_begins_anew(between: str) -> None:
    """Who applies again may be told again of everything."""
    assert subjects_of("V11", APPLY, FIRST, at("2009-03-03 10:00", between), SECOND) == []


def test_a_repetition_waits_for_what_may_still_arrive() -> None:
    """What came in between may be on its way: so long nothing is found, and then the case is looked at again."""
    lines = (APPLY, FIRST, SECOND)
    early = judge(case(*lines), "2009-03-04 10:00")
    assert found(early) == []
    assert early.next_change is not None
    assert early.next_change <= when("2009-03-04 10:05")
    assert found(judge(case(*lines), "2009-03-04 10:05")) == [("V11", "live")]
    late = at("2009-03-03 10:00", "supplement_received", received="2009-03-10 10:00")
    assert [f.state for f in found_of("V11", *lines, late)] == ["contested"]


def test_nothing_is_missing_that_no_source_can_send() -> None:
    """Where nobody can tell that materials were handed in, a second notice proves nothing."""
    blind = with_source("hall", types=sending("supplement_received"))
    assert subjects_of("V11", APPLY, FIRST, SECOND, book=blind) == []


def test_a_notice_may_ask_only_for_published_materials() -> None:
    """Materials the catalogue does not list must not be asked for (art. 31), not even at first."""
    (said,) = found_of("V11", APPLY, asked("2009-03-02 10:00", "M1", "M9"), book=LISTED)
    assert (said.subject, said.evidence["materials"]) == ("c:hall/supplement_notice", ["M9"])
    assert found_of("V11", APPLY, asked("2009-03-02 10:00", "M1", "M2"), book=LISTED) == []
    assert found_of("V11", APPLY, asked("2009-03-02 10:00", "M9")) == [], "the item lists none"


def test_any_version_that_may_hold_lists_what_may_be_asked_for() -> None:
    """A material of the catalogue at the first event, at acceptance or on the day is no surplus."""
    versions = history(LISTED, BOOK, since=["2009-03-02 09:30"])
    assert found_of("V11", APPLY, asked("2009-03-02 10:00", "M1"), book=versions) == []
    assert found_of("V11", APPLY, asked("2009-03-02 10:00", "M3"), book=versions) != []


# After acceptance


def test_a_notice_after_acceptance_is_found() -> None:
    """A supplement is an act before acceptance; the clocks run on."""
    entries = case(*OPENED, asked("2009-03-03 10:00", "M1"))
    (said,) = found_of("V12", *OPENED, asked("2009-03-03 10:00", "M1"))
    assert (said.severity, said.subject) == (Severity.PROMISED_BREACH, "hall/supplement_notice")
    assert said.evidence["events"] == ["hall/accept", "hall/supplement_notice"]
    assert found(judge(entries, "2009-03-09 17:00")) == [("V12", "live")]
    assert found(judge(entries, "2009-03-10 09:00")) == [("V01", "live"), ("V12", "live")]


@pytest.mark.parametrize(
    ("moment", "source", "found"),
    [
        ("2009-03-02 10:00", "hall", False),
        ("2009-03-02 10:05", "hall", False),
        ("2009-03-02 10:06", "hall", True),
        ("2009-03-02 10:50", "rough", False),
        ("2009-03-02 00:00", "daily", False),
        ("2009-03-03 00:00", "daily", True),
    ],
)
def test_a_notice_of_the_moment_of_acceptance_is_none(moment: str, source: str, found: bool) -> None:
    """Order means something only beyond the tolerance of the clocks, and by days where one knows days only."""
    assert bool(found_of("V12", *OPENED, asked(moment, source=source))) is found


@pytest.mark.parametrize(("until", "found"), [("2009-03-05 00:00", False), ("2009-03-04 23:59", True)])
def test_materials_accepted_as_missing_may_be_asked_for_until_they_are_due(until: str, found: bool) -> None:
    """A case accepted with deferred materials (容缺受理) may be reminded up to the day they are due."""
    accept = at("2009-03-02 10:00", "accept", deferred_until=when(until))
    assert bool(found_of("V12", APPLY, accept, asked("2009-03-05 16:00"))) is found


@pytest.mark.parametrize(("between", "found"), [("apply", False), ("withdraw", False), ("transfer", True)])
def test_who_applies_anew_may_be_asked_anew(between: str, found: bool) -> None:
    """An application withdrawn and made again under one number is no longer the one accepted."""
    lines = (*OPENED, at("2009-03-03 09:00", between), asked("2009-03-03 10:00", "M1"))
    assert bool(found_of("V12", *lines)) is found


def test_a_late_notice_of_a_deemed_case_is_not_held_against_it_twice() -> None:
    """Accepted by silence, a case whose notice comes late broke the limit of the notice, which says it all."""
    assert found_of("V12", APPLY, asked("2009-03-11 10:00", "M1")) == []


def test_a_retracted_acceptance_takes_the_finding_back() -> None:
    """The finding follows the events: without acceptance there is none."""
    retract = at("2009-03-02 10:01", "retract", target="accept")
    assert found_of("V12", APPLY, ACCEPT, retract, asked("2009-03-03 10:00", "M1")) == []


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    "lines",
    [(FIRST, SECOND), (FIRST, BROUGHT, asked("2009-03-04 10:00", "M2")), (asked("2009-03-04 10:00", "M7"),),
     (ACCEPT, asked("2009-03-04 10:00", "M1"))],
)  # fmt: skip
def test_each_is_told_with_its_times(lines: tuple[Line, ...], lang: Lang) -> None:
    """Who reads the finding reads when what was asked for."""
    (said,) = [*found_of("V11", APPLY, *lines, book=LISTED), *found_of("V12", APPLY, *lines, book=LISTED)]
    assert "2009-03-04 10:00" in say_finding(said, lang, BOOK)
