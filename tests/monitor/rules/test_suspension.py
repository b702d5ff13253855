"""Suspensions that the law does not allow, or that were made for the clock (V13, letter by letter)."""

from datetime import timedelta
from typing import Any

import pytest

from monitor.events import EventType
from monitor.language import LANGS, Lang
from monitor.verdict import Severity
from monitor.wording import say_finding
from tests.monitor.cases import (
    BOOK,
    TICK,
    Line,
    at,
    book_with,
    case,
    end_of,
    judge,
    sending,
    with_item,
    with_mode,
    with_source,
)
from tests.monitor.rules.conduct import ACCEPT, APPLY, APPROVE, FINISH, OPENED, found_of, subjects_of

LONG = "unpromised"  # 20 working days by law: due on 30 March


def suspend(moment: str = "2009-03-03 10:00", **told: Any) -> Line:
    """Suspend as the law wants it, but for what a test tells otherwise."""
    return at(moment, "suspend", **{"procedure": "testing", "planned_days": 5, "approver": "head", **told})


def resume(moment: str = "2009-03-06 10:00", **told: Any) -> Line:
    """Go on after it."""
    return at(moment, "resume", **told)


def letters(*lines: Line, **settings: Any) -> list[str]:
    """List the letters found."""
    return [subject.split(":")[0] for subject in subjects_of("V13", *lines, **{"item": LONG, **settings})]


def test_a_lawful_suspension_is_none() -> None:
    """Listed, founded, told, approved by a head, in time and ended with its document: nothing is found."""
    assert letters(*OPENED, suspend(), resume(), at("2009-03-10 10:00", "approve", outcome="granted")) == []
    assert letters(APPLY, ACCEPT, suspend(approver_role="organ_head", approver=None), until="2009-03-04 00:00") == []


def test_each_letter_is_a_finding_of_its_own() -> None:
    """Of one suspension as much is found as is wrong with it, each with the suspension it is about."""
    bad = suspend(procedure="site_visit", legal_basis=None, approver="O1", operator="O1", name="s")
    said = found_of("V13", *OPENED, bad, resume(result=None), item=LONG)
    assert [finding.subject for finding in said] == ["a:hall/s", "b:hall/s", "e:hall/s", "i:hall/s"]
    assert {finding.severity for finding in said} == {Severity.WARNING}
    assert said[1].evidence["lacks"] == ["legal_basis"]
    assert all("hall/s" in finding.evidence["events"] for finding in said)
    assert "O1" not in str([finding.evidence for finding in said])


# Not listed


@pytest.mark.parametrize(
    ("item", "procedure", "found"),
    [
        (LONG, "hearing", False),
        (LONG, "site_visit", True),
        (LONG, None, False),  # it stops nothing, and nobody said what it was for
        ("tested", "testing", False),
        ("tested", "hearing", True),
    ],
)
def test_a_procedure_must_be_one_of_the_law_and_of_the_item(item: str, procedure: str | None, found: bool) -> None:
    """The list of eight is closed, and the catalogue may narrow it."""
    lines = (*OPENED, suspend(procedure=procedure), resume())
    assert ("a" in letters(*lines, item=item)) is found


def test_an_item_may_need_none() -> None:
    """A catalogue that says no procedure allows none."""
    none = with_item(LONG, procedures=())
    assert letters(*OPENED, suspend(), resume(), book=none) == ["a"]


# Not told


@pytest.mark.parametrize(
    ("told", "lacks"),
    [
        ({"legal_basis": None}, ["legal_basis"]),
        ({"told_at": None}, ["told_at"]),
        ({"legal_basis": None, "told_at": None}, ["legal_basis", "told_at"]),
    ],
)
def test_basis_and_written_notice_are_mandatory(told: dict[str, Any], lacks: list[str]) -> None:
    """Art. 45 wants both: what is not told is lacking."""
    (said,) = found_of("V13", *OPENED, suspend(**told), resume(), item=LONG)
    assert said.evidence["lacks"] == lacks


def test_what_one_telling_leaves_out_another_may_say() -> None:
    """A suspension told by two systems is one, and both together say what it rests on."""
    hall, other = suspend(told_at=None), suspend("2009-03-03 10:30", source="night", legal_basis=None)
    assert letters(*OPENED, hall, other, resume()) == []


