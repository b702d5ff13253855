"""Extensions of a licence's legal limit: how long, how often, by whom, told to whom, in time (V14)."""

from typing import Any

import pytest

from monitor.language import LANGS, Lang
from monitor.rulebook.model import Limits
from monitor.verdict import Severity
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, Line, at, book_with, when
from tests.monitor.rules.conduct import OPENED, found_of, subjects_of

LONG = "unpromised"  # 20 working days by law: due on 30 March


def extend(moment: str = "2009-03-20 10:00", **told: Any) -> Line:
    """Extend as the law wants it, but for what a test tells otherwise."""
    return at(moment, "extend", **{"days": 10, "approver_role": "organ_head", **told})


def acts(*lines: Line, item: str = LONG, **settings: Any) -> list[str]:
    """List what is found of extensions."""
    return [subject.split(":")[0] for subject in subjects_of("V14", *OPENED, *lines, item=item, **settings)]


@pytest.mark.parametrize(
    ("told", "item", "found"),
    [
        ({}, LONG, []),
        ({"days": 10.5}, LONG, ["days"]),
        ({"days": None}, LONG, []),
        ({"days": 15, "approver_role": "government_head"}, "joint", []),
        ({"days": 16, "approver_role": "government_head"}, "joint", ["days"]),
        ({"approver_role": "organ_head"}, "joint", ["role"]),
        ({"approver_role": "government_head"}, LONG, ["role"]),
        ({"approver_role": None}, LONG, []),  # the approver is named, his post not told
        ({"approver": None}, LONG, []),
        ({"approver": None, "approver_role": None}, LONG, ["nobody"]),
        ({"told_at": None}, LONG, ["unnotified"]),
        ({"days": 30, "approver_role": "clerk", "told_at": None}, LONG, ["days", "role", "unnotified"]),
        ({"days": 30, "approver_role": "clerk", "told_at": None}, "approval", []),  # a law of its own
        ({"days": 30}, "nobody-knows", []),
    ],
)
def test_an_extension_is_as_art_42_has_it(told: dict[str, Any], item: str, found: list[str]) -> None:
    """Ten days by the organ's head, fifteen of a joint case by the government's, told to the applicant."""
    assert acts(extend(**told), item=item) == found


def test_each_is_a_breach_of_the_law_with_what_was_compared() -> None:
    """A finding says how many days were granted and how many the law allows."""
    (said,) = found_of("V14", *OPENED, extend(days=12, name="x"), item=LONG)
    assert (said.severity, said.subject, said.department) == (Severity.STATUTORY_BREACH, "days:hall/x", "land")
    assert (said.evidence["days"], said.evidence["days_max"]) == (12, 10)
    assert said.evidence["events"] == ["hall/x"]


def test_the_limits_are_those_of_the_rulebook() -> None:
    """Another law may allow more: the deployment's limits count."""
    assert acts(extend(days=12), book=book_with(limits=Limits(extension_days_max=12))) == []


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (extend("2009-03-24 10:00"), ["second"]),
        (extend("2009-03-20 10:04"), []),  # told in two events
        (extend("2009-03-20 16:00", source="night"), []),  # told by two systems
        (extend("2009-03-20 16:00", source="night", days=5), ["second"]),
        (extend("2009-03-20 16:00"), ["second"]),
        (extend("2009-03-20 00:00", source="daily"), []),
    ],
)
def test_the_law_allows_one_extension(second: Line, found: list[str]) -> None:
    """A second one is found, the first told again is not."""
    assert acts(extend(), second) == found


def test_two_tellings_complete_each_other() -> None:
    """What one system does not tell of an extension the other may."""
    assert acts(extend(told_at=None), extend("2009-03-20 16:00", source="night")) == []


@pytest.mark.parametrize(
    ("moment", "source", "found"),
    [
        ("2009-03-30 17:00", "hall", []),
        ("2009-03-31 00:04", "hall", []),
        ("2009-03-31 09:00", "hall", ["late"]),
        ("2009-03-30 00:00", "daily", []),
        ("2009-03-31 00:00", "daily", ["late"]),
    ],
)
def test_an_extension_after_the_due_instant_is_too_late(moment: str, source: str, found: list[str]) -> None:
    """It must be granted before the limit has run out, by more than the clock may be off."""
    assert acts(extend(moment, source=source)) == found


def test_the_due_instant_is_the_one_before_it_was_extended() -> None:
    """The extension does not clear itself, nor the next; a suspension before it does move the limit."""
    second = extend("2009-04-02 10:00")
    assert acts(extend(), second) == ["late", "second"]
    (said, _) = found_of("V14", *OPENED, extend(), second, item=LONG)
    assert said.evidence["due_at"] == "2009-03-30T15:59:59.999999Z"
    held = at("2009-03-10 10:00", "suspend", procedure="testing"), at("2009-03-20 10:00", "resume")
    assert acts(*held, extend("2009-04-02 10:00")) == []
    assert acts(at("2009-03-10 10:00", "suspend", procedure="testing"), extend("2009-05-02 10:00")) == []


@pytest.mark.parametrize("lang", LANGS)
def test_each_is_told_in_words(lang: Lang) -> None:
    """Every kind has a sentence that says when."""
    bad = extend("2009-03-31 10:00", days=12, approver_role="clerk", told_at=None)
    nobody = extend("2009-04-02 10:00", approver=None, approver_role=None)
    said = found_of("V14", *OPENED, bad, nobody, item=LONG)
    assert {f.evidence["act"] for f in said} == {"days", "role", "unnotified", "late", "second", "nobody"}
    told = {say_finding(finding, lang, BOOK) for finding in said}
    assert len(told) == len(said)
    assert all("2009-0" in each for each in told)
    assert min(f.occurred_at for f in said) == when("2009-03-31 10:00")
