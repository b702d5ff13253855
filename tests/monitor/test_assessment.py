"""The assessment as a whole: laws of sets and of time, contested breaches, retractions, modes, light and measures."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import monitor.assessment as assessment_module
from monitor.assessment import LATE_ARRIVALS_MAX
from monitor.events import EventType
from monitor.explain import explain
from monitor.rulebook.model import Region, Source
from monitor.rules import RULES
from monitor.verdict import MEASURES, Assessment, JournalEntry, Light, Measure, finding_id
from tests.monitor.cases import (
    BOOK,
    CONSOLE,
    TICK,
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
    sending,
    when,
    with_item,
    with_mode,
    with_source,
)
from tests.said import entered, said

LATER = "2009-12-31 00:00"
APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")
APPROVE = at("2009-03-03 10:00", "approve", outcome="refused")
OPEN = (APPLY, ACCEPT, APPROVE)


def finish(received: str | None = None, time: str = "2009-03-09 17:00", **changes: Any) -> Line:
    """Finish in time; `received` says when it was heard of."""
    return at(time, "finish", received=received, **changes)


ARCHIVE = at("2009-03-09 18:00", "archive")


# What came too late to erase a breach quietly


@pytest.mark.parametrize(
    ("source", "received", "states"),
    [
        ("hall", "2009-03-09 17:00", []),
        ("hall", "2009-03-10 08:00", [("V01", "contested")]),
        ("night", "2009-03-10 17:05", []),
        ("night", "2009-03-11 08:00", [("V01", "contested")]),
        ("rough", "2009-03-09 18:00", []),
    ],
)
def test_a_finish_later_than_its_lateness_leaves_the_breach_contested(
    source: str, received: str, states: list[tuple[str, str]]
) -> None:
    """A finish in time that arrives within lateness and tolerance erases a breach, a later one contests it."""
    lines = [at(line.time, line.kind, source=source, outcome=line.data.outcome) for line in OPEN]
    late = finish(received, source=source)
    assert found(judge(case(*lines, late, ARCHIVE, item="tested"), LATER)) == states


@pytest.mark.parametrize(("after", "states"), [(timedelta(), []), (TICK, [("V01", "contested")])])
def test_the_tolerance_of_a_source_is_met_exactly(after: timedelta, states: list[tuple[str, str]]) -> None:
    """Five minutes after the fact a live source is not late yet, an instant more and it is."""
    heard = when("2009-03-10 00:03") + after
    assert found(judge(case(*OPEN, at("2009-03-09 23:58", "finish", received=heard), ARCHIVE), LATER)) == states


def test_a_finish_that_was_late_to_arrive_before_the_breach_contests_nothing() -> None:
    """Where no breach stood when the finish arrived, nothing is contested, however late it was."""
    assert found(judge(case(*OPEN, finish("2009-03-09 23:00"), ARCHIVE), LATER)) == []
    lines = [at(line.time, line.kind, source="night", outcome=line.data.outcome) for line in OPEN]
    slow = at("2009-03-08 16:00", "finish", source="night", received="2009-03-10 08:00")
    assert found(judge(case(*lines, slow, at("2009-03-09 10:00", "archive", source="night")), LATER)) == []


def test_the_breach_is_contested_with_all_three_times() -> None:
    """An inspector sees when the finish is said to have been, when it was stored and when it came."""
    entries = case(*OPEN, finish("2009-03-10 08:00"), ARCHIVE)
    event = msgspec.structs.replace(entries[3].event, recorded=when("2009-03-10 07:30"))
    entries[3] = JournalEntry(event, entries[3].received_at, b"other")
    said = finding(judge(entries, LATER), "V01")
    assert (said.state, said.kind, said.occurred_at) == ("contested", "conduct", end_of("2009-03-09"))
    assert said.evidence["came_late"] == {
        "event": "hall/finish",
        "type": "finish",
        "occurred": "2009-03-09T09:00:00Z",
        "recorded": "2009-03-09T23:30:00Z",
        "received": "2009-03-10T00:00:00Z",
    }
    standing = finding(judge(case(*OPEN), "2009-03-10 07:00"), "V01")
    assert said.id == standing.id


def test_an_acceptance_that_came_too_late_leaves_the_notice_breach_contested() -> None:
    """An accept in time undoes the deeming whenever it arrives; beyond lateness V04 is contested."""
    quick, slow = (at("2009-03-09 16:00", "accept", received=r) for r in ("2009-03-09 16:03", "2009-03-12 08:00"))
    assert found(judge(case(APPLY, quick), "2009-03-13 00:00")) == []
    assessment = judge(case(APPLY, slow, item="unpromised"), "2009-03-13 00:00")
    assert (found(assessment), assessment.deemed) == ([("V04", "contested")], False)


def test_a_breach_that_stands_is_not_contested() -> None:
    """A late finish that arrives too late as well changes nothing: the breach is live."""
    assert found(judge(case(*OPEN, finish("2009-03-20 08:00", time="2009-03-10 09:00")), "2009-03-11 00:00")) == [
        ("V01", "live")
    ]


def test_a_late_event_that_excuses_nothing_contests_nothing() -> None:
    """A rating delivered days later leaves a case that was on time clean."""
    rating = at("2009-03-05 12:00", "rating", received="2009-03-20 08:00", rating=1)
    assert found(judge(case(*OPEN, finish(), ARCHIVE, rating), LATER)) == []


def test_a_case_is_never_contested_for_what_its_slowest_source_could_still_say() -> None:
    """With a live and a nightly source the case was judged up to the nightly one: nothing stood, nothing is contested.

    The ticket comes nine minutes late from the live source while the finish is still on its nightly way.
    """
    entries = case(
        *OPEN,
        at("2009-03-02 11:00", "fee", source="night"),
        finish("2009-03-10 02:00", source="night"),
        at("2009-03-10 00:01", "ticket", received="2009-03-10 00:10"),
        ARCHIVE,
    )
    assert found(judge(entries, LATER)) == []


def test_a_source_that_had_said_nothing_before_held_nothing_back() -> None:
    """A breach that stood on the live source's word is contested by another source's finish beyond its lateness."""
    entries = case(*OPEN, finish("2009-03-10 22:30", source="night"), ARCHIVE)
    assert found(judge(case(*OPEN), "2009-03-10 00:00")) == [("V01", "live")]
    assert found(judge(entries, LATER)) == [("V01", "contested")]


def test_a_late_event_is_not_blamed_for_what_a_punctual_one_erases() -> None:
    """A ticket that came late contests nothing when it is the nightly finish, on its declared way, that erases."""
    ticket = at("2009-03-10 00:01", "ticket", received="2009-03-10 00:10")
    nightly = finish("2009-03-10 02:00", source="night")
    assert found(judge(case(*OPEN, ticket), "2009-03-10 00:10")) == [("V01", "live")]
    assert found(judge(case(*OPEN, ticket, nightly, ARCHIVE), LATER)) == []


def test_of_events_that_came_late_together_the_one_that_erases_is_named() -> None:
    """When a source delivers two days at once, the evidence names the finish and not what came with it."""
    together = "2009-03-11 08:00"
    fee = at("2009-03-09 09:00", "fee", received=together)
    assessment = judge(case(*OPEN, fee, finish(together), ARCHIVE), LATER)
    assert finding(assessment, "V01").evidence["came_late"]["event"] == "hall/finish"


def test_a_contested_finding_waits_until_its_past_may_be_judged() -> None:
    """A late event is not held against the past before that past may be judged, and the case is looked at again."""
    entries = case(*OPEN, finish("2009-03-10 08:00"), ARCHIVE)
    early = judge(entries, end_of("2009-03-09"))
    assert found(early) == []
    assert early.next_change == end_of("2009-03-09") + TICK
    assert found(judge(entries, early.next_change)) == [("V01", "contested")]


@pytest.mark.parametrize("delivered", ["another id", "the same id"])
def test_the_correction_of_a_finish_that_came_in_time_contests_nothing(delivered: str) -> None:
    """A finish known in time and corrected long after its due day accuses nobody, whichever content counts then."""
    corrections = [finish("2009-04-20 09:00", window=f"w{n}") for n in range(4)]
    if delivered == "another id":
        taken_back = at("2009-04-20 09:00", "retract", target="finish")
        named = [finish("2009-04-20 09:00", name="corrected")]
        cases = [case(*OPEN, finish(), ARCHIVE, taken_back, line, item="tested") for line in named]
    else:
        cases = [case(*OPEN, finish(), ARCHIVE, item="tested") + case(line, item="tested") for line in corrections]
    assert [[said for said in found(judge(entries, LATER)) if said[0] != "D02"] for entries in cases] == [[]] * len(
        cases
    )


def test_a_correction_that_makes_a_late_finish_punctual_is_contested() -> None:
    """Who was found late and is corrected to have been in time has an inspector to convince."""
    late = at("2009-03-11 09:00", "finish")
    taken_back = at("2009-04-20 09:00", "retract", target="finish")
    corrected = finish("2009-04-20 09:00", name="corrected")
    entries = case(*OPEN, late, at("2009-03-11 10:00", "archive"), taken_back, corrected, item="tested")
    assert found(judge(entries, LATER)) == [("V01", "contested")]


@pytest.mark.parametrize(("before", "now", "states"), [(24, 0, []), (0, 24, [("V01", "contested")])])
def test_an_event_is_late_by_what_its_source_declared_when_it_came(
    before: float, now: float, states: list[tuple[str, str]]
) -> None:
    """A source that changes its lateness makes nothing late that came in time, and excuses nothing that did not."""
    versions = (with_source("hall", lateness_hours=before), with_source("hall", lateness_hours=now))
    entries = case(*OPEN, finish("2009-03-10 08:00"), ARCHIVE, item="tested")
    assert found(judge(entries, LATER, history(*versions, since=["2009-06-01 00:00"]))) == states


def test_a_source_taken_out_of_the_rulebook_takes_no_finding_with_it() -> None:
    """What stood against a case stands on when its source is retired: the clocks are as observed as they were."""
    retired = book_with(sources=tuple(source for source in BOOK.sources if source.code != "hall"))
    entries = case(*OPEN, finish(time="2009-03-20 17:00"), item="tested")
    before, after = judge(entries, LATER), judge(entries, LATER, history(BOOK, retired, since=["2009-06-01 00:00"]))
    assert found(before) == found(after) != []
    assert before.measures == after.measures


# Retractions and contradictions


def test_only_its_own_source_may_retract_an_event() -> None:
    """A retraction by another source retracts nothing."""
    other = at("2009-03-09 18:00", "retract", source="night", target="finish")
    assert judge(case(*OPEN, finish(), other), LATER).stage == "finished"
    own = at("2009-03-09 18:00", "retract", target="finish")
    assert judge(case(*OPEN, finish(), own), LATER).stage == "approved"


def test_a_retraction_cannot_be_retracted() -> None:
    """What was taken back stays back."""
    first = at("2009-03-09 18:00", "retract", name="r1", target="finish")
    second = at("2009-03-09 19:00", "retract", name="r2", target="r1")
    assert judge(case(*OPEN, finish(), first, second), LATER).stage == "approved"


def test_a_retraction_waits_for_its_target() -> None:
    """A retraction that comes before what it retracts changes nothing until then, and holds from then on."""
    early = at("2009-03-03 12:00", "retract", target="finish")
    without, with_target = judge(case(*OPEN, early), LATER), judge(case(*OPEN, early, finish()), LATER)
    assert (without.stage, found(without)) == ("approved", found(judge(case(*OPEN), LATER)))
    assert with_target.stage == "approved"


def test_a_case_of_retractions_alone_is_assessed() -> None:
    """A case in which nothing is left has no clocks, no findings and no measures."""
    for lines in ([at("2009-03-02 09:00", "retract", target="x")], [APPLY, at(APPLY.time, "retract", target="apply")]):
        assessment = judge(case(*lines), LATER)
        assert (assessment.case, assessment.stage, assessment.closed) == ("C1", "other", False)
        assert (assessment.clocks, assessment.findings, assessment.measures) == ((), (), ())


def two_contents(one: Line, other: Line) -> list[JournalEntry]:
    """A case in which one identity came with two contents, the smaller hash first."""
    both = [case(*OPEN, line)[-1] for line in (one, other)]
    return sorted(both, key=lambda entry: entry.content_hash)


def test_of_two_contents_of_one_identity_the_smaller_hash_counts_and_a_finding_says_so() -> None:
    """Which content counts depends on nothing but the contents, and the contradiction is a ticket to the source."""
    chosen, other = two_contents(finish(), finish(time="2009-03-12 17:00"))
    for pair in ([chosen, other], [other, chosen], [other, chosen, other]):
        assessment = judge([*case(*OPEN), *pair], "2009-03-13 00:00")
        assert assessment.finished_at == chosen.event.time
        said = finding(assessment, "D02")
        assert (said.kind, said.evidence["values"]) == ("data", ["hall/finish"])
    assert judge([*case(*OPEN), chosen, chosen], "2009-03-13 00:00").finished_at == chosen.event.time
    assert ("D02", "live") not in found(judge([*case(*OPEN), chosen, chosen], "2009-03-13 00:00"))


@pytest.mark.parametrize("kind", ["retract", "rating"])
def test_a_contradiction_is_told_whatever_contradicts_itself(kind: str) -> None:
    """A retraction that came with two contents, or an event retracted since, is a contradiction like any other."""
    one, other = two_contents(
        at("2009-03-04 10:00", kind, name="x", target="accept"), at("2009-03-04 11:00", kind, name="x", target="accept")
    )
    away = [] if kind == "retract" else case(at("2009-03-05 10:00", "retract", target="x"))
    assert ("D02", "live") in found(judge([*case(*OPEN), one, other, *away], "2009-03-06 00:00"))


def test_the_first_delivery_wins() -> None:
    """The same content received twice was received when it came first, in whatever order it is read back."""
    first, again = (case(*OPEN, finish(received))[-1] for received in (None, "2009-03-12 08:00"))
    for pair in ((first, again), (again, first)):
        assert found(judge([*case(*OPEN, ARCHIVE), *pair], LATER)) == []


# Laws

KINDS = [kind.value for kind in EventType if kind not in (EventType.HEARTBEAT, EventType.RETRACT)]
STEPS = ["consult", "apply", "received", "accept", "approve", "finish", "supplement_notice", "supplement_received"]
START = when("2009-03-02 00:00")
QUARTER = timedelta(minutes=15)


SENDERS = ["hall", "hall", "night", "daily", "at_end", "unregistered", CONSOLE]


def quarters(days: int) -> st.SearchStrategy[timedelta]:
    """Spans of whole quarters of an hour."""
    return st.integers(0, days * 96).map(lambda n: n * QUARTER)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Draw any event of any source, received at once or late."""
    kind = draw(st.sampled_from([*STEPS, *STEPS, *KINDS]) | st.sampled_from(["suspend", "resume", "extend", "retract"]))
    time = START + draw(quarters(40))
    delay = draw(st.sampled_from([timedelta(), timedelta(), timedelta(minutes=6), timedelta(hours=30)]) | quarters(20))
    names = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
    data: dict[str, Any] = draw(said(EventType(kind), time))
    if kind == "retract":
        data["target"] = draw(names)
    if kind.startswith("card_"):
        data["finding"] = finding_id("C1", *draw(st.sampled_from([("V01", "promised"), ("V04", "notice"), ("V06",)])))
    due = draw(st.none() | st.none() | st.sampled_from(["2009-03-10 17:30", "2009-03-01 00:00", "2009-04-30 12:00"]))
    return at(
        time,
        kind,
        source=CONSOLE if kind.startswith("card_") and draw(st.booleans()) else draw(st.sampled_from(SENDERS)),
        name=draw(names) if draw(st.booleans()) else "",
        received=time + delay,
        department=draw(st.sampled_from(["land", "land", "fire", "water", "navy"])),
        due=due,
        **draw(entered(time)),
        **data,
    )


