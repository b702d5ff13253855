"""V23: a published rulebook that loosens what open cases are judged by, or begins in the past."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.events import EventType
from monitor.rulebook.model import Mode, Rulebook, RulebookVersion, RuleException, RuleSetting
from monitor.rules.apart import Apart
from monitor.rules.publication import Published, tamperings
from monitor.verdict import Severity, finding_id
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, book_with, when, with_item

FIRST = Published(RulebookVersion(1, BOOK), when("2009-01-01 08:00"), False, {})
OPEN = {"permit": 3, "long": 2}


def published(
    number: int,
    book: Rulebook,
    begins: str,
    at: str | None = None,
    retroactive: bool = False,
    open_cases: Mapping[str, int] | None = None,
) -> Published:
    """Publish a version, on the day before it begins unless said otherwise."""
    told = when(begins) if at is None else when(at)
    version = RulebookVersion(number, book, when(begins))
    return Published(version, told, retroactive, OPEN if open_cases is None else open_cases)


def changed(book: Rulebook, **more: Any) -> list[Apart]:
    """Publish one change of the rulebook."""
    return tamperings([FIRST, published(2, book, "2009-03-02 08:00", **more)])


def subjects(found: list[Apart]) -> list[str]:
    """List what the findings are about."""
    return [each.finding.subject for each in found]


LOOSER: dict[str, tuple[Rulebook, str, str]] = {
    "a longer promise": (with_item("permit", promised_limit="8 wd"), "2:permit", "limit"),
    "a promise no more": (with_item("permit", promised_limit=None), "2:permit", "limit"),
    "a longer limit of the law": (with_item("long", statutory_limit="90 wd"), "2:long", "limit"),
    "no licence any more": (with_item("permit", nature="public_service"), "2:permit", "limit"),
    "an instant item": (with_item("permit", type="instant", promised_limit=None), "2:permit", "check"),
    "a promise above the law": (with_item("long", statutory_limit="20 wd"), "2:long", "check"),
    "a step less": (with_item("permit", steps=(EventType.ACCEPT,)), "2:permit", "check"),
    "a longer limit for all": (book_with(limits=replace(BOOK.limits, notice="9 wd")), "2:rulebook", "limit"),
    "more days of extension": (book_with(limits=replace(BOOK.limits, extension_days_max=20)), "2:rulebook", "limit"),
    "a rule off": (book_with(rules={**BOOK.rules, "V01": RuleSetting(mode="off")}), "2:V01", "mode"),
    "a rule weaker": (book_with(rules={**BOOK.rules, "V01": RuleSetting(mode="lead")}), "2:V01", "mode"),
    "a rule off for one": (
        book_with(
            rules={
                **BOOK.rules,
                "V01": RuleSetting(mode="card", exceptions=(RuleException(mode="off", item="permit"),)),
            }
        ),
        "2:V01",
        "mode",
    ),
}


@pytest.mark.parametrize("name", LOOSER)
def test_what_loosens_is_found(name: str) -> None:
    """One finding on the version and what it loosens, with the change and how many cases were open."""
    book, subject, kind = LOOSER[name]
    (said,) = changed(book)
    assert said.finding.subject == subject
    assert (said.finding.kind, said.finding.severity) == ("conduct", Severity.STATUTORY_BREACH)
    assert said.finding.id == finding_id("", "V23", subject)
    assert kind in {change["kind"] for change in said.finding.evidence["changes"]}


STRICTER: dict[str, Rulebook] = {
    "a shorter promise": with_item("permit", promised_limit="3 wd"),
    "a rule stricter": book_with(rules={**BOOK.rules, "V08": RuleSetting(mode="card")}),
    "a shorter limit for all": book_with(limits=replace(BOOK.limits, notice="3 wd")),
    "a new limit": book_with(limits=replace(BOOK.limits, complaint="10 wd")),
    "another name": book_with(name="玉林"),
    "a promised case again": with_item("instant", type="promised", promised_limit="0 wd"),
    "a later start": book_with(
        rules={**BOOK.rules, "V01": RuleSetting(mode="card", start=when("2009-06-01 09:00").date())}
    ),
}


@pytest.mark.parametrize("name", STRICTER)
def test_what_does_not_loosen_is_none(name: str) -> None:
    """Stricter, other or new is no tampering; dates and parameters are for the second person to agree to."""
    assert changed(STRICTER[name]) == []


def test_only_while_cases_of_the_item_are_open() -> None:
    """A limit nobody's case runs by may be raised; a rule concerns every open case."""
    longer = with_item("permit", promised_limit="8 wd")
    assert changed(longer, open_cases={"long": 2}) == []
    (said,) = changed(longer)
    assert (said.finding.evidence["count"], said.item, said.finding.department) == (3, "permit", "land")
    off = book_with(rules={**BOOK.rules, "V01": RuleSetting(mode="off")})
    assert changed(off, open_cases={}) == []
    (of_all,) = changed(off)
    assert (of_all.finding.evidence["count"], of_all.item, of_all.finding.department) == (5, "", "")
    assert of_all.region == "4509", "the root, so that whoever sees all of it sees this"


