"""Which changes of a rulebook are dangerous, and which are not."""

from datetime import date, time
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.events import EventType
from monitor.language import LANGS
from monitor.rulebook.danger import Danger, Kind, dangers
from monitor.rulebook.model import (
    CalendarRules,
    ClockProfile,
    ClosedDay,
    Limits,
    Mode,
    Rulebook,
    RuleException,
    RuleSetting,
    Season,
)
from monitor.rules.mode import mode_in
from tests.small_centre import RULEBOOK

MODES: tuple[Mode, ...] = ("off", "shadow", "lead", "card")
DAY = date(2026, 3, 2)
PROFILE = ClockProfile(code="next_day", kind="next_day", seasons=(Season(sessions=((time(9), time(17)),)),))
BOOK = replace(
    RULEBOOK,
    items=(
        replace(RULEBOOK.items[0], promised_limit="5 wd", step_limits={"accept": "1 wd"}, two_persons=True),
        replace(RULEBOOK.items[0], code="i2", nature="public_service", type="instant"),
        replace(RULEBOOK.items[0], code="i3", type="joint", legs={"land": "3 wd"}),
    ),
    departments=(replace(RULEBOOK.departments[0], delegations_complete=True),),
    profiles=(PROFILE,),
    calendar=CalendarRules(closed=(ClosedDay(day=date(2026, 5, 1), name="节"),), open=(date(2026, 5, 9),)),
    limits=Limits(archive="15 wd"),
    rules={"V01": RuleSetting(mode="card"), "V02": RuleSetting(mode="lead", baseline=DAY, parameters={"days": 2})},
)


def item(**change: Any) -> Rulebook:
    """Change the first item."""
    return replace(BOOK, items=(replace(BOOK.items[0], **change), *BOOK.items[1:]))


def second(**change: Any) -> Rulebook:
    """Change the second item."""
    return replace(BOOK, items=(BOOK.items[0], replace(BOOK.items[1], **change), *BOOK.items[2:]))


def rule(name: str, setting: RuleSetting) -> Rulebook:
    """Set one rule otherwise."""
    return replace(BOOK, rules={**BOOK.rules, name: setting})


def source(**change: Any) -> Rulebook:
    """Change the first source."""
    return replace(BOOK, sources=(replace(BOOK.sources[0], **change), *BOOK.sources[1:]))


def calendar(*closed: date, opened: tuple[date, ...] = (date(2026, 5, 9),)) -> Rulebook:
    """Close days, and open weekends."""
    days = (*BOOK.calendar.closed, *(ClosedDay(day=day, name="停电") for day in closed))
    return replace(BOOK, calendar=replace(BOOK.calendar, closed=days, open=opened))