CASES = st.builds(
    lambda lines, item: case(*lines, item=item),
    st.lists(lines(), min_size=1, max_size=12),
    st.sampled_from([*BOOK.item, "unheard"]),
)
MOMENTS = quarters(70).map(lambda span: START - timedelta(days=5) + span)
BOOKS = st.sampled_from(
    [
        history(BOOK),
        history(BOOK, with_item("permit", promised_limit="2 wd"), since=["2009-03-12 00:00"]),
        history(with_source("hall", types=sending("finish", "supplement_notice"))),
    ]
)


def but_for_the_moment(assessment: Assessment) -> Assessment:
    """Give the assessment without the moment it was judged at."""
    return msgspec.structs.replace(assessment, judged_at=START)


@given(entries=CASES, books=BOOKS, since=MOMENTS, data=st.data())
def test_nothing_changes_before_the_next_change(
    entries: list[JournalEntry], books: Any, since: Any, data: st.DataObject
) -> None:
    """Between a judged moment and its next change, that instant excluded, every assessment is the same."""
    moment = since
    for _ in range(100):
        now = judge(entries, moment, books)
        until = now.next_change
        if until is None:
            eternity = when("2039-01-01 00:00")
            assert but_for_the_moment(judge(entries, eternity, books)) == but_for_the_moment(now)
            return
        assert until > moment
        share = data.draw(st.floats(0, 1, exclude_max=True))
        for other in (moment + share * (until - TICK - moment), until - TICK):
            assert but_for_the_moment(judge(entries, other, books)) == but_for_the_moment(now)
        moment = until
    raise AssertionError("the changes of a case come to an end")


