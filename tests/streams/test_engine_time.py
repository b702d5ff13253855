"""What is absent is judged when it may be, and not a moment earlier."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from monitor.events import TIME_MIN, EventData
from monitor.ledger import Ledger
from monitor.ledger.schema import cases, outbox
from monitor.ledger.verify import verify
from monitor.rulebook.model import RulebookHistory
from monitor.verdict import Assessment, FindingState, JournalEntry
from streams.engine import Engine
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK, assess_plainly, at, delivered, event, heartbeat, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine on an empty ledger of the small centre."""
    with opened_engine(tmp_path) as engine:
        yield engine


def assessed(engine: Engine, case: str = "c1") -> Assessment:
    """Read a case's assessment."""
    assessment = engine.ledger.assessment(case)
    assert assessment is not None
    return assessment


def deliveries(engine: Engine) -> list[tuple[str, str]]:
    """Read the outbox: what is said, and the way it takes."""
    with engine.ledger.read() as connection:
        rows = connection.execute(select(outbox.c.act, outbox.c.delivery).order_by(outbox.c.seq))
        return [(row.act, row.delivery) for row in rows]


def test_a_breach_is_found_without_any_event(engine: Engine) -> None:
    """The tick after the due instant finds it, once, and tells it (I6)."""
    engine.process(delivered(event()), at(0))
    assert engine.tick(at(2.9)) == 0
    assert engine.tick(at(3, hours=1)) == 1
    assert engine.tick(at(3, hours=1)) == 0
    assert [finding.rule for finding in assessed(engine).findings] == ["V01"]
    assert deliveries(engine) == [("raise", "send")]


def test_a_tick_at_the_very_due_instant_is_asked_again_later(engine: Engine) -> None:
    """On time up to and including the due instant; the tick behind it still finds the breach."""
    engine.process(delivered(event()), at(0))
    assert engine.tick(at(3)) == 1
    assert engine.tick(at(3)) == 0
    assert assessed(engine).findings == ()
    assert engine.tick(at(3, hours=0.001)) == 1
    assert len(assessed(engine).findings) == 1


def test_a_late_source_is_judged_by_its_lateness(engine: Engine) -> None:
    """A source that may be a day late is judged a day later, and so is a case it had a part in (I5)."""
    engine.process(delivered(event(), event(case="c2"), event("accept", "c2", source="night")), at(0))
    assert engine.tick(at(3.5)) == 1
    assert assessed(engine, "c2").findings == ()
    assert engine.tick(at(4.5)) == 1
    assert assessed(engine, "c2").judged_at == at(3.5)


def test_a_heartbeat_says_up_to_when_a_source_is_complete(engine: Engine) -> None:
    """Judgement stops at the largest instant a source's heartbeats gave, whatever their order."""
    beats = [heartbeat("hall", "h2", at(2), at(2)), heartbeat("hall", "h1", at(1), at(1))]
    engine.process(delivered(event(), *beats), at(9))
    assert assessed(engine).judged_at == at(2)
    assert engine.tick(at(9)) == 0
    engine.process(delivered(heartbeat("hall", "h4", at(4), at(4))), at(9))
    assert engine.tick(at(9)) == 1


def test_ticks_are_bounded(engine: Engine) -> None:
    """Cases due at one instant are assessed in chunks, none twice, until nothing is left (I6)."""
    engine.process(delivered(*(event(case=f"c{n}", source="hall" if n % 2 else "night") for n in range(10))), at(0))
    counts = [engine.tick(at(9), limit=4) for _ in range(4)]
    assert counts == [4, 4, 2, 0]
    with engine.ledger.read() as connection:
        assert set(connection.execute(select(cases.c.light)).scalars()) == {"promised_breach"}


def test_what_was_judged_once_is_not_taken_back_by_a_late_source(engine: Engine) -> None:
    """The moment of a case's judgement never goes backwards."""
    engine.process(delivered(event()), at(2))
    engine.process(delivered(event("accept", source="night", time=at(1))), at(2))
    assert assessed(engine).judged_at == at(2)


def test_the_horizon_never_goes_backwards(engine: Engine) -> None:
    """A clock set back by an hour does not make the ledger younger."""
    engine.tick(at(2))
    engine.process(delivered(event()), at(1))
    assert assessed(engine).judged_at == at(2)
    assert engine.ledger.horizon() == at(2)


def imported(engine: Engine, name: str = "c1", until: datetime | None = None) -> None:
    """Import a file of one application."""
    engine.begin_import("files")
    engine.process(delivered(event(case=name, source="files"), backfill=True), at(20))
    engine.end_import("files", until)


def test_nothing_absent_is_judged_while_a_file_is_imported(engine: Engine) -> None:
    """A new source is held before everything until the import ends; then its file's end counts."""
    engine.begin_import("files")
    engine.process(delivered(event(source="files"), backfill=True), at(20))
    assert assessed(engine).judged_at == TIME_MIN
    assert engine.tick(at(20)) == 0
    engine.end_import("files", at(10))
    assert engine.tick(at(20)) == 1
    assert assessed(engine).judged_at == at(10)
    assert engine.tick(at(30)) == 0


def test_a_second_import_holds_the_source_where_it_stood(engine: Engine) -> None:
    """While the next file is read, what the first was complete for stays judged, and no more."""
    imported(engine, until=at(2))
    engine.begin_import("files")
    engine.process(delivered(event(case="c2", source="files"), backfill=True), at(20))
    assert assessed(engine, "c2").judged_at == at(2)
    engine.end_import("files", at(10))
    assert engine.tick(at(20)) == 2


