"""Flows, cohorts and open cases, counted as a person would count them."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.rulebook.model import RuleSetting
from tests.monitor.cases import CONSOLE, at
from tests.monitor.kpi.town import TOWN, Town, town_in

pytestmark = pytest.mark.usefixtures("each_database")

APPLY = at("2009-03-02 09:00", "apply")
ACCEPT = at("2009-03-02 10:00", "accept")
GRANTED = at("2009-03-04 10:00", "finish", outcome="granted")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """An empty town."""
    with town_in(tmp_path) as made:
        yield made


def test_a_flow_may_exceed_all_and_a_cohort_not(town: Town) -> None:
    """Two cases accepted in February and finished in March, one accepted in March: 200 % flow, cohorts apart."""
    for _ in range(2):
        town.take(at("2009-02-27 10:00", "accept"), GRANTED)
    town.take(ACCEPT)
    town.judge("2009-03-05 00:00")
    assert town.share("finish_accept_ratio") == (2, 1)
    assert town.answer("finish_accept_ratio").value.written == "200.00"
    assert town.share("finish_rate_cohort") == (0, 1)
    assert town.share("finish_rate_cohort", "2009-02") == (0, 2), "by the end of February none was finished"
    assert town.share("finish_rate_cohort", "2009-02..2009-03") == (2, 3)


def test_a_cohort_names_what_ended_otherwise(town: Town) -> None:
    """A withdrawn case is among the accepted, not among the finished, and of those due by the end it is none."""
    town.take(APPLY, ACCEPT, GRANTED)
    town.take(APPLY, ACCEPT, at("2009-03-03 10:00", "withdraw"))
    town.take(APPLY, ACCEPT)
    town.take(at("2009-03-20 09:00", "apply"), at("2009-03-20 10:00", "accept"))
    assert town.share("finish_rate_cohort", "2009-03-01..2009-03-10") == (1, 3)
    assert town.parts("finish_rate_cohort") == {"elsewhere": 1}
    assert town.share("matured_finish_rate", "2009-03-01..2009-03-10") == (1, 2), "due on the 9th"
    assert town.share("matured_finish_rate", "2009-03-02") == (0, 0)
    assert town.answer("matured_finish_rate", "2009-03-02").value.reason == "nothing"


def test_on_time_counts_decided_cases_and_shows_the_rest(town: Town) -> None:
    """Decided in time, decided late, returned, open and overdue, unseen, by the direct line: each where it belongs."""
    town.take(APPLY, ACCEPT, GRANTED)
    town.take(APPLY, ACCEPT, GRANTED, direct_line="E01")
    town.take(APPLY, ACCEPT, at("2009-03-10 09:00", "finish", outcome="refused"))
    town.take(APPLY, ACCEPT, at("2009-03-10 09:00", "finish", outcome="returned"))
    town.take(APPLY, ACCEPT)
    town.take(APPLY, ACCEPT, at("2009-03-04 10:00", "finish"), item="unpromised")
    town.judge("2009-03-10 12:00")
    assert town.share("on_time_rate") == (2, 3)
    assert town.parts("on_time_rate") == {"open_overdue": 1, "unseen": 1, "direct_line": 1}
    assert town.share("on_time_statutory") == (4, 4)
    assert town.share("early_rate") == (2, 3)
    assert town.share("return_rate") == (1, 5)
    assert town.share("finish_accept_ratio") == (5, 6)


def test_a_cancelled_breach_is_in_no_figure_but_its_own(town: Town) -> None:
    """An inspector's word turns a late case into one on time, and its card into a cancelled one."""
    late = (APPLY, ACCEPT, at("2009-03-10 09:00", "finish", outcome="granted"), at("2009-03-10 10:00", "archive"))
    case = town.take(*late)
    assert (town.share("on_time_rate"), town.share("card_rate")) == ((0, 1), (1, 1))
    assert town.answer("card_rate").value.written == "1,000.00"
    assessment = town.ledger.assessment(case)
    assert assessment is not None
    [finding] = assessment.findings
    town._number -= 1  # the verdict is an event of the same case
    town.take(at("2009-03-11 09:00", "card_cancelled", source=CONSOLE, finding=finding.id))
    assert (town.share("on_time_rate"), town.share("card_rate")) == ((1, 1), (0, 1))
    assert town.parts("card_rate")["cancelled"] == 1


