"""Free texts: kept encrypted and apart; an event holds no more of one than its mark (design section 7).

A mark is a keyed hash, so that nobody can guess at a text by hashing guesses, and the same text of the same event
gives the same mark again. Deleting a body leaves every chain as it is: they were made over the marks.
"""

import secrets
from datetime import datetime
from functools import cache, cached_property
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, select

from monitor.events import Event, TextMark
from monitor.language import LANGS, text
from monitor.ledger.errors import LedgerError
from monitor.ledger.keyfiles import confirm_key, existing_key, key_in
from monitor.ledger.schema import texts
from monitor.ledger.upsert import insert_new

KEY_CHARACTERS_MIN: Final = 32
_PERSON: Final = b"monitor texts v1"
"""Keeps these hashes apart from any other use of the same key."""
_STOPS: Final = " \t\r\n　。．.！!，,；;：:、"

_msgpack = msgspec.msgpack.Encoder()


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What is encrypted of a text: what its hash is made of; `said` None: the event came with the mark alone."""

    hash: str
    case: str
    source: str
    id: str
    said: str | None


class KeptText(msgspec.Struct, frozen=True):
    """A text as it is kept: `erased_at` tells when its body was deleted; without one and `said` it never was here."""

    hash: str
    case: str
    at: datetime
    source: str
    id: str
    said: str | None
    erased_at: datetime | None


_body = msgspec.msgpack.Decoder(Body)


class Marker:
    """Puts marks in the place of texts, with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = sha256(_PERSON + key).digest()

    @classmethod
    def passing(cls) -> "Marker":
        """Make a marker whose key nobody keeps: its marks mean nothing to any ledger."""
        return cls(secrets.token_bytes(32))

    def mark(self, case: str, source: str, id: str, said: str) -> TextMark:  # noqa: A002 - the event's own name for it
        """Make the mark of a text of an event, or of an action."""
        stated = _msgpack.encode((case, source, id, said))
        digest = blake2b(stated, key=self._key, digest_size=24, person=_PERSON).hexdigest()
        return TextMark(hash=digest, length=len(said.strip()), names_step=_plain(said) in _step_names())

    def seal(self, event: Event) -> tuple[Event, str | None]:
        """Put its mark in the place of an event's text; give back the text, None: it has none, or a mark already."""
        said = event.data.text
        if not isinstance(said, str):
            return event, None
        mark = self.mark(event.case or "", event.source, event.id, said)
        return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, text=mark)), said


class TextVault:
    """The keys of a ledger's texts: one makes their marks, another encrypts their bodies.

    `key_file` holds the first; ledgers that must make the same marks share it. By default it lies beside the ledger.
    """

    def __init__(self, folder: Path, key_file: Path | None = None) -> None:
        self._key_path, self._bodies_path = key_file or folder / "texts.key", folder / "bodies.key"

    @cached_property
    def marker(self) -> Marker:
        """What makes the marks of this ledger; the key is made on first use."""
        return Marker(self._checked(key_in(self._key_path, _new_key)))

    def confirm(self, connection: Connection) -> None:
        """Make sure that both keys are those the ledger is written with. Raises LedgerError."""
        confirm_key(connection, "texts", self._key_path, _new_key)
        confirm_key(connection, "bodies", self._bodies_path, Fernet.generate_key)

    def trial_marker(self) -> Marker:
        """Give the marker of this ledger, or a passing one where it has no key yet and a trial must not make it."""
        return self.marker if self._key_path.exists() else Marker.passing()

    def row(self, case: str, source: str, id: str, mark: TextMark, said: str | None, at: datetime) -> dict[str, Any]:  # noqa: A002 - the event's own name for it
        """Make the row of a text, None: only its mark is known here."""
        body = _msgpack.encode(Body(mark.hash, case, source, id, said))
        return {"hash": mark.hash, "case": case, "at": at, "body": self._fernet.encrypt(body), "erased_at": None}

    @property
    def key(self) -> bytes | None:
        """The key of the marks; None: there is none yet."""
        return self._checked(existing_key(self._key_path)) if self._key_path.exists() else None

    def adopt(self, key: bytes) -> None:
        """Make marks with a key from now on. Raises LedgerError where there is another already."""
        if self._checked(key_in(self._key_path, lambda: key)) != key:
            raise LedgerError(
                f"{self._key_path}: this is not the key of the old ledger's texts, and the same text would get another "
                "mark; move it away, or name one file for both ledgers with MONITOR_TEXT_KEY"
            )

    def sealed_again(self, encrypted: bytes | None, other: "TextVault") -> bytes | None:
        """Encrypt with this vault's key a body that another's opens; None: it was erased."""
        return None if encrypted is None else self._fernet.encrypt(_msgpack.encode(other.open(encrypted)))

    def open(self, encrypted: bytes) -> Body:
        """Decrypt a body. Raises LedgerError where it is none, or was encrypted with another key."""
        fernet = Fernet(existing_key(self._bodies_path))
        try:
            return _body.decode(fernet.decrypt(encrypted))
        except (InvalidToken, msgspec.DecodeError, TypeError):
            raise LedgerError(
                f"a text cannot be decrypted with {self._bodies_path}: it was changed, or encrypted with another key"
            ) from None

    def is_of(self, body: Body) -> bool:
        """Tell whether a body has the hash it states. Raises LedgerError where the key of the marks is missing."""
        if body.said is None:
            return True
        marker = Marker(self._checked(existing_key(self._key_path)))
        return marker.mark(body.case, body.source, body.id, body.said).hash == body.hash

    def of_case(self, connection: Connection, case: str) -> list[KeptText]:
        """Read the texts of a case, in the order they came."""
        rows = connection.execute(select(texts).where(texts.c.case == case).order_by(texts.c.at, texts.c.hash))
        return [self._kept(row) for row in rows]

    def _kept(self, row: Any) -> KeptText:
        if row.body is None:
            return KeptText(row.hash, row.case, row.at, "", "", None, row.erased_at)
        body = self.open(row.body)
        return KeptText(row.hash, row.case, row.at, body.source, body.id, body.said, row.erased_at)

    def _checked(self, key: bytes) -> bytes:
        key = key.strip()
        if len(key) < KEY_CHARACTERS_MIN:
            raise LedgerError(
                f"{self._key_path}: this key is shorter than {KEY_CHARACTERS_MIN} characters; make one with "
                "'openssl rand -hex 32', or name another file with MONITOR_TEXT_KEY"
            )
        return key

    @cached_property
    def _fernet(self) -> Fernet:
        return Fernet(key_in(self._bodies_path, Fernet.generate_key))


def _new_key() -> bytes:
    return secrets.token_hex(32).encode()


def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Write rows made by `TextVault.row`; of one that is there nothing changes, least of all that it was erased."""
    insert_new(connection, texts, sorted(rows, key=lambda row: str(row["hash"])))


@cache
def _step_names() -> frozenset[str]:
    names = (name for lang in LANGS for name in text("texts.step_names", lang).split(";"))
    return frozenset(_plain(name) for name in names)


def _plain(said: str) -> str:
    return said.strip(_STOPS).casefold()
