"""Files of events: every line gets into the spool once, however the file grows, is renamed, cut, or read anew."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events import EVENT_BYTES_MAX, EventError
from streams.emit.following import Lines, _Cut
from streams.emit.spool import Spool, SpoolFull
from tests.streams.emit.receivers import applied
from tests.streams.emit.test_emitter import until
from tests.streams.emit.test_spool import everything


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for milliseconds where a follower waits for seconds."""
    monkeypatch.setattr("streams.emit.following.POLL_SECONDS", 0.005)
    monkeypatch.setattr("streams.emit.following.FULL_SECONDS", 0.005)
    monkeypatch.setattr("streams.emit.following.REPLACED_SECONDS", 0.1)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool in a folder of its own."""
    with Spool(tmp_path / "spool" / "spool.sqlite") as found:
        yield found


def waiting(spool: Spool) -> list[bytes]:
    """Read what waits, and leave it there."""
    return spool.first(10_000, 10**9)[1]


@contextmanager
def following(spool: Spool, path: Path) -> Iterator[None]:
    """Follow a file meanwhile."""
    stop = threading.Event()
    lines = Lines(spool, lambda error: None, lambda full: None, stop.is_set)
    thread = threading.Thread(target=lines.follow, args=(path,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def append(path: Path, *events: bytes, end: bytes = b"\n") -> None:
    """Write lines at the end of a file."""
    with path.open("ab") as file:
        file.write(b"".join(event + end for event in events))


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=8), st.integers(1, 30))
def test_lines_are_cut_as_they_are_whole(written: list[bytes], size: int) -> None:
    """However a file is read in pieces its lines are the same, and the offset is where the unfinished one begins."""
    whole = b"\n".join(written)
    cut, lines = _Cut(), list[bytes]()
    for start in range(0, len(whole), size):
        lines += cut.lines(whole[start : start + size])
        assert whole[: cut.offset].count(b"\n") == len(lines)
        assert cut.offset == whole[: start + size].rfind(b"\n") + 1
    *begun, rest = whole.split(b"\n")
    assert (lines, cut.rest) == ([line.removeprefix(b"\xef\xbb\xbf") for line in begun], rest)


def test_a_file_is_read_to_its_end(spool: Spool, tmp_path: Path) -> None:
    """Blank lines count for nothing, the last needs no end, one that is no event is put aside with its reason."""
    path, told = tmp_path / "day.ndjson", list[EventError]()
    long = b'{"id": "' + b"x" * 3 * EVENT_BYTES_MAX + b'"}'
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([applied(1), b"", b"no event", long, applied(2)]))
    lines = Lines(spool, told.append, lambda full: None)
    with path.open("rb", buffering=0) as file:
        lines.read(file.fileno())
    assert waiting(spool) == [applied(1), applied(2)]
    aside = spool.aside()
    assert [(each.code, each.event) for each in aside] == [("malformed", b"no event"), ("too_large", long[:65_536])]
    assert [error.code for error in told] == ["malformed", "too_large"]
    assert (lines.taken.events, lines.taken.refused) == (2, 2)


def test_a_pipe_is_read_as_it_is_written(spool: Spool) -> None:
    """An event is in the spool as soon as its line is there; the writer need not end."""
    reading, writing = os.pipe()
    lines = Lines(spool, lambda error: None, lambda full: None)
    thread = threading.Thread(target=lines.read, args=(reading,), daemon=True)
    thread.start()
    os.write(writing, applied(1) + b"\n" + applied(2)[:20])
    until(lambda: waiting(spool) == [applied(1)])
    os.write(writing, applied(2)[20:] + b"\n" + applied(3))
    os.close(writing)
    thread.join()
    os.close(reading)
    assert waiting(spool) == [applied(1), applied(2), applied(3)]


def test_a_file_is_followed_from_where_it_was_left(spool: Spool, tmp_path: Path) -> None:
    """Also one that is not there yet; between two runs nothing is read twice, and half a line waits for its end."""
    path = tmp_path / "log"
    with following(spool, path):
        append(path, applied(1), applied(2))
        append(path, applied(3)[:30], end=b"")
        until(lambda: waiting(spool) == [applied(1), applied(2)])
    append(path, applied(3)[30:], applied(4))
    with following(spool, path):
        until(lambda: len(waiting(spool)) == 4)
    assert everything(spool) == [applied(number) for number in (1, 2, 3, 4)]


def test_a_file_that_is_replaced_is_read_to_its_end(spool: Spool, tmp_path: Path) -> None:
    """The writer may go on in the renamed file for a while; then the new one is read from its beginning."""
    path = tmp_path / "log"
    with following(spool, path):
        append(path, applied(1))
        until(lambda: len(waiting(spool)) == 1)
        path.rename(tmp_path / "log.1")
        append(tmp_path / "log.1", applied(2))
        append(path, applied(3))
        append(tmp_path / "log.1", applied(4), end=b"")
        until(lambda: len(waiting(spool)) == 4)
        append(path, applied(5))
        until(lambda: len(waiting(spool)) == 5)
    assert waiting(spool) == [applied(number) for number in (1, 2, 4, 3, 5)]


def test_a_file_replaced_between_two_runs_is_found_again(spool: Spool, tmp_path: Path) -> None:
    """Under its new name in the same folder; what was not read of it comes before the new file."""
    path = tmp_path / "log"
    append(path, applied(1))
    with following(spool, path):
        until(lambda: len(waiting(spool)) == 1)
    append(path, applied(2))
    path.rename(tmp_path / "log.1")
    append(path, applied(3))
    with following(spool, path):
        until(lambda: len(waiting(spool)) == 3)
    assert waiting(spool) == [applied(number) for number in (1, 2, 3)]


@pytest.mark.parametrize("running", [True, False])
def test_a_file_that_was_cut_is_begun_anew(spool: Spool, tmp_path: Path, running: bool) -> None:
    """Cut while it is followed or while nobody looked: what stands in it now is read from the beginning."""
    path = tmp_path / "log"
    append(path, applied(1), applied(2), applied(3))
    with following(spool, path):
        until(lambda: len(waiting(spool)) == 3)
        if running:
            path.write_bytes(b"")
            append(path, applied(4))
            until(lambda: len(waiting(spool)) == 4)
    if not running:
        path.write_bytes(b"\n" + b"\n".join(applied(number) for number in (4, 5, 6, 7)) + b"\n")
        with following(spool, path):
            until(lambda: len(waiting(spool)) == 7)
    assert waiting(spool)[:4] == [applied(number) for number in (1, 2, 3, 4)]


def test_a_full_spool_holds_reading_up_and_loses_nothing(tmp_path: Path) -> None:
    """However much is read at once, as much goes in as fits; the rest waits, and that is told."""
    path, told, taken = tmp_path / "day.ndjson", list[SpoolFull](), list[bytes]()
    events = [applied(number) for number in range(20)]
    append(path, *events)
    with Spool(tmp_path / "spool.sqlite", bytes_max=1_000) as spool, path.open("rb", buffering=0) as file:
        lines = Lines(spool, lambda error: None, told.append)
        thread = threading.Thread(target=lines.read, args=(file.fileno(),), daemon=True)
        thread.start()
        until(lambda: told)
        assert 0 < len(waiting(spool)) < 20
        until(lambda: taken.extend(everything(spool)) or len(taken) == 20)
        thread.join()
    assert taken == events


def test_a_full_spool_does_not_keep_a_program_from_stopping(tmp_path: Path) -> None:
    """What could not be put is read again by the next run, as the place in the file did not move past it."""
    path, told = tmp_path / "log", list[SpoolFull]()
    append(path, *(applied(number) for number in range(8)))
    with Spool(tmp_path / "spool.sqlite", bytes_max=1_000) as spool:
        Lines(spool, lambda error: None, told.append, lambda: bool(told)).follow(path)
        taken = everything(spool)
        assert len(taken) < 8
        with following(spool, path):
            until(lambda: taken.extend(everything(spool)) or applied(7) in taken)
    assert list(dict.fromkeys(taken)) == [applied(number) for number in range(8)]
