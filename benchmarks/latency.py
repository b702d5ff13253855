"""How soon a finding stands in the ledger after the event that proves it was produced, at steady paces of events.

The events are of a simulated past, dated now as they are sent. Among them are cases finished behind their due instant:
each is a finding at once. When it was committed is what PostgreSQL says (`track_commit_timestamp`).
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import func, select, text

from benchmarks import topic
from benchmarks.accepted import acceptance, items
from benchmarks.broker import broker
from benchmarks.consuming import PATIENCE_SECONDS, Consumer, consuming, described
from benchmarks.databases import databases
from benchmarks.figures import quantile_ms
from benchmarks.history import simulated
from benchmarks.sizes import Size
from monitor.events import Event, EventType
from monitor.ledger import Ledger
from monitor.ledger.schema import journal
from streams.simulator import in_time_order

STEP_SECONDS: Final = 0.01  # events that are due within it are sent together
LATE_EVERY: Final = 50  # one in so many events finishes a case that is late
WARM_UP_SECONDS: Final = 20.0
"""Not counted: a worker that has just begun has everything to learn, and works off what came meanwhile only slowly."""
PAST_DAYS: Final = 365  # more than is ever told

_LATE: Final = "late"
_FINDINGS: Final = text(
    'SELECT "case", extract(epoch FROM pg_xact_commit_timestamp(xmin)) AS committed FROM findings '
    """WHERE rule = 'V01' AND "case" LIKE 'late-%'"""
)
_EVENTS: Final = text(
    "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) - received_at / 1e6 AS seconds FROM journal "
    "WHERE received_at / 1e6 >= :since"
)


def measure(size: Size) -> dict[str, Any]:
    """Let one worker supervise while events keep coming, at one pace after the other, and two at the last of them."""
    found = {f"at_{per_second}": _measured(per_second, size.live_seconds) for per_second in size.events_per_second}
    fastest = max(size.events_per_second)
    return {**found, f"at_{fastest}_two_workers": _measured(fastest, size.live_seconds, workers=2)}


def _measured(per_second: int, seconds: int, workers: int = 1) -> dict[str, Any]:
    past = list(islice(in_time_order(simulated(PAST_DAYS)), int(per_second * (seconds + WARM_UP_SECONDS))))
    with broker() as settings, databases(True, "-c", "track_commit_timestamp=on") as known:
        topic.make(settings)
        with known["postgresql"]() as ledger:
            with consuming(ledger, settings, "worker", workers, simulated=False) as consumers:
                with topic.producing(settings, linger_ms=5) as produce:
                    pace = _Pace(per_second, seconds + WARM_UP_SECONDS)
                    for event in _told(pace, past):
                        produce(event)
                _wait_until_journalled(ledger, consumers, pace.events)
            return {
                **pace.described(),
                **_seconds(ledger, pace),
                "worker": described([consumer.account for consumer in consumers]),
            }


class _Pace:
    """A steady pace of events; `late` tells for each case that is finished late when that was told."""

    def __init__(self, per_second: int, seconds: float) -> None:
        self._per_second, self._seconds, self._begun = per_second, seconds, time.monotonic()
        self.events, self.late = 0, dict[str, float]()
        self.counted_from = time.time() + WARM_UP_SECONDS

    def goes_on(self) -> bool:
        """Wait until the next event is to be sent; tell whether there is one."""
        due = self._begun + self.events / self._per_second
        now = time.monotonic()
        if due > now:
            time.sleep(max(STEP_SECONDS, due - now))
        self._ended = time.monotonic()
        return self._ended < self._begun + self._seconds

    def described(self) -> dict[str, Any]:
        """Describe the pace that was kept."""
        return {"events": self.events, "per_second": round(self.events / (self._ended - self._begun))}


def _told(pace: _Pace, past: Iterable[Event]) -> Iterator[Event]:
    """Yield what is told, each event the moment it is to be sent."""
    others, kinds = iter(past), cycle(items())
    while pace.goes_on():
        now = datetime.now(UTC)
        pace.events += 1
        if pace.events % LATE_EVERY:
            yield replace(next(others), time=now, recorded=now)
            continue
        case = f"{_LATE}-{pace.events:07}"
        accepted = acceptance(case, next(kinds), now - timedelta(milliseconds=2), now - timedelta(milliseconds=1))
        pace.events += 1
        yield accepted
        pace.late[case] = now.timestamp()
        yield replace(accepted, id=f"{case}-3", type=EventType.FINISH, time=now, recorded=now)


def _wait_until_journalled(ledger: Ledger, consumers: Sequence[Consumer], events: int) -> None:
    """Wait until every event produced stands in the ledger."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        for consumer in consumers:
            consumer.confirm()
        with ledger.read() as connection:
            found = connection.execute(select(func.count()).select_from(journal)).scalar_one()
        if found >= events:
            return
        assert time.monotonic() < deadline, f"given up when {found} of {events} events were taken"
        time.sleep(0.5)


def _seconds(ledger: Ledger, pace: _Pace) -> dict[str, Any]:
    """Tell how long findings took from the event that proves them, and events from the moment the broker had them."""
    with ledger.read() as connection:
        committed = {row.case: float(row.committed) for row in connection.execute(_FINDINGS)}
        events = [float(row.seconds) for row in connection.execute(_EVENTS, {"since": pace.counted_from})]
    assert committed.keys() == pace.late.keys(), "not every late case was found"
    findings = [committed[case] - at for case, at in pace.late.items() if at >= pace.counted_from]
    return {"findings": len(findings), "finding": _spread(findings), "event": _spread(events)}


def _spread(seconds: list[float]) -> dict[str, float]:
    return {
        "p50_ms": quantile_ms(seconds, 0.5),
        "p99_ms": quantile_ms(seconds, 0.99),
        "max_ms": quantile_ms(seconds, 1.0),
    }
