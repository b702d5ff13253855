"""The engine takes batches exactly once, whatever goes wrong on the way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from monitor.events import CONSOLE, EVENT_BYTES_MAX, EventData, content
from monitor.ledger import LeaseHeld, Ledger, LedgerError
from monitor.ledger.digest import digest
from monitor.ledger.schema import findings, journal, outbox, stats_units
from monitor.ledger.verify import verify
from streams import turn
from streams.engine import Delivery, Engine, Fenced
from tests.databases import ledger_url
from tests.small_centre import (
    MONDAY,
    RULEBOOK,
    assess_plainly,
    at,
    delivered,
    event,
    heartbeat,
    opened_engine,
)

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine on an empty ledger of the small centre."""
    with opened_engine(tmp_path) as engine:
        yield engine


def fingerprint(engine: Engine) -> str:
    """Give the canonical digest as of a fixed instant; also assert that the ledger is sound."""
    checked = verify(engine.ledger, assess_plainly)
    assert checked.difference is None
    return digest(engine.ledger, at(30), assess_plainly)


def journalled(engine: Engine) -> int:
    """Count the rows of the journal."""
    with engine.ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(journal)).scalar_one()


CASE = (event("apply"), event("accept", time=at(1)), event("finish", time=at(2)))


def test_outcomes_come_in_the_order_of_the_batch(engine: Engine) -> None:
    """Each delivery gets its own outcome: applied, duplicate, or rejected with field and reason."""
    batch = [*delivered(CASE[0]), Delivery(b'{"id": 1}'), *delivered(CASE[0], CASE[1])]
    outcomes = engine.process(batch, at(1))
    assert [outcome.status for outcome in outcomes] == ["applied", "rejected", "duplicate", "applied"]
    assert outcomes[0].case == "c1"
    error = outcomes[1].error
    assert error is not None
    assert (error.code, error.field) == ("invalid", "id")


def test_the_same_batch_twice_changes_nothing_but_the_duplicate_counter(engine: Engine) -> None:
    """A batch delivered again has no second effect (I2)."""
    engine.process(delivered(*CASE), at(2))
    once, rows = fingerprint(engine), journalled(engine)
    outcomes = engine.process(delivered(*CASE), at(2))
    assert {outcome.status for outcome in outcomes} == {"duplicate"}
    assert (fingerprint(engine), journalled(engine)) == (once, rows)
    assert engine.ledger.source_states()["hall"].duplicate == 3


def test_batching_and_order_do_not_matter(engine: Engine, tmp_path: Path) -> None:
    """One batch, or each event alone and backwards with ticks between: the same ledger (I3)."""
    events = [*CASE, event("apply", "c2"), event("finish", "c2", at(5)), event("apply", "c3", source="night")]
    engine.process(delivered(*events), at(9))
    with opened_engine(tmp_path, "other") as other:
        for each in reversed(events):
            other.process(delivered(each), at(9))
            other.tick(at(9))
        assert fingerprint(other) == fingerprint(engine)


def test_received_is_applied_plus_duplicate_plus_rejected(engine: Engine) -> None:
    """Every delivery is counted once, under its source as far as it is known (I1)."""
    foreign = Delivery(content(event(source="nobody", name="x")))
    engine.process([*delivered(*CASE, CASE[0]), Delivery(b"{"), foreign], at(2))
    states = engine.ledger.source_states()
    counted = {name: (state.applied, state.duplicate, state.rejected) for name, state in states.items()}
    assert counted == {"hall": (3, 1, 0), "": (0, 0, 2)}
    assert verify(engine.ledger, assess_plainly).difference is None


@pytest.mark.parametrize(
    ("delivery", "code", "field"),
    [
        (Delivery(b"{"), "malformed", "event"),
        (Delivery(b" " * (EVENT_BYTES_MAX + 1)), "too_large", "event"),
        (Delivery(content(event(source="nobody"))), "unregistered_source", "source"),
        (Delivery(content(event()), bound_source="night"), "foreign_source", "source"),
        (Delivery(content(event("finish", source="clerk"))), "type_not_declared", "type"),
        (Delivery(content(event("card_cancelled"))), "type_not_declared", "type"),
        (Delivery(content(event(region="4501"))), "foreign_region", "region"),
        (Delivery(content(event(region="9999"))), "foreign_region", "region"),
    ],
)
def test_what_may_not_be_taken_is_rejected_and_the_rest_goes_on(
    engine: Engine, delivery: Delivery, code: str, field: str
) -> None:
    """A reject names field and reason, is kept, and stops nothing."""
    outcomes = engine.process([delivery, *delivered(event(name="good"))], at(0))
    error = outcomes[0].error
    assert error is not None
    assert (error.code, error.field) == (code, field)
    assert outcomes[1].status == "applied"
    (kept,) = engine.ledger.rejects()
    assert (kept.code, kept.field) == (code, field)
    with engine.ledger.read() as connection:
        assert engine.ledger.vault.open(connection, kept.seq) == (kept, delivery.raw[:EVENT_BYTES_MAX])


