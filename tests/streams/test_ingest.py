"""HTTP ingest against a real server: a verdict on each event, limits, keys, and errors that help."""

import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from monitor.keys import list_keys, revoke_key
from monitor.ledger.schema import journal
from streams.access import token_path
from streams.requests import BODY_BYTES_MAX
from tests.small_centre import MONDAY
from tests.streams.running import Running, make_key, running

NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One running monitor for the tests of this module."""
    with running(tmp_path_factory.mktemp("ingest")) as found:
        yield found


PATIENCE = 20


def plain(case: str, name: str = "1", **more: Any) -> dict[str, Any]:
    """Write an event as a source system would."""
    written = {"id": name, "source": "hall", "type": "apply", "time": MONDAY.isoformat(), "case": case}
    return {**written, "region": "4509", "item": "i1", "department": "land", **more}


def encoded(value: Any) -> bytes:
    """Write JSON."""
    return msgspec.json.encode(value)


def journalled(monitor: Running, case: str) -> int:
    """Count a case's events in the journal."""
    with monitor.ledger.read() as connection:
        return len(connection.execute(journal.select().where(journal.c.case == case)).all())


def test_single_event_is_applied_then_known(monitor: Running) -> None:
    """The same event twice is applied once, and the sender is told both times."""
    first = monitor.post(encoded(plain("single")))
    assert (first.status_code, first.json()["applied"]) == (200, 1)
    assert first.json()["events"] == [{"id": "1", "case": "single", "status": "applied"}]
    again = monitor.post(encoded(plain("single"))).json()
    assert (again["applied"], again["duplicate"]) == (0, 1)
    assert journalled(monitor, "single") == 1


