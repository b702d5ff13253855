"""No free text lies in clear anywhere: not in the ledger, not in an error, not in a log."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner

from monitor.cli import app
from monitor.events import Event, EventData, TextMark, content
from monitor.ledger.digest import digest
from monitor.ledger.verify import verify
from streams.engine import Delivery, Engine
from tests.small_centre import assess_plainly, at, delivered, event, opened_engine

SAID = "申请人李四向经办人行贿五百元"
ENGLISH = "The clerk asked me for money"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine on an empty ledger of the small centre."""
    with opened_engine(tmp_path) as engine:
        yield engine


def refused(said: str | TextMark, name: str = "refuse", case: str = "c1", **more: str) -> Event:
    """Make a refusal with its reason in words."""
    return event("refuse", case, at(1), name=name, data=EventData(text=said), **more)


def assert_clear_nowhere(folder: Path, *said: str) -> None:
    """Look for texts in every byte of every file of a folder, written plainly or escaped."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" for path in files)
    for path in files:
        held = path.read_bytes()
        for each in said:
            for form in (each.encode(), each.encode("utf-16-le"), json.dumps(each)[1:-1].encode(), each[2:8].encode()):
                assert form not in held, f"{each!r} stands in {path.name}"


def test_a_text_is_sealed_before_anything_is_written(engine: Engine, tmp_path: Path) -> None:
    """Of an accepted event the ledger keeps a mark in journal and case, and gives the words back to who may ask."""
    engine.process(delivered(event(), refused(SAID), refused(ENGLISH, "refuse2")), at(1))
    engine.tick(at(9))
    assert_clear_nowhere(tmp_path, SAID, ENGLISH)
    marks = [entry.event.data.text for entry in engine.ledger.entries("c1")[1:]]
    assert [mark.length for mark in marks if isinstance(mark, TextMark)] == [len(SAID), len(ENGLISH)]
    with engine.ledger.read() as connection:
        kept = engine.ledger.texts.of_case(connection, "c1")
    assert {(each.source, each.id, each.said) for each in kept} == {
        ("hall", "refuse", SAID),
        ("hall", "refuse2", ENGLISH),
    }
    assert verify(engine.ledger, assess_plainly).difference is None


def test_a_rejected_text_is_encrypted_and_not_in_the_reason(engine: Engine, tmp_path: Path) -> None:
    """Whatever a delivery is rejected for, what was written in it stands in no column in clear, nor in the answer."""
    good = json.loads(content(refused(SAID)))
    broken = [
        {**good, "source": "nobody"},
        {**good, "data": {"text": SAID, "outcome": ENGLISH}},
        {**good, "data": {"text": [SAID]}},
        {**good, "data": {"text": {SAID: ENGLISH}}},
        {**good, "data": {"text": SAID * 200}},
        {**good, SAID: ENGLISH},
        {**good, "channel": SAID},
        {**good, "time": SAID},
        {**good, "data": {"opinion": SAID}},
    ]
    deliveries = [
        Delivery(json.dumps(each, ensure_ascii=ascii_only).encode()) for each in broken for ascii_only in (0, 1)
    ]
    deliveries += [
        Delivery(content(refused(SAID)) + b"}"),
        Delivery(SAID.encode()),
        Delivery(event=refused(SAID * 200)),
    ]
    outcomes = engine.process(deliveries, at(1))
    assert {outcome.status for outcome in outcomes} == {"rejected"}
    for outcome in outcomes:
        assert outcome.error is not None
        answered = str(outcome.error) + outcome.error.detail + outcome.error.field
        assert SAID[2:6] not in answered
        assert ENGLISH[4:12] not in answered
    assert_clear_nowhere(tmp_path, SAID, ENGLISH)


def test_a_trial_seals_as_well(engine: Engine, tmp_path: Path) -> None:
    """`monitor try` leaves no word of a text anywhere, and knows an event that was taken as a duplicate."""
    taken = refused(SAID)
    engine.process(delivered(event(), taken), at(1))
    engine.close()
    lines = b"\n".join(content(each) for each in (taken, refused(ENGLISH, "other")))
    asked = tmp_path.parent / "asked.ndjson"
    asked.write_bytes(lines + b"\n" + content(refused(SAID, source="nobody")))
    told = CliRunner().invoke(app, ["try", str(asked), "--ledger", engine.ledger.url, "--json"])
    assert [each["status"] for each in json.loads(told.stdout)["events"]] == ["duplicate", "applied", "rejected"]
    for part in (SAID[2:8], ENGLISH[4:12]):
        assert part not in told.output
    assert_clear_nowhere(tmp_path, SAID, ENGLISH)


def test_the_same_event_with_its_text_is_a_duplicate(engine: Engine) -> None:
    """Sent again, in another batch or with its mark in place of the words, it is known (I2)."""
    engine.process(delivered(event(), refused(SAID)), at(1))
    sealed = engine.ledger.entries("c1")[1].event
    outcomes = engine.process(delivered(refused(SAID), sealed, refused(SAID + "！")), at(2))
    assert [outcome.status for outcome in outcomes] == ["duplicate", "duplicate", "applied"]


def test_a_mark_is_taken_as_it_is(engine: Engine) -> None:
    """A source that seals its texts itself, or a replay, brings the mark; its words are nowhere here."""
    mark = TextMark(hash="0123456789abcdef", length=40, names_step=True)
    engine.process(delivered(event(), refused(mark)), at(1))
    assert engine.ledger.entries("c1")[1].event.data.text == mark
    with engine.ledger.read() as connection:
        assert [kept.said for kept in engine.ledger.texts.of_case(connection, "c1")] == [None]


def test_two_ledgers_with_one_key_have_one_digest(engine: Engine, tmp_path: Path) -> None:
    """The same words, or the marks replayed, end in the same ledger where the key is shared (I8)."""
    story = [event(), refused(SAID), event("finish", time=at(2))]
    engine.process(delivered(*story), at(3))
    for name, replayed in (("words", story), ("marks", [entry.event for entry in engine.ledger.entries("c1")])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "texts.key").hardlink_to(tmp_path / "texts.key")
        with opened_engine(tmp_path / name) as other:
            other.process(delivered(*replayed), at(3))
            assert digest(other.ledger, at(9), assess_plainly) == digest(engine.ledger, at(9), assess_plainly)


def test_an_error_of_the_database_quotes_nothing(engine: Engine) -> None:
    """What could not be written does not stand in the error, and so in no log."""
    with engine.ledger.write() as connection:
        connection.execute(text("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'full'); END"))
    with pytest.raises(DatabaseError) as failed:
        engine.process(delivered(event(case="the-case-number"), refused(SAID)), at(1))
    assert "the-case-number" not in str(failed.value)