@given(entries=CASES, books=BOOKS, moment=MOMENTS, data=st.data())
def test_order_and_repetition_leave_no_trace(
    entries: list[JournalEntry], books: Any, moment: Any, data: st.DataObject
) -> None:
    """Any permutation of a case's entries, some of them repeated, has the same assessment (I3)."""
    again = data.draw(st.lists(st.sampled_from(entries), max_size=4))
    shuffled = data.draw(st.permutations([*entries, *again]))
    assert judge(shuffled, moment, books) == judge(entries, moment, books)


@given(entries=CASES, moment=MOMENTS)
def test_what_arrives_at_once_is_never_contested(entries: list[JournalEntry], moment: Any) -> None:
    """A breach is contested by late deliveries and retractions alone, and cancelled by an inspector alone."""
    told = [entry for entry in entries if entry.event.type is not EventType.RETRACT]
    prompt = [JournalEntry(entry.event, entry.event.time, entry.content_hash) for entry in told]
    assert all(state != "contested" for _, state in found(judge(prompt, moment)))
    unsaid = [entry for entry in prompt if entry.event.source != CONSOLE]
    assert all(state != "cancelled" for _, state in found(judge(unsaid, moment)))


@given(entries=CASES, moment=MOMENTS)
def test_every_assessment_is_well_formed(entries: list[JournalEntry], moment: Any) -> None:
    """Findings have ids of their own, measures known names, stopped clocks exact sums; all of it can be stored."""
    assessment = judge(entries, moment)
    ids = [said.id for said in assessment.findings]
    assert len(ids) == len(set(ids))
    assert {measure.name for measure in assessment.measures} <= set(MEASURES)
    assert list(assessment.measures) == sorted(assessment.measures)
    for each in assessment.clocks:
        assert (each.phase in ("unobserved", "unarmable")) == (each.started_at is None)
        assert each.used is None or each.ended_at is not None
        assert each.phase != "breached" or (each.ended_at or assessment.judged_at) > (each.due or START)
    assert assessment.closed == (assessment.handling.closed_at is not None)
    stored = msgspec.msgpack.encode(assessment)
    assert msgspec.msgpack.decode(stored, type=Assessment) == assessment
    assert "D04" not in {said.rule for said in assessment.findings}


