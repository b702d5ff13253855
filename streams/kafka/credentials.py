"""What Faust signs in with, from the settings that every other client is made with."""

from faust import SASLCredentials
from faust.auth import Credentials, SSLCredentials

from streams.kafka.settings import KafkaSettings


def faust_credentials(settings: KafkaSettings) -> Credentials | None:
    """Give the `broker_credentials` of a Faust app. Raises OSError for files that cannot be used."""
    context = settings.tls()
    if settings.security.startswith("SASL"):
        return SASLCredentials(
            username=settings.user, password=settings.secret(), ssl_context=context, mechanism=settings.mechanism
        )
    return None if context is None else SSLCredentials(context)