# Close to the due instant


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        ("2009-03-26 17:00", False),
        ("2009-03-27 09:00", True),  # Friday: only Monday is left
        ("2009-03-30 17:00", True),
        ("2009-03-31 09:00", True),
        ("2009-04-20 09:00", True),
    ],
)
def test_a_suspension_at_the_last_moment_is_found(moment: str, found: bool) -> None:
    """Begun within a working day of the due instant without it, or after: made for the clock."""
    lines = (*OPENED, suspend(moment, planned_days=None))
    assert ("c" in letters(*lines, until=moment)) is found


def test_a_suspension_does_not_clear_itself() -> None:
    """The due instant it is measured by is the one it was to move; one before it counts."""
    earlier, ended = suspend("2009-03-10 10:00", procedure="hearing"), resume("2009-03-13 10:00", procedure="hearing")
    late, over = suspend("2009-03-30 10:00"), resume("2009-04-01 10:00", procedure="testing")
    assert "c" in letters(*OPENED, late, over)
    assert "c" not in letters(*OPENED, earlier, ended, late, over)
    (said,) = found_of("V13", *OPENED, late, over, item=LONG)
    assert (said.evidence["clock"], said.evidence["due_at"]) == ("statutory", "2009-03-30T15:59:59.999999Z")


def test_a_short_limit_leaves_no_other_moment() -> None:
    """Of two days every moment is near the end: only what comes after it is found."""
    short = with_item("permit", promised_limit="2 wd", statutory_limit="2 wd")
    assert letters(*OPENED, suspend(), resume(), item="permit", book=short) == []
    assert "c" in letters(*OPENED, suspend("2009-03-05 10:00"), resume(), item="permit", book=short)
    wider = with_mode("V13", "card", days_before_due=2)
    assert "c" in letters(*OPENED, suspend("2009-03-26 17:00", planned_days=None), until="2009-03-26 17:00", book=wider)


# Entered afterwards, or begun at the moment of acceptance

DECIDED = at("2009-03-10 10:00", "approve", outcome="granted")


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ("2009-03-03 10:01", False),
        ("2009-03-10 09:59:59", False),
        ("2009-03-10 10:00", True),
        ("2009-03-12 10:00", True),
        (None, False),
    ],
)
def test_a_suspension_entered_once_the_decision_was_known_is_found(recorded: str | None, found: bool) -> None:
    """Dated days before, entered with the decision in hand (domain.md 3.2); without `recorded` nobody knows."""
    assert ("d" in letters(*OPENED, suspend(recorded=recorded), resume(), DECIDED)) is found


def test_the_finish_stands_for_a_decision_nobody_told_of() -> None:
    """Where no approval is told, the finish is what was known."""
    finish = at("2009-03-10 10:00", "finish", outcome="granted")
    (said,) = found_of("V13", *OPENED, suspend(recorded="2009-03-10 10:00"), resume(), finish, item=LONG)
    assert (said.subject, said.evidence["step"]) == ("d:hall/suspend", "finish")
    assert said.evidence["events"] == ["hall/suspend", "hall/resume", "hall/finish"]


@pytest.mark.parametrize(
    ("source", "recorded", "found"),
    [
        ("night", "2009-03-11 01:00", False),  # as late as the source said it would be
        ("night", "2009-03-11 11:00", True),
        ("minute", "2009-03-10 16:00:30", False),  # 16:00 may be 16:00:59
        ("minute", "2009-03-10 16:01:00", True),
        ("daily", "2009-03-20 16:00", False),
    ],
)
def test_lateness_that_was_declared_is_no_back_dating(source: str, recorded: str, found: bool) -> None:
    """A nightly system records everything at night; one that knows days only proves nothing."""
    begun = suspend("2009-03-10 09:00", source=source, recorded=recorded)
    end = resume("2009-03-10 11:00", source=source)
    decided = at("2009-03-10 16:00", "approve", source=source, outcome="granted")
    assert ("d" in letters(*OPENED, begun, end, decided)) is found


def test_two_clocks_may_disagree_about_what_was_known() -> None:
    """A decision another system dates proves back-dating only beyond the tolerance of both."""
    decided = at("2009-03-10 10:00", "approve", source="rough", outcome="granted")
    for recorded, found in (("2009-03-10 10:59", False), ("2009-03-10 11:00", True)):
        assert ("d" in letters(*OPENED, suspend(recorded=recorded), resume(), decided)) is found


