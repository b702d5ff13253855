"""Live events on their way to a running monitor, the monitor's answers given by an application of a few lines."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from monitor.events import Event, EventType, decode
from monitor.rulebook.model import Rulebook
from streams.simulator import LiveCentre, Mix, posting
from streams.simulator.posting import Poster, PostError, follow, read_keys
from tests.streams.running import make_key, running

NOW = datetime(2009, 10, 25, 3, tzinfo=UTC)


class Monitor:
    """Answers as the monitor does: a verdict on each line, first told to come again, one case not liked."""

    def __init__(self, refusals: int = 0, disliked: str = "") -> None:
        self.refusals, self.disliked = refusals, disliked
        self.taken: list[tuple[str, Event]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refusals:
            self.refusals -= 1
            return httpx.Response(503, headers={"Retry-After": "0"}, json={"error": {"code": "busy"}})
        key = request.headers["authorization"].removeprefix("Bearer ")
        events = [decode(line) for line in request.content.splitlines()]
        self.taken += [(key, event) for event in events]
        return httpx.Response(200, content=msgspec.json.encode({"events": [self._verdict(e) for e in events]}))

    def _verdict(self, event: Event) -> dict[str, Any]:
        if event.id != self.disliked:
            return {"id": event.id, "status": "applied"}
        return {"id": event.id, "status": "rejected", "error": {"reason": "Not known.", "remedy": "Register it."}}


def poster(monitor: Monitor, keys: dict[str, str]) -> Poster:
    """A poster wired to a monitor in this process."""
    return Poster("http://monitor", keys, httpx.MockTransport(monitor))


def event(source: str, name: str) -> Event:
    """A heartbeat, the smallest event there is."""
    return Event(id=name, source=source, type=EventType.HEARTBEAT, time=NOW)


def test_each_source_speaks_with_its_own_key() -> None:
    """Events go out with the key of their source, or the one that stands for every source."""
    monitor = Monitor()
    posted = poster(monitor, {"hall": "k1", "": "k0"}).post(
        [event("hall", "a"), event("other", "b"), event("hall", "c")]
    )
    assert sorted((key, e.id) for key, e in monitor.taken) == [("k0", "b"), ("k1", "a"), ("k1", "c")]
    assert (posted.applied, posted.duplicate, posted.rejections) == (3, 0, ())


def test_what_is_rejected_is_told_with_its_reason() -> None:
    """A reject comes back with the event, the monitor's reason and its remedy; the others are applied."""
    posted = poster(Monitor(disliked="b"), {"": "k"}).post([event("hall", "a"), event("hall", "b")])
    assert posted.applied == 1
    (rejection,) = posted.rejections
    assert (rejection.event.id, rejection.reason, rejection.remedy) == ("b", "Not known.", "Register it.")


def test_a_busy_monitor_is_asked_again() -> None:
    """Nothing is lost when the monitor says to come again."""
    monitor = Monitor(refusals=3)
    assert poster(monitor, {"": "k"}).post([event("hall", "a")]).applied == 1
    assert [e.id for _, e in monitor.taken] == ["a"]


def test_a_monitor_that_is_away_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some minutes without a connection the error says whom it could not reach."""
    monkeypatch.setattr(posting, "PATIENCE_SECONDS", 0.0)

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(PostError, match=r"http://monitor.*connection refused"):
        Poster("http://monitor", {"": "k"}, httpx.MockTransport(away)).post([event("hall", "a")])


def test_a_refusal_is_an_error() -> None:
    """A key the monitor does not know ends the run with what it answered."""
    transport = httpx.MockTransport(lambda _: httpx.Response(401, text="unknown key"))
    with pytest.raises(PostError, match="401 unknown key"):
        Poster("http://monitor", {"": "k"}, transport).post([event("hall", "a")])


def test_a_source_without_key_is_named() -> None:
    """The error says which source has no key and how one is made."""
    with pytest.raises(PostError, match="monitor keys create other"):
        poster(Monitor(), {"hall": "k"}).post([event("other", "a")])


def test_a_live_centre_is_followed(rulebook: Rulebook) -> None:
    """Second by second everything the centre tells reaches the monitor, each event once."""
    monitor = Monitor()
    now = [NOW]

    def pause(seconds: float) -> None:
        now[0] += timedelta(seconds=seconds)

    small = Mix(accepted_per_day=20)
    following = follow(LiveCentre(rulebook, 7, NOW, small), poster(monitor, {"": "k"}), lambda: now[0], pause)
    applied = sum(posted.applied for posted in islice(following, 40))
    expected = LiveCentre(rulebook, 7, NOW, small).events_until(now[0])
    told = {(e.case, e.id) for _, e in monitor.taken if e.case}
    assert told == {(e.case, e.id) for e in expected if e.case}
    assert applied == len(monitor.taken) > 40


def test_a_running_monitor_takes_everything(rulebook: Rulebook, tmp_path: Path) -> None:
    """What the centre tells in four minutes is applied by a real monitor, and all of it a duplicate the second time."""
    start = datetime.now(UTC) - timedelta(minutes=4)
    events = LiveCentre(rulebook, 7, start, Mix(accepted_per_day=20)).events_until(datetime.now(UTC))
    with running(tmp_path, rulebook) as monitor:
        keys = {source: make_key(monitor.ledger, source) for source in ("hall", "portal", "vertical")}
        sender = Poster(monitor.url, keys)
        first, second = sender.post(events), sender.post(events)
        sender.close()
        stored = sum(len(monitor.ledger.entries(case)) for case in {e.case for e in events if e.case})
    assert (first.applied, first.rejections) == (len(events), ())
    assert (second.applied, second.duplicate) == (0, len(events))
    assert stored == sum(e.case is not None for e in events) > 50


def test_key_file_holds_a_line_for_each_source(tmp_path: Path) -> None:
    """A key file names a source and its key on each line; a key alone stands for every source."""
    file = tmp_path / "keys"
    file.write_text("# made for the demo\nhall esm_1\n\nesm_2\n", encoding="utf-8")
    assert read_keys(file) == {"hall": "esm_1", "": "esm_2"}


@pytest.mark.parametrize(
    ("written", "said"),
    [("", "no key in it"), ("hall = esm_1", "line 1: 3 words"), (None, "cannot be read")],
)
def test_an_unusable_key_file_is_an_error(tmp_path: Path, written: str | None, said: str) -> None:
    """A key file that is missing, empty or written otherwise is an error that says what is expected."""
    file = tmp_path / "keys"
    if written is not None:
        file.write_text(written, encoding="utf-8")
    with pytest.raises(PostError, match=said):
        read_keys(file)
