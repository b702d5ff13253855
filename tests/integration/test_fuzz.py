"""Fuzzing the ingest of a running engine: whatever is sent, everybody gets a verdict, and the ledger stays sound."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from monitor.events import PROCEDURES, TIME_MAX, TIME_MIN, EventType
from monitor.ledger import Ledger
from monitor.ledger.verify import verify
from monitor.rulebook.load import load
from streams.server import Embedded
from tests.databases import ledger_url
from tests.integration import town
from tests.integration.bad_events import BAD, BOM
from tests.integration.program import received
from tests.streams.running import make_key

EXAMPLES = 4
"""So many times the examples of the profile in use."""
MEDIA = ("application/json", "application/x-ndjson", "application/cloudevents+json", "", "text/plain")


class Desk:
    """An engine at work in this process, and its application as a client sees it."""

    def __init__(self, ledger: Ledger, runtime: Embedded) -> None:
        self.ledger, self.runtime, self._key = ledger, runtime, make_key(ledger, "hall")
        self._client = TestClient(runtime.app)

    def post(self, body: bytes, media: str = MEDIA[0]) -> dict[str, Any]:
        """Post a body; check that the verdicts say what the ledger counts, and that the engine is alive."""
        before = received(self.ledger)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": media}
        answer = self._client.post("/api/events", content=body, headers=headers)
        assert answer.status_code in {200, 400, 413, 422}, answer.text
        told: dict[str, Any] = answer.json()
        if "events" in told:
            statuses = [event["status"] for event in told["events"]]
            assert [statuses.count(status) for status in ("applied", "duplicate", "rejected")] == [
                told["applied"],
                told["duplicate"],
                told["rejected"],
            ]
            assert received(self.ledger) == before + len(statuses)
        errors = [event["error"] for event in told.get("events", ()) if event["status"] == "rejected"]
        for error in [*errors, *([told["error"]] if "error" in told else [])]:
            assert error["code"]
            assert error["reason"]
            assert error["remedy"]
        assert all(error["field"] for error in errors)
        assert self.runtime.thread.alive
        return told


@pytest.fixture(scope="module")
def desk(database_kind: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One engine for all examples; what they leave behind must verify."""
    folder = tmp_path_factory.mktemp("fuzz")
    with Ledger.open(ledger_url(folder), folder=folder) as ledger:
        ledger.publish(load(town.write_rulebook(folder)))
        runtime = Embedded(ledger)
        runtime.start()
        yield Desk(ledger, runtime)
        runtime.close()
        assert runtime.thread.failure is None
        received(ledger)
        assert verify(ledger).difference is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=8,
)
cases = st.sampled_from(["甲1", "甲2", "甲3"])
names = st.sampled_from([*town.said(""), "data", "recorded", "applicant", "window", "channel", "specversion", "x"])


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """Write an event some of whose fields say anything, or are gone."""
    event = town.said(draw(cases), draw(st.sampled_from(["apply", "accept", "finish"])))
    for name in draw(st.lists(names, max_size=3)):
        if draw(st.booleans()):
            event[name] = draw(json_values)
        else:
            event.pop(name, None)
    return json.dumps(event, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Take a body of good and bad events, and cut, double or overwrite bytes of it."""
    events = draw(st.lists(altered() | st.sampled_from([bad.raw for bad in BAD.values() if len(bad.raw) < 5_000])))
    body = b"[" + b",".join(events) + b"]" if draw(st.booleans()) else b"\n".join(events)
    for _ in range(draw(st.integers(0, 3))):
        at, until = (draw(st.integers(0, len(body))) for _ in range(2))
        body = body[:at] + draw(st.binary(max_size=4)) + body[until:]
    return draw(st.sampled_from([b"", BOM, b"[", b"{"])) + body if draw(st.booleans()) else body


def more(examples: int = EXAMPLES) -> settings:
    """Search longer than the profile says: an example costs a millisecond or two."""
    return settings(max_examples=settings().max_examples * examples)


@more()
@given(body=st.binary(max_size=200) | json_values.map(lambda v: json.dumps(v).encode()), media=st.sampled_from(MEDIA))
def test_any_body_gets_a_verdict(desk: Desk, body: bytes, media: str) -> None:
    """Noise and JSON of any shape are refused with a reason, and counted (I1)."""
    desk.post(body, media)


@more()
@given(body=damaged(), media=st.sampled_from(MEDIA))
def test_damaged_events_get_a_verdict_each(desk: Desk, body: bytes, media: str) -> None:
    """Events altered, cut and overwritten, alone and in batches, each get their own verdict (I1)."""
    desk.post(body, media)


def near(instant: datetime) -> st.SearchStrategy[datetime]:
    """Draw an instant within two months."""
    return st.timedeltas(timedelta(days=-60), timedelta(days=60)).map(lambda shift: instant + shift)


ends = st.sampled_from([TIME_MIN, TIME_MAX - timedelta(microseconds=1)])
instants = near(town.FIRST_DAY) | st.timedeltas(timedelta(), TIME_MAX - TIME_MIN - timedelta(1)).map(
    lambda since: TIME_MIN + since
)
times = st.one_of(instants, instants, ends).map(datetime.isoformat)
days = st.floats(0, 3650, exclude_min=True, allow_subnormal=True)
codes = st.sampled_from(["permit", "service", "land", "water", "unheard-of", "e\u0301", "\U0001f600", "\u202e"])
data = st.fixed_dictionaries(
    {},
    optional={
        "outcome": st.sampled_from(["granted", "refused", "returned", "lapsed", "done"]),
        "procedure": st.sampled_from(sorted(PROCEDURES)) | codes,
        "planned_days": days,
        "days": days,
        "told_at": times,
        "approver": codes,
        "approver_role": st.sampled_from(["organ_head", "government_head", "clerk"]),
        "to": st.lists(codes, max_size=4),
        "materials": st.lists(codes, max_size=4),
        "remedies_told": st.booleans(),
        "amount": st.floats(0, 1e12),
        "rating": st.integers(1, 5),
        "due": st.fixed_dictionaries({"promised": times}),
        "target": st.integers(0, 9).map(str),
        "legal_basis": codes,
    },
)
kinds = st.sampled_from([kind.value for kind in EventType if kind is not EventType.HEARTBEAT and "card" not in kind])


@st.composite
def lawful(draw: st.DrawFn) -> bytes:
    """Write a valid event, of any type, at any time there is, saying anything an event may say."""
    event = town.said(f"丙{draw(st.integers(0, 99))}", draw(st.integers(0, 9).map(str)), type=draw(kinds))
    event |= {
        "time": draw(times),
        "item": draw(codes),
        "department": draw(codes),
        "data": {"target": "1", **draw(data)},
    }
    if draw(st.booleans()):
        event["recorded"] = draw(times)
    return json.dumps(event).encode()


@more(2)
@given(events=st.lists(lawful(), min_size=1, max_size=12))
def test_valid_events_of_any_content_never_stop_the_engine(desk: Desk, events: list[bytes]) -> None:
    """Whatever is valid is taken and judged, from 1990 to 2099, in any order and however contradictory."""
    told = desk.post(b"[" + b",".join(events) + b"]")
    full = [event["error"]["code"] for event in told["events"] if event["status"] == "rejected"]
    assert set(full) <= {"case_full"}