def test_rejected_single_event_is_an_error_with_field_reason_and_remedy(monitor: Running) -> None:
    """Who sends one wrong event gets status 422, and what is wrong in the language asked for."""
    event = plain("wrong")
    del event["department"]
    english = monitor.post(encoded(event))
    assert english.status_code == 422
    error = english.json()["events"][0]["error"]
    assert (error["code"], error["field"]) == ("missing", "department")
    assert error["remedy"]
    chinese = monitor.post(encoded(event), **{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
    said = chinese.json()["events"][0]["error"]["reason"]
    assert said != error["reason"]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in said)


def test_array_gives_a_verdict_on_each_event_in_order(monitor: Running) -> None:
    """One wrong element of an array costs only itself, however wrong it is."""
    batch = [plain("array", "1"), 7, plain("array", "2", type="nonsense"), plain("array", "1"), plain("array", "3")]
    answer = monitor.post(encoded(batch))
    assert answer.status_code == 200
    told = answer.json()
    assert [event["status"] for event in told["events"]] == ["applied", "rejected", "rejected", "duplicate", "applied"]
    assert (told["applied"], told["duplicate"], told["rejected"]) == (2, 1, 2)


def test_bad_line_of_ndjson_costs_only_itself(monitor: Running) -> None:
    """A truncated line is rejected, the lines around it are applied."""
    lines = b"\n".join([encoded(plain("lines", "1")), encoded(plain("lines", "2"))[:40], encoded(plain("lines", "3"))])
    told = monitor.post(lines, **{"Content-Type": NDJSON}).json()
    assert [event["status"] for event in told["events"]] == ["applied", "rejected", "applied"]
    assert told["events"][1]["error"]["code"] == "malformed"


@pytest.mark.parametrize("shape", ["json", "batch+json"])
def test_cloudevents_are_accepted(monitor: Running, shape: str) -> None:
    """A structured CloudEvents envelope, alone or in a batch, is the event it wraps."""
    case = f"cloud-{shape}"
    envelope: Any = {
        "specversion": "1.0",
        "id": "1",
        "source": "hall",
        "type": "cn.gov.supervision.apply",
        "time": MONDAY.isoformat(),
        "subject": case,
        "data": {"region": "4509", "item": "i1", "department": "land"},
    }
    body = encoded(envelope if shape == "json" else [envelope])
    answer = monitor.post(body, **{"Content-Type": f"application/cloudevents-{shape}".replace("-json", "+json")})
    assert answer.json()["applied"] == 1, answer.text
    assert monitor.ledger.entries(case)[0].event.department == "land"


def test_truncated_array_is_refused_whole_and_kept_as_a_reject(monitor: Running) -> None:
    """An array cut off in mid-air takes nothing, says where it broke, and leaves one reject with its bytes."""
    before = len(monitor.ledger.rejects())
    cut = encoded([plain("cut", str(n)) for n in range(3)])[:-20]
    answer = monitor.post(cut)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "malformed"
    assert journalled(monitor, "cut") == 0
    rejects = monitor.ledger.rejects()
    assert len(rejects) == before + 1
    assert (rejects[0].code, rejects[0].bytes_count) == ("malformed", len(cut))


def test_nothing_crashes_on_garbage(monitor: Running) -> None:
    """Binary noise, bottomless nesting and far years are refused, and the monitor goes on."""
    garbage = [b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 50_000, encoded(plain("y", time="9999-01-01T00:00:00Z"))]
    assert {monitor.post(body).status_code for body in garbage} <= {400, 422}
    assert monitor.post(encoded(plain("after-garbage"))).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_413(monitor: Running, chunked: bool) -> None:
    """A body too large is refused with its limit, whether its length was announced or not; nothing is taken."""
    body = b" " * BODY_BYTES_MAX + encoded(plain("large"))
    pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    answer = monitor.post(pieces if chunked else body)
    assert answer.status_code == 413
    assert str(BODY_BYTES_MAX) in answer.json()["error"]["reason"]
    assert journalled(monitor, "large") == 0


def test_event_over_its_limit_is_rejected_alone(monitor: Running) -> None:
    """One element of 100 kB is rejected as too large, its neighbour is applied."""
    told = monitor.post(encoded([plain("fat", "1", applicant="x" * 100_000), plain("fat", "2")])).json()
    assert [event["status"] for event in told["events"]] == ["rejected", "applied"]
    assert told["events"][0]["error"]["code"] == "too_large"


def test_more_events_than_one_request_may_hold_are_413(monitor: Running) -> None:
    """Ten thousand and one events are refused before anything is taken."""
    answer = monitor.post(b"[" + b"1," * 10_000 + b"1]")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many")


def test_compressed_body_is_refused_with_a_remedy(monitor: Running) -> None:
    """A compressed body, which may hide any size, is not taken."""
    answer = monitor.post(b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert "gzip" in answer.json()["error"]["reason"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nobody", "Basic aGFsbDpwYXNz"])
def test_without_a_key_nothing_is_taken(monitor: Running, header: str) -> None:
    """A missing or unknown key is 401, and the event is not in the journal."""
    answer = monitor.post(encoded(plain("keyless")), Authorization=header)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert journalled(monitor, "keyless") == 0


def test_revoked_key_is_refused_within_seconds(monitor: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revoked key stops working though it was in use a moment ago."""
    monkeypatch.setattr("monitor.access.RECHECK_SECONDS", 0.5)
    key = make_key(monitor.ledger, "hall")
    bearer = {"Authorization": f"Bearer {key}"}
    assert monitor.post(encoded(plain("revoked", "1")), **bearer).status_code == 200
    with monitor.ledger.write() as connection:
        revoke_key(connection, list_keys(connection)[-1].id)
    time.sleep(0.6)
    assert monitor.post(encoded(plain("revoked", "2")), **bearer).status_code == 401


def test_key_speaks_only_for_its_source(monitor: Running) -> None:
    """With the key of one source no event of another is taken; the reject says which."""
    answer = monitor.post(encoded(plain("foreign", source="night")))
    assert answer.status_code == 422
    assert answer.json()["events"][0]["error"]["code"] == "foreign_source"


def test_ledger_holds_no_key_in_clear(monitor: Running) -> None:
    """Whoever reads the ledger's file cannot send with what he finds."""
    files = list(monitor.ledger.folder.glob("ledger.sqlite*"))
    assert not any(monitor.key.encode() in file.read_bytes() for file in files)


def test_imports_are_for_this_machine_only(monitor: Running) -> None:
    """A source's key may not import; the token beside the ledger, readable by its owner alone, may."""
    path = token_path(monitor.ledger)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    local = {"Authorization": f"Bearer {path.read_text()}"}
    refused = monitor.post(encoded(plain("imported")), **{"X-Import": "1"})
    assert refused.status_code == 403
    begun = monitor.client.post("/api/imports", json={"source": "files"}, headers=local)
    assert begun.status_code == 200
    event = plain("imported", source="files")
    assert monitor.post(encoded(event), **local, **{"X-Import": "1"}).json()["applied"] == 1
    assert monitor.ledger.entries("imported")[0].received_at == MONDAY, "a backfill is received when it happened"
    ended = monitor.client.post("/api/imports/files/end", json={"complete_until": MONDAY.isoformat()}, headers=local)
    assert ended.status_code == 200
    while monitor.client.post("/api/ticks", headers=local).json()["assessed"]:
        pass
    assert monitor.client.post("/api/imports", json={"source": 7}, headers=local).status_code == 400


def test_concurrent_singles_share_one_transaction(monitor: Running) -> None:
    """Forty senders who arrive while the engine is busy all get their answer, from one commit."""
    meter, gate = monitor.runtime.pipeline.registry, threading.Event()

    def sample(name: str) -> float:
        return meter.get_sample_value(name) or 0.0

    before = sample("supervision_batch_events_count")
    monitor.runtime.thread.call(lambda engine, now: gate.wait(PATIENCE))
    with ThreadPoolExecutor(40) as senders:
        sent = [senders.submit(monitor.post, encoded(plain(f"many-{n}"))) for n in range(40)]
        deadline = time.monotonic() + PATIENCE
        while sample("supervision_queue_events") < 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        gate.set()
        assert [future.result().json()["applied"] for future in sent] == [1] * 40
    assert sample("supervision_batch_events_count") - before == 1


def test_received_equals_applied_duplicate_and_rejected(monitor: Running) -> None:
    """The metrics count every event once, by what became of it (invariant I1)."""

    def counted() -> dict[str, int]:
        states = monitor.ledger.source_states().values()
        return {name: sum(getattr(s, name) for s in states) for name in ("applied", "duplicate", "rejected")}

    before = counted()
    told = monitor.post(encoded([plain("sum"), plain("sum"), plain("sum", type="?")])).json()
    after = counted()
    assert {name: after[name] - before[name] for name in before} == {name: told[name] for name in before}


def test_openapi_describes_the_event_and_who_may_call(monitor: Running) -> None:
    """The description holds the event's schema, and says of every route who may call it."""
    described = monitor.client.get("/openapi.json").json()
    event = described["components"]["schemas"]["Event"]
    assert {"id", "source", "type", "time"} <= set(event["required"])
    for path, methods in described["paths"].items():
        for act in methods.values():
            assert "Who may call it" in act["description"], path
