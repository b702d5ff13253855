"""Modes: who is told of a finding, by source, department and item, and from when on (design section 3)."""

from datetime import date
from typing import Any

import pytest

from monitor.rulebook.model import Mode, Rulebook, RuleException, RuleSetting
from monitor.verdict import Light
from tests.monitor.cases import (
    BOOK,
    CONDUCT,
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
    with_source,
)

ACCEPTED = (at("2009-03-02 09:00", "apply"), at("2009-03-02 10:00", "accept"))
"""Of the item `permit` promised for 2009-03-09; the law allows until 2009-03-30."""
LATE = when("2009-03-11 09:00")


def with_setting(rule: str = "V01", **setting: Any) -> Rulebook:
    """Give the rulebook with one rule set otherwise."""
    return book_with(rules={**BOOK.rules, rule: RuleSetting(**{"mode": "card", **setting})})


def mode(book: Rulebook, *lines: Line, rule: str = "V01", item: str = "permit") -> str:
    """Give the mode of the one finding of a rule, `off` where there is none."""
    judged = judge(case(*(lines or ACCEPTED), item=item), LATE, book)
    return next((each.mode for each in judged.findings if each.rule == rule), "off")


def test_the_first_exception_that_fits_counts() -> None:
    """Every code an exception gives must fit; what fits none follows the rule's own mode."""
    exceptions = (
        RuleException(mode="lead", source="hall", item="long"),
        RuleException(mode="shadow", department="land"),
        RuleException(mode="off", source="hall"),
    )
    assert mode(with_setting(exceptions=exceptions)) == "shadow"
    assert mode(with_setting(exceptions=exceptions[2:])) == "off"
    assert mode(with_setting(exceptions=exceptions[:1])) == "card"


@pytest.mark.parametrize("careful", ["off", "shadow", "lead"])
def test_of_several_sources_the_most_careful_mode_counts(careful: Mode) -> None:
    """A source that is not trusted yet makes nobody guilty through another one's events."""
    book = with_setting(exceptions=(RuleException(mode=careful, source="rough"),))
    both = (*ACCEPTED, at("2009-03-03 10:00", "transfer", source="rough"))
    assert (mode(book), mode(book, *both)) == ("card", careful)


def test_a_rule_can_be_on_for_one_item_alone() -> None:
    """A rule that is off comes on where an exception says so."""
    book = with_setting(mode="off", exceptions=(RuleException(mode="card", item="permit"),))
    assert mode(book) == "card"
    assert mode(book, item="service") == "off"


def test_the_department_that_counts_is_the_one_charged() -> None:
    """The leg of a joint case is told in the mode of the department of the leg, not of the lead."""
    transfer = at("2009-03-02 11:00", "transfer", to=("fire", "water"))
    book = with_setting("V03", exceptions=(RuleException(mode="shadow", department="land"),))
    assert mode(book, *ACCEPTED, transfer, rule="V03", item="joint") == "card"
    book = with_setting("V03", exceptions=(RuleException(mode="shadow", department="fire"),))
    assert mode(book, *ACCEPTED, transfer, rule="V03", item="joint") == "shadow"


def test_before_its_start_a_rule_stays_in_shadow() -> None:
    """What occurred on the day of the start counts, what occurred the day before does not."""
    assert mode(with_setting(start=date(2009, 3, 9))) == "card"
    assert mode(with_setting(start=date(2009, 3, 10))) == "shadow"


@pytest.mark.parametrize("moded", ["lead", "card"])
def test_before_the_baseline_it_is_backlog(moded: Mode) -> None:
    """The baseline of the rule or of a source makes a list of what was late before; the start changes nothing in it."""
    first = date(2009, 3, 10)
    assert mode(with_setting(mode=moded, baseline=first)) == "backlog"
    assert mode(with_setting(mode=moded, baseline=date(2009, 3, 9))) == moded
    assert mode(with_setting(mode=moded, baseline=first, start=first)) == "backlog"
    assert mode(with_source("hall", baseline=first)) == "backlog"


def test_a_rule_in_shadow_has_no_backlog() -> None:
    """What a rule not yet trusted says is in no list."""
    assert mode(with_setting(mode="shadow", baseline=date(2009, 3, 10))) == "shadow"


def test_a_retired_source_keeps_its_baseline() -> None:
    """Taking a source out of the rulebook makes no cards of its backlog."""
    before = with_source("hall", baseline=date(2009, 3, 10))
    after = book_with(sources=tuple(source for source in BOOK.sources if source.code != "hall"))
    judged = judge(case(*ACCEPTED), LATE, history(before, after, since=("2009-03-10 00:00",)))
    assert finding(judged, "V01").mode == "backlog"


def test_what_grows_worse_after_the_baseline_is_a_card() -> None:
    """Late by the promise before the baseline is backlog; late by the law after it is a finding of its own."""
    book = with_source("hall", baseline=date(2009, 3, 16))
    judged = judge(case(*ACCEPTED), "2009-04-01 09:00", book)
    assert (finding(judged, "V01").mode, finding(judged, "V02").mode) == ("backlog", "card")
    assert finding(judged, "V02").occurred_at == end_of("2009-03-30")


def test_clocks_and_on_time_figures_ignore_modes() -> None:
    """The backlog changes who is told, and no clock and no on-time figure; it is in no figure of findings."""
    lines = (*ACCEPTED, at("2009-03-10 10:00", "approve"), at("2009-03-10 11:00", "finish"))
    for book in (BOOK, with_source("hall", baseline=date(2009, 6, 1))):
        judged = judge(case(*lines), LATE, book)
        names = [measure.name for measure in judged.measures]
        assert clock(judged, "promised").phase == "breached"
        assert "promised_overdue" in names
        assert ("findings_conduct" in names) == (book is BOOK)


def test_backlog_lights_no_light() -> None:
    """A skipped step from before the baseline does not colour its case."""
    skipped = (*ACCEPTED, at("2009-03-06 12:00", "finish", outcome="refused"))
    assert judge(case(*skipped), LATE).light is Light.PROMISED_BREACH
    assert judge(case(*skipped), LATE, with_source("hall", baseline=date(2009, 6, 1))).light is Light.NORMAL


def test_findings_about_the_data_have_no_other_mode() -> None:
    """No exception and no baseline hides a defect of the feed from its owner."""
    hidden = RuleSetting(mode="off", baseline=date(2009, 6, 1), exceptions=(RuleException(mode="off", source="hall"),))
    book = book_with(rules={**BOOK.rules, "D01": hidden})
    assert mode(book, *ACCEPTED, at("2009-03-03 10:00", "transfer", department="nobody"), rule="D01") == "card"


def test_every_conduct_rule_can_be_off_by_exception() -> None:
    """Off by exception means no finding, for every rule."""
    nowhere = RuleSetting(mode="card", exceptions=(RuleException(mode="off", source="hall"),))
    book = book_with(rules=dict.fromkeys(CONDUCT, nowhere))
    lines = (at("2009-03-02 09:00", "approve"), at("2009-03-01 10:00", "finish"), at("2009-03-30 10:00", "accept"))
    assert {rule for rule, _ in found(judge(case(*lines), "2009-06-01 00:00"))} & set(CONDUCT)
    assert found(judge(case(*lines), "2009-06-01 00:00", book)) == []
