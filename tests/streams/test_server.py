"""The life of the server's process: it ends, and says so by its status, when it cannot do its work any more."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from monitor.ledger import Ledger
from streams import server
from streams.access import token_path
from streams.engine import Engine
from streams.server import CannotListen, Embedded, serve
from tests.small_centre import MONDAY
from tests.streams.running import make_key, new_ledger, running

EVENT = {"id": "1", "source": "hall", "type": "apply", "time": MONDAY.isoformat(), "case": "c1"}
BODY = msgspec.json.encode({**EVENT, "region": "4509", "item": "i1", "department": "land"})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger with a rulebook."""
    with new_ledger(tmp_path) as made:
        yield made


class Served:
    """A server in a thread, with the status it ends with."""

    def __init__(self, ledger: Ledger) -> None:
        self.runtime = Embedded(ledger)
        self.status: int | None = None
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        assert self._listening.wait(30)

    def _serve(self) -> None:
        self.status = serve(self.runtime, "127.0.0.1", 0, self._announced)

    def _announced(self, url: str) -> None:
        self.url = url
        self._listening.set()

    def wait(self) -> int | None:
        """Wait for its end."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.status


def test_failed_engine_ends_the_process_with_an_error(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the engine fails the sender gets an honest 503, and the process ends non-zero, to be started again."""

    def broken(self: Engine, *arguments: Any) -> Any:
        raise AssertionError("an invariant broke")

    served = Served(ledger)
    monkeypatch.setattr(Engine, "process", broken)
    key = make_key(ledger, "hall")
    answer = httpx.post(f"{served.url}/api/events", content=BODY, headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "engine")
    assert served.wait() == server.EXIT_FAILED


def test_stalled_engine_ends_the_process(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that hangs with work waiting is noticed, and the process ends rather than waiting for ever."""
    gate, ended = threading.Event(), threading.Event()
    statuses: list[int] = []

    def hang(self: Engine, *arguments: Any) -> int:
        assert gate.wait(30)
        return 0

    def end(status: int) -> None:
        statuses.append(status)
        ended.set()

    monkeypatch.setattr(server, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(server, "WATCH_SECONDS", 0.1)
    monkeypatch.setattr(server.os, "_exit", end)
    monkeypatch.setattr(Engine, "tick", hang)
    served = Served(ledger)
    assert ended.wait(30)
    assert httpx.get(f"{served.url}/healthz").status_code == 503
    gate.set()
    served.runtime.stop_serving()
    served.wait()
    assert set(statuses) == {server.EXIT_STALLED}


def test_clean_end_leaves_neither_lease_nor_token(ledger: Ledger) -> None:
    """A stopped monitor gives the lease back, removes its token, and ends with status 0."""
    served = Served(ledger)
    assert ledger.holder().url == served.url
    assert token_path(ledger).exists()
    served.runtime.stop_serving()
    assert served.wait() == 0
    assert not token_path(ledger).exists()
    ledger.lease().release()


def test_taken_port_is_an_error_and_frees_the_ledger(ledger: Ledger) -> None:
    """A port in use ends the start with an error, and the ledger is free for the next try."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            serve(Embedded(ledger), "127.0.0.1", port)
    ledger.lease().release()


def test_ready_means_events_are_taken(tmp_path: Path) -> None:
    """/readyz answers 200 while events are taken and 503 from the moment a stop begins; /healthz stays."""
    with running(tmp_path) as monitor:
        assert monitor.client.get("/readyz").json() == {"alive": True, "ready": True, "ticks_stopped": False}
        assert monitor.client.get("/healthz").status_code == 200
        monitor.runtime.thread.begin_stop()
        assert monitor.client.get("/readyz").status_code == 503
        refused = monitor.post(BODY)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
        assert int(refused.headers["retry-after"]) > 0