def test_the_first_version_loosens_nothing() -> None:
    """There was nothing before it."""
    assert tamperings([FIRST]) == []


def test_every_retroactive_version_is_found() -> None:
    """Also one that loosens nothing: it changes what has been judged already."""
    (said,) = changed(book_with(name="玉林"), at="2009-03-20 09:00", retroactive=True)
    assert (said.finding.subject, said.finding.occurred_at) == ("2:retroactive", when("2009-03-02 08:00"))
    assert said.finding.evidence["count"] == 5


def test_a_retroactive_version_is_compared_with_all_it_takes_the_place_of() -> None:
    """It undoes for the past what had been tightened since."""
    tight = published(2, with_item("permit", promised_limit="3 wd"), "2009-03-02 08:00")
    undone = published(3, BOOK, "2009-02-01 08:00", at="2009-03-20 09:00", retroactive=True)
    assert subjects(tamperings([FIRST, tight, undone])) == ["3:retroactive", "3:permit"]


def test_a_version_that_never_came_into_force_has_loosened_nothing() -> None:
    """Planned for June and replaced in March; one planned and not replaced is told as soon as it is published."""
    planned = published(2, with_item("permit", promised_limit="8 wd"), "2009-06-01 08:00", at="2009-03-01 09:00")
    assert subjects(tamperings([FIRST, planned])) == ["2:permit"]
    mended = published(3, BOOK, "2009-03-10 08:00")
    assert tamperings([FIRST, planned, mended]) == []


def test_what_was_in_force_for_a_while_was_loosened() -> None:
    """Taking it back later does not undo that it was."""
    loose = published(2, with_item("permit", promised_limit="8 wd"), "2009-03-02 08:00")
    mended = published(3, BOOK, "2009-04-01 08:00")
    assert subjects(tamperings([FIRST, loose, mended])) == ["2:permit"]


@pytest.mark.parametrize(
    ("before", "after", "mode"),
    [("card", "card", "card"), ("card", "off", "card"), ("lead", "card", "lead"), ("off", "card", "shadow")],
)
def test_the_mode_is_that_of_the_rulebook_before(before: Mode, after: Mode, mode: str) -> None:
    """No version hides what it loosens itself, and this rule is never quite off."""
    first = replace(FIRST, version=RulebookVersion(1, replace(BOOK, rules={"V23": RuleSetting(mode=before)})))
    longer = replace(with_item("permit", promised_limit="8 wd"), rules={"V23": RuleSetting(mode=after)})
    found = tamperings([first, published(2, longer, "2009-03-02 08:00")])
    assert next(each.finding.mode for each in found if each.finding.subject == "2:permit") == mode


def test_the_sentences() -> None:
    """What was loosened, from when, and how many cases were open; the first few changes of many."""
    (said,) = changed(with_item("permit", promised_limit="8 wd"))
    english = say_finding(said.finding, "en", BOOK)
    assert "Version 2 loosens permit from 2009-03-02 08:00: permit.promised_limit grows from 5 wd to 8 wd" in english
    assert "3 cases were open" in english
    assert "第 2 版规则自 2009-03-02 08:00 起放宽 permit" in say_finding(said.finding, "zh", BOOK)
    more = {"notice": "9 wd", "accept": "1 wd", "archive": "9 wd", "reply": "9 wd", "extension_days_max": 20}
    (many,) = changed(book_with(limits=replace(BOOK.limits, extension_joint_days_max=30, **more)))
    assert "; …; 5 cases were open" in say_finding(many.finding, "en", BOOK)
    (past,) = changed(book_with(name="玉林"), at="2009-03-20 09:00", retroactive=True)
    assert "published at 2009-03-20 09:00, is in force from 2009-03-02 08:00" in say_finding(past.finding, "en", BOOK)
