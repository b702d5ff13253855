"""Measures and handling: what one case adds to the statistics, and how it ended."""

from collections import Counter
from datetime import date
from typing import Any

import msgspec
import pytest

from monitor.case import open_file
from monitor.clocks import clocks_of
from monitor.events import CONSOLE
from monitor.ledger.changes import case_columns
from monitor.measures import measures_of
from monitor.rulebook.model import Delegation, RuleSetting
from monitor.verdict import Assessment, Handling
from tests.monitor.cases import (
    BOOK,
    Line,
    at,
    book_with,
    case,
    clock,
    finding,
    history,
    judge,
    when,
    with_item,
    with_source,
)

LATER = "2009-05-01 00:00"
APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")
FINISH = at("2009-03-04 10:00", "finish", outcome="granted")


def measured(*lines: Line, item: str = "permit", book: Any = BOOK, without: str = "clocks_") -> dict[str, int]:
    """Add up what a case measures by name, whatever the day."""
    found: Counter[str] = Counter()
    for measure in judge(case(*lines, item=item), LATER, book).measures:
        if not measure.name.startswith(without):
            found[measure.name] += measure.amount
    return dict(found)


def day_of(assessment: Assessment, name: str) -> str:
    """Find the one day a measure counts on."""
    [day] = {m.day.isoformat() for m in assessment.measures if m.name == name}
    return day


def handling(*lines: Line, item: str = "permit", book: Any = BOOK) -> Handling:
    """Judge a case long after and say how it ended."""
    return judge(case(*lines, item=item), LATER, book).handling


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        ("granted", {"finished"}),
        ("refused", {"finished", "finished_refused"}),
        ("returned", {"finished", "finished_returned"}),
        ("lapsed", {"finished", "finished_returned"}),
        (None, {"finished"}),
    ],
)
def test_a_finish_counts_by_its_outcome(outcome: str | None, counted: set[str]) -> None:
    """A case returned to the applicant was finished, but is no decision: it is neither on time nor overdue."""
    names = measured(APPLY, ACCEPT, at("2009-03-04 10:00", "finish", outcome=outcome)).keys()
    assert {name for name in names if name.startswith("finished")} == counted
    assert ("promised_on_time" in names) == ("finished_returned" not in names)


def test_the_refusal_of_an_accepted_case_finishes_it() -> None:
    """Whoever refuses what he had accepted has decided, on that day; a refusal to accept is no finish."""
    refuse = at("2009-03-04 10:00", "refuse")
    refused = judge(case(APPLY, ACCEPT, refuse, at("2009-03-06 10:00", "finish")), LATER)
    assert (refused.handling.outcome, day_of(refused, "finished_refused")) == ("refused", "2009-03-04")
    assert day_of(refused, "promised_on_time") == "2009-03-04"
    assert {"refused"} == measured(APPLY, refuse).keys() - {"applied"}
    assert handling(APPLY, refuse).finished_at is None


@pytest.mark.parametrize(("kind", "finished"), [("withdraw", False), ("forward", False), ("void", False)])
def test_a_case_that_ended_otherwise_was_not_finished(kind: str, finished: bool) -> None:
    """What was withdrawn, passed on or declared void is in no figure of finishes, whatever a system adds afterwards."""
    ended = handling(APPLY, ACCEPT, at("2009-03-03 10:00", kind), FINISH)
    assert (ended.finished_at is not None) is finished
    assert ended.closed_at is not None
    assert ended.closed_at.isoformat() == "2009-03-03T02:00:00+00:00"
    assert not any(n.startswith("finished") for n in measured(APPLY, ACCEPT, at("2009-03-03 10:00", kind), FINISH))


def test_a_withdrawal_after_the_finish_undoes_nothing() -> None:
    """What was decided in time stays decided in time."""
    assert {"finished", "promised_on_time"} <= measured(
        APPLY, ACCEPT, FINISH, at("2009-03-05 09:00", "withdraw")
    ).keys()


