"""`monitor serve` in this process: everything acknowledged stands in the topic, and the answers say what is wrong."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from monitor.events import EVENT_BYTES_MAX
from monitor.ledger import LedgerError
from monitor.ledger.deployment import Deployment, claim
from streams.access import token_path
from streams.engine import Engine
from streams.kafka import intake, producing, topic_watch
from streams.kafka.identity import identity
from streams.kafka.partitions import partition_of
from streams.kafka.records import control_of, delivery, said
from streams.kafka.serving import Serving
from tests.kafka import KafkaBroker, KafkaServer
from tests.small_centre import MONDAY, RULEBOOK
from tests.streams.running import make_key, new_ledger, served

PARTITIONS = 4
PATIENCE_SECONDS = 60


class Served:
    """A serving process, its topic and its ledger."""

    def __init__(self, broker: KafkaBroker, topic: str, runtime: Serving, url: str) -> None:
        self.broker, self.topic, self.runtime, self.ledger = broker, topic, runtime, runtime.ledger
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.key = make_key(self.ledger, "hall")

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()

    def post(self, body: Any, **headers: str) -> httpx.Response:
        """Post events with the key of the hall, unless another is given."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        return self.client.post("/api/events", content=content, headers=given)

    def as_local(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Post as a process of this machine."""
        token = token_path(self.ledger, f"serve-{os.getpid()}").read_text()
        return self.client.post(path, json=body, headers={"Authorization": f"Bearer {token}", **headers})

    def records(self) -> list[Any]:
        """Give what stands in the topic."""
        return self.broker.read(self.topic)


@contextmanager
def serving(broker: KafkaBroker, folder: Path) -> Iterator[Served]:
    """Serve a ledger of the small centre, with a topic of its own."""
    topic = broker.make_topic(PARTITIONS)
    with new_ledger(folder) as ledger:
        runtime = Serving(ledger, broker.settings(topic=topic))
        with served(runtime) as url, Served(broker, topic, runtime, url) as found:
            yield found


@pytest.fixture
def monitor(kafka: KafkaBroker, tmp_path: Path) -> Iterator[Served]:
    """Give a serving process on the broker that tests share."""
    with serving(kafka, tmp_path) as found:
        yield found


def plain(case: str, name: str = "1", **more: Any) -> dict[str, Any]:
    """Write an event as a source system would."""
    written = {"id": name, "source": "hall", "type": "apply", "time": MONDAY.isoformat(), "case": case}
    return {**written, "region": "4509", "item": "i1", "department": "land", **more}


def test_what_is_accepted_stands_in_the_topic(monitor: Served) -> None:
    """Each event is a record of its case's partition, as it was sent and with the source of its key."""
    events = [plain(f"c{number}") for number in range(20)]
    for _ in range(2):
        answer = monitor.post(events)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["accepted"], told["rejected"], told["applied"], told["duplicate"]) == (20, 0, 0, 0)
    assert told["events"][3] == {"id": "1", "case": "c3", "status": "accepted"}
    records = monitor.records()
    assert sorted(record.key.decode() for record in records) == sorted(2 * [event["case"] for event in events])
    for record in records:
        assert record.partition == partition_of(record.key.decode(), PARTITIONS)
        sent = delivery(record)
        assert msgspec.json.decode(sent.raw)["case"] == record.key.decode()
        assert (sent.bound_source, sent.backfill) == ("hall", False)


def test_who_sends_something_wrong_learns_it_at_once_and_it_is_kept(monitor: Served, tmp_path: Path) -> None:
    """The answer is that of the embedded runtime, and a worker that reads the topic rejects the same for the same."""
    wrong: list[Any] = [
        plain("c1", type="nonsense"),
        {**plain("c2"), "source": "clerk"},
        plain("c3", region="4501"),
        7,
        plain("c4", data={"text": "长" * EVENT_BYTES_MAX}),
    ]
    told = monitor.post([*wrong, plain("c5")]).json()
    codes = [event["error"]["code"] for event in told["events"][:-1]]
    assert codes == ["invalid", "foreign_source", "foreign_region", "invalid", "too_large"]
    assert (told["rejected"], told["accepted"]) == (5, 1)
    assert told["events"][2]["error"]["remedy"]
    (tmp_path / "worker").mkdir()
    with new_ledger(tmp_path / "worker") as ledger:
        engine = Engine(ledger)
        outcomes = engine.process([delivery(record) for record in monitor.records()], MONDAY)
        engine.close()
        assert sorted(reject.code for reject in ledger.rejects()) == sorted(codes)
    assert [outcome.case for outcome in outcomes if outcome.status == "applied"] == ["c5"]