def test_a_killed_import_keeps_its_hold_until_one_ends(tmp_path: Path) -> None:
    """The process that goes on after a crash still judges nothing absent; the import again releases it."""
    with opened_engine(tmp_path) as engine:
        engine.begin_import("files")
        engine.process(delivered(event(source="files"), backfill=True), at(20))
    with opened_engine(tmp_path) as engine:
        assert engine.tick(at(20)) == 0
        imported(engine, until=at(10))
        assert engine.ledger.source_states()["files"].duplicate == 1
        assert engine.tick(at(20)) == 1


def test_a_file_that_says_nothing_does_not_complete_one_that_was_broken_off(engine: Engine) -> None:
    """An empty file of the same source leaves the hold of the import that was killed: its cases are half told."""
    engine.begin_import("files")
    engine.process(delivered(event(source="files"), backfill=True), at(20))
    engine.begin_import("files")
    engine.end_import("files", None)
    assert engine.tick(at(20)) == 0
    imported(engine, until=at(10))
    assert engine.tick(at(20)) == 1


@pytest.mark.parametrize("live_first", [True, False])
def test_a_live_event_ends_what_an_import_said_of_completeness(engine: Engine, live_first: bool) -> None:
    """Once a source delivers live it is judged by its lateness, whichever came first."""
    live = delivered(event(case="c2", source="files", time=at(15)))
    if live_first:
        engine.process(live, at(20))
    imported(engine, until=at(2))
    if not live_first:
        engine.process(live, at(20))
    engine.tick(at(20))
    assert assessed(engine).judged_at == at(20)


def test_only_a_heartbeat_speaks_for_its_source(engine: Engine) -> None:
    """One event of a case that carries `complete_until` does not hold all cases of its source for ever."""
    said = EventData(complete_until=at(1))
    engine.process(delivered(event(data=said), event(case="c2")), at(0))
    assert engine.tick(at(9)) == 2
    assert verify(engine.ledger, assess_plainly).difference is None


def test_a_live_event_does_not_end_what_a_heartbeat_said(engine: Engine) -> None:
    """A source that declares its completeness is taken at its word."""
    engine.process(delivered(event(), heartbeat("hall", "h1", at(1), at(1))), at(9))
    engine.process(delivered(event("accept", time=at(2))), at(9))
    assert assessed(engine).judged_at == at(1)


def test_what_an_import_brings_is_told_to_nobody(engine: Engine) -> None:
    """Findings of the past are recorded, found at once or after the import, and not sent."""
    engine.begin_import("files")
    late = [event(case="c2", source="files"), event("finish", "c2", at(9), source="files")]
    engine.process(delivered(event(source="files"), *late, backfill=True), at(20))
    engine.end_import("files", at(10))
    engine.tick(at(20))
    assert len(assessed(engine).findings) == len(assessed(engine, "c2").findings) == 1
    assert deliveries(engine) == [("raise", "none"), ("raise", "none")]


def test_an_imported_case_that_becomes_late_afterwards_is_told(engine: Engine) -> None:
    """A case taken over while still in time is watched like any other from then on."""
    engine.process(delivered(event(case="c0", source="files")), at(0))
    engine.begin_import("files")
    engine.process(delivered(event(source="files", time=at(0)), backfill=True), at(1))
    engine.end_import("files", at(1))
    assert engine.tick(at(4)) == 2
    assert deliveries(engine) == [("raise", "send"), ("raise", "send")]


def test_a_card_that_was_sent_is_taken_back_even_by_a_backfill(engine: Engine) -> None:
    """Whoever was told of a finding is told that it no longer stands; nobody else is (I4)."""
    engine.process(delivered(event(), event(case="c2")), at(0))
    engine.tick(at(4))
    engine.process(delivered(event("finish", time=at(1)), backfill=True), at(5))
    assert deliveries(engine)[2:] == [("withdraw", "send")]


def test_marked_cases_are_assessed_again_quietly(engine: Engine) -> None:
    """`reassess` only marks; the tick does the work, changes nothing, and clears the mark."""
    engine.process(delivered(event(), event(case="c2")), at(0))
    assert engine.ledger.mark() == 2
    assert engine.ledger.mark(["c1"]) == 1
    assert [engine.tick(at(0), limit=1), engine.tick(at(0)), engine.tick(at(0))] == [1, 1, 0]
    assert deliveries(engine) == []


def test_a_source_no_longer_registered_does_not_hold_a_case_back(engine: Engine) -> None:
    """A case of a source that was taken out of the rulebook is still found late."""
    engine.process(delivered(event(source="night")), at(0))
    sources = tuple(source for source in RULEBOOK.sources if source.code != "night")
    assert engine.ledger.publish(replace(RULEBOOK, sources=sources)) == 2
    assert engine.tick(at(3650)) == 1
    assert len(assessed(engine).findings) == 1


def test_a_provisional_breach_is_told_to_nobody_until_it_stands(tmp_path: Path) -> None:
    """While a suspension may come to light that excuses it, no card goes out; the finish that proves it sends one."""

    def in_doubt(entries: Iterable[JournalEntry], rulebooks: RulebookHistory, judged_at: datetime) -> Assessment:
        after = assess_plainly(entries, rulebooks, judged_at)
        state: FindingState = "live" if after.closed else "provisional"
        return replace(after, findings=tuple(replace(finding, state=state) for finding in after.findings))

    with Ledger.open(ledger_url(tmp_path, "doubt")) as ledger:
        ledger.publish(RULEBOOK)
        engine = Engine(ledger, assess=in_doubt)
        engine.process(delivered(event()), at(0))
        assert engine.tick(at(4)) == 1
        assert [finding.state for finding in assessed(engine).findings] == ["provisional"]
        assert deliveries(engine) == []
        engine.process(delivered(event("finish", time=at(5))), at(5))
        assert deliveries(engine) == [("raise", "send")]
        engine.close()
