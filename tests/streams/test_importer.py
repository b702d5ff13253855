"""An import brings a log's events into the ledger once, judges absence at its end, and says what it did."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.events import EventType
from monitor.ledger import Ledger
from monitor.ledger.digest import digest
from monitor.ledger.verify import verify
from streams import importer
from streams.engine import Delivery, Engine, Outcome
from streams.importer import EngineSink, Imported, ImportRefused, import_log, prepare
from streams.logs import LogFault
from streams.mapping import FoundMapping, Mapping, read_mapping
from streams.standing import SeenCases, Standing, standing
from streams.ticker import Horizon
from tests.databases import ledger_url
from tests.streams.logs_at_hand import ACCEPTED, LAST, LAST_ROW, LATE, MAPPING, RULEBOOK, log, many, row, trace, write

pytestmark = pytest.mark.usefixtures("each_database")

HORIZON = datetime(2030, 1, 1, tzinfo=UTC)


class Centre:
    """A ledger, the engine that writes it, and what was imported last."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.open(ledger_url(folder))
        self.engine = Engine(self.ledger)
        self.sink = EngineSink(self.engine, Horizon())
        self.standing = Standing()

    def take(self, path: Path, mapping: Mapping = MAPPING, until: datetime | None = None) -> Imported:
        """Import a file."""
        with SeenCases() as seen:
            done = import_log(path, mapping, self.sink, until, seen.add)
            self.standing = standing(self.ledger, seen)
        return done

    def digest(self) -> str:
        """Give the canonical digest; also assert that the ledger is sound."""
        assert verify(self.ledger).difference is None
        return digest(self.ledger, HORIZON)

    def findings(self, rule: str) -> int:
        """Count the cases with a standing finding of a rule."""
        return sum(any(f.rule == rule for f in case.findings) for case in self.ledger.assessments())

    def close(self) -> None:
        """Close engine and ledger."""
        self.engine.close()
        self.ledger.close()


NewCentre = Callable[[str], Centre]


@pytest.fixture
def new_centre(tmp_path: Path) -> Iterator[NewCentre]:
    """Give centres of their own ledgers, by name."""
    made: list[Centre] = []

    def make(name: str) -> Centre:
        (tmp_path / name).mkdir()
        made.append(Centre(tmp_path / name))
        return made[-1]

    yield make
    for centre in made:
        centre.close()


@pytest.fixture
def centre(new_centre: NewCentre) -> Centre:
    """Give a centre with the rulebook of the small town."""
    made = new_centre("centre")
    made.ledger.publish(RULEBOOK)
    return made


def test_cases_are_judged_by_the_due_of_the_log(centre: Centre, tmp_path: Path) -> None:
    """Finish against due decides, an open case past its due is open, and every row is accounted for."""
    done = centre.take(write(tmp_path / "log.xes.gz", many(9)))
    assert (done.cases, done.rows, done.events, done.applied) == (9, 18, 24, 24)
    assert (done.duplicates, done.rejected, done.unmapped) == (0, 0, 9)
    assert done.unmapped_activities == {"letter": 9}
    assert centre.standing == Standing(on_time=3, overdue=3, open=3)
    assert done.complete_until == LAST_ROW
    assert centre.findings("V01") == 6


def test_importing_again_changes_nothing(centre: Centre, tmp_path: Path) -> None:
    """The second time everything is a duplicate, and the digest is the same."""
    path = write(tmp_path / "log.xes", many(9))
    centre.take(path)
    before = centre.digest()
    again = centre.take(path)
    assert (again.applied, again.duplicates) == (0, 24)
    assert centre.standing == Standing(on_time=3, overdue=3, open=3)
    assert centre.digest() == before


def test_absence_is_judged_only_when_the_import_ends(centre: Centre, tmp_path: Path) -> None:
    """While batches come in, no open case is late; at the end those past their due are."""
    seen_late: list[int] = []

    class Watching(EngineSink):
        """Let all time pass after each batch."""

        def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            outcomes = super().send(batch)
            while centre.engine.tick(HORIZON):
                pass
            seen_late.append(centre.findings("V01"))
            return outcomes

    open_ones = log(*(trace(f"c{n}", ACCEPTED, LAST, end="") for n in range(3)))
    import_log(write(tmp_path / "log.xes", open_ones), MAPPING, Watching(centre.engine, Horizon()))
    assert seen_late == [0]
    assert centre.findings("V01") == 3


