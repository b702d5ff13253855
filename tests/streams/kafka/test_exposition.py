"""A worker answers scrapes and probes, whoever else hangs on its port."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from streams.kafka import exposition
from streams.kafka.exposition import CannotExpose, Exposition, WorkerHealth

SECONDS = 30


class Asked:
    """A worker whose health a test sets."""

    def __init__(self) -> None:
        self.health = WorkerHealth(alive=True, ready=True, partitions=[3, 5])
        self.registry = CollectorRegistry()
        Gauge("supervision_worker_partitions", "Partitions owned.", registry=self.registry).set(2)
        self.exposition = Exposition(self.registry, lambda: self.health, "127.0.0.1", 0)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.exposition.url + path, trust_env=False, timeout=SECONDS)


@pytest.fixture
def worker() -> Iterator[Asked]:
    """Give a worker that listens on a free port."""
    asked = Asked()
    yield asked
    asked.exposition.close()


def test_metrics_are_those_of_the_registry(worker: Asked) -> None:
    """Prometheus gets the text format."""
    answer = worker.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/plain")
    assert "supervision_worker_partitions 2.0" in answer.text


@pytest.mark.parametrize(("alive", "ready", "statuses"), [(1, 1, [200, 200]), (1, 0, [200, 503]), (0, 0, [503, 503])])
def test_probes_tell_who_is_to_be_restarted_and_who_only_waits(
    worker: Asked, alive: int, ready: int, statuses: list[int]
) -> None:
    """/healthz asks for a restart, /readyz says that nothing is taken for now; both say which partitions are owned."""
    worker.health = WorkerHealth(alive=bool(alive), ready=bool(ready), partitions=[3, 5])
    answers = [worker.get(path) for path in ("/healthz", "/readyz")]
    assert [answer.status_code for answer in answers] == statuses
    assert json.loads(answers[0].content) == {"alive": bool(alive), "ready": bool(ready), "partitions": [3, 5]}


def test_any_other_path_is_not_found(worker: Asked) -> None:
    """There is nothing else, and nothing that changes anything."""
    assert worker.get("/").status_code == 404
    assert httpx.post(worker.exposition.url + "/metrics", trust_env=False, timeout=SECONDS).status_code == 501


def test_clients_that_say_nothing_keep_nobody_out_for_long(worker: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are answered at once may hang on the port; after their time is up the next scrape is answered."""
    monkeypatch.setattr(exposition._Handler, "timeout", 0.2)
    host, port = worker.exposition.url.removeprefix("http://").split(":")
    with ExitStack() as hanging:
        for _ in range(exposition.REQUESTS_MAX):
            hanging.enter_context(socket.create_connection((host, int(port)), SECONDS))
        last = hanging.enter_context(socket.create_connection((host, int(port)), SECONDS))
        assert last.recv(1) == b"", "one too many: it is hung up on"
        for each in range(SECONDS * 100):
            try:
                assert worker.get("/healthz").status_code == 200
            except httpx.TransportError:
                assert each < SECONDS * 100 - 1
            else:
                break


def test_a_defect_of_ours_is_logged_and_the_next_request_answered(worker: Asked) -> None:
    """A meter that cannot be read fails the scrape, loudly, and nothing else."""

    class Broken(Collector):
        def collect(self) -> Iterator[object]:  # type: ignore[override]
            raise ZeroDivisionError

        def describe(self) -> list[object]:  # type: ignore[override]
            return []

    worker.registry.register(Broken())
    with capture_logs() as said, pytest.raises(httpx.TransportError):
        worker.get("/metrics")
    assert worker.get("/healthz").status_code == 200
    assert [type(line["exc_info"]) for line in said] == [ZeroDivisionError]


def test_an_address_that_is_taken_is_named(worker: Asked) -> None:
    """The message says which address, and why it cannot be listened at."""
    port = int(worker.exposition.url.rpartition(":")[2])
    with pytest.raises(CannotExpose, match=rf"127\.0\.0\.1:{port}: .*in use"):
        Exposition(worker.registry, lambda: worker.health, "127.0.0.1", port)
