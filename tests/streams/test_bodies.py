"""How request bodies fall into events."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.bodies import EVENTS_PER_REQUEST_MAX, BodyError, split

JSON = "application/json"
NDJSON = "application/x-ndjson"


def test_single_object_is_one_event() -> None:
    """One object is one event, whatever white space or byte order mark stands around it."""
    body = split(b'\xef\xbb\xbf \n{"id": "1"}\n ', JSON)
    assert (body.shape, body.events) == ("single", (b'{"id": "1"}',))


def test_array_elements_keep_their_own_bytes() -> None:
    """A wrong element stays what it was, so that its own reject can show it."""
    body = split(b'[{"id": 1.50}, null, "x"]', "application/cloudevents-batch+json")
    assert (body.shape, body.events) == ("array", (b'{"id": 1.50}', b"null", b'"x"'))


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=3), max_size=9))
def test_lines_and_array_give_the_same_events(values: list[dict[str, int | str]]) -> None:
    """NDJSON and an array of the same events are the same events."""
    lines = [msgspec.json.encode(value) for value in values]
    as_lines = split(b"\r\n\n".join(lines), NDJSON).events if lines else ()
    assert as_lines == split(b"[" + b",".join(lines) + b"]", JSON).events == tuple(lines)


def test_bad_line_is_one_event_of_its_own() -> None:
    """A truncated line takes no other line with it."""
    assert split(b'{"a":1}\n{"b":\n{"c":3}', NDJSON).events == (b'{"a":1}', b'{"b":', b'{"c":3}')


def test_json_text_sequence_is_cut_at_its_separators() -> None:
    """Each text of a sequence is one event, whatever lines it is written on; a broken one costs itself."""
    sequence = b'\x1e{"a":\n1}\n\x1e{"b":\n\x1e{"c":3}\n'
    assert split(sequence, "application/json-seq").events == (b'{"a":\n1}', b'{"b":', b'{"c":3}')


@pytest.mark.parametrize("media", ["", "application/x-www-form-urlencoded", "text/plain; charset=utf-8"])
def test_lines_are_recognised_without_their_type(media: str) -> None:
    """A file of lines sent by plain curl is taken as lines, an indented object is not."""
    assert split(b'{"a":1}\n{"b":2}', media).shape == "lines"
    assert split(b'{\n "a":1,\n "b":2}', media).shape == "single"


def test_declared_json_is_never_guessed_to_be_lines() -> None:
    """Who declares JSON and sends two documents gets one clear error, not two half-understood events."""
    assert split(b'{"a":1}\n{"b":2}', JSON).shape == "single"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b'[{"a":1}', "malformed"),
        (b'[{"a":1}] x', "malformed"),
        (b"[" * 100_000, "too_deep"),
        (b"[" + b"0," * EVENTS_PER_REQUEST_MAX + b"0]", "too_many"),
    ],
)
def test_unusable_body_is_refused_with_its_reason(body: bytes, code: str) -> None:
    """An empty, broken, bottomless or overlong body is refused as a whole, and says why."""
    with pytest.raises(BodyError) as refused:
        split(body, JSON)
    assert refused.value.code == code
    assert refused.value.detail


@pytest.mark.parametrize(
    "wrong",
    [
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'{"a": "\t,]"}',
        b'{"a" "b\\\\"}',
        b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b"nonsense",
        b"\xff",
    ],
)
def test_wrong_element_of_an_array_is_one_event_of_its_own(wrong: bytes) -> None:
    """One element that is no JSON takes no other element with it, and keeps its own bytes."""
    first, last = b'{"a": "]}, \\"["}', b'{"b": [1, {}]}'
    body = split(b"[ " + first + b" ,\n" + wrong + b"," + last + b"\n]", JSON)
    assert (body.shape, body.events) == ("array", (first, wrong, last))


@pytest.mark.parametrize(
    "broken", [b'[{"a":NaN},]', b'[NaN,"b]', b"[NaN]]", b"[NaN", b"[NaN,[]", b'[{"a":NaN}}', b'[",']
)
def test_array_whose_commas_or_brackets_do_not_fit_is_not_guessed_at(broken: bytes) -> None:
    """Where one cannot tell what was meant, nothing is taken."""
    with pytest.raises(BodyError):
        split(broken, JSON)


@given(
    st.binary(max_size=60).map(lambda noise: b"[" + noise + b"]") | st.text('[]{},"\\a', max_size=40).map(str.encode)
)
def test_no_array_is_lost_in_splitting(body: bytes) -> None:
    """Whatever stands between the brackets is in the events, or the body is refused."""
    try:
        events = split(body, JSON).events
    except BodyError:
        return
    plain = bytes.maketrans(b"", b""), b" \t\r\n\v\f[],"
    assert b"".join(events).translate(*plain) == body.translate(*plain)


@pytest.mark.parametrize("piece", [b"[", b'\\"', b"{}", b'"', b'["', b"[],"])
def test_broken_array_of_the_largest_size_is_refused_soon(piece: bytes) -> None:
    """Eight megabytes of anything are given up in a second or two, not in minutes."""
    began = time.process_time()
    with pytest.raises(BodyError):
        split(b"[" + piece * (8 * 1024 * 1024 // len(piece)), JSON)
    assert time.process_time() - began < 5


def test_broken_array_names_the_position() -> None:
    """The reason of a malformed array says at which byte it broke."""
    with pytest.raises(BodyError, match="byte 9"):
        split(b'[{"a":1},,{"b":2}]', JSON)