DANGEROUS: dict[str, tuple[Rulebook, list[tuple[Kind, str]]]] = {
    "a rule off": (rule("V01", RuleSetting(mode="off")), [("mode", "V01")]),
    "a rule no longer named is in shadow": (
        replace(BOOK, rules={"V01": BOOK.rules["V01"]}),
        [("mode", "V02"), ("parameter", "V02.days")],
    ),
    "a rule in shadow off": (rule("V05", RuleSetting(mode="off")), [("mode", "V05")]),
    "an exception for one department": (
        rule("V01", RuleSetting(mode="card", exceptions=(RuleException(mode="shadow", department="land"),))),
        [("mode", "V01 (land)")],
    ),
    "a later baseline": (rule("V02", replace(BOOK.rules["V02"], baseline=date(2026, 3, 3))), [("baseline", "V02")]),
    "a first baseline of what is told": (rule("V01", RuleSetting(mode="card", baseline=DAY)), [("baseline", "V01")]),
    "a later start": (rule("V01", RuleSetting(mode="card", start=DAY)), [("start", "V01")]),
    "a parameter of what is told": (
        rule("V02", replace(BOOK.rules["V02"], parameters={"days": 1})),
        [("parameter", "V02.days")],
    ),
    "a source's baseline": (source(baseline=DAY), [("baseline", "hall")]),
    "a source's tolerance": (source(tolerance_minutes=600), [("allowance", "hall.tolerance_minutes")]),
    "a source's lateness": (source(lateness_hours=1), [("allowance", "hall.lateness_hours")]),
    "a source that knows days only": (source(precision="day"), [("allowance", "hall.precision")]),
    "suspensions told at their end": (source(suspensions_at_end=True), [("allowance", "hall.suspensions_at_end")]),
    "a source that cannot tell the finish": (
        source(types=tuple(kind for kind in EventType if kind is not EventType.FINISH)),
        [("check", "hall.types")],
    ),
    "a holiday": (calendar(date(2026, 6, 1)), [("closed", "2026-06-01")]),
    "an opened Saturday closed": (calendar(date(2026, 5, 9), opened=()), [("closed", "2026-05-09")]),
    "an opened Saturday not opened": (calendar(opened=()), [("closed", "2026-05-09")]),
    "a promise": (item(promised_limit="6 wd"), [("limit", "i1.promised_limit")]),
    "a promise gone": (item(promised_limit=None), [("limit", "i1.promised_limit")]),
    "a legal limit above the default": (
        item(statutory_limit="30 wd", statutory_basis="Act"),
        [("limit", "i1.statutory_limit")],
    ),
    "a licence that is none any more": (
        item(nature="non_licence"),
        [("limit", "i1.statutory_limit"), ("limit", "i1.issue_limit")],
    ),
    "an instant case that is none any more": (second(type="promised"), [("limit", "i2.promised_limit")]),
    "a step's limit": (item(step_limits={}), [("limit", "i1.step_limits.accept")]),
    "an item gone": (
        replace(BOOK, items=BOOK.items[:2]),
        [("limit", f"i3.{name}") for name in ("statutory_limit", "issue_limit", "legs.land")],
    ),
    "the default": (
        replace(BOOK, limits=Limits(archive="15 wd", statutory="21 wd")),
        [("limit", "i1.statutory_limit")],
    ),
    "the notice": (replace(BOOK, limits=Limits(archive="15 wd", notice="6 wd")), [("limit", "limits.notice")]),
    "a limit of archiving gone": (replace(BOOK, limits=Limits()), [("limit", "limits.archive")]),
    "a longer extension": (
        replace(BOOK, limits=Limits(archive="15 wd", extension_days_max=20)),
        [("limit", "limits.extension_days_max")],
    ),
    "another counting": (
        replace(BOOK, profiles=(replace(PROFILE, day_end="closing"),)),
        [("counting", "profiles.next_day")],
    ),
    "an item's counting": (item(profile="next_day"), [("counting", "i1.profile")]),
    "a zone": (replace(BOOK, calendar=replace(BOOK.calendar, zone="UTC")), [("counting", "calendar.zone")]),
    "a step not asked for": (item(steps=(EventType.ACCEPT,)), [("check", "i1.steps")]),
    "a finish not asked for": (item(steps=(EventType.ACCEPT, EventType.APPROVE)), [("check", "i1.steps")]),
    "one person is enough": (item(two_persons=False), [("check", "i1.two_persons")]),
    "an instant case from now on": (item(type="instant"), [("check", "i1.type")]),
    "a promise above the law": (item(statutory_limit="3 wd", statutory_basis="Act"), [("check", "i1.promised_limit")]),
    "delegations not complete": (
        replace(BOOK, departments=(replace(BOOK.departments[0], delegations_complete=False),)),
        [("check", "land.delegations_complete")],
    ),
}


@pytest.mark.parametrize(("after", "expected"), DANGEROUS.values(), ids=DANGEROUS.keys())
def test_what_may_hide_a_breach_is_dangerous(after: Rulebook, expected: list[tuple[Kind, str]]) -> None:
    """Each such change is named, it alone, and said in both languages."""
    found = dangers(BOOK, after)
    assert [(danger.kind, danger.what) for danger in found] == expected
    assert all(danger.say(lang) for danger in found for lang in LANGS)


