"""Wrong events by name, each with the field a reject must name and the code of its reason; and hopeless bodies."""

import json
from typing import Any, NamedTuple

from tests.integration.town import said


class Bad(NamedTuple):
    """One wrong event as bytes; `fits` tells whether an array it stands in still has fitting brackets and quotes."""

    raw: bytes
    code: str
    field: str
    fits: bool = True


def written(**more: Any) -> bytes:
    """Write an event in order but for what is given; None takes a field out."""
    event = {**said("bad"), **more}
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def with_raw(value: bytes, field: str = "applicant") -> bytes:
    """Write an event with the bytes of a value as they are."""
    return written()[:-1] + b', "' + field.encode() + b'": ' + value + b"}"


def with_datum(value: bytes) -> bytes:
    """Write an event with the bytes of `data`."""
    return with_raw(value, "data")


def cloud(**more: Any) -> bytes:
    """Write a CloudEvents envelope in order but for what is given; None takes an attribute out."""
    data = {"region": "4509", "item": "permit", "department": "land"}
    envelope = {"specversion": "1.0", "id": "1", "source": "hall", "type": "cn.gov.apply", "subject": "cloud"}
    envelope |= {"time": "2026-03-02T09:00:00+08:00", "data": data, **more}
    return json.dumps({name: value for name, value in envelope.items() if value is not None}).encode()


TIMES = {
    "year 0": ("0000-01-01T00:00:00Z", "invalid"),
    "year 1": ("0001-01-01T00:00:00+14:00", "time_range"),
    "year 1989": ("1989-12-31T23:59:59Z", "time_range"),
    "year 2100": ("2100-01-01T00:00:00Z", "time_range"),
    "year 9999": ("9999-12-31T23:59:59-12:00", "time_range"),
    "year 10000": ("10000-01-01T00:00:00Z", "invalid"),
    "30 February": ("2026-02-30T09:00:00+08:00", "invalid"),
    "no offset": ("2026-03-02T09:00:00", "invalid"),
    "a date": ("2026-03-02", "invalid"),
    "words": ("yesterday", "invalid"),
    "a number": (1772413200, "invalid"),
    "a list": ([], "invalid"),
}

