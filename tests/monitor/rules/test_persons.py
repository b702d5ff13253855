"""Who acted: approvals without delegation (V15), one person where it takes two (V16)."""

from datetime import date
from typing import Any

import msgspec
import pytest

from monitor.language import LANGS, Lang
from monitor.rulebook.model import Delegation, Rulebook
from monitor.verdict import Severity
from monitor.wording import say_finding
from tests.monitor.cases import BOOK, Line, at, case, history, judge, when, with_item
from tests.monitor.rules.conduct import APPLY, OPENED, found_of, subjects_of


def row(operator: str = "O1", item: str = "permit", power: Any = "approve", **terms: Any) -> Delegation:
    """Delegate a power."""
    return Delegation(item=item, power=power, operator=operator, **{"valid_from": date(2009, 1, 1), **terms})


def declared(*rows: Delegation, complete: tuple[str, ...] = ("land",), book: Rulebook = BOOK) -> Rulebook:
    """Give the rulebook with delegations, complete for some departments."""
    departments = tuple(
        msgspec.structs.replace(each, delegations_complete=each.code in complete) for each in book.departments
    )
    return msgspec.structs.replace(book, departments=departments, delegations=rows)


def approve(operator: str | None = "O1", moment: str = "2009-03-03 10:00", **settings: Any) -> Line:
    """Grant an application."""
    return at(moment, "approve", operator=operator, outcome="granted", **settings)


def approved(book: Rulebook, *lines: Line, item: str = "permit") -> list[str]:
    """Tell what is wrong with approvals."""
    return [finding.evidence["act"] for finding in found_of("V15", *OPENED, *lines, book=book, item=item)]


@pytest.mark.parametrize(
    ("rows", "amount", "acts"),
    [
        ((row(),), None, []),
        ((), None, ["none"]),
        ((row("O2"),), None, ["none"]),
        ((row(item="long"),), None, ["none"]),
        ((row(power="review"),), None, ["none"]),
        ((row(valid_from=date(2009, 3, 4)),), None, ["expired"]),
        ((row(valid_to=date(2009, 3, 2)),), None, ["expired"]),
        ((row(valid_to=date(2009, 3, 3)),), None, []),
        ((row(amount_max=100.0),), 100.0, []),
        ((row(amount_max=100.0),), 100.5, ["amount"]),
        ((row(amount_max=100.0),), None, []),
        ((row(amount_max=100.0), row(amount_max=500.0, valid_to=date(2009, 3, 2))), 200.0, ["amount"]),
        ((row(valid_to=date(2009, 2, 1)), row(valid_from=date(2009, 3, 1))), None, []),
    ],
)
def test_an_approval_needs_a_delegation_of_that_day_and_amount(
    rows: tuple[Delegation, ...], amount: float | None, acts: list[str]
) -> None:
    """Item, power, operator, day and amount are held against the delegations listed."""
    assert approved(declared(*rows), approve(amount=amount)) == acts


def test_the_finding_shows_what_was_compared_and_names_nobody() -> None:
    """The terms of the operator's delegations and the rulebook versions are evidence; his code stays in the event."""
    (said,) = found_of("V15", *OPENED, approve("O77"), book=declared(row("O77", valid_to=date(2009, 2, 1))))
    assert (said.severity, said.subject, said.department) == (Severity.STATUTORY_BREACH, "hall/approve", "land")
    terms = {"valid_from": "2009-01-01", "valid_to": "2009-02-01", "amount_max": None}
    assert said.evidence["delegations"] == [terms]
    assert said.evidence["compared_with"] == [1]
    assert said.evidence["events"] == ["hall/approve"]
    assert "O77" not in str(said.evidence)
    assert "O77" not in say_finding(said, "en", BOOK)


def test_only_a_complete_list_and_a_named_operator_are_judged() -> None:
    """Where the list may lack somebody, or the event names nobody, nothing is known."""
    assert approved(declared(complete=()), approve()) == []
    assert approved(declared(), approve(None)) == []
    assert approved(declared(), approve(), item="nobody-knows") == []


def test_the_department_of_a_leg_decides_its_leg() -> None:
    """Of a joint case each leg is held against the list of its own department."""
    transfer = at("2009-03-02 11:00", "transfer", to=("fire", "water"))
    legs = (approve(department="fire"), approve(department="water"))
    assert subjects_of("V15", *OPENED, transfer, *legs, item="joint", book=declared(complete=("fire",))) == [
        "hall/approve"
    ]
    assert approved(declared(row(item="joint"), complete=("fire", "water")), transfer, *legs, item="joint") == []


def test_a_delegation_entered_late_counts_from_the_day_it_names() -> None:
    """What the rulebook of now lists, or the one of that moment listed, was given (V15's false positive)."""
    late = history(declared(), declared(row()), since=["2009-06-01 00:00"])
    dropped = history(declared(row()), declared(), since=["2009-06-01 00:00"])
    never = history(declared(), declared(), since=["2009-06-01 00:00"])
    assert found_of("V15", *OPENED, approve(), book=late) == []
    assert found_of("V15", *OPENED, approve(), book=dropped) == []
    (said,) = found_of("V15", *OPENED, approve(), book=never)
    assert said.evidence["compared_with"] == [1, 2]


