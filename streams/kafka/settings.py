"""Settings of the distributed runtime: where the broker is, how to sign in, and what its topics are called."""

import ssl
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]


class KafkaSettings(BaseSettings):
    """How to reach the broker, from the environment: every setting is called `MONITOR_KAFKA_…`.

    Without `servers` there is no broker, and the embedded runtime is meant.
    """

    model_config = SettingsConfigDict(
        env_prefix="MONITOR_KAFKA_", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    servers: str | None = None
    """`host:port` of some brokers, separated by commas."""
    topic: str = Field(default="case-events", min_length=1)
    rejected_topic: str = Field(default="case-events-rejected", min_length=1)
    findings_topic: str = Field(default="findings", min_length=1)
    group: str = Field(default="supervision", min_length=1)
    """The consumer group of the workers that share the partitions."""
    session_seconds: float = Field(default=10.0, ge=6.0, le=300.0)
    """After how long without a sign of life a worker's partitions go to others."""
    security: Security = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    """File with the password; it goes before `password`."""
    ca_file: Path | None = None
    """PEM file of who signs the brokers' certificates; without it whom this machine trusts anyway."""
    cert_file: Path | None = None
    """PEM file of the certificate that this program shows (mTLS), and those that lead to its signer."""
    key_file: Path | None = None
    """PEM file of its key; without it the key stands in the file of the certificate."""
    key_password_file: Path | None = None

    @property
    def bootstrap(self) -> list[str]:
        """The brokers to ask first."""
        return [server.strip() for server in (self.servers or "").split(",") if server.strip()]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Refuse what cannot work, or would tell the password to everybody on the way."""
        if self.security.startswith("SASL"):
            if not self.user or (self.password is None and self.password_file is None):
                raise ValueError(
                    f"MONITOR_KAFKA_SECURITY={self.security} needs MONITOR_KAFKA_USER and MONITOR_KAFKA_PASSWORD_FILE"
                )
            if set(self.user) & set(",="):
                raise ValueError("MONITOR_KAFKA_USER has a comma or an equals sign, which SCRAM clients do not escape")
            if self.mechanism == "PLAIN" and self.security != "SASL_SSL":
                raise ValueError(
                    "MONITOR_KAFKA_MECHANISM=PLAIN sends the password itself: use SASL_SSL with it, or SCRAM-SHA-512"
                )
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("MONITOR_KAFKA_KEY_FILE is of no use without MONITOR_KAFKA_CERT_FILE")
        return self

    def client_options(self) -> dict[str, Any]:
        """Give what every client of kafka-python is made with. Raises OSError for files that cannot be used."""
        options: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "security_protocol": self.security}
        if self.security.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.secret(),
            }
        if self.security.endswith("SSL"):
            options["ssl_context"] = self.tls()
        return options

    def tls(self) -> ssl.SSLContext | None:
        """Make the context of connections by TLS, if they are. Raises OSError for files that cannot be used."""
        if not self.security.endswith("SSL"):
            return None
        context = ssl.create_default_context(cafile=_path(self.ca_file))
        if self.cert_file is not None:
            password = "" if self.key_password_file is None else _content(self.key_password_file)
            # Never None: OpenSSL would ask the terminal for the password of a key that has one.
            context.load_cert_chain(self.cert_file, _path(self.key_file), lambda: password)
        return context

    def secret(self) -> str | None:
        """Read the password, from its file or the environment."""
        if self.password_file is not None:
            return _content(self.password_file)
        return None if self.password is None else Unspoken(self.password.get_secret_value())


class Unspoken(str):
    """A secret for a client that writes the options it was made with into its log: it shows itself as stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def _path(file: Path | None) -> str | None:
    return None if file is None else str(file)


def _content(file: Path) -> str:
    return Unspoken(file.read_text(encoding="utf-8").rstrip("\r\n"))
