"""Workers as faults meet them: real processes that can be killed, frozen, woken and asked to stop."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

READY_SECONDS = 60
STOP_SECONDS = 10
"""Within so long a worker asked to stop has ended."""

_UNTIL_ITS_STARTER_ENDS = """
exec 3<&0
(read -r _ <&3; kill -KILL $$) 2>/dev/null &
exec "$@" 3<&- </dev/null
"""
"""The worker dies when the pipe it is started with is closed, however the harness ends."""


class Doom(NamedTuple):
    """A death that awaits a worker: just before or after the n-th call of a function (see `crash_at`)."""

    moment: str
    number: int
    place: str


class Memory(NamedTuple):
    """Resident memory of a worker, in MB: soon after it was ready, and when it was last looked at."""

    worker: str
    start: float
    end: float


class StillAlive(AssertionError):
    """A worker that should have ended has not."""


class Worker:
    """`monitor worker` in a process of its own. What it says is kept in `log`."""

    def __init__(self, name: str, ledger: str, environment: Mapping[str, str], log: Path, doom: Doom | None = None):
        self.name, self._log = name, log
        self._first_mb = self._last_mb = 0.0
        program = ["-m", "monitor.cli"]
        if doom is not None:
            program = ["-m", "tests.integration.crash_at", doom.moment, str(doom.number), doom.place]
        command = [sys.executable, *program, "worker", "--ledger", ledger]
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                ["sh", "-c", _UNTIL_ITS_STARTER_ENDS, "sh", *command],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env={**os.environ, **environment},
            )

    @property
    def said(self) -> str:
        """Everything it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def is_alive(self) -> bool:
        """Tell whether it has not ended."""
        return self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Tell whether it has said so."""
        return '"event": "ready"' in self.said

    def wait_until_ready(self) -> None:
        """Wait until it says that it is."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready:
            assert self.is_alive, f"{self.name} ended with {self._process.returncode}: {self.said[-3000:]}"
            assert time.monotonic() < deadline, f"{self.name} is not ready: {self.said[-3000:]}"
            time.sleep(0.05)
        self.look()

    def look(self) -> None:
        """Note how much memory it takes."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        if found:
            self._last_mb = int(found[1]) / 1024
            if not self._first_mb and self.is_ready:
                self._first_mb = self._last_mb

    @property
    def memory(self) -> Memory:
        """Tell what was noted of its memory."""
        return Memory(self.name, round(self._first_mb, 1), round(self._last_mb, 1))

    def kill(self) -> None:
        """Kill it with signal 9."""
        self._process.send_signal(signal.SIGKILL)
        self.ended()

    def freeze(self) -> None:
        """Stop it where it stands."""
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let a frozen one go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to stop; give its exit code. One that does not end in time is killed, which shows in the code."""
        self.look()
        self._process.send_signal(signal.SIGTERM)
        try:
            return self.ended(STOP_SECONDS)
        except StillAlive:
            self._process.kill()
            return self.ended()

    def ended(self, seconds: float = READY_SECONDS) -> int:
        """Wait until it has ended; give its exit code."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise StillAlive(f"{self.name} has not ended within {seconds} s: {self.said[-1000:]}") from None
        self.close()
        return code

    def close(self) -> None:
        """Make sure that nothing of it is left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
