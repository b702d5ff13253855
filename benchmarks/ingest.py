"""How many events a second are taken over HTTP, each answered once it is committed, in requests of one and of 100."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from msgspec.structs import replace

from benchmarks.databases import in_sqlite
from benchmarks.figures import quantile_ms
from benchmarks.history import simulated
from benchmarks.server import Client, Monitor, at_once, lines, running
from benchmarks.sizes import Size
from monitor.events import Event
from streams.simulator import in_time_order

CONNECTIONS: Final = 16


def measure(size: Size) -> dict[str, Any]:
    """Post simulated events over several connections, as fast as the monitor answers."""
    past = list(islice(in_time_order(simulated(size.days)), size.http_events))
    few = past[: len(past) // 5]
    return {"connections": CONNECTIONS, "requests_of_1": _posted(few, 1), "requests_of_100": _posted(past, 100)}


def _posted(past: Sequence[Event], at_a_time: int) -> dict[str, Any]:
    with in_sqlite() as ledger, running(ledger) as monitor:
        senders = [_Sender(monitor, own, at_a_time) for own in _shared_out(_as_of_now(past))]
        begun = time.monotonic()
        at_once([sender.send for sender in senders])
        seconds = time.monotonic() - begun
        took = [post.seconds for sender in senders for post in sender.client.posts]
        return {
            "events": len(past),
            "requests": len(took),
            "per_second": round(len(past) / seconds),
            "p50_ms": quantile_ms(took, 0.5),
            "p99_ms": quantile_ms(took, 0.99),
            "memory_mb_max": monitor.memory_mb(peak=True),
        }


class _Sender:
    """One connection, and what goes through it; its requests are written beforehand."""

    def __init__(self, monitor: Monitor, events: Sequence[Event], at_a_time: int) -> None:
        self.client = Client(monitor)
        parts = [events[start : start + at_a_time] for start in range(0, len(events), at_a_time)]
        self._bodies = [(lines(part), len(part)) for part in parts]

    def send(self) -> None:
        """Post it all, each request when the one before it was answered."""
        for body, events in self._bodies:
            self.client.post(body, events)
        self.client.close()


def _as_of_now(past: Sequence[Event]) -> list[Event]:
    """Date events by their order within the last second, so that none counts as having come late."""
    since = datetime.now(UTC) - timedelta(seconds=1)
    moments = (since + timedelta(microseconds=number) for number in range(len(past)))
    return [replace(event, time=moment, recorded=moment) for event, moment in zip(past, moments, strict=True)]


def _shared_out(events: Sequence[Event]) -> list[list[Event]]:
    """Share events out among the connections, all of a case to one, so that they arrive in their order."""
    own: list[list[Event]] = [[] for _ in range(CONNECTIONS)]
    for event in events:
        own[hash(event.case) % CONNECTIONS].append(event)
    return own
