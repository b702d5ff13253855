"""Findings about no case, in the ledger: raised and withdrawn with what they follow from, verified, in the digest."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text

from monitor.kpi.standing import standing_findings
from monitor.ledger import Ledger
from monitor.ledger.digest import digests, misreported
from monitor.ledger.publication import Approval
from monitor.ledger.schema import findings, outbox
from monitor.ledger.verify import verify
from monitor.live.board import read_board
from monitor.rulebook.model import Rulebook, RuleSetting
from streams.engine import Engine
from tests.databases import ledger_url
from tests.monitor.cases import BOOK as YULIN
from tests.small_centre import RULEBOOK, at, delivered, event, heartbeat

pytestmark = pytest.mark.usefixtures("each_database")

BOOK = replace(
    RULEBOOK,
    profiles=YULIN.profiles,
    items=(replace(RULEBOOK.items[0], promised_limit="5 wd"),),
    rules={"V23": RuleSetting(mode="card")},
)
LONGER = replace(BOOK, items=(replace(BOOK.items[0], promised_limit="9 wd"),))
ALONE = Approval("试点")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an engine with one open case, heard of on Monday at nine, on either database."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(BOOK)
        engine = Engine(ledger)
        engine.process(delivered(event("apply"), event("accept")), at())
        yield engine
        engine.close()


def rows(engine: Engine, rule: str) -> list[tuple[str, str, int]]:
    """Read what stands, or stood, of a rule: subject, state, severity."""
    query = select(findings.c.subject, findings.c.state, findings.c.severity).where(findings.c.rule == rule)
    with engine.ledger.read() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(findings.c.subject))]  # type: ignore[misc]


def loosen(engine: Engine, book: Rulebook = LONGER, days: float = 1000, **more: bool) -> int:
    """Publish a rulebook with effect from a day on, alone."""
    return engine.ledger.publish(book, at(days), "改", approval=ALONE, **more)


def test_a_silent_source_is_found_by_the_tick_and_gone_when_it_speaks(engine: Engine) -> None:
    """Two office hours after nine nobody has been heard of; a heartbeat ends it, in the same transaction."""
    engine.tick(at(hours=2))
    assert rows(engine, "V31") == []
    engine.tick(at(hours=2.01))
    assert rows(engine, "V31") == [("hall", "live", 1)]
    engine.tick(at(days=1))
    assert rows(engine, "V31") == [("hall", "live", 2)]
    engine.process(delivered(heartbeat("hall", "h1", at(days=1))), at(days=1))
    assert rows(engine, "V31") == [("hall", "withdrawn", 2)]
    engine.tick(at(days=1, hours=3.5))
    assert rows(engine, "V31") == [("hall", "live", 1)]


def test_silence_is_told_on_the_page_and_to_nobody_else(engine: Engine) -> None:
    """A ticket that names the source and its last event, before the others; the outbox has nothing of it."""
    engine.process(delivered(event("transfer", time=at(), name="x")), at())
    engine.tick(at(days=1))
    ticket = read_board(engine.ledger, "en", []).tickets[0]
    assert (ticket.title, ticket.about, ticket.count) == ("V31 Source silent", "the whole source", "")
    assert "source hall" in ticket.says
    with engine.ledger.read() as connection:
        assert "V31" not in {row.finding for row in connection.execute(select(outbox.c.finding))}
        assert misreported(connection) == set()


def test_a_source_that_only_imports_is_never_silent(engine: Engine) -> None:
    """A loaded past says nothing of when its source will be heard of again."""
    engine.process(delivered(event("apply", "c2", source="files"), backfill=True), at())
    engine.tick(at(days=3))
    assert [subject for subject, _, _ in rows(engine, "V31")] == ["hall"]


def test_verify_computes_silence_again(engine: Engine) -> None:
    """Sound at every commit, also after a publication with another number of hours; a changed row is named."""
    engine.tick(at(days=1))
    assert verify(engine.ledger).difference is None
    quieter = replace(BOOK, sources=tuple(replace(source, silence_hours=500) for source in BOOK.sources))
    loosen(engine, quieter, days=-1, retroactive=True)
    assert verify(engine.ledger).difference is None
    assert rows(engine, "V31") == [("hall", "withdrawn", 2)]
    with engine.ledger.write() as connection:
        connection.execute(text("UPDATE findings SET state = 'live' WHERE rule = 'V31'"))
    difference = verify(engine.ledger).difference
    assert difference is not None
    assert (difference.table, difference.field, difference.found) == ("findings", "state", "live")


def test_tampering_is_raised_with_the_publication(engine: Engine) -> None:
    """Published is found: before any tick, once, told as its mode says, counted on the boards, and shown."""
    assert loosen(engine) == 2
    assert rows(engine, "V23") == [("2:i1", "live", 4)]
    with engine.ledger.read() as connection:
        acts = connection.execute(select(outbox.c.act, outbox.c.delivery, outbox.c.case)).all()
        assert [tuple(act) for act in acts if act.act != "notice"] == [("raise", "send", "")]
        assert misreported(connection) == set()
        assert [key[0] for key in standing_findings(connection)] == ["V23"]
    assert verify(engine.ledger).difference is None
    (shown,) = read_board(engine.ledger, "en", []).findings
    assert (shown.rule, shown.about) == ("V23 Limits or rules loosened", "Land · Permit")


def test_a_planned_version_that_is_replaced_is_withdrawn(engine: Engine) -> None:
    """The outbox takes back what it told, when a version takes the place of one that never came into force."""
    loosen(engine)
    loosen(engine, replace(BOOK, name="再"), days=900)
    assert rows(engine, "V23") == [("2:i1", "withdrawn", 4)]
    with engine.ledger.read() as connection:
        acts = connection.execute(select(outbox.c.act).order_by(outbox.c.seq)).scalars().all()
        assert [act for act in acts if act != "notice"] == ["raise", "withdraw"]
    assert verify(engine.ledger).difference is None


def test_a_closed_case_is_nobody_to_tamper_with(engine: Engine) -> None:
    """With the last case of the item closed its limit may be raised."""
    engine.process(delivered(event("withdraw", time=at(1))), at(1))
    loosen(engine)
    assert rows(engine, "V23") == []


def test_a_retroactive_version_judges_what_was_accepted_since(engine: Engine) -> None:
    """Cases accepted after the instant are frozen to it and assessed again; that it is retroactive is a finding."""
    engine.process(delivered(event("apply", "c2", at(4)), event("accept", "c2", at(4))), at(5))
    loosen(engine, days=2, retroactive=True)
    while engine.tick(at(5)):
        pass
    first, second = engine.ledger.assessment("c1"), engine.ledger.assessment("c2")
    assert first is not None
    assert second is not None
    assert [(each.catalogue, each.rulebook) for each in (first, second)] == [(1, 2), (2, 2)]
    assert [each.clock("promised").limit for each in (first, second)] == ["5 wd", "9 wd"]  # type: ignore[union-attr]
    assert rows(engine, "V23") == [("2:i1", "live", 4), ("2:retroactive", "live", 4)]
    assert verify(engine.ledger).difference is None


def test_the_digest_has_what_was_loosened_and_no_silence(engine: Engine) -> None:
    """Silence depends on when things were delivered; what was loosened is a part of its own, without time and count."""
    before = digests(engine.ledger, at(2))
    engine.tick(at(2))
    assert rows(engine, "V31")
    assert digests(engine.ledger, at(2)) == before
    loosen(engine)
    after = digests(engine.ledger, at(2))
    assert replace(after, publications=before.publications) == before
    assert after.whole != before.whole


def test_verify_names_a_tampering_that_was_hidden(engine: Engine) -> None:
    """A finding taken out of the ledger, or the number of open cases made another, is named."""
    loosen(engine)
    with engine.ledger.write() as connection:
        connection.execute(text("UPDATE rulebooks SET open_cases = '{\"i1\": 7}' WHERE version = 2"))
    difference = verify(engine.ledger).difference
    assert difference is not None
    assert (difference.table, difference.field) == ("findings", "evidence")
    with engine.ledger.write() as connection:
        connection.execute(text("DELETE FROM findings WHERE rule = 'V23'"))
    difference = verify(engine.ledger).difference
    assert difference is not None
    assert (difference.found, difference.expected) == ("no row", "V23 on 2:i1")


def test_nothing_else_stands_without_a_case(engine: Engine) -> None:
    """A finding that nothing speaks for is named, with or without a case."""
    engine.tick(at(days=1))
    with engine.ledger.write() as connection:
        connection.execute(text("UPDATE findings SET rule = 'V01' WHERE rule = 'V31'"))
    difference = verify(engine.ledger).difference
    assert difference is not None
    assert difference.table == "findings"


def test_a_quiet_hour_of_a_busy_source_costs_nothing(engine: Engine) -> None:
    """As long as a source speaks, nothing is written of it."""
    for number in range(5):
        engine.process(delivered(heartbeat("hall", f"h{number}", at(hours=number))), at(hours=number))
        engine.tick(at(hours=number) + timedelta(minutes=30))
    assert rows(engine, "V31") == []
