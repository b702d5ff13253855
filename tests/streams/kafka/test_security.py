"""Signing in to a broker that lets in nobody it does not know: by password, by certificate, with rights of its own."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from pydantic import ValidationError

from monitor.ledger import Ledger
from streams.kafka.connecting import BrokerUnusable, administrator
from streams.kafka.credentials import faust_credentials
from streams.kafka.identity import identity
from streams.kafka.producing import NotSent, Producer, Unsent
from streams.kafka.records import Outgoing
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import OTHER_PARTITIONS, TopicSettings, create, wanted
from tests.databases import PostgresDatabases
from tests.integration.program import started
from tests.kafka import KafkaServer, NoBroker
from tests.lacking import skip_without
from tests.small_centre import RULEBOOK

PASSWORDS = {"admin": "topmost-7391", "worker": "laborious-5582", "serve": "obliging-2240", "guest": "curious-9916"}

SECURE = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "inter.broker.listener.name": "SASL",
    "listener.name.sasl.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        f'username="admin" password="{PASSWORDS["admin"]}";'
    ),
    "listener.name.tls.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "listener.security.protocol.map": "SASL:SASL_PLAINTEXT,TLS:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT",
    "listeners": (
        "SASL://127.0.0.1:{port},TLS://127.0.0.1:{second},MUTUAL://127.0.0.1:{third},CONTROLLER://127.0.0.1:{controller}"
    ),
    "listener.name.mutual.ssl.client.auth": "required",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
    "ssl.keystore.type": "PEM",
    "ssl.truststore.type": "PEM",
    "super.users": "User:admin;User:ANONYMOUS;User:CN=operator",
}
"""A broker with a listener for each way to sign in. Nobody is anonymous but its own controller."""


class Authority:
    """Signs certificates into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._certificate(self._name, self._key, True).public_bytes(Encoding.PEM))

    def sign(self, name: str, password: bytes | None = None) -> Path:
        """Write a certificate with its key; the key's password, if any, encrypts it."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        hidden = NoEncryption() if password is None else BestAvailableEncryption(password)
        written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)
        file = self.folder / f"{name}.{self.file.name}"
        file.write_bytes(written + self._certificate(subject, key, False).public_bytes(Encoding.PEM))
        return file

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, signs: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(signs, None), True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        )
        return builder.sign(self._key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who the broker and its clients trust."""
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[KafkaServer]:
    """A broker that lets in whom it knows, with the three topics and the rights that docs/kafka.md lists."""
    files = {"ssl.keystore.location": str(authority.sign("broker")), "ssl.truststore.location": str(authority.file)}
    try:
        server = KafkaServer({**SECURE, **files}, scram=PASSWORDS)
    except NoBroker as reason:
        skip_without(reason)
    kafka = signed_in(server, "admin")
    create(kafka, wanted(kafka, TopicSettings(partitions=2, replication=1)))
    with administrator(kafka) as admin:
        admin.create_acls([right for each in RIGHTS for right in _rights(*each)])
    yield server
    server.stop()


RIGHTS = (  # as docs/kafka.md lists them; the guest may only read
    ("worker", ResourceType.TOPIC, "case-events", "READ WRITE DESCRIBE_CONFIGS"),
    ("worker", ResourceType.TOPIC, "case-events-rejected", "WRITE"),
    ("worker", ResourceType.TOPIC, "findings", "WRITE"),
    ("worker", ResourceType.GROUP, "supervision", "READ"),
    ("serve", ResourceType.TOPIC, "case-events", "WRITE DESCRIBE_CONFIGS"),
    ("guest", ResourceType.TOPIC, "case-events", "READ DESCRIBE"),
)


def _rights(user: str, kind: ResourceType, name: str, operations: str) -> list[ACL]:
    pattern = ResourcePattern(kind, name)
    return [
        ACL(f"User:{user}", "*", ACLOperation[each], ACLPermissionType.ALLOW, pattern) for each in operations.split()
    ]


def signed_in(server: KafkaServer, user: str, **others: object) -> KafkaSettings:
    """Give the settings of a user who signs in with a password."""
    said = {"security": "SASL_PLAINTEXT", "user": user, "password": PASSWORDS[user], "password_file": None}
    return server.broker.settings(**(said | others))


