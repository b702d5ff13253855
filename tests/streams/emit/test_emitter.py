"""The emitter: nothing handed over is lost, order is kept, what is refused costs itself alone."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.events import EventError, decode
from streams.emit import Emitter, Rejection, Spool, SpoolError, SpoolFull, Stopped
from streams.emit.emitter import BACKOFF_SECONDS_MAX, _backoff, prepared
from tests.small_centre import event
from tests.streams.emit.receivers import BAD, Receiver, applied, beat, first_times

SECONDS = 20.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for milliseconds where the emitter waits for seconds."""
    monkeypatch.setattr("streams.emit.emitter.BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr("streams.emit.emitter.BACKOFF_SECONDS_MAX", 0.02)
    monkeypatch.setattr("streams.emit.emitter.IDLE_SECONDS", 0.05)


def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_events_arrive_in_their_order(tmp_path: Path) -> None:
    """What is emitted arrives once, as it was emitted, one by one or several at once."""
    receiver, events = Receiver(), [applied(number) for number in range(30)]
    with Emitter(receiver, tmp_path / "spool.sqlite") as emitter:
        for each in events[:10]:
            emitter.emit(each)
        emitter.emit_all(events[10:])
        assert emitter.flush(SECONDS)
    assert receiver.got == events


@pytest.mark.parametrize("ambiguous", [False, True])
def test_a_receiver_that_was_down_gets_everything_in_order(tmp_path: Path, ambiguous: bool) -> None:
    """Also where it took what it did not acknowledge: then it gets some again, and nothing too late."""
    receiver, events = Receiver(down=6, ambiguous=ambiguous), [applied(number) for number in range(40)]
    told: list[str | None] = []
    with Emitter(receiver, tmp_path / "spool.sqlite", on_trouble=told.append) as emitter:
        for each in events:
            emitter.emit(each)
        assert emitter.flush(SECONDS)
    assert first_times(receiver.got) == events
    assert ambiguous == (len(receiver.got) > len(events))
    assert told == ["nobody answers", None]


def test_after_a_failure_less_is_sent_at_once(tmp_path: Path) -> None:
    """One event that the receiver fails at is soon tried alone; when it works again, more go at once."""
    receiver = Receiver(down=4)
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.put([applied(number) for number in range(16)])
        with Emitter(receiver, spool) as emitter:
            assert emitter.flush(SECONDS)
    assert receiver.sizes == [16, 8, 4, 2, 1, 2, 4, 8, 1]


def test_what_is_left_is_delivered_by_the_next_run(tmp_path: Path) -> None:
    """Closing gives up after some seconds and keeps what could not be delivered."""
    path, receiver = tmp_path / "spool.sqlite", Receiver(down=10**9)
    emitter = Emitter(receiver, path)
    emitter.emit_all([applied(1), applied(2)])
    assert not emitter.flush(0.05)
    emitter.close(0.05)
    with pytest.raises(SpoolError, match="closed"):
        emitter.emit(applied(3))
    receiver.down = 0
    with Emitter(receiver, path) as emitter:
        emitter.emit(applied(3))
        assert emitter.flush(SECONDS)
    assert receiver.got == [applied(1), applied(2), applied(3)]


def test_closing_delivers_what_it_can(tmp_path: Path) -> None:
    """Who closes without a flush still delivers, where somebody answers."""
    receiver = Receiver(down=2)
    with Emitter(receiver, tmp_path / "spool.sqlite") as emitter:
        emitter.emit(applied(1))
    assert receiver.got == [applied(1)]


def test_a_rejected_event_is_put_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    """It is told with its reason, kept, and not sent again until somebody wants it to be."""
    events, told = [applied(number) for number in range(5)], list[tuple[bytes, Rejection]]()
    receiver = Receiver(bad=[events[1], events[4]])
    with Spool(tmp_path / "spool.sqlite") as spool:
        with Emitter(receiver, spool, on_reject=lambda event, why: told.append((event, why))) as emitter:
            emitter.emit_all(events)
            assert emitter.flush(SECONDS)
            assert receiver.got == [events[0], events[2], events[3]]
            assert told == [(events[1], BAD), (events[4], BAD)]
            kept = spool.aside()
            assert [each.event for each in kept] == [events[1], events[4]]
            assert kept[0].said == "The source is not registered. Register it."
            receiver.bad = frozenset()
            assert spool.try_again(lambda event: event) == 2
            assert emitter.flush(SECONDS)
        assert receiver.got[3:] == [events[1], events[4]]


def test_a_receiver_that_refuses_everything_stops_delivery_and_loses_nothing(tmp_path: Path) -> None:
    """Flushing says why; what is emitted afterwards is kept; a new start with things put right delivers all."""
    receiver, path, told = Receiver(), tmp_path / "spool.sqlite", list[str | None]()
    receiver.stopped = "401 The key is revoked."
    with Emitter(receiver, path, on_trouble=told.append) as emitter:
        emitter.emit(applied(1))
        with pytest.raises(Stopped, match="key is revoked"):
            emitter.flush()
        emitter.emit(applied(2))
        assert isinstance(emitter.failure, Stopped)
    assert (told, len(receiver.sizes)) == ([receiver.stopped], 1)
    receiver.stopped = None
    with Emitter(receiver, path) as emitter:
        assert emitter.flush(SECONDS)
    assert receiver.got == [applied(1), applied(2)]


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ({"id": "1", "source": "hall", "type": "apply", "time": "yesterday"}, "time"),
        ({"id": "1", "source": "hall", "type": "apply", "time": "2026-03-02T09:00:00+08:00"}, "case"),
        ('{"id": "1", "nmae": 2}', "nmae"),
        (b"[", "event"),
        (b"\xff", "event"),
    ],
)
def test_what_is_no_event_is_refused_before_it_is_kept(tmp_path: Path, written: object, field: str) -> None:
    """The caller learns field, reason and remedy; of several together none is taken."""
    with Spool(tmp_path / "spool.sqlite") as spool, Emitter(Receiver(), spool) as emitter:
        with pytest.raises(EventError) as refused:
            emitter.emit_all([applied(1), written])  # type: ignore[list-item]
        assert refused.value.field == field
        assert refused.value.remedy("en")
        assert spool.last() == 0


