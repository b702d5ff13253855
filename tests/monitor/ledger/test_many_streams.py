"""A ledger that many streams write: what is read of it is what one stream would have left."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import select, text

from monitor.events import Event, content
from monitor.kpi import FIGURES, Extent
from monitor.kpi.question import Question
from monitor.kpi.report import lines, make_report
from monitor.ledger import Ledger
from monitor.ledger.deployment import Deployment, claim
from monitor.ledger.digest import Digest, digests
from monitor.ledger.publication import Approval
from monitor.ledger.schema import findings
from monitor.ledger.verify import verify
from monitor.live.board import Board, read_board
from monitor.metrics import LedgerCollector
from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from streams.engine import Delivery, Engine
from streams.kafka.partitions import partition_of
from streams.simulator import Mix, in_time_order, simulate_cases
from tests.conftest import ROOT
from tests.databases import ledger_url
from tests.monitor.ledger.test_apart import BOOK
from tests.small_centre import at, delivered, event, heartbeat

pytestmark = pytest.mark.usefixtures("each_database")

STREAMS = 4
BEGIN = datetime(2009, 3, 1, tzinfo=UTC)
TOWN = Mix(accepted_per_day=12, late_promised=0.1, late_statutory=0.05, deemed=0.02, late_issued=0.05)


class Streams:
    """Engines of several streams on one ledger, each fed with the cases of its partition."""

    def __init__(self, ledger: Ledger, names: Sequence[str]) -> None:
        self.ledger = ledger
        self._lease = ledger.lease()
        self.engines = [self.engine(name) for name in names]

    def engine(self, name: str) -> Engine:
        """Open the engine of a stream under the one lease."""
        return Engine(self.ledger, name, lease=self._lease)

    def process(self, events: Sequence[Event], horizon: datetime) -> None:
        """Deliver events to the streams their cases belong to, and let time pass in all of them, the first last."""
        for number, engine in reversed(list(enumerate(self.engines))):
            ours = [each for each in events if partition_of(each.case or each.source, len(self.engines)) == number]
            engine.process([Delivery(content(each), each.recorded or each.time) for each in ours], horizon)
            while engine.tick(horizon):
                pass

    def close(self) -> None:
        """Give the lease back."""
        self._lease.release()


@contextmanager
def streams(ledger: Ledger, names: Sequence[str]) -> Iterator[Streams]:
    """Open the engines of streams."""
    opened = Streams(ledger, names)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Open a ledger of a small centre."""
    with Ledger.open(ledger_url(tmp_path)) as opened:
        opened.publish(BOOK)
        yield opened


@pytest.fixture
def two(ledger: Ledger) -> Iterator[Streams]:
    """Open the two streams of a topic, each with a case of the hall's, heard of on Monday at nine."""
    with streams(ledger, ["topic/0", "topic/1"]) as opened:
        for number, engine in enumerate(opened.engines):
            engine.process(delivered(event("apply", f"c{number}"), event("accept", f"c{number}")), at())
        yield opened


