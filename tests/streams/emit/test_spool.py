"""The spool: what it took is there, in order, until it is delivered or put aside; it never outgrows its size."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.emit.spool import EVENT_OVERHEAD_BYTES, Bookmark, Refusal, Spool, SpoolError, SpoolFull
from tests.streams.emit.receivers import applied, beat

ROOM = 10_000
EVENTS = st.binary(min_size=1, max_size=900).filter(lambda event: b"heartbeat" not in event)


def refusal(event: bytes) -> Refusal:
    """Refuse an event."""
    return Refusal(event, "invalid", "case", "", "It is wrong. Mend it.")


def everything(spool: Spool) -> list[bytes]:
    """Read all that waits."""
    last, found = 0, []
    while (taken := spool.first(1_000, 10**9))[1]:
        last = taken[0]
        found += taken[1]
        spool.settle(last)
    return found


class SpoolMachine(RuleBasedStateMachine):
    """A spool beside two plain lists, closed and opened again at will."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.path = self.folder / f"{os.urandom(8).hex()}.sqlite"
        self.spool = Spool(self.path, ROOM)
        self.waiting: list[bytes] = []
        self.aside: list[bytes] = []
        self.mark: Bookmark | None = None

    @property
    def held(self) -> int:
        return sum(len(event) + EVENT_OVERHEAD_BYTES for event in (*self.waiting, *self.aside))

    @rule(events=st.lists(EVENTS, max_size=6), refused=st.integers(0, 6))
    def put(self, events: list[bytes], refused: int) -> None:
        good, bad = events[refused:], events[:refused]
        size = sum(len(event) + EVENT_OVERHEAD_BYTES for event in events)
        mark = Bookmark("log", 7, self.held, b"head")
        if size and self.held + size > ROOM:
            with pytest.raises(SpoolFull, match="are to go in"):
                self.spool.put(good, [refusal(event) for event in bad], mark)
            return
        self.spool.put(good, [refusal(event) for event in bad], mark)
        self.waiting += good
        self.aside += bad
        self.mark = mark

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 4), bad=st.booleans())
    def deliver(self, count: int, bad: bool) -> None:
        last, events = self.spool.first(count, 10**9)
        assert events == self.waiting[:count]
        refused = events[:1] if bad else []
        self.spool.settle(last, [refusal(event) for event in refused])
        self.waiting = self.waiting[len(events) :]
        self.aside += refused

    @rule(keep=st.booleans())
    def try_again(self, keep: bool) -> None:
        assert self.spool.try_again(lambda event: None if keep else event + b"!") == (0 if keep else len(self.aside))
        if not keep:
            self.waiting += [event + b"!" for event in self.aside]
            self.aside = []

    @rule()
    def discard(self) -> None:
        assert self.spool.discard() == len(self.aside)
        self.aside = []

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = Spool(self.path, ROOM)

    @invariant()
    def holds_what_it_was_given(self) -> None:
        assert self.spool.first(1_000, 10**9)[1] == self.waiting
        assert self.spool.waiting() == len(self.waiting)
        assert self.spool.waits(self.spool.last()) == bool(self.waiting)
        assert [each.event for each in self.spool.aside()] == self.aside
        assert self.spool.bookmark("log") == self.mark
        assert self.spool._connection.execute("SELECT bytes FROM held").fetchone()[0] == self.held

    def teardown(self) -> None:
        self.spool.close()


def test_spool_is_two_lists_on_disk(tmp_path: Path) -> None:
    """Whatever is put, delivered, refused, tried again, discarded and opened again: nothing is lost or reordered."""
    machine = type("Machine", (SpoolMachine,), {"folder": tmp_path})
    case = machine.TestCase()
    case.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
    case.runTest()


def test_a_heartbeat_never_goes_with_what_it_follows(tmp_path: Path) -> None:
    """It says that everything before was sent: so it is delivered only once that was acknowledged."""
    with Spool(tmp_path / "spool.sqlite") as spool:
        events = [applied(1), applied(2), beat(1), applied(3), beat(2), beat(3)]
        spool.put(events)
        taken = []
        while (found := spool.first(100, 10**6))[1]:
            taken.append(found[1])
            spool.settle(found[0])
        assert taken == [events[:2], events[2:4], events[4:5], events[5:]]


def test_a_delivery_has_a_size(tmp_path: Path) -> None:
    """Bytes are limited as events are, but one event always goes."""
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.put([b"a" * 100, b"b" * 100, b"c" * 100])
        assert len(spool.first(100, 250)[1]) == 2
        assert len(spool.first(100, 1)[1]) == 1
        assert len(spool.first(1, 1000)[1]) == 1


def test_spool_is_its_owners_alone_and_forgets(tmp_path: Path) -> None:
    """No file of it can be read by others, whatever the umask; what left it is found in none of them."""
    before = os.umask(0)
    try:
        with Spool(tmp_path / "deep" / "spool.sqlite") as spool:
            spool.put([b"a name somebody wrote"])
            modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep").iterdir()}
            assert modes == {0o600}
            assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700
            everything(spool)
    finally:
        os.umask(before)
    assert not any(b"a name" in path.read_bytes() for path in (tmp_path / "deep").iterdir())


def test_one_delivers_at_a_time(tmp_path: Path) -> None:
    """A second spool on the file may put, but deliver only once the first has stopped."""
    with Spool(tmp_path / "spool.sqlite") as first, Spool(tmp_path / "spool.sqlite") as second:
        assert first.start_delivering()
        assert first.start_delivering()
        assert not second.start_delivering()
        second.put([b"e"])
        assert first.first(10, 100)[1] == [b"e"]
        first.stop_delivering()
        assert second.start_delivering()


def test_a_file_that_is_no_spool_is_refused_and_left(tmp_path: Path) -> None:
    """Another program's database, or no database at all, is named and not touched."""
    path = tmp_path / "spool.sqlite"
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(SpoolError, match=r"spool\.sqlite: the spool cannot be used"):
        Spool(path)
    assert path.read_bytes() == b"not a database, " * 100
    path.write_bytes(b"")
    with pytest.raises(SpoolError, match="no spool of this program's version"):
        Spool(path)
    with pytest.raises(SpoolError, match="cannot be used"):
        Spool(path / "below")


MAKE_AND_PUT = """
import sys
from pathlib import Path
from streams.emit.spool import Spool
with Spool(Path(sys.argv[1])) as spool:
    for number in range(50):
        spool.put([f"{sys.argv[2]} {number:02}".encode()])
"""


def test_processes_share_a_spool(tmp_path: Path) -> None:
    """Several that make and fill one at once all get their events into it, each in its order."""
    path = tmp_path / "spool.sqlite"
    commands = [[sys.executable, "-c", MAKE_AND_PUT, str(path), name] for name in "abc"]
    with ThreadPoolExecutor(3) as pool:
        ends = list(pool.map(lambda command: subprocess.run(command, check=False).returncode, commands))
    assert ends == [0, 0, 0]
    with Spool(path) as spool:
        found = everything(spool)
    for name in (b"a", b"b", b"c"):
        assert [event for event in found if event.startswith(name)] == [name + b" %02d" % n for n in range(50)]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["spool.sqlite"], "no draft is left"
