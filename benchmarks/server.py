"""A monitor in a process of its own, as it runs in production, with clients that post events to it."""

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Final, NamedTuple

import msgspec

from benchmarks.databases import text_key
from benchmarks.machine import memory_mb
from monitor.events import Event, content
from monitor.ledger import Ledger

_ADDRESS: Final = re.compile(rb"http://(127\.0\.0\.1):(\d+)")
_STOP_SECONDS: Final = 120


class Monitor:
    """A running monitor: its address, its process, and the token that may speak for every source."""

    def __init__(self, ledger: Ledger) -> None:
        command = [sys.executable, "-m", "monitor.cli", "up", "--port", "0", "--lang", "en", "--ledger", ledger.url]
        keys = {"MONITOR_TEXT_KEY": str(text_key(ledger.folder)), "MONITOR_DATA": str(ledger.folder)}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | keys)  # noqa: S603 - our own program
        assert self._process.stdout is not None
        found = _ADDRESS.search(self._process.stdout.readline())
        assert found is not None, "the monitor did not start; why stands above"
        self.host, self.port = found.group(1).decode(), int(found.group(2))
        self.token = (ledger.folder / "runtime.token").read_text(encoding="ascii")

    def memory_mb(self, *, peak: bool = False) -> float:
        """Give the resident memory of its process."""
        return memory_mb(self._process.pid, peak=peak)

    def stop(self) -> None:
        """Stop it gracefully; it must say that all went well."""
        self._process.terminate()
        status = self._process.wait(_STOP_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert status == 0, f"the monitor ended with status {status}"


@contextmanager
def running(ledger: Ledger) -> Iterator[Monitor]:
    """Run a monitor on a ledger."""
    monitor = Monitor(ledger)
    try:
        yield monitor
    finally:
        monitor.stop()


class Post(NamedTuple):
    """A request that was answered: when it was begun, by a clock that cannot be set, and how long it took."""

    begun: float
    seconds: float


class Client:
    """One connection that is kept open, as an approval system would."""

    def __init__(self, monitor: Monitor) -> None:
        self._connection = http.client.HTTPConnection(monitor.host, monitor.port, timeout=90)
        self._headers = {"Authorization": f"Bearer {monitor.token}", "Content-Type": "application/x-ndjson"}
        self.posts: list[Post] = []

    def post(self, body: bytes, events: int) -> None:
        """Post lines of events; all must be applied."""
        begun = time.monotonic()
        self._connection.request("POST", "/api/events", body, self._headers)
        answer = self._connection.getresponse()
        said = msgspec.json.decode(answer.read())
        self.posts.append(Post(begun, time.monotonic() - begun))
        assert answer.status == 200, f"{answer.status}: {said}"
        assert said["applied"] == events, f"not all was applied: {said}"

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def seconds_to_read(monitor: Monitor, path: str) -> float:
    """Read a page over a new connection; return the seconds it took."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(monitor.host, monitor.port, timeout=90)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, f"{path}: {answer.status}"
    return time.monotonic() - begun


def lines(events: Sequence[Event]) -> bytes:
    """Write events as the body of a request."""
    return b"\n".join(map(content, events))


def at_once(acts: Sequence[Callable[[], None]]) -> None:
    """Do all of it at the same time, each in a thread; an error of one is raised in the end."""
    failed: list[BaseException] = []

    def guarded(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that waits
            failed.append(error)

    threads = [Thread(target=guarded, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