@pytest.mark.parametrize(
    ("recorded", "found"),
    [("2009-03-10 10:04", False), ("2009-03-10 10:05", False), ("2009-03-10 10:06", True)],
)
def test_a_source_that_tells_at_the_end_is_measured_from_the_end(recorded: str, found: bool) -> None:
    """A suspension told when it ended, just before the decision, is what its source declared; long after is not."""
    begun = suspend(source="at_end", recorded=recorded)
    end = resume("2009-03-10 10:00", source="at_end", recorded=recorded)
    decided = at("2009-03-10 10:01", "approve", source="at_end", outcome="granted")
    assert ("d" in letters(*OPENED, begun, end, decided)) is found


@pytest.mark.parametrize(
    ("source", "moment", "found"),
    [
        ("hall", "2009-03-02 10:00:00", True),
        ("hall", "2009-03-02 10:00:01", False),
        ("minute", "2009-03-02 10:00:40", True),
        ("minute", "2009-03-02 10:01:00", False),
        ("daily", "2009-03-02 00:00:00", False),
    ],
)
def test_a_suspension_at_the_moment_of_acceptance_is_found(source: str, moment: str, found: bool) -> None:
    """Begun in the very second of the acceptance, as synthetic ones are; by minutes where seconds are not known."""
    assert ("d_accept" in letters(*OPENED, suspend(moment, source=source), resume())) is found


# Approved by himself


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((suspend(operator="head"),), True),
        ((suspend(), at("2009-03-02 12:00", "transfer", operator="head")), True),
        ((suspend(), at("2009-03-10 10:00", "finish", operator="head", outcome="granted")), True),
        ((suspend(), at("2009-03-10 10:00", "approve", operator="head", outcome="granted")), False),
        ((suspend(approver=None, operator="head"),), False),
        ((suspend(operator="clerk"),), False),
    ],
)
def test_nobody_approves_his_own_suspension(lines: tuple[Line, ...], found: bool) -> None:
    """Whoever asks for it, handles or finishes the case is not its approver; deciding both is a head's business."""
    assert ("e" in letters(*OPENED, *lines, until="2009-03-04 00:00")) is found


@pytest.mark.parametrize(
    ("role", "found"), [("organ_head", False), ("government_head", False), (None, False), ("clerk", True)]
)
def test_a_post_that_is_told_is_a_heads(role: str | None, found: bool) -> None:
    """Only a post that is told and no head's is held against anyone."""
    assert ("e_role" in letters(*OPENED, suspend(approver_role=role), resume())) is found


# Once more


@pytest.mark.parametrize(("procedure", "found"), [("testing", ["g"]), ("hearing", [])])
def test_a_procedure_held_twice_is_found(procedure: str, found: list[str]) -> None:
    """The same procedure once more is found, another is not."""
    again = suspend("2009-03-10 10:00", procedure=procedure, name="again")
    assert letters(*OPENED, suspend(), resume(), again, resume("2009-03-12 10:00")) == found


def test_a_suspension_told_twice_is_not_two() -> None:
    """What is told again before its end is the same suspension."""
    assert letters(*OPENED, suspend(), suspend("2009-03-04 10:00", source="night"), resume()) == []


def test_departments_of_a_joint_case_have_their_own() -> None:
    """Two departments may each test once; one may not twice."""
    first, over = suspend(department="fire"), resume()
    again = suspend("2009-03-09 10:00", department="water", name="w")
    thrice = suspend("2009-03-12 10:00", department="fire", name="f")
    ended = (resume("2009-03-10 10:00"), resume("2009-03-13 10:00"))
    lines = (*OPENED, first, over, again, ended[0])
    assert letters(*lines, item="joint") == []
    assert subjects_of("V13", *lines, thrice, ended[1], item="joint") == ["g:hall/f"]


# Longer than told


@pytest.mark.parametrize(
    ("source", "ended", "found"),
    [
        ("hall", "2009-03-10 17:00", False),
        ("hall", "2009-03-11 00:04", False),  # the clock of the source may be off
        ("hall", "2009-03-11 09:00", True),
        ("daily", "2009-03-10 00:00", False),
        ("daily", "2009-03-11 00:00", True),
    ],
)
def test_a_suspension_longer_than_told_is_found(source: str, ended: str, found: bool) -> None:
    """Five working days from Tuesday 3 March end with Tuesday the 10th."""
    assert ("h" in letters(*OPENED, suspend(), resume(ended, source=source))) is found


