"""What a lawful case tells: who acted, on what basis, what was told, paid, brought and answered."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice, pairwise

import pytest

from monitor.events import Event, EventType
from monitor.rulebook.model import Rulebook
from streams.simulator import Mix, SimulatedCase, simulate_cases

ZONE = timezone(timedelta(hours=8))
START, END = datetime(2009, 3, 2, tzinfo=ZONE), datetime(2009, 9, 1, tzinfo=ZONE)
RICH = Mix(
    accepted_per_day=120, late_promised=0, late_statutory=0, extended=0.05, deemed=0, late_issued=0, late_leg=0,
    planted=0, mishandled=0, suspended=0.3, supplemented=0.2, deferred=0.1, refused=0.05, denied=0.05, withdrawn=0.05,
    complained=0.02,
    requested=0.02,
)  # fmt: skip
T = EventType
ONESELF = {T.TICKET, T.CONSULT, T.RATING, T.COMPLAINT_FILED, T.REQUEST_FILED}
BY_APPLICANT_ONLINE = {T.APPLY, T.SUPPLEMENT_RECEIVED, T.DEFERRED_RECEIVED, T.WITHDRAW}


@pytest.fixture(scope="module")
def cases(rulebook: Rulebook) -> list[SimulatedCase]:
    """Half a year in which everything lawful happens often."""
    return list(islice(simulate_cases(rulebook, 7, START, END, RICH), 8_000))


def of_type(cases: list[SimulatedCase], *kinds: EventType) -> Iterator[tuple[SimulatedCase, Event]]:
    """Iterate the events of some types, with their case; there must be some."""
    found = [(case, event) for case in cases for event in case.events if event.type in kinds]
    assert found, kinds
    return iter(found)


def test_every_act_of_staff_names_operator_and_role(cases: list[SimulatedCase]) -> None:
    """Whatever a window or an official does says who did it and in which role; what applicants do does not."""
    for case in cases:
        for event in case.events:
            by_staff = event.type not in ONESELF and not (
                event.type in BY_APPLICANT_ONLINE and event.channel != "window"
            )
            assert (event.operator is not None) == (event.operator_role is not None) == by_staff, event


def test_an_approval_is_given_by_who_may_give_it(rulebook: Rulebook, cases: list[SimulatedCase]) -> None:
    """A delegate whose delegation is valid that day decides, or the department's own official where there is none."""
    for _, event in of_type(cases, T.APPROVE):
        item = rulebook.item[event.item or ""]
        given = {row.operator for row in rulebook.delegations if row.item == item.code and row.power == "approve"}
        assert event.operator in (given if event.department == item.department else {f"{event.department}-approve"})


def test_opinions_are_written_out(cases: list[SimulatedCase]) -> None:
    """Every decision, refusal, complaint and request has a text of more than ten characters and no name in it."""
    kinds = (T.APPROVE, T.REFUSE, T.SUSPEND, T.EXTEND, T.COMPLAINT_FILED, T.COMPLAINT_CLOSED, T.REQUEST_CLOSED)
    for _, event in of_type(cases, *kinds):
        assert isinstance(event.data.text, str)
        assert len(event.data.text) > 10


def test_refusals_are_reasoned(cases: list[SimulatedCase]) -> None:
    """Who is turned away gets a voucher, a reason and is told what he can do about it, at the start or the end."""
    refusals = [event for _, event in of_type(cases, T.REFUSE, T.FINISH) if event.data.outcome != "granted"]
    assert {event.type for event in refusals} == {T.REFUSE, T.FINISH}
    assert all(e.data.voucher and e.data.reason_code and e.data.remedies_told for e in refusals)


