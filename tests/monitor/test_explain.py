"""Explaining a verdict: what an inspector asks first, in words for people and in values for programs."""

import msgspec

from monitor.explain import explain
from monitor.language import LANGS
from tests.monitor.cases import BOOK, at, case, history, judge, when

OPENED = (at("2009-03-02 09:00", "apply"), at("2009-03-02 10:00", "accept"))


def test_an_open_breach_says_how_much_is_used_by_now() -> None:
    """Of an overdue case nobody has finished, the days used and overdrawn up to the judged instant are told."""
    entries = case(*OPENED)
    told = explain(entries, history(BOOK), when("2009-03-13 12:00"), "en")
    promised = next(clock for clock in told.clocks if clock.title.startswith("promised"))
    assert promised.arithmetic == "by 2009-03-13 12:00: used 9, budget 5, remaining -4 (days)"
    told = explain(entries, history(BOOK), when("2009-03-04 12:00"), "zh")
    assert "截至 2009-03-04 12:00：已用 2，限额 5，剩余 3（天）" in [clock.arithmetic for clock in told.clocks]


def test_programs_get_the_verdict_itself() -> None:
    """As JSON an explanation holds the assessment with its codes, numbers and instants, the same in any language."""
    entries, until = case(*OPENED, at("2009-03-20 10:00", "finish")), "2009-03-21 00:00"
    verdict = msgspec.json.decode(msgspec.json.encode(judge(entries, until)))
    for lang in LANGS:
        document = msgspec.json.decode(msgspec.json.encode(explain(entries, history(BOOK), when(until), lang)))
        assert document["verdict"]["clocks"] == verdict["clocks"]
        assert document["verdict"]["findings"] == verdict["findings"]


def test_the_days_of_a_stopped_clock_add_up_to_what_it_used() -> None:
    """The column of sums ends with the figure of the sentence above it."""
    told = explain(case(*OPENED, at("2009-03-20 10:00", "finish")), history(BOOK), when("2009-03-21 00:00"), "en")
    promised = next(clock for clock in told.clocks if clock.title.startswith("promised"))
    assert promised.arithmetic == "used 14, budget 5, remaining -9 (days)"
    assert promised.days[-1].sum == "14"
    assert [day.mark for day in promised.days if day.mark] == ["due", "ended"]