BAD: dict[str, Bad] = {
    "cut off": Bad(written()[:-20], "malformed", "event", False),
    "cut inside a string": Bad(written()[:15], "malformed", "event", False),
    "trailing comma": Bad(written()[:-1] + b",}", "malformed", "event"),
    "two objects": Bad(written() + written(), "malformed", "event"),
    "single quotes": Bad(written().replace(b'"', b"'"), "malformed", "event"),
    "binary noise": Bad(bytes(range(128, 256)), "malformed", "event"),
    "null": Bad(b"null", "invalid", "event"),
    "a number": Bad(b"7", "invalid", "event"),
    "a text": Bad(b'"apply"', "invalid", "event"),
    "true": Bad(b"true", "invalid", "event"),
    "a list of lists": Bad(b"[[]]", "invalid", "event"),
    "an empty object": Bad(b"{}", "missing", "id"),
    **{f"time: {name}": Bad(written(time=time), code, "time") for name, (time, code) in TIMES.items()},
    **{f"recorded: {name}": Bad(written(recorded=time), code, "recorded") for name, (time, code) in TIMES.items()},
    "due in the year 9999": Bad(
        written(data={"due": {"promised": TIMES["year 9999"][0]}}), "time_range", "data.due.promised"
    ),
    "told in the year 0": Bad(written(data={"told_at": TIMES["year 0"][0]}), "invalid", "data.told_at"),
    **{f"no {name}": Bad(written(**{name: None}), "missing", name) for name in said("")},
    **{f"{name} a number": Bad(written(**{name: 7}), "invalid", name) for name in said("")},
    **{f"{name} null": Bad(with_raw(b"null", name), "invalid", name) for name in ("id", "source", "type", "time")},
    **{f"{name} empty": Bad(written(**{name: ""}), "invalid", name) for name in ("id", "case", "region", "item")},
    "no such type": Bad(written(type="APPLY"), "invalid", "type"),
    "no such field": Bad(written(name="张三"), "unknown_field", "name"),
    "no such datum": Bad(written(data={"name": "张三"}), "unknown_field", "data.name"),
    "data a list": Bad(written(data=[]), "invalid", "data"),
    "to a text": Bad(written(type="transfer", data={"to": "land"}), "invalid", "data.to"),
    "region of another city": Bad(written(region="4501"), "foreign_region", "region"),
    "region unheard of": Bad(written(region="9999"), "foreign_region", "region"),
    "another source": Bad(written(source="files"), "foreign_source", "source"),
    "an inspector's word": Bad(written(type="card_cancelled"), "type_not_declared", "type"),
    "heartbeat with a case": Bad(written(type="heartbeat"), "superfluous", "case"),
    "retract without target": Bad(written(type="retract"), "missing", "data.target"),
    "a case of 129 characters": Bad(written(case="案" * 129), "invalid", "case"),
    "66 kB": Bad(written(applicant="x" * 66_000), "too_large", "event"),
    "100,000 brackets": Bad(b"[" * 100_000 + b"]" * 100_000, "too_large", "event"),
    "100,000 nested objects": Bad(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_large", "event"),
    "1 MB": Bad(written(applicant="x" * 1_000_000), "too_large", "event"),
    "30,000 brackets": Bad(with_raw(b"[" * 30_000 + b"]" * 30_000, "x"), "unknown_field", "x"),
    "30,000 brackets in an envelope": Bad(
        cloud()[:-2] + b', "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}}", "too_deep", "event"
    ),
    "invalid UTF-8": Bad(with_raw(b'"\xff\xfe"'), "malformed", "event"),
    "overlong UTF-8": Bad(with_raw(b'"\xc0\x80"'), "malformed", "event"),
    "surrogates in UTF-8": Bad(with_raw(b'"\xed\xa0\x80"'), "malformed", "event"),
    "NUL": Bad(with_raw(b'"a\x00b"'), "malformed", "event"),
    "NUL escaped": Bad(with_raw(rb'"a\u0000b"'), "invalid", "applicant"),
    "a tab": Bad(with_raw(b'"a\tb"'), "malformed", "event"),
    "a tab escaped": Bad(with_raw(rb'"a\tb"'), "invalid", "applicant"),
    "DEL": Bad(with_raw(b'"a\x7fb"'), "invalid", "applicant"),
    "a lone high surrogate": Bad(with_raw(rb'"\ud800 and so on"'), "malformed", "event"),
    "a lone low surrogate": Bad(with_raw(rb'"\udc00 and so on"'), "malformed", "event"),
    "surrogates in the wrong order": Bad(with_raw(rb'"\udc00\ud800"'), "malformed", "event"),
    "a surrogate in a name": Bad(with_raw(b"1", "\\ud800xxxxxx"), "malformed", "event"),
    "1e400": Bad(with_datum(b'{"days": 1e400}'), "invalid", "data.days"),
    "400 digits": Bad(with_datum(b'{"days": ' + b"9" * 400 + b"}"), "invalid", "data.days"),
    "a rating of 400 digits": Bad(with_datum(b'{"rating": ' + b"9" * 400 + b"}"), "invalid", "data.rating"),
    "minus one day": Bad(with_datum(b'{"days": -1}'), "invalid", "data.days"),
    "NaN": Bad(with_datum(b'{"days": NaN}'), "malformed", "event"),
    "Infinity": Bad(with_datum(b'{"days": Infinity}'), "malformed", "event"),
    "-Infinity": Bad(with_datum(b'{"amount": -Infinity}'), "malformed", "event"),
    "half a rating": Bad(with_datum(b'{"rating": 1.5}'), "invalid", "data.rating"),
    **{
        f"envelope without {name}": Bad(cloud(**{name: None}), "missing", field)
        for name, field in (
            ("id", "id"),
            ("source", "source"),
            ("type", "type"),
            ("time", "time"),
            ("subject", "case"),
            ("data", "region"),
        )
    },
    "envelope of 0.3": Bad(cloud(specversion="0.3"), "invalid", "specversion"),
    "envelope with data a text": Bad(cloud(data="{}"), "invalid", "data"),
    "envelope of another's event": Bad(cloud(type="com.github.pull"), "invalid", "type"),
}

BOM = b"\xef\xbb\xbf"

# Bodies no event can be made of: what is answered, and the code of the error (None: a reject says it).
BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "empty"),
    "white space": (b" \r\n\t ", 400, "empty"),
    "a byte order mark": (BOM, 400, "empty"),
    "10 MB": (written(applicant="x" * 10_000_000), 413, "too_large"),
    "10 MB of spaces": (b" " * 10_000_000, 413, "too_large"),
    "100,000 opening brackets": (b"[" * 100_000, 400, "too_deep"),
    "10,001 elements": (b"[" + b"1," * 10_000 + b"1]", 413, "too_many"),
    "array cut off": (b"[" + written() + b"," + written()[:-9], 400, "malformed"),
    "array with a comma too many": (b"[" + written() + b",]", 400, "malformed"),
    "array with a bracket too many": (b"[" + written() + b"]]", 400, "malformed"),
    "array with an open quotation mark": (b"[" + written() + b',"]', 400, "malformed"),
}