def test_days_are_thousandths_of_working_days_net_of_pauses() -> None:
    """Two working days used of five promised and twenty allowed, a weekend and a test not counted."""
    lines = (
        APPLY,
        at("2009-03-06 10:00", "accept"),
        at("2009-03-09 10:00", "suspend", procedure="testing"),
        at("2009-03-11 10:00", "resume"),
        at("2009-03-12 10:00", "finish", outcome="granted"),
        at("2009-03-12 21:00", "issue"),
    )
    ended = handling(*lines)
    assert (ended.statutory_millidays, ended.promised_millidays, ended.used_millidays) == (20_000, 5_000, 2_000)
    assert ended.waited_millidays == 10_500, "ten and a half days from nine on Monday to nine on Thursday evening"
    assert ended.item_type == "promised"


def test_time_counted_by_the_hour_is_rounded_half_up() -> None:
    """An hour and a half of a day of six and a half hours is 0.231 days."""
    ended = handling(
        APPLY,
        ACCEPT,
        at("2009-03-02 11:30", "finish"),
        item="hours",
    )
    assert (ended.promised_millidays, ended.used_millidays) == (1_500, 231)


def test_calendar_days_are_not_added_to_working_days() -> None:
    """A promise in calendar days, and one counted by a profile of calendar days, are in no sum of working days."""
    assert handling(APPLY, ACCEPT, FINISH, item="natural").promised_millidays is None
    whole = with_item("permit", profile="calendar_day")
    ended = handling(APPLY, ACCEPT, FINISH, book=whole)
    assert (ended.promised_millidays, ended.statutory_millidays, ended.used_millidays) == (None, None, None)
    assert "speed_cases" not in measured(APPLY, ACCEPT, FINISH, item="natural")


def test_speed_is_over_ordinary_promised_time_cases() -> None:
    """Neither what is done at once nor what came by the direct line flatters the mean."""
    assert measured(APPLY, ACCEPT, FINISH)["speed_cases"] == 1
    assert "speed_cases" not in measured(APPLY, ACCEPT, at("2009-03-02 11:00", "finish"), item="instant")
    direct = [
        msgspec.structs.replace(entry, event=msgspec.structs.replace(entry.event, direct_line="E01"))
        for entry in case(APPLY, ACCEPT, FINISH)
    ]
    assert "speed_cases" not in {m.name for m in judge(direct, LATER).measures}


def test_early_means_earlier_than_promised() -> None:
    """Finished on the last day is on time and not early; against an instant its source has set, before it."""
    assert "promised_early" in measured(APPLY, ACCEPT, FINISH)
    last_day = measured(APPLY, ACCEPT, at("2009-03-09 10:00", "finish"))
    assert ("promised_on_time" in last_day, "promised_early" in last_day) == (True, False)
    due = at("2009-03-02 10:00", "accept", due="2009-03-04 10:00")
    assert "promised_early" not in measured(APPLY, due, FINISH)
    assert "promised_early" in measured(APPLY, due, at("2009-03-04 09:00", "finish"))


def test_a_case_is_done_at_once_or_once_or_not() -> None:
    """Finished on the day of acceptance; without a supplement and with one ticket at most."""
    assert "finished_same_day" in measured(APPLY, ACCEPT, at("2009-03-02 17:00", "finish"))
    assert "finished_same_day" not in measured(APPLY, ACCEPT, FINISH)
    ticket, second = at("2009-03-02 08:50", "ticket"), at("2009-03-04 08:50", "ticket")
    assert "finished_not_once" not in measured(ticket, APPLY, ACCEPT, FINISH)
    assert "finished_not_once" in measured(ticket, APPLY, ACCEPT, second, FINISH)
    supplement = at("2009-03-02 09:30", "supplement_notice")
    assert "finished_not_once" in measured(APPLY, supplement, ACCEPT, FINISH)


