"""The topic of a distributed monitor as the destination, for a source on the monitor's own network.

The broker says nothing of an event's content: what the workers reject is found among the monitor's rejects and in the
topic of rejects, not here.
"""

from collections.abc import Sequence

from kafka.errors import KafkaError, MessageSizeTooLargeError

from monitor.events import decode
from streams.admission import Delivery
from streams.emit.destinations import Rejection, Stopped, Unreachable
from streams.kafka.connecting import BrokerUnusable
from streams.kafka.producing import Producer, Unsent
from streams.kafka.records import Outgoing, in_turn, outgoing
from streams.kafka.settings import KafkaSettings


class KafkaDestination:
    """Produces to a topic, by the settings of the environment. Raises ValueError where they name no broker."""

    def __init__(self, topic: str, settings: KafkaSettings | None = None) -> None:
        self._settings = settings or KafkaSettings()
        if not self._settings.bootstrap:
            raise ValueError(
                f"kafka://{topic}: no broker is named; set MONITOR_KAFKA_SERVERS to host:port of some, by commas"
            )
        self._topic, self._partitions = topic, 0
        self._producer: Producer | None = None

    def deliver(self, events: Sequence[bytes]) -> Sequence[Rejection | None]:
        """Produce events, each to the partition of its case; return once the broker has them all."""
        try:
            producer = self._connected()
            for turn in in_turn([self._record(event) for event in events]):
                producer.deliver(turn)
        except (Unsent, KafkaError) as error:
            cause = error.__cause__ if isinstance(error, Unsent) else error
            if isinstance(cause, MessageSizeTooLargeError) and len(events) == 1:
                return [Rejection("too_large", "event", f"{len(events[0])} bytes", str(cause), "")]
            if isinstance(cause, BrokerUnusable) and cause.lasting:
                raise Stopped(
                    f"kafka://{self._topic} refuses: {cause}. Nothing more is delivered until user, password or rights "
                    "are put right and the program started again; every event stays in the spool"
                ) from error
            raise Unreachable(f"kafka://{self._topic}: {error}") from error
        return [None] * len(events)

    def close(self) -> None:
        """Close every connection."""
        if self._producer is not None:
            self._producer.close()

    def _connected(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._settings)
        if not self._partitions:
            self._partitions = self._producer.partitions(self._topic)
        return self._producer

    def _record(self, event: bytes) -> Outgoing:
        said = decode(event)
        return outgoing(Delivery(event), said.case or said.source, self._topic, self._partitions, said.case is None)