def test_fees_are_published_assessed_and_then_paid(rulebook: Rulebook, cases: list[SimulatedCase]) -> None:
    """A fee is one of the item's, after acceptance and before the finish, paid as assessed and never in cash."""
    for case, paid in of_type(cases, T.FEE):
        if paid.data.fee_act == "assessed":
            continue
        fees = {fee.code: fee.amount for fee in rulebook.item[paid.item or ""].fees}
        assessed = next(e for e in case.events if e.data.fee_act == "assessed")
        assert assessed.time <= paid.time
        assert assessed.data.amount == paid.data.amount
        full = fees[paid.data.fee or ""]
        assert paid.data.amount == (full / 2 if paid.data.reduction else full)
        assert paid.data.method not in (None, "cash")
        told = [event.type for event in case.events]
        assert told.index(T.FEE) > (told.index(T.ACCEPT) if T.ACCEPT in told else 0)
        assert told.index(T.FINISH) > told.index(T.FEE) + 1


def test_suspensions_are_lawful(rulebook: Rulebook, cases: list[SimulatedCase]) -> None:
    """A suspension is for a procedure of the item, on a legal basis, told, allowed by the head, and ends in a paper."""
    for case, suspend in of_type(cases, T.SUSPEND):
        data = suspend.data
        assert data.procedure in (rulebook.item[suspend.item or ""].procedures or ())
        assert data.legal_basis
        assert data.told_at == suspend.time
        assert data.planned_days
        assert (data.approver, data.approver_role) == (f"{suspend.department}-head", "organ_head")
        assert data.approver not in {event.operator for event in case.events}
        for resume in (event for event in case.events if event.type is T.RESUME):
            assert resume.data.procedure == data.procedure
            assert resume.data.result


def test_a_hearing_is_chaired_from_outside(cases: list[SimulatedCase]) -> None:
    """Whoever chairs a hearing has no other part in the case; a site check has two officers."""
    for case, hearing in of_type(cases, T.HEARING):
        assert hearing.data.chair
        assert hearing.data.chair not in {event.operator for event in case.events}
    assert all(len(set(check.data.officers or ())) == 2 for _, check in of_type(cases, T.SITE_CHECK))


def test_what_was_missing_is_brought_in_time(cases: list[SimulatedCase]) -> None:
    """Where something was accepted as missing it comes before its day and before the decision."""
    deferred = 0
    for case, accept in of_type(cases, T.ACCEPT):
        if accept.data.deferred_until is not None and case.events[-1].type in (T.ISSUE, T.ARCHIVE):
            deferred += 1
            brought = next(event for event in case.events if event.type is T.DEFERRED_RECEIVED)
            decided = next(event for event in case.events if event.type in (T.APPROVE, T.FINISH))
            assert brought.time < accept.data.deferred_until
            assert brought.time <= decided.time
    assert deferred


def test_an_applicant_confirms_that_he_withdraws(cases: list[SimulatedCase]) -> None:
    """Every withdrawal is signed or confirmed, and has a reason."""
    assert all(event.data.confirmed and event.data.reason_code for _, event in of_type(cases, T.WITHDRAW))


def test_complaints_and_requests_are_apart_from_the_cases(rulebook: Rulebook, cases: list[SimulatedCase]) -> None:
    """They have numbers and courses of their own, are about a department, and are handled by nobody complained of."""
    lines = {line.code for line in rulebook.direct_lines}
    for prefix, course in (
        ("TS", (T.COMPLAINT_FILED, T.COMPLAINT_ACCEPTED, T.COMPLAINT_CLOSED)),
        ("SQ", (T.REQUEST_FILED, T.REQUEST_CLOSED)),
    ):
        some = [case for case in cases if (case.events[0].case or "").startswith(prefix)]
        assert some
        for case in some:
            told = tuple(event.type for event in case.events)
            assert told == course[: len(told)]
            assert all(event.item is None and event.department for event in case.events)
            assert case.events[0].data.against not in {event.operator for event in case.events} - {None}
            assert (case.events[0].direct_line in lines) == (prefix == "SQ")


def test_a_database_writes_one_step_after_the_other(cases: list[SimulatedCase]) -> None:
    """No step of a case is recorded before one that precedes it."""
    for case in cases:
        steps = [event for event in case.events if event.type is not T.SUSPEND]
        assert all((a.recorded or a.time) <= (b.recorded or b.time) for a, b in pairwise(steps))