def test_open_cases_are_split_as_they_stood(town: Town) -> None:
    """At the end of a day in the past what was open then, overdue then, suspended then."""
    town.take(APPLY, ACCEPT)
    town.take(APPLY, ACCEPT, at("2009-03-12 10:00", "finish"))
    town.take(APPLY, ACCEPT, at("2009-03-03 10:00", "suspend", procedure="testing"), at("2009-03-20 10:00", "resume"))
    town.take(at("2009-03-11 09:00", "apply"), at("2009-03-11 10:00", "accept"), direct_line="E01")
    town.take(APPLY, ACCEPT, item="service")
    town.take(APPLY)
    town.judge("2009-03-23 10:00")

    def open_cases(day: str) -> tuple[int | None, dict[str, int | None]]:
        answer = town.answer("open_cases", day)
        return answer.value.numerator, {part.part: part.numerator for part in answer.parts if part.numerator}

    # The case nobody answered is accepted by silence, as of its receipt, and overdue like the others.
    assert open_cases("2009-03-02") == (5, {"in_limit": 5})
    assert open_cases("2009-03-04") == (5, {"in_limit": 4, "suspended": 1})
    assert open_cases("2009-03-11") == (6, {"in_limit": 1, "overdue": 4, "suspended": 1, "direct_line": 1})
    assert open_cases("2009-03-12") == (5, {"in_limit": 1, "overdue": 3, "suspended": 1, "direct_line": 1})
    assert open_cases("2009-03") == (5, {"in_limit": 1, "overdue": 4, "direct_line": 1}), "resumed, with two days left"


def test_a_limit_nobody_sees_is_neither_kept_nor_missed(town: Town) -> None:
    """An open case without a limit is open, and that is all that is known."""
    town.take(APPLY, ACCEPT, item="instant", region="4509")
    town.take(at("2009-03-02 09:00", "apply"), at("2009-03-02 10:00", "accept"), item="misfiled")
    town.judge("2009-03-02 12:00")
    assert town.parts("open_cases")["unknown"] == 1
    assert town.parts("open_cases")["in_limit"] == 1


def test_who_may_yet_be_excused_is_not_overdue_for_sure(town: Town) -> None:
    """Where suspensions are told once they have ended, an open case past its limit is overdue provisionally."""
    town.take(at("2009-03-02 09:00", "apply", source="at_end"), at("2009-03-02 10:00", "accept", source="at_end"))
    town.take(APPLY, ACCEPT)
    town.judge("2009-03-10 12:00")
    parts = town.parts("open_cases")
    assert (parts["overdue"], parts["provisional_overdue"]) == (1, 1)
    assert town.parts("on_time_rate")["open_overdue"] == 1


def test_who_is_told_once_of_everything_is_known_where_the_rule_looks(tmp_path: Path) -> None:
    """Of two applicants asked to supplement one was asked for more later; without the rule nobody can say."""
    first = at("2009-03-02 10:00", "supplement_notice", materials=("M1",))
    again = at("2009-03-04 10:00", "supplement_notice", materials=("M1", "M2"))
    brought = at("2009-03-03 10:00", "supplement_received")
    for mode, expected in (("card", (1, 2)), ("shadow", (None, None))):
        rules = {"V11": RuleSetting(mode="card" if mode == "card" else "shadow")}
        (tmp_path / mode).mkdir()
        with town_in(tmp_path / mode, msgspec.structs.replace(TOWN, rules=rules)) as town:
            town.take(APPLY, first, brought, at("2009-03-03 11:00", "accept"))
            town.take(APPLY, first, brought, again)
            assert town.share("one_notice_rate") == expected
            assert (town.answer("one_notice_rate").value.reason == "rule") == (mode == "shadow")


