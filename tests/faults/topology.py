"""A whole deployment for one fault: a broker, a database and workers of its own, with a ledger nobody else has."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from monitor.events import Event, EventType, content
from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from monitor.ledger.instants import from_us
from monitor.ledger.schema import positions
from streams.kafka.producing import Producer
from streams.kafka.records import Outgoing
from streams.kafka.settings import KafkaSettings
from tests.faults.feeding import Feeder, Manner
from tests.faults.outcome import overdue
from tests.faults.tape import LIVE, Tape
from tests.faults.transactions import TransactionalProducer
from tests.faults.workers import Doom, Memory, Worker
from tests.kafka import KafkaServer
from tests.postgres import PostgresServer

SESSION_SECONDS: Final = 6
EXIT_UNUSABLE: Final = 2
HEALED_SECONDS: Final = 60
"""Within so long after a fault has ended every partition moves again (I12)."""
SETTLED_SECONDS: Final = 120
LOOK_SECONDS: Final = 0.2
LONG_AGO: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    """How far the ledger is with one partition."""

    next: int
    horizon: datetime


class Topology:
    """One deployment, with an empty topic and a ledger that holds nothing but the tape's rulebook."""

    def __init__(self, kafka: KafkaServer, postgres: PostgresServer, folder: Path, partitions: int = 8) -> None:
        self.kafka, self.postgres, self.folder, self.partitions = kafka, postgres, folder, partitions
        name = f"faults_{secrets.token_hex(4)}"
        with postgres.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        self.ledger_url = postgres.url(name)
        self.settings = KafkaSettings(
            servers=kafka.servers,
            topic=name,
            rejected_topic=f"{name}-rejected",
            findings_topic=f"{name}-findings",
            group=name,
        )
        self.workers: list[Worker] = []
        self.gone: list[Memory] = []
        self.exits: list[str] = []
        """How workers ended that nobody had asked to; each was started again."""
        self._started = 0
        self.make_topics()

    def make_topics(self) -> None:
        """Make the topics of the deployment."""
        for topic in (self.settings.topic, self.settings.rejected_topic, self.settings.findings_topic):
            self.kafka.broker.make_topic(self.partitions, topic)

    @property
    def environment(self) -> dict[str, str]:
        """What its commands find in the environment."""
        return {
            "MONITOR_DATA": str(self.folder),
            "MONITOR_KAFKA_SERVERS": self.kafka.servers,
            "MONITOR_KAFKA_TOPIC": self.settings.topic,
            "MONITOR_KAFKA_REJECTED_TOPIC": self.settings.rejected_topic,
            "MONITOR_KAFKA_FINDINGS_TOPIC": self.settings.findings_topic,
            "MONITOR_KAFKA_GROUP": self.settings.group,
            "MONITOR_KAFKA_SESSION_SECONDS": str(SESSION_SECONDS),
        }

    def ledger(self) -> Ledger:
        """Open the ledger; whoever asks closes it."""
        return Ledger.open(self.ledger_url, folder=self.folder)

    def publish(self, tape: Tape) -> None:
        """Put the tape's rulebook in force."""
        with self.ledger() as ledger:
            ledger.publish(tape.rulebook)

    def start_worker(self, doom: Doom | None = None, *, wait: bool = True, **others: str) -> Worker:
        """Start one more worker, in an environment with `others` in it, and wait until it is ready."""
        self._started += 1
        name = f"worker-{self._started}"
        environment = {**self.environment, **others}
        worker = Worker(name, self.ledger_url, environment, self.folder / f"{name}.log", doom)
        self.workers.append(worker)
        if wait:
            worker.wait_until_ready()
        return worker

    def forget(self, worker: Worker) -> None:
        """Take a worker that has ended out of the deployment."""
        assert not worker.is_alive
        self.workers.remove(worker)
        self.gone.append(worker.memory)

    def refused(self, said: str, **others: str) -> None:
        """Start a worker that must not work, in an environment with `others`: it ends as unusable, and says why."""
        worker = self.start_worker(wait=False, **others)
        code = worker.ended()
        self.workers.remove(worker)
        assert code == EXIT_UNUSABLE, f"a worker that must be refused ended with {code}: {worker.said[-1000:]}"
        assert said in worker.said, f"{said!r} is not what it says: {worker.said[-1000:]}"

    def stop_workers(self) -> list[int]:
        """Ask all workers to stop; give their exit codes."""
        codes = []
        for worker in list(self.workers):
            codes.append(worker.stop())
            self.forget(worker)
        return codes

    @contextmanager
    def feeding(self, tape: Tape, manner: Manner) -> Iterator[Feeder]:
        """Feed a tape while something else happens; at the end all of it is acknowledged."""
        producer = TransactionalProducer(self.settings) if manner.transactional else Producer(self.settings)
        feeder = Feeder(self.settings, producer, tape, self.partitions, manner)
        try:
            yield feeder
            feeder.finish()
        finally:
            feeder.stop()
            producer.close()

    def feed_in_vain(self) -> None:
        """Produce heartbeats that nobody may take, to every partition more than the ledger has read of it."""
        beat = Event(id="in-vain", source=LIVE, type=EventType.HEARTBEAT, time=datetime.now(UTC))
        producer = Producer(self.settings)
        for partition, position in (self.positions() or {}).items():
            producer.deliver(
                [Outgoing(self.settings.topic, partition, b"in-vain", content(beat))] * (position.next + 10)
            )
        producer.close()

    def positions(self) -> dict[int, Position] | None:
        """Tell how far each partition is; None while the database cannot be asked."""
        query = f"SELECT stream, next, horizon FROM {positions.name}"
        try:
            with psycopg.connect(self.ledger_url, connect_timeout=2) as connection:
                rows = connection.execute(query).fetchall()
        except psycopg.OperationalError:
            return None
        return {
            int(str(stream).rpartition("/")[2]): Position(int(ahead), from_us(int(horizon)))
            for stream, ahead, horizon in rows
        }

    def taken(self) -> tuple[str, dict[int, int]]:
        """Give the digest of the ledger at a time of its own, and which record of each partition it awaits."""
        with self.ledger() as ledger:
            return digest(ledger, LONG_AGO), {number: each.next for number, each in (self.positions() or {}).items()}

    def wait_until_all_read(self, since: datetime, seconds: float = HEALED_SECONDS) -> float:
        """Wait until every partition was read beyond an instant; give the seconds it took."""
        began = time.monotonic()
        while True:
            found = self.positions() or {}
            behind = self.partitions - sum(position.horizon > since for position in found.values())
            waited = time.monotonic() - began
            if not behind:
                return waited
            if waited > seconds:
                raise AssertionError(f"{behind} of {self.partitions} partitions do not move; {self.tail()}")
            self.keep()
            time.sleep(LOOK_SECONDS)

    def keep(self) -> None:
        """Do what a supervisor of processes does: start again what has ended."""
        for worker in list(self.workers):
            worker.look()
            if not worker.is_alive:
                code = worker.ended()
                assert code > 0, f"{worker.name} ended with {code}, and nobody had asked it to: {worker.said[-2000:]}"
                self.exits.append(f"{worker.name} ended with {code}: {worker.said.splitlines()[-1:]}")
                self.forget(worker)
                self.start_worker(wait=False)

    def settle(self) -> float:
        """Wait until everything sent so far was read and nothing is due any more; give the seconds it took."""
        waited = self.wait_until_all_read(datetime.now(UTC), SETTLED_SECONDS)
        began = time.monotonic()
        while waiting := self._overdue():
            if time.monotonic() - began > SETTLED_SECONDS:
                raise AssertionError(f"cases that are due are not judged: {waiting[:5]}; {self.tail()}")
            time.sleep(LOOK_SECONDS)
        return waited + time.monotonic() - began

    def _overdue(self) -> list[str]:
        with self.ledger() as ledger, ledger.read() as connection:
            return overdue(ledger, connection)

    def refused_to_commit(self) -> bool:
        """Tell whether a worker said that it could not commit."""
        return any("trying again" in worker.said for worker in self.workers)

    def read_only(self, refuse: bool) -> None:
        """Let the database refuse every write, or no more; whoever is connected must connect again."""
        name = self.settings.topic
        with self.postgres.connect() as connection:
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {refuse}".encode())
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    def tail(self) -> str:
        """Give the end of what the workers said."""
        return "\n".join(f"{worker.name}: {worker.said[-1500:]}" for worker in self.workers)

    def close(self) -> None:
        """Leave no process behind."""
        for worker in self.workers:
            worker.kill() if worker.is_alive else worker.close()
