"""What is in a bundle, file by file; instants of chained rows are microseconds since 1970, as they were hashed."""

from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal, TypeVar

import msgspec

FORMAT: Final = 1

MANIFEST, SIGNATURE, SEAL = "manifest.json", "signature.json", "seal.json"
JOURNAL, ACTIONS, LINKS = "journal.json", "actions.json", "links.json"
RULEBOOKS, ASSESSMENT, FINDINGS, TEXTS = "rulebooks.json", "assessment.json", "findings.json", "texts.json"
EXPLANATIONS: Final[dict[Literal["zh", "en"], str]] = {"zh": "explanation.zh.md", "en": "explanation.en.md"}


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the bundle: its SHA-256 in hexadecimal digits, and its length."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the bundle is: of which case of which ledger, who exported it when, and every other file in it.

    `horizon` is how far the ledger had come; `texts` tells whether the words people wrote are in it.
    """

    format: Literal[1]
    program: str
    ledger: str
    case: str
    exported_at: datetime
    exported_by: str
    horizon: datetime
    texts: bool
    files: dict[str, Listed]


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signature of the manifest, made with the key of the ledger's seals; both in base64."""

    public_key: str
    signature: str


class JournalRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the journal as it is chained; `content` is the event's canonical JSON."""

    stream: str
    seq: int
    case: str | None
    source: str
    id: str
    type: str
    time: int
    received_at: int
    backfill: bool
    content: str


class ActionRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the chain of actions."""

    seq: int
    at: int
    actor: str
    finding: str
    case: str
    act: str
    detail: str


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the hash of a row of a chain is made of, in hexadecimal digits (`monitor.ledger.links`)."""

    seq: int
    previous: str
    skipped: str
    row: str


class Links(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The links that lead from sealed heads to the rows of the bundle."""

    journal: list[Link]
    actions: list[Link]


class RulebookRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of the rulebook, whose content is the file `file`."""

    version: int
    in_force_from: datetime | None
    published_at: datetime
    reason: str
    digest: str
    file: str


class FindingRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding as the ledger keeps it, one that was withdrawn too; `evidence` and `withdrawal` are JSON."""

    id: str
    rule: str
    rule_version: int
    kind: str
    severity: int
    state: str
    mode: str
    subject: str
    department: str
    region: str
    item: str
    cause: str
    occurred_at: datetime
    detected_at: datetime
    changed_at: datetime
    evidence: Any
    withdrawal: Any


class TextRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that an event or an action of the bundle holds the mark of; `said` None: erased, or never here."""

    hash: str
    source: str
    id: str
    said: str | None
    erased_at: datetime | None


Content = TypeVar("Content")

_json = msgspec.json.Encoder(order="deterministic")


def encode(content: Any) -> bytes:
    """Write a file of the bundle."""
    return msgspec.json.format(_json.encode(content))


def listed(file: bytes) -> Listed:
    """Say of a file what the manifest lists."""
    return Listed(sha256(file).hexdigest(), len(file))


def decode(raw: bytes, kind: type[Content]) -> Content:
    """Read a file of the bundle. Raises msgspec.DecodeError or UnicodeDecodeError."""
    return msgspec.json.decode(raw, type=kind)
