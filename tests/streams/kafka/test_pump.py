"""A partition reaches the ledger in order, each record once, whatever is delivered of it."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from monitor.events import Event, content
from monitor.ledger import Ledger
from monitor.ledger.deployment import Deployment, claim
from monitor.ledger.digest import digest
from monitor.ledger.schema import journal, positions, rejects, sources
from monitor.ledger.verify import verify
from streams.engine import Delivery, Engine
from streams.kafka import pump
from streams.kafka.gaps import Stretch
from streams.kafka.meters import WorkerMeters
from streams.kafka.neighbours import OtherPartitions
from streams.kafka.producing import Unsent
from streams.kafka.pump import Hole, Pump
from streams.kafka.records import Control, Outgoing, Said, control
from tests.databases import ledger_url, scratch_ledger
from tests.small_centre import RULEBOOK, assess_plainly, at, event, heartbeat
from tests.streams.kafka.scripted_log import Broker, Record, ScriptedLog

pytestmark = pytest.mark.usefixtures("each_database")

PARTITIONS = 4
DEPLOYMENT = Deployment(cluster="c", topic_id="t", topic="case-events", partitions=PARTITIONS, group="supervision")


class Station:
    """A pump on a ledger, between a scripted log and a broker that keeps what is passed on."""

    def __init__(self, url: str, home: int = 0, everything_is_home: bool = True) -> None:
        self.ledger = Ledger.open(url)
        self.ledger.publish(RULEBOOK)
        self.lease = self.ledger.lease()
        with self.ledger.write() as connection:
            claim(connection, DEPLOYMENT)
        self.log, self.broker, self.confirmed = ScriptedLog(), Broker(), 0
        others = OtherPartitions(self.broker, "case-events", PARTITIONS, home, WorkerMeters())  # type: ignore[arg-type]
        if everything_is_home:
            others.is_home = lambda case: True  # type: ignore[method-assign]
        self._neighbours, self._home = others, home
        self.pump = self.opened()

    def opened(self) -> Pump:
        """Take the partition over, as a worker does after a rebalance."""
        stream = f"case-events/{self._home}"
        engine = Engine(self.ledger, stream, assess_plainly, lease=self.lease, neighbours=self._neighbours)
        return Pump(engine, self._home, WorkerMeters(), self._confirm)

    def _confirm(self) -> None:
        self.confirmed += 1

    def journalled(self) -> list[str]:
        """Name the events in the journal, in the order they were taken."""
        with self.ledger.read() as connection:
            rows = connection.execute(select(journal.c.case, journal.c.id).order_by(journal.c.seq)).all()
        return [f"{row.case}-{row.id}" for row in rows]

    def position(self) -> int:
        """Read which offset the ledger awaits."""
        with self.ledger.read() as connection:
            return connection.execute(select(positions.c.next)).scalar_one()

    def fingerprint(self) -> str:
        """Give the canonical digest; the ledger must be sound."""
        assert verify(self.ledger, assess_plainly).difference is None
        return digest(self.ledger, at(30), assess_plainly)

    def close(self) -> None:
        self.lease.release()
        self.ledger.close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """Give a pump on an empty ledger; every case belongs to its partition."""
    opened = Station(ledger_url(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def one_of_four(tmp_path: Path) -> Iterator[Station]:
    """Give the pump of partition 0 of four."""
    opened = Station(ledger_url(tmp_path), everything_is_home=False)
    yield opened
    opened.close()


def steps(case: str = "c1") -> list[Event]:
    """Give three events of a case."""
    return [event("apply", case), event("accept", case, at(1)), event("finish", case, at(2))]


def test_position_and_horizon_follow_what_is_read(station: Station) -> None:
    """After a run the next offset is awaited, and time has passed up to the last append."""
    for number, each in enumerate(steps()):
        station.log.append(each, at(number, hours=1))
    station.pump.take(station.log.records)
    assert (station.pump.next, station.position(), station.pump.horizon) == (3, 3, at(2, hours=1))
    assert station.journalled() == ["c1-apply", "c1-accept", "c1-finish"]


def test_what_was_committed_is_dropped(station: Station) -> None:
    """Records below the position change nothing, not even a counter of duplicates; the topic is confirmed first."""
    for each in steps():
        station.log.append(each, at(1))
    station.pump.take(station.log.records[:2])
    assert station.confirmed == 0
    station.pump.take(station.log.records)
    assert station.journalled() == ["c1-apply", "c1-accept", "c1-finish"]
    with station.ledger.read() as connection:
        assert connection.execute(select(sources.c.duplicate)).scalar_one() == 0
    assert station.confirmed == 1


def test_records_of_another_topic_are_not_taken(station: Station) -> None:
    """Where the topic turns out to be another one, nothing of the run is taken."""
    for each in steps():
        station.log.append(each, at(1))
    station.pump.take(station.log.records[:2])

    def recreated() -> None:
        raise RuntimeError("another topic")

    station.pump._confirm = recreated
    with pytest.raises(RuntimeError, match="another topic"):
        station.pump.take(station.log.records)
    assert station.position() == 2


def test_a_hole_is_read_again_before_anything_behind_it(station: Station) -> None:
    """Runs from behind a hole are not taken; read again from the hole on, nothing is missing."""
    for case in ("a", "b", "c"):
        station.log.append(event("apply", case), at(1))
    with pytest.raises(Hole) as hole:
        station.pump.take(station.log.records[1:2])
    assert (hole.value.next, hole.value.found) == (0, 1)
    station.pump.take(station.log.records[2:])  # fetched before the seek
    assert station.journalled() == []
    station.pump.take(station.log.since(hole.value.next))
    assert station.journalled() == ["a-apply", "b-apply", "c-apply"]


def test_a_hole_lost_twice_is_a_hole_again(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken for a gap of the log because it was missing twice: it is asked for once more."""
    for case in ("a", "b", "c"):
        station.log.append(event("apply", case), at(1))
    monkeypatch.setattr("streams.kafka.pump.HOLE_SECONDS", 0)
    for _ in range(3):
        with pytest.raises(Hole):
            station.pump.take(station.log.records[1:])
    assert station.position() == 0


