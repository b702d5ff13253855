"""The watchdog: a worker that stands still ends, to be started again. Better no worker than one that looks alive.

What Faust, the group or a thread of ours may have lost cannot be mended from inside; the ledger rolls back what was
not committed, and the partitions go to a worker that works.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

log = structlog.get_logger(__name__)

WATCH_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.2
STALL_SECONDS: Final = 45.0
"""No step of the work lasts that long: a transaction waits 30 s for a lock at most, a record 20 s for the broker."""
WORK_SECONDS: Final = 3 * STALL_SECONDS
"""No round of the work lasts that long, though it may ask a broker for what is missing in several partitions."""
END_SECONDS: Final = 8.0
"""How long a worker that is told to stop may take; who starts processes kills after ten seconds at the earliest."""
EXIT_STALLED: Final = 70
EXIT_FAILED: Final = 1


class Watched(Protocol):
    """What a watchdog looks at; every answer is None while all is well, else what stands still."""

    def standstill(self, now: float) -> str | None:
        """Say what has stood still for too long, at an instant of the monotonic clock."""


class Watchdog:
    """Ends the process when what it watches stands still."""

    def __init__(self, watched: Watched, end: Callable[[int], object] = os._exit) -> None:
        self._watched, self._end = watched, end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._stopping.wait(WATCH_SECONDS):
            now = time.monotonic()
            if now - looked > WATCH_SECONDS * 3:
                # The whole process was frozen or starved; what it watches gets its chance first.
                looked = now
                continue
            looked = now
            if (what := self._look(now)) is not None:
                log.critical("no progress; the worker ends, to be started again", what=what)
                self._end(EXIT_STALLED)
                return

    def _look(self, now: float) -> str | None:
        try:
            return self._watched.standstill(now)
        except Exception as error:  # noqa: BLE001  a watchdog that cannot look must not look as if all were well
            return f"it cannot be told: {error!r}"


class LastResort:
    """Ends a process that was told to stop and does not: a rebalance that meets the end of a worker may hold Faust up.

    Nothing is lost by it, as positions stand in the ledger; the others have its partitions one session later.
    """

    def __init__(
        self,
        is_stopping: Callable[[], bool],
        has_crashed: Callable[[], bool],
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._is_stopping, self._has_crashed, self._end = is_stopping, has_crashed, end
        self._thread = threading.Thread(target=self._run, name="last-resort", daemon=True)

    def start(self) -> None:
        """Wait for the stop."""
        self._thread.start()

    def _run(self) -> None:
        while not self._is_stopping():
            time.sleep(LOOK_SECONDS)
        time.sleep(END_SECONDS)
        log.warning("the worker was told to stop and has not ended; the process ends without it")
        self._end(EXIT_FAILED if self._has_crashed() else 0)
