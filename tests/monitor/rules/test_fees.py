"""Fees: the published amount, after acceptance, not in cash at a window (V19)."""

from typing import Any

import pytest

from monitor.language import LANGS, Lang
from monitor.rulebook.model import Fee
from monitor.verdict import Severity
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, Line, at, case, history, judge, when, with_item, with_mode
from tests.monitor.rules.conduct import ACCEPT, APPLY, CLOSED, FINISH, OPENED, found_of, subjects_of


def fee(code: str, amount: float) -> Fee:
    """Publish a fee."""
    return Fee(code=code, name=code, amount=amount, basis="价费字〔1992〕1号")


CHARGED = with_item("permit", fees=(fee("F1", 10),))
SEVERAL = with_item("permit", fees=(fee("F1", 10), fee("F2", 25)))
ONLY_OTHERS = with_item("long", fees=(fee("F1", 10),))


def paid(amount: float | None, moment: str = "2009-03-03 09:00", **told: Any) -> Line:
    """Take a fee."""
    return at(moment, "fee", amount=amount, **told)


def acts(*lines: Line, book: Any = CHARGED, **settings: Any) -> list[str]:
    """List what is found of the fees of a case that was finished."""
    return [s.split(":")[0] for s in subjects_of("V19", *OPENED, *lines, *CLOSED, book=book, **settings)]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((paid(10),), []),
        ((paid(10, fee_act="paid", fee="F1"),), []),
        ((paid(10.004),), []),
        ((paid(12),), ["amount"]),
        ((paid(8),), ["reduction"]),
        ((paid(0),), ["reduction"]),
        ((paid(8, reduction="JM1"),), []),
        ((paid(12, reduction="JM1"),), ["amount"]),
        ((paid(None),), []),
        ((paid(12, fee_act="refunded"),), []),
        ((paid(4), paid(6)), []),  # in parts
        ((paid(4), paid(4)), ["reduction"]),
        ((paid(7), paid(6)), ["amount"]),
        ((paid(10), paid(10)), []),
        ((paid(12), paid(2, fee_act="refunded")), ["amount"]),
        ((paid(12, fee_act="assessed"), paid(12)), ["amount"]),  # said once
        ((paid(10, fee_act="assessed"), paid(12)), ["amount"]),
        ((paid(8, fee_act="assessed"),), ["reduction"]),
        ((paid(8), paid(10, fee_act="assessed", reduction="JM1")), []),
        ((paid(10, fee="F9"),), []),  # a code the catalogue does not know is compared by its amount
    ],
)
def test_a_fee_is_the_published_one(lines: tuple[Line, ...], found: list[str]) -> None:
    """More than published, or less without approval of a reduction, is found; refunds and parts are no fees."""
    assert acts(*lines) == found


@pytest.mark.parametrize(
    ("amount", "code", "found"),
    [
        (10, None, []),
        (25, None, []),
        (35, None, []),
        (30, None, ["reduction"]),
        (40, None, ["amount"]),
        (25, "F2", []),
        (10, "F2", ["reduction"]),
        (25, "F1", ["amount"]),
    ],
)
def test_of_several_fees_any_sum_is_right_unless_the_code_is_told(
    amount: float, code: str | None, found: list[str]
) -> None:
    """A code says which fee it is; without one all that may be charged together is right."""
    assert acts(paid(amount, fee=code), book=SEVERAL) == found


def test_too_many_fees_are_not_guessed_at() -> None:
    """Of more than ten fees some sum is always right: only a code is compared."""
    many = with_item("permit", fees=tuple(fee(f"F{n}", n) for n in range(1, 12)))
    assert acts(paid(500), book=many) == []
    assert acts(paid(500, fee="F3"), book=many) == ["amount"]


def test_a_free_item_takes_nothing() -> None:
    """Any fee of an item without one is found, where the catalogue lists fees at all."""
    assert acts(paid(5), book=ONLY_OTHERS) == ["no_fee"]
    assert acts(paid(0), book=ONLY_OTHERS) == []
    assert acts(paid(5), book=BOOK) == [], "a catalogue without a single fee says nothing of fees"
    assert acts(paid(5), book=CHARGED, item="nobody-knows") == []


def test_the_price_of_acceptance_and_that_of_the_day_both_hold() -> None:
    """A fee changed while a case is open may be charged either way."""
    dearer = with_item("permit", fees=(fee("F1", 20),))
    books = history(CHARGED, dearer, since=["2009-03-02 12:00"])
    assert [acts(paid(amount), book=books) for amount in (10, 20, 15, 21)] == [[], [], ["reduction"], ["amount"]]


