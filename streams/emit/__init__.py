"""The client of source systems: events go into a spool on the source's own disk, and from there to the monitor.

What lives here: the spool, the destinations (HTTP, Kafka), the thread between them, and a file followed as it grows.
Not here: how the monitor takes events (`streams.ingest`, `streams.kafka`). It is small on purpose: a source system
imports it, and Kafka's client is loaded only where events go to Kafka.
"""

from monitor.events import EventError
from streams.emit.destinations import Rejection, Stopped
from streams.emit.emitter import Emitter
from streams.emit.spool import Spool, SpoolError, SpoolFull

__all__ = ["Emitter", "EventError", "Rejection", "Spool", "SpoolError", "SpoolFull", "Stopped"]
