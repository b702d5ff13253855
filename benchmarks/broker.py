"""A real broker to measure with: that of the tests, in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from streams.kafka.settings import KafkaSettings
from tests.kafka import KafkaServer

JAVA: Final = ("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-Dlog4j2.level=WARN")
"""As a broker that is to last: the tests' own is quick to start, and then compiles itself no further."""


@contextmanager
def broker() -> Iterator[KafkaSettings]:
    """Run a broker; give the settings by which it is reached."""
    server = KafkaServer(java=JAVA)
    try:
        yield server.broker.settings()
    finally:
        server.stop()
