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
        return self.key in ("kafka.credentials", "kafka.files", "kafka.forbidden", "kafka.no_servers")

    def say(self, lang: Lang) -> str:
        """Say it in a language."""
        return text(self.key, lang, **self.params)


def connected(
    make: Callable[..., Client], settings: KafkaSettings, seconds: float = CONNECT_SECONDS, **options: Any
) -> Client:
    """Make a client of kafka-python that has reached the broker. Raises BrokerUnusable."""
    if not settings.bootstrap:
        raise BrokerUnusable("kafka.no_servers")
    try:
        common = settings.client_options() | options
    except OSError as error:  # errors of TLS are such, too
        raise BrokerUnusable("kafka.files", detail=f"{error.filename or ''} {error}".strip()) from error
    deadline = time.monotonic() + seconds
    with _heard() as reasons:
        while True:
            attempt = max(min(deadline - time.monotonic(), _ATTEMPT_SECONDS), 0.1)
            try:
                return _made(make, common | {"bootstrap_timeout_ms": 1000 * attempt})
            except KafkaTimeoutError as error:
                reason = [error, *reasons][-1]
                if _is_refused(reason, settings) or time.monotonic() + _ATTEMPT_SECONDS / 4 > deadline:
                    raise _unusable(reason, settings) from error


@contextmanager
def administrator(settings: KafkaSettings, seconds: float = CONNECT_SECONDS) -> Iterator[KafkaAdminClient]:
    """Connect to ask about topics and to make them. Raises BrokerUnusable for whatever the broker says no to."""
    client = connected(KafkaAdminClient, settings, seconds)
    try:
        yield client
    except AuthorizationError as error:
        raise explained(error, settings) from error
    finally:
        client.close()


def explained(error: Exception, settings: KafkaSettings) -> Exception:
    """Say what a client was refused so that it can be put right; other errors are given back."""
    # An idempotent producer without a right to write is refused its number already; that error is not of the class.
    if not isinstance(error, AuthorizationError) and "Authorization" not in str(error):
        return error
    forbidden = BrokerUnusable("kafka.forbidden", **_who(settings), detail=_refused(error))
    forbidden.__cause__ = error
    return forbidden


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
    if _is_refused(reason, settings):
        return BrokerUnusable("kafka.credentials", **who, detail=detail)
    if settings.security.endswith("SSL") and "ssl" in detail.lower():
        return BrokerUnusable("kafka.tls", **who, detail=detail)
    return BrokerUnusable("kafka.unreachable", **who, detail=detail)


def _is_refused(reason: Exception, settings: KafkaSettings) -> bool:
    """Tell whether the broker does not let somebody in.

    It says so and hangs up, and kafka-python often notices the second only.
    """
    hung_up = settings.security.startswith("SASL") and "socket disconnected" in str(reason)
    return hung_up or isinstance(reason, _CREDENTIALS)


def _refused(error: Exception) -> str:
    """Name what was refused, and for which topic where the error knows it."""
    named = [" ".join(sorted(each)) if isinstance(each, set) else str(each) for each in error.args]
    return " ".join([type(error).__name__, *(each for each in named if len(each) < 250)])


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
