"""The other streams of a ledger that several share: what one of them reads may belong to another, or concern all."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from streams.admission import Delivery


class Elsewhere(msgspec.Struct):
    """What a turn read that is not, or not only, for its own `stream`.

    `misplaced` events, each behind its case, belong to another stream; each of the `heartbeats` speaks for its source
    in every stream; the `live` sources delivered live here for the first time, from when on an import of theirs no
    longer says how far they may be judged, in any stream.
    """

    stream: str
    misplaced: list[tuple[str, Delivery]] = []
    heartbeats: list[Delivery] = []
    live: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.misplaced or self.heartbeats or self.live)


class Neighbours(Protocol):
    """The streams beside one."""

    def is_home(self, case: str) -> bool:
        """Tell whether a case belongs to this stream."""

    def pass_on(self, told: Sequence[Elsewhere]) -> None:
        """Bring to the other streams what concerns them, of one or several; return once it cannot be lost any more.

        Called before the transaction commits, so that it may happen again for the same deliveries.
        """
