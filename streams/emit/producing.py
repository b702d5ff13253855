"""The topic of a distributed monitor as the destination, for a source on the monitor's own network.

The broker says nothing of an event's content: what the workers reject is found among the monitor's rejects and in the
topic of rejects, not here.
"""

from collections.abc import Sequence

from kafka.errors import AuthorizationError

from monitor.events import EventError, decode
from streams.admission import Delivery
from streams.emit.destinations import Rejection, Stopped, Unreachable
from streams.kafka.connecting import BrokerUnusable
from streams.kafka.producing import Producer, TooLarge, Unsent
from streams.kafka.records import Outgoing, in_turn, outgoing
from streams.kafka.settings import KafkaSettings


class KafkaDestination:
    """Produces to a topic, by the settings of the environment. Raises ValueError where they name no broker."""

    def __init__(self, topic: str, settings: KafkaSettings | None = None) -> None:
        settings = settings or KafkaSettings()
        if not settings.bootstrap:
            raise ValueError(
                f"kafka://{topic}: no broker is named; set MONITOR_KAFKA_SERVERS to host:port of some, by commas"
            )
        self._topic, self._partitions = topic, 0
        self._producer = Producer(settings)

    def deliver(self, events: Sequence[bytes]) -> Sequence[Rejection | None]:
        """Produce events, each to the partition of its case; return once the broker has them all."""
        refused: list[Outgoing] = []
        try:
            self._partitions = self._partitions or self._producer.partitions(self._topic)
            records = [self._record(event) for event in events]
            for turn in in_turn(records):
                try:
                    self._producer.deliver(turn)
                except TooLarge as error:
                    refused += error.records
        except Unsent as error:
            if _lasts(error.__cause__):
                raise Stopped(
                    f"kafka://{self._topic} refuses: {error}. Nothing more is delivered until this is put right and "
                    "the program started again; every event stays in the spool"
                ) from error
            raise Unreachable(f"kafka://{self._topic}: {error}") from error
        return [_too_large(record) if record in refused else None for record in records]

    def close(self) -> None:
        """Close every connection."""
        self._producer.close()

    def _record(self, event: bytes) -> Outgoing:
        said = decode(event)
        return outgoing(Delivery(event), said.case or said.source, self._topic, self._partitions, said.case is None)


def _too_large(record: Outgoing) -> Rejection:
    error = EventError("too_large", "event", f"{len(record.value or b'')} bytes")
    return Rejection(error.code, error.field, error.detail, error.reason("en"), error.remedy("en"))


def _lasts(cause: BaseException | None) -> bool:
    """Tell whether rights or password are wrong, which no other try puts right."""
    return isinstance(cause, AuthorizationError) or (isinstance(cause, BrokerUnusable) and cause.lasting)
