"""The rules: each violation, its stated false positive, its withdrawal, and what its finding says (domain 3.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from monitor.rules import RULES
from monitor.rules.rule import Rule, Subject, Violation
from monitor.verdict import Severity
from tests.monitor.cases import (
    BOOK,
    TICK,
    Line,
    at,
    book_with,
    case,
    end_of,
    finding,
    found,
    history,
    judge,
    moved,
    sending,
    when,
    with_item,
    with_source,
)

LATER = "2009-12-31 00:00"
APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")
TRANSFER = at("2009-03-02 11:00", "transfer", to=("fire",))
APPROVE = at("2009-03-03 10:00", "approve", outcome="granted")
FINISH = at("2009-03-04 10:00", "finish", outcome="granted")
ISSUE = at("2009-03-04 11:00", "issue")
ARCHIVE = at("2009-03-04 12:00", "archive")
PROPER = (APPLY, ACCEPT, APPROVE, FINISH, ISSUE, ARCHIVE)


@dataclass(frozen=True)
class Offence:
    """A case that breaks one rule by an event of its own, and how it would have been done properly."""

    rule: str
    kept: tuple[Line, ...]
    wrong: Line
    right: Line
    severity: Severity
    occurred: Any
    events: tuple[str, ...]
    subject: str = ""
    department: str = "land"
    item: str = "permit"
    until: str = LATER


OFFENCES = (
    Offence(
        rule="V01",
        subject="promised",
        until="2009-03-10 12:00",
        kept=(APPLY, ACCEPT, APPROVE),
        wrong=at("2009-03-10 00:00", "finish", name="wrong"),
        right=at("2009-03-09 17:00", "finish"),
        severity=Severity.PROMISED_BREACH,
        occurred=end_of("2009-03-09"),
        events=("hall/accept", "hall/wrong"),
    ),
    Offence(
        rule="V02",
        subject="statutory",
        item="unpromised",
        kept=(APPLY, ACCEPT),
        wrong=at("2009-03-31 09:00", "approve", name="wrong", outcome="refused"),
        right=at("2009-03-30 17:00", "approve", outcome="refused"),
        severity=Severity.STATUTORY_BREACH,
        occurred=end_of("2009-03-30"),
        events=("hall/accept", "hall/wrong"),
    ),
    Offence(
        rule="V03",
        subject="leg:fire",
        department="fire",
        item="joint",
        until="2009-03-06 12:00",
        kept=(APPLY, ACCEPT, TRANSFER),
        wrong=at("2009-03-06 09:00", "approve", name="wrong", department="fire", outcome="refused"),
        right=at("2009-03-05 09:00", "approve", department="fire", outcome="refused"),
        severity=Severity.PROMISED_BREACH,
        occurred=end_of("2009-03-05"),
        events=("hall/transfer", "hall/wrong"),
    ),
    Offence(
        rule="V03",
        subject="step:accept",
        item="stepped",
        until="2009-03-05 12:00",
        kept=(APPLY, ACCEPT),
        wrong=at("2009-03-05 09:00", "approve", name="wrong", outcome="refused"),
        right=at("2009-03-04 09:00", "approve", outcome="refused"),
        severity=Severity.WARNING,
        occurred=end_of("2009-03-04"),
        events=("hall/accept", "hall/wrong"),
    ),
    Offence(
        rule="V03",
        subject="archive",
        kept=(APPLY, ACCEPT, APPROVE, FINISH, ISSUE),
        wrong=at("2009-03-12 09:00", "archive", name="wrong"),
        right=at("2009-03-11 09:00", "archive"),
        severity=Severity.WARNING,
        occurred=end_of("2009-03-11"),
        events=("hall/finish", "hall/wrong"),
    ),
    Offence(
        rule="V04",
        subject="notice",
        item="unpromised",
        kept=(APPLY,),
        wrong=at("2009-03-10 09:00", "refuse", name="wrong"),
        right=at("2009-03-09 09:00", "refuse"),
        severity=Severity.PROMISED_BREACH,
        occurred=end_of("2009-03-09"),
        events=("hall/apply", "hall/wrong"),
    ),
    Offence(
        rule="V04",
        subject="accept:1",
        kept=(APPLY, at("2009-03-03 09:00", "supplement_notice"), at("2009-03-04 09:00", "supplement_received")),
        wrong=at("2009-03-05 09:00", "refuse", name="wrong"),
        right=at("2009-03-04 17:00", "refuse"),
        severity=Severity.PROMISED_BREACH,
        occurred=end_of("2009-03-04"),
        events=("hall/supplement_received", "hall/wrong"),
    ),
    Offence(
        rule="V05",
        subject="issue",
        kept=(APPLY, ACCEPT, APPROVE, FINISH, ARCHIVE),
        wrong=at("2009-03-18 09:00", "issue", name="wrong"),
        right=at("2009-03-17 09:00", "issue"),
        severity=Severity.PROMISED_BREACH,
        occurred=end_of("2009-03-17"),
        events=("hall/approve", "hall/wrong"),
    ),
    Offence(
        rule="V06",
        kept=(APPLY, ACCEPT, ISSUE, ARCHIVE, at("2009-03-03 10:00", "approve", outcome="granted")),
        item="strict",
        wrong=at("2009-03-04 10:00", "finish", name="wrong", outcome="granted"),
        right=at("2009-03-04 10:00", "withdraw"),
        severity=Severity.PROMISED_BREACH,
        occurred=when("2009-03-04 10:00"),
        events=("hall/wrong",),
    ),
    Offence(
        rule="V07",
        subject="approve<accept",
        kept=(APPLY, ACCEPT, FINISH, ISSUE, ARCHIVE),
        wrong=at("2009-03-02 09:30", "approve", name="wrong", outcome="granted"),
        right=at("2009-03-02 10:30", "approve", outcome="granted"),
        severity=Severity.STATUTORY_BREACH,
        occurred=when("2009-03-02 09:30"),
        events=("hall/wrong", "hall/accept"),
    ),
)
every_offence = pytest.mark.parametrize("offence", OFFENCES, ids=lambda o: f"{o.rule}-{o.subject}")


def rules_of(*lines: Line, until: Any = LATER, book: Any = BOOK, item: str = "permit") -> list[str]:
    """List the rules a case breaks."""
    return [f.rule for f in judge(case(*lines, item=item), until, book).findings]


def test_a_proper_case_breaks_no_rule() -> None:
    """A case that took every step in time and in order has no finding, however late it is looked at."""
    assert rules_of(*PROPER) == []


@every_offence
def test_an_offence_is_found_with_everything_an_inspector_needs(offence: Offence) -> None:
    """A finding names rule, severity, department and instant, the events it rests on, and every version used."""
    assessment = judge(case(*offence.kept, offence.wrong, item=offence.item), offence.until)
    said = finding(assessment, offence.rule, offence.subject)
    assert (said.severity, said.department, said.occurred_at) == (
        offence.severity,
        offence.department,
        offence.occurred,
    )
    assert (said.kind, said.state, said.mode) == ("conduct", "live", "card")
    assert set(offence.events) <= set(said.evidence["events"])
    assert said.rule_version == RULES[offence.rule].version
    assert said.evidence["versions"] == {"rule": said.rule_version, "calendar": "2009", "catalogue": 1, "rulebook": 1}
    assert said.evidence["basis"]
    msgspec.json.encode(said.evidence)


@every_offence
def test_nothing_else_is_found_but_the_offence(offence: Offence) -> None:
    """One offence is one finding."""
    lines = (*offence.kept, offence.wrong)
    assert rules_of(*lines, until=offence.until, item=offence.item) == [offence.rule]


@every_offence
def test_what_was_done_properly_is_no_offence(offence: Offence) -> None:
    """The same case with its step taken properly has no finding."""
    assert rules_of(*offence.kept, offence.right, until=offence.until, item=offence.item) == []


@every_offence
def test_a_retraction_and_its_correction_withdraw_the_finding(offence: Offence) -> None:
    """An event keyed wrongly and taken back by its source, with the right one in its place, leaves no finding."""
    retracted = at(offence.wrong.time, "retract", target="wrong")
    entries = case(*offence.kept, offence.wrong, retracted, offence.right, item=offence.item)
    assert found(judge(entries, offence.until)) == []


@every_offence
def test_a_finding_keeps_its_id(offence: Offence) -> None:
    """The same violation has the same id however often, and up to whatever moment, it is computed."""
    entries = case(*offence.kept, offence.wrong, item=offence.item)
    once = finding(judge(entries, end_of("2009-05-01")), offence.rule, offence.subject)
    again = finding(judge(entries[::-1], LATER), offence.rule, offence.subject)
    assert once == again
    another = case(*offence.kept, offence.wrong, item=offence.item, number="C2")
    other = finding(judge(another, LATER), offence.rule, offence.subject)
    assert other.id != once.id


# Limits


@pytest.mark.parametrize(
    ("item", "rule", "due"), [("permit", "V01", "2009-03-09"), ("unpromised", "V02", "2009-03-30")]
)
def test_a_case_nobody_finishes_is_found_without_an_event(item: str, rule: str, due: str) -> None:
    """An open case breaks its limit by the passing of time alone, and not before."""
    assert rules_of(APPLY, ACCEPT, until=end_of(due), item=item) == []
    assert rules_of(APPLY, ACCEPT, until=end_of(due) + TICK, item=item) == [rule]


def test_a_finish_that_arrives_within_lateness_withdraws_the_breach() -> None:
    """A finish dated in time and delivered as its source declared leaves nothing behind."""
    finish = at("2009-03-09 17:00", "finish", source="night", received="2009-03-10 08:00")
    assert rules_of(APPLY, ACCEPT, APPROVE, ISSUE, ARCHIVE, finish) == []


def test_promise_and_law_are_two_findings() -> None:
    """A case over both limits breaks both rules, each with its own arithmetic."""
    entries = case(APPLY, ACCEPT, at("2009-04-01 10:00", "approve", outcome="refused"))
    assessment = judge(entries, "2009-04-01 12:00")
    assert found(assessment) == [("V01", "live"), ("V02", "live")]
    assert finding(assessment, "V01").evidence["limit"] == "5 wd"
    assert finding(assessment, "V02").evidence["limit"] == "20 wd"
    assert finding(assessment, "V02").evidence["used"] == 22


def test_the_evidence_lists_the_intervals_subtracted_and_the_events_behind_them() -> None:
    """A breach in spite of a suspension shows the pause, what it rests on, and the days used without it."""
    held = (at("2009-03-03 10:00", "suspend", procedure="testing"), at("2009-03-05 10:00", "resume"))
    entries = case(APPLY, ACCEPT, *held, APPROVE, at("2009-03-12 10:00", "finish"))
    evidence = finding(judge(entries, "2009-03-12 12:00"), "V01").evidence
    assert evidence["pauses"] == [{"since": "2009-03-03T02:00:00Z", "until": "2009-03-05T02:00:00Z"}]
    assert {"hall/accept", "hall/suspend", "hall/resume", "hall/finish"} <= set(evidence["events"])
    assert (evidence["used"], evidence["budget"]) == (6, 5)


def test_the_evidence_of_a_legal_limit_names_its_extension() -> None:
    """What extended the limit is among the events V02 rests on, and not among those of the promise."""
    extended = at("2009-03-20 10:00", "extend", days=1, approver_role="organ_head")
    assessment = judge(case(APPLY, ACCEPT, extended), "2009-04-01 00:00")
    assert finding(assessment, "V02").evidence["events"] == ["hall/accept", "hall/extend"]
    assert finding(assessment, "V02").evidence["extension_days"] == 1
    assert finding(assessment, "V01").evidence["events"] == ["hall/accept"]


def test_the_evidence_lists_the_working_days_each_unit_held_the_case() -> None:
    """Of eight days used, two lay with the lead and six with the department it was passed to."""
    passed = at("2009-03-04 10:00", "transfer", department="fire")
    entries = case(APPLY, ACCEPT, passed, at("2009-03-12 10:00", "finish", department="fire"))
    assert finding(judge(entries, "2009-03-12 12:00"), "V01").evidence["held"] == {"land": 2, "fire": 6}


def test_a_breach_of_the_sources_own_due_instant_is_over_promised() -> None:
    """A due instant set by the source and missed is V01, and says so."""
    told, held = at("2009-03-02 09:00", "apply", due="2009-03-05 17:30"), at("2009-03-03 09:00", "suspend")
    entries = case(told, ACCEPT, held, at("2009-03-05 17:31", "finish"))
    said = finding(judge(entries, "2009-03-06 00:00"), "V01")
    assert (said.evidence["limit"], said.occurred_at) == ("due", when("2009-03-05 17:30"))
    assert said.evidence["events"] == ["hall/apply", "hall/finish"]


def test_the_leg_of_one_department_does_not_accuse_another() -> None:
    """The leg that is late is charged to its department; the other leg and the lead stay clean."""
    transfer = at("2009-03-02 11:00", "transfer", to=("fire", "water"))
    done = at("2009-03-03 10:00", "approve", department="water")
    assessment = judge(case(APPLY, ACCEPT, transfer, done, item="joint"), "2009-03-10 00:00")
    assert [(f.rule, f.subject, f.department) for f in assessment.findings] == [("V03", "leg:fire", "fire")]


def test_a_licence_ready_for_collection_is_not_late() -> None:
    """An applicant who was told and does not collect is no fault of the department (V05's false positive)."""
    ready = at("2009-03-05 10:00", "ready")
    assert "V05" in rules_of(APPLY, ACCEPT, APPROVE, FINISH, ARCHIVE)
    assert rules_of(APPLY, ACCEPT, APPROVE, FINISH, ARCHIVE, ready) == []


@pytest.mark.parametrize(
    ("source", "closing", "state"),
    [
        ("at_end", None, "provisional"),
        ("at_end", at("2009-03-11 10:00", "finish", outcome="refused"), "live"),
        ("hall", None, "live"),
    ],
)
def test_a_breach_is_provisional_where_suspensions_are_told_at_their_end(
    source: str, closing: Line | None, state: str
) -> None:
    """A suspension may still come to light until the finish: so long the breach is provisional."""
    lines = [APPLY, at("2009-03-02 10:00", "accept", source=source), APPROVE, ISSUE, *([closing] if closing else [])]
    assert finding(judge(case(*lines), "2009-03-12 00:00"), "V01").state == state


def test_a_due_instant_that_pauses_cannot_shift_is_never_provisional() -> None:
    """No suspension can excuse a breach of the source's own due instant, nor one of the notice."""
    entries = case(at("2009-03-02 09:00", "apply", source="at_end", due="2009-03-05 17:30"))
    assert found(judge(entries, "2009-03-10 00:00")) == [("V01", "live"), ("V04", "live")]


# Steps


def test_a_finish_waits_for_steps_that_may_still_come() -> None:
    """A step is missing only once the steps before the finish must have arrived; until then we look again."""
    entries = case(APPLY, ACCEPT, FINISH, ISSUE, ARCHIVE)
    early = judge(entries, "2009-03-04 10:00")
    assert found(early) == []
    assert early.next_change is not None
    assert early.next_change <= when("2009-03-04 10:05")
    assert found(judge(entries, "2009-03-04 10:05")) == [("V06", "live")]


@pytest.mark.parametrize(("approved", "rules"), [("2009-03-04 10:05", []), ("2009-03-04 10:06", ["V06", "V07"])])
def test_a_step_after_the_finish_is_missing_beyond_the_tolerance(approved: str, rules: list[str]) -> None:
    """A required step dated after the finish was not taken before it, unless clocks may disagree so far."""
    approve = at(approved, "approve", outcome="granted")
    assert rules_of(APPLY, ACCEPT, FINISH, approve, ISSUE, ARCHIVE) == rules


def test_the_missing_steps_are_listed() -> None:
    """The evidence names what is missing of what is required; steps after the finish are not asked for."""
    entries = case(APPLY, APPROVE, FINISH, item="strict")
    said = finding(judge(entries, "2009-03-05 00:00"), "V06")
    assert said.evidence["missing"] == ["accept", "transfer"]


def test_a_step_that_arrives_withdraws_the_finding() -> None:
    """A missing step delivered afterwards withdraws V06, or leaves it contested where it came too late."""
    passed = at("2009-03-03 09:00", "transfer")
    late = at("2009-03-03 09:00", "transfer", received="2009-03-09 09:00")
    nightly = at("2009-03-04 09:00", "transfer", source="night", received="2009-03-05 08:00")
    assert rules_of(*PROPER, item="strict") == ["V06"]
    assert rules_of(*PROPER, passed, item="strict") == []
    assert rules_of(*PROPER, nightly, item="strict") == []
    assert found(judge(case(*PROPER, late, item="strict"), LATER)) == [("V06", "contested")]


def test_a_step_its_sources_cannot_send_is_not_missed() -> None:
    """Nobody is accused of a step no source of the case is able to report."""
    assert rules_of(*PROPER, item="strict", book=with_source("hall", types=sending("transfer"))) == []


def test_required_steps_are_those_of_the_catalogue_at_acceptance() -> None:
    """A step required by a later catalogue is not missing from an accepted case."""
    later = with_item("permit", steps=(*BOOK.item["strict"].steps,))
    assert rules_of(*PROPER, book=history(BOOK, later, since=["2009-03-02 10:01"])) == []
    assert rules_of(*PROPER, book=history(BOOK, later, since=["2009-03-01 10:01"])) == ["V06"]


def test_a_deemed_case_lacks_no_acceptance() -> None:
    """What silence accepted did not skip its acceptance; the silence is V04's."""
    lines = (APPLY, moved(APPROVE, to="2009-03-11 10:00"), moved(FINISH, to="2009-03-11 11:00"))
    after = (moved(ISSUE, to="2009-03-11 12:00"), moved(ARCHIVE, to="2009-03-11 13:00"))
    assert rules_of(*lines, *after) == ["V01", "V04"]


def test_a_case_refused_at_the_counter_lacks_neither_acceptance_nor_approval() -> None:
    """A refused application (不予受理) that is closed with a finish skipped nothing."""
    refused = at("2009-03-02 10:00", "refuse", voucher="B1")
    assert rules_of(APPLY, refused, at("2009-03-02 10:30", "finish", outcome="returned"), ARCHIVE) == []


@pytest.mark.parametrize(
    ("source", "approved", "rules"),
    [
        ("hall", "2009-03-02 09:55", []),
        ("hall", "2009-03-02 09:54:59", ["V07"]),
        ("rough", "2009-03-02 09:05", []),
        ("rough", "2009-03-02 08:59", ["V07"]),
        ("daily", "2009-03-02 00:00", []),
        ("daily", "2009-03-01 00:00", ["V07"]),
    ],
)
def test_order_means_something_only_beyond_the_tolerance_of_the_clocks(
    source: str, approved: str, rules: list[str]
) -> None:
    """Two clocks may disagree by the tolerance of their sources, and a day is all a source of days knows."""
    approve = at(approved, "approve", source=source, outcome="granted")
    assert rules_of(APPLY, ACCEPT, approve, FINISH, ISSUE, ARCHIVE) == rules


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        ("finish<approve", moved(FINISH, to="2009-03-03 09:00")),
        ("issue<approve", moved(ISSUE, to="2009-03-03 09:00")),
    ],
)
def test_finish_and_issue_follow_the_decision(subject: str, line: Line) -> None:
    """A finish or an issue dated before the decision is an inversion, less grave than approving before accepting."""
    lines = [line if line.kind == kept.kind else kept for kept in PROPER]
    said = finding(judge(case(*lines), LATER), "V07")
    assert (said.subject, said.occurred_at) == (subject, when("2009-03-03 09:00"))
    assert said.severity < Severity.STATUTORY_BREACH


