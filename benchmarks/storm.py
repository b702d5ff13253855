"""How soon 70,000 of a million open cases that fall due at one instant are found, while events keep coming."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from threading import Event as Signal
from typing import Any, Final

from sqlalchemy import func, select

from benchmarks.accepted import application, items, take_accepted
from benchmarks.databases import in_sqlite
from benchmarks.figures import quantile_ms
from benchmarks.server import Client, Monitor, Post, at_once, lines, running, seconds_to_read
from benchmarks.sizes import Size
from monitor.ledger import Ledger
from monitor.ledger.schema import findings
from streams.engine import Engine

CONNECTIONS: Final = 4
EVENTS_PER_REQUEST: Final = 10
REQUESTS_PER_SECOND: Final = 5.0  # on each connection: 200 events a second in all, several times a province's mean
PATIENCE_SECONDS: Final = 600.0
BUILD_PER_SECOND: Final = 3_000


def measure(size: Size) -> dict[str, Any]:
    """Build the open cases, start a monitor on them, and watch the instant pass."""
    with in_sqlite() as ledger:
        begun = time.monotonic()
        _open(ledger, size.open_cases - size.due_cases, "later", None)
        instant = datetime.now(UTC) + timedelta(seconds=size.lead_seconds + 2 * size.due_cases / BUILD_PER_SECOND)
        _open(ledger, size.due_cases, "due", instant)
        built = time.monotonic() - begun
        with running(ledger) as monitor:
            assert datetime.now(UTC) < instant - timedelta(seconds=size.lead_seconds / 3), "building took too long"
            idle_mb = monitor.memory_mb()
            storm = _Storm(ledger, monitor, instant, size.due_cases)
            at_once([storm.watch, storm.read, *(storm.sender(number) for number in range(CONNECTIONS))])
            memory = {"start": idle_mb, "end": monitor.memory_mb(), "max": monitor.memory_mb(peak=True)}
    return {
        "open_cases": size.open_cases,
        "due_cases": size.due_cases,
        "build_seconds": round(built, 1),
        "memory_mb": memory,
        **storm.described(),
    }


class _Storm:
    """The senders, a reader of the figures, and who watches the findings being committed."""

    def __init__(self, ledger: Ledger, monitor: Monitor, instant: datetime, due: int) -> None:
        self._ledger, self._monitor, self._due = ledger, monitor, due
        self._instant = time.monotonic() + (instant - datetime.now(UTC)).total_seconds()
        self._over = Signal()
        self._found_at: float | None = None
        self._first_at: float | None = None
        self._posts: list[Post] = []
        self._reads: list[float] = []

    def watch(self) -> None:
        """Wait until every finding stands in the ledger."""
        wanted = select(func.count()).where(findings.c.rule == "V01", findings.c.state != "withdrawn")
        with self._ending_all():
            while time.monotonic() < self._instant + PATIENCE_SECONDS and not self._over.is_set():
                with self._ledger.read() as connection:
                    found = connection.execute(wanted).scalar_one()
                now = time.monotonic()
                assert not found or now > self._instant, "a case was found late before it was due"
                self._first_at = self._first_at or (now if found else None)
                if found >= self._due:
                    self._found_at = now
                    return
                time.sleep(0.2)
            raise AssertionError(f"given up when {found} of {self._due} cases were found")

    def read(self) -> None:
        """Read figures and page as Prometheus and a leader do."""
        with self._ending_all():
            while not self._over.wait(5):
                self._reads += [seconds_to_read(self._monitor, page) for page in ("/metrics", "/")]

    def sender(self, number: int) -> Any:
        """Make one who keeps sending new applications at a steady pace."""

        def send() -> None:
            client = Client(self._monitor)
            names = (f"new-{number}-{own}" for own in count())
            kinds = cycle(items())
            time.sleep(number / CONNECTIONS / REQUESTS_PER_SECOND)
            due = time.monotonic()
            with self._ending_all():
                while not self._over.is_set():
                    now = datetime.now(UTC)
                    body = lines([application(next(names), next(kinds), now) for _ in range(EVENTS_PER_REQUEST)])
                    client.post(body, EVENTS_PER_REQUEST)
                    due += 1 / REQUESTS_PER_SECOND
                    time.sleep(max(0.0, due - time.monotonic()))
            self._posts += client.posts
            client.close()

        return send

    @contextmanager
    def _ending_all(self) -> Iterator[None]:
        """End everything when the block ends because it is done, or because of an error."""
        try:
            yield
        finally:
            self._over.set()

    def described(self) -> dict[str, Any]:
        """Describe how it went; a request belongs to the storm if it was answered after the instant."""
        assert self._first_at is not None
        assert self._found_at is not None
        calm = [post.seconds for post in self._posts if post.begun + post.seconds < self._instant]
        storm = [post.seconds for post in self._posts if post.begun + post.seconds >= self._instant]
        seconds = self._found_at - self._instant
        return {
            "first_found_seconds": round(self._first_at - self._instant, 1),
            "all_found_seconds": round(seconds, 1),
            "found_per_second": round(self._due / seconds),
            "events_meanwhile": len(storm) * EVENTS_PER_REQUEST,
            "ingest_calm": {"p50_ms": quantile_ms(calm, 0.5), "p99_ms": quantile_ms(calm, 0.99)},
            "ingest_storm": {"p50_ms": quantile_ms(storm, 0.5), "p99_ms": quantile_ms(storm, 0.99)},
            "slowest_read_seconds": round(max(self._reads, default=0.0), 2),
        }


def _open(ledger: Ledger, cases: int, prefix: str, due: datetime | None) -> None:
    """Let a ledger have open cases, due at an instant or, None, some days ahead."""
    engine = Engine(ledger)
    try:
        take_accepted(engine, (f"{prefix}-{number:07}" for number in range(cases)), due)
    finally:
        engine.close()
