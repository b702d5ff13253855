"""Masking: what was delivered, with field names and structure to recognise a fault by, and nobody to recognise."""

import re
from typing import Any, Final

import msgspec

_SENTENCE: Final = 64
"""A longer value is no code; it is blanked whole, as one with a blank in it is."""
_FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_.@$-]{1,40}|\w{1,10}")
_QUOTED_NAME: Final = re.compile(r'"([^"\\]{1,40})"\s*:')


def masked(raw: bytes) -> str:
    """Show a delivery with every digit, every letter but those of codes, and every sentence blanked.

    What is no JSON is blanked as a whole but for what looks like the name of a field.
    """
    try:
        return msgspec.json.format(msgspec.json.encode(_masked(msgspec.json.decode(raw)))).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _broken(raw.decode("utf-8", "replace"))


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {_name(name): _masked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    return _blanked(str(value))


def _name(name: str) -> str:
    return name if _FIELD_NAME.fullmatch(name) else _blanked(name)


def _broken(written: str) -> str:
    shown, end = "", 0
    for found in _QUOTED_NAME.finditer(written):
        shown += _blanked(written[end : found.start()], whole=True)
        shown += found.group().replace(found.group(1), _name(found.group(1)), 1)
        end = found.end()
    return shown + _blanked(written[end:], whole=True)


def _blanked(said: str, whole: bool = False) -> str:
    whole = whole or len(said) > _SENTENCE or any(map(str.isspace, said))
    return "".join(_blank(character, whole) for character in said)


def _blank(character: str, whole: bool) -> str:
    if character.isdigit():
        return "#"
    return "*" if character.isalpha() and (whole or not character.isascii()) else character
