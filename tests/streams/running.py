"""A monitor that really runs: its server on a free loopback port, in this process or in one of its own."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from monitor.keys import create_key
from monitor.ledger import Ledger
from monitor.rulebook.model import Rulebook
from streams.server import Embedded, Runtime, serve
from tests.databases import ledger_url
from tests.small_centre import RULEBOOK

START_SECONDS = 30


class Running:
    """A running monitor: its ledger, its address, and keys to it."""

    def __init__(self, ledger: Ledger, url: str, runtime: Embedded) -> None:
        self.ledger, self.url, self.runtime = ledger, url, runtime
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.key = make_key(ledger, "hall")

    def post(self, content: Any, **headers: str) -> httpx.Response:
        """Post events with the key of the hall, unless another is given."""
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        return self.client.post("/api/events", content=content, headers=given)


def make_key(ledger: Ledger, source: str) -> str:
    """Make a key for a source; return its secret."""
    with ledger.write() as connection:
        return create_key(connection, source)[1]


def new_ledger(folder: Path, rulebook: Rulebook = RULEBOOK) -> Ledger:
    """Make a ledger with a rulebook."""
    ledger = Ledger.open(ledger_url(folder))
    ledger.publish(rulebook)
    return ledger


@contextmanager
def running(folder: Path, rulebook: Rulebook = RULEBOOK) -> Iterator[Running]:
    """Run a monitor in this process."""
    with new_ledger(folder, rulebook) as ledger:
        runtime = Embedded(ledger)
        with served(runtime) as url:
            found = Running(ledger, url, runtime)
            with found.client:
                yield found


@contextmanager
def served(runtime: Runtime) -> Iterator[str]:
    """Serve a runtime on a free port, and give its address."""
    urls: list[str] = []
    listening = threading.Event()
    thread = threading.Thread(
        target=serve, args=(runtime, "127.0.0.1", 0, lambda url: (urls.append(url), listening.set()))
    )
    thread.start()
    try:
        assert listening.wait(START_SECONDS), "the server did not start"
        yield urls[0]
    finally:
        runtime.stop_serving()
        thread.join(START_SECONDS)
    assert not thread.is_alive(), "the server did not stop"


class Process:
    """`monitor up` in a process of its own, that can be stopped and killed."""

    def __init__(self, ledger: Ledger) -> None:
        command = [sys.executable, "-m", "monitor.cli", "up", "--port", "0", "--ledger", ledger.url]
        self._popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._printed = ""
        deadline = time.monotonic() + START_SECONDS
        while (found := ledger.holder()).pid != self._popen.pid or not found.url:
            assert self._popen.poll() is None, self.output()
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        self.url = found.url

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        self._printed += self._popen.communicate(timeout=START_SECONDS)[0].decode()
        return self._popen.returncode

    def output(self) -> str:
        """Give what it printed, once it has ended."""
        if not self._printed:
            self.wait()
        return self._printed
