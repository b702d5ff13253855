"""Which fields matter in which events, and how often a source fills them."""

from collections import Counter
from typing import Final

import msgspec

from monitor.events import Event, EventType

T = EventType

_NO_OPERATOR: Final = frozenset({T.CONSULT, T.APPLY, T.RATING, T.TICKET, T.COMPLAINT_FILED, T.REQUEST_FILED, T.RETRACT})
"""What applicants do, or machines."""
_WHY: Final = "reason"
"""Stands for any of reason_code, reason_hash and text."""

_OF_TYPE: Final[dict[EventType, tuple[str, ...]]] = {
    T.CONSULT: ("channel",),
    T.APPLY: ("channel", "applicant"),
    T.SUPPLEMENT_NOTICE: ("materials",),
    T.ACCEPT: ("window", "voucher"),
    T.REFUSE: ("window", "voucher", _WHY, "legal_basis", "remedies_told"),
    T.TRANSFER: ("to",),
    T.SITE_CHECK: ("officers",),
    T.HEARING: ("officers", "chair"),
    T.SUSPEND: ("procedure", "legal_basis", "planned_days", "told_at", "approver", "approver_role"),
    T.RESUME: ("result",),
    T.EXTEND: ("days", "legal_basis", "told_at", "approver", "approver_role"),
    T.APPROVE: ("outcome",),
    T.FEE: ("fee", "amount", "fee_act", "method"),
    T.FINISH: ("outcome",),
    T.WITHDRAW: ("confirmed",),
    T.RATING: ("rating",),
    T.COMPLAINT_FILED: ("against",),
}


class Filled(msgspec.Struct, frozen=True):
    """How many of a source's events of a type say a field."""

    type: str
    field: str
    filled: int
    events: int


class Fields:
    """Count which fields are filled."""

    def __init__(self) -> None:
        self.events: Counter[EventType] = Counter()
        self._filled: Counter[tuple[EventType, str]] = Counter()

    def add(self, event: Event) -> None:
        """Take an event."""
        self.events[event.type] += 1
        for field in _fields_of(event.type):
            if _says(event, field):
                self._filled[event.type, field] += 1

    def filled(self) -> list[Filled]:
        """List each type that was seen with the fields that matter in it, in the order of types."""
        return [
            Filled(kind.value, field, self._filled[kind, field], self.events[kind])
            for kind in EventType
            if self.events[kind]
            for field in _fields_of(kind)
        ]

    def share(self, field: str) -> float | None:
        """Tell in what share of the events in which it matters a field is filled; None: there are none."""
        asked = sum(count for kind, count in self.events.items() if field in _fields_of(kind))
        told = sum(count for (_, name), count in self._filled.items() if name == field)
        return told / asked if asked else None


def _fields_of(kind: EventType) -> tuple[str, ...]:
    if kind is T.HEARTBEAT:
        return ()
    always = ("recorded",) if kind in _NO_OPERATOR else ("recorded", "operator")
    return (*always, *_OF_TYPE.get(kind, ()))


def _says(event: Event, field: str) -> bool:
    if field == _WHY:
        data = event.data
        return any(value is not None for value in (data.reason_code, data.reason_hash, data.text))
    holder = event if field in Event.__struct_fields__ else event.data
    return getattr(holder, field) is not None
