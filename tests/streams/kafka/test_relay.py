"""The relay publishes every message at least once and in order, whoever fails meanwhile."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from monitor.ledger import Ledger, LedgerError
from monitor.ledger.relays import FindingMessage
from monitor.verdict import finding_id
from streams.engine import Delivery
from streams.kafka import relay as relaying
from streams.kafka.producing import Unsent
from streams.kafka.records import Outgoing
from streams.kafka.relay import Relay, RelayMeters, RelayThread, streams_to_relay
from streams.kafka.settings import KafkaSettings
from tests.databases import ledger_url
from tests.owned import STREAM, Partitions, owned
from tests.small_centre import RULEBOOK, assess_plainly, at, delivered, event

pytestmark = pytest.mark.usefixtures("each_database")

SETTINGS = KafkaSettings(findings_topic="city-findings", rejected_topic="city-rejected")
SECONDS = 30


class Taken:
    """A broker that acknowledges, unless it is told how to fail; `records` are all that it has, failed or not."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.fail: Callable[[], None] = lambda: None

    def deliver(self, records: Sequence[Outgoing]) -> None:
        self.records += records
        self.fail()

    def keys(self) -> list[str]:
        return [(record.key or b"").decode() for record in self.records]


@pytest.fixture
def partitions(tmp_path: Path) -> Iterator[Partitions]:
    """Give a ledger that belongs to a deployment of two partitions; in each one there are three late cases."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(RULEBOOK)
        with owned(ledger) as partitions:
            for partition in range(2):
                found_late(partitions, partition, 3)
            yield partitions


@pytest.fixture
def ledger(partitions: Partitions) -> Ledger:
    """Give that ledger itself."""
    return partitions.ledger


def found_late(partitions: Partitions, partition: int, cases: int, first: int = 0) -> None:
    """Have late cases found in a partition, one after the other."""
    engine = partitions.engine(assess_plainly, partition)
    for number in range(first, first + cases):
        engine.process(delivered(event(case=f"{partition}-{number}")), at(9))


def findings_of(partition: int, cases: int = 3) -> list[str]:
    """Name the findings of a partition in the order in which they were found."""
    return [finding_id(f"{partition}-{number}", "V01") for number in range(cases)]


def test_messages_are_published_in_order_and_taken_out(ledger: Ledger) -> None:
    """One pass brings each message to its topic, under its key, as the JSON that is documented; the next has none."""
    broker = Taken()
    relay = Relay(ledger, broker, SETTINGS)
    assert (relay.backlog({STREAM}), relay.relay({STREAM}), relay.relay({STREAM})) == (3, 3, 0)
    assert broker.keys() == findings_of(0)
    assert {record.topic for record in broker.records} == {"city-findings"}
    messages = [msgspec.json.decode(record.value or b"", type=FindingMessage) for record in broker.records]
    assert [(each.case, each.act, each.ledger) for each in messages] == [
        (f"0-{number}", "raise", ledger.id) for number in range(3)
    ]
    assert sorted(each.seq for each in messages) == [each.seq for each in messages]


def test_rejects_go_to_their_own_topic(ledger: Ledger, partitions: Partitions) -> None:
    """A reject is published under its source; one that nobody registered sent has no key."""
    engine = partitions.engine(assess_plainly)
    engine.process([Delivery(b"{", at(9), bound_source="hall"), Delivery(b"[", at(9))], at(9))
    broker = Taken()
    Relay(ledger, broker, SETTINGS).relay({STREAM})
    assert [record.key for record in broker.records if record.topic == "city-rejected"] == [b"hall", None]


def test_a_topic_that_takes_nothing_keeps_nothing_back_from_the_other(ledger: Ledger, partitions: Partitions) -> None:
    """Findings are published, once, while rejects cannot be; those wait, and the failure is told."""
    partitions.engine(assess_plainly).process([Delivery(b"{", at(9))], at(9))
    broker = Taken()
    relay = Relay(ledger, broker, SETTINGS)

    def no_rejects() -> None:
        if broker.records[-1].topic == "city-rejected":
            _unsent()

    broker.fail = no_rejects
    for _ in range(2):
        with pytest.raises(Unsent):
            relay.relay({STREAM})
    assert [record.topic for record in broker.records] == 3 * ["city-findings"] + 2 * ["city-rejected"]
    assert relay.backlog({STREAM}) == 1


def test_a_pass_is_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much waits, a pass publishes so much; the next goes on where it ended."""
    monkeypatch.setattr(relaying, "MESSAGES_MAX", 2)
    broker = Taken()
    relay = Relay(ledger, broker, SETTINGS)
    assert [relay.relay({STREAM}) for _ in range(3)] == [2, 1, 0]
    assert broker.keys() == findings_of(0)


