"""Records no event can be made of, as broken, hostile or merely foreign programs write them."""

from typing import Any, NamedTuple

from tests.integration.bad_events import BAD, written

Header = tuple[str, Any]


class Poison(NamedTuple):
    """One record: `is_event` where the runtime must put it among its rejects, else it says nothing at all."""

    name: str
    value: bytes | None
    headers: tuple[Header, ...] = ()
    key: bytes | None = b"poison"
    is_event: bool = True


_TAKEN = (
    "cut off",
    "binary noise",
    "null",
    "a list of lists",
    "time: year 9999",
    "recorded: year 10000",
    "no such type",
    "no case",
    "source a number",
    "invalid UTF-8",
    "NUL",
    "1e400",
    "100,000 brackets",
    "30,000 brackets in an envelope",
    "a surrogate in a name",
)

_UNREGISTERED = written(source="nobody", case="毒")

POISON: tuple[Poison, ...] = (
    *(Poison(name, BAD[name].raw) for name in _TAKEN),
    Poison("900 kB", written(applicant="x" * 900_000)),
    Poison("no value", None),
    Poison("no value, no key", None, key=None),
    Poison("an empty value", b""),
    Poison("a key that is no text", _UNREGISTERED, key=b"\xff\xfe\x00"),
    Poison("a source nobody registered", _UNREGISTERED),
    Poison("bound to another source", written(source="hall"), (("monitor-source", b"gaj"),)),
    Poison("bound to noise", written(source="hall"), (("monitor-source", b"\xff\xfe"),)),
    Poison("a fault that is none", _UNREGISTERED, (("monitor-fault", b"{"),)),
    Poison("a fault in noise", _UNREGISTERED, (("monitor-fault", b"\xff"),)),
    Poison("a fault of another kind", _UNREGISTERED, (("monitor-fault", b'{"code": "fine"}'),)),
    Poison("received in the year 33658", _UNREGISTERED, (("monitor-received", b"999999999999999"),)),
    Poison("received before the epoch", _UNREGISTERED, (("monitor-received", b"-1"),)),
    Poison("received at no number", _UNREGISTERED, (("monitor-received", b"\xb2soon"),)),
    Poison(
        "headers without values",
        _UNREGISTERED,
        tuple((f"monitor-{name}", None) for name in ("backfill", "source", "fault", "received", "copy", "control")),
    ),
    Poison("every header twice", _UNREGISTERED, (("monitor-backfill", b"1"), ("monitor-backfill", b"no")) * 2),
    Poison("a copy of what is no heartbeat", _UNREGISTERED, (("monitor-copy", b"1"),)),
    Poison("a word nobody knows", _UNREGISTERED, (("monitor-control", b"shutdown"),)),
    Poison("a word in noise", _UNREGISTERED, (("monitor-control", b"\xff\xfe"),)),
    Poison("an import begun with noise", b"\xff\xfe{", (("monitor-control", b"import_begin"),)),
    Poison("an import ended with nothing", None, (("monitor-control", b"import_end"),)),
    Poison(
        "an import ended in the year 10000",
        b'{"source": "hall", "complete_until": "10000-01-01T00:00:00Z"}',
        (("monitor-control", b"import_end"),),
    ),
    Poison(
        "an import ended before all time",
        b'{"source": "hall", "complete_until": "0001-01-01T00:00:00+14:00"}',
        (("monitor-control", b"import_end"),),
    ),
    Poison(
        "an import ended after all time",
        b'{"source": "hall", "complete_until": "9999-12-31T23:59:59-14:00"}',
        (("monitor-control", b"import_end"),),
    ),
    Poison(
        "an import ended in no zone",
        b'{"source": "hall", "complete_until": "2026-01-01T00:00:00"}',
        (("monitor-control", b"import_end"),),
    ),
    Poison("an import begun by a zero", b'{"source": "a\\u0000b"}', (("monitor-control", b"import_begin"),)),
    Poison(
        "an import begun by much", b'{"source": "' + b"x" * 100_000 + b'"}', (("monitor-control", b"import_begin"),)
    ),
    Poison("an import begun in depth", b'{"x":' * 100_000, (("monitor-control", b"import_begin"),)),
    Poison("bound to a zero", _UNREGISTERED, (("monitor-source", b"a\x00b"),)),
    Poison("bound to much", _UNREGISTERED, (("monitor-source", b"x" * 100_000),)),
    Poison(
        "a fault with a zero",
        _UNREGISTERED,
        (("monitor-fault", b'{"code": "malformed", "field": "\\u0000", "detail": "\\u0000"}'),),
    ),
    Poison("a fault in depth", _UNREGISTERED, (("monitor-fault", b'{"x":' * 100_000),)),
    Poison("an import begun by nobody", b"{}", (("monitor-control", b"import_begin"),)),
    Poison("a live source nobody registered", b'{"source": "nobody"}', (("monitor-control", b"live"),), is_event=False),
    Poison("a live source that is a list", b"[]", (("monitor-control", b"live"),)),
    Poison("a pulse with a body", b"\x00" * 1000, (("monitor-control", b"pulse"),), is_event=False),
    Poison("a thousand headers", _UNREGISTERED, tuple((f"x-{n}", b"x") for n in range(1000))),
)
"""What the engine rejects, one by one, and goes on."""
