"""Verdicts in words: what a person reads is what the evidence says, in both languages."""

from typing import Final

import pytest

from monitor.language import LANGS, Lang, text
from monitor.rules import RULES
from monitor.wording import say_days, say_finding, say_instant, say_limit
from tests.monitor.cases import BOOK, at, case, end_of, finding, judge, when

OPENED: Final = (at("2009-03-02 09:00", "apply"), at("2009-03-02 10:00", "accept"))


@pytest.mark.parametrize("rule", RULES)
def test_the_basis_of_a_rule_is_the_same_in_evidence_and_in_print(rule: str) -> None:
    """The article a finding carries as evidence is the one a reader is shown."""
    assert text(f"rule.{rule}.basis", "zh") == RULES[rule].basis


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_name_and_a_text(rule: str, lang: Lang) -> None:
    """No rule accuses anyone without words."""
    assert text(f"rule.{rule}.name", lang)
    assert text(f"rule.{rule}.basis", lang)


def test_a_breach_is_told_with_its_arithmetic() -> None:
    """The sentence names limit, start, due day and what happened."""
    breach = finding(judge(case(*OPENED), "2009-03-20 00:00"), "V01")
    assert say_finding(breach, "zh", BOOK) == (
        "承诺时限：5 个工作日，自 2009-03-02 10:00 起，应于 2009-03-09 24:00 前办结；至今未结束。"
    )
    assert say_finding(breach, "en", BOOK) == (
        "promised limit: 5 working days from 2009-03-02 10:00, due 2009-03-09 24:00; not ended yet."
    )


def test_a_contested_breach_is_told_with_its_three_times() -> None:
    """Who reads that a breach is contested reads when the late event was, was stored, and came."""
    lines = (
        *OPENED,
        at("2009-03-03 10:00", "approve", outcome="refused"),
        at("2009-03-09 17:00", "finish", received="2009-03-12 08:00"),
    )
    contested = finding(judge(case(*lines), "2009-03-20 00:00"), "V01")
    said = say_finding(contested, "zh", BOOK)
    assert "待复核" in said
    assert "2009-03-09 17:00" in said
    assert "2009-03-12 08:00" in said


@pytest.mark.parametrize("lang", LANGS)
def test_a_contested_order_keeps_both_its_steps(lang: Lang) -> None:
    """What came late is told beside the two steps whose order was wrong, not in the place of one."""
    lines = (
        *OPENED,
        at("2009-03-02 09:30", "approve", name="wrong", outcome="refused"),
        at("2009-03-20 09:30", "retract", target="wrong"),
    )
    said = say_finding(finding(judge(case(*lines), "2009-03-21 00:00"), "V07"), lang, BOOK)
    assert all(time in said for time in ("2009-03-02 09:30", "2009-03-02 10:00", "2009-03-20 09:30"))


@pytest.mark.parametrize(
    ("written", "extension", "zh", "en"),
    [
        ("20 wd", 0, "20 个工作日", "20 working days"),
        ("1 wd", 0, "1 个工作日", "1 working day"),
        ("0.5 wd", 0, "0.5 个工作日", "0.5 working days"),
        ("30 cd", 0, "30 个自然日", "30 calendar days"),
        ("0 wd", 0, "当日", "the same day"),
        ("20 wd", 10, "20 个工作日，依法延长 10 个工作日", "20 working days, lawfully extended by 10 working days"),
    ],
)
def test_limits_are_written_out(written: str, extension: float, zh: str, en: str) -> None:
    """A limit is read as a person says it."""
    assert (say_limit(written, "zh", extension), say_limit(written, "en", extension)) == (zh, en)


def test_the_last_moment_of_a_day_is_24_oclock() -> None:
    """A day that ends is written as 24:00 of that day, other instants to the second where they have one."""
    calendar = BOOK.days
    assert say_instant(end_of("2009-03-09"), calendar) == "2009-03-09 24:00"
    assert say_instant(when("2009-03-09 10:07"), calendar) == "2009-03-09 10:07"
    assert say_instant(when("2009-03-09 10:07:09"), calendar) == "2009-03-09 10:07:09"


def test_units_are_written_in_days() -> None:
    """Whole days stay whole, parts are rounded for the eye only."""
    assert (say_days(14, 1), say_days(-9, 1), say_days(5, 3)) == ("14", "-9", "1.6667")