def test_what_the_broker_did_not_acknowledge_is_published_once_more(ledger: Ledger) -> None:
    """After a failure everything of the pass is published again, in order: repeated rather than lost."""
    broker = Taken()
    relay = Relay(ledger, broker, SETTINGS)
    broker.fail = _unsent
    with pytest.raises(Unsent):
        relay.relay({STREAM})
    broker.fail = lambda: None
    assert relay.relay({STREAM}) == 3
    assert broker.keys() == 2 * findings_of(0)


def test_the_next_owner_goes_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker killed after the broker acknowledged: the next owner repeats those, and no others."""
    first, second = Taken(), Taken()
    monkeypatch.setattr(relaying, "MESSAGES_MAX", 2)
    Relay(ledger, first, SETTINGS).relay({STREAM})
    first.fail = _killed
    with pytest.raises(KeyboardInterrupt):
        Relay(ledger, first, SETTINGS).relay({STREAM})
    assert first.keys() == findings_of(0)
    Relay(ledger, second, SETTINGS).relay({STREAM})
    assert second.keys() == findings_of(0)[2:]


def test_two_relays_of_one_stream_skip_nothing(ledger: Ledger, partitions: Partitions) -> None:
    """While a partition changes hands both may publish: something twice perhaps, but everything."""
    old, new = Taken(), Taken()
    late = Relay(ledger, new, SETTINGS)

    def taken_over() -> None:
        late.relay({STREAM})
        found_late(partitions, 0, 2, first=3)

    old.fail = taken_over
    Relay(ledger, old, SETTINGS).relay({STREAM})
    late.relay({STREAM})
    assert (old.keys(), new.keys()) == (findings_of(0), findings_of(0, 5))


def test_only_streams_that_are_owned_are_relayed(ledger: Ledger) -> None:
    """What another worker owns is left to it."""
    broker = Taken()
    relay = Relay(ledger, broker, SETTINGS)
    assert (relay.relay(set()), relay.relay(streams_to_relay("case-events", [1]))) == (0, 3)
    assert broker.keys() == findings_of(1)


def test_what_is_about_rulebooks_is_relayed_by_the_owner_of_the_first_partition() -> None:
    """It belongs to no partition, and is published by one worker at a time."""
    assert streams_to_relay("case-events", [0, 3]) == {"case-events/0", "case-events/3", ""}
    assert streams_to_relay("case-events", [1, 3]) == {"case-events/1", "case-events/3"}


def test_a_ledger_without_a_deployment_is_refused(tmp_path: Path) -> None:
    """It keeps no messages, so that a relay would be silent for ever."""
    with (
        Ledger.open(ledger_url(tmp_path, "alone")) as alone,
        pytest.raises(LedgerError, match="belongs to no deployment"),
    ):
        Relay(alone, Taken(), SETTINGS)


def test_the_thread_goes_on_after_failures(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broker and database may fail again and again; then everything is published, and the meters say so."""
    monkeypatch.setattr(relaying, "BACKOFF_SECONDS", (0.0,))
    monkeypatch.setattr(relaying, "PAUSE_SECONDS", 0.01)
    failures = iter([_unsent, _database_gone, _unsent])
    broker, registry, published = Taken(), CollectorRegistry(), threading.Event()

    def fail() -> None:
        failing = next(failures, None)
        if failing is not None:
            failing()
        published.set()

    broker.fail = fail
    thread = RelayThread(Relay(ledger, broker, SETTINGS), lambda: {STREAM}, RelayMeters(registry))
    thread.start()
    assert published.wait(SECONDS)
    assert thread.stop(SECONDS)
    assert thread.failure is None
    assert broker.keys() == 4 * findings_of(0)
    assert registry.get_sample_value("supervision_relay_errors_total") == 3
    assert registry.get_sample_value("supervision_relay_messages_total") == 3
    assert registry.get_sample_value("supervision_relay_backlog_messages") == 0
    assert registry.get_sample_value("supervision_relay_last_success_timestamp_seconds") > 0  # type: ignore[operator]


def test_any_other_error_ends_the_thread_and_is_kept(ledger: Ledger) -> None:
    """A defect is not tried again for ever in silence: the worker finds it and ends."""
    broker, failed = Taken(), threading.Event()

    def fail() -> None:
        failed.set()
        raise ZeroDivisionError

    broker.fail = fail
    thread = RelayThread(Relay(ledger, broker, SETTINGS), lambda: {STREAM}, RelayMeters(CollectorRegistry()))
    thread.start()
    assert failed.wait(SECONDS)
    assert thread.stop(SECONDS)
    assert isinstance(thread.failure, ZeroDivisionError)


def _unsent() -> None:
    raise Unsent("the broker is gone")


def _killed() -> None:
    raise KeyboardInterrupt


def _database_gone() -> None:
    raise OperationalError("DELETE", None, Exception("server closed the connection"))
