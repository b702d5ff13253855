"""Seals: a signed statement of where every chain ends, to be kept by somebody outside.

Whoever holds a seal can tell later whether anything before it was changed: the chains must still contain the
heads it states. It is the outside keeping that makes it evidence; a ledger's own key can sign anything twice.
"""

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, select

from monitor.ledger.access import Ledger
from monitor.ledger.chain import CHAINS
from monitor.ledger.errors import LedgerError
from monitor.ledger.journal import hashes_at
from monitor.ledger.keyfiles import key_in
from monitor.ledger.packing import digest_of
from monitor.ledger.schema import positions, rulebooks
from monitor.ledger.stored import shown

VERSION: Final = 2
"""Of the statement: since 2 it has the chains of actions and audit, and how far each stream had come."""


class Head(msgspec.Struct, frozen=True):
    """The end of a stream's journal: its last row (0: none), that row's hash in hexadecimal digits.

    `transaction` is the one the stream had come to.
    """

    stream: str
    seq: int
    chain_hash: str
    transaction: int


class ChainHead(msgspec.Struct, frozen=True):
    """The end of another chain, `actions` or `audit`: its last row (0: none) and that row's hash."""

    name: str
    seq: int
    chain_hash: str


class Published(msgspec.Struct, frozen=True):
    """A rulebook as it was published: version, SHA-256 of its content, and from when it is in force."""

    version: int
    digest: str
    in_force_from: datetime | None = None


class Statement(msgspec.Struct, frozen=True):
    """What a seal states of a ledger."""

    version: Literal[2]
    ledger: str
    sealed_at: datetime
    heads: tuple[Head, ...]
    chains: tuple[ChainHead, ...]
    rulebooks: tuple[Published, ...]

    def head(self, stream: str) -> Head | None:
        """Find the end of a stream's journal; None: there was no such stream."""
        return next((head for head in self.heads if head.stream == stream), None)

    def chain(self, name: str) -> ChainHead:
        """Find the end of another chain."""
        return next((end for end in self.chains if end.name == name), ChainHead(name, 0, ""))


class Seal(msgspec.Struct, frozen=True):
    """A statement with the public key it was signed with and its Ed25519 signature, both in base64."""

    statement: Statement
    public_key: str
    signature: str


class _Dated(msgspec.Struct):
    """As much of a statement as tells its version."""

    version: int = 1


class _AnySeal(msgspec.Struct):
    statement: _Dated


_json = msgspec.json.Encoder(order="deterministic")


def seal(ledger: Ledger, key_file: Path | None = None) -> Seal:
    """Sign where every chain ends now, and the rulebooks. The key is made on first use, in the ledger's folder."""
    key = seal_key(ledger, key_file)
    with ledger.read() as connection:
        statement = state(ledger, connection, datetime.now(UTC))
    return signed(key, statement)


def signed(key: Ed25519PrivateKey, statement: Statement) -> Seal:
    """Make a seal of a statement."""
    return Seal(statement, public_half(key), sign(key, _json.encode(statement)))


def state(ledger: Ledger, connection: Connection, at: datetime) -> Statement:
    """State where every chain ends, and the rulebooks."""
    ends = ((chain.name, chain.head(connection)) for chain in CHAINS)
    return Statement(
        version=VERSION,
        ledger=ledger.id,
        sealed_at=at,
        heads=tuple(
            Head(row.stream, row.seq, row.chain_hash.hex(), row.version)
            for row in connection.execute(select(positions).order_by(positions.c.stream))
        ),
        chains=tuple(ChainHead(name, head.seq, head.chain_hash.hex()) for name, head in ends),
        rulebooks=_published(connection),
    )


def to_document(sealed: Seal) -> bytes:
    """Write a seal as a JSON document."""
    return msgspec.json.format(_json.encode(sealed))


