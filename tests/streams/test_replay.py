"""A replay ends in the same ledger: its digest, its journal, all that no event tells; and nobody is told of it."""

import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from monitor.ledger import LeaseHeld, Ledger, LedgerError, actions, schema
from monitor.ledger.access import Approval
from monitor.ledger.deployment import Deployment, claim, owner_of
from monitor.ledger.digest import digests
from monitor.ledger.erasure import erase_texts
from monitor.ledger.verify import verify
from monitor.people import Actor, add_user, this_account
from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from streams.engine import Delivery, Engine
from streams.replay import replay
from tests.conftest import ROOT
from tests.databases import ledger_url
from tests.integration import town
from tests.streams.running import make_key

pytestmark = pytest.mark.usefixtures("each_database")

HORIZON = datetime.now(UTC).replace(microsecond=0)
"""A second rulebook cannot begin before now."""
LAST = HORIZON - timedelta(days=12)
"""So that some cases are overdue, and others not yet."""
SAID = "申请人说材料早已交齐"
SECRET = "一句容易记住的长密码 2026"


def feed(seed: int = 3, cases: int = 60) -> list[bytes]:
    """Write the town's events in the order they are received."""
    events = town.feed(cases, LAST, seed)
    events[5] |= {"data": {"text": SAID}}
    events[6] |= {"data": {"text": "another"}}
    return [msgspec.json.encode(event) for event in events]


def old_ledger(
    folder: Path, rulebook: Rulebook, streams: tuple[str, ...] = ("embedded",), url: str | None = None
) -> Ledger:
    """Fill a ledger with everything one can hold: live and imported events, twice and rejected."""
    ledger = Ledger.open(url or ledger_url(folder, "old"), folder=folder / "old")
    ledger.publish(rulebook)
    lease = ledger.lease()
    for number, stream in enumerate(streams):
        engine, draw, events = Engine(ledger, stream, lease=lease), random.Random(number), feed()
        mine = [raw for raw in events if hash_of(msgspec.json.decode(raw)["case"]) % len(streams) == number]
        engine.begin_import("files")
        engine.process([Delivery(raw.replace(b'"hall"', b'"files"'), backfill=True) for raw in mine[:20]], LAST)
        for start in range(20, len(mine), 25):
            received = LAST + timedelta(minutes=start)
            batch = [Delivery(raw, received) for raw in draw.sample(mine[: start + 25], 25)] + [
                Delivery(b"{", received)
            ]
            engine.process(batch, received)
            engine.tick(received)
        engine.process([Delivery(raw, LAST + timedelta(hours=12)) for raw in mine], LAST + timedelta(hours=12))
        engine.end_import("files", LAST)
        while engine.tick(HORIZON):
            pass
        engine.close()
    lease.release()
    return ledger


def hash_of(case: str) -> int:
    """Spread cases over streams."""
    return sum(case.encode())


def rows_of(ledger: Ledger, table: Any, *without: str) -> list[dict[str, Any]]:
    """Read a table, without some columns."""
    columns = [column for column in table.columns if column.name not in without]
    with ledger.read() as connection:
        return [dict(row) for row in connection.execute(select(*columns).order_by(*table.primary_key)).mappings()]


@pytest.fixture
def rulebook(tmp_path: Path) -> Rulebook:
    """The town's rulebook."""
    return load(town.write_rulebook(tmp_path))


