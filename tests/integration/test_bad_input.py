"""Bad input: a clear reject or a data finding, the rest processed, nothing lost, nothing crashed (I1, I11)."""

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from monitor.ledger import Ledger
from monitor.ledger.schema import journal
from monitor.ledger.verify import verify
from streams.access import token_path
from tests.integration import town
from tests.integration.bad_events import BAD, BODIES, BOM, Bad, cloud, written
from tests.integration.program import Up, digest_of, events_of, received, rejected_of, run
from tests.integration.town import said

JSON = "application/json"
NDJSON = "application/x-ndjson"
POST = b"POST /api/events HTTP/1.1\r\nHost: x\r\n"
KNOWN_REASONS = {"code", "field", "detail", "reason", "remedy"}


class Monitor:
    """A running monitor, a key of its hall, and a number for each case that must be new."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'ledger.sqlite'}"
        self.errors = folder / "errors.txt"
        self.up = Up(self.url, town.write_rulebook(folder), self.errors)
        self.ledger = Ledger.open(self.url, create=False)
        self.key = run("keys", "create", "hall", "--ledger", self.url, "--json")["key"]
        self.client = httpx.Client(base_url=self.up.url, timeout=60, trust_env=False)
        self._cases = 0

    def post(self, body: bytes, media: str = JSON, **headers: str) -> httpx.Response:
        """Post a body; whatever it is, the answer is JSON, no error of the server's, and the server goes on."""
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": media, **headers}
        answer = self.client.post("/api/events", content=body, headers=given)
        assert answer.status_code in {200, 400, 413, 415, 422}, answer.text
        assert answer.json()
        assert self.client.get("/healthz").status_code == 200
        return answer

    def good(self) -> tuple[bytes, tuple[str, str, str]]:
        """Write an event in order, of a case of its own; give also how it stands in the journal."""
        self._cases += 1
        case = f"good-{self._cases}"
        return json.dumps(said(case), ensure_ascii=False).encode(), (case, "hall", "apply")


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """`monitor up` in a process of its own; it must still be there, and stop in order, after all of it."""
    made = Monitor(tmp_path_factory.mktemp("bad-input"))
    yield made
    made.client.close()
    made.ledger.close()
    assert made.up.stop() == 0


def assert_told(verdict: dict[str, Any], bad: Bad) -> None:
    """Check that a reject names field and reason, and says what to do."""
    assert verdict["status"] == "rejected"
    error = verdict["error"]
    assert error.keys() == KNOWN_REASONS
    assert (error["code"], error["field"]) == (bad.code, bad.field)
    assert error["reason"]
    assert error["remedy"]


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_event_alone_is_refused_with_field_reason_and_remedy(monitor: Monitor, name: str) -> None:
    """It is answered 422 and kept among the rejects; a lone list is an array, with a verdict on its one element."""
    bad = BAD[name]
    is_list = bad.raw.startswith(b"[")
    answer = monitor.post(bad.raw)
    assert answer.status_code == (200 if is_list else 422)
    [verdict] = answer.json()["events"]
    assert_told(verdict, bad)
    assert digest_of(bad.raw[1:-1] if is_list else bad.raw) in rejected_of(monitor.ledger)


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_line_costs_only_itself(monitor: Monitor, name: str) -> None:
    """Between two good lines, without a line end behind the last, it is rejected and they are applied."""
    bad, (first, one), (second, two) = BAD[name], monitor.good(), monitor.good()
    answer = monitor.post(b"\r\n".join([first, bad.raw, second]), NDJSON)
    assert answer.status_code == 200
    told = answer.json()
    assert [verdict["status"] for verdict in told["events"]] == ["applied", "rejected", "applied"]
    assert_told(told["events"][1], bad)
    assert (told["applied"], told["duplicate"], told["rejected"]) == (2, 0, 1)
    assert {one, two} <= events_of(monitor.ledger)
    assert digest_of(bad.raw) in rejected_of(monitor.ledger)


