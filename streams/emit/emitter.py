"""The emitter: what a source hands over is on the disk when `emit` returns, and delivered from there in order."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from monitor.events import Event, content, decode
from streams.emit.destinations import Destination, Rejection, Stopped, Unreachable, destination_at
from streams.emit.spool import BYTES_MAX, Refusal, Spool, SpoolError

log = logging.getLogger(__name__)

DELIVERY_EVENTS_MAX: Final = 1_000
DELIVERY_BYTES_MAX: Final = 1024 * 1024
"""One request's worth, which a slow line carries within the 30 s the monitor waits for it."""
BACKOFF_SECONDS: Final = 0.5
BACKOFF_SECONDS_MAX: Final = 60.0
IDLE_SECONDS: Final = 1.0
"""How often a spool is looked into that another process may put something into, or stop delivering from."""
FLUSH_SECONDS: Final = 0.05
CLOSE_SECONDS: Final = 5.0

Written = Event | Mapping[str, Any] | str | bytes
"""An event as a program has it: decoded, as a dictionary, or as JSON (plain or in a CloudEvents envelope)."""


class Emitter:
    """Takes events of a source and delivers them to `destination`, in their order, for as long as it takes.

        with Emitter("https://monitor.example", Path("spool.sqlite"), key=key) as emitter:
            emitter.emit({"id": "1", "source": "hall", "type": "accept", …})

    Any thread may use it, and any number of processes may share a spool; one of them delivers. Where the receiver is
    down or busy it is tried again for ever; what it has taken twice it knows by its id. `on_reject` is told of events
    the receiver refused, `on_trouble` of each change between delivering (None) and not, with the reason; both are
    called by the thread that delivers, and what they raise ends it. Raises SpoolError, or ValueError for a destination
    that is none.
    """

    def __init__(
        self,
        destination: str | Destination,
        spool: Path | Spool,
        key: str | None = None,
        *,
        ca_file: Path | None = None,
        bytes_max: int = BYTES_MAX,
        on_reject: Callable[[bytes, Rejection], None] = lambda event, rejection: None,
        on_trouble: Callable[[str | None], None] = lambda reason: None,
    ) -> None:
        self._to = destination_at(destination, key, ca_file) if isinstance(destination, str) else destination
        self._owns_spool = not isinstance(spool, Spool)
        self.spool = spool if isinstance(spool, Spool) else Spool(spool, bytes_max)
        self._on_reject, self._on_trouble = on_reject, on_trouble
        self._events_max = DELIVERY_EVENTS_MAX
        self._wake, self._closing = threading.Event(), threading.Event()
        self._deadline: float | None = None  # set: closing, by the monotonic clock
        self.failure: BaseException | None = None
        self._troubled = False
        self._telling = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="emitter", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Emitter":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def emit(self, event: Written) -> None:
        """Take an event: once this returns it is on the disk, and will be delivered.

        Raises EventError, naming field, reason and remedy, for one that is none; SpoolFull, SpoolError.
        """
        self.emit_all((event,))

    def emit_all(self, events: Iterable[Written]) -> None:
        """Take several events, all or none, with one write to the disk. Raises as `emit`."""
        checked = [prepared(event) for event in events]
        if checked:
            self.spool.put(checked)
            self._wake.set()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything in the spool is delivered or put aside; False: the seconds are over, and some is not.

        Raises Stopped where the receiver refuses everything, and what ended the delivery otherwise.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        last = self.spool.last()
        while self.spool.waits(last):
            if self.failure is not None:
                raise self.failure
            if deadline is not None and time.monotonic() >= deadline:
                return False
            self._wake.set()
            time.sleep(FLUSH_SECONDS)
        with self._telling:
            return True

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Deliver what can be delivered within some seconds, then end; the rest stays in the spool for the next time.

        A request that takes longer than that is left to itself; what it delivered may be delivered again.
        """
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout + CLOSE_SECONDS)
        if self._owns_spool and not self._thread.is_alive():
            self.spool.close()

    def _run(self) -> None:
        try:
            self._deliver_until_closed()
        except BaseException as failure:
            self.failure = failure
            log.critical("events are delivered no more: %s", failure)
            if isinstance(failure, Stopped):
                self._on_trouble(str(failure))
            else:
                raise
        finally:
            self.spool.stop_delivering()
            self._to.close()

    def _deliver_until_closed(self) -> None:
        attempt = 0
        while self._deadline is None or time.monotonic() < self._deadline:
            try:
                delivered = self._deliver_some()
            except (Unreachable, SpoolError) as reason:
                self._trouble(str(reason))
                asked = reason.wait_seconds if isinstance(reason, Unreachable) else 0.0
                self._wait(self._closing, _backoff(attempt, asked))
                attempt += 1
                continue
            attempt = 0
            if not delivered:
                if self._closing.is_set():
                    return
                self._wait(self._wake, IDLE_SECONDS)
                self._wake.clear()

    def _deliver_some(self) -> int:
        """Deliver what comes next, if it is ours to deliver; return how many events."""
        if not self.spool.start_delivering():
            return 0  # another process delivers; should it end, it is our turn
        last, events = self.spool.first(self._events_max, DELIVERY_BYTES_MAX)
        if not events:
            return 0
        try:
            rejections = self._to.deliver(events)
        except Unreachable:
            # Fewer at once: a slow line, or one event the receiver fails at, then holds up as few others as can be.
            self._events_max = max(1, len(events) // 2)
            raise
        self._events_max = min(DELIVERY_EVENTS_MAX, self._events_max * 2)
        self._trouble(None)
        self._settle(last, events, rejections)
        return len(events)

    def _settle(self, last: int, events: Sequence[bytes], rejections: Sequence[Rejection | None]) -> None:
        refused = [(event, why) for event, why in zip(events, rejections, strict=True) if why is not None]
        with self._telling:  # whoever flushed has been told
            self.spool.settle(last, [put_aside(event, why) for event, why in refused])
            for event, why in refused:
                log.error("an event was rejected and put aside: %s %s: %s", why.code, why.field, why.reason)
                self._on_reject(event, why)

    def _wait(self, for_what: threading.Event, seconds: float) -> None:
        if self._deadline is None:
            for_what.wait(seconds)
        else:
            time.sleep(max(0.0, min(seconds, self._deadline - time.monotonic())))

    def _trouble(self, reason: str | None) -> None:
        if reason is not None:
            log.warning("events wait in the spool: %s", reason)
        if self._troubled != (reason is not None):
            self._troubled = reason is not None
            self._on_trouble(reason)


def prepared(event: Written) -> bytes:
    """Check an event and write it canonically, on one line. Raises EventError naming field, reason and remedy.

    Nothing is added to it: when it was entered (`recorded`) only the source system knows.
    """
    if isinstance(event, Event):
        raw = content(event)
    elif isinstance(event, Mapping):
        raw = msgspec.json.encode(event)
    else:
        raw = event.encode() if isinstance(event, str) else event
    return content(decode(raw))


def put_aside(event: bytes, why: Rejection) -> Refusal:
    """Make what the spool keeps of a rejection."""
    return Refusal(event, why.code, why.field, why.detail, f"{why.reason} {why.remedy}".strip())


def _backoff(attempt: int, asked_seconds: float) -> float:
    """Give the seconds to wait: twice as long each time, and never the same for all sources that wait."""
    longest = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * float(2 ** min(attempt, 16)))
    return max(asked_seconds, longest * random.uniform(0.5, 1))  # noqa: S311 - nothing secret