@given(entries=CASES, moment=MOMENTS)
def test_rules_are_spared_only_cases_they_have_nothing_to_say_of(entries: list[JournalEntry], moment: Any) -> None:
    """Rules asked of every case, whatever events and clocks it has, find what they find when spared some."""
    spared = judge(entries, moment)
    asked = {name: msgspec.structs.replace(each, about=frozenset(), clocks=frozenset()) for name, each in RULES.items()}
    with pytest.MonkeyPatch.context() as patch:
        for name, each in asked.items():
            patch.setitem(RULES, name, each)
        fresh = book_with(name=BOOK.name)  # rules in use are remembered with the rulebook
        assert judge(entries, moment, fresh).findings == spared.findings


@given(first=CASES, years=st.integers(-18, 89))
def test_no_valid_event_of_any_year_breaks_the_assessment(first: list[JournalEntry], years: int) -> None:
    """From 1990 to 2099 every case can be assessed, its last events a century after its first."""
    far = [
        JournalEntry(
            msgspec.structs.replace(entry.event, time=entry.event.time.replace(year=2009 + years, day=1)),
            entry.received_at,
            entry.content_hash,
        )
        for entry in first[::2]
    ]
    assessment = judge([*far, *first[1::2]], "2099-12-31 00:00")
    assert "D04" not in {said.rule for said in assessment.findings}


