"""One fault from beginning to end: a deployment, a tape fed to it, the fault, and what came of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from monitor.ledger import Ledger
from tests.faults.disk import disk
from tests.faults.injuries import Fault
from tests.faults.outcome import Outcome, examine, growing
from tests.faults.tape import Tape
from tests.faults.topology import Topology
from tests.faults.undisturbed import play
from tests.kafka import KafkaServer
from tests.postgres import FAST, PostgresServer

WORKERS = 2


@contextmanager
def deployed(folder: Path, fault: Fault, partitions: int = 8) -> Iterator[Topology]:
    """Start a broker and a database for one fault, and leave nothing of them."""
    with disk(folder, fault.disk_mb) as place:
        kafka = KafkaServer()
        try:
            postgres = PostgresServer(*FAST, parent=place)
            try:
                topology = Topology(kafka, postgres, folder, partitions)
                try:
                    yield topology
                finally:
                    topology.close()
            finally:
                postgres.stop()
        finally:
            kafka.stop()


def tried(fault: Fault, topology: Topology) -> Outcome:
    """Try a fault on a deployment; whatever goes wrong is in the outcome."""
    began = time.monotonic()
    recoveries: list[float] = []
    problems: list[str] = []
    tape = Tape(datetime.now(UTC), fault.seconds)
    topology.publish(tape)
    for _ in range(WORKERS):
        topology.start_worker(wait=False)
    for worker in list(topology.workers):
        worker.wait_until_ready()
    tape = Tape(datetime.now(UTC) + timedelta(seconds=1), fault.seconds)
    with topology.feeding(tape, fault.manner) as feeder:
        try:
            recoveries += fault.strike(topology, feeder)
            feeder.finish()
            topology.settle()
        except AssertionError as problem:
            problems.append(str(problem))
    codes = topology.stop_workers()
    if any(codes):
        problems.append(f"asked to stop, the workers ended with {codes}")
    with topology.ledger() as ledger, Ledger.open(f"sqlite:///{topology.folder}/undisturbed.sqlite") as undisturbed:
        play(undisturbed, tape)
        misplaced = fault.manner.place is not None
        outcome = examine(fault.name, ledger, undisturbed, topology.settings, feeder.acknowledged, misplaced=misplaced)
    try:
        fault.afterwards(topology)
    except AssertionError as problem:
        problems.append(str(problem))
    memory = tuple(topology.gone)
    return replace(
        outcome,
        seconds_to_recover=tuple(round(seconds, 1) for seconds in recoveries),
        seconds=round(time.monotonic() - began, 1),
        memory=memory,
        ended=tuple(topology.exits),
        problems=(*problems, *outcome.problems, *growing(memory)),
    )