def test_an_end_nobody_tells_of_is_found_once_it_must_have_come() -> None:
    """An open suspension is over its days when a resume in time would have arrived; until then we look again."""
    entries = case(*OPENED, suspend(), item=LONG)
    last = end_of("2009-03-10") + timedelta(minutes=5)
    early = judge(entries, last)
    assert early.findings == ()
    assert early.next_change is not None
    assert early.next_change <= last + TICK
    (said,) = judge(entries, last + TICK).findings
    assert (said.subject, said.occurred_at) == ("h:hall/suspend", end_of("2009-03-10"))
    assert judge([*entries, *case(resume("2009-03-10 16:00"), item=LONG)], LATE).findings == ()


LATE = "2009-03-12 00:00"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (at("2009-03-10 10:00", "approve", outcome="granted"), False),
        (at("2009-03-10 10:00", "withdraw"), False),
        (at("2009-03-11 10:00", "approve", outcome="granted"), True),
        (at("2009-03-10 10:00", "rating"), False),
    ],
)
def test_a_case_that_went_on_in_time_was_not_suspended_too_long(line: Line, found: bool) -> None:
    """A decision before the days were used up shows that the procedure was over, told or not."""
    went_on = line.kind is not EventType.RATING
    assert ("h" in letters(*OPENED, suspend(), line, until=LATE)) is (found or not went_on)


def test_an_end_no_source_can_send_is_not_missed() -> None:
    """Where nobody can tell a resume, its absence means nothing; nor without planned days."""
    assert letters(*OPENED, suspend(), until=LATE, book=with_source("hall", types=sending("resume"))) == []
    assert letters(*OPENED, suspend(planned_days=None), until=LATE) == []


def test_a_resume_that_comes_too_late_leaves_it_contested() -> None:
    """An end told a week later than its source may tell it does not erase what was rightly found."""
    told_late = resume("2009-03-09 10:00", received="2009-03-20 10:00")
    (said,) = found_of("V13", *OPENED, suspend(), told_late, until="2009-03-21 00:00", item=LONG)
    assert (said.subject, said.state) == ("h:hall/suspend", "contested")


# No document


def test_a_procedure_ends_with_a_document() -> None:
    """A resume without the number of a document is found; without a suspension it ends nothing."""
    assert letters(*OPENED, suspend(), resume(result=None)) == ["i"]
    assert letters(*OPENED, resume(result=None)) == []


@pytest.mark.parametrize("lang", LANGS)
def test_every_letter_is_told_in_words(lang: Lang) -> None:
    """Each letter has a sentence of its own, with the times it compares."""
    lines = {
        "a": (suspend(procedure="site_visit"), resume()),
        "b": (suspend(told_at=None), resume()),
        "c": (suspend("2009-03-30 10:00", planned_days=None), resume("2009-03-31 10:00")),
        "d": (suspend(recorded="2009-03-10 10:00"), resume(), DECIDED),
        "d_accept": (suspend("2009-03-02 10:00"), resume()),
        "e": (suspend(operator="head"), resume()),
        "e_role": (suspend(approver_role="clerk"), resume()),
        "g": (suspend(), resume(), suspend("2009-03-10 10:00"), resume("2009-03-11 10:00")),
        "h": (suspend(), resume("2009-03-12 10:00")),
        "h_open": (suspend(),),
        "i": (suspend(), resume(result=None)),
    }
    told = set()
    for letter, each in lines.items():
        (said,) = found_of("V13", *OPENED, *each, item=LONG, until="2009-04-02 00:00")
        assert said.evidence["act"] == letter
        told.add(say_finding(said, lang, BOOK))
    assert len(told) == len(lines)
    assert all("2009-03-" in each for each in told)


def test_a_retracted_suspension_is_forgotten() -> None:
    """What its source takes back at once leaves nothing behind."""
    back = at("2009-03-03 10:01", "retract", target="suspend")
    assert letters(*OPENED, suspend(procedure="site_visit"), back, APPROVE, FINISH) == []


def test_instants_are_those_of_the_law() -> None:
    """Under a profile of office hours the days told end at an hour, and later that day is too long."""
    hours = book_with(limits=type(BOOK.limits)(profile="work_time"))
    begun = suspend("2009-03-03 10:00", planned_days=1)
    assert letters(*OPENED, begun, resume("2009-03-04 10:00"), book=hours) == []
    assert letters(*OPENED, begun, resume("2009-03-04 10:06"), book=hours) == ["h"]