def by_certificate(server: KafkaServer, **files: object) -> KafkaSettings:
    """Give the settings of a program that signs in with a certificate."""
    return server.broker.settings(servers=f"127.0.0.1:{server.ports['third']}", security="SSL", **files)


def event(number: int, topic: str = "case-events") -> Outgoing:
    """A record."""
    return Outgoing(topic, number % 2, b"c1", str(number).encode())


def test_who_signs_in_with_the_right_password_delivers(secure: KafkaServer) -> None:
    """A producer with a password of its own delivers, and with no more rights than the page lists."""
    with closing(Producer(signed_in(secure, "serve"))) as producer:
        assert producer.partitions("case-events") == 2
        producer.deliver([event(number) for number in range(10)])
    assert identity(signed_in(secure, "serve")).partitions == 2


def test_wrong_password_is_told_at_once_and_never_shown(
    secure: KafkaServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The error names the user and what to check; the password is in no log line, not even of a client's details."""
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "password"
    file.write_text("not-the-password-8812\n")
    settings = signed_in(secure, "worker", password_file=file)
    with pytest.raises(BrokerUnusable, match=r"does not accept the user worker.*MONITOR_KAFKA_PASSWORD_FILE") as told:
        identity(settings)
    with closing(Producer(settings)) as producer, pytest.raises(NotSent, match="does not accept the user worker"):
        producer.deliver([event(1)])
    said = f"{caplog.text} {told.value} {told.value.__cause__!r} {settings!r} {faust_credentials(settings)!r}"
    assert "sasl_plain_password" in said
    assert "8812" not in said
    assert PASSWORDS["worker"] not in said


def test_who_may_not_write_is_told_so(secure: KafkaServer) -> None:
    """A user without the right to write is told which topic refused him and where the rights are listed."""
    guest, serve = Producer(signed_in(secure, "guest")), Producer(signed_in(secure, "serve"))
    with closing(guest), pytest.raises(Unsent, match=r"user guest \(.*AuthorizationFailedError.*docs/kafka\.md"):
        guest.deliver([event(1)])
    with closing(serve):
        with pytest.raises(Unsent, match=r"user serve \(TopicAuthorizationFailedError findings\).*docs/kafka\.md"):
            serve.deliver([event(1), event(1, "findings")])
        serve.deliver([event(1)])


def test_who_may_not_make_or_see_topics_is_told_so(secure: KafkaServer) -> None:
    """Making a topic and asking for the settings of one need rights, which the errors name."""
    kafka = signed_in(secure, "worker", findings_topic="findings-2")
    with pytest.raises(BrokerUnusable, match=r"user worker.*docs/kafka\.md"):
        create(kafka, wanted(kafka, TopicSettings(replication=1)))
    with pytest.raises(BrokerUnusable, match="DESCRIBE_CONFIGS"):
        identity(signed_in(secure, "guest"))


@pytest.mark.parametrize("security", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_faust_signs_in_with_the_same_settings(secure: KafkaServer, authority: Authority, security: str) -> None:
    """The client under Faust reads as a member of the group, with credentials made of the same settings."""
    port = secure.ports["port" if security == "SASL_PLAINTEXT" else "second"]
    settings = signed_in(secure, "worker", servers=f"127.0.0.1:{port}", security=security, ca_file=authority.file)
    with closing(Producer(settings)) as producer:
        producer.deliver([event(1)])
    assert asyncio.run(_read_one(settings)) == "case-events"


async def _read_one(settings: KafkaSettings) -> str:
    options: dict[str, Any] = dict(credentials_to_aiokafka_auth(faust_credentials(settings)))
    consumer = AIOKafkaConsumer(
        settings.topic,
        bootstrap_servers=settings.bootstrap,
        group_id=settings.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )
    await consumer.start()
    try:
        topic: str = (await asyncio.wait_for(consumer.getone(), 30)).topic
    finally:
        await consumer.stop()
    return topic


def test_worker_needs_no_more_rights_than_the_page_lists(
    secure: KafkaServer,
    authority: Authority,
    postgres: PostgresDatabases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that signs in by SCRAM over TLS takes what `serve` may send, and tells downstream of what it rejects."""
    password, port = tmp_path / "password", secure.ports["second"]
    password.write_text(PASSWORDS["worker"])
    environment = {
        "DATA": str(tmp_path),
        "KAFKA_SERVERS": f"127.0.0.1:{port}",
        "KAFKA_SECURITY": "SASL_SSL",
        "KAFKA_CA_FILE": str(authority.file),
        "KAFKA_USER": "worker",
        "KAFKA_PASSWORD_FILE": str(password),
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"MONITOR_{name}", value)
    with closing(Producer(signed_in(secure, "serve"))) as producer:
        producer.deliver([event(1)])
    with postgres.empty() as url:
        with Ledger.open(url, folder=tmp_path) as book:
            book.publish(RULEBOOK)
        with started("-m", "monitor.cli", "worker", "--ledger", url, log=tmp_path / "worker.log") as worker:
            try:
                deadline = time.monotonic() + 60
                while not _rejected(secure):
                    assert worker.poll() is None, (tmp_path / "worker.log").read_text()
                    assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
                    time.sleep(0.2)
            finally:
                worker.terminate()
    assert PASSWORDS["worker"] not in (tmp_path / "worker.log").read_text()


def _rejected(server: KafkaServer) -> int:
    """Count what was told of rejects."""
    with closing(KafkaConsumer(**signed_in(server, "admin").client_options())) as consumer:
        partitions = [TopicPartition("case-events-rejected", number) for number in range(OTHER_PARTITIONS)]
        return sum(consumer.end_offsets(partitions).values())


def test_certificate_signs_in(secure: KafkaServer, authority: Authority) -> None:
    """With a certificate the broker's authority signed, its key locked, a program delivers and Faust reads."""
    password = authority.folder / "key-password"
    password.write_text("under-the-mat")
    mine = authority.sign("operator", b"under-the-mat")
    settings = by_certificate(secure, ca_file=authority.file, cert_file=mine, key_password_file=password)
    with closing(Producer(settings)) as producer:
        producer.deliver([event(1)])
    assert asyncio.run(_read_one(settings)) == "case-events"


def test_strangers_are_not_let_in_and_not_trusted(secure: KafkaServer, authority: Authority, tmp_path: Path) -> None:
    """No certificate, one of another authority, a broker signed by somebody else: each is told as a matter of TLS."""
    other = Authority(tmp_path, "other")
    for files in (
        {"ca_file": authority.file},
        {"ca_file": authority.file, "cert_file": other.sign("operator")},
        {"ca_file": other.file, "cert_file": authority.sign("operator")},
    ):
        with (
            pytest.raises(BrokerUnusable, match=r"No connection by TLS.*MONITOR_KAFKA_CA_FILE"),
            administrator(by_certificate(secure, **files), 1),
        ):
            raise AssertionError


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    """A missing password file and a key under another password end with the settings to check, and no waiting."""
    password = tmp_path / "key-password"
    password.write_text("wrong-one-3304")
    locked = authority.sign("locked", b"right")
    common = {"servers": "127.0.0.1:9", "security": "SSL", "ca_file": authority.file, "cert_file": locked}
    for faulty in (
        KafkaSettings.model_validate({**common, "security": "SASL_SSL", "user": "u", "password_file": tmp_path / "no"}),
        KafkaSettings.model_validate({**common, "key_password_file": password}),
        KafkaSettings.model_validate(common),
    ):
        with pytest.raises(BrokerUnusable, match=r"cannot be used.*MONITOR_KAFKA_PASSWORD_FILE") as told:
            identity(faulty)
        assert "3304" not in f"{told.value} {told.value.__cause__!r}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"security": "SASL_SSL", "password": "hidden-1"}, "needs MONITOR_KAFKA_USER and MONITOR_KAFKA_PASSWORD_FILE"),
        ({"security": "SASL_PLAINTEXT", "user": "u"}, "needs MONITOR_KAFKA_USER and MONITOR_KAFKA_PASSWORD_FILE"),
        ({"security": "SASL_SSL", "user": "a,b", "password": "hidden-1"}, "comma or an equals sign"),
        (
            {"security": "SASL_PLAINTEXT", "user": "u", "password": "hidden-1", "mechanism": "PLAIN"},
            "sends the password itself",
        ),
        ({"security": "SSL", "key_file": "k.pem"}, "of no use without MONITOR_KAFKA_CERT_FILE"),
        ({"security": "TLS"}, "SASL_SSL"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], said: str) -> None:
    """What is incomplete, or would show the password to everybody, is refused with the setting to change."""
    with pytest.raises(ValidationError, match=said) as told:
        KafkaSettings.model_validate(given)
    assert "hidden-1" not in str(told.value)