def test_offsets_missing_in_the_log_are_stepped_over(station: Station) -> None:
    """What the log itself does not have was never an event: transactions and compaction leave such gaps."""
    station.log.append(event("apply", "a"), at(1))
    station.log.append(event("apply", "b"), at(1), skip=5)
    station.log.append(event("apply", "c"), at(1), skip=2)
    station.pump.take(station.log.records[:1])
    with pytest.raises(Hole) as hole:
        station.pump.take(station.log.records[1:])
    station.pump.accept_gaps({hole.value.next: hole.value.found})
    station.pump.take(station.log.records[1:])
    assert station.journalled() == ["a-apply", "b-apply", "c-apply"]
    assert station.pump.next == station.log.end


def test_gaps_are_asked_for_once(station: Station) -> None:
    """Runs behind gaps that are known are taken like any others, and together with those of other partitions."""
    for number in range(20):
        station.log.append(event("apply", f"c{number}"), at(1), skip=1)
    with pytest.raises(Hole) as hole:
        station.pump.take(station.log.records[:1])
    stretch = Stretch(0, hole.value.next, tuple(record.offset for record in station.log.records))
    station.pump.accept_gaps(stretch.gaps)
    for record in station.log.records:
        assert station.pump.is_plain([record])
        station.pump.take([record])
    assert len(station.journalled()) == 20