def test_what_was_assessed_before_leaves_no_trace() -> None:
    """One rulebook read beside another history judges as if it stood alone: nothing is remembered between calls."""
    profiles = tuple(msgspec.structs.replace(p, kind="calendar_day") for p in BOOK.profiles)
    fresh = book_with(name="玉林")
    by_days = history(msgspec.structs.replace(BOOK, profiles=profiles), fresh, since=["2009-03-05 00:00"])
    entries = case(APPLY, ACCEPT)
    assert clock(judge(entries, "2009-03-03 00:00", by_days), "promised").due == end_of("2009-03-07")
    assert clock(judge(entries, "2009-03-03 00:00", history(fresh)), "promised").due == end_of("2009-03-09")


# Modes and light


@pytest.mark.parametrize(
    ("mode", "findings", "figures"),
    [("off", [], 0), ("shadow", ["shadow"], 0), ("lead", ["lead"], 0), ("card", ["card"], 1)],
)
def test_a_rules_mode_decides_who_sees_its_finding(mode: Any, findings: list[str], figures: int) -> None:
    """A rule that is off says nothing; only a card is in a figure everyone sees; clock states ignore modes."""
    entries = case(*OPEN, finish(time="2009-03-10 09:00"), ARCHIVE)
    assessment = judge(entries, "2009-03-10 12:00", with_mode("V01", mode))
    assert [f.mode for f in assessment.findings] == findings
    assert sum(m.amount for m in assessment.measures if m.name == "findings_conduct") == figures
    assert clock(assessment, "promised").phase == "breached"
    assert [m.amount for m in assessment.measures if m.name == "promised_overdue"] == [1]


def test_a_shadow_finding_does_not_colour_the_light() -> None:
    """What is shown to nobody it accuses is not shown by the light either, unless a clock shows it."""
    skipped = case(APPLY, ACCEPT, at("2009-03-03 10:00", "finish"), at("2009-03-03 11:00", "archive"))
    assert judge(skipped, "2009-03-04 00:00").light == "promised_breach"
    for mode in ("shadow", "off", "lead"):
        assert judge(skipped, "2009-03-04 00:00", with_mode("V06", mode)).light == "normal"


@pytest.mark.parametrize(
    ("until", "light"),
    [
        ("2009-03-05 23:59", "normal"),
        ("2009-03-06 00:00", "warning"),
        ("2009-03-09 23:59", "warning"),
        ("2009-03-10 00:00", "promised_breach"),
        ("2009-03-30 23:59", "promised_breach"),
        ("2009-03-31 00:00", "statutory_breach"),
    ],
)
def test_the_light_follows_the_gravest_clock(until: str, light: str) -> None:
    """Normal, a warning two days before the due day, then over the promise, then over the law."""
    assert judge(case(APPLY, ACCEPT), until).light == light


def test_a_contested_breach_is_a_notice_until_somebody_decides() -> None:
    """待复核 is no accusation: the light shows a notice."""
    assert judge(case(*OPEN, finish("2009-03-10 08:00"), ARCHIVE), LATER).light == Light.NOTICE


def test_the_case_is_grey_where_a_clock_is_not_observed_unless_something_is_wrong() -> None:
    """No green light over what cannot be seen; a breach that can be seen shines through."""
    book = with_source("hall", types=sending("approve"))
    finished = case(APPLY, ACCEPT, at("2009-03-03 10:00", "finish"), at("2009-03-03 11:00", "archive"))
    assert judge(finished, "2009-03-04 00:00", with_source("hall", types=sending("refuse"))).light != "normal"
    assert judge(case(APPLY, ACCEPT), "2009-03-03 00:00", with_source("hall", types=sending("finish"))).light == "grey"
    assert judge(case(APPLY, ACCEPT), "2009-03-12 00:00", book).light == "promised_breach"


# Stage


