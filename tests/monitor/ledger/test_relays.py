"""What systems downstream are told: every change boards show, nothing else, and nothing that was not committed."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from monitor.events import CONSOLE, EventData
from monitor.ledger import Ledger, relays
from monitor.ledger.digest import digest
from monitor.ledger.findings import FindingChange
from monitor.ledger.publication import Approval
from monitor.ledger.relays import FindingMessage, RejectMessage, Waiting, known_field
from monitor.ledger.verify import verify
from monitor.rulebook.model import RuleSetting
from monitor.rules.apart import Apart
from monitor.verdict import Finding, Severity, finding_id
from streams.engine import Delivery, Engine, Fenced
from tests.databases import ledger_url
from tests.monitor.cases import BOOK
from tests.owned import STREAM, Partitions, owned
from tests.small_centre import MONDAY, RULEBOOK, assess_plainly, at, delivered, event, opened_engine

pytestmark = pytest.mark.usefixtures("each_database")

CARD = Finding(
    id="f1",
    rule="V01",
    rule_version=1,
    kind="conduct",
    severity=Severity.WARNING,
    state="live",
    mode="card",
    occurred_at=MONDAY,
)


@pytest.fixture
def partitions(tmp_path: Path) -> Iterator[Partitions]:
    """Give a ledger that belongs to a deployment."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(RULEBOOK)
        with owned(ledger) as partitions:
            yield partitions


@pytest.fixture
def ledger(partitions: Partitions) -> Ledger:
    """Give that ledger itself."""
    return partitions.ledger


@pytest.fixture
def engine(partitions: Partitions) -> Engine:
    """Give the engine of a partition."""
    return partitions.engine(assess_plainly)


def told(ledger: Ledger, *streams: str) -> list[Waiting]:
    """Read what waits to be relayed."""
    with ledger.read() as connection:
        found = [relays.waiting(connection, ledger.id, topic, streams or (STREAM,), 100) for topic in relays.TOPICS]
    return [each for of_topic in found for each in of_topic]


def findings_told(ledger: Ledger) -> list[tuple[str, str]]:
    """Read act and state of the messages about findings."""
    messages = [each.message for each in told(ledger) if isinstance(each.message, FindingMessage)]
    return [(message.act, message.state) for message in messages]


@pytest.mark.parametrize(
    ("old", "new", "news"),
    [
        (None, CARD, "raise"),
        (CARD, None, "withdraw"),
        (CARD, replace(CARD, severity=Severity.STATUTORY_BREACH), "worsen"),
        (CARD, replace(CARD, severity=Severity.NOTICE), "change"),
        (CARD, replace(CARD, state="contested"), "change"),
        (replace(CARD, state="provisional"), CARD, "change"),
        (CARD, replace(CARD, evidence={"days": 2}), "change"),
        (CARD, replace(CARD, occurred_at=at(1)), "change"),
        (CARD, CARD, "change"),  # the case moved: region or item
        (CARD, replace(CARD, state="cancelled"), "withdraw"),
        (replace(CARD, state="cancelled"), CARD, "raise"),
        (replace(CARD, mode="lead"), CARD, "raise"),
        (CARD, replace(CARD, mode="shadow"), "withdraw"),
        (None, replace(CARD, kind="data"), "raise"),
        (None, replace(CARD, mode="lead"), None),
        (None, replace(CARD, mode="shadow"), None),
        (None, replace(CARD, mode="backlog"), None),
        (replace(CARD, mode="lead"), replace(CARD, mode="lead", severity=Severity.STATUTORY_BREACH), None),
        (replace(CARD, state="cancelled"), None, None),
    ],
)
def test_every_change_of_a_card_is_told_and_no_lead_or_shadow(
    old: Finding | None, new: Finding | None, news: str | None
) -> None:
    """Downstream follows what boards show: cards that stand, provisional and data ones included; leads never."""
    assert FindingChange("s", at(0), Apart(CARD), old, new, "live", {}).news == news


def test_a_finding_is_told_from_its_raise_to_its_withdrawal(engine: Engine) -> None:
    """Late: raised; finished late: changed; finished in time after all: withdrawn. In this order, under its id."""
    engine.process(delivered(event()), MONDAY)
    engine.tick(at(4))
    engine.process(delivered(event("finish", time=at(5))), at(5))
    engine.process(delivered(event("finish", time=at(1), name="first")), at(6))
    assert findings_told(engine.ledger) == [("raise", "live"), ("change", "contested"), ("withdraw", "withdrawn")]
    waiting = told(engine.ledger)
    assert {each.key for each in waiting} == {finding_id("c1", "V01")}
    assert [each.seq for each in waiting] == sorted({each.seq for each in waiting})
    assert waiting[0].message == FindingMessage(
        ledger=engine.ledger.id,
        seq=waiting[0].seq,
        act="raise",
        cause="time",
        id=finding_id("c1", "V01"),
        case="c1",
        rule="V01",
        rule_version=1,
        kind="conduct",
        severity="promised_breach",
        state="live",
        region="4509",
        department="land",
        item="i1",
        occurred_at=at(3),
        changed_at=at(4),
    )