@pytest.mark.parametrize(
    "written", [b'{"\\u0000": 1}', b'{"id": "\\u0000"}', b"\x00", b'{"type": "\\u0000"}', b"\xff\xfe"]
)
def test_what_no_database_can_hold_stops_nothing(engine: Engine, written: bytes) -> None:
    """A zero in a field's name or value, or bytes that are no text, are a reject like any other."""
    outcomes = engine.process([Delivery(written), Delivery(written, bound_source="hall"), *delivered(event())], at(0))
    assert [outcome.status for outcome in outcomes] == ["rejected", "rejected", "applied"]
    assert len(engine.ledger.rejects()) == 2


def test_an_event_of_a_county_below_is_taken(engine: Engine) -> None:
    """A source speaks for its regions and all below them."""
    assert engine.process(delivered(event(region="450902")), at(0))[0].status == "applied"


def test_an_event_given_decoded_is_checked_as_strictly(engine: Engine) -> None:
    """An importer's mistake is a reject too, never an unreadable journal."""
    bad = event(name="x" * 200)
    outcome = engine.process([Delivery(event=bad)], at(0))[0]
    assert outcome.error is not None
    assert outcome.error.field == "id"


def test_a_full_case_takes_no_more(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event above the limit is rejected; one already known is still a duplicate (I11)."""
    monkeypatch.setattr(turn, "EVENTS_PER_CASE_MAX", 3)
    outcomes = engine.process(delivered(*CASE, event("archive", time=at(3)), CASE[0]), at(3))
    assert [outcome.status for outcome in outcomes[3:]] == ["rejected", "duplicate"]
    assert outcomes[3].error is not None
    assert outcomes[3].error.code == "case_full"


def test_other_content_of_one_identity_is_kept_beside_the_first(engine: Engine) -> None:
    """Both contents are in the journal and among the case's events; the same variant again is a duplicate."""
    other = event("apply", time=at(0.5))
    assert engine.process(delivered(event()), at(1))[0].status == "applied"
    assert engine.process(delivered(other), at(1))[0].status == "applied"
    assert engine.process(delivered(other), at(1))[0].status == "duplicate"
    assert len(engine.ledger.entries("c1")) == journalled(engine) == 2


def test_the_first_delivery_decides_when_it_was_received(engine: Engine) -> None:
    """A later copy does not make an event look late."""
    engine.process(delivered(event(), received_at=at(0.1)), at(1))
    engine.process(delivered(event(), received_at=at(5)), at(5))
    assert engine.ledger.entries("c1")[0].received_at == at(0.1)


def test_a_backfill_was_received_when_it_was_recorded(engine: Engine) -> None:
    """Without an instant of its own a delivery was received when it happened."""
    engine.process([Delivery(content(event()), backfill=True)], at(9))
    assert engine.ledger.entries("c1")[0].received_at == MONDAY


def test_a_heartbeat_is_taken_once(engine: Engine) -> None:
    """A heartbeat has no case, and a repeated one is a duplicate, in its own batch and later."""
    beat = heartbeat("hall", "h1", at(1))
    first = engine.process(delivered(beat, beat), at(1))
    later = engine.process(delivered(beat), at(1))
    assert [outcome.status for outcome in (*first, *later)] == ["applied", "duplicate", "duplicate"]


FULL = {
    "sqlite": ["CREATE TRIGGER no_room BEFORE INSERT ON stats_items BEGIN SELECT RAISE(ABORT, 'disk full'); END"],
    "postgresql": [
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$",
        "CREATE TRIGGER no_room BEFORE INSERT ON stats_items FOR EACH ROW EXECUTE FUNCTION no_room()",
    ],
}
NOT_FULL = {"sqlite": "DROP TRIGGER no_room", "postgresql": "DROP TRIGGER no_room ON stats_items"}


def test_a_database_error_takes_nothing_and_a_retry_everything(engine: Engine, tmp_path: Path) -> None:
    """After a failure in mid-transaction nothing is kept; the batch again ends like an undisturbed run."""
    engine.process(delivered(CASE[0]), at(0))
    before = fingerprint(engine)
    with engine.ledger.write() as connection:
        for statement in FULL[connection.dialect.name]:
            connection.execute(text(statement))
    batch = [*delivered(CASE[1], event("finish", "c9", at(9))), Delivery(b"{")]
    with pytest.raises(DatabaseError, match="disk full"):
        engine.process(batch, at(9))
    assert fingerprint(engine) == before
    with engine.ledger.write() as connection:
        connection.execute(text(NOT_FULL[connection.dialect.name]))
    engine.process(batch, at(9))
    with opened_engine(tmp_path, "undisturbed") as other:
        other.process(delivered(CASE[0]), at(0))
        other.process(batch, at(9))
        assert fingerprint(other) == fingerprint(engine)


def test_a_fenced_writer_changes_nothing(engine: Engine) -> None:
    """A writer whose epoch has passed keeps nothing of its batch and says so (I10)."""
    engine.process(delivered(CASE[0]), at(0))
    before, rows = fingerprint(engine), journalled(engine)
    with engine.ledger.write() as connection:
        connection.execute(text("UPDATE positions SET epoch = epoch + 1"))
    with pytest.raises(Fenced, match="another writer"):
        engine.process(delivered(*CASE), at(2))
    with pytest.raises(Fenced):
        engine.tick(at(9))
    assert (fingerprint(engine), journalled(engine)) == (before, rows)


def test_a_second_engine_is_refused(engine: Engine) -> None:
    """Only one engine writes a ledger; the second learns who does."""
    engine.lease.announce("http://127.0.0.1:8000")
    with pytest.raises(LeaseHeld) as refused:
        Engine(engine.ledger, assess=assess_plainly)
    assert refused.value.url == "http://127.0.0.1:8000"


def test_without_a_rulebook_nothing_is_taken(tmp_path: Path) -> None:
    """A ledger without a rulebook says how to publish one, instead of rejecting every event."""
    with Ledger.open(ledger_url(tmp_path, "x")) as ledger:
        engine = Engine(ledger, assess=assess_plainly)
        with pytest.raises(LedgerError, match="monitor rulebook publish"):
            engine.process(delivered(event()), at(0))
        engine.close()


def test_statistics_follow_corrections(engine: Engine) -> None:
    """A finish in time that arrives later takes back what the breach had added (I9)."""
    engine.process(delivered(event()), at(0))
    engine.tick(at(4))
    assert sums(engine) == {"applied": 1, "findings_conduct": 1}
    engine.process(delivered(event("finish", time=at(2))), at(5))
    assert sums(engine) == {"applied": 1, "finished": 1}


def sums(engine: Engine) -> dict[str, int]:
    """Add up the measures that are not zero."""
    with engine.ledger.read() as connection:
        rows = connection.execute(select(stats_units)).mappings().all()
    names = [name for name in stats_units.c.keys() if name not in stats_units.primary_key.columns]  # noqa: SIM118
    totals = {name: sum(row[name] for row in rows) for name in names}
    return {name: total for name, total in totals.items() if total}


def test_a_finding_disproved_is_withdrawn_with_its_reason(engine: Engine) -> None:
    """The row stays, says what made it untrue, and stands again when that is taken back by nothing."""
    engine.process(delivered(event()), at(0))
    engine.tick(at(4))
    engine.process(delivered(event("finish", time=at(2))), at(5))
    with engine.ledger.read() as connection:
        row = connection.execute(select(findings)).one()
    assert row.state == "withdrawn"
    assert row.withdrawal == '{"cause":"event","events":[["hall","finish"]]}'
    assert (row.detected_at, row.changed_at) == (at(4), at(5))


def test_a_withdrawn_finding_that_comes_back_is_live_again(engine: Engine) -> None:
    """An earlier application makes the finish late after all; the first detection stays."""
    engine.process(delivered(event()), at(0))
    engine.tick(at(4))
    engine.process(delivered(event("finish", time=at(2))), at(5))
    engine.process(delivered(event("consult", time=at(-9))), at(6))
    with engine.ledger.read() as connection:
        row = connection.execute(select(findings)).one()
        acts = connection.execute(select(outbox.c.act).order_by(outbox.c.seq)).scalars().all()
    assert (row.state, row.withdrawal, row.detected_at) == ("contested", None, at(4))
    assert acts == ["raise", "withdraw", "raise"]
    assert fingerprint(engine)


def test_an_inspectors_word_comes_from_the_console_alone(engine: Engine) -> None:
    """The console may cancel a finding, and does not hold back judgement of the case."""
    word = event("card_cancelled", source=CONSOLE, time=at(1), data=EventData(finding="f"))
    outcomes = engine.process(delivered(event(source="hall"), word), at(1))
    assert [outcome.status for outcome in outcomes] == ["applied", "applied"]
    assessment = engine.ledger.assessment("c1")
    assert assessment is not None
    assert assessment.judged_at == at(1)
    misplaced = [event("accept", source=CONSOLE, time=at(1)), event("card_cancelled", name="w", time=at(1))]
    assert [outcome.status for outcome in engine.process(delivered(*misplaced), at(1))] == ["rejected", "rejected"]


def test_the_rulebook_of_the_batch_is_the_one_in_force(engine: Engine) -> None:
    """A rulebook published for later judges nothing before its instant, and everything after."""
    again = replace(RULEBOOK, name="二")
    begins = at(3650)
    assert engine.ledger.publish(again, begins) == 2
    engine.process(delivered(event()), at(1))
    before = engine.ledger.assessment("c1")
    assert before is not None
    assert before.rulebook == 1
    assert engine.tick(begins) == 1
    after = engine.ledger.assessment("c1")
    assert after is not None
    assert after.rulebook == 2
    assert engine.tick(begins) == 0