@pytest.mark.parametrize(
    ("kinds", "stage", "closed"),
    [
        (["consult"], "consulted", False),
        (["apply"], "applied", False),
        (["apply", "supplement_notice"], "supplementing", False),
        (["apply", "supplement_notice", "supplement_received"], "applied", False),
        (["apply", "accept"], "accepted", False),
        (["apply", "accept", "transfer"], "transferred", False),
        (["apply", "accept", "transfer", "approve"], "approved", False),
        (["apply", "accept", "approve", "finish"], "finished", True),
        (["apply", "accept", "approve", "finish", "issue"], "issued", True),
        (["apply", "accept", "approve", "finish", "issue", "archive"], "archived", True),
        (["apply", "refuse"], "refused", True),
        (["apply", "accept", "withdraw"], "withdrawn", True),
        (["apply", "accept", "void"], "voided", True),
        (["apply", "accept", "forward"], "forwarded", True),
        (["fee"], "other", False),
    ],
)
def test_the_furthest_event_says_the_stage(kinds: list[str], stage: str, closed: bool) -> None:
    """A case is as far as the furthest thing that happened to it."""
    entries = case(*(at(f"2009-03-02 {9 + i:02d}:00", kind) for i, kind in enumerate(kinds)))
    assessment = judge(entries, "2009-03-02 20:00")
    assert (assessment.stage, assessment.closed) == (stage, closed)


def test_a_deemed_case_stands_as_accepted() -> None:
    """Accepted by silence, a case is accepted, also when a supplement notice came too late."""
    late = at("2009-03-11 09:00", "supplement_notice")
    assert [judge(case(*lines), "2009-03-12 00:00").stage for lines in ([APPLY], [APPLY, late])] == ["accepted"] * 2


# Measures


def counted(assessment: Assessment, *, without: str = "clocks_") -> list[tuple[str, str, str, int]]:
    """List the measures, but for those of coverage, as day, department, name and amount."""
    return [
        (m.day.isoformat(), m.department, m.name, m.amount)
        for m in assessment.measures
        if not m.name.startswith(without)
    ]


def test_the_measures_of_a_plain_case_add_up_by_hand() -> None:
    """Each measure counts on the day it is named for: a case applied, accepted, finished late and archived."""
    entries = case(
        at("2009-03-01 09:00", "consult"),
        APPLY,
        at("2009-03-03 10:00", "accept"),
        at("2009-03-04 10:00", "suspend", procedure="testing"),
        at("2009-03-05 10:00", "resume"),
        at("2009-03-12 09:00", "approve", outcome="granted"),
        at("2009-03-12 10:00", "finish", outcome="granted"),
        at("2009-03-13 00:30", "issue"),
        at("2009-03-13 10:00", "archive"),
    )
    assert counted(judge(entries, LATER)) == [
        ("2009-03-01", "land", "consulted", 1),
        ("2009-03-02", "land", "applied", 1),
        ("2009-03-03", "land", "accepted", 1),
        ("2009-03-04", "land", "suspended", 1),
        ("2009-03-11", "land", "findings_conduct", 1),
        ("2009-03-11", "land", "promised_due", 1),
        ("2009-03-12", "land", "finished", 1),
        ("2009-03-12", "land", "promised_overdue", 1),
        ("2009-03-12", "land", "speed_cases", 1),
        ("2009-03-12", "land", "speed_promised_millidays", 5_000),
        ("2009-03-12", "land", "speed_statutory_millidays", 20_000),
        ("2009-03-12", "land", "speed_used_millidays", 6_000),
        ("2009-03-12", "land", "statutory_on_time", 1),
        ("2009-03-13", "land", "archived", 1),
        ("2009-03-13", "land", "issued", 1),
        ("2009-04-01", "land", "statutory_due", 1),
    ]


def test_a_case_without_a_finish_counts_what_happened_and_what_is_due() -> None:
    """A deemed case counts as accepted and deemed on the day of receipt; open and overdue is not `overdue` yet."""
    assert counted(judge(case(APPLY), "2009-03-10 00:00")) == [
        ("2009-03-02", "land", "accepted", 1),
        ("2009-03-02", "land", "applied", 1),
        ("2009-03-02", "land", "deemed", 1),
        ("2009-03-09", "land", "findings_conduct", 2),
        ("2009-03-09", "land", "promised_due", 1),
        ("2009-03-30", "land", "statutory_due", 1),
    ]


def test_a_withdrawn_case_is_in_no_figure_of_timeliness() -> None:
    """A case withdrawn in time was applied, accepted and withdrawn; it was neither due, on time nor overdue."""
    assert counted(judge(case(APPLY, ACCEPT, at("2009-03-04 10:00", "withdraw")), LATER)) == [
        ("2009-03-02", "land", "accepted", 1),
        ("2009-03-02", "land", "applied", 1),
        ("2009-03-04", "land", "withdrawn", 1),
    ]


def test_a_joint_case_counts_once_under_its_lead_and_its_legs_under_their_own() -> None:
    """The case's figures are the lead's alone; each leg is on time or overdue for its own department."""
    entries = case(
        APPLY,
        ACCEPT,
        at("2009-03-02 11:00", "transfer", to=("fire", "water")),
        at("2009-03-04 10:00", "approve", name="f", department="fire", outcome="granted"),
        at("2009-03-10 10:00", "approve", name="w", department="water", outcome="granted"),
        at("2009-03-11 10:00", "finish", outcome="granted"),
        at("2009-03-11 11:00", "issue"),
        at("2009-03-11 12:00", "archive"),
        item="joint",
    )
    figures = counted(judge(entries, LATER))
    assert ("2009-03-04", "fire", "leg_on_time", 1) in figures
    assert ("2009-03-10", "water", "leg_overdue", 1) in figures
    assert ("2009-03-09", "water", "findings_conduct", 1) in figures
    legs = {"leg_on_time", "leg_overdue", "findings_conduct"}
    assert {department for _, department, name, _ in figures if name not in legs} == {"land"}
    assert ("2009-03-11", "land", "statutory_on_time", 1) in figures


