"""The faults themselves: what befalls a deployment while a tape is fed to it, and what each must end in."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.faults.feeding import Feeder, Manner, by_crc32, without_key
from tests.faults.poison import POISON
from tests.faults.topology import SESSION_SECONDS, Topology
from tests.faults.workers import Doom
from tests.integration.crash_at import COMMIT, WRITTEN

FROZEN_SECONDS = 2.5 * SESSION_SECONDS
DISCOVERED_SECONDS = 90.0
"""Within so long a worker has noticed that its topic is another."""
OUTAGE_SECONDS = 35.0
"""Longer than every time-out of a client."""

Strike = Callable[[Topology, Feeder], Iterator[float]]
"""Do harm while a tape is fed; yield the seconds each recovery took."""


class Fault(NamedTuple):
    """A fault by name: what it does, how the tape is fed, how long it is, and what is tried when all is over."""

    name: str
    strike: Strike
    manner: Manner = Manner()
    seconds: float = 60
    afterwards: Callable[[Topology], None] = lambda topology: None
    disk_mb: int | None = None
    """The database lies on a disk so small."""


def nothing(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Disturb nothing."""
    yield from ()


def recovered(topology: Topology) -> float:
    """Wait until every partition has moved beyond this moment."""
    return topology.wait_until_all_read(datetime.now(UTC))


def worker_killed(times: int, until: float = 0.9) -> Strike:
    """Kill one worker or the other by signal 9, under load, and start another in its place."""

    def strike(topology: Topology, feeder: Feeder) -> Iterator[float]:
        draw = random.Random(times)
        for _ in range(times):
            feeder.wait(min(feeder.position + draw.uniform(0.2, 3), until * feeder.seconds))
            worker = draw.choice(topology.workers)
            worker.kill()
            topology.forget(worker)
            topology.start_worker(wait=False)
            yield recovered(topology)

    return strike


