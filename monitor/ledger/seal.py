"""Seals: a signed statement of where every chain ends, to be kept by somebody outside.

Whoever holds a seal can tell later whether anything before it was changed: the chains must still contain the
heads it states. It is the outside keeping that makes it evidence; a ledger's own key can sign anything twice.
"""

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, select

from monitor.ledger.access import Ledger
from monitor.ledger.errors import LedgerError
from monitor.ledger.journal import genesis
from monitor.ledger.keyfiles import key_in
from monitor.ledger.packing import digest_of
from monitor.ledger.schema import journal, positions, rulebooks


class Head(msgspec.Struct, frozen=True):
    """The end of a stream's journal: its last row (0: none) and that row's hash, in hexadecimal digits."""

    stream: str
    seq: int
    chain_hash: str


class Published(msgspec.Struct, frozen=True):
    """A rulebook as it was published: version, SHA-256 of its content, and from when it is in force."""

    version: int
    digest: str
    in_force_from: datetime | None = None


class Statement(msgspec.Struct, frozen=True):
    """What a seal states of a ledger."""

    ledger: str
    sealed_at: datetime
    heads: tuple[Head, ...]
    rulebooks: tuple[Published, ...]


class Seal(msgspec.Struct, frozen=True):
    """A statement with the public key it was signed with and its Ed25519 signature, both in base64."""

    statement: Statement
    public_key: str
    signature: str


_json = msgspec.json.Encoder(order="deterministic")


def seal(ledger: Ledger, key_file: Path | None = None) -> Seal:
    """Sign where every chain ends now, and the rulebooks. The key is made on first use, in the ledger's folder."""
    key = _key(ledger, key_file)
    with ledger.read() as connection:
        statement = Statement(
            ledger=ledger.id,
            sealed_at=datetime.now(UTC),
            heads=tuple(
                Head(row.stream, row.seq, row.chain_hash.hex())
                for row in connection.execute(select(positions).order_by(positions.c.stream))
            ),
            rulebooks=_published(connection),
        )
    signature = key.sign(_json.encode(statement))
    return Seal(statement, b64encode(key.public_key().public_bytes_raw()).decode(), b64encode(signature).decode())


def to_document(sealed: Seal) -> bytes:
    """Write a seal as a JSON document."""
    return msgspec.json.format(_json.encode(sealed))


def from_document(document: bytes) -> Seal:
    """Read a seal. Raises LedgerError for a document that is none."""
    try:
        return msgspec.json.decode(document, type=Seal)
    except msgspec.DecodeError as error:
        raise LedgerError(f"this is not a seal made by 'monitor seal': {error}") from None


def verify_seal(ledger: Ledger, sealed: Seal, public_key: str) -> None:
    """Check a seal's signature, and that the ledger still contains everything it states.

    `public_key` is the one the witness was given (`public_key_of`). Raises LedgerError naming what does not hold.
    """
    if sealed.public_key != public_key:
        raise LedgerError(f"the seal was signed with the key {sealed.public_key}, expected {public_key}")
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(sealed.public_key, validate=True))
        key.verify(b64decode(sealed.signature, validate=True), _json.encode(sealed.statement))
    except (InvalidSignature, ValueError):
        raise LedgerError("the seal's signature is wrong: its statement was changed, or was never signed") from None
    if sealed.statement.ledger != ledger.id:
        raise LedgerError(f"the seal is of ledger {sealed.statement.ledger}, this one is {ledger.id}")
    with ledger.read() as connection:
        for head in sealed.statement.heads:
            _check_head(connection, head)
        published = _published(connection)
    for stated in sealed.statement.rulebooks:
        if stated not in published:
            raise LedgerError(f"rulebook version {stated.version} is not the one that was sealed")


def public_key_of(ledger: Ledger, key_file: Path | None = None) -> str:
    """Give the public key of this ledger's seals, to hand to a witness."""
    return b64encode(_key(ledger, key_file).public_key().public_bytes_raw()).decode()


def _check_head(connection: Connection, head: Head) -> None:
    found = genesis(head.stream) if head.seq == 0 else None
    if found is None:
        query = select(journal.c.chain_hash).where(journal.c.stream == head.stream, journal.c.seq == head.seq)
        found = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise LedgerError(f"the journal of stream {head.stream} has no row {head.seq}, which was sealed")
    if found.hex() != head.chain_hash:
        raise LedgerError(
            f"the journal of stream {head.stream} was changed at or before row {head.seq}: "
            f"its hash is {found.hex()}, sealed was {head.chain_hash}"
        )


def _published(connection: Connection) -> tuple[Published, ...]:
    rows = connection.execute(select(rulebooks).order_by(rulebooks.c.version))
    # Not the stored digest: whoever changes a rulebook would leave that as it was.
    return tuple(Published(row.version, digest_of(row.content), row.in_force_from) for row in rows)


def _key(ledger: Ledger, key_file: Path | None) -> Ed25519PrivateKey:
    path = key_file or ledger.folder / "seal.key"
    raw = key_in(path, lambda: b64encode(Ed25519PrivateKey.generate().private_bytes_raw()))
    try:
        return Ed25519PrivateKey.from_private_bytes(b64decode(raw.strip(), validate=True))
    except ValueError:
        raise LedgerError(f"{path}: this is not a seal key; restore it from a backup") from None
