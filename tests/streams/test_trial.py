"""A trial says what the engine would do, event by event, and leaves no trace."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.events import Due, Event, EventData
from monitor.ledger.texts import Marker
from monitor.rulebook.model import ClockProfile, RulebookHistory, RulebookVersion, Season
from streams.engine import Delivery, Engine
from streams.trial import Bench, Trial, last_time, log_deliveries
from tests.small_centre import MONDAY, RULEBOOK, at, delivered, event
from tests.streams.logs_at_hand import LAST_ROW, MAPPING, many, row, trace, write
from tests.streams.logs_at_hand import RULEBOOK as TOWN
from tests.streams.logs_at_hand import log as xes
from tests.streams.running import new_ledger

CENTRE = replace(
    RULEBOOK,
    items=(replace(RULEBOOK.items[0], promised_limit="5 wd"),),
    profiles=(ClockProfile(code="next_day", kind="next_day", seasons=(Season(sessions=()),)),),
)
STORY = (
    event("apply"),
    event("accept", time=at(1)),
    event("suspend", time=at(2), data=EventData(procedure="hearing", planned_days=3, told_at=at(2), legal_basis="48")),
    event("resume", time=at(3)),
    event("approve", time=at(4), data=EventData(outcome="granted")),
    event("finish", time=at(4, 1)),
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on the ledger of a centre whose one item promises five working days."""
    with new_ledger(tmp_path, CENTRE) as ledger:
        made = Engine(ledger)
        yield made
        made.close()


def bench(engine: Engine, horizon: datetime) -> Bench:
    """Give a bench over a ledger."""
    ledger = engine.ledger

    def judged(case: str) -> datetime | None:
        stored = ledger.assessment(case)
        return stored.judged_at if stored else None

    marker = ledger.texts.trial_marker()
    return Bench(ledger.rulebooks(horizon), horizon, ledger.source_states(), ledger.entries, judged, marker)


def tried(bench: Bench, *events: Event) -> list[Trial]:
    """Try events, received as they happen."""
    return [bench.try_out(delivery) for delivery in delivered(*events)]


def acts(trial: Trial, clock: str) -> list[str]:
    """Give what would happen to a clock."""
    return [change.act for change in trial.clocks if change.clock.name == clock]


def test_the_clocks_of_a_case_are_told_as_it_goes(engine: Engine) -> None:
    """Start, pause, resume and stop are told at the event that causes them, with the due."""
    trials = tried(bench(engine, at(4, 2)), *STORY)
    told = [acts(trial, "promised") for trial in trials]
    assert told == [[], ["starts"], ["pauses", "moves"], ["resumes"], [], ["stops"]]
    assert acts(trials[0], "notice") == ["starts"]
    assert acts(trials[1], "notice") == ["stops"]
    [started] = [change.clock for change in trials[1].clocks if change.clock.name == "promised"]
    assert started.due is not None
    assert started.due.date() == datetime(2026, 3, 10).date()  # noqa: DTZ001 - a date, in UTC still the same one
    assert trials[-1].stage == "finished"


def test_what_was_said_is_what_the_engine_then_does(engine: Engine) -> None:
    """For every event alone, the assessment tried is the one stored when it is really taken."""
    for each in (*STORY, event("archive", time=at(2)), event("suspend", time=at(5), name="again")):
        [trial] = tried(bench(engine, at(9)), each)
        engine.process(delivered(each), at(9))
        assert trial.after == engine.ledger.assessment("c1")


def test_nothing_is_stored(engine: Engine) -> None:
    """Trials leave the ledger's file as it was, byte for byte."""
    engine.process(delivered(*STORY[:2]), at(1))
    with engine.ledger.write() as connection:
        connection.exec_driver_sql("SELECT 1")
    before = {path.name: path.read_bytes() for path in engine.ledger.folder.iterdir() if not path.name.endswith("-shm")}
    tried(bench(engine, at(9)), *STORY)
    after = {path.name: path.read_bytes() for path in engine.ledger.folder.iterdir() if not path.name.endswith("-shm")}
    assert before == after


def test_findings_raised_and_withdrawn_are_told(engine: Engine) -> None:
    """An open case past its due has its V01, and a finish that was in time takes it back."""
    engine.process(delivered(event("apply"), event("accept", time=at(1))), at(1))
    engine.tick(at(30))
    [late] = tried(bench(engine, at(30)), event("finish", time=at(20)))
    assert (
        ("V01", "live") in [(finding.rule, finding.state) for finding in late.after.findings] if late.after else False
    )
    [in_time] = tried(bench(engine, at(30)), event("finish", time=at(2)))
    assert "V01" in [finding.rule for finding in in_time.withdrawn]


def test_a_due_set_by_the_source_moves_the_clock(engine: Engine) -> None:
    """An event that carries a due changes the promised clock, and it is told which due it has then."""
    due = EventData(due=Due(promised=at(30)))
    trials = tried(bench(engine, at(1)), STORY[0], STORY[1], event("fee", time=at(1, 1), data=due))
    assert acts(trials[2], "promised") == ["moves"]
    assert next(c.clock.due for c in trials[2].clocks if c.clock.name == "promised") == at(30)


def test_duplicates_rejects_and_heartbeats_change_nothing(engine: Engine) -> None:
    """They are told as what they are; later events of the file find what earlier ones left."""
    trying = bench(engine, at(1))
    again = tried(trying, STORY[0], STORY[0])
    assert [trial.status for trial in again] == ["applied", "duplicate"]
    assert again[1].after is None
    rejected = trying.try_out(Delivery(b'{"id": 1}', MONDAY))
    assert rejected.status == "rejected"
    assert rejected.error is not None
    assert tried(trying, replace(STORY[1], source="nobody"))[0].error is not None


def test_a_log_is_told_case_by_case_and_ends_like_its_import(tmp_path: Path) -> None:
    """While the log is read nothing absent is judged; its end says which open cases are late."""
    path = write(tmp_path / "log.xes", many(3))
    version = RulebookVersion(1, TOWN)
    until = last_time(path, MAPPING)
    assert until == LAST_ROW
    history, horizon = RulebookHistory((version,), version), until + timedelta(days=1)
    trying = Bench(history, horizon, {}, lambda case: [], lambda case: None, Marker.passing(), "files")
    ends: dict[str | None, list[str]] = {}
    for case, placed in log_deliveries(path, MAPPING):
        for _, delivery in placed:
            trial = trying.try_out(delivery)
            assert [f.rule for f in trial.raised if f.rule == "V01" and trial.after and not trial.after.closed] == []
        assert case is not None
        ends[case] = [finding.rule for finding in trying.settle(case).raised if finding.rule == "V01"]
    assert ends == {"c0": [], "c1": [], "c2": ["V01"]}


def test_events_of_a_log_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    """The story reads forwards whatever the order of rows; what cannot be read comes last."""
    bad, later = row("confirm x", "soon"), row("check", "2011-03-02T09:00:00+01:00")
    [(case, placed)] = log_deliveries(write(tmp_path / "log.xes", xes(trace("c1", bad, later))), MAPPING)
    assert case == "c1"
    assert [d.event.type.value if d.event else None for _, d in placed] == ["apply", "accept", "finish", None]
    assert placed[-1][0] == "trace 1, event 1"
