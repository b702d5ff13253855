"""Ends without a grant: reasons, remedies and voucher (V20), withdrawals under pressure (V25)."""

from typing import Any

import pytest

from monitor.events import TextMark
from monitor.language import LANGS, Lang
from monitor.verdict import Severity
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, Line, at, moved, with_mode, with_source
from tests.monitor.rules.conduct import ACCEPT, APPLY, APPROVE, OPENED, found_of, subjects_of

BARE = {"reason_code": None}


def refusal(**data: Any) -> Line:
    """Refuse an application."""
    return at("2009-03-02 10:00", "refuse", **data)


def refused(**data: Any) -> Line:
    """Finish a case as refused."""
    return at("2009-03-04 10:00", "finish", outcome="refused", **data)


@pytest.mark.parametrize(
    ("lines", "subject", "lacks"),
    [
        ((refusal(reason_code=None),), "refuse", ["reason"]),
        ((refusal(remedies_told=False),), "refuse", ["remedies"]),
        ((refusal(voucher=None),), "refuse", ["voucher"]),
        ((refusal(reason_code=None, voucher=None, remedies_told=False),), "refuse", ["reason", "remedies", "voucher"]),
        ((ACCEPT, refused(reason_code=None)), "finish", ["reason"]),
        ((ACCEPT, refused(remedies_told=False)), "finish", ["remedies"]),
        ((ACCEPT, at("2009-03-04 10:00", "void", reason_code=None)), "void", ["reason"]),
    ],
)
def test_what_a_refusal_lacks_is_found(lines: tuple[Line, ...], subject: str, lacks: list[str]) -> None:
    """A refusal, a refused case and a voided one say why, a refusal with a voucher; one finding names all it lacks."""
    (said,) = found_of("V20", APPLY, *lines)
    assert (said.severity, said.subject, said.evidence["lacks"]) == (Severity.PROMISED_BREACH, subject, lacks)


@pytest.mark.parametrize(
    "lines",
    [
        (refusal(),),  # remedies not told of: nobody knows
        (refusal(remedies_told=True),),
        (refusal(reason_code=None, reason_hash="9a"),),
        (ACCEPT, refused()),
        (ACCEPT, at("2009-03-04 10:00", "finish", outcome="returned", reason_code=None)),
        (ACCEPT, at("2009-03-04 10:00", "finish", outcome="granted", reason_code=None)),
        (ACCEPT, at("2009-03-03 10:00", "approve", outcome="refused"), refused(reason_code=None)),
        (
            ACCEPT,
            at("2009-03-03 10:00", "approve", outcome="refused", remedies_told=True),
            refused(remedies_told=False),
        ),
        (refusal(), refused(reason_code=None)),
        (refusal(reason_code=None, voucher=None), moved(ACCEPT, to="2009-03-02 11:00")),  # accepted after all
    ],
)
def test_what_says_why_or_is_no_refusal_is_not_found(lines: tuple[Line, ...]) -> None:
    """A reason may stand with the decision or the refusal before; what is not told of is held against nobody."""
    assert subjects_of("V20", APPLY, *lines) == []


@pytest.mark.parametrize(
    ("told", "characters", "found"),
    [
        (TextMark(hash="h", length=10), 10, False),
        (TextMark(hash="h", length=9), 10, True),
        (TextMark(hash="h", length=9), 9, False),
        (TextMark(hash="h", length=14, names_step=True), 10, True),
        ("材料不齐，不符合法定形式", 10, False),
        ("  不行  ", 10, True),
    ],
)
def test_a_text_is_a_reason_if_it_says_something(told: TextMark | str, characters: int, found: bool) -> None:
    """A few characters, or the name of a step, are no reason; how many are is a parameter."""
    book = with_mode("V20", "card", text_characters=characters)
    assert bool(found_of("V20", APPLY, refusal(reason_code=None, text=told), book=book)) is found


# Pressured withdrawal

HANDLED = (APPLY, at("2009-03-02 10:00", "accept", operator="O1"), at("2009-03-02 11:00", "transfer", operator="O2"))
"""Promised in 5 working days: due at the end of Monday 9 March."""