def from_document(document: bytes) -> Seal:
    """Read a seal. Raises LedgerError for a document that is none, and for one of another version."""
    try:
        found = msgspec.json.decode(document, type=_AnySeal).statement.version
        if found != VERSION:
            raise LedgerError(
                f"this seal is of version {found}, this program reads version {VERSION}: check it, and the ledger it "
                "was made of, with the program that made them"
            )
        return msgspec.json.decode(document, type=Seal)
    except msgspec.DecodeError as error:
        raise LedgerError(f"this is not a seal made by 'monitor seal': {error}") from None


def verify_seal(ledger: Ledger, sealed: Seal, public_key: str) -> None:
    """Check a seal's signature, and that the ledger still contains everything it states.

    `public_key` is the one the witness was given (`public_key_of`). Raises LedgerError naming what does not hold.
    """
    verify_signature(sealed, public_key)
    if sealed.statement.ledger != ledger.id:
        raise LedgerError(f"the seal is of ledger {sealed.statement.ledger}, this one is {ledger.id}")
    with ledger.read() as connection:
        for head in sealed.statement.heads:
            stored = hashes_at(connection, head.stream, {head.seq}).get(head.seq)
            _check_head(f"the journal of stream {head.stream}", head, stored)
        for end in sealed.statement.chains:
            chain = next(each for each in CHAINS if each.name == end.name)
            _check_head(f"the chain of {end.name}", end, chain.hash_at(connection, end.seq))
        published = _published(connection)
    for stated in sealed.statement.rulebooks:
        if stated not in published:
            raise LedgerError(f"rulebook version {stated.version} is not the one that was sealed")


def verify_signature(sealed: Seal, public_key: str) -> None:
    """Check that a seal was signed with a key; what it states is not compared with anything. Raises LedgerError."""
    if sealed.public_key != public_key:
        raise LedgerError(f"the seal was signed with the key {sealed.public_key}, expected {public_key}")
    if not is_signed(_json.encode(sealed.statement), sealed.signature, public_key):
        raise LedgerError("the seal's signature is wrong: its statement was changed, or was never signed")


def sign(key: Ed25519PrivateKey, written: bytes) -> str:
    """Sign bytes; return the signature in base64."""
    return b64encode(key.sign(written)).decode()


def is_signed(written: bytes, signature: str, public_key: str) -> bool:
    """Tell whether bytes were signed with the key whose public half is given, both in base64."""
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(public_key, validate=True))
        key.verify(b64decode(signature, validate=True), written)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key_of(ledger: Ledger, key_file: Path | None = None) -> str:
    """Give the public key of this ledger's seals, to hand to a witness."""
    return public_half(seal_key(ledger, key_file))


def public_half(key: Ed25519PrivateKey) -> str:
    """Give the public half of a key, in base64."""
    return b64encode(key.public_key().public_bytes_raw()).decode()


def _check_head(what: str, head: Head | ChainHead, stored: bytes | None) -> None:
    if stored is None:
        raise LedgerError(f"{what} has no row {head.seq}, which was sealed")
    if shown(stored) != head.chain_hash:
        raise LedgerError(
            f"{what} was changed at or before row {head.seq}: its hash is {shown(stored)}, sealed was {head.chain_hash}"
        )


def _published(connection: Connection) -> tuple[Published, ...]:
    rows = connection.execute(select(rulebooks).order_by(rulebooks.c.version))
    # Not the stored digest: whoever changes a rulebook would leave that as it was.
    return tuple(Published(row.version, digest_of(row.content), row.in_force_from) for row in rows)


def seal_key(ledger: Ledger, key_file: Path | None) -> Ed25519PrivateKey:
    """Read the key of a ledger's seals, making it on first use. Raises LedgerError for a file that holds none."""
    path = key_file or ledger.folder / "seal.key"
    raw = key_in(path, lambda: b64encode(Ed25519PrivateKey.generate().private_bytes_raw()))
    try:
        return Ed25519PrivateKey.from_private_bytes(b64decode(raw.strip(), validate=True))
    except ValueError:
        raise LedgerError(f"{path}: this is not a seal key; restore it from a backup") from None
