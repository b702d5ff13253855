"""An import beside a running monitor posts to it, and ends in the same ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from monitor.ledger.verify import verify
from streams.access import token_path
from streams.engine import Engine
from streams.http_sink import HttpSink, SinkRefused
from streams.importer import EngineSink, import_log
from streams.ticker import Horizon
from tests.streams.logs_at_hand import ACCEPTED, MAPPING, RULEBOOK, log, many, row, trace, write
from tests.streams.running import Running, new_ledger, running


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Running]:
    """A running monitor of the small town."""
    folder = tmp_path / "running"
    folder.mkdir()
    with running(folder, RULEBOOK) as found:
        yield found


@pytest.fixture
def sink(monitor: Running) -> Iterator[HttpSink]:
    """The running monitor as a sink."""
    client = HttpSink(monitor.url, token_path(monitor.ledger).read_text(encoding="ascii"))
    yield client
    client.close()


def sealed(ledger: Ledger) -> str:
    """Give the digest of a ledger that is sound."""
    assert verify(ledger).difference is None
    return digest(ledger, Horizon().read())


def test_posting_ends_in_the_ledger_of_a_direct_import(monitor: Running, sink: HttpSink, tmp_path: Path) -> None:
    """The same file through HTTP and straight in gives the same counts and the same digest."""
    path = write(tmp_path / "log.xes", many(600))
    posted = import_log(path, MAPPING, sink)
    with new_ledger(tmp_path, RULEBOOK) as ledger:
        engine = Engine(ledger)
        direct = import_log(path, MAPPING, EngineSink(engine, Horizon()))
        engine.close()
        assert posted == direct
        assert sealed(monitor.ledger) == sealed(ledger)
    assert import_log(path, MAPPING, sink).duplicates == posted.applied


def test_rejects_come_back_with_their_places(sink: HttpSink, tmp_path: Path) -> None:
    """What the monitor rejects is told with the place in the log."""
    bad = row("check", "yesterday")
    done = import_log(write(tmp_path / "log.xes", log(trace("c1", bad, ACCEPTED))), MAPPING, sink)
    assert (done.applied, done.rejected) == (3, 1)
    assert [(each.place, each.error.field) for each in done.rejects] == [("trace 1, event 1", "time")]


def test_a_monitor_that_does_not_take_it_is_an_error(monitor: Running) -> None:
    """A wrong token and a monitor that is gone are said, not passed over."""
    stranger = HttpSink(monitor.url, "wrong")
    with pytest.raises(SinkRefused, match="401"):
        stranger.begin("files")
    stranger.close()
    nobody = HttpSink("http://127.0.0.1:9", "token")
    with pytest.raises(SinkRefused, match="ConnectError"):
        nobody.begin("files")
    nobody.close()
