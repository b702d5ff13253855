"""A ledger that belongs to a deployment on Kafka, as its workers see it: engines of partitions under one lease."""

from collections.abc import Iterator
from contextlib import contextmanager

from monitor.assessment import assess as assess_case
from monitor.ledger import Ledger
from monitor.ledger.deployment import Deployment, claim
from streams.engine import Assess, Engine

TOPIC = "case-events"
STREAM = f"{TOPIC}/0"
DEPLOYMENT = Deployment(cluster="c", topic_id="t", topic=TOPIC, partitions=2, group="supervision")


class Partitions:
    """The ledger's partitions; SQLite does not let a lease be shared, so that all have the one taken before."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self._lease = ledger, ledger.lease()
        with ledger.write() as connection:
            claim(connection, DEPLOYMENT)

    def engine(self, assess: Assess = assess_case, partition: int = 0) -> Engine:
        """Become the writer of a partition."""
        return Engine(self.ledger, f"{TOPIC}/{partition}", assess, lease=self._lease)

    def release(self) -> None:
        """Give the lease back."""
        self._lease.release()


@contextmanager
def owned(ledger: Ledger) -> Iterator[Partitions]:
    """Have a deployment own a ledger, and write it."""
    partitions = Partitions(ledger)
    try:
        yield partitions
    finally:
        partitions.release()