def test_a_body_that_is_no_array_is_refused_whole_and_kept(monitor: Served) -> None:
    """One record holds what was sent, up to what a ledger keeps of a reject, with what was wrong with it."""
    answer = monitor.post(b"[" + b'"' * EVENT_BYTES_MAX * 2)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")
    (record,) = monitor.records()
    kept = delivery(record)
    assert kept.fault is not None
    assert (kept.fault.code, len(kept.raw), record.key) == ("malformed", EVENT_BYTES_MAX, b"hall")


def test_a_single_wrong_event_is_an_error(monitor: Served) -> None:
    """As it is with the embedded runtime."""
    answer = monitor.post({"id": "1"})
    assert answer.status_code == 422
    assert answer.json()["events"][0]["error"]["field"] == "source"


def test_a_heartbeat_goes_by_its_source(monitor: Served) -> None:
    """It has no case."""
    beat = {"id": "h", "source": "hall", "type": "heartbeat", "time": MONDAY.isoformat()}
    assert monitor.post(beat).json()["accepted"] == 1
    assert [record.key for record in monitor.records()] == [b"hall"]


def test_a_rulebook_published_meanwhile_counts_at_once(monitor: Served) -> None:
    """The door knows the version in force, as the workers do."""
    assert monitor.post(plain("c1", item="new")).json()["accepted"] == 1
    fewer = msgspec.structs.replace(
        RULEBOOK, sources=tuple(source for source in RULEBOOK.sources if source.code != "hall")
    )
    monitor.ledger.publish(fewer)
    told = monitor.post([plain("c1")]).json()
    assert told["events"][0]["error"]["code"] == "unregistered_source"


def test_an_import_is_told_to_every_partition_around_its_events(monitor: Served) -> None:
    """Begin and end stand in each partition, the events between them, as a past; who may not import is refused."""
    assert monitor.as_local("/api/imports", {"source": "files"}).json() == {"assessed": 0}
    past = [plain(f"c{number}", source="files") for number in range(8)]
    assert monitor.as_local("/api/events", past, **{"X-Import": "1"}).json()["accepted"] == 8
    ended = monitor.as_local("/api/imports/files/end", {"complete_until": MONDAY.isoformat()})
    assert ended.status_code == 200
    assert monitor.as_local("/api/ticks", {}).json() == {"assessed": 0}
    for partition in range(PARTITIONS):
        records = [record for record in monitor.records() if record.partition == partition]
        words = [control_of(record) for record in records]
        assert (words[0], words[-1]) == ("import_begin", "import_end")
        assert set(words[1:-1]) <= {None}
        assert said(records[-1]).complete_until == MONDAY
        assert all(delivery(record).backfill for record in records[1:-1])
    refused = monitor.client.post("/api/imports", json={}, headers={"Authorization": f"Bearer {monitor.key}"})
    assert refused.status_code == 403


