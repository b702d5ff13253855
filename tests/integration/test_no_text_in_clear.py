"""What people wrote stands in clear nowhere a running monitor leaves anything: tables, logs, answers (privacy)."""

import json
from pathlib import Path

import httpx

from tests.integration import town
from tests.integration.program import Up, run
from tests.integration.town import said

WRITTEN = "申请人李四称经办人索要五百元"
ENGLISH = "the clerk asked Mr Lee for money"


def test_texts_are_sealed_whatever_becomes_of_the_event(tmp_path: Path) -> None:
    """Taken, rejected for anything, cut off, sent twice: no file of the monitor holds a word, no answer repeats one."""
    data = tmp_path / "data"
    data.mkdir()
    url, log = f"sqlite:///{data / 'ledger.sqlite'}", data / "errors.txt"
    up = Up(url, town.write_rulebook(tmp_path), log)
    key = run("keys", "create", "hall", "--ledger", url, "--json")["key"]
    good = said("甲1", "refuse", data={"text": WRITTEN})
    bodies = [
        [good, {**good, "id": "2", "data": {"text": ENGLISH}}],
        [{**good, "region": "4501"}, {**good, "type": WRITTEN}, {**good, "data": {"text": [ENGLISH]}}],
        [{**good, WRITTEN: ENGLISH}, {**good, "time": WRITTEN}, {**good, "data": {"text": WRITTEN * 200}}],
        good,
    ]
    raw = [json.dumps(body, ensure_ascii=number % 2 == 0).encode() for number, body in enumerate(bodies)]
    raw += [raw[0][:-3], b"[" + raw[3] + b", {]"]
    answers = []
    with httpx.Client(base_url=up.url, trust_env=False, timeout=60) as client:
        for body in raw:
            answer = client.post("/api/events", content=body, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code in {200, 400, 422}
            answers.append(answer.text)
        answers += [client.get(path).text for path in ("/", "/metrics", "/openapi.json")]
    assert "duplicate" in answers[3]
    up.kill()  # what is in the write-ahead log stays there
    assert (data / "ledger.sqlite-wal").stat().st_size > 0
    left = {path.name: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    left |= {f"answer {number}": answer.encode() for number, answer in enumerate(answers)}
    for written in (WRITTEN, ENGLISH):
        for form in (written.encode(), json.dumps(written)[1:-1].encode(), written[2:9].encode()):
            assert [name for name, held in left.items() if form in held] == []
    texts = run("texts", "show", "甲1", "--ledger", url, "--json")
    assert {each["said"] for each in texts} == {WRITTEN, ENGLISH}
    assert run("verify", "--ledger", url, "--json")["difference"] is None