def test_wrong_elements_of_one_array_cost_only_themselves(monitor: Monitor) -> None:
    """All of them at once, each between two good ones: every reject has its reason, every good one is applied."""
    wrong = [bad for bad in BAD.values() if bad.fits]
    assert len(wrong) > len(BAD) - 3
    good = [monitor.good() for _ in range(len(wrong) + 1)]
    elements = [good[0][0]]
    for bad, (raw, _) in zip(wrong, good[1:], strict=True):
        elements += [bad.raw, raw]
    told = monitor.post(b"[" + b",".join(elements) + b"]").json()
    assert (told["applied"], told["duplicate"], told["rejected"]) == (len(good), 0, len(wrong))
    for verdict, bad in zip(told["events"][1::2], wrong, strict=True):
        assert_told(verdict, bad)
    assert {kept for _, kept in good} <= events_of(monitor.ledger)


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_no_events_is_refused_whole(monitor: Monitor, name: str) -> None:
    """It is answered with reason and remedy; nothing of it is taken; what was no JSON is kept as one reject."""
    body, status, code = BODIES[name]
    before = received(monitor.ledger)
    answer = monitor.post(body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["reason"]
    assert error["remedy"]
    kept = code in {"malformed", "too_deep"}
    assert received(monitor.ledger) == before + kept
    assert (digest_of(body) in rejected_of(monitor.ledger)) == kept


def test_an_empty_array_holds_nothing_and_is_no_error(monitor: Monitor) -> None:
    """A source that has nothing to say may say so."""
    before = received(monitor.ledger)
    answer = monitor.post(b"[]")
    assert answer.status_code == 200
    assert answer.json() == {"applied": 0, "duplicate": 0, "accepted": 0, "rejected": 0, "events": []}
    assert received(monitor.ledger) == before


def test_a_byte_order_mark_is_passed_over(monitor: Monitor) -> None:
    """Editors and spreadsheets put it before what they write."""
    for media in (JSON, NDJSON):
        raw, kept = monitor.good()
        assert monitor.post(BOM + raw, media).json()["applied"] == 1
        assert kept in events_of(monitor.ledger)


def test_utf_16_is_refused_with_a_remedy(monitor: Monitor) -> None:
    """JSON travels in UTF-8 (RFC 8259); the remedy says so."""
    answer = monitor.post(written().decode().encode("utf-16"))
    assert answer.status_code == 422
    assert "UTF-8" in answer.json()["events"][0]["error"]["remedy"]


@pytest.mark.parametrize("packed", [b"\x1f\x8bnothing", gzip.compress(b"[" + b" " * 50_000_000 + b"]")])
def test_a_compressed_body_is_refused_unopened(monitor: Monitor, packed: bytes) -> None:
    """A bomb is never unpacked: declared it is 415, undeclared it is no JSON."""
    before = received(monitor.ledger)
    declared = monitor.post(packed, **{"Content-Encoding": "gzip"})
    assert (declared.status_code, declared.json()["error"]["code"]) == (415, "encoding")
    assert received(monitor.ledger) == before
    assert monitor.post(packed).json()["events"][0]["error"]["code"] in {"malformed", "too_large"}


@pytest.mark.parametrize("media", ["", "text/html", "image/png", "multipart/form-data; boundary=x", "?/", "x" * 5_000])
def test_a_wrong_content_type_costs_no_event(monitor: Monitor, media: str) -> None:
    """What is declared wrongly is taken by what it is: an object, an array, or lines."""
    (raw, one), (first, two), (second, three) = monitor.good(), monitor.good(), monitor.good()
    assert monitor.post(raw, media).json()["applied"] == 1
    assert monitor.post(first + b"\n" + second + b"\n", media).json()["applied"] == 2
    assert {one, two, three} <= events_of(monitor.ledger)


def test_of_a_field_written_twice_the_last_counts(monitor: Monitor) -> None:
    """JSON leaves it open (RFC 8259 section 4); here there is one verdict, on one event, and it is readable."""
    raw, (case, _, _) = monitor.good()
    answer = monitor.post(raw[:-1] + b', "department": "water"}')
    assert answer.json()["applied"] == 1
    [entry] = monitor.ledger.entries(case)
    assert entry.event.department == "water"


def test_unknown_codes_are_taken_and_become_data_findings(monitor: Monitor) -> None:
    """A code the catalogue does not know is the source's ticket, never a reject nor a department's reproach."""
    for field in ("item", "department"):
        raw, (case, _, _) = monitor.good()
        event = {**json.loads(raw), field: "unheard-of"}
        assert monitor.post(json.dumps(event).encode()).json()["applied"] == 1
        assessment = monitor.ledger.assessment(case)
        assert assessment is not None
        [finding] = [finding for finding in assessment.findings if finding.rule == "D01"]
        assert (finding.kind, finding.evidence["code"]) == ("data", "unheard-of")


def test_an_unregistered_source_is_rejected(monitor: Monitor) -> None:
    """Even from this machine, which may speak for any source there is."""
    token = token_path(monitor.ledger).read_text(encoding="ascii")
    answer = monitor.post(written(source="nobody"), Authorization=f"Bearer {token}")
    assert_told(answer.json()["events"][0], Bad(b"", "unregistered_source", "source"))


@pytest.mark.parametrize("together", [True, False])
def test_one_identity_with_two_contents_keeps_both_and_says_so(monitor: Monitor, together: bool) -> None:
    """Neither is lost, whichever counts; the contradiction is a data finding; the same again is a duplicate."""
    raw, (case, _, _) = monitor.good()
    other = raw.replace(b'"land"', b'"water"')
    for body in [b"[" + raw + b"," + other + b"]"] if together else [raw, other]:
        assert monitor.post(body).json()["rejected"] == 0
    assert monitor.post(other).json()["duplicate"] == 1
    with monitor.ledger.read() as connection:
        kept = connection.execute(journal.select().where(journal.c.case == case)).all()
    assert {json.loads(row.content)["department"] for row in kept} == {"land", "water"}
    assessment = monitor.ledger.assessment(case)
    assert assessment is not None
    assert [finding.kind for finding in assessment.findings if finding.rule == "D02"] == ["data"]


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Authorization: Bearer KEY\r\nContent-Length: 500\r\n\r\n{",
        POST + b"Authorization: Bearer KEY\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        POST + b"Authorization: Bearer KEY\r\nContent-Length: -1\r\n\r\n{}",
        POST + b"Authorization: Bearer \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00 TLS by mistake",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
    ids=["gone in mid-body", "broken chunk", "negative length", "no text in the key", "TLS", "no such HTTP"],
)
def test_a_broken_connection_harms_nobody(monitor: Monitor, sent: bytes) -> None:
    """A sender that goes away or speaks nonsense leaves no trace, and no complaint in the log."""
    before = received(monitor.ledger)
    place = urlsplit(monitor.up.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(sent.replace(b"KEY", monitor.key.encode()))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    raw, kept = monitor.good()
    assert monitor.post(raw).status_code == 200
    assert kept in events_of(monitor.ledger)
    assert received(monitor.ledger) == before + 1
    assert "Traceback" not in monitor.errors.read_text(encoding="utf-8")


def test_the_word_of_an_envelope_as_a_value_is_no_envelope(monitor: Monitor) -> None:
    """What makes an envelope is the attribute `specversion`, not the word somewhere in an event."""
    raw, (case, _, _) = monitor.good()
    assert monitor.post(raw[:-1] + b', "applicant": "specversion"}').json()["applied"] == 1
    assert monitor.ledger.entries(case)[0].event.applicant == "specversion"


def test_a_good_envelope_is_applied(monitor: Monitor) -> None:
    """The envelopes rejected above lack what they are said to lack, and nothing else."""
    assert monitor.post(cloud()).json()["applied"] == 1


def test_after_all_of_it_the_ledger_is_sound(monitor: Monitor) -> None:
    """Everything received is accounted for, the ledger verifies, and nothing was complained of (I1)."""
    assert received(monitor.ledger) > len(BAD) * 4
    assert verify(monitor.ledger).difference is None
    assert monitor.client.get("/readyz").status_code == 200
    assert monitor.client.get("/metrics").status_code == 200
    assert "Traceback" not in monitor.errors.read_text(encoding="utf-8")
