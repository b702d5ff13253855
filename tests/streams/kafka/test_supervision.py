"""A worker writes the partitions it owns, and none that another has taken over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.ledger import Ledger
from monitor.ledger.deployment import Deployment, claim
from monitor.ledger.schema import positions
from streams.kafka.meters import WorkerMeters
from streams.kafka.records import Control, control
from streams.kafka.supervision import PositionLost, Supervision
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK, at, event
from tests.streams.kafka.scripted_log import Broker, ScriptedLog

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

    def worker(self) -> Supervision:
        """Give another worker."""
        producer: object = Broker()
        return Supervision(self.ledger, self.lease, producer, DEPLOYMENT, lambda: None, WorkerMeters())  # type: ignore[arg-type]

    def position(self) -> int:
        """Read which offset the ledger awaits in partition 0."""
        with self.ledger.read() as connection:
            return connection.execute(select(positions.c.next)).scalar_one()


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
