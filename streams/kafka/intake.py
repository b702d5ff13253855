"""The intake of `monitor serve`: what comes in over HTTP is produced to the topic, and answered once it is there."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Final, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Gauge, Histogram
from sqlalchemy.exc import InterfaceError, OperationalError

from monitor.ledger import Ledger
from streams.admission import Delivery, Outcome
from streams.intake import Unavailable
from streams.kafka.door import Door
from streams.kafka.producing import NotSent, Producer, Unsent
from streams.kafka.settings import KafkaSettings
from streams.kafka.topic_watch import TopicWatch

log = structlog.get_logger(__name__)

THREADS: Final = 16
"""Requests at work at once: they mostly wait for the broker."""
UNACKNOWLEDGED_EVENTS_MAX: Final = 20_000
"""Some seconds of work. Who comes later is better told to come again than kept waiting."""
ACKNOWLEDGED_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

T = TypeVar("T")


class IntakeMeters:
    """What the intake tells of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.unacknowledged = Gauge(
            "supervision_unacknowledged_events", "Events taken that the broker has not acknowledged.", registry=registry
        )
        self.seconds = Histogram(
            "supervision_acknowledge_seconds",
            "Time from taking a request until the broker has acknowledged all of it.",
            buckets=ACKNOWLEDGED_SECONDS,
            registry=registry,
        )
        self.reachable = Gauge(
            "supervision_broker_reachable", "1 while the broker answers and has the topic.", registry=registry
        )


class KafkaIntake:
    """Takes deliveries to the topic that `watch` looks at. See `streams.intake.Intake`."""

    def __init__(self, ledger: Ledger, settings: KafkaSettings, watch: TopicWatch, meters: IntakeMeters) -> None:
        self._ledger, self._settings, self._watch, self._meters = ledger, settings, watch, meters
        self._producer = Producer(settings)
        meters.reachable.set_function(lambda: watch.reachable)
        self._workers = ThreadPoolExecutor(THREADS, thread_name_prefix="intake")
        self._lock = threading.Lock()
        self._unacknowledged = 0
        self._stopping = False

    @property
    def ready(self) -> bool:
        """Tell whether deliveries are taken, as far as the last look at the topic showed."""
        return self._watch.reachable and not self._stopping

    def submit(self, deliveries: Sequence[Delivery]) -> Future[list[Outcome]]:
        """Produce deliveries; the future gives their outcomes once the broker has acknowledged all of them."""
        return self._run(len(deliveries), lambda door: door.take(deliveries))

    def received(self) -> None:
        """Leave it to the broker to say when an event was received."""

    def begin_import(self, source: str) -> Future[None]:
        """Have every partition hold a source back."""
        return self._run(1, lambda door: door.begin_import(source))

    def end_import(self, source: str, complete_until: datetime | None) -> Future[None]:
        """Have every partition release the hold."""
        return self._run(1, lambda door: door.end_import(source, complete_until))

    def tick(self) -> Future[int]:
        """Leave it to the workers."""
        nothing: Future[int] = Future()
        nothing.set_result(0)
        return nothing

    def begin_stop(self) -> None:
        """Take nothing new."""
        self._stopping = True

    def close(self) -> None:
        """Wait until everything taken is acknowledged, or given up, and close every connection to the broker."""
        self._stopping = True
        self._workers.shutdown()
        self._producer.close()

    def _run(self, events: int, act: Callable[[Door], T]) -> Future[T]:
        """Do something at the door in a thread of our own. Raises Unavailable, and so does the future."""
        with self._lock:
            partitions = self._partitions()
            if self._unacknowledged and self._unacknowledged + events > UNACKNOWLEDGED_EVENTS_MAX:
                raise Unavailable("busy")
            self._count(events)
        began = time.monotonic()

        def work() -> T:
            try:
                done = act(Door(self._ledger, self._producer, self._settings.topic, partitions))
            except NotSent as error:
                log.warning("nothing could be sent to the broker", error=str(error))
                raise Unavailable("broker") from error
            except Unsent as error:
                log.warning("the broker did not acknowledge a request", error=str(error))
                raise Unavailable("ambiguous") from error
            except (OperationalError, InterfaceError) as error:
                log.error("the ledger could not be read", error=str(error))
                raise Unavailable("ledger") from error
            self._meters.seconds.observe(time.monotonic() - began)
            return done

        answer = self._workers.submit(work)
        answer.add_done_callback(lambda _: self._release(events))
        return answer

    def _partitions(self) -> int:
        if self._stopping:
            raise Unavailable("stopping")
        topic = self._watch.topic
        if not self._watch.reachable or topic is None:
            raise Unavailable("broker")
        return topic.partitions

    def _release(self, events: int) -> None:
        with self._lock:
            self._count(-events)

    def _count(self, events: int) -> None:
        self._unacknowledged += events
        self._meters.unacknowledged.set(self._unacknowledged)