def test_too_many_at_once_are_told_to_come_again(monitor: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the broker is bounded; nothing of a request that finds no room is produced."""
    monkeypatch.setattr(intake, "UNACKNOWLEDGED_EVENTS_MAX", 0)
    waiting = monitor.runtime.intake
    monkeypatch.setattr(waiting, "_unacknowledged", 1)
    answer = monitor.post(plain("c1"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert monitor.records() == []


def test_everything_is_read_over_the_workers_ledger(monitor: Served) -> None:
    """Live page, metrics and health are there, and the metrics are those of any other process beside it."""
    assert monitor.client.get("/").status_code == 200
    assert monitor.client.get("/api/live?lang=en").json()["notices"] == []
    ready = monitor.client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"alive": True, "ready": True, "ticks_stopped": False, "broker_reachable": True}
    with served(Serving(monitor.ledger, monitor.broker.settings(topic=monitor.topic))) as url:
        beside = httpx.get(f"{url}/metrics", trust_env=False).text
    shown = monitor.client.get("/metrics").text

    def of_ledger(text: str) -> list[str]:
        own = ("supervision_ingest", "supervision_acknowledge", "supervision_unacknowledged")
        return [line for line in text.splitlines() if not line.removeprefix("# HELP ").startswith(own)]

    assert of_ledger(shown) == of_ledger(beside)
    assert "supervision_broker_reachable 1.0" in shown


def test_a_ledger_of_another_topic_is_refused(kafka: KafkaBroker, tmp_path: Path) -> None:
    """Events would go where nobody judges them; the message names both topics."""
    topic, other = kafka.make_topic(2), kafka.make_topic(2)
    found = identity(kafka.settings(topic=other))
    with new_ledger(tmp_path) as ledger:
        with ledger.write() as connection:
            claim(connection, Deployment(found.cluster, found.topic_id, other, 2, "supervision"))
        with pytest.raises(LedgerError, match=rf"belongs to topic {other} .*check MONITOR_KAFKA_TOPIC"):
            Serving(ledger, kafka.settings(topic=topic))
        with pytest.raises(LedgerError, match="set MONITOR_KAFKA_SERVERS"):
            Engine(ledger)


def test_a_broker_that_is_away_is_said_and_nothing_is_lost(
    own_kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with a reason while it is down, also where it goes away in the middle; what was acknowledged is there."""
    monkeypatch.setattr(topic_watch, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(producing, "DELIVERY_SECONDS", 4.0)
    with serving(own_kafka.broker, tmp_path) as monitor:
        acknowledged = []
        for number in range(5):
            assert monitor.post(plain(f"before-{number}")).json()["accepted"] == 1
            acknowledged.append(f"before-{number}")
        own_kafka.kill()
        refused = monitor.post(plain("during"))
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] in ("ambiguous", "broker")
        assert int(refused.headers["Retry-After"]) > 0
        until(lambda: monitor.client.get("/readyz").json()["broker_reachable"] is False)
        answer = monitor.post(plain("during"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "broker")
        assert monitor.client.get("/readyz").status_code == 503
        assert monitor.client.get("/api/live?lang=en").json()["notices"][0]["kind"] == "alert"
        own_kafka.start()
        until(lambda: monitor.client.get("/readyz").status_code == 200)
        assert monitor.post(plain("after")).json()["accepted"] == 1
        found = {record.key.decode() for record in monitor.records()}
        assert found >= {*acknowledged, "after"}


def test_a_process_started_while_the_broker_is_down_takes_events_once_it_is_up(
    own_kafka: KafkaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it shows what the ledger holds, and refuses events with the reason."""
    monkeypatch.setattr(topic_watch, "LOOK_SECONDS", 0.2)
    topic = own_kafka.broker.make_topic(PARTITIONS)
    own_kafka.kill()
    with new_ledger(tmp_path) as ledger:
        runtime = Serving(ledger, own_kafka.broker.settings(topic=topic))
        with served(runtime) as url, Served(own_kafka.broker, topic, runtime, url) as monitor:
            assert monitor.post(plain("c1")).json()["error"]["code"] == "broker"
            assert monitor.client.get("/metrics").status_code == 200
            own_kafka.start()
            until(lambda: monitor.client.get("/readyz").status_code == 200)
            assert monitor.post(plain("c1")).json()["accepted"] == 1


def test_a_topic_made_again_ends_the_process(
    kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers would refuse what is produced now; better to take nothing than to acknowledge it."""
    monkeypatch.setattr(topic_watch, "LOOK_SECONDS", 0.2)
    topic = kafka.make_topic(2)
    settings = kafka.settings(topic=topic)
    found = identity(settings)
    with new_ledger(tmp_path) as ledger:
        with ledger.write() as connection:
            claim(connection, Deployment(found.cluster, found.topic_id, topic, 2, "supervision"))
        runtime = Serving(ledger, settings)
        with served(runtime) as url, Served(kafka, topic, runtime, url) as monitor:
            assert monitor.post(plain("c1")).json()["accepted"] == 1
            kafka.delete_topic(topic)
            kafka.make_topic(2, topic)
            until(lambda: runtime.failed)
            assert "deleted and made again" in str(runtime.watch.failure)
            assert not runtime.alive


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.1)
