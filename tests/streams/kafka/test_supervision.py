"""A worker writes the partitions it owns, and none that another has taken over."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from monitor.ledger import Ledger
from monitor.ledger.audit import entries
from monitor.ledger.deployment import Deployment, claim
from monitor.ledger.imports import LIVE, told_live
from monitor.ledger.schema import cases, positions
from monitor.ledger.verify import verify
from streams.engine import Engine
from streams.kafka.meters import WorkerMeters
from streams.kafka.partitions import partition_of
from streams.kafka.producing import Unsent
from streams.kafka.records import Control, Said, control
from streams.kafka.supervision import PositionLost, Supervision
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK, assess_plainly, at, event
from tests.streams.kafka.scripted_log import Broker, Record, ScriptedLog

pytestmark = pytest.mark.usefixtures("each_database")

DEPLOYMENT = Deployment(cluster="c", topic_id="t", topic="case-events", partitions=1, group="supervision")
EMPTY = {0: (0, 0)}


class Office:
    """A ledger, and the workers that share it."""

    def __init__(self, url: str) -> None:
        self.ledger = Ledger.open(url)
        self.ledger.publish(RULEBOOK)
        self.lease = self.ledger.lease()
        with self.ledger.write() as connection:
            claim(connection, DEPLOYMENT)
        self.log = ScriptedLog()

    def worker(self, partitions: int = 1) -> Supervision:
        """Give another worker, for a topic of so many partitions."""
        producer: Any = Broker()
        deployment = replace(DEPLOYMENT, partitions=partitions)
        return Supervision(self.ledger, self.lease, producer, deployment, lambda: None, WorkerMeters())

    def position(self) -> int:
        """Read which offset the ledger awaits in partition 0."""
        with self.ledger.read() as connection:
            of_partition = select(positions.c.next).where(positions.c.stream == "case-events/0")
            return connection.execute(of_partition).scalar_one()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office whose log holds three applications."""
    opened = Office(ledger_url(tmp_path))
    for case in "abc":
        opened.log.append(event("apply", case), at(0))
    yield opened
    opened.lease.release()
    opened.ledger.close()


def test_reading_goes_on_where_the_last_owner_stopped(office: Office) -> None:
    """Whoever takes a partition over is told the offset behind the last one committed."""
    first, second = office.worker(), office.worker()
    assert first.take_over({0}, {0: (0, 3)}) == {0: 0}
    assert first.take(0, office.log.records[:2])
    assert second.take_over({0}, {0: (0, 3)}) == {0: 2}
    assert second.partitions == [0]


def test_overtaken_worker_changes_nothing(office: Office) -> None:
    """A worker that was frozen and does not know yet commits nothing, and drops the partition."""
    frozen, successor = office.worker(), office.worker()
    frozen.take_over({0}, {0: (0, 3)})
    successor.take_over({0}, {0: (0, 3)})
    assert not frozen.take(0, office.log.records)
    assert frozen.partitions == []
    assert office.position() == 0
    assert successor.take(0, office.log.records)
    assert office.position() == 3


def test_overtaken_worker_lets_no_time_pass(office: Office) -> None:
    """A frozen worker that wakes into a tick with nothing to read raises no finding."""
    frozen, successor = office.worker(), office.worker()
    frozen.take_over({0}, {0: (0, 3)})
    frozen.take(0, office.log.records)
    frozen.take(0, [office.log.append(control(Control.PULSE, "case-events", 0), at(400))])
    successor.take_over({0}, {0: (0, 4)})
    assert frozen.tick()
    assert frozen.partitions == []
    assert office.position() == 3


def test_partition_let_go_is_not_taken(office: Office) -> None:
    """After a rebalance has begun, runs that were fetched before go nowhere."""
    worker = office.worker()
    worker.take_over({0}, {0: (0, 3)})
    worker.let_go()
    assert not worker.take(0, office.log.records)
    assert not worker.tick()


@pytest.mark.parametrize(
    ("reach", "reason"),
    [((0, 1), "lost records"), ((3, 9), "deleted by retention")],
)
def test_log_that_does_not_reach_the_position_is_refused(office: Office, reach: tuple[int, int], reason: str) -> None:
    """Where the log ends before, or begins behind, what the ledger awaits, nothing is taken, and it is said why."""
    worker = office.worker()
    worker.take_over({0}, {0: (0, 3)})
    worker.take(0, office.log.records[:2])
    with pytest.raises(PositionLost, match=reason) as lost:
        worker.take_over({0}, {0: reach})
    assert "awaits offset 2" in str(lost.value)
    assert worker.partitions == []


def test_new_ledger_does_not_begin_in_the_middle_of_a_log(office: Office) -> None:
    """A ledger that has read nothing is told when the beginning of the log is gone: cases would lack their start."""
    with pytest.raises(PositionLost, match="deleted by retention"):
        office.worker().take_over({0}, {0: (10, 20)})


