"""The deployment a ledger belongs to: the first to claim it keeps it, and nobody else gets in."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.ledger import Ledger, LedgerError
from monitor.ledger.deployment import Deployment, claim, owner_of, refuse_owned
from tests.databases import ledger_url
from tests.small_centre import opened_engine

pytestmark = pytest.mark.usefixtures("each_database")

OURS = Deployment("cluster-1", "topic-id-1", "case-events", 64, "supervision")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Open an empty ledger."""
    with Ledger.open(ledger_url(tmp_path)) as opened:
        yield opened


def test_a_ledger_remembers_whose_it_is(ledger: Ledger) -> None:
    """The first claim is written, the same one later is welcome."""
    with ledger.write() as connection:
        assert owner_of(connection) is None
        refuse_owned(connection)
        claim(connection, OURS)
    with ledger.write() as connection:
        claim(connection, OURS)
        assert owner_of(connection) == OURS


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"cluster": "cluster-2"}, "check MONITOR_KAFKA_SERVERS"),
        ({"topic": "other-events"}, "check MONITOR_KAFKA_TOPIC"),
        ({"topic_id": "topic-id-2"}, "deleted and made again"),
        ({"partitions": 128}, "sent to the topic again"),
        ({"group": "trial"}, "check MONITOR_KAFKA_GROUP"),
    ],
)
def test_another_deployment_is_refused(ledger: Ledger, changed: dict[str, str | int], remedy: str) -> None:
    """Both are named, and what to do; the ledger stays whose it was."""
    other = msgspec.structs.replace(OURS, **changed)
    with ledger.write() as connection:
        claim(connection, OURS)
    with ledger.write() as connection, pytest.raises(LedgerError, match=remedy) as refused:
        claim(connection, other)
    assert str(OURS) in str(refused.value)
    assert str(other) in str(refused.value)
    with ledger.read() as connection:
        assert owner_of(connection) == OURS


def test_a_ledger_written_without_kafka_is_not_taken_over(tmp_path: Path) -> None:
    """Its cases belong to a stream that no partition is; nothing is remembered of who asked."""
    with opened_engine(tmp_path) as engine:
        with pytest.raises(LedgerError, match="written without Kafka"), engine.ledger.write() as connection:
            claim(connection, OURS)
        with engine.ledger.read() as connection:
            assert owner_of(connection) is None


def test_a_ledger_of_workers_is_kept_from_an_embedded_runtime(ledger: Ledger) -> None:
    """Whoever would write it alone learns whose it is and how events reach it."""
    with ledger.write() as connection:
        claim(connection, OURS)
        with pytest.raises(LedgerError, match="set MONITOR_KAFKA_SERVERS"):
            refuse_owned(connection)