def test_ratings_are_counted_good_and_bad() -> None:
    """The last two of five levels are bad; a case rated twice was rated."""
    found = measured(
        APPLY,
        ACCEPT,
        FINISH,
        at("2009-03-04 11:00", "rating", rating=3),
        at("2009-03-05 11:00", "rating", rating=4),
    )
    assert (found["ratings"], found["ratings_bad"], found["finished_rated"]) == (2, 1, 1)


def test_an_application_over_the_net_is_counted_as_such() -> None:
    """Online and mobile are over the net, a window is not."""
    for channel, counted in (("online", True), ("mobile", True), ("window", False)):
        [applied] = case(APPLY)
        online = msgspec.structs.replace(applied, event=msgspec.structs.replace(applied.event, channel=channel))
        assert ("applied_online" in {m.name for m in judge([online], LATER).measures}) is counted


def entered(
    kind: str, hours: float, window: str | None = "W1", source: str = "hall", book: Any = BOOK
) -> dict[str, int]:
    """Measure the entries of a case of one event, recorded so many hours after it happened."""
    [entry] = case(at("2009-03-02 09:00", kind, window=window, source=source))
    recorded = entry.event.time.timestamp() + hours * 3600
    event = msgspec.structs.replace(
        entry.event, recorded=entry.event.time.fromtimestamp(recorded, entry.event.time.tzinfo)
    )
    found = judge([msgspec.structs.replace(entry, event=event)], "2009-03-02 10:00", book).measures
    return {m.name: m.amount for m in found if m.name.startswith("entries")}


def test_an_entry_is_late_when_rule_v08_says_so() -> None:
    """Two office hours at a window, a day elsewhere; not what an applicant does, nor what has no time of entry."""
    assert entered("accept", 2) == {"entries": 1}
    assert entered("accept", 2.1) == {"entries": 1, "entries_late": 1}
    assert entered("accept", 23, window=None) == {"entries": 1}
    assert entered("accept", 25, window=None) == {"entries": 1, "entries_late": 1}
    assert entered("accept", 23, window=None, source="daily") == {"entries": 1}
    assert entered("apply", 25) == {}
    assert "entries" not in measured(APPLY, ACCEPT)
    lenient = book_with(rules={"V08": RuleSetting(mode="off", parameters={"window_hours": 3})})
    assert entered("accept", 2.1, book=lenient) == {"entries": 1}, "with the parameters set here, used or not"


def test_a_breach_an_inspector_has_cancelled_counts_as_kept() -> None:
    """Figures follow his word: the case was decided on time, and stands so in its columns."""
    entries = case(APPLY, ACCEPT, at("2009-03-10 09:00", "finish"), at("2009-03-10 10:00", "archive"))
    verdict = at("2009-03-11 09:00", "card_cancelled", source=CONSOLE, finding=finding(judge(entries, LATER), "V01").id)
    cancelled = judge([*entries, *case(verdict)], LATER)
    assert (finding(cancelled, "V01").state, clock(cancelled, "promised").phase) == ("cancelled", "breached")
    names = {measure.name for measure in cancelled.measures}
    assert ("promised_on_time" in names, "promised_overdue" in names) == (True, False)
    assert case_columns(cancelled)["promised"] == "met"
    assert case_columns(judge(entries, LATER))["promised"] == "breached"


def test_a_complaint_taken_up_again_is_closed_when_it_is_closed_again() -> None:
    """What was reopened is open, whatever was closed before."""
    lines = [
        at("2009-03-02 09:00", "complaint_filed"),
        at("2009-03-03 09:00", "complaint_accepted"),
        at("2009-03-04 09:00", "complaint_closed"),
        at("2009-03-05 09:00", "complaint_accepted"),
    ]
    assert "complaints_closed" not in measured(*lines)
    assert judge(case(*lines), LATER).handling.closed_at is None
    again = judge(case(*lines, at("2009-03-09 09:00", "complaint_closed")), LATER)
    assert (day_of(again, "complaints_accepted"), day_of(again, "complaints_closed")) == ("2009-03-03", "2009-03-09")


