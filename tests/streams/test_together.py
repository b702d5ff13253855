"""Several streams in one transaction end as each would alone, and all of them or none."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import select, text
from sqlalchemy.engine.default import DefaultDialect

from monitor.events import Event
from monitor.ledger import Ledger
from monitor.ledger.deployment import Deployment, claim
from monitor.ledger.digest import digest
from monitor.ledger.lease import Lease
from monitor.ledger.schema import journal, positions
from monitor.ledger.verify import verify
from monitor.rulebook.model import RulebookHistory
from monitor.verdict import Assessment, JournalEntry
from streams.engine import Engine, Fenced, Share, process_together
from streams.neighbours import Elsewhere
from tests.databases import ledger_url, scratch_ledger
from tests.small_centre import RULEBOOK, assess_plainly, at, delivered, event, heartbeat

pytestmark = pytest.mark.usefixtures("each_database")

STREAMS = ("t/0", "t/1", "t/2")


class Homes:
    """The streams beside one: a case belongs to the stream whose number it begins with."""

    def __init__(self, stream: str) -> None:
        self._number = stream[-1]
        self.told: list[list[Elsewhere]] = []

    def is_home(self, case: str) -> bool:
        """Tell by the name of a case."""
        return case.startswith(self._number)

    def pass_on(self, told: Sequence[Elsewhere]) -> None:
        """Keep what was to be passed on."""
        self.told.append(list(told))


class Office:
    """Three engines that share a ledger."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self.ledger, self.lease = ledger, lease
        ledger.publish(RULEBOOK)
        with ledger.write() as connection:
            claim(connection, Deployment("c", "id", "t", len(STREAMS), "supervision"))
        self.homes = [Homes(stream) for stream in STREAMS]
        self.engines = [self.engine(number) for number in range(len(STREAMS))]

    def engine(self, number: int) -> Engine:
        """Take a stream over."""
        return Engine(self.ledger, STREAMS[number], _assess, lease=self.lease, neighbours=self.homes[number])

    def shares(self, of_streams: Iterable[list[Event]], horizon: datetime) -> list[Share]:
        """Give each engine what stands for its stream."""
        return [
            Share(engine, delivered(*events, received_at=horizon), horizon)
            for engine, events in zip(self.engines, of_streams, strict=True)
        ]

    def rows(self) -> list[tuple[object, ...]]:
        """Read the positions and how each journal is chained."""
        with self.ledger.read() as connection:
            chained = select(journal.c.stream, journal.c.seq, journal.c.chain_hash).order_by(*journal.primary_key)
            of_positions = select(positions).order_by(positions.c.stream)
            return [tuple(row) for query in (chained, of_positions) for row in connection.execute(query)]

    def fingerprint(self) -> str:
        """Give the canonical digest; the ledger must be sound."""
        assert verify(self.ledger, _assess).difference is None
        return digest(self.ledger, at(30), _assess)


def _assess(entries: Iterable[JournalEntry], rulebooks: RulebookHistory, judged_at: datetime) -> Assessment:
    known = list(entries)
    if any(entry.event.case == "2bad" for entry in known):
        raise ZeroDivisionError
    return assess_plainly(known, rulebooks, judged_at)


@contextmanager
def opened(url: str) -> Iterator[Office]:
    """Open an office on a database."""
    with Ledger.open(url) as ledger:
        lease = ledger.lease()
        try:
            yield Office(ledger, lease)
        finally:
            lease.release()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give three engines on an empty ledger."""
    with opened(ledger_url(tmp_path)) as made:
        yield made


def _told(stream: int) -> st.SearchStrategy[list[Event]]:
    """Give what one transaction brings a stream: events of its cases and of others', heartbeats, some of them twice."""
    kinds = st.sampled_from(["apply", "accept", "finish"])
    case = st.builds("{}{}".format, st.sampled_from([stream, stream, stream, (stream + 1) % 3]), st.integers(0, 4))
    of_case = st.builds(lambda kind, name, day: event(kind, name, at(day)), kinds, case, st.integers(0, 5))
    until = st.none() | st.integers(0, 5).map(at)
    of_source = st.builds(lambda name, done: heartbeat("night", str(name), at(1), done), st.integers(0, 2), until)
    return st.lists(of_case | of_source, max_size=6)


@settings(max_examples=15, deadline=None)
@given(transactions=st.lists(st.tuples(*map(_told, range(3))), min_size=1, max_size=5))
def test_taken_together_ends_as_taken_alone(transactions: list[tuple[list[Event], ...]]) -> None:
    """Journals, positions and digest are the same, whether streams share their transactions or not."""
    with scratch_ledger() as first, scratch_ledger() as second, opened(first) as together, opened(second) as alone:
        for day, of_streams in enumerate(transactions):
            outcomes = process_together(together.shares(of_streams, at(6 + day)))
            for share, expected in zip(alone.shares(of_streams, at(6 + day)), outcomes, strict=True):
                assert share.engine.process(share.batch, at(6 + day)) == expected
            for engine in (*together.engines, *alone.engines):
                if engine.may_change(at(6 + day)):
                    engine.tick(at(6 + day))
        assert together.rows() == alone.rows()
        assert together.fingerprint() == alone.fingerprint()