def test_an_earlier_completeness_spares_the_open_cases(centre: Centre, tmp_path: Path) -> None:
    """With `complete_until` before the due nothing absent is held against anyone."""
    done = centre.take(write(tmp_path / "log.xes", many(9)), until=datetime(2011, 3, 5, tzinfo=UTC))
    assert done.complete_until == datetime(2011, 3, 5, tzinfo=UTC)
    assert centre.standing == Standing(on_time=3, overdue=3, open=3)
    assert centre.findings("V01") == 3


def test_bad_rows_are_named_and_the_rest_goes_on(centre: Centre, tmp_path: Path) -> None:
    """A bad time costs its row; place, field, reason and remedy are told, and the reject is kept."""
    bad = row("check", "2011-13-45T09:00:00+01:00")
    done = centre.take(write(tmp_path / "log.xes", log(trace("c1", bad), trace("c2", ACCEPTED))))
    assert (done.applied, done.rejected) == (5, 1)
    [reject] = done.rejects
    assert (reject.place, reject.error.field) == ("trace 1, event 1", "time")
    assert reject.error.reason("zh")
    [kept] = centre.ledger.rejects()
    assert kept.field == "time"


def test_a_table_is_imported_like_a_log(centre: Centre, tmp_path: Path) -> None:
    """Case attributes of a CSV become events once a case; a bad row is named by its line and kept."""
    mapping = replace(
        MAPPING, format="csv", case="number", activity="step", time="at", activities=MAPPING.activities[:1]
    )
    text = "number,step,at,start,end,deadline,department\n"
    for number, end in (("c1", "2011-03-10 10:00"), ("c2", "2011-03-12 10:00")):
        text += f"{number},check,2011-03-02 09:00,2011-03-01 09:00,{end},2011-03-11 00:00,Land office\n" * 2
        text += f"{number},too,short\n"
    done = centre.take(write(tmp_path / "log.csv", text), mapping)
    assert (done.cases, done.rows, done.applied, done.rejected) == (2, 6, 6, 2)
    assert done.unmapped_activities == {"check (not the first accept)": 2}
    assert [(reject.place, reject.error.code) for reject in done.rejects] == [
        ("line 4", "bad_row"),
        ("line 7", "bad_row"),
    ]
    assert centre.standing == Standing(on_time=1, overdue=1)
    assert {kept.code for kept in centre.ledger.rejects()} == {"bad_row"}