HARMLESS: dict[str, Rulebook] = {
    "nothing": BOOK,
    "a stricter mode": rule("V02", replace(BOOK.rules["V02"], mode="card")),
    "a stricter exception": rule("V05", RuleSetting(exceptions=(RuleException(mode="card", department="land"),))),
    "an exception never reached": rule(
        "V01",
        RuleSetting(
            mode="card",
            exceptions=(RuleException(mode="card", item="i1"), RuleException(mode="off", item="i1", department="land")),
        ),
    ),
    "the start of what was in shadow": rule(
        "V05", RuleSetting(mode="card", start=DAY, baseline=DAY, parameters={"x": 1})
    ),
    "an earlier baseline": rule("V02", replace(BOOK.rules["V02"], baseline=date(2026, 3, 1))),
    "no baseline": rule("V02", replace(BOOK.rules["V02"], baseline=None)),
    "a closed Sunday": calendar(date(2026, 6, 7)),
    "a holiday worked": replace(BOOK, calendar=replace(BOOK.calendar, closed=())),
    "another Saturday worked": calendar(opened=(date(2026, 5, 9), date(2026, 5, 16))),
    "a shorter promise": item(promised_limit="4 wd"),
    "a promise in calendar days": item(promised_limit="5 cd"),
    "an item's own limit as the default": item(statutory_limit="20 wd", statutory_basis="Act"),
    "more steps": item(steps=(EventType.APPLY, EventType.ACCEPT, EventType.APPROVE, EventType.FINISH)),
    "a new limit": replace(BOOK, limits=Limits(archive="15 wd", reply="3 wd")),
    "a new source with a baseline": replace(
        BOOK, sources=(*BOOK.sources, replace(BOOK.sources[0], code="new", baseline=DAY, tolerance_minutes=60))
    ),
    "a smaller tolerance": source(tolerance_minutes=1),
}


@pytest.mark.parametrize("after", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_hides_nothing_is_not(after: Rulebook) -> None:
    """Stricter rules, shorter limits, and what was told to nobody anyway need no second person."""
    assert dangers(BOOK, after) == []


def test_what_nobody_was_told_cannot_be_hidden() -> None:
    """While every rule is in shadow, baselines, tolerances and parameters may be set freely: that is going live."""
    quiet = replace(BOOK, rules={"V02": RuleSetting(parameters={"days": 2})})
    tuned = replace(source(baseline=DAY, tolerance_minutes=60), rules={"V02": RuleSetting(parameters={"days": 3})})
    assert dangers(quiet, tuned) == []


codes = st.sampled_from([None, "a", "b"])
exceptions = st.builds(RuleException, mode=st.sampled_from(MODES), source=codes, department=codes, item=codes)
settings = st.builds(RuleSetting, mode=st.sampled_from(MODES), exceptions=st.lists(exceptions, max_size=4).map(tuple))


@given(settings, settings)
def test_no_weakening_escapes(old: RuleSetting, new: RuleSetting) -> None:
    """A rule is called weakened if and only if there is a source, department and item for which its mode is weaker."""

    def weaker(place: tuple[str, str, str]) -> bool:
        return MODES.index(mode_in(new, *place)) < MODES.index(mode_in(old, *place))

    names = ("a", "b", "other")
    places = [(s, d, i) for s in names for d in names for i in names]
    before, after = replace(BOOK, rules={"V01": old}), replace(BOOK, rules={"V01": new})
    named = [danger for danger in dangers(before, after) if danger.kind == "mode"]
    assert bool(named) == any(weaker(place) for place in places)


def test_every_kind_of_danger_is_tried() -> None:
    """No kind is without a case here, but the one that the ledger finds."""
    tried = {danger.kind for after, _ in DANGEROUS.values() for danger in dangers(BOOK, after)}
    assert tried == set(get_args(Kind)) - {"retroactive"}
    assert Danger("retroactive", "", "", "2026").say("en")