def test_what_an_inspector_cancels_is_told_as_cancelled(ledger: Ledger, partitions: Partitions) -> None:
    """Downstream takes the finding back, and knows that a person decided so."""
    book = replace(RULEBOOK, rules={"V04": RuleSetting(mode="card")}, profiles=BOOK.profiles)
    ledger.publish(book)
    engine = partitions.engine()
    engine.process(delivered(event("apply")), at(20))
    data = EventData(finding=next(each.key for each in told(ledger)))
    engine.process(delivered(event("card_cancelled", source=CONSOLE, time=at(21), data=data)), at(21))
    assert findings_told(ledger)[-1] == ("withdraw", "cancelled")


def test_a_loosened_rulebook_is_told_beside_the_streams(ledger: Ledger, engine: Engine) -> None:
    """A finding about the rulebook (V23) is no stream's; it is told all the same, to whoever relays what is none's."""
    engine.process(delivered(event()), MONDAY)
    item = replace(RULEBOOK.items[0], promised_limit="9 wd")
    for items in ((replace(item, promised_limit="5 wd"),), (item,)):
        looser = replace(RULEBOOK, items=items, rules={"V23": RuleSetting(mode="card")})
        ledger.publish(looser, approval=Approval("too many findings"))
    (message,) = (each.message for each in told(ledger, ""))
    assert isinstance(message, FindingMessage)
    assert (message.rule, message.act, message.case) == ("V23", "raise", None)


def test_nothing_is_told_of_what_was_rolled_back(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that fails at its very end leaves no message; taken again, it leaves one."""
    with monkeypatch.context() as patch:
        patch.setattr("streams.together.save_positions", _fail)
        with pytest.raises(ZeroDivisionError):
            engine.process(delivered(event()), at(9))
    assert told(engine.ledger) == []
    engine.process(delivered(event()), at(9))
    assert findings_told(engine.ledger) == [("raise", "live")]


def _fail(*_: object) -> None:
    raise ZeroDivisionError


def test_a_fenced_writer_tells_nothing(engine: Engine) -> None:
    """What an overtaken worker found is not told by it."""
    with engine.ledger.write() as connection:
        connection.exec_driver_sql("UPDATE positions SET epoch = epoch + 1")
    with pytest.raises(Fenced):
        engine.process([*delivered(event()), Delivery(b"{")], at(9))
    assert told(engine.ledger) == []


def test_a_reject_is_told_without_what_stood_in_it(engine: Engine) -> None:
    """Reason, digest and place; a source or field that somebody made up is not repeated, nor any value."""
    raw = (
        b'{"id": "a", "source": "hall", "type": "apply", "time": "2026-03-02T09:00:00Z", "case": "c1", "data": '
        b'{"outcome": "Zhang San"}}'
    )
    name = b'{"id": "a", "source": "hall", "type": "apply", "time": "2026-03-02T09:00:00Z", "Zhang_San": 1}'
    unknown = delivered(event(source="Zhang San"))[0]
    engine.process([Delivery(raw, at(1), bound_source="hall", offset=41), Delivery(name, at(1)), unknown], at(1))
    messages = [each.message for each in told(engine.ledger)]
    assert all(isinstance(message, RejectMessage) for message in messages)
    said = [(each.source, each.code, each.field, each.offset) for each in messages if isinstance(each, RejectMessage)]
    assert said == [
        ("hall", "invalid", "data.outcome", 41),
        ("", "unknown_field", "other", None),
        ("", "unregistered_source", "source", None),
    ]
    assert b"Zhang" not in msgspec.json.encode(messages)
    assert {each.key for each in told(engine.ledger)} == {"hall", ""}


@pytest.mark.parametrize(
    ("field", "known"),
    [("data.to[3]", "data.to[3]"), ("body", "body"), ("event", "event"), ("data.zhang", "other"), ("张三", "other")],
)
def test_only_fields_that_events_have_are_named(field: str, known: str) -> None:
    """The field of a reject is named if it is one of an event's."""
    assert known_field(field) == known


def test_messages_are_no_part_of_what_is_verified(ledger: Ledger, engine: Engine, tmp_path: Path) -> None:
    """With a deployment or without, relayed or not: the same digest, and a ledger that is sound."""
    engine.process([*delivered(event()), Delivery(b"{")], at(9))
    with ledger.write() as connection:
        relays.take_out(connection, [told(ledger)[0].seq])
    assert len(told(ledger)) == 1
    assert verify(ledger, assess_plainly).difference is None
    with opened_engine(tmp_path, "alone") as alone:
        alone.process([*delivered(event()), Delivery(b"{")], at(9))
        assert told(alone.ledger, "embedded") == [], "nobody relays them"
        assert digest(alone.ledger, at(30), assess_plainly) == digest(ledger, at(30), assess_plainly)
