"""Records as broken, hostile or foreign programs write them: each becomes a delivery the engine can judge."""

import pytest
from kafka.consumer.fetcher import ConsumerRecord
from msgspec import DecodeError

from streams.kafka.records import control_of, delivery, said
from tests.faults.poison import POISON, Poison

APPENDED_MS = 1_795_000_000_000


def record(poison: Poison) -> ConsumerRecord:
    """Give poison as a client of Kafka does."""
    sizes = (0, 0, 0)
    place = ("case-events", 0, 0, 7, APPENDED_MS, 1)
    return ConsumerRecord(*place, poison.key, poison.value, list(poison.headers), None, *sizes)


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_whatever_a_record_holds_becomes_a_delivery(poison: Poison) -> None:
    """No header and no value stops a worker, and none claims to have been received later than it was."""
    made = delivery(record(poison))
    assert made.raw == (poison.value or b"")
    assert made.received_at is None or made.received_at.timestamp() * 1000 <= APPENDED_MS


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_a_word_is_understood_or_refused(poison: Poison) -> None:
    """What no program of ours wrote is refused, also where the ledger could not keep what it says."""
    read = record(poison)
    if control_of(read) is None or not poison.is_event:
        return
    with pytest.raises(DecodeError):
        said(read)