def test_what_is_short_is_looked_at_once_the_case_is_answered() -> None:
    """The rest may still be paid: until the finish has settled nothing is short, and then we look again."""
    part = paid(4)
    assert subjects_of("V19", *OPENED, part, book=CHARGED, until="2009-03-09 00:00") == []
    entries = case(*OPENED, part, *CLOSED)
    early = judge(entries, FINISH.time, CHARGED)
    assert early.findings == ()
    assert early.next_change is not None
    assert early.next_change <= when("2009-03-04 10:05")
    assert [f.subject for f in judge(entries, "2009-03-04 10:05", CHARGED).findings] == ["reduction:hall/fee"]
    assert acts(part, paid(6, "2009-03-20 09:00")) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (paid(10, "2009-03-02 09:54"), ["before_acceptance"]),
        (paid(10, "2009-03-02 09:55"), []),
        (paid(10, "2009-03-02 09:30", fee_act="assessed"), []),
        (paid(10, "2009-03-02 00:00", source="daily"), []),
        (paid(10, "2009-03-01 00:00", source="daily"), ["before_acceptance"]),
        (paid(10, "2009-03-04 10:06", fee_act="assessed"), ["after_finish"]),
        (paid(10, "2009-03-04 10:05", fee_act="assessed"), []),
        (paid(10, "2009-03-06 10:00"), []),
    ],
)
def test_a_fee_is_paid_after_acceptance_and_assessed_before_the_finish(line: Line, found: list[str]) -> None:
    """Order counts beyond what clocks may differ; paying after the finish is nobody's fault."""
    assert acts(line) == found


def test_a_case_deemed_accepted_was_accepted_before_it_was_paid() -> None:
    """Accepted by silence, a case may take its fee before the acceptance that was written too late."""
    late = at("2009-03-20 10:00", "accept")
    lines = (APPLY, paid(10, "2009-03-18 10:00"), late)
    assert subjects_of("V19", *lines, book=CHARGED) == []


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"method": "cash", "channel": "window"}, ["cash"]),
        ({"method": "cash", "window": "W1"}, ["cash"]),
        ({"method": "cash"}, []),
        ({"method": "cash", "channel": "express"}, []),
        ({"method": "pos", "channel": "window"}, []),
        ({"channel": "window"}, []),
    ],
)
def test_no_cash_is_taken_at_a_window(told: dict[str, Any], found: list[str]) -> None:
    """Cash, and at a window, both told; a warning, for no law forbids it, and off where no local rule does."""
    assert acts(paid(10, **told)) == found
    assert {f.severity for f in found_of("V19", *OPENED, paid(10, **told))} <= {Severity.WARNING}
    allowed = with_mode("V19", "card", cash_forbidden=0)
    assert subjects_of("V19", *OPENED, paid(None, **told), book=allowed) == []


def test_the_finding_says_what_was_charged_and_what_is_published() -> None:
    """The inspector sees both amounts, and the fee event."""
    (said,) = found_of("V19", *OPENED, paid(12, name="f", fee="F1"), book=SEVERAL)
    assert (said.severity, said.subject) == (Severity.STATUTORY_BREACH, "amount:hall/f")
    assert (said.evidence["amount"], said.evidence["standards"]) == (12, [10])
    assert said.evidence["events"] == ["hall/f"]


@pytest.mark.parametrize("lang", LANGS)
def test_each_is_told_in_words(lang: Lang) -> None:
    """Every kind has a sentence of its own with its time."""
    said = [
        *found_of("V19", *OPENED, paid(12), *CLOSED, book=CHARGED),
        *found_of("V19", *OPENED, paid(8), *CLOSED, book=CHARGED),
        *found_of("V19", *OPENED, paid(8), *CLOSED, book=ONLY_OTHERS),
        *found_of("V19", APPLY, ACCEPT, paid(10, "2009-03-02 09:30"), book=CHARGED),
        *found_of("V19", *OPENED, FINISH, paid(10, "2009-03-05 09:30", fee_act="assessed"), book=CHARGED),
        *found_of("V19", *OPENED, paid(10, method="cash", channel="window"), book=CHARGED),
    ]
    told = {say_finding(finding, lang, BOOK) for finding in said}
    assert len(told) == len(said) == 6
    assert all("2009-03-0" in each for each in told)