def withdrawn(moment: str = "2009-03-09 10:00", **settings: Any) -> Line:
    """Withdraw at the window."""
    return at(moment, "withdraw", **{"operator": "O1", "channel": "window", **settings})


def test_a_withdrawal_at_the_last_moment_by_the_handler_is_a_lead() -> None:
    """The lead names the clock and its due instant, and what whoever entered it had handled; nobody by name."""
    (said,) = found_of("V25", *HANDLED, withdrawn())
    assert (said.severity, said.mode, said.subject) == (Severity.WARNING, "lead", "")
    assert said.evidence["events"] == ["hall/withdraw", "hall/accept"]
    assert (said.evidence["clock"], said.evidence["due_at"]) == ("promised", "2009-03-09T15:59:59.999999Z")
    assert said.evidence["confirmed"] is None


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, True),
        ({"confirmed": False}, True),
        ({"confirmed": True}, False),
        ({"channel": "online"}, False),
        ({"channel": "mobile"}, False),
        ({"channel": None}, True),
        ({"operator": "O2"}, True),
        ({"operator": "O3"}, False),
        ({"operator": None}, False),
    ],
)
def test_the_applicants_own_word_clears(settings: dict[str, Any], found: bool) -> None:
    """Signed, confirmed online, done by himself or entered by somebody else: no lead."""
    assert bool(found_of("V25", *HANDLED, withdrawn(**settings))) is found


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        ("2009-03-04 17:00", False),
        ("2009-03-05 09:00", True),  # Thursday: Friday and Monday are left
        ("2009-03-08 09:00", True),
        ("2009-03-10 09:00", True),
        ("2009-06-10 09:00", True),
    ],
)
def test_only_what_is_near_or_past_the_due_instant_is_a_lead(moment: str, found: bool) -> None:
    """A withdrawal with days to spare saves nobody's record."""
    assert bool(found_of("V25", *HANDLED, withdrawn(moment))) is found


def test_a_short_limit_is_always_near_its_end() -> None:
    """Of a promise of three days nothing is made before it is broken; one of five may be set to count more."""
    for moment, found in (("2009-03-04 10:00", False), ("2009-03-06 10:00", True)):
        assert bool(found_of("V25", *HANDLED, withdrawn(moment), item="service")) is found
    closer = with_mode("V25", "lead", days_before_due=1)
    assert found_of("V25", *HANDLED, withdrawn("2009-03-05 09:00"), book=closer) == []


def test_a_case_that_stands_has_no_due_instant_to_press() -> None:
    """While a suspension without planned end holds the clocks, nothing presses."""
    held = at("2009-03-03 10:00", "suspend", procedure="testing")
    assert found_of("V25", *HANDLED, held, withdrawn()) == []


@pytest.mark.parametrize("lang", LANGS)
def test_both_are_told_with_their_times(lang: Lang) -> None:
    """The sentences name what is lacking, and the due instant; never a person."""
    (lacking,) = found_of("V20", APPLY, refusal(voucher=None))
    assert "2009-03-02 10:00" in say_finding(lacking, lang, BOOK)
    (pressed,) = found_of("V25", *HANDLED, withdrawn())
    told = say_finding(pressed, lang, BOOK)
    assert "2009-03-09 24:00" in told
    assert "O1" not in told


def test_a_source_of_days_is_judged_by_days() -> None:
    """A withdrawal of a source that knows days only is near the due day on the days before it."""
    book = with_source("daily", precision="day")
    for moment, found in (("2009-03-04 00:00", False), ("2009-03-05 00:00", True)):
        assert bool(found_of("V25", *HANDLED, withdrawn(moment, source="daily"), book=book)) is found


def test_a_proper_end_is_found_by_neither() -> None:
    """A granted case breaks neither rule, nor does one nobody has withdrawn."""
    granted = at("2009-03-04 10:00", "finish", outcome="granted")
    for rule in ("V20", "V25"):
        assert subjects_of(rule, *OPENED, APPROVE, granted) == []
        assert subjects_of(rule, *OPENED, moved(APPROVE, to="2009-03-20 10:00")) == []