def test_what_applicants_meet_is_counted(town: Town) -> None:
    """Online applications, supplements, refusals, same-day finishes, tickets and ratings."""
    today = at("2009-03-02 17:00", "finish", outcome="granted")
    town.take(APPLY, ACCEPT, today, at("2009-03-02 17:01", "rating", rating=1), channel="online")
    town.take(APPLY, at("2009-03-02 09:30", "supplement_notice"), ACCEPT, GRANTED)
    town.take(APPLY, at("2009-03-02 11:00", "refuse"))
    town.take(APPLY, ACCEPT, GRANTED, at("2009-03-05 10:00", "rating", rating=5))
    assert town.share("online_rate") == (1, 4)
    assert town.share("supplement_rate") == (1, 4)
    assert town.share("refusal_rate") == (1, 4)
    assert town.share("instant_rate") == (1, 3)
    assert town.share("once_done") == (2, 3)
    assert town.share("satisfaction") == (1, 2)
    assert town.share("rating_rate") == (2, 3)
    assert town.share("special_rate") == (0, 3)


def test_complaints_are_counted_apart_from_cases(town: Town) -> None:
    """Accepted and closed, and the open ones by their age; a region's complaints are not its cases."""
    filed, accepted = at("2009-03-02 09:00", "complaint_filed"), at("2009-03-03 09:00", "complaint_accepted")
    town.take(filed, accepted, at("2009-03-05 09:00", "complaint_closed"))
    town.take(filed, accepted, at("2009-04-05 09:00", "complaint_closed"))
    town.take(filed, at("2009-03-20 09:00", "complaint_accepted"), region="450921")
    town.take(at("2009-03-02 09:00", "request_filed"), at("2009-03-04 09:00", "request_closed"))
    town.judge("2009-04-10 09:00")
    assert town.share("complaint_finish") == (1, 3)
    cohort = town.answer("complaint_finish_cohort")
    assert (cohort.value.numerator, cohort.value.denominator) == (1, 3)
    assert [(detail.code, detail.amount) for detail in cohort.details] == [("C2", 28), ("C3", 11)]
    assert town.share("complaint_finish", below=False) == (1, 2)
    assert town.share("complaint_finish", "2009-04") == (1, 0)
    assert town.share("request_finish") == (1, 1)
    assert town.share("finish_accept_ratio") == (0, 0)


def test_cards_are_counted_by_severity_and_what_was_taken_back_apart(town: Town) -> None:
    """A late case, and one that was thought late until its finish came: one card stands, one was withdrawn."""
    town.take(APPLY, ACCEPT, at("2009-03-10 09:00", "finish", outcome="granted"), at("2009-03-10 10:00", "archive"))
    number = town.take(APPLY, ACCEPT)
    town.judge("2009-03-10 10:00")
    assert town.share("card_rate") == (2, 2)
    town._number -= 1
    assert town.take(at("2009-03-04 10:00", "retract", target="accept"), at("2009-03-02 11:00", "refuse")) == number
    assert town.share("card_rate") == (1, 1)
    assert town.parts("card_rate")["promised_breach"] == 1
    assert town.parts("card_rate")["withdrawn"] == 1


def test_findings_in_shadow_are_in_no_figure_and_clocks_ignore_modes(tmp_path: Path) -> None:
    """A rule in shadow is shown to nobody it accuses; the case is late all the same."""
    with town_in(tmp_path, msgspec.structs.replace(TOWN, rules={"V01": RuleSetting(mode="shadow")})) as town:
        town.take(APPLY, ACCEPT, at("2009-03-10 09:00", "finish"), at("2009-03-10 10:00", "archive"))
        assert town.share("card_rate") == (0, 1)
        assert town.share("on_time_rate") == (0, 1)