def silent(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Read what was ever said of silence: source, stream, state."""
    query = select(findings.c.subject, findings.c.stream, findings.c.state).where(findings.c.rule == "V31")
    with ledger.read() as connection:
        return [tuple(row) for row in connection.execute(query)]  # type: ignore[misc]


def scraped(ledger: Ledger) -> CollectorRegistry:
    """Make a scrape of a ledger."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(ledger))
    return registry


def supervised(
    ledger: Ledger, rulebook: Rulebook, names: Sequence[str], month: Sequence[Event]
) -> tuple[Digest, Board, list[bytes], list[object]]:
    """Supervise a month as it happens; give what is read of it at the end."""
    ledger.publish(rulebook)
    horizon = BEGIN
    with streams(ledger, names) as opened:
        for start in range(0, len(month), 300):
            batch = month[start : start + 300]
            horizon = max(horizon, batch[-1].time)
            opened.process(batch, horizon)
    assert verify(ledger).difference is None
    figures = make_report(ledger, Question(tuple(FIGURES.values()), Extent(), None))
    metrics = sorted(generate_latest(scraped(ledger)).splitlines())  # a database gives groups in any order
    return digests(ledger), read_board(ledger, "zh", []), metrics, list(lines(figures, "zh"))


def test_many_streams_end_as_one(tmp_path: Path) -> None:
    """Digest, live page, metrics and every figure of a month are those of one stream; so is who is silent."""
    rulebook = load(ROOT / "monitor" / "rulebooks" / "yulin")
    month = list(in_time_order(simulate_cases(rulebook, 7, BEGIN, BEGIN + timedelta(days=31), TOWN)))
    key = tmp_path / "texts.key"
    found = []
    for names in (["embedded"], [f"topic/{number}" for number in range(STREAMS)]):
        folder = tmp_path / names[0].partition("/")[0]
        folder.mkdir()
        with Ledger.open(ledger_url(folder), text_key=key, folder=tmp_path) as ledger:
            found.append((*supervised(ledger, rulebook, names, month), {(who, how) for who, _, how in silent(ledger)}))
    assert found[0] == found[1]


def test_a_case_is_judged_by_the_horizon_of_its_own_stream(two: Streams) -> None:
    """What one partition has read says nothing of another; what is shown of all is as old as the least advanced."""
    ahead, behind = two.engines
    ahead.tick(at(days=2))
    behind.tick(at(days=1))
    assert two.ledger.judged_until("c0") == at(days=2)
    assert two.ledger.judged_until("c1") == at(days=1)
    assert (two.ledger.horizon("c1"), two.ledger.horizon()) == (at(days=1), at(days=2))
    assert read_board(two.ledger, "en", []).at.startswith("2026-03-03")
    shown = scraped(two.ledger).get_sample_value("supervision_ledger_horizon_timestamp_seconds")
    assert shown == at(days=1).timestamp()


def test_what_streams_know_of_a_source_is_added_up(two: Streams) -> None:
    """Counters are sums, what came last is the latest of all, and held in one stream is held."""
    first, second = two.engines
    first.process(delivered(event("apply", "c0")), at(hours=1))
    second.process(delivered(event("finish", "c1", at(days=1))), at(days=1))
    second.begin_import("hall")
    hall = two.ledger.source_states()["hall"]
    assert (hall.applied, hall.duplicate, hall.rejected) == (5, 1, 0)
    assert hall.last_event_time == hall.last_received_at == at(days=1)
    assert hall.live
    assert hall.hold is not None


def test_a_source_is_not_silent_because_a_partition_is(two: Streams) -> None:
    """Whoever speaks in one partition is heard; silence is found by the first of them alone, and ends there."""
    first, second = two.engines
    second.process(delivered(event("transfer", "c1", at(days=1))), at(days=1))
    first.tick(at(days=1, hours=1))
    second.tick(at(days=1, hours=1))
    assert silent(two.ledger) == []
    second.tick(at(days=2))
    assert silent(two.ledger) == []
    first.tick(at(days=2))
    assert silent(two.ledger) == [("hall", "topic/0", "live")]
    second.process(delivered(heartbeat("hall", "h1", at(days=2))), at(days=2))
    first.tick(at(days=2))
    assert silent(two.ledger) == [("hall", "topic/0", "withdrawn")]
    assert verify(two.ledger).difference is None


def test_nobody_is_silent_while_a_partition_is_behind(two: Streams) -> None:
    """What was said may still lie unread in the least advanced one."""
    first, second = two.engines
    first.tick(at(days=3))
    assert silent(two.ledger) == []
    second.tick(at(days=3))
    first.tick(at(days=3))
    assert silent(two.ledger) == [("hall", "topic/0", "live")]


def test_nobody_is_silent_while_a_partition_was_never_read(two: Streams) -> None:
    """The ledger knows how many partitions there are."""
    with two.ledger.write() as connection:
        claim(connection, Deployment("cluster", "id", "topic", 3, "supervision"))
    for engine in reversed(two.engines):
        engine.tick(at(days=3))
    assert silent(two.ledger) == []
    third = two.engine("topic/2")
    two.engines[0].tick(at(days=3))
    assert silent(two.ledger) == []
    third.tick(at(days=3))
    two.engines[0].tick(at(days=3))
    assert silent(two.ledger) == [("hall", "topic/0", "live")]


def test_verify_lets_pass_what_the_first_stream_cannot_know_yet(two: Streams) -> None:
    """Between two of its turns others hear from a source, or read on; neither is taken for tampering."""
    first, second = two.engines
    second.tick(at(days=2))
    first.tick(at(days=2))
    assert silent(two.ledger) == [("hall", "topic/0", "live")]
    second.process(delivered(event("transfer", "c1", at(days=3))), at(days=3))
    assert verify(two.ledger).difference is None
    first.tick(at(days=3))
    second.tick(at(days=9))
    assert silent(two.ledger) == [("hall", "topic/0", "withdrawn")]
    assert verify(two.ledger).difference is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("DELETE FROM findings WHERE rule = 'V31'", "id"),
        ("UPDATE findings SET severity = 1 WHERE rule = 'V31'", "severity"),
        ("UPDATE findings SET evidence = '{}' WHERE rule = 'V31'", "evidence"),
        ("UPDATE findings SET subject = 'night' WHERE rule = 'V31'", "subject"),
        ("UPDATE findings SET stream = 'topic/1' WHERE rule = 'V31'", "id"),
    ],
)
def test_verify_names_what_was_changed_of_a_silence(two: Streams, change: str, field: str) -> None:
    """A finding that was removed, softened or moved is found, however many streams there are."""
    for engine in reversed(two.engines):
        engine.tick(at(days=2))
    with two.ledger.write() as connection:
        connection.execute(text(change))
    difference = verify(two.ledger).difference
    assert difference is not None
    assert (difference.table, difference.field) == ("findings", field)


def test_a_publication_settles_silence_for_all_streams(two: Streams) -> None:
    """By the version in force where the least advanced stream stands; nothing is said twice."""
    for engine in reversed(two.engines):
        engine.tick(at(days=2))
    quieter = replace(BOOK, sources=tuple(replace(source, silence_hours=500) for source in BOOK.sources))
    two.ledger.publish(quieter, at(days=-1), "改", approval=Approval("试点"), retroactive=True)
    assert silent(two.ledger) == [("hall", "topic/0", "withdrawn")]
    assert verify(two.ledger).difference is None


def test_a_heartbeat_read_in_every_stream_is_one(two: Streams, tmp_path: Path) -> None:
    """The digest holds it once and it counts once, as of a ledger that read it once; so does its repetition."""
    told = heartbeat("hall", "h1", at(days=1))
    for number, engine in enumerate(two.engines):
        engine.process([replace(each, copy=number > 0) for each in delivered(told)], at(days=1))
        engine.process([replace(each, copy=number > 0) for each in delivered(told)], at(days=1))
    (tmp_path / "one").mkdir()
    with Ledger.open(ledger_url(tmp_path / "one"), folder=tmp_path) as one:
        one.publish(BOOK)
        engine = Engine(one)
        for number in range(2):
            engine.process(delivered(event("apply", f"c{number}"), event("accept", f"c{number}")), at())
        engine.process(delivered(told), at(days=1))
        engine.process(delivered(told), at(days=1))
        engine.close()
        assert digests(one) == digests(two.ledger)
        assert one.source_states() == two.ledger.source_states()