def test_a_deemed_case_may_be_approved_before_its_late_acceptance() -> None:
    """Accepted by silence, a case is not approved too early when the acceptance is written afterwards."""
    lines = (APPLY, moved(APPROVE, to="2009-03-11 10:00"), moved(ACCEPT, to="2009-03-12 10:00"))
    assert "V07" not in rules_of(*lines)


# Data findings


@pytest.mark.parametrize(
    ("lines", "item", "cause"),
    [
        ((APPLY,), "unheard", "item:unheard"),
        ((APPLY, at("2009-03-02 10:00", "accept", department="navy")), "permit", "department:navy"),
    ],
)
def test_unknown_codes_are_tickets_not_reproaches(lines: tuple[Line, ...], item: str, cause: str) -> None:
    """A code the rulebook does not know is a data finding that names it."""
    said = [f for f in judge(case(*lines, item=item), "2009-03-03 00:00").findings if f.rule == "D01"]
    assert [(f.kind, f.cause, f.severity, f.mode) for f in said] == [("data", cause, Severity.NOTICE, "card")]


def test_one_case_with_two_items_is_a_contradiction() -> None:
    """Events of one case that name different items contradict each other."""
    entries = case(APPLY, at("2009-03-02 10:00", "accept", item="service"))
    assert finding(judge(entries, "2009-03-02 12:00"), "D02").evidence["values"] == ["permit", "service"]


@pytest.fixture
def broken() -> Iterator[str]:
    """Register a rule that crashes, for one test."""

    def crash(subject: Subject) -> Iterator[Violation]:
        raise ZeroDivisionError(subject.case.case)

    RULES["V99"] = Rule("V99", 1, "conduct", "none", crash)
    yield "V99"
    del RULES["V99"]


def test_a_rule_that_crashes_is_itself_a_finding(broken: str) -> None:
    """A crash never looks like a case on time: it is a ticket that names the rule and the error; the rest goes on."""
    assessment = judge(case(APPLY, ACCEPT), "2009-03-12 00:00", book_with(rules={**BOOK.rules}))
    said = finding(assessment, "D04")
    assert (said.kind, said.subject, said.state) == ("data", broken, "live")
    assert "ZeroDivisionError" in said.evidence["error"]
    assert ("V01", "live") in found(assessment)


def test_every_rule_says_what_it_rests_on() -> None:
    """Each rule is registered with a version and a basis, under its own id."""
    assert all(rule.id == name and rule.version >= 1 and rule.basis for name, rule in RULES.items())