def test_a_decision_at_the_window_is_one_by_a_power_given_there() -> None:
    """It counts by the validity of the delegation and its amount; unknown holders accuse nobody."""

    def decided(operator: str | None, amount: float | None = None, book: Any = BOOK) -> set[str]:
        entries = case(APPLY, ACCEPT, at("2009-03-04 09:00", "approve", amount=amount), FINISH)
        approve = msgspec.structs.replace(
            entries[2], event=msgspec.structs.replace(entries[2].event, operator=operator)
        )
        found = judge([*entries[:2], approve, entries[3]], LATER, book).measures
        return {m.name for m in found if m.name.startswith("decided")}

    given = Delegation(
        item="permit",
        power="approve",
        operator="li",
        valid_from=date(2009, 3, 1),
        valid_to=date(2009, 3, 4),
        amount_max=1000,
    )
    complete = tuple(msgspec.structs.replace(d, delegations_complete=True) for d in BOOK.departments)
    book = book_with(delegations=(given,), departments=complete)
    assert decided("li", book=book) == {"decided"}
    assert decided("li", 1000, book) == {"decided"}
    assert decided("li", 1001, book) == {"decided", "decided_elsewhere"}
    assert decided("wang", book=book) == {"decided", "decided_elsewhere"}
    lapsed = msgspec.structs.replace(book, delegations=(msgspec.structs.replace(given, valid_to=date(2009, 3, 3)),))
    assert decided("li", book=lapsed) == {"decided", "decided_elsewhere"}
    assert decided(None, book=book) == set(), "who decided is not told"
    assert decided("wang", book=book_with(delegations=(given,))) == set(), "not every delegation is listed"


def test_complaints_and_requests_count_on_their_own_days() -> None:
    """A complaint is accepted and closed, a request filed and closed; the columns of the case say when."""
    complaint = judge(
        case(
            at("2009-03-02 09:00", "complaint_filed"),
            at("2009-03-03 09:00", "complaint_accepted"),
            at("2009-03-06 09:00", "complaint_closed"),
        ),
        LATER,
    )
    assert (day_of(complaint, "complaints_accepted"), day_of(complaint, "complaints_closed")) == (
        "2009-03-03",
        "2009-03-06",
    )
    assert complaint.handling.complaint_closed_at == complaint.handling.closed_at is not None
    request = judge(case(at("2009-03-02 09:00", "request_filed"), at("2009-03-04 09:00", "request_closed")), LATER)
    assert (day_of(request, "requests_filed"), day_of(request, "requests_closed")) == ("2009-03-02", "2009-03-04")


@pytest.mark.parametrize(
    ("state", "mode", "counted"),
    [
        ("live", "card", "findings_conduct"),
        ("contested", "card", "findings_contested"),
        ("cancelled", "card", "findings_cancelled"),
        ("live", "backlog", "findings_backlog"),
        ("provisional", "card", None),
        ("live", "lead", None),
        ("live", "shadow", None),
    ],
)
def test_a_finding_is_counted_as_what_it_is(state: Any, mode: Any, counted: str | None) -> None:
    """A card, one that waits for an inspector, one he took back, one late before the baseline: each apart."""
    entries = case(APPLY, ACCEPT, at("2009-03-10 09:00", "finish"), at("2009-03-10 10:00", "archive"))
    file = open_file(entries, history(BOOK), when(LATER))
    assessment = judge(entries, LATER)
    said = msgspec.structs.replace(finding(assessment, "V01"), state=state, mode=mode)
    names = {m.name for m in measures_of(file, clocks_of(file), [said], assessment.handling)}
    assert {name for name in names if name.startswith("findings")} == ({counted} if counted else set())


def test_what_cannot_be_seen_is_neither_on_time_nor_overdue() -> None:
    """A finish whose acceptance no source can send is finished, and timely in no figure."""
    book = with_source("hall", types=("apply", "finish"))
    names = measured(APPLY, FINISH, book=book).keys()
    assert "finished" in names
    assert not any(name.startswith(("promised_", "statutory_", "speed_")) for name in names)
