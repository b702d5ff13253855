"""The door to the topic: deliveries are looked at as a worker will, and become records whatever is found.

Who sends something wrong learns it at once; that it was sent is kept by the worker, which rejects it again. Nothing is
answered before the broker has acknowledged all of it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from monitor.events import EVENT_BYTES_MAX, Event, EventError
from monitor.ledger import Ledger, positions
from monitor.ledger.texts import Marker
from monitor.rulebook.model import Rulebook
from streams.admission import Delivery, Outcome, Refused, admit
from streams.kafka.producing import Producer
from streams.kafka.records import Control, Outgoing, Said, control, in_turn, outgoing

_UNREADABLE: Final = ""
"""The key of what names neither case nor source."""


class Door:
    """Checks deliveries by the rulebook in force and produces them to a topic. Any number of threads may share it.

    Everything here raises Unsent where the broker did not acknowledge all of it, DBAPIError where the ledger cannot be
    read, LedgerError where it has no rulebook.
    """

    def __init__(self, ledger: Ledger, producer: Producer, topic: str, partitions: int) -> None:
        self._ledger, self._producer, self._topic, self._partitions = ledger, producer, topic, partitions
        self._marker = Marker.passing()  # the texts go on as they came; the worker seals them

    def take(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Produce deliveries; return for each, in their order, whether it was accepted, or rejected and why."""
        rulebook = self._rulebook()
        outcomes: list[Outcome] = []
        records: list[Outgoing] = []
        for delivery in deliveries:
            outcome, key = self._look_at(delivery, rulebook)
            outcomes.append(outcome)
            heartbeat = outcome.status == "accepted" and outcome.case is None
            records.append(outgoing(_shortened(delivery), key, self._topic, self._partitions, heartbeat))
        for turn in in_turn(records):
            self._producer.deliver(turn)
        return outcomes

    def begin_import(self, source: str) -> None:
        """Have every partition hold a source back. Whatever is produced after it is read after it."""
        self._tell(Control.IMPORT_BEGIN, Said(source))

    def end_import(self, source: str, complete_until: datetime | None) -> None:
        """Have every partition release the hold, once it has read what was produced before."""
        self._tell(Control.IMPORT_END, Said(source, complete_until))

    def _tell(self, kind: Control, said: Said) -> None:
        self._producer.deliver([control(kind, self._topic, each, said) for each in range(self._partitions)])

    def _look_at(self, delivery: Delivery, rulebook: Rulebook) -> tuple[Outcome, str]:
        """Tell what a worker will say of a delivery, and the key it goes by."""
        try:
            event = admit(delivery, rulebook, self._marker).event
        except Refused as refused:
            found = refused.event
            if found is None:
                return Outcome("rejected", error=refused.error), delivery.bound_source or _UNREADABLE
            return Outcome("rejected", found.id, found.case, refused.error), _key(found)
        return Outcome("accepted", event.id, event.case), _key(event)

    def _rulebook(self) -> Rulebook:
        now = datetime.now(UTC)
        with self._ledger.read() as connection:
            horizon = max(now, positions.last_horizon(connection) or now)
            return self._ledger.publications.history(connection, horizon).current.rulebook


def _key(event: Event) -> str:
    return event.case if event.case is not None else event.source


def _shortened(delivery: Delivery) -> Delivery:
    """Leave out of what cannot be an event what a record could not hold: the ledger keeps as much of a reject."""
    written = delivery.written
    if len(written) <= EVENT_BYTES_MAX:
        return delivery
    fault = delivery.fault or EventError("too_large", "event", f"{len(written)} > {EVENT_BYTES_MAX} bytes")
    return replace(delivery, raw=written[:EVENT_BYTES_MAX], event=None, fault=fault)