@pytest.mark.parametrize(
    ("moment", "acts"), [("2009-03-04 00:04", []), ("2009-03-04 00:06", ["expired"]), ("2009-03-03 23:59", [])]
)
def test_midnight_is_as_exact_as_the_clock(moment: str, acts: list[str]) -> None:
    """A delegation that ended with 3 March covers what may have been decided then."""
    assert approved(declared(row(valid_to=date(2009, 3, 3))), approve(moment=moment)) == acts


# Two persons

ACCEPTED = at("2009-03-02 10:00", "accept", operator="O1")
TWO = with_item("permit", two_persons=True)


@pytest.mark.parametrize(
    ("approver", "book", "found"),
    [("O1", TWO, True), ("O2", TWO, False), (None, TWO, False), ("O1", BOOK, False)],
)
def test_who_accepts_may_not_approve_where_it_takes_two(approver: str | None, book: Rulebook, found: bool) -> None:
    """Only where the item asks for two, and only between persons told of."""
    said = found_of("V16", APPLY, ACCEPTED, approve(approver), book=book)
    assert [finding.subject for finding in said] == (["two_persons:hall/approve"] if found else [])
    if said:
        assert (said[0].severity, said[0].evidence["events"]) == (Severity.WARNING, ["hall/accept", "hall/approve"])
        assert "O1" not in str(said[0].evidence)


def test_an_acceptance_without_a_name_proves_nothing() -> None:
    """Nobody told of is nobody's double."""
    assert subjects_of("V16", *OPENED, approve(None), book=TWO) == []


def checked(*officers: str, moment: str = "2009-03-03 09:00", **settings: Any) -> Line:
    """Check a site."""
    return at(moment, "site_check", officers=officers or None, **settings)


@pytest.mark.parametrize(
    ("checks", "found"),
    [
        ((checked("A", "B"),), False),
        ((checked("A"),), True),
        ((checked("A", "A"),), True),
        ((checked(),), False),
        ((checked("A"), checked("B", moment="2009-03-03 16:00")), False),  # an event for each officer
        ((checked("A"), checked("A", moment="2009-03-03 16:00")), True),
        ((checked("A"), checked(moment="2009-03-03 16:00")), False),  # who else, nobody said
        ((checked("A"), checked("B", moment="2009-03-04 16:00")), True),
    ],
)
def test_a_site_is_checked_by_two(checks: tuple[Line, ...], found: bool) -> None:
    """Two distinct officers on the day, as far as officers are told (art. 34(3))."""
    assert ("officers:2009-03-03" in subjects_of("V16", *OPENED, *checks)) is found


def test_a_second_officer_may_still_be_told_of() -> None:
    """The day is waited for before one officer counts as alone; a second one told too late leaves it contested."""
    entries = case(*OPENED, checked("A"))
    early = judge(entries, "2009-03-03 12:00")
    assert early.findings == ()
    assert early.next_change is not None
    assert early.next_change <= when("2009-03-04 00:05")
    (said,) = judge(entries, "2009-03-04 00:05").findings
    assert (said.subject, said.state) == ("officers:2009-03-03", "live")
    late = checked("B", moment="2009-03-03 16:00", received="2009-03-05 10:00")
    assert [f.state for f in found_of("V16", *OPENED, checked("A"), late, until="2009-03-06 00:00")] == ["contested"]


HEARD = at("2009-03-04 09:00", "hearing", chair="C", officers=("R",))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((at("2009-03-03 09:00", "transfer", operator="C"),), True),
        ((checked("C", "D"),), True),
        ((approve("C"),), True),
        ((approve("D"), checked("A", "B")), False),
        ((at("2009-03-02 09:30", "accept", operator="C"),), False),
        ((), False),
    ],
)
def test_a_hearing_is_chaired_by_an_outsider(lines: tuple[Line, ...], found: bool) -> None:
    """Who reviewed or approves the case does not chair its hearing (art. 48)."""
    assert ("chair:hall/hearing" in subjects_of("V16", *OPENED, HEARD, *lines)) is found


def test_a_chair_not_told_of_is_nobody() -> None:
    """A hearing without chair is not chaired by an unnamed approver."""
    heard = at("2009-03-04 09:00", "hearing")
    assert subjects_of("V16", *OPENED, heard, approve(None)) == []


@pytest.mark.parametrize("lang", LANGS)
def test_all_are_told_in_words(lang: Lang) -> None:
    """Each has a sentence with its time and without a person."""
    said = [
        *found_of("V15", *OPENED, approve("O77"), book=declared()),
        *found_of("V15", *OPENED, approve("O77"), book=declared(row("O77", valid_to=date(2009, 2, 1)))),
        *found_of("V15", *OPENED, approve("O77", amount=9.0), book=declared(row("O77", amount_max=5.0))),
        *found_of("V16", APPLY, at("2009-03-02 10:00", "accept", operator="O77"), approve("O77"), book=TWO),
        *found_of("V16", *OPENED, checked("O77")),
        *found_of("V16", *OPENED, at("2009-03-04 09:00", "hearing", chair="O77"), approve("O77")),
    ]
    told = {say_finding(finding, lang, BOOK) for finding in said}
    assert len(told) == len(said) == 6
    assert all("2009-03-0" in each and "O77" not in each for each in told)
