"""Decoding: an event or one precise error, never anything else; and one canonical form of every event (design 5)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events import (
    EVENT_BYTES_MAX,
    RANK,
    STEPS,
    Event,
    EventError,
    EventType,
    checked,
    content,
    content_hash,
    decode,
    from_content,
    schema,
)
from monitor.language import LANGS

PLAIN: dict[str, Any] = {
    "id": "e1",
    "source": "hall",
    "case": "C1",
    "type": "apply",
    "time": "2009-03-02T09:00:00+08:00",
    "region": "4509",
    "item": "permit",
    "department": "land",
}
BEAT: dict[str, Any] = {"id": "h1", "source": "hall", "type": "heartbeat", "time": "2009-03-02T09:00:00+08:00"}
ENVELOPE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "hall",
    "type": "cn.gov.yulin.case.apply",
    "subject": "C1",
    "time": "2009-03-02T09:00:00+08:00",
    "datacontenttype": "application/json",
    "data": {"region": "4509", "item": "permit", "department": "land"},
}
FULL = {
    **PLAIN,
    "type": "suspend",
    "recorded": "2009-03-02T09:00:30.5+08:00",
    "window": "w1",
    "operator": "o1",
    "operator_role": "clerk",
    "channel": "online",
    "applicant": "ab12",
    "data": {
        "procedure": "testing",
        "planned_days": 5,
        "told_at": "2009-03-02T10:00:00+08:00",
        "due": {"promised": "2009-03-09T17:30:00+08:00"},
        "to": ["fire", "water"],
        "amount": 12.5,
    },
}


def written(base: dict[str, Any] = PLAIN, /, **changes: Any) -> bytes:
    """Write an event as JSON with some fields changed; `...` leaves a field out."""
    return json.dumps({key: value for key, value in {**base, **changes}.items() if value is not ...}).encode()


def error_of(raw: bytes) -> EventError:
    """Decode what must not be taken, and give the error."""
    with pytest.raises(EventError) as caught:
        decode(raw)
    return caught.value


def test_a_plain_event_is_decoded_in_utc() -> None:
    """A good event becomes a value with its time in UTC."""
    event = decode(written())
    assert (event.case, event.type, event.time) == ("C1", EventType.APPLY, datetime(2009, 3, 2, 1, tzinfo=UTC))
    assert event.identity == ("hall", "e1")


def test_a_heartbeat_needs_a_source_and_no_case() -> None:
    """A heartbeat speaks for its source, and may say up to when everything was sent."""
    event = decode(written(BEAT, data={"complete_until": "2009-03-02T08:00:00+08:00"}))
    assert (event.case, event.data.complete_until) == (None, datetime(2009, 3, 2, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        pytest.param(written()[:-1], "malformed", "event", id="truncated"),
        pytest.param(b"", "malformed", "event", id="empty"),
        pytest.param(written() + written(), "malformed", "event", id="two-objects"),
        pytest.param(b"\xff\xfe{}", "malformed", "event", id="not-utf-8"),
        pytest.param(written().replace(b"C1", b"\xc3\x28"), "malformed", "event", id="bad-utf-8-inside"),
        pytest.param(written().replace(b"C1", rb"\ud800"), "malformed", "event", id="lone-surrogate"),
        pytest.param(b"\xef\xbb\xbf" + written(), "malformed", "event", id="byte-order-mark"),
        pytest.param(b"[]", "invalid", "event", id="array"),
        pytest.param(b"null", "invalid", "event", id="null"),
        pytest.param(b"NaN", "malformed", "event", id="nan"),
        *(
            pytest.param(written(**{field: ...}), "missing", field, id=f"no-{field}")
            for field in ("id", "source", "type", "time", "case", "region", "item", "department")
        ),
        *(
            pytest.param(written(**{field: 1}), "invalid", field, id=f"{field}-is-a-number")
            for field in ("id", "source", "type", "time", "case", "recorded", "window", "channel", "data")
        ),
        pytest.param(written(type="approved"), "invalid", "type", id="unknown-type"),
        pytest.param(written(type="x" * 60_000), "invalid", "type", id="endless-type"),
        pytest.param(written(**{"x" * 60_000: 1}), "unknown_field", "(60000 characters)", id="endless-name"),
        pytest.param(written(channel="pigeon"), "invalid", "channel", id="unknown-channel"),
        pytest.param(written(time="2009-03-02T09:00:00"), "invalid", "time", id="no-offset"),
        pytest.param(written(time="2009-02-30T09:00:00Z"), "invalid", "time", id="no-such-day"),
        pytest.param(written(time="yesterday"), "invalid", "time", id="not-a-time"),
        pytest.param(written(time="0000-01-01T00:00:00Z"), "invalid", "time", id="year-0"),
        pytest.param(written(time="0001-01-01T00:00:00+08:00"), "time_range", "time", id="year-1"),
        pytest.param(written(time="1989-12-31T23:59:59Z"), "time_range", "time", id="1989"),
        pytest.param(written(time="1990-01-01T00:00:00+08:00"), "time_range", "time", id="1989-in-utc"),
        pytest.param(written(time="2100-01-01T00:00:00Z"), "time_range", "time", id="2100"),
        pytest.param(written(time="2099-12-31T23:59:59-08:00"), "time_range", "time", id="2100-in-utc"),
        pytest.param(written(time="9999-12-31T23:59:59-08:00"), "time_range", "time", id="year-9999"),
        pytest.param(written(recorded="9999-01-01T00:00:00Z"), "time_range", "recorded", id="recorded-9999"),
        pytest.param(
            written(data={"due": {"promised": "9999-12-31T23:59:59-08:00"}}),
            "time_range",
            "data.due.promised",
            id="due-9999",
        ),
        pytest.param(
            written(data={"told_at": "0001-01-01T00:00:00+08:00"}), "time_range", "data.told_at", id="told-year-1"
        ),
        pytest.param(
            written(BEAT, data={"complete_until": "9999-01-01T00:00:00Z"}),
            "time_range",
            "data.complete_until",
            id="complete-9999",
        ),
        pytest.param(written(colour="red"), "unknown_field", "colour", id="unknown-field"),
        pytest.param(written(**{"": 1}), "unknown_field", '""', id="nameless-field"),
        pytest.param(written(data={"name": "Li"}), "unknown_field", "data.name", id="unknown-data"),
        pytest.param(
            written(data={"due": {"promised": "2009-03-09T17:30:00Z", "x": 1}}),
            "unknown_field",
            "data.due.x",
            id="unknown-in-due",
        ),
        pytest.param(written(data={"due": {}}), "missing", "data.due.promised", id="due-without-instant"),
        pytest.param(written(data={"days": 0}), "invalid", "data.days", id="no-days"),
        pytest.param(written(data={"days": "5"}), "invalid", "data.days", id="days-in-quotes"),
        pytest.param(written(data={"rating": 6}), "invalid", "data.rating", id="rating-6"),
        pytest.param(written(data={"amount": -1}), "invalid", "data.amount", id="negative-amount"),
        pytest.param(written(data={"outcome": "maybe"}), "invalid", "data.outcome", id="unknown-outcome"),
        pytest.param(written(data={"to": ["fire", 1]}), "invalid", "data.to[1]", id="wrong-element"),
        pytest.param(written(data={"to": "fire"}), "invalid", "data.to", id="text-for-list"),
        pytest.param(written(id=""), "invalid", "id", id="empty-id"),
        pytest.param(written(id="x" * 129), "invalid", "id", id="long-id"),
        pytest.param(written(item="x" * 65), "invalid", "item", id="long-code"),
        *(
            pytest.param(written(case=f"C1{mark}"), "invalid", "case", id=f"control-{ord(mark):#04x}")
            for mark in "\x00\n\r\t\x1b\x1f\x7f"
        ),
        pytest.param(written(case="C\n1"), "invalid", "case", id="control-inside"),
        pytest.param(written(data={"legal_basis": "art. 45\n"}), "invalid", "data.legal_basis", id="control-basis"),
        pytest.param(written(BEAT, case="C1"), "superfluous", "case", id="heartbeat-with-case"),
        pytest.param(written(type="retract"), "missing", "data.target", id="retract-nothing"),
        pytest.param(written(case="x" * 10_000_000), "too_large", "event", id="10-MB"),
        pytest.param(b"[" * 10_000_000, "too_large", "event", id="10-MB-deep"),
        pytest.param(b'{"id":' + b"[" * 60_000, "invalid", "id", id="deep-value"),
        pytest.param(b'{"colour":' + b"[" * 60_000, "unknown_field", "colour", id="deep-unknown"),
        pytest.param(written(ENVELOPE, specversion="0.3"), "invalid", "specversion", id="old-envelope"),
        pytest.param(written(ENVELOPE, id=...), "missing", "id", id="envelope-without-id"),
        pytest.param(written(ENVELOPE, time=...), "missing", "time", id="envelope-without-time"),
        pytest.param(written(ENVELOPE, subject=...), "missing", "case", id="envelope-without-subject"),
        pytest.param(written(ENVELOPE, data=...), "missing", "region", id="envelope-without-data"),
        pytest.param(written(ENVELOPE, data=[1]), "invalid", "data", id="envelope-with-list"),
        pytest.param(written(ENVELOPE, data=None), "invalid", "data", id="envelope-with-null"),
        pytest.param(written(ENVELOPE, type="cn.gov.approved"), "invalid", "type", id="envelope-of-unknown-type"),
        pytest.param(
            written(ENVELOPE, data={**ENVELOPE["data"], "colour": 1}), "unknown_field", "colour", id="envelope-unknown"
        ),
        pytest.param(
            written(ENVELOPE).replace(b'"4509"', b"[" * 60_000), "too_deep", "event", id="envelope-nested-deeply"
        ),
        pytest.param(written(ENVELOPE)[:-1], "malformed", "event", id="envelope-truncated"),
    ],
)
def test_bad_input_is_one_error_that_says_where_why_and_what_to_do(raw: bytes, code: str, field: str) -> None:
    """Whatever is wrong, the error names the field, the reason and the remedy, in Chinese and in English."""
    error = error_of(raw)
    assert (error.code, error.field) == (code, field)
    for lang in LANGS:
        assert error.reason(lang)
        assert error.remedy(lang)
        assert error.describe(lang).startswith(f"{field}: ")
    assert len(str(error)) < 1_000
    assert error.remedy("zh") != error.remedy("en")


def test_the_size_limit_is_met_exactly() -> None:
    """An event of exactly the largest size is read, one byte more is refused before it is parsed."""
    raw = written()
    assert decode(raw + b" " * (EVENT_BYTES_MAX - len(raw))).case == "C1"
    assert error_of(raw + b" " * (EVENT_BYTES_MAX - len(raw) + 1)).code == "too_large"


def test_an_envelope_is_the_event_inside() -> None:
    """A CloudEvents envelope, extension attributes and all, is the same event as the plain one."""
    assert content(decode(written(ENVELOPE, traceparent="00-1", partitionkey="C1"))) == content(decode(written()))


def test_an_envelope_around_a_heartbeat_needs_no_subject() -> None:
    """A heartbeat in an envelope has no case."""
    beat = written(ENVELOPE, type="heartbeat", subject=..., data={})
    assert decode(beat).type is EventType.HEARTBEAT


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(dict(reversed(FULL.items())), indent=3).encode(),
        json.dumps(FULL, ensure_ascii=True).replace("hall", "\\u0068all").encode(),
        written(FULL, time="2009-03-02T01:00:00Z"),
        written(FULL, time="2009-03-02T02:00:00.000000+01:00", recorded="2009-03-01T20:00:30.500-05:00"),
        written(FULL, direct_line=None),
        written(FULL, data={**FULL["data"], "planned_days": 5.0, "told_at": "2009-03-02T02:00:00Z", "rating": None}),
    ],
    ids=["other-order", "escaped", "utc", "other-offset", "null-field", "other-numbers"],
)
def test_the_same_event_written_differently_has_the_same_content(raw: bytes) -> None:
    """However an event is written, its canonical content and its hash are the same bytes."""
    assert content(decode(raw)) == content(decode(written(FULL)))
    assert content_hash(content(decode(raw))) == content_hash(content(decode(written(FULL))))


def test_another_event_has_another_content() -> None:
    """Any difference in meaning is a difference in content."""
    changes: list[dict[str, Any]] = [{}, {"window": "w2"}, {"time": "2009-03-02T09:00:01+08:00"}, {"data": {}}]
    assert len({content(decode(written(FULL, **change))) for change in changes}) == len(changes)


def test_of_a_key_given_twice_the_last_counts() -> None:
    """JSON that repeats a key is read as most readers do, the same way every time."""
    assert decode(written()[:-1] + b', "case": "C2"}').case == "C2"


def test_events_of_one_instant_have_an_order() -> None:
    """Every type has a rank of its own, and the eight steps of one instant follow their procedure."""
    assert sorted(RANK.values()) == list(range(len(EventType)))
    ranks = [RANK[step] for step in STEPS]
    assert ranks == sorted(ranks)


def test_the_schema_describes_what_is_decoded() -> None:
    """The published schema names the required fields and every type."""
    defined = schema()["$defs"]
    assert set(defined["Event"]["required"]) == {"id", "source", "type", "time"}
    assert set(defined["EventType"]["enum"]) == {kind.value for kind in EventType}
    assert defined["Event"]["additionalProperties"] is False


def taken(raw: bytes) -> Event | None:
    """Decode, and give None where it was refused with a full explanation."""
    try:
        return decode(raw)
    except EventError as refused:
        error = refused
    assert error.field
    assert all(error.reason(lang) and error.remedy(lang) for lang in LANGS)
    return None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_explained(raw: bytes) -> None:
    """No bytes whatever raise anything but an explained refusal."""
    taken(raw)


@given(st.data())
def test_any_mutation_of_a_good_event_is_taken_or_explained(data: st.DataObject) -> None:
    """Bytes removed, replaced or inserted anywhere in an event never raise anything but an explained refusal."""
    raw = bytearray(written(data.draw(st.sampled_from([PLAIN, FULL, BEAT, ENVELOPE]))))
    for _ in range(data.draw(st.integers(1, 4))):
        here = data.draw(st.integers(0, len(raw)))
        raw[here : here + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    event = taken(bytes(raw))
    if event is not None:
        assert from_content(content(event)) == event
        assert content(checked(from_content(content(event)))) == content(event)


@given(
    base=st.sampled_from([PLAIN, FULL, BEAT, ENVELOPE]),
    field=st.sampled_from([*FULL, "recorded", "direct_line", "specversion", "subject", "x", "data_base64"]),
    value=JSON,
)
def test_any_value_of_any_field_is_taken_or_explained(base: dict[str, Any], field: str, value: Any) -> None:
    """A field of whatever shape never raises anything but an explained refusal."""
    taken(json.dumps({**base, field: value}).encode())


@given(field=st.sampled_from([*FULL["data"], "target", "days", "officers", "materials", "voucher"]), value=JSON)
def test_any_value_of_any_datum_is_taken_or_explained(field: str, value: Any) -> None:
    """The same holds for what an event says in its data, in an envelope too."""
    taken(json.dumps({**PLAIN, "data": {field: value}}).encode())
    taken(json.dumps({**ENVELOPE, "data": {**ENVELOPE["data"], "data": {field: value}}}).encode())


@given(st.datetimes(timezones=st.timezones()))
def test_any_time_is_taken_or_explained(time: datetime) -> None:
    """A time of any year and zone is either a time of the years there are calendars for, or refused by name."""
    event = taken(written(time=time.isoformat()))
    assert event is None or 1990 <= event.time.year < 2100


@pytest.mark.parametrize(
    "written_wrong",
    [
        {"channel": "申请人张三 450922199001011234"},
        {"data": {"outcome": "He asked for money. Twice."}},
        {"申请人张三 向我反映": 1},
        {"data": {"text": {"申请人张三，住在城西": 1}}},
        {"data": {"text": ["申请人张三"]}},
    ],
)
def test_an_error_repeats_no_text_that_somebody_wrote(written_wrong: dict[str, Any]) -> None:
    """A text in the wrong place stands neither in the error's field nor in its detail; a code does, to be corrected."""
    error = error_of(written(**written_wrong))
    for part in ("张三", "450922", "money"):
        assert part not in error.describe("zh") + error.describe("en") + error.field + error.detail
    assert "'pigeon'" in error_of(written(channel="pigeon")).detail
