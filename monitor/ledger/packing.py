"""Packed forms: what the ledger stores in one column because it is read and written as a whole.

Packing is canonical: the same value gives the same bytes, so that what is stored can be compared with what is
computed again.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from monitor.events import content, content_hash, from_content
from monitor.ledger.instants import from_us, to_us
from monitor.rulebook.model import Rulebook
from monitor.verdict import Assessment, JournalEntry

_msgpack = msgspec.msgpack.Encoder(order="deterministic")
_json = msgspec.json.Encoder(order="deterministic")
_assessment = msgspec.msgpack.Decoder(Assessment)
_entries = msgspec.msgpack.Decoder(list[tuple[bytes, int, int]])
_rulebook = msgspec.json.Decoder(Rulebook)


def pack_assessment(assessment: Assessment) -> bytes:
    """Encode an assessment."""
    return _msgpack.encode(assessment)


def unpack_assessment(packed: bytes) -> Assessment:
    """Decode an assessment; raises msgspec.DecodeError for bytes that are none."""
    return _assessment.decode(packed)


Written = tuple[bytes, int, int]
"""An event as it is packed: its canonical content, when it was received (microseconds), and its row in the journal."""


def written(entry: JournalEntry, content: bytes) -> Written:
    """Give an entry as it is packed, from the canonical content of its event."""
    return (content, to_us(entry.received_at), entry.seq)


def pack_written(events: Sequence[Written]) -> bytes:
    """Encode the events of a case."""
    return _msgpack.encode(events)


def unpack_written(packed: bytes) -> list[Written]:
    """Decode the events of a case as they were packed; raises msgspec.DecodeError for bytes that are none."""
    return _entries.decode(packed)


def entries_of(events: Iterable[Written]) -> list[JournalEntry]:
    """Decode events as they were packed; raises msgspec.DecodeError for contents that are none."""
    return [
        JournalEntry(from_content(content), from_us(received), content_hash(content), seq)
        for content, received, seq in events
    ]


def pack_entries(entries: Iterable[JournalEntry]) -> bytes:
    """Encode the events of a case, each as its canonical content, when it was received, and its row in the journal."""
    return pack_written([written(entry, content(entry.event)) for entry in entries])


def unpack_entries(packed: bytes) -> list[JournalEntry]:
    """Decode the events of a case; raises msgspec.DecodeError for bytes that are none."""
    return entries_of(unpack_written(packed))


def pack_rulebook(rulebook: Rulebook) -> tuple[bytes, str]:
    """Encode a rulebook; return it with its SHA-256 in hexadecimal digits."""
    packed = _json.encode(rulebook)
    return packed, digest_of(packed)


def digest_of(packed: bytes | str) -> str:
    """Give the SHA-256 of a packed rulebook in hexadecimal digits."""
    # SQLite lets anybody put a text where bytes belong.
    return sha256(packed.encode() if isinstance(packed, str) else packed).hexdigest()


def unpack_rulebook(packed: bytes) -> Rulebook:
    """Decode a rulebook."""
    return _rulebook.decode(packed)


def to_json(value: Any) -> str:
    """Write JSON with sorted keys."""
    return _json.encode(value).decode()
