"""What a worker that really runs tells: at its address, on the topics downstream, and in its log."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.events import Due, EventData
from monitor.ledger import Ledger
from monitor.ledger.relays import FindingMessage
from monitor.rulebook.model import RuleSetting
from streams.kafka.producing import Producer
from streams.kafka.records import outgoing
from streams.kafka.settings import KafkaSettings
from tests.databases import PostgresDatabases
from tests.kafka import KafkaBroker
from tests.monitor.cases import BOOK
from tests.small_centre import RULEBOOK, delivered, event

SECONDS = 60
PARTITIONS = 4


class Worker:
    """A worker process, its settings, and what it has said."""

    def __init__(self, url: str, settings: KafkaSettings, folder: Path) -> None:
        self.settings, self._log = settings, folder / "worker.log"
        named = {
            "MONITOR_DATA": str(folder),
            "MONITOR_KAFKA_SERVERS": settings.servers or "",
            "MONITOR_KAFKA_TOPIC": settings.topic,
            "MONITOR_KAFKA_FINDINGS_TOPIC": settings.findings_topic,
            "MONITOR_KAFKA_SESSION_SECONDS": "6",
        }
        with pytest.MonkeyPatch.context() as patch, self._log.open("wb") as log:
            for name, value in named.items():
                patch.setenv(name, value)
            command = [sys.executable, "-m", "monitor.cli", "worker", "--ledger", url, "--metrics-port", "0"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait(self, until: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS
        while not until():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)

    def get(self, path: str) -> httpx.Response:
        (url,) = re.findall(r'"url": ?"([^"]+)"', self.said)
        return httpx.get(url + path, trust_env=False, timeout=SECONDS)

    def value(self, name: str) -> float:
        """Add up the series of a metric."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@pytest.fixture
def worker(postgres: PostgresDatabases, kafka: KafkaBroker, tmp_path: Path) -> Iterator[Worker]:
    """Give a worker that owns every partition, under a rulebook whose breaches are cards."""
    topic, findings = kafka.make_topic(PARTITIONS), kafka.make_topic(1)
    settings = kafka.settings(topic=topic, findings_topic=findings)
    with postgres.empty() as url:
        with Ledger.open(url, folder=tmp_path) as ledger:
            rules = {"V01": RuleSetting(mode="card"), "D03": RuleSetting(mode="off")}
            ledger.publish(msgspec.structs.replace(RULEBOOK, rules=rules, profiles=BOOK.profiles))
        running = Worker(url, settings, tmp_path)
        running.wait(lambda: '"event": "ready"' in running.said)
        yield running
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def test_a_breach_is_measured_and_told_downstream(worker: Worker, kafka: KafkaBroker) -> None:
    """A case whose due instant passes: found by a tick, measured, published, and in the meters of what was read."""
    now = datetime.now(UTC)
    late = event("accept", time=now - timedelta(minutes=5), data=EventData(due=Due(now + timedelta(seconds=2))))
    with closing(Producer(worker.settings)) as producer:
        producer.deliver([outgoing(each, "c1", worker.settings.topic, PARTITIONS) for each in delivered(late)])
    worker.wait(lambda: worker.value("supervision_relay_messages_total") == 1)
    (record,) = kafka.read(worker.settings.findings_topic)
    message = msgspec.json.decode(record.value, type=FindingMessage)
    assert (message.act, message.rule, message.case, message.cause) == ("raise", "V01", "c1", "time")
    assert worker.value("supervision_worker_partitions") == PARTITIONS
    assert worker.value("supervision_worker_events_total") == 1
    assert worker.value("supervision_detection_lag_seconds_count") == 1
    assert worker.value("supervision_horizon_timestamp_seconds") >= now.timestamp()
    assert worker.get("/healthz").json() == {"alive": True, "ready": True, "partitions": list(range(PARTITIONS))}
    assert worker.end() == 0
    lines = [msgspec.json.decode(line) for line in worker.said.splitlines()]
    assert all("level" in line for line in lines)