def workers_restarted(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Ask one worker after the other to stop, under load, and start another in its place."""
    for _ in range(3):
        for worker in list(topology.workers):
            feeder.wait(feeder.position + 1)
            code = worker.stop()
            assert code == 0, f"asked to stop, {worker.name} ended with {code}: {worker.said[-2000:]}"
            topology.forget(worker)
            topology.start_worker()
    yield recovered(topology)


def worker_doomed(*dooms: Doom) -> Strike:
    """Have workers die at chosen places of the program, one after the other."""

    def strike(topology: Topology, feeder: Feeder) -> Iterator[float]:
        for doom in dooms:
            feeder.wait(feeder.position + 1)
            # The one that is doomed works alone, so that it comes to its place.
            for worker in list(topology.workers):
                worker.kill()
                topology.forget(worker)
            doomed = topology.start_worker(doom, wait=False)
            code = doomed.ended(120)
            assert code == -9, f"{doom}: the worker ended with {code}: {doomed.said[-2000:]}"
            topology.forget(doomed)
            topology.start_worker(wait=False)
            yield recovered(topology)

    return strike


def broker_killed(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Kill the broker: shortly, and for longer than every time-out."""
    for at, outage in ((0.2, 1.0), (0.5, OUTAGE_SECONDS)):
        feeder.wait(at * feeder.seconds)
        topology.kafka.kill()
        time.sleep(outage)
        topology.kafka.start()
        yield recovered(topology)


def database_killed(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Kill the database: shortly, and for longer."""
    for at, outage in ((0.2, 0.5), (0.4, 3.0), (0.6, OUTAGE_SECONDS)):
        feeder.wait(at * feeder.seconds)
        topology.postgres.kill()
        time.sleep(outage)
        topology.postgres.start()
        yield recovered(topology)


def database_read_only(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Let the database refuse every write for a while, as a standby does that was not promoted."""
    feeder.wait(0.3 * feeder.seconds)
    topology.read_only(True)
    time.sleep(2 * SESSION_SECONDS)
    topology.keep()
    topology.read_only(False)
    yield recovered(topology)


def disk_full(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Fill the disk under the database, wait, and make room again; start the database where it gave up."""
    for at in (0.2, 0.5):
        feeder.wait(at * feeder.seconds)
        ballast = topology.postgres.folder.parent / "ballast"
        fill(ballast)
        time.sleep(2 * SESSION_SECONDS)
        assert topology.refused_to_commit(), "the disk was full, and nobody noticed"
        ballast.unlink()
        if not topology.postgres.is_alive:
            topology.postgres.start()
        yield recovered(topology)


def fill(ballast: Any) -> None:
    """Write until there is no room."""
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65_536))
    except OSError:
        return


def third_worker(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Have a third worker join and leave every few seconds, politely or not."""
    draw = random.Random(3)
    for turn in range(8):
        third = topology.start_worker()
        time.sleep(draw.uniform(0.5, 4))
        if turn % 4 == 3:
            third.kill()
        else:
            code = third.stop()
            assert code == 0, f"asked to stop, the third worker ended with {code}: {third.said[-2000:]}"
        topology.forget(third)
    yield recovered(topology)


def frozen_with_records(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Freeze each worker in turn past its session, under load, and wake it with records in hand."""
    for worker, at in zip(topology.workers, (0.2, 0.6), strict=True):
        feeder.wait(at * feeder.seconds)
        worker.freeze()
        time.sleep(FROZEN_SECONDS)
        worker.wake()
        yield recovered(topology)


def frozen_into_tick(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Freeze each worker past its session with nothing to read, while deadlines pass, and wake it into them."""
    feeder.finish()
    yield recovered(topology)
    for worker in list(topology.workers):
        worker.freeze()
        time.sleep(FROZEN_SECONDS)
        worker.wake()
        yield recovered(topology)


def all_frozen(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Freeze all workers at once past their session, and wake them together."""
    feeder.wait(0.6 * feeder.seconds)
    for worker in topology.workers:
        worker.freeze()
    time.sleep(FROZEN_SECONDS)
    for worker in topology.workers:
        worker.wake()
    yield recovered(topology)


def in_short(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Kill workers and the broker once or twice."""
    yield from worker_killed(2)(topology, feeder)
    topology.kafka.restart()
    yield recovered(topology)


def everything(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Kill workers, broker and database in turn."""
    yield from worker_killed(2)(topology, feeder)
    topology.kafka.kill()
    topology.kafka.start()
    yield recovered(topology)
    topology.postgres.kill()
    topology.postgres.start()
    yield from worker_killed(2)(topology, feeder)


def down_at_start(topology: Topology, feeder: Feeder) -> Iterator[float]:
    """Start workers while the broker is down, and while the database is."""
    for server, at in ((topology.kafka, 0.3), (topology.postgres, 0.6)):
        feeder.wait(at * feeder.seconds)
        count = len(topology.workers)
        for worker in list(topology.workers):
            worker.kill()
            topology.forget(worker)
        server.kill()
        for _ in range(count):
            topology.start_worker(wait=False)
        time.sleep(SESSION_SECONDS)
        server.start()
        yield recovered(topology)


def recreated(topology: Topology) -> None:
    """Delete the topic and make one of the same name: under a worker, and before one starts. Both must refuse."""
    worker = topology.start_worker()
    recovered(topology)
    before, _ = topology.taken()
    topic = topology.settings.topic
    topology.kafka.broker.delete_topic(topic)
    topology.kafka.broker.make_topic(topology.partitions, topic)
    topology.feed_in_vain()
    code = worker.ended(DISCOVERED_SECONDS)
    topology.workers.remove(worker)
    assert code > 0, f"its topic was made anew, and the worker ended with {code}: {worker.said[-1000:]}"
    assert "monitor positions accept" in worker.said, f"the worker does not say what to do: {worker.said[-1000:]}"
    after = topology.taken()
    assert after[0] == before, "something was taken from the new topic"
    topology.refused("monitor positions accept")
    assert topology.taken() == after, "the ledger was touched"


def beside_another(topology: Topology) -> None:
    """Start workers of another group, and of another topic, on the same ledger: they must be refused."""
    before = topology.taken()
    topology.refused("group", MONITOR_KAFKA_GROUP="another")
    other = topology.kafka.broker.make_topic(topology.partitions)
    topology.refused("topic", MONITOR_KAFKA_TOPIC=other)
    more = topology.kafka.broker.make_topic(topology.partitions * 2)
    topology.refused("topic", MONITOR_KAFKA_TOPIC=more)
    assert topology.taken() == before, "the ledger was touched"


AFTER_COMMIT = tuple(Doom("after", number, COMMIT) for number in (12, 17, 23, 31, 44, 60))
ELSEWHERE = (
    Doom("before", 15, COMMIT),
    Doom("after", 3, WRITTEN),
    Doom("after", 1, "streams.kafka.producing:Producer.deliver"),
    Doom("before", 1, "streams.kafka.supervision:Supervision.take_over"),
    Doom("after", 1, "streams.kafka.supervision:Supervision.take_over"),
)

FAULTS: tuple[Fault, ...] = (
    Fault("nothing", nothing, afterwards=beside_another),
    Fault("topic made anew", nothing, seconds=30, afterwards=recreated),
    Fault("worker killed ten times", worker_killed(10), seconds=90),
    Fault("worker killed after commit", worker_doomed(*AFTER_COMMIT), seconds=90),
    Fault("worker killed elsewhere", worker_doomed(*ELSEWHERE), Manner(place=by_crc32), seconds=90),
    Fault("workers restarted", workers_restarted),
    Fault("broker killed", broker_killed, seconds=80),
    Fault("database killed", database_killed, seconds=90),
    Fault("database read-only", database_read_only),
    Fault("disk full", disk_full, disk_mb=400),
    Fault("down at start", down_at_start, seconds=70),
    Fault("third worker", third_worker, seconds=80),
    Fault("frozen with records", frozen_with_records, seconds=70),
    Fault("frozen into a tick", frozen_into_tick, seconds=40),
    Fault("all frozen", all_frozen),
    Fault("every record twice", nothing, Manner(twice=True)),
    Fault("shuffled", nothing, Manner(shuffled=True), seconds=80),
    Fault("poison", nothing, Manner(poison=POISON)),
    Fault("partitions by CRC32", nothing, Manner(place=by_crc32)),
    Fault("no keys", nothing, Manner(place=without_key)),
    Fault("transactions", worker_killed(2), Manner(transactional=True)),
    Fault("everything", everything, Manner(twice=True, shuffled=True, poison=POISON, place=by_crc32), seconds=120),
)

SHORT = Fault("short", in_short, Manner(twice=True, poison=POISON), seconds=30)
"""What `make test` tries: some of each within two minutes."""