def test_one_that_fails_leaves_nothing_of_the_others(office: Office) -> None:
    """Where one stream cannot be written, none is; the others can be at once."""
    process_together(office.shares([[event(case="0a")], [event(case="1a")], [event(case="2a")]], at(0)))
    before = office.rows()
    with pytest.raises(ZeroDivisionError):
        process_together(office.shares([[event(case="0b")], [], [event(case="2bad")]], at(1)))
    assert office.rows() == before
    process_together(office.shares([[event(case="0b")], [event("finish", "1a", at(1))], []], at(1)))
    assert office.fingerprint()


def test_who_was_overtaken_in_one_stream_is_told_in_which(office: Office) -> None:
    """Nothing is kept of a transaction with a stream that another writes now; without it the rest is."""
    office.engine(1)
    before = office.rows()
    shares = office.shares([[event(case="0a")], [event(case="1a")], [event(case="2a")]], at(0))
    with pytest.raises(Fenced, match="t/1 has another writer") as fenced:
        process_together(shares)
    assert fenced.value.streams == {"t/1"}
    assert office.rows() == before
    outcomes = process_together([shares[0], shares[2]])
    assert [each.status for some in outcomes for each in some] == ["applied", "applied"]


def test_a_source_first_heard_by_several_streams_at_once_is_told_of_once(office: Office) -> None:
    """The first of them tells the others; were it every one, a start would tell each partition of each by each."""
    process_together(office.shares([[event(case="0a")], [event(case="1a")], [event(case="2a")]], at(0)))
    assert [[each.live for each in told] for homes in office.homes for told in homes.told] == [[["hall"]]]


def test_what_several_streams_pass_on_is_passed_on_once(office: Office) -> None:
    """However many turns have something for others, the broker is waited for one time."""
    process_together(office.shares([[event(case="1a")], [event(case="2a")], [event(case="0a")]], at(0)))
    ((told,),) = (homes.told for homes in office.homes if homes.told)
    assert [(each.stream, [case for case, _ in each.misplaced]) for each in told] == [
        ("t/0", ["1a"]),
        ("t/1", ["2a"]),
        ("t/2", ["0a"]),
    ]


def test_a_case_that_was_finished_in_time_makes_nothing_due(office: Office) -> None:
    """Once its due instant passes, there is nothing to let time pass for: a tick would cost a transaction."""
    engine = office.engines[0]
    engine.process(delivered(event(case="0a")), at(0))
    engine.tick(at(0))
    assert engine.may_change(at(4))
    engine.process(delivered(event("finish", "0a", at(1)), event(case="0b", time=at(2)), received_at=at(4)), at(4))
    assert not engine.may_change(at(4))
    assert engine.may_change(at(6))


def test_what_another_has_written_meanwhile_is_read_again(office: Office) -> None:
    """What an engine remembers of its sources and journal counts only while nobody else has written its stream."""
    engine = office.engines[0]
    engine.process(delivered(event(case="0a")), at(0))
    successor = office.engine(0)
    successor.process(delivered(event("accept", "0a", at(1)), event("accept", "0a", at(1))), at(1))
    with office.ledger.write() as connection:
        connection.execute(text("UPDATE positions SET epoch = epoch - 1 WHERE stream = 't/0'"))
    engine.process(delivered(event("finish", "0a", at(2))), at(2))
    assert (state := office.ledger.source_states()["hall"]).applied == 3
    assert state.duplicate == 1
    assert office.fingerprint()


@pytest.mark.parametrize("kept", [True, False])
def test_a_commit_nobody_answers_may_be_given_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """Whether the database has kept it or not, the same deliveries end as if they had been given once."""
    log = [
        delivered(event(case=f"{number}a"), event("finish", f"{number}a", at(5)), received_at=at(5))
        for number in range(len(STREAMS))
    ]
    numbered = [[replace(each, offset=place) for place, each in enumerate(batch)] for batch in log]
    shares = [Share(engine, batch[:1], at(1), 1) for engine, batch in zip(office.engines, numbered, strict=True)]
    process_together(shares)
    commit = DefaultDialect.do_commit

    def unanswered(dialect: DefaultDialect, connection: Any) -> None:
        if kept:
            commit(dialect, connection)
        raise ConnectionError

    shares = [Share(engine, batch, at(5), 2) for engine, batch in zip(office.engines, numbered, strict=True)]
    with monkeypatch.context() as patch:
        patch.setattr(DefaultDialect, "do_commit", unanswered)
        with pytest.raises(ConnectionError):
            process_together(shares)
    process_together(shares)
    assert {state.applied for state in office.ledger.source_states().values()} == {6}
    assert all(row[1] <= 2 for row in office.rows()[: 2 * len(STREAMS)])
    assert not any(engine.may_change(at(9)) and engine.tick(at(9)) for engine in office.engines)
    assert office.fingerprint()


def test_an_import_that_ends_makes_due_what_it_held(office: Office) -> None:
    """What is remembered of due instants counts anew as soon as the hold of a source is gone."""
    engine = office.engines[0]
    engine.begin_import("files")
    engine.process(delivered(event(case="0a", source="files"), backfill=True), at(9))
    engine.tick(at(9))
    assert not engine.may_change(at(9))
    engine.end_import("files", at(9))
    assert engine.may_change(at(9))
    assert engine.tick(at(9)) == 1
    assert not engine.may_change(at(9))