def test_the_figures_of_coverage_count_every_clock_once() -> None:
    """Clocks seen and unseen are counted on the day of the case's first event."""
    book = with_source("hall", types=sending("finish"))
    assessment = judge(case(APPLY, ACCEPT), "2009-03-03 00:00", book)
    coverage = {m.name: m.amount for m in assessment.measures if m.name.startswith("clocks_")}
    assert coverage == {"clocks_observed": 2, "clocks_unobserved": 1}
    assert {m.day.isoformat() for m in assessment.measures if m.name.startswith("clocks_")} == {"2009-03-02"}


def test_a_contested_breach_counts_as_contested() -> None:
    """What waits for an inspector is in the figure of contested findings, not in that of breaches."""
    assessment = judge(case(*OPEN, finish("2009-03-10 08:00"), ARCHIVE), LATER)
    assert Measure(when("2009-03-09 12:00").date(), "land", "findings_contested", 1) in assessment.measures
    assert "findings_conduct" not in {m.name for m in assessment.measures}
    assert "promised_on_time" in {m.name for m in assessment.measures}


def test_a_day_is_a_day_of_the_calendars_zone() -> None:
    """Half past midnight in Yulin is the new day, though it is the old one in UTC."""
    assessment = judge(case(at("2009-03-03 00:30", "apply")), "2009-03-03 12:00")
    assert [m.day.isoformat() for m in assessment.measures if m.name == "applied"] == ["2009-03-03"]


def test_the_assessment_names_the_versions_it_used() -> None:
    """Calendar, sources and modes are of the current version, limits of the one at acceptance."""
    books = history(BOOK, BOOK, BOOK, since=["2009-03-02 09:30", "2009-03-05 00:00"])
    assessment = judge(case(APPLY, ACCEPT), "2009-03-04 00:00", books)
    assert (assessment.rulebook, assessment.catalogue) == (3, 2)


def test_a_suspension_told_at_its_end_erases_a_provisional_breach_without_contest() -> None:
    """A source that may tell a suspension once it has ended was never late with it; with its finish it can be."""
    held = (
        at("2009-03-03 15:00", "suspend", procedure="testing", source="at_end", received="2009-03-16 10:00"),
        at("2009-03-16 10:00", "resume", source="at_end"),
    )
    opened = (at("2009-03-02 09:00", "apply", source="at_end"), at("2009-03-02 10:00", "accept", source="at_end"))
    decided = at("2009-03-17 09:00", "approve", source="at_end", outcome="refused")
    standing = judge(case(*opened, item="tested"), "2009-03-10 00:00")
    assert found(standing) == [("V01", "provisional")]
    on_time = at("2009-03-17 10:00", "finish", source="at_end")
    archived = at("2009-03-17 11:00", "archive", source="at_end")
    assert found(judge(case(*opened, *held, decided, on_time, archived, item="tested"), LATER)) == []
    late = at("2009-03-09 10:00", "finish", source="at_end", received="2009-03-12 10:00")
    approved = at("2009-03-09 09:00", "approve", source="at_end", outcome="refused")
    contested = judge(case(*opened, approved, late, archived, item="tested"), LATER)
    assert [said for said in found(contested) if said[0] == "V01"] == [("V01", "contested")]


def test_a_flood_of_late_events_is_looked_at_within_a_limit() -> None:
    """However many events come late one by one, the work is bounded, and the first of them still contests (I11)."""
    flood = [
        at(
            "2009-03-03 12:00",
            "transfer",
            name=f"transfer-{i}",
            received=when("2009-03-11 08:00") + timedelta(minutes=i),
        )
        for i in range(LATE_ARRIVALS_MAX * 2)
    ]
    entries = case(*OPEN, finish("2009-03-10 08:00"), ARCHIVE, *flood)
    with pytest.MonkeyPatch.context() as patch:
        looks: list[object] = []
        counted = assessment_module.clocks_of
        patch.setattr(assessment_module, "clocks_of", lambda file: looks.append(file) or counted(file))
        said = found(judge(entries, LATER))
    assert {("V01", "contested"), ("D05", "live")} <= set(said)
    assert len(looks) <= 2 * LATE_ARRIVALS_MAX + 1


def test_a_refusal_followed_by_an_acceptance_ends_nothing() -> None:
    """A case accepted after its refusal was reviewed is open, and supervised like any other."""
    lines = (APPLY, at("2009-03-03 09:00", "refuse"), at("2009-03-05 09:00", "accept"))
    reviewed = judge(case(*lines), "2009-03-06 00:00")
    assert (reviewed.stage, reviewed.closed, clock(reviewed, "promised").phase) == ("accepted", False, "running")
    assert "refused" not in {measure.name for measure in reviewed.measures}
    assert ("V01", "live") in found(judge(case(*lines), "2009-03-31 00:00"))
    refused = judge(case(*lines[:2]), "2009-03-31 00:00")
    assert (refused.stage, refused.closed) == ("refused", True)


