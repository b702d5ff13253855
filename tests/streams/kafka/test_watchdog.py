"""A worker that stands still ends; one that waits for a database or a broker does not."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka import watchdog
from streams.kafka.pulse import Pulses
from streams.kafka.settings import KafkaSettings
from streams.kafka.watchdog import EXIT_STALLED, STALL_SECONDS, WORK_SECONDS, LastResort, Watchdog
from streams.kafka.worker import Progress

NOW = 10_000.0
LONG_AGO = NOW - STALL_SECONDS - 1


def worker(**changed: Any) -> Any:
    """Make a worker that does well, but for what is changed."""
    supervision = SimpleNamespace(partitions=[3], position=lambda partition: 7)
    well = {"beat": NOW, "worked": NOW, "membership_ended": False, "troubled": -1e9, "rebalancing_since": None}
    return SimpleNamespace(supervision=supervision, **(well | changed))


def progress(watched: Any, beating: Pulses) -> Progress:
    """Look at a worker whose relay does well."""
    relay: Any = SimpleNamespace(failure=None)
    return Progress(watched, beating, relay)


def pulses(offset: int, landed_at: float) -> Pulses:
    """Make pulses of which one has landed in partition 3."""
    made = Pulses(KafkaSettings())
    made._landed[3] = (offset, landed_at)
    return made


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({}, None),
        ({"beat": LONG_AGO}, "the event loop"),
        ({"worked": NOW - WORK_SECONDS - 1}, "the work"),
        ({"worked": NOW - WORK_SECONDS - 1, "troubled": NOW - 5}, None),
        ({"worked": LONG_AGO}, None),
        ({"membership_ended": True}, "membership in the group"),
        ({"rebalancing_since": LONG_AGO}, "a rebalance"),
        ({"rebalancing_since": LONG_AGO, "troubled": NOW - 5}, None),
        ({"rebalancing_since": NOW - 5}, None),
    ],
)
def test_standstill_is_named(changed: dict[str, Any], what: str | None) -> None:
    """What has stood still for too long is said; what is tried again and again has not."""
    assert progress(worker(**changed), Pulses(KafkaSettings())).standstill(NOW) == what


@pytest.mark.parametrize(
    ("offset", "landed_at", "stands"),
    [(7, LONG_AGO, True), (9, LONG_AGO, True), (6, LONG_AGO, False), (7, NOW - 5, False)],
)
def test_pulse_that_is_not_read_is_a_standstill(offset: int, landed_at: float, stands: bool) -> None:
    """A record that lies in the log for long, at or behind a position that stays, shows that nothing is read."""
    looked_at = progress(worker(beat=LONG_AGO - 1), pulses(offset, landed_at))
    assert looked_at.standstill(LONG_AGO - 1) is None
    looked_at._worker.beat = NOW
    assert looked_at.standstill(NOW) == ("reading of partition 3, at offset 7" if stands else None)


def test_slow_worker_does_not_stand_still() -> None:
    """Who has more to do than he can is not ended for it, as long as every partition moves now and then."""
    slow = worker(beat=LONG_AGO - 1)
    looked_at = progress(slow, pulses(9, LONG_AGO))
    assert looked_at.standstill(LONG_AGO - 1) is None
    slow.beat, slow.supervision.position = NOW, lambda partition: 8
    assert looked_at.standstill(NOW) is None


def test_a_relay_that_has_failed_is_a_standstill() -> None:
    """Nobody would notice what is not published any more, so that the worker ends."""
    relay: Any = SimpleNamespace(failure=ZeroDivisionError())
    assert Progress(worker(), Pulses(KafkaSettings()), relay).standstill(NOW) == "the relay"


@pytest.mark.parametrize(
    ("ago", "changed", "alive", "ready"),
    [
        (0, {}, True, True),
        (0, {"rebalancing_since": 0}, True, False),
        (0, {"troubled": 1}, True, False),
        (STALL_SECONDS + 1, {}, False, True),
    ],
)
def test_probes_tell_a_worker_that_waits_from_one_that_stands_still(
    ago: float, changed: dict[str, float], alive: bool, ready: bool
) -> None:
    """In a rebalance, or just after a commit failed, a worker is alive but not ready; one whose loop stands is dead."""
    now = time.monotonic()
    seconds_ago = {name: now - seconds for name, seconds in changed.items()}
    told = progress(worker(beat=now - ago, worked=now, **seconds_ago), Pulses(KafkaSettings())).health()
    assert (told.alive, told.ready, told.partitions) == (alive, ready, [3])


def test_process_ends_when_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog ends the process with a status of its own."""
    monkeypatch.setattr(watchdog, "WATCH_SECONDS", 0.01)
    ended = threading.Event()
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        ended.set()

    Watchdog(SimpleNamespace(standstill=lambda now: "everything"), end).start()
    assert ended.wait(20)
    assert statuses == [EXIT_STALLED]


def test_frozen_process_gets_its_chance_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the whole process was frozen nothing is held against it before it has run again."""
    monkeypatch.setattr(watchdog, "WATCH_SECONDS", 0.01)
    looks: list[float] = []
    clock = iter([0.0, 100.0, 100.01, 100.02])

    def monotonic() -> float:
        return next(clock, 100.03)

    monkeypatch.setattr(watchdog, "time", SimpleNamespace(monotonic=monotonic))
    dog = Watchdog(SimpleNamespace(standstill=looks.append), lambda status: None)
    dog.start()
    deadline = time.perf_counter() + 20
    while not looks and time.perf_counter() < deadline:
        time.sleep(0.01)
    dog.stop()
    assert looks[0] == 100.01


def test_watchdog_that_cannot_look_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the watchdog's own is a standstill: nobody would watch any more."""
    monkeypatch.setattr(watchdog, "WATCH_SECONDS", 0.01)
    ended = threading.Event()

    def broken(now: float) -> str | None:
        raise AttributeError("_coordinator")

    Watchdog(SimpleNamespace(standstill=broken), lambda status: ended.set()).start()
    assert ended.wait(20)


def test_pulses_that_failed_are_a_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    """When no pulse will ever be sent again the worker does not go on as if time passed."""
    monkeypatch.setattr("streams.kafka.pulse.PULSE_SECONDS", 0.01)
    beating = Pulses(KafkaSettings(servers="127.0.0.1:1"))

    def broken() -> None:
        raise ValueError("no such option")

    monkeypatch.setattr(beating, "_connect", broken)
    beating.start()
    beating._thread.join(20)
    assert isinstance(beating.failure, ValueError)
    assert progress(worker(), beating).standstill(NOW) == "the pulses"


@pytest.mark.parametrize(("crashed", "status"), [(False, 0), (True, 1)])
def test_worker_that_does_not_stop_is_ended(monkeypatch: pytest.MonkeyPatch, crashed: bool, status: int) -> None:
    """What was told to stop and hangs is ended, with the status it deserves; before it is told, nothing happens."""
    monkeypatch.setattr(watchdog, "END_SECONDS", 0.05)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.01)
    told, ended = threading.Event(), threading.Event()
    statuses: list[int] = []

    def end(with_status: int) -> None:
        statuses.append(with_status)
        ended.set()

    LastResort(told.is_set, lambda: crashed, end).start()
    assert not ended.wait(0.3)
    told.set()
    assert ended.wait(20)
    assert statuses == [status]
