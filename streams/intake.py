"""The intake: where what comes in over HTTP goes, the engine of this process or the topic that workers read."""

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Protocol

from streams.admission import Delivery, Outcome


class Unavailable(RuntimeError):
    """Nothing is acknowledged, for the reason `code`: a key of the catalogue under `ingest`."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Intake(Protocol):
    """Whoever takes deliveries, from any thread. Everything here raises Unavailable, at once or by its future."""

    def submit(self, deliveries: Sequence[Delivery]) -> Future[list[Outcome]]:
        """Take deliveries; the future gives their outcomes once they cannot be lost any more."""

    def received(self) -> datetime | None:
        """Tell when what comes in now is received; None: that is told where it is taken from there."""

    def begin_import(self, source: str) -> Future[None]:
        """Hold a source back."""

    def end_import(self, source: str, complete_until: datetime | None) -> Future[None]:
        """Release the hold."""

    def tick(self) -> Future[int]:
        """Assess again a chunk of what time has changed; 0: nothing is left, or others do it."""
