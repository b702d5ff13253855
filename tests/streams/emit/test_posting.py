"""The HTTP ingest of a real monitor as the destination, and answers that other programs give in its place."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from streams.emit.destinations import Stopped, Unreachable
from streams.emit.emitter import prepared
from streams.emit.posting import HttpDestination
from streams.requests import BODY_BYTES_MAX
from tests.small_centre import event
from tests.streams.emit.receivers import applied
from tests.streams.running import Running, make_key, running


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running monitor."""
    with running(tmp_path_factory.mktemp("monitor")) as found:
        yield found


@contextmanager
def destination(url: str, key: str | None = "esm_key") -> Iterator[HttpDestination]:
    """Give a destination, and close it."""
    found = HttpDestination(url, key)
    yield found
    found.close()


def test_events_are_taken_once_however_often_they_are_delivered(monitor: Running) -> None:
    """The second delivery is one of duplicates, which is as good."""
    with destination(monitor.url, monitor.key) as to:
        assert to.deliver([applied(1, "p1"), applied(2, "p1")]) == [None, None]
        assert to.deliver([applied(2, "p1"), applied(3, "p1")]) == [None, None]
    assert [entry.event.id for entry in monitor.ledger.entries("p1")] == ["1", "2", "3"]


def test_a_rejected_event_comes_back_with_the_monitors_reason(monitor: Running) -> None:
    """In its place among the others, which are taken."""
    foreign = prepared(event(case="p2", region="4501"))
    with destination(monitor.url, monitor.key) as to:
        first, second, third = to.deliver([applied(1, "p2"), foreign, applied(2, "p2")])
        assert to.deliver([foreign]) == [second], "alone it is no other"
    assert (first, third) == (None, None)
    assert second is not None
    assert (second.code, second.field) == ("foreign_region", "region")
    assert second.reason
    assert second.remedy


@pytest.mark.parametrize("key", ["esm_unknown", None])
def test_a_key_that_does_not_count_stops_delivery(monitor: Running, key: str | None) -> None:
    """The message says what the monitor said, and where."""
    with destination(monitor.url, key) as to, pytest.raises(Stopped, match=r"/api/events refuses: 401 The key is miss"):
        to.deliver([applied(1)])


def test_a_key_of_another_source_costs_each_event(monitor: Running) -> None:
    """The monitor rejects one by one, so that they are put aside with the reason."""
    with destination(monitor.url, make_key(monitor.ledger, "night")) as to:
        (told,) = to.deliver([applied(1)])
        assert told is not None
        assert told.code == "foreign_source"


def test_what_is_too_large_for_one_request_is_sent_in_parts(monitor: Running) -> None:
    """A monitor that takes less than is sent gets it in halves, in order."""
    padded = [applied(number, "p3") + b" " * (BODY_BYTES_MAX // 3) for number in range(4)]
    with destination(monitor.url, monitor.key) as to:
        assert to.deliver(padded) == [None] * 4
    assert [entry.event.id for entry in monitor.ledger.entries("p3")] == ["0", "1", "2", "3"]


def test_nobody_there_is_worth_another_try() -> None:
    """A refused connection is not the end."""
    with destination("http://127.0.0.1:9") as to, pytest.raises(Unreachable, match="ConnectError"):
        to.deliver([applied(1)])


class Canned(BaseHTTPRequestHandler):
    """Answers every request as told."""

    status, body, headers_told = 200, b"", dict[str, str]()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        for name, value in self.headers_told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *arguments: object) -> None: ...


@contextmanager
def answering(status: int, body: bytes = b"", **headers: str) -> Iterator[HttpDestination]:
    """Give a destination where something always answers the same."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    handler = type("Handler", (Canned,), {"status": status, "body": body, "headers_told": told})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with destination(f"http://127.0.0.1:{server.server_port}") as to:
                yield to
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_trouble_of_the_moment_is_worth_another_try(status: int) -> None:
    """For as long as the receiver asks for, where it does."""
    with answering(status, b"busy", Retry_After="7") as to, pytest.raises(Unreachable, match=f"{status} busy") as told:
        to.deliver([applied(1)])
    assert told.value.wait_seconds == 7
    with answering(status) as to, pytest.raises(Unreachable) as told:
        to.deliver([applied(1)])
    assert told.value.wait_seconds == 0


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415])
def test_a_refusal_of_everything_stops_delivery(status: int) -> None:
    """A wrong address and missing rights are put right by people."""
    with answering(status, b"go away") as to, pytest.raises(Stopped, match=f"refuses: {status} go away"):
        to.deliver([applied(1)])


@pytest.mark.parametrize("status", [400, 413])
def test_a_proxy_that_refuses_one_event_is_no_verdict_on_it(status: int) -> None:
    """Only a monitor may say that an event is wrong; what anybody else says puts no event aside."""
    with answering(status, b"<html>") as to, pytest.raises(Stopped, match=str(status)):
        to.deliver([applied(1), applied(2)])
    refusal = json.dumps({"error": {"code": "too_large", "reason": "It is too large.", "remedy": "Cut it."}})
    with answering(status, refusal.encode()) as to:
        assert [each.code for each in to.deliver([applied(1), applied(2)]) if each] == ["too_large", "too_large"]


@pytest.mark.parametrize("body", [b"<html>welcome", b"{}", b'{"events": []}', b'{"events": [{"status": 1}]}'])
def test_an_answer_that_is_no_monitors_acknowledges_nothing(body: bytes) -> None:
    """The page of a proxy, or verdicts on other events than were sent."""
    with answering(200, body) as to, pytest.raises(Unreachable):
        to.deliver([applied(1)])


def test_an_answer_of_a_distributed_monitor_is_one() -> None:
    """It says `accepted`: the broker has it, and what becomes of it is known later."""
    with answering(202, b'{"accepted": 1, "events": [{"id": "1", "case": "c1", "status": "accepted"}]}') as to:
        assert to.deliver([applied(1)]) == [None]


def test_what_cannot_be_used_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    """A key with a line break, certificates that are none, an address that is none."""
    with pytest.raises(ValueError, match="the API key holds characters"):
        HttpDestination("http://monitor", "esm_\n1")
    with pytest.raises(ValueError, match=r"absent\.pem"):
        HttpDestination("https://monitor", "esm_1", tmp_path / "absent.pem")
    with pytest.raises(ValueError, match="http://a:b:c"):
        HttpDestination("http://a:b:c", "esm_1")
