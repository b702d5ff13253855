"""Admission: tell whether a delivery is an event we may take, from a source that may send it."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from monitor.events import CONSOLE, VERDICTS, Event, EventError, EventType, content, content_hash, decode
from monitor.ledger.texts import Marker
from monitor.rulebook.model import Rulebook

OF_THE_CONSOLE = VERDICTS | {EventType.RETRACT, EventType.HEARTBEAT}
"""What the console sends: it decides on findings and takes no part in a case."""


class Delivery(msgspec.Struct, frozen=True):
    """An event as it arrives: its bytes (or the event itself, from an importer or simulator) and its envelope.

    `received_at` None means what a backfill means: when it was recorded, else when it happened. `bound_source` is
    the source the sender's API key is bound to. `fault` is what was found wrong with the delivery
    before it could be taken apart (an array cut off): it is rejected with it. `offset` is its place in a stream that
    is read from a log, and `copy` says that this heartbeat was read in another stream already. `is_known` says that
    another ledger has taken it, by the rulebook of then: no source has to be registered for it any more.
    """

    raw: bytes = b""
    received_at: datetime | None = None
    backfill: bool = False
    bound_source: str | None = None
    event: Event | None = None
    fault: EventError | None = None
    offset: int | None = None
    copy: bool = False
    is_known: bool = False

    @property
    def written(self) -> bytes:
        """The bytes delivered; of an event given decoded, its canonical content."""
        return self.raw if self.event is None else content(self.event)


class Outcome(msgspec.Struct, frozen=True):
    """What became of a delivery; `error` says why it was rejected.

    What is accepted will be applied by a worker; what was passed on belongs to another stream.
    """

    status: Literal["applied", "duplicate", "accepted", "rejected", "passed_on"]
    id: str | None = None
    case: str | None = None
    error: EventError | None = None


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """An event that may be taken, with its canonical content; `text` is what its mark stands for, where it was said."""

    event: Event
    content: bytes
    content_hash: bytes
    received_at: datetime
    backfill: bool
    text: str | None = None


def admit(delivery: Delivery, rulebook: Rulebook, marker: Marker) -> Admitted:
    """Decode a delivery and check that its source may send it; from here on its text is a mark. Raises Refused."""
    if delivery.fault is not None:
        raise Refused(delivery.fault, None)
    try:
        # An event given decoded is decoded again too: what enters the journal must be readable for ever.
        event = decode(delivery.written)
    except EventError as error:
        raise Refused(error, None) from error
    error_found = None if delivery.is_known else _objection(event, delivery.bound_source, rulebook)
    if error_found is not None:
        raise Refused(error_found, event)
    event, said = marker.seal(event)
    written = content(event)
    received_at = delivery.received_at or event.recorded or event.time
    assert received_at.tzinfo is not None, "an event is received at an aware instant"
    return Admitted(event, written, content_hash(written), received_at.astimezone(UTC), delivery.backfill, said)


class Refused(Exception):
    """A delivery that may not be taken: the `error`, and the `event` as far as it could be read."""

    def __init__(self, error: EventError, event: Event | None) -> None:
        self.error, self.event = error, event
        super().__init__(str(error))


def _objection(event: Event, bound_source: str | None, rulebook: Rulebook) -> EventError | None:
    if bound_source is not None and event.source != bound_source:
        return EventError("foreign_source", "source", f"{event.source} != {bound_source}")
    source = rulebook.source.get(event.source)
    if source is None:
        return EventError("unregistered_source", "source", event.source)
    misplaced = event.type not in OF_THE_CONSOLE if event.source == CONSOLE else event.type in VERDICTS
    if misplaced or not source.can_send(event.type):
        return EventError("type_not_declared", "type", event.type.value)
    if event.region is not None and not rulebook.may_speak_for(source, event.region):
        return EventError("foreign_region", "region", event.region)
    return None
