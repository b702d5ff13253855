"""Receivers that do what a test tells them, and events to send them."""

from collections.abc import Sequence
from threading import Lock

from streams.emit.destinations import Rejection, Stopped, Unreachable
from streams.emit.emitter import prepared
from tests.small_centre import event, heartbeat

BAD = Rejection("unregistered_source", "source", "nobody", "The source is not registered.", "Register it.")


def applied(number: int, case: str = "c1") -> bytes:
    """Write the application of a case; its id is its number."""
    return prepared(event(name=str(number), case=case))


def beat(number: int) -> bytes:
    """Write a heartbeat."""
    said = event()
    return prepared(heartbeat("hall", f"hb{number}", said.time, said.time))


class Receiver:
    """Keeps what is delivered; `down` for so many deliveries, and for good while `closed`.

    `ambiguous`: what is not acknowledged is taken all the same. What is in `bad` is rejected.
    """

    def __init__(self, down: int = 0, ambiguous: bool = False, bad: Sequence[bytes] = ()) -> None:
        self.got: list[bytes] = []
        self.sizes: list[int] = []
        self.down, self.ambiguous, self.bad = down, ambiguous, frozenset(bad)
        self.stopped: str | None = None
        self._lock = Lock()

    def deliver(self, events: Sequence[bytes]) -> Sequence[Rejection | None]:
        with self._lock:
            self.sizes.append(len(events))
            if self.stopped is not None:
                raise Stopped(self.stopped)
            down, self.down = self.down > 0, self.down - 1
            if not down or self.ambiguous:
                self.got += [each for each in events if each not in self.bad]
            if down:
                raise Unreachable("nobody answers")
            return [BAD if each in self.bad else None for each in events]

    def close(self) -> None: ...


def first_times(got: Sequence[bytes]) -> list[bytes]:
    """Leave out what was delivered again."""
    return list(dict.fromkeys(got))