def test_an_event_may_be_written_in_any_form() -> None:
    """Decoded, as a dictionary, as JSON or in a CloudEvents envelope it is the same; nothing is added to it."""
    said = event()
    plain = prepared(said)
    again = json.loads(plain)
    envelope = {"specversion": "1.0", "subject": again.pop("case"), **{k: again.pop(k) for k in ("id", "source")}}
    envelope |= {"type": f"cn.gov.{again.pop('type')}", "time": again.pop("time"), "data": again}
    forms = [json.loads(plain), plain.decode(), json.dumps(json.loads(plain), indent=2).encode(), envelope]
    assert {prepared(form) for form in forms} == {plain}
    assert decode(plain) == said
    assert decode(plain).recorded is None, "only the source knows when it was entered"


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    """It says so clearly; once something is delivered there is room again."""
    receiver = Receiver(down=10**9)
    with Emitter(receiver, tmp_path / "spool.sqlite", bytes_max=2_000) as emitter:
        emitter.emit_all([applied(number) for number in range(5)])
        with pytest.raises(SpoolFull, match=r"of at most 2,000 bytes.*give it more room"):
            emitter.emit_all([applied(number) for number in range(5, 50)])
        taken = emitter.spool.waiting()
        assert taken == 5
        receiver.down = 0
        assert emitter.flush(SECONDS)
        emitter.emit(applied(100))
        assert emitter.flush(SECONDS)
    assert receiver.got == [*(applied(number) for number in range(taken)), applied(100)]


def test_a_disk_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was delivered and could not be taken out of the spool is delivered again, and nothing stands still."""
    receiver, fail = Receiver(), [True, True]
    settle = Spool.settle

    def failing(spool: Spool, *arguments: object) -> None:
        if fail:
            fail.pop()
            raise SpoolError("disk full")
        settle(spool, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Spool, "settle", failing)
    with Emitter(receiver, tmp_path / "spool.sqlite") as emitter:
        emitter.emit(applied(1))
        assert emitter.flush(SECONDS)
    assert receiver.got == [applied(1)] * 3


def test_another_process_takes_over_the_delivery(tmp_path: Path) -> None:
    """Two emitters on a spool deliver each event once; when the one that delivered ends, the other goes on."""
    first, second = Receiver(), Receiver()
    one = Emitter(first, tmp_path / "spool.sqlite")
    one.emit(applied(1))
    assert one.flush(SECONDS)
    with Emitter(second, tmp_path / "spool.sqlite") as other:
        other.emit(applied(2))
        assert other.flush(SECONDS)
        one.close()
        other.emit(applied(3))
        assert other.flush(SECONDS)
    assert (first.got, second.got) == ([applied(1), applied(2)], [applied(3)])


def test_threads_share_an_emitter(tmp_path: Path) -> None:
    """Events of a thread keep their order among those of others."""
    receiver = Receiver(down=3)
    with Emitter(receiver, tmp_path / "spool.sqlite") as emitter:

        def work(case: str) -> None:
            for number in range(20):
                emitter.emit(applied(number, case))

        threads = [threading.Thread(target=work, args=(f"c{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert emitter.flush(SECONDS)
    by_case = [[json.loads(e)["id"] for e in receiver.got if json.loads(e)["case"] == f"c{n}"] for n in range(4)]
    assert by_case == [[str(number) for number in range(20)]] * 4


def test_a_heartbeat_goes_once_what_was_before_it_is_acknowledged(tmp_path: Path) -> None:
    """While the receiver is down no heartbeat overtakes the events it vouches for."""
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.put([applied(1), applied(2), beat(1)])
        receiver = Receiver(down=1)
        with Emitter(receiver, spool) as emitter:
            assert emitter.flush(SECONDS)
    assert receiver.got == [applied(1), applied(2), beat(1)]
    assert receiver.sizes[0] == 2


def test_back_off_grows_to_a_minute_and_is_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that wait for one receiver do not all come back at once; what it asks for is respected."""
    monkeypatch.undo()
    waits = [[_backoff(attempt, 0) for attempt in range(40)] for _ in range(20)]
    assert all(0.25 <= wait[0] <= 0.5 for wait in waits)
    assert all(BACKOFF_SECONDS_MAX / 2 <= wait[-1] <= BACKOFF_SECONDS_MAX for wait in waits)
    assert len({wait[5] for wait in waits}) > 10
    assert _backoff(0, 300) == 300


@pytest.mark.parametrize("to", ["", "monitor", "ftp://monitor", "https://", "https://host/?a=1", "kafka://topic/path"])
def test_an_address_that_is_none_is_refused_at_once(tmp_path: Path, to: str) -> None:
    """The error says what to write instead, and no spool is made."""
    with pytest.raises(ValueError, match="this is no destination; write https://HOST"):
        Emitter(to, tmp_path / "spool.sqlite")
    assert not list(tmp_path.iterdir())


def test_a_source_loads_little() -> None:
    """Importing the client loads neither Kafka nor a database server's driver nor a web framework."""
    loaded = "import sys, streams.emit; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert not {"kafka", "sqlalchemy", "fastapi", "faust", "psycopg", "httpx"} & set(modules)