def test_what_is_read_again_may_begin_behind_a_gap(station: Station) -> None:
    """Where a hole begins with offsets the log does not have, what is read again is taken at once, not dropped."""
    station.log.append(event("apply", "a"), at(1))
    station.log.append(event("apply", "b"), at(1), skip=2)
    for case in "cd":
        station.log.append(event("apply", case), at(1))
    station.pump.take(station.log.records[:1])
    with pytest.raises(Hole) as hole:
        station.pump.take(station.log.records[3:])
    again = station.log.since(hole.value.next)
    station.pump.accept_gaps({hole.value.next: again[0].offset})
    station.pump.take(again)
    assert station.journalled() == ["a-apply", "b-apply", "c-apply", "d-apply"]


def test_each_hole_is_one_of_its_own(station: Station) -> None:
    """A second hole behind the first is read again too."""
    for case in "abcdef":
        station.log.append(event("apply", case), at(1))
    taken = station.log.records
    with pytest.raises(Hole):
        station.pump.take(taken[1:2])
    station.pump.take(taken[:2])
    with pytest.raises(Hole) as second:
        station.pump.take(taken[4:])
    assert second.value.next == 2
    station.pump.take(taken[2:])
    assert len(station.journalled()) == 6


def test_pulse_moves_time_without_an_event(station: Station) -> None:
    """A case becomes late by pulses alone, and the position saved lies behind them."""
    station.log.append(event("apply"), at(0))
    station.log.append(control(Control.PULSE, "case-events", 0), at(4))
    station.pump.take(station.log.records)
    assert station.pump.may_change
    while station.pump.tick():
        pass
    with station.ledger.read() as connection:
        assert connection.execute(select(positions.c.next, positions.c.horizon)).one() == (2, at(4))
    assert not station.pump.may_change
    assert not station.pump.is_unsaved
    assert station.ledger.assessment("c1").light.value == "promised_breach"


def test_pulses_alone_cost_no_transaction(station: Station) -> None:
    """A partition nothing happens in is not written once a second: its owner knows what falls due, and when."""
    station.log.append(event("apply"), at(0))
    station.pump.take(station.log.records)
    while station.pump.tick():
        pass
    for second in range(5):
        record = station.log.append(control(Control.PULSE, "case-events", 0), at(0, hours=1 + second))
        station.pump.take([record])
        assert not station.pump.may_change
    assert station.position() == 1
    record = station.log.append(control(Control.PULSE, "case-events", 0), at(3.1))
    station.pump.take([record])
    assert station.pump.may_change


def test_control_words_take_their_place_among_the_events(station: Station) -> None:
    """An import holds its source back between its two words, wherever they stand in a run."""
    for word in (
        control(Control.IMPORT_BEGIN, "case-events", 0, Said("files")),
        event("apply", source="files"),
        control(Control.PULSE, "case-events", 0),
    ):
        station.log.append(word, at(10), [("monitor-backfill", b"1")] if isinstance(word, Event) else [])
    station.pump.take(station.log.records)
    while station.pump.tick():
        pass
    assert station.ledger.assessment("c1").light.value == "normal"
    ended = station.log.append(control(Control.IMPORT_END, "case-events", 0, Said("files", at(9))), at(11))
    station.pump.take([ended])
    while station.pump.tick():
        pass
    assert station.ledger.assessment("c1").light.value == "promised_breach"
    assert station.position() == 4
    assert station.fingerprint()


