"""Where events go: what a destination promises, and what can come of a delivery."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec


class Rejection(msgspec.Struct, frozen=True):
    """What a receiver, or the check before the spool, found wrong with one event: it is not delivered again."""

    code: str
    field: str
    detail: str
    reason: str
    remedy: str


class Unreachable(RuntimeError):
    """The receiver did not acknowledge; what was sent may have been taken all the same, and is sent again.

    `wait_seconds` is how long it asked to be left alone.
    """

    def __init__(self, message: str, wait_seconds: float = 0.0) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(message)


class Stopped(RuntimeError):
    """Sending again would not help: the key, the rights or the address are wrong. The spool keeps everything."""


class Destination(Protocol):
    """A receiver of events."""

    def deliver(self, events: Sequence[bytes]) -> Sequence[Rejection | None]:
        """Deliver events in their order; return once they are acknowledged, with what was wrong with each.

        Raises Unreachable where it may help to try again, Stopped where it would not.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


def destination_at(url: str, key: str | None = None, ca_file: Path | None = None) -> Destination:
    """Make the destination of an address: `https://host`, `http://host:8450`, or `kafka://topic`.

    What it is made with is loaded only now. Of Kafka, where the broker is and how to sign in stand in the environment
    (`MONITOR_KAFKA_…`). Raises ValueError for an address that is none, or settings that are wrong.
    """
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.netloc and not parts.query and not parts.fragment:
        found: Destination = import_module("streams.emit.posting").HttpDestination(url, key, ca_file)
    elif parts.scheme == "kafka" and parts.netloc and not parts.path.strip("/"):
        found = import_module("streams.emit.producing").KafkaDestination(parts.netloc)
    else:
        raise ValueError(f"{url}: this is no destination; write https://HOST, http://HOST:PORT or kafka://TOPIC")
    return found
