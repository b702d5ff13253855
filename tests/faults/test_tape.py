"""The tape: repeatable, free of what depends on when it arrives, and eventful enough to be worth a comparison."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.events import EventType
from monitor.ledger import Ledger
from monitor.ledger.digest import digests
from monitor.ledger.schema import findings, outbox
from streams.engine import Delivery, Engine
from tests.faults.tape import LIVE, Tape
from tests.faults.undisturbed import play

BEGINS = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
LATER = BEGINS + timedelta(days=1)
SECONDS = 45


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A ledger a tape was played into."""
    ledger = Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('played')}/ledger.sqlite")
    play(ledger, Tape(BEGINS, SECONDS))
    return ledger


def test_a_tape_depends_on_its_beginning_and_seed_alone() -> None:
    """Two tapes that begin alike are alike."""
    assert Tape(BEGINS, SECONDS).entries == Tape(BEGINS, SECONDS).entries
    assert Tape(BEGINS, SECONDS).entries != Tape(BEGINS, SECONDS, seed=2).entries


def test_nothing_is_sent_before_it_happened_or_later_than_its_source_may(played: Ledger) -> None:
    """Each live event is sent within its source's tolerance, so that no verdict depends on when it arrives."""
    tape = Tape(BEGINS, SECONDS)
    for entry in tape.entries:
        sent = tape.instant(entry.at)
        happened = entry.event.recorded or entry.event.time
        if not entry.backfill:
            assert timedelta(seconds=-1) < sent - happened < timedelta(minutes=4, seconds=5), entry
        else:
            assert happened <= sent


def test_a_tape_is_worth_comparing(played: Ledger) -> None:
    """Cards are raised by time alone and by events, kept deadlines raise none, and some cards are taken back."""
    tape = Tape(BEGINS, SECONDS)
    with played.read() as connection:
        told = select(outbox.c.case, outbox.c.act, outbox.c.delivery).join(findings, findings.c.id == outbox.c.finding)
        acts = connection.execute(told.where(findings.c.rule == "V01")).all()
        states = Counter(connection.execute(select(findings.c.state)).scalars())
    raised = {row.case for row in acts if row.act == "raise"}
    withdrawn = {row.case for row in acts if row.act == "withdraw"}
    kept = {deadline.case for deadline in tape.deadlines if deadline.kept}
    missed = {deadline.case for deadline in tape.deadlines if not deadline.kept}
    assert min(len(kept), len(missed)) >= 5
    assert missed <= raised
    assert not kept & raised
    assert len([case for case in withdrawn if case.startswith("undone")]) >= 3
    assert not states["contested"], "a contested finding tells when something arrived"
    assert min(states["live"], states["withdrawn"]) > 3
    assert {row.delivery for row in acts} >= {"send", "none"}


def test_order_batches_and_repetition_do_not_change_the_digest(played: Ledger, tmp_path: Path) -> None:
    """The same tape shuffled, in other batches, some of it twice, and received minutes later, ends the same."""
    tape = Tape(BEGINS, SECONDS)
    draw = random.Random(7)
    entries = [*tape.entries, *draw.sample(tape.entries, 500)]
    draw.shuffle(entries)
    ends = tape.instant(SECONDS + 30)
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite", text_key=played.folder / "texts.key") as other:
        other.publish(tape.rulebook)
        engine = Engine(other)
        for start in range(0, len(entries), 700):
            batch = [
                Delivery(entry.written, None if entry.backfill else ends, entry.backfill)
                for entry in entries[start : start + 700]
            ]
            engine.process(batch, ends)
            engine.tick(ends)
        for source in tape.imported:
            engine.end_import(source, tape.past_until)
        engine.close()
        assert digests(other, LATER) == digests(played, LATER)


def test_every_source_tells_something() -> None:
    """Events come from several sources, as a past and live, with heartbeats between."""
    entries = Tape(BEGINS, SECONDS).entries
    assert len({entry.event.source for entry in entries if entry.backfill}) == 5
    assert {entry.event.type for entry in entries} >= {EventType.HEARTBEAT, EventType.RETRACT, EventType.FINISH}
    assert sum(not entry.backfill for entry in entries if entry.event.source == LIVE) > 500
