"""A real Apache Kafka for tests: one process, broker and controller at once (KRaft), in a folder of its own.

The jars are those that `make tools` puts into build/kafka/libs (tests/pom.xml); Java 17 runs them.
"""

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from streams.kafka.settings import KafkaSettings

START_SECONDS = 60
LIBRARIES = Path(__file__).resolve().parent.parent / "build" / "kafka" / "libs"
INSTALL = "install Java 17 and Maven, then `make tools`"

PORTS = range(20_000, 32_000)
"""Below those the system gives to outgoing connections: a client that keeps trying the port of a broker that is down
could otherwise be given that very port, be connected to itself, and keep the broker from coming back."""

JAVA = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dlog4j2.level=WARN")
"""Quick to start rather than quick for ever."""

SMALL = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",  # a killed broker waits as long before it may register again
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
}
"""What a broker that stands alone, and whose topics live for a test, does not need more of."""

APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}

_UNTIL_ITS_STARTER_ENDS = """
exec 3<&0
(read -r _ <&3; kill -KILL $$; while kill -0 $$; do sleep 0.1; done; rm -rf "$PWD") 2>/dev/null &
exec "$@" 3<&- </dev/null
"""
"""The broker ends when the pipe it is started with is closed, however the tests end, and leaves nothing behind."""

_numbers = count()


class NoBroker(RuntimeError):
    """No broker can be started on this machine, for the reason told."""


class KafkaBroker:
    """A broker that runs, for tests that share it: each makes topics of its own."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self._made: list[str] = []

    def settings(self, **others: object) -> KafkaSettings:
        """Give the settings with which our programs reach it."""
        return KafkaSettings.model_validate({"servers": self.servers, **others})

    def admin(self) -> KafkaAdminClient:
        """Connect an administrator; the caller closes it."""
        return KafkaAdminClient(bootstrap_servers=self.servers)

    def make_topic(self, partitions: int = 4, name: str | None = None, **configs: str) -> str:
        """Make a topic that keeps append times, wait until it can be used, and give its name."""
        topic = name or f"test-{os.getpid()}-{next(_numbers)}-{uuid.uuid4().hex[:6]}"
        self._made.append(topic)
        made = {"num_partitions": partitions, "replication_factor": 1, "configs": {**APPEND_TIME, **configs}}
        with closing(self.admin()) as admin:
            admin.create_topics({topic: made}, wait_for_metadata=True)
        return topic

    def delete_topic(self, topic: str) -> None:
        """Delete a topic, and wait until the broker has forgotten it."""
        with closing(self.admin()) as admin:
            admin.delete_topics([topic])
            while topic in admin.list_topics():
                time.sleep(0.02)

    def read(self, topic: str) -> list[ConsumerRecord]:
        """Give all records of a topic: partition by partition, in the order of their offsets."""
        with closing(KafkaConsumer(bootstrap_servers=self.servers, enable_auto_commit=False)) as consumer:
            partitions = sorted(TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic))
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            records: list[ConsumerRecord] = []
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                for fetched in consumer.poll(timeout_ms=200).values():
                    records += fetched
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def close(self) -> None:
        """Delete the topics that tests left."""
        with closing(self.admin()) as admin:
            left = set(self._made) & set(admin.list_topics())
            if left:
                admin.delete_topics(sorted(left))


class KafkaServer:
    """A broker of one's own on a port that stays its: `start`, `kill`, `restart` and `stop` as often as a test likes.

    Settings are those of `server.properties`, and come before ours; in them `{port}`, `{controller}`, `{second}` and
    `{third}` stand for its ports. `scram` are users with their passwords, whom it knows from its first start.
    """

    def __init__(
        self,
        settings: dict[str, str] | None = None,
        java: tuple[str, ...] = JAVA,
        scram: dict[str, str] | None = None,
    ) -> None:
        lacking = why_none()
        if lacking is not None:
            raise NoBroker(lacking)
        self._java = ["java", *java, "-cp", f"{LIBRARIES}/*"]
        self._process: subprocess.Popen[bytes] | None = None
        self.ports = dict(zip(("port", "controller", "second", "third"), _free_ports(4), strict=True))
        self.port = self.ports["port"]
        self.servers = f"127.0.0.1:{self.port}"
        self.broker = KafkaBroker(self.servers)
        self.folder = Path(tempfile.mkdtemp(prefix="monitor-kafka-"))
        try:
            self._format(settings or {}, scram or {})
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """Start it, and wait until it answers; after a kill it recovers first."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _UNTIL_ITS_STARTER_ENDS, "sh", *self._java, "kafka.Kafka", "server.properties"],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NoBroker(self.log())
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it by signal 9; what it had written stays."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (*map(int, children), self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._end()

    def restart(self) -> None:
        """Kill it, and start it again on the same port."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it, and remove what it kept."""
        if self._process is not None:
            self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """Give the end of what it said, without where in its code."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if not line.startswith("\t"))[-2000:]

    def _end(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(START_SECONDS)

    def _answers(self) -> bool:
        """Tell whether it listens; what is asked from then on is answered as soon as it has recovered."""
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), START_SECONDS):
            return True
        return False

    def _format(self, settings: dict[str, str], scram: dict[str, str]) -> None:
        """Write what `kafka-storage format` writes, which would be another start of Java; users only it can write."""
        data = self.folder / "data"
        data.mkdir()
        named = {
            "controller.quorum.voters": f"{SMALL['node.id']}@127.0.0.1:{{controller}}",
            "listeners": "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "log.dirs": str(data),
        }
        lines = [f"{key}={value}\n" for key, value in {**SMALL, **named, **settings}.items()]
        for name, port in self.ports.items():
            lines = [line.replace(f"{{{name}}}", str(port)) for line in lines]
        (self.folder / "server.properties").write_text("".join(lines))
        cluster, directory = _kafka_uuid(), _kafka_uuid()
        if scram:
            users = [f"SCRAM-SHA-512=[name={user},password={password}]" for user, password in scram.items()]
            added = [word for user in users for word in ("--add-scram", user)]
            tool = [*self._java, "kafka.tools.StorageTool", "format", "-c", "server.properties", "-t", cluster, *added]
            done = subprocess.run(tool, cwd=self.folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NoBroker(done.stdout + done.stderr)
            return
        (data / "meta.properties").write_text(
            f"version=1\ncluster.id={cluster}\nnode.id={SMALL['node.id']}\ndirectory.id={directory}\n"
        )


def why_none() -> str | None:
    """Say why this machine cannot start a broker, if so."""
    if not LIBRARIES.is_dir():
        return f"there are no jars of Apache Kafka in {LIBRARIES}: {INSTALL}"
    return None if shutil.which("java") else f"there is no `java`: {INSTALL}"


def _free_ports(number: int) -> list[int]:
    """Find ports nobody listens on."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with closing(socket.socket()) as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == number:
            return found
    raise NoBroker(f"no port is free among {PORTS.start} to {PORTS.stop}")


def _kafka_uuid() -> str:
    """Make an identifier as Kafka writes them; those that begin with a dash are refused by its tools."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made
