"""Connecting to the broker, and saying why it cannot be used: a client alone says only that it gave up."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient

from monitor.language import Lang, text
from streams.kafka.settings import KafkaSettings

CONNECT_SECONDS: Final = 10.0
"""How long a broker is tried before it is said not to answer."""

_ATTEMPT_SECONDS: Final = 2.0
"""So often it is looked whether trying on makes sense: a wrong password stays wrong."""

_CREDENTIALS: Final = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError)

Client = TypeVar("Client")


class BrokerUnusable(KafkaError):  # type: ignore[misc]  # it has no types
    """The broker cannot be used as asked: a text of the catalogue says why, and what to look at."""

    def __init__(self, key: str, **params: object) -> None:
        self.key, self.params = key, params
        super().__init__(self.say("en"))

    def __str__(self) -> str:
        return self.say("en")

    @property
    def lasting(self) -> bool:
        """Tell that it stays so until somebody changes something: trying again is of no use."""
        return self.key in ("kafka.credentials", "kafka.forbidden", "kafka.no_servers")

    def say(self, lang: Lang) -> str:
        """Say it in a language."""
        return text(self.key, lang, **self.params)


def connected(
    make: Callable[..., Client], settings: KafkaSettings, seconds: float = CONNECT_SECONDS, **options: Any
) -> Client:
    """Make a client of kafka-python that has reached the broker. Raises BrokerUnusable."""
    if not settings.bootstrap:
        raise BrokerUnusable("kafka.no_servers")
    common = settings.client_options() | options
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        with _heard() as reasons:
            try:
                return _made(make, common | {"bootstrap_timeout_ms": 1000 * min(left, _ATTEMPT_SECONDS)})
            except KafkaTimeoutError as error:
                final = next((reason for reason in reasons if isinstance(reason, _CREDENTIALS)), None)
                if final is not None or left <= _ATTEMPT_SECONDS:
                    raise _unusable(final or [error, *reasons][-1], settings) from error


@contextmanager
def administrator(settings: KafkaSettings, seconds: float = CONNECT_SECONDS) -> Iterator[KafkaAdminClient]:
    """Connect to ask about topics and to make them. Raises BrokerUnusable for whatever the broker says no to."""
    client = connected(KafkaAdminClient, settings, seconds)
    try:
        yield client
    except AuthorizationError as error:
        raise BrokerUnusable("kafka.forbidden", **_who(settings), detail=_refused(error)) from error
    finally:
        client.close()


def explained(error: Exception, settings: KafkaSettings) -> str:
    """Say what a client was refused so that it can be put right."""
    if isinstance(error, AuthorizationError):
        return str(BrokerUnusable("kafka.forbidden", **_who(settings), detail=_refused(error)))
    return str(error)


def _made(make: Callable[..., Client], options: dict[str, Any]) -> Client:
    """Make a client; where it does not come about, close what it had opened, which it leaves open."""
    opened: list[KafkaNetClient] = []

    def network(**configs: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**configs))
        return opened[0]

    try:
        return make(kafka_client=network, **options)
    except BaseException:
        for each in opened:
            each.close()
        raise


def _unusable(reason: Exception, settings: KafkaSettings) -> BrokerUnusable:
    """Say what to look at, as far as can be told from why a connection failed."""
    who, detail = _who(settings), str(reason)
    if isinstance(reason, _CREDENTIALS):
        return BrokerUnusable("kafka.credentials", **who, detail=detail)
    if settings.security.endswith("SSL") and "ssl" in detail.lower():
        return BrokerUnusable("kafka.tls", **who, detail=detail)
    return BrokerUnusable("kafka.unreachable", **who, detail=detail)


def _refused(error: Exception) -> str:
    """Name what was refused, and for which topic where the error knows it."""
    return " ".join([type(error).__name__, *(str(each) for each in error.args if len(str(each)) < 250)])


def _who(settings: KafkaSettings) -> dict[str, object]:
    return {
        "servers": ",".join(settings.bootstrap),
        "user": settings.user or "-",
        "mechanism": settings.mechanism,
        "security": settings.security,
    }


def _gave_up(error: Exception) -> bool:
    return isinstance(error, KafkaTimeoutError)


@contextmanager
def _heard() -> Iterator[list[Exception]]:
    """Collect why connections fail: kafka-python tells only its log, with the exception as an argument."""
    reasons: list[Exception] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            arguments = record.args if isinstance(record.args, tuple) else ()
            reasons.extend(
                each for each in arguments if isinstance(each, Exception) and type(each) is not KafkaTimeoutError
            )

    log, ear = logging.getLogger("kafka.net.manager"), Ear(logging.WARNING)
    log.addHandler(ear)
    try:
        yield reasons
    finally:
        log.removeHandler(ear)