def test_live_elsewhere_is_live_here(station: Station) -> None:
    """A source that delivers live in another partition is no longer held to the end of its import in this one."""
    begin = control(Control.IMPORT_BEGIN, "case-events", 0, Said("files"))
    end = control(Control.IMPORT_END, "case-events", 0, Said("files", at(1)))
    station.log.append(begin, at(10))
    station.log.append(event("apply", source="files"), at(10), [("monitor-backfill", b"1")])
    station.log.append(end, at(10))
    station.pump.take(station.log.records)
    while station.pump.tick():
        pass
    assert station.ledger.assessment("c1").light.value == "normal"
    station.pump.take([station.log.append(control(Control.LIVE, "case-events", 0, Said("files")), at(10))])
    while station.pump.tick():
        pass
    assert station.ledger.assessment("c1").light.value == "promised_breach"
    assert station.fingerprint()


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"{", []),
        (None, []),
        (b"\xff", [("monitor-source", b"\xff\xfe"), ("monitor-received", b"yesterday")]),
        (b"{}", [("monitor-control", b"import_end")]),
        (b"\xff", [("monitor-control", b"live")]),
        (b"{}", [("monitor-control", b"reboot")]),
        (b"{}", [("monitor-fault", b"not json")]),
        (b"{}", [("monitor-fault", b'{"code": "no_such_code", "field": "", "detail": ""}')]),
    ],
)
def test_poison_is_a_reject(station: Station, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
    """Whatever a record holds, it ends among the rejects, and what comes behind it is taken."""
    station.log.append(value, at(1), headers)
    station.log.append(event("apply"), at(1))
    station.pump.take(station.log.records)
    with station.ledger.read() as connection:
        kept = connection.execute(select(rejects.c.code)).scalars().all()
    assert len(kept) == 1
    assert station.journalled() == ["c1-apply"]
    assert station.position() == 2


def test_large_records_are_taken_in_small_steps(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large what is no event may be, no transaction holds more of it than is bounded."""
    taken: list[int] = []
    process = pump.process_together
    monkeypatch.setattr(pump, "process_together", lambda shares: taken.append(len(shares[0].batch)) or process(shares))
    for _ in range(9):
        station.log.append(b"{" * 1_000_000, at(1))
    station.pump.take(station.log.records)
    assert taken == [5, 4]
    assert station.position() == 9


def test_sender_is_bound_to_the_source_of_its_key(station: Station) -> None:
    """An event of another source than the one the sender signed in for is rejected."""
    station.log.append(event("apply"), at(1), [("monitor-source", b"night")])
    station.pump.take(station.log.records)
    with station.ledger.read() as connection:
        assert connection.execute(select(rejects.c.code)).scalars().all() == ["foreign_source"]


def test_case_of_another_partition_is_passed_on(one_of_four: Station) -> None:
    """A record that a producer put here by another hash goes where its case belongs, with when it was received."""
    home, away = "case-0", "case-1"
    assert one_of_four._neighbours.is_home(home) is not one_of_four._neighbours.is_home(away) or home == away
    cases = [f"case-{number}" for number in range(40)]
    for case in cases:
        one_of_four.log.append(event("apply", case), at(1))
    one_of_four.pump.take(one_of_four.log.records)
    ours = [case for case in cases if one_of_four._neighbours.is_home(case)]
    assert [name.removesuffix("-apply") for name in one_of_four.journalled()] == ours
    passed = [each for each in one_of_four.broker.taken if each.key is not None]
    assert {each.key.decode() for each in passed if each.key} == set(cases) - set(ours)
    assert all(each.partition != 0 for each in passed)
    received = {dict(each.headers)["monitor-received"] for each in passed}
    assert received == {str(one_of_four.log.records[0].timestamp).encode()}


def test_case_known_to_its_own_partition_is_passed_on(one_of_four: Station) -> None:
    """What comes here of a case that its own partition has in the ledger already goes there all the same."""
    away = next(f"case-{n}" for n in range(40) if not one_of_four._neighbours.is_home(f"case-{n}"))
    its_own = Engine(one_of_four.ledger, "case-events/3", assess_plainly, lease=one_of_four.lease)
    its_own.process([Delivery(event=event("apply", away), received_at=at(1), offset=0)], at(1), 1)
    one_of_four.log.append(event("accept", away), at(2))
    one_of_four.pump.take(one_of_four.log.records)
    assert one_of_four.journalled() == [f"{away}-apply"]
    assert [each.key for each in one_of_four.broker.taken] == [away.encode()]


def test_nothing_is_committed_that_could_not_be_passed_on(one_of_four: Station) -> None:
    """While the broker does not take what belongs elsewhere, the position stays; then all of it is taken once."""
    for number in range(8):
        one_of_four.log.append(event("apply", f"case-{number}"), at(1))
    one_of_four.broker.down = True
    with pytest.raises(Unsent):
        one_of_four.pump.take(one_of_four.log.records)
    assert (one_of_four.position(), one_of_four.journalled()) == (0, [])
    one_of_four.broker.down = False
    one_of_four.pump.take(one_of_four.log.records)
    passed_on = [each for each in one_of_four.broker.taken if each.key is not None]
    assert len(one_of_four.journalled()) + len(passed_on) == 8


def test_heartbeat_reaches_every_partition_once(one_of_four: Station) -> None:
    """A heartbeat is copied to the other partitions by the one it was sent to, and by none of those."""
    one_of_four.log.append(heartbeat("hall", "h1", at(1), at(1)), at(1))
    one_of_four.pump.take(one_of_four.log.records)
    copies = [each for each in one_of_four.broker.taken if ("monitor-copy", b"1") in each.headers]
    assert [each.partition for each in copies] == [1, 2, 3]
    before = len(one_of_four.broker.taken)
    one_of_four.log.append(copies[0], at(1))
    one_of_four.pump.take(one_of_four.log.since(1))
    assert len(one_of_four.broker.taken) == before


def test_a_heartbeat_that_completes_nothing_stays_where_it_is(one_of_four: Station) -> None:
    """That its source is there, whoever looks for silence reads from all partitions; no other needs to know."""
    one_of_four.log.append(heartbeat("hall", "h1", at(1)), at(1))
    one_of_four.pump.take(one_of_four.log.records)
    assert [each for each in one_of_four.broker.taken if ("monitor-copy", b"1") in each.headers] == []


def test_first_live_delivery_is_told_to_the_others(one_of_four: Station) -> None:
    """When a source goes live the other partitions hear of it, once."""
    home = next(f"case-{n}" for n in range(40) if one_of_four._neighbours.is_home(f"case-{n}"))
    for kind in ("apply", "accept"):
        one_of_four.log.append(event(kind, home), at(1))
        one_of_four.pump.take(one_of_four.log.since(one_of_four.pump.next))
    words = [dict(each.headers).get("monitor-control") for each in one_of_four.broker.taken]
    assert words == [b"live"] * 3
    assert [each.value for each in one_of_four.broker.taken] == [b'{"source":"hall"}'] * 3


def test_what_is_known_to_be_live_is_not_told_again(one_of_four: Station) -> None:
    """A source that another partition has told the others of is not told of once more, and costs no transaction."""
    home = next(f"case-{n}" for n in range(40) if one_of_four._neighbours.is_home(f"case-{n}"))
    elsewhere = Engine(one_of_four.ledger, "case-events/1", assess_plainly, lease=one_of_four.lease)
    elsewhere.process([Delivery(content(event("apply", "case-of-1")), at(1), offset=0)], at(1), 1)
    one_of_four.log.append(event("apply", home), at(1))
    one_of_four.pump.take(one_of_four.log.records)
    assert one_of_four.broker.taken == []
    before = one_of_four.pump.engine.next
    one_of_four.pump.take([one_of_four.log.append(control(Control.LIVE, "case-events", 0, Said("hall")), at(1))])
    assert (one_of_four.pump.next, one_of_four.pump.engine.next) == (before + 1, before)


def test_a_commit_whose_answer_was_lost_is_not_repeated(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the database committed but could not say so, the same records given again change nothing."""
    for each in steps():
        station.log.append(each, at(1))
    write = station.ledger.write

    def unheard() -> object:
        class Lost:
            def __enter__(self) -> object:
                self.transaction = write()
                return self.transaction.__enter__()

            def __exit__(self, *exception: object) -> None:
                self.transaction.__exit__(*exception)  # type: ignore[arg-type]
                raise OperationalError("COMMIT", None, Exception("connection lost"))

        return Lost()

    monkeypatch.setattr(station.ledger, "write", unheard)
    with pytest.raises(OperationalError):
        station.pump.take(station.log.records)
    monkeypatch.undo()
    station.pump.take(station.log.records)
    assert station.journalled() == ["c1-apply", "c1-accept", "c1-finish"]
    assert station.pump.next == 3


class Consumer:
    """Fetches runs one after another, as a client of Kafka does; some are torn away, and a seek comes late."""

    def __init__(self, station: Station, draw: Random) -> None:
        self._station, self._draw = station, draw
        self._position, self._fetched = 0, list[list[Record]]()

    def step(self) -> None:
        """Fetch or deliver a run, tear one away, or have the partition taken over."""
        match self._draw.randrange(12):
            case 0:
                self._fetched.clear()
                self._station.pump = self._station.opened()
                self._position = self._station.pump.next
            case 1 if self._fetched:
                self._fetched.pop(0)
                # The next second brings a pulse, from behind what is lost.
                self._station.log.append(control(Control.PULSE, "case-events", 0), at(24))
            case 2:
                self._position = self._draw.randrange(self._station.pump.next + 1)
            case 3 | 4 | 5 | 6:
                self._fetch(self._station.log.since(self._position)[: self._draw.randrange(1, 6)])
            case _ if self._fetched:
                self._deliver(self._fetched.pop(0))

    def _deliver(self, run: list[Record]) -> None:
        """Give a run to the pump, and do what a worker does about a hole."""
        try:
            self._station.pump.take(run)
        except Hole as hole:
            offsets = tuple(record.offset for record in self._station.log.since(hole.next))
            stretch = Stretch(0, hole.next, offsets[: self._draw.randrange(1, 5)])
            self._station.pump.accept_gaps(stretch.gaps)
            if stretch.first == hole.found:
                self._station.pump.take(run)
            else:
                self._position = hole.next

    def _fetch(self, run: list[Record]) -> None:
        if run:
            self._fetched.append(run)
            self._position = run[-1].offset + 1


@settings(max_examples=25)
@given(st.integers(0, 2**32).map(Random))
def test_any_delivery_of_the_log_ends_in_the_same_ledger(draw: Random) -> None:
    """However runs overlap, come again or are torn away, and whoever takes over, nothing is lost or doubled."""
    with pytest.MonkeyPatch.context() as patch, scratch_ledger() as url, scratch_ledger() as plain_url:
        patch.setattr("streams.kafka.pump.HOLE_SECONDS", draw.choice([0, 0.002]))
        station, plain = Station(url), Station(plain_url)
        for number in range(draw.randrange(3, 24)):
            skip = draw.choice([0, 0, 0, 2])
            happened = draw.choice([*steps("a"), *steps("b"), None])
            for log in (station.log, plain.log):
                log.append(happened or control(Control.PULSE, "case-events", 0), at(number), skip=skip)
        last = control(Control.PULSE, "case-events", 0)
        plain.log.append(last, at(24))
        expected = _delivered_in_order(plain)
        station.log.append(last, at(24))
        consumer = Consumer(station, draw)
        while station.pump.next < station.log.end:
            consumer.step()
        while station.pump.tick():
            pass
        assert station.journalled() == plain.journalled()
        assert station.fingerprint() == expected
        station.close()
        plain.close()


def _delivered_in_order(station: Station) -> str:
    for record in station.log.records:
        try:
            station.pump.take([record])
        except Hole as hole:
            station.pump.accept_gaps({hole.next: hole.found})
            station.pump.take([record])
    while station.pump.tick():
        pass
    return station.fingerprint()


def test_passing_on_does_not_depend_on_the_key(one_of_four: Station) -> None:
    """What counts is the case in the event: a record without a key is taken, or passed on, like any other."""
    for number in range(12):
        record = one_of_four.log.append(event("apply", f"case-{number}"), at(1))
        record.key = None
    one_of_four.pump.take(one_of_four.log.records)
    passed_on: list[Outgoing] = [each for each in one_of_four.broker.taken if each.key is not None]
    assert len(one_of_four.journalled()) + len(passed_on) == 12
