"""Request bodies: one event, an array, or NDJSON, split into the bytes of each event.

Each element keeps its own bytes, so that a fault in one is the fault of that one alone. Not here: what an
event must contain (`monitor.events`), and how a body is read and limited (`streams.ingest`).
"""

import re
from typing import Final, Literal

import msgspec

EVENTS_PER_REQUEST_MAX: Final = 10_000
"""What one transaction takes in a few seconds; a longer file is sent in parts, or with `monitor import`."""

Shape = Literal["single", "array", "lines"]

NDJSON: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
JSON_SEQUENCE: Final = "application/json-seq"
"""Each event begins with a record separator (RFC 7464)."""
JSON: Final = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"})

TOKENS_MAX: Final = 2_000_000
"""Of a broken array so many brackets, commas and strings are looked at: thrice what the largest request needs."""

# A string without its end matches too, up to the end of the body, so that it is looked for only once.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]+|\\.)*+"?|[\[\]{},]', re.DOTALL)
_QUOTE: Final = ord('"')
_COMMA: Final = ord(",")
_BOM: Final = b"\xef\xbb\xbf"
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_raw_value = msgspec.json.Decoder(msgspec.Raw)


class BodyError(ValueError):
    """A body that cannot be split: `code` of the reason and `detail` with the position found."""

    def __init__(self, code: Literal["empty", "malformed", "too_deep", "too_many"], detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")


class Body(msgspec.Struct, frozen=True):
    """The events of one request in their order, each as its own bytes."""

    shape: Shape
    events: tuple[bytes, ...]


def split(body: bytes, content_type: str = "") -> Body:
    """Split a body by its media type, and by its look where the type says nothing.

    Plain `curl --data` declares a form, so its lines are recognised by their first one.
    Raises BodyError when there is nothing in it, an array is cut off or its commas and brackets do not fit, or there
    are more than EVENTS_PER_REQUEST_MAX events.
    """
    media = content_type.partition(";")[0].strip().lower()
    body = body.removeprefix(_BOM).strip()
    if not body:
        raise BodyError("empty", "0 bytes")
    if media == JSON_SEQUENCE:
        return _limited("lines", [text for text in map(bytes.strip, body.split(b"\x1e")) if text])
    if media in NDJSON or (media not in JSON and _looks_like_lines(body)):
        return _limited("lines", [line for line in map(bytes.strip, body.split(b"\n")) if line])
    if body[:1] == b"[":
        return _limited("array", _elements(body))
    return Body("single", (body,))


def _limited(shape: Shape, events: list[bytes]) -> Body:
    if len(events) > EVENTS_PER_REQUEST_MAX:
        raise BodyError("too_many", f"{len(events)} > {EVENTS_PER_REQUEST_MAX}")
    return Body(shape, tuple(events))


def _elements(body: bytes) -> list[bytes]:
    try:
        return [bytes(element) for element in _raw_list.decode(body)]
    except RecursionError:
        fault = BodyError("too_deep", f"{len(body)} bytes")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fault = BodyError("malformed", str(error))
    apart = _apart(body)
    if apart is None:
        raise fault
    return apart


def _apart(body: bytes) -> list[bytes] | None:
    """Cut an array that is no JSON at its outer commas, so that one wrong element costs itself alone.

    None: it is cut off, has something behind its end, or nothing between two commas; then what was meant is unknown.
    """
    elements: list[bytes] = []
    depth, start = 0, 1
    for number, token in enumerate(_TOKEN.finditer(body)):
        mark = body[token.start()]
        if mark in b"[{":
            depth += 1
        elif mark in b"]}":
            depth -= 1
        elif mark == _QUOTE and not _is_closed(token[0]):
            return None
        ended = depth == 0
        if ended or (mark == _COMMA and depth == 1):
            elements.append(body[start : token.start()].strip())
            start = token.end()
        if ended or len(elements) > EVENTS_PER_REQUEST_MAX or number > TOKENS_MAX:
            break
    whole = depth == 0 and start == len(body) and body.endswith(b"]") and all(elements)
    return elements if whole or len(elements) > EVENTS_PER_REQUEST_MAX else None


def _is_closed(string: bytes) -> bool:
    return len(string) > 1 and string.endswith(b'"')


def _looks_like_lines(body: bytes) -> bool:
    """Tell whether the first line alone is a JSON object: an indented object's first line is not."""
    first, newline, _ = body.partition(b"\n")
    if not newline or first[:1] != b"{":
        return False
    try:
        _raw_value.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