@pytest.fixture
def old(tmp_path: Path, rulebook: Rulebook) -> Iterator[Ledger]:
    """A ledger with a history."""
    with old_ledger(tmp_path, rulebook) as ledger:
        yield ledger


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger, whose keys are its own."""
    with Ledger.open(ledger_url(tmp_path, "new"), folder=tmp_path / "new") as ledger:
        yield ledger


def loosened(rulebook: Rulebook) -> Rulebook:
    """Give a rulebook that promises later, and does not know one of the sources any more."""
    items = tuple(
        msgspec.structs.replace(item, promised_limit="9 wd") for item in rulebook.items if item.code == "permit"
    )
    kept = tuple(item for item in rulebook.items if item.code != "permit")
    sources = tuple(source for source in rulebook.sources if source.code != "files")
    return msgspec.structs.replace(rulebook, items=(*items, *kept), sources=sources)


def test_a_replay_ends_in_the_same_ledger(old: Ledger, new: Ledger, rulebook: Rulebook) -> None:
    """Also over two rulebooks, imports, duplicates, rejects and texts; and it is sound by itself (I8)."""
    old.publish(loosened(rulebook), reason="later", approval=Approval("alone in the town"))
    engine, later = Engine(old), datetime.now(UTC) + timedelta(minutes=1)
    engine.process([Delivery(msgspec.json.encode(town.said("丙", time=LAST)), later)], later)
    while engine.tick(later):
        pass
    engine.close()
    assert verify(old).difference is None
    assert {case["rulebook"] for case in rows_of(old, schema.cases)} == {2}
    seen: list[tuple[int, int]] = []
    done = replay(old, new, lambda position, total: seen.append((position, total)))
    assert done.agrees
    assert digests(old) == digests(new)
    assert verify(new).difference is None
    assert seen[-1] == (done.events, done.events)
    for table in (schema.journal, schema.rulebooks, schema.audit, schema.chains, schema.sources):
        assert rows_of(new, table) == rows_of(old, table), table.name
    assert rows_of(new, schema.cases, "version", "judged_at", "assessment", "marked") == rows_of(
        old, schema.cases, "version", "judged_at", "assessment", "marked"
    )


def test_nobody_is_told_anything_and_nothing_told_is_forgotten(old: Ledger, new: Ledger) -> None:
    """Every act of the outbox goes nowhere; findings keep when they were detected, and whether they were announced."""
    replay(old, new)
    assert {row["delivery"] for row in rows_of(old, schema.outbox)} >= {"send"}
    assert {row["delivery"] for row in rows_of(new, schema.outbox)} == {"none"}
    kept = ("id", "state", "severity", "detected_at", "announced", "evidence")
    before, after = (
        [{name: row[name] for name in kept} for row in rows_of(ledger, schema.findings)] for ledger in (old, new)
    )
    assert before == after
    assert any(row["announced"] for row in after)


def test_what_no_event_tells_is_taken_over(old: Ledger, new: Ledger) -> None:
    """Users, keys, what people did, what was rejected and written in free text, erased or not; the keys work."""
    make_key(old, "hall")
    rules = old.rulebooks().current.rulebook
    with old.write() as connection:
        li = Actor("li", add_user(connection, this_account(), "li", "department", SECRET, None, "land", rules))
        announced = select(schema.findings.c.id).where(schema.findings.c.announced)
        finding = connection.execute(announced).scalars().first()
        actions.record(connection, old.texts, rules, li, finding, "acknowledge", SAID)
        texts = connection.execute(select(schema.texts.c.case).where(schema.texts.c.case != "")).scalars().all()
    erase_texts(old, texts[0], "asked for", "os:test")
    replay(old, new)
    for table in (schema.users, schema.api_keys, schema.audit, schema.actions):
        assert rows_of(new, table) == rows_of(old, table)
        assert rows_of(new, table)
    assert rows_of(new, schema.rejects, "raw") == rows_of(old, schema.rejects, "raw")
    first = new.rejects()[-1]
    with new.read() as connection, old.read() as before:
        assert new.vault.open(connection, first.seq) == old.vault.open(before, first.seq)
        kept = {case: new.texts.of_case(connection, case) for case in texts}
        assert kept == {case: old.texts.of_case(before, case) for case in texts}
    assert any(text.erased_at for texts in kept.values() for text in texts)
    assert any(text.said == SAID for texts in kept.values() for text in texts)
    assert verify(new).difference is None


def test_the_new_ledger_goes_on_where_the_old_one_stood(old: Ledger, new: Ledger) -> None:
    """The next event has the same effect in both, and what both were sent before is a duplicate."""
    replay(old, new)
    later = HORIZON + timedelta(days=1)
    batch = [Delivery(raw, later) for raw in feed()] + [Delivery(msgspec.json.encode(town.said("丁")), later)]
    for ledger in (old, new):
        engine = Engine(ledger)
        outcomes = engine.process([*batch, Delivery(b"[", later)], later)
        assert outcomes[-2].status == "applied"
        assert {each.status for each in outcomes[:-2]} == {"duplicate", "rejected"}
        while engine.tick(later + timedelta(days=30)):
            pass
        engine.close()
        assert verify(ledger).difference is None
    assert digests(old) == digests(new)
    assert rows_of(old, schema.positions, "epoch", "version") == rows_of(new, schema.positions, "epoch", "version")


def test_streams_stay_apart_and_belong_to_the_same_workers(tmp_path: Path, new: Ledger, rulebook: Rulebook) -> None:
    """Partitions keep their events and offsets, so that workers read on; messages not relayed yet are still waiting."""
    topic = Deployment("cluster", "id", "case-events", 2, "supervision")
    with old_ledger(tmp_path, rulebook, ("case-events/0", "case-events/1")) as old:
        with old.write() as connection:
            claim(connection, topic)
            connection.execute(update(schema.positions).values(next=schema.positions.c.next + 100))
            waiting = {"stream": "case-events/0", "topic": "findings", "key": "k", "message": b"{}"}
            connection.execute(schema.relays.insert().values(**waiting))
        done = replay(old, new)
        assert (done.streams, done.agrees) == (2, True)
        assert verify(new).difference is None
        for table in (schema.journal, schema.relays):
            assert rows_of(new, table) == rows_of(old, table)
        places = ("stream", "next", "horizon", "seq", "chain_hash")
        before, after = (
            [[row[name] for name in places] for row in rows_of(each, schema.positions)] for each in (old, new)
        )
        assert before == after
    with new.read() as connection:
        assert owner_of(connection) == topic


def test_a_topic_made_again_is_read_from_its_beginning(tmp_path: Path, new: Ledger, rulebook: Rulebook) -> None:
    """The events of the old one stay, and the first workers of the new topic own the ledger (it still verifies)."""
    lost, again = (Deployment("cluster", name, "case-events", 2, "supervision") for name in ("lost", "again"))
    with old_ledger(tmp_path, rulebook, ("case-events/0", "case-events/1")) as old:
        with old.write() as connection:
            claim(connection, lost)
        assert replay(old, new, new_topic=True).agrees
    assert verify(new).difference is None
    with new.write() as connection:
        claim(connection, again)
    assert {row["next"] for row in rows_of(new, schema.positions)} == {0}
    assert verify(new).difference is None


def test_a_ledger_moves_from_one_database_to_another(tmp_path: Path, new: Ledger, rulebook: Rulebook) -> None:
    """What grew in a file goes on in PostgreSQL, with the same digest."""
    with old_ledger(tmp_path, rulebook, url=f"sqlite:///{tmp_path}/file.sqlite") as old:
        assert replay(old, new).agrees
        assert digests(old) == digests(new)


WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from monitor.ledger import Ledger
from monitor.rulebook.load import load
from streams.engine import Delivery, Engine
from tests.streams.test_replay import LAST, feed
ledger = Ledger.open(sys.argv[1], folder=Path(sys.argv[2]) / "old")
ledger.publish(load(Path(sys.argv[2]) / "rulebook.yaml"))
engine = Engine(ledger)
for start, raw in enumerate(feed(cases=300)):
    received = LAST + timedelta(seconds=start)
    engine.process([Delivery(raw, received)], received)
    engine.tick(received)
    print(start, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [3, 120])
def test_a_ledger_whose_writer_was_killed_is_replayed_as_it_is(
    tmp_path: Path, new: Ledger, rulebook: Rulebook, acknowledged: int
) -> None:
    """Everything the killed process had acknowledged is in the new ledger, which says the same (I1, I8)."""
    url = ledger_url(tmp_path, "old")
    command = [sys.executable, "-c", WRITER, url, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        for _ in range(acknowledged):
            writer.stdout.readline()
        writer.kill()
    with Ledger.open(url, folder=tmp_path / "old") as old:
        done = replay(old, new)
        assert done.agrees
        assert done.events >= acknowledged * 0.8, "some were rejected"
        assert verify(new).difference is None


def test_a_ledger_that_is_not_empty_is_refused_and_left(old: Ledger, new: Ledger, rulebook: Rulebook) -> None:
    """Even one that has no more than a rulebook; the message names the table."""
    new.publish(rulebook)
    before = [rows_of(new, table) for table in schema.metadata.sorted_tables]
    with pytest.raises(LedgerError, match=r"is not empty, its table \w+ has rows.*name a new file"):
        replay(old, new)
    assert [rows_of(new, table) for table in schema.metadata.sorted_tables] == before


def test_a_ledger_that_holds_nothing_is_refused(tmp_path: Path, new: Ledger) -> None:
    """There is nothing to replay."""
    with Ledger.open(ledger_url(tmp_path, "empty")) as empty, pytest.raises(LedgerError, match="nothing to replay"):
        replay(empty, new)


def test_a_ledger_somebody_writes_is_refused(old: Ledger, new: Ledger) -> None:
    """Two writers would mix."""
    lease = new.lease()
    try:
        with pytest.raises(LeaseHeld):
            replay(old, new)
    finally:
        lease.release()


def test_a_journal_that_was_changed_is_not_passed_on(old: Ledger, new: Ledger) -> None:
    """An event removed behind the ledger's back shows, and the new ledger stays shut."""
    with old.write() as connection:
        connection.execute(schema.journal.delete().where(schema.journal.c.seq == 7))
    with pytest.raises(LedgerError, match=r"events of the old ledger were lost or changed; run 'monitor verify'"):
        replay(old, new)
    with pytest.raises(LedgerError, match="under way or was broken off"):
        Ledger.open(new.url, folder=new.folder)


def test_another_key_of_texts_is_refused(old: Ledger, new: Ledger) -> None:
    """The same text would get another mark, and what is sent again would be another event."""
    assert new.texts.marker
    with pytest.raises(LedgerError, match="not the key of the old ledger's texts"):
        replay(old, new)