def test_a_broken_file_keeps_what_was_read_and_judges_nothing_absent(
    new_centre: NewCentre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a truncated file no open case is late; the whole file then ends as if it had come at once."""
    monkeypatch.setattr(importer, "BATCH_EVENTS", 100)
    whole = gzip.compress(many(900).encode())
    path = tmp_path / "log.xes.gz"
    path.write_bytes(whole[: len(whole) // 2])
    broken, undisturbed = new_centre("broken"), new_centre("undisturbed")
    for each in (broken, undisturbed):
        each.ledger.publish(RULEBOOK)

    done = broken.take(path)
    assert isinstance(done.fault, LogFault)
    assert done.fault.code == "truncated_gz"
    assert done.complete_until is None
    assert 0 < done.applied < 2_400
    assert broken.engine.tick(HORIZON) == 0
    assert all(case.finished_at for case in broken.ledger.assessments() if case.findings)

    path.write_bytes(whole)
    rest = broken.take(path)
    assert rest.fault is None
    assert rest.applied == 2_400 - done.applied
    undisturbed.take(path)
    assert broken.standing == undisturbed.standing == Standing(on_time=300, overdue=300, open=300)
    assert broken.digest() == undisturbed.digest()


def test_a_file_that_is_no_log_holds_nothing_back(centre: Centre, tmp_path: Path) -> None:
    """A wrong file is refused before its source is touched."""
    done = centre.take(write(tmp_path / "log.xes", "<html/>"))
    assert done.fault is not None
    assert centre.ledger.source_states() == {}


def test_an_empty_log_says_nothing_and_breaks_nothing(centre: Centre, tmp_path: Path) -> None:
    """A log without a case is imported: nothing came of it."""
    done = centre.take(write(tmp_path / "log.xes", log()))
    assert (done.cases, done.events, done.fault, done.complete_until) == (0, 0, None, None)


def test_the_standing_is_that_of_the_imported_cases_alone(centre: Centre, tmp_path: Path) -> None:
    """Cases of another file of the same source are not in the sum of this one."""
    centre.take(write(tmp_path / "one.xes", many(9)))
    centre.take(write(tmp_path / "two.xes", log(trace("new", ACCEPTED, end=LATE))))
    assert centre.standing == Standing(overdue=1)


def test_a_case_without_a_due_is_unjudged(centre: Centre, tmp_path: Path) -> None:
    """Finished, and nothing promised: neither on time nor overdue."""
    centre.take(write(tmp_path / "log.xes", log(trace("c1", deadline=""))))
    assert centre.standing == Standing(unjudged=1)


def test_unmapped_names_are_bounded(centre: Centre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of endless activity names fills no memory: beyond a limit they are counted together."""
    monkeypatch.setattr(importer, "ACTIVITY_NAMES_MAX", 3)
    rows = [row(f"step {n}", "2011-03-02T09:00:00+01:00") for n in range(10)]
    done = centre.take(write(tmp_path / "log.xes", log(trace("c1", *rows))))
    assert done.unmapped == 10
    assert len(done.unmapped_activities) == 4
    assert done.unmapped_activities[importer.OTHER_NAMES] == 7


def test_a_batch_holds_whole_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No case is split over two transactions, so that each is assessed once."""
    monkeypatch.setattr(importer, "BATCH_EVENTS", 4)
    batches: list[list[str | None]] = []

    class Listening:
        """Take everything."""

        def begin(self, source: str) -> None:
            """Hold nothing."""

        def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
            batches.append([delivery.event.case for delivery in batch if delivery.event])
            assert all(delivery.backfill and delivery.received_at is None for delivery in batch)
            return [Outcome("applied") for _ in batch]

        def end(self, source: str, complete_until: datetime | None) -> None:
            """Release nothing."""

    import_log(write(tmp_path / "log.xes", many(9)), MAPPING, Listening())
    cases = [case for batch in batches for case in dict.fromkeys(batch)]
    assert len(batches) > 2
    assert len(cases) == len(set(cases)) == 9


def test_an_empty_ledger_takes_the_rulebook_of_the_mapping(new_centre: NewCentre) -> None:
    """The mapping's rulebook becomes the first version; a ledger that has one keeps its own."""
    fresh = new_centre("fresh")
    prepare(fresh.ledger, read_mapping("receipt"))
    prepare(fresh.ledger, read_mapping("receipt"))
    [version] = fresh.ledger.rulebooks().versions
    assert "receipt" in version.rulebook.source


def test_a_mapping_that_does_not_fit_the_ledger_is_refused(new_centre: NewCentre, centre: Centre) -> None:
    """No rulebook, an unregistered source, or a registered precision the mapping cannot give: said before importing."""
    with pytest.raises(ImportRefused, match="no_rulebook"):
        prepare(new_centre("fresh").ledger, FoundMapping(MAPPING, None))
    with pytest.raises(ImportRefused, match="unknown_source"):
        prepare(centre.ledger, read_mapping("receipt"))
    with pytest.raises(ImportRefused, match="precision"):
        prepare(centre.ledger, FoundMapping(replace(MAPPING, precision="day"), None))


def test_the_receipt_log_is_judged_as_it_is_known_to_be(new_centre: NewCentre, shared_data: Path) -> None:
    """952 on time, 377 overdue, 105 open of which 39 are past due at the log's last event; the ledger verifies."""
    municipality = new_centre("receipt")
    found = read_mapping("receipt")
    prepare(municipality.ledger, found)
    done = municipality.take(shared_data / "receipt.xes.gz", found.mapping)
    assert (done.cases, done.rows, done.rejected, done.duplicates) == (1_434, 8_577, 0, 0)
    assert municipality.standing == Standing(on_time=952, overdue=377, open=105)
    assert municipality.findings("V01") == 377 + 39
    assert done.unmapped_activities["Confirmation of receipt"] == 1_434
    assert verify(municipality.ledger).difference is None


def test_the_whole_of_bpic15_1_is_imported(new_centre: NewCentre, shared_data: Path) -> None:
    """Every case is there, every row is an event or counted by name, and the ledger verifies."""
    municipality = new_centre("bpic15_1")
    found = read_mapping("bpic15_1")
    prepare(municipality.ledger, found)
    done = municipality.take(shared_data / "BPIC15_1.xes.gz", found.mapping)
    assert (done.cases, done.rows, done.rejected, done.duplicates) == (1_199, 52_217, 0, 0)
    stands = municipality.standing
    assert stands.on_time + stands.overdue + stands.open + stands.unjudged == 1_199
    finishes = sum(case.finished_at is not None for case in municipality.ledger.assessments())
    assert finishes == 956 - 10  # ten end dates lie behind the export
    assert done.unmapped == sum(done.unmapped_activities.values()) == 52_217 - (done.applied - finishes)
    applied = [case for case in municipality.ledger.assessments() if case.started_at is not None]
    assert len(applied) == 1_199
    assert {EventType.APPLY.value, EventType.EXTEND.value} <= {
        entry.event.type.value for case in applied[:200] for entry in municipality.ledger.entries(case.case)
    }
    assert verify(municipality.ledger).difference is None