def test_position_is_saved_though_nothing_happens(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of a quiet partition is saved after a while, so that a restart does not read it all again."""
    worker = office.worker()
    worker.take_over({0}, EMPTY | {0: (0, 3)})
    worker.take(0, office.log.records)
    while worker.tick():
        pass
    worker.take(0, [office.log.append(control(Control.PULSE, "case-events", 0), at(0, hours=1))])
    assert not worker.tick()
    monkeypatch.setattr("streams.kafka.supervision.SAVE_SECONDS", -1)
    assert worker.tick()
    assert office.position() == 4
    assert not worker.tick()


def test_being_overtaken_is_known_until_the_partitions_are_taken_over_anew(office: Office) -> None:
    """A worker that the group leaves a partition to, and that another wrote meanwhile, knows that nobody reads it."""
    owner, late = office.worker(), office.worker()
    owner.take_over({0}, {0: (0, 3)})
    assert owner.overtaken_at is None
    late.take_over({0}, {0: (0, 3)})
    owner.take(0, office.log.records[:1])
    assert owner.overtaken_at is not None
    owner.take_over({0}, {0: (0, 3)})
    assert owner.overtaken_at is None
    assert owner.take(0, office.log.records)
    assert office.position() == 3


def test_partitions_are_taken_in_one_transaction(office: Office) -> None:
    """What is next in several partitions is committed together; of one that is not owned nothing is."""
    worker, other = office.worker(), ScriptedLog()
    other.append(event("apply", "d"), at(0))
    worker.take_over({0, 1}, {0: (0, 3), 1: (0, 1)})
    assert worker.take_together({0: office.log.records, 1: other.records, 2: other.records}) == []
    with office.ledger.read() as connection:
        known = connection.execute(select(positions.c.stream, positions.c.next).order_by(positions.c.stream)).all()
    assert [tuple(row) for row in known] == [("case-events/0", 3), ("case-events/1", 1)]


def test_what_is_not_plain_is_taken_alone(office: Office) -> None:
    """A run behind a hole, one read again, and one with a word to obey are left to be taken each on its own."""
    worker, other, third = office.worker(), ScriptedLog(), ScriptedLog()
    other.append(event("apply", "d"), at(0))
    third.append(control(Control.IMPORT_BEGIN, "case-events", 2, Said("files")), at(0))
    worker.take_over({0, 1, 2}, {0: (0, 3), 1: (0, 1), 2: (0, 1)})
    assert worker.take_together({0: office.log.records[1:], 1: other.records, 2: third.records}) == [0, 2]
    assert worker.take_together({0: office.log.records, 1: other.records}) == [1]
    assert [worker.position(each) for each in (0, 1, 2)] == [3, 1, 0]


def test_that_sources_are_live_is_heard_together_with_the_events_around_it(office: Office) -> None:
    """Words of that in several partitions cost no transaction of their own, and a source one line of the audit."""
    worker, other = office.worker(partitions=3), ScriptedLog()
    versions = select(positions.c.stream, positions.c.version)
    for partition, log in enumerate((office.log, other)):
        for source in ("files", "hall"):
            log.append(control(Control.LIVE, "case-events", partition, Said(source)), at(0))
        log.append(event("apply", f"case-of-{partition}"), at(0))
    worker.take_over({0, 1}, {0: (0, 6), 1: (0, 3)})
    with office.ledger.read() as connection:
        before = {row.stream: row.version for row in connection.execute(versions)}
    assert worker.take_together({0: office.log.records, 1: other.records}) == []
    with office.ledger.read() as connection:
        after = {row.stream: row.version for row in connection.execute(versions)}
        told = [(line.object, line.detail["streams"]) for line in entries(connection, act=LIVE)]
        live = {stream: told_live(connection, stream) for stream in after}
    both = ["case-events/0", "case-events/1"]
    assert after == {stream: version + 1 for stream, version in before.items()}
    assert sorted(told) == [("source:files", both), ("source:hall", both)]
    assert live == {stream: {"files", "hall"} for stream in both}
    assert verify(office.ledger).difference is None


@pytest.mark.parametrize("delivers", [True, False], ids=["delivers-too", "only-hears"])
@pytest.mark.parametrize("together", [True, False], ids=["one-step", "two-steps"])
def test_a_source_is_told_to_be_live_until_all_partitions_have_it(
    office: Office, delivers: bool, together: bool
) -> None:
    """Who was told by one that failed midway does not count as one that has told all: the third hears it in the end."""
    broker: Any = Broker()
    deployment = replace(DEPLOYMENT, partitions=3)
    first, second = (
        Supervision(office.ledger, office.lease, broker, deployment, lambda: None, WorkerMeters()) for _ in range(2)
    )
    logs = {partition: ScriptedLog() for partition in (0, 1)}
    for partition, log in logs.items():
        home = next(name for name in map(str, count()) if partition_of(name, 3) == partition)
        if partition == 0 or delivers:
            log.append(event("apply", home), at(0))
    first.take_over({0}, {0: (0, 1)})
    second.take_over({1}, {1: (0, 1)})
    broker.lost = 2
    with pytest.raises(Unsent):
        first.take(0, logs[0].records)
    word = next(record for record in broker.taken if record.partition == 1)
    logs[1].append(word, at(0))
    broker.lost = None
    if together:
        assert second.take(1, logs[1].records)
    else:
        assert all(second.take(1, [record]) for record in logs[1].records)
    assert first.take(0, logs[0].records)
    assert 2 in {record.partition for record in broker.taken}


def test_partition_taken_over_meanwhile_keeps_no_other_from_being_taken(office: Office) -> None:
    """The partition that another writes now is dropped; the others are taken without it."""
    worker, successor, other = office.worker(), office.worker(), ScriptedLog()
    other.append(event("apply", "d"), at(0))
    worker.take_over({0, 1}, {0: (0, 3), 1: (0, 1)})
    successor.take_over({1}, {1: (0, 1)})
    assert worker.take_together({0: office.log.records, 1: other.records}) == []
    assert worker.partitions == [0]
    assert worker.overtaken_at is not None
    assert office.position() == 3
    assert successor.take(1, other.records)


@pytest.fixture
def _plain_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.kafka.supervision.Engine", partial(Engine, assess=assess_plainly))
    monkeypatch.setattr("streams.kafka.pump.TICK_CASES_MAX", 4)
    monkeypatch.setattr("streams.kafka.supervision.TICK_CASES_MAX", 4)


def filled(office: Office, cases: int) -> Supervision:
    """Have a worker own three partitions, each with as many cases that fall due on the third day."""
    worker = office.worker(partitions=3)
    worker.take_over({0, 1, 2}, {0: (0, 3), 1: (0, 0), 2: (0, 0)})
    logs = {partition: ScriptedLog() for partition in (0, 1, 2)}
    for partition, log in logs.items():
        at_home = (name for name in map(str, count()) if partition_of(name, 3) == partition)
        for name in islice(at_home, cases):
            log.append(event("apply", name), at(0))
    assert worker.take_together({partition: log.records for partition, log in logs.items()}) == []
    while worker.tick():
        pass
    for partition, log in logs.items():
        worker.take(partition, [log.append(control(Control.PULSE, "case-events", partition), at(4))])
    return worker


def pulse(partition: int, offset: int, when: datetime) -> Record:
    """Make a pulse."""
    log = ScriptedLog()
    return log.append(control(Control.PULSE, "case-events", partition), when, skip=offset)


def lights(office: Office) -> list[tuple[str, str]]:
    """Read the light of every case, with its stream."""
    with office.ledger.read() as connection:
        return sorted((row.stream, row.light) for row in connection.execute(select(cases.c.stream, cases.c.light)))


@pytest.mark.usefixtures("_plain_judgement")
def test_whatever_falls_due_at_once_is_found(office: Office) -> None:
    """Cases of all partitions share a step; what one step leaves is taken by the next, without another record."""
    worker, steps = filled(office, 5), 0
    while worker.tick():
        steps += 1
        assert steps < 10
    assert (steps, {light for _, light in lights(office)}, len(lights(office))) == (4, {"promised_breach"}, 15)


@pytest.mark.usefixtures("_plain_judgement")
def test_whatever_was_marked_is_assessed_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was marked goes on step by step in all partitions, until none of it is left."""
    worker, steps = filled(office, 3), 0
    while worker.tick():
        pass
    assert office.ledger.mark() == 9
    monkeypatch.setattr("streams.kafka.supervision.SAVE_SECONDS", -1)
    for partition in (0, 1, 2):
        worker.take(partition, [pulse(partition, 4, at(4, hours=1))])
    while worker.tick():
        steps += 1
        assert steps < 10
    with office.ledger.read() as connection:
        assert not any(connection.execute(select(cases.c.marked)).scalars())
    assert steps == 3


@pytest.mark.usefixtures("_plain_judgement")
def test_partition_taken_over_meanwhile_keeps_no_other_from_letting_time_pass(office: Office) -> None:
    """The partition that another writes now is dropped; what is due in the others is found all the same."""
    worker, successor = filled(office, 1), office.worker(partitions=3)
    successor.take_over({1}, {1: (0, 2)})
    while worker.tick():
        pass
    assert worker.partitions == [0, 2]
    assert lights(office) == [
        ("case-events/0", "promised_breach"),
        ("case-events/1", "normal"),
        ("case-events/2", "promised_breach"),
    ]


def test_first_word_of_all_may_be_that_a_source_is_live(office: Office) -> None:
    """A worker that has judged nothing yet takes the words to obey as any other; it goes on behind them."""
    worker, log = office.worker(), ScriptedLog()
    log.append(control(Control.LIVE, "case-events", 1, Said("hall")), at(0))
    log.append(control(Control.IMPORT_BEGIN, "case-events", 1, Said("files")), at(0))
    log.append(control(Control.IMPORT_END, "case-events", 1, Said("files", at(0))), at(0))
    worker.take_over({1}, {1: (0, 3)})
    office.ledger.publications = type(office.ledger.publications)()  # as of a process that has just begun
    assert worker.take(1, log.records)
    assert worker.position(1) == 3