def test_a_due_instant_that_has_passed_is_not_moved_any_more() -> None:
    """Like an extension granted too late, a later due instant sent after the first has passed excuses nothing."""
    apply = at("2009-03-02 09:00", "apply", due="2009-03-06 12:00")
    in_time = at("2009-03-05 09:00", "extend", due="2009-03-10 12:00")
    too_late = at("2009-03-11 09:00", "finish", due="2009-03-31 12:00")
    assert clock(judge(case(apply, in_time), "2009-03-05 10:00"), "promised").due == when("2009-03-10 12:00")
    late = judge(case(apply, in_time, too_late), LATER)
    assert (clock(late, "promised").due, clock(late, "promised").phase) == (when("2009-03-10 12:00"), "breached")


def test_whether_to_issue_is_not_observed_where_no_outcome_is_told() -> None:
    """A decision whose outcome nobody tells accuses nobody of a late licence, and shows no green light."""
    silent = judge(case(APPLY, ACCEPT, at("2009-03-03 10:00", "approve"), finish(), ARCHIVE), LATER)
    assert (clock(silent, "issue").phase, silent.light, found(silent)) == ("unobserved", "grey", [])
    told = judge(case(APPLY, ACCEPT, at("2009-03-03 10:00", "approve", outcome="granted"), finish(), ARCHIVE), LATER)
    assert found(told) == [("V05", "live")]


def test_a_returned_application_lacks_no_step() -> None:
    """A case handed back because its supplement never came was never accepted, and need not have been."""
    lines = (APPLY, at("2009-03-03 10:00", "supplement_notice"))
    returned = finish(time="2009-03-20 10:00", outcome="lapsed")
    assert found(judge(case(*lines, returned, at("2009-03-20 11:00", "archive")), LATER)) == []


def test_a_second_notice_leaves_the_case_supplementing() -> None:
    """While a further supplement is waited for, the case is shown as waiting for it."""
    lines = (
        APPLY,
        at("2009-03-03 10:00", "supplement_notice"),
        at("2009-03-04 10:00", "supplement_received"),
        at("2009-03-04 11:00", "supplement_notice"),
    )
    assert judge(case(*lines), "2009-03-04 12:00").stage == "supplementing"
    assert judge(case(*lines[:3]), "2009-03-04 10:30").stage == "applied"


def test_a_breach_is_not_erased_by_taking_its_events_back_and_sending_them_again() -> None:
    """A mistake corrected within the tolerance is gone; a breach undone by a later retraction is contested."""
    again = at("2009-03-16 09:00", "apply", name="again", received="2009-03-16 09:01")
    accepted = at("2009-03-16 10:00", "accept", name="accepted-again")
    late = at("2009-03-16 09:00", "retract", target="apply")
    assert found(judge(case(APPLY, late, again, accepted), "2009-03-16 12:00")) == [
        ("V01", "contested"),
        ("V04", "contested"),
    ]
    quick = at("2009-03-02 09:04", "retract", target="apply")
    assert found(judge(case(APPLY, quick, again, accepted), "2009-03-16 12:00")) == []


def test_cases_of_an_item_forgotten_in_the_catalogue_are_judged_once_it_is_there() -> None:
    """A later version that adds the item arms the clocks of the cases it was missing for; one that has it is kept."""
    forgotten = book_with(items=tuple(item for item in BOOK.items if item.code != "permit"))
    lines = (APPLY, ACCEPT)
    blind = judge(case(*lines), "2009-03-31 00:00", history(forgotten))
    assert (blind.light, clock(blind, "promised").phase) == ("grey", "unarmable")
    mended = judge(case(*lines), "2009-03-31 00:00", history(forgotten, BOOK, since=["2009-03-20 00:00"]))
    assert (mended.catalogue, clock(mended, "promised").due) == (2, end_of("2009-03-09"))


def test_a_source_of_another_region_decides_nothing_in_a_case() -> None:
    """Two counties that use one case number stay apart: what the other one sends ends no clock, and is told (D02)."""
    other = Region(code="4510", name="百色市", name_en="Baise", level="city")
    source = Source(code="baise", name="百色", owner="百色", regions=("4510",))
    book = book_with(regions=(*BOOK.regions, other), sources=(*BOOK.sources, source))
    theirs = case(at("2009-03-05 10:00", "approve", source="baise"), at("2009-03-05 11:00", "finish", source="baise"))
    strangers = [
        JournalEntry(msgspec.structs.replace(entry.event, region="4510"), entry.received_at, bytes([n]) * 16)
        for n, entry in enumerate(theirs)
    ]
    ours = case(APPLY, ACCEPT)
    for entries in ([*ours, *strangers], [*strangers, *ours]):
        mixed = judge(entries, "2009-03-20 00:00", book)
        assert (mixed.region, mixed.stage, clock(mixed, "promised").phase) == ("4509", "accepted", "breached")
        assert found(mixed) == [("D02", "live"), ("V01", "live")]
        assert finding(mixed, "D02").evidence["values"] == ["4509", "4510"]
        told = explain(entries, history(book), when("2009-03-20 00:00"), "en").timeline
        assert [entry.note.startswith("its source may not speak") for entry in told] == [False, False, True, True]
