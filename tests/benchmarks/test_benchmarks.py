"""The benchmarks themselves, in their smallest form: what they measure really happened. No test here takes the time."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

import benchmarks.__main__ as program
from benchmarks import assess, consumption, engine, ingest, latency, memory, storm, takeover, topic
from benchmarks.profile import EVERY_SECONDS, profiling
from benchmarks.sizes import Size
from benchmarks.tape import blank
from monitor.ledger import Ledger
from monitor.ledger.schema import meta
from monitor.ledger.upsert import upsert
from tests.small_centre import RULEBOOK

SMALL = Size(
    days=8,
    crowded_days=5,
    crowd=1,
    runs=1,
    http_events=400,
    open_cases=1_000,
    live_seconds=2,
    events_per_second=(40,),
    lead_seconds=6,
    postgresql=False,
)


def test_the_pure_core_is_measured_with_a_profile() -> None:
    """Every simulated event is assessed, and the profile says in which areas."""
    found = assess.measure(SMALL)
    assert found["events"] > found["cases"] > 100
    assert sum(found["profile"]["areas"].values()) == pytest.approx(100, abs=1)
    assert any(area.startswith("assess") for area in found["profile"]["areas"])


def test_the_loader_writes_what_the_engine_wrote() -> None:
    """Engine and bare loader end with the same rows; the measurement itself fails where they do not."""
    found = engine.measure(SMALL)
    for past in (found["city"], found["crowded"]):
        assert past["rows"]["journal"] == past["events"]
        assert 0 < past["cases_touched_per_batch"] <= past["rows"]["cases"]
        assert set(past["sqlite"]) == {"engine", "loader", "engine_of_loader", "profile"}


def test_every_posted_event_is_taken() -> None:
    """Both sizes of request are answered, every event of them applied."""
    found = ingest.measure(SMALL)
    assert found["requests_of_1"]["requests"] == found["requests_of_1"]["events"] == 80
    assert found["requests_of_100"]["requests"] < found["requests_of_100"]["events"] == 400


def test_the_storm_ends_when_every_due_case_is_found() -> None:
    """All cases that fall due are found, none before its instant, while others keep sending."""
    found = storm.measure(SMALL)
    assert (found["open_cases"], found["due_cases"]) == (1_000, 70)
    assert found["all_found_seconds"] >= found["first_found_seconds"] >= 0
    assert found["events_meanwhile"] > 0


def test_memory_is_that_of_a_process_of_its_own() -> None:
    """The engine's memory is looked at while the past goes through it."""
    found = memory.measure(SMALL)
    assert found["events"] > 1_000
    assert min(found["after_each_tenth_mb"]) > 20


@pytest.mark.usefixtures("kafka", "postgres")
@pytest.mark.timeout(300)
def test_every_way_of_consumption_ends_in_the_same_ledger() -> None:
    """Workers, Faust's default and the engine alone take the same events; what consumption costs is told for each."""
    found = consumption.measure(replace(SMALL, days=4))
    assert found["one_worker"]["events"] == found["default"]["events"] == found["events"]
    assert found["two_workers"]["processes"] == 2
    ways = [found[name] for name in ("one_worker", "two_workers", "default")]
    assert all(way["cpu_us_per_event"]["consumption"] > 0 for way in ways)
    assert sum(found["profile_worker"]["areas"].values()) == pytest.approx(100, abs=1)


@pytest.mark.usefixtures("kafka", "postgres")
@pytest.mark.timeout(300)
def test_latency_is_that_of_every_late_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each case told to be finished late is a finding, committed after it was told."""
    monkeypatch.setattr(latency, "WARM_UP_SECONDS", 0.5)
    monkeypatch.setattr(latency, "LATE_EVERY", 10)
    found = latency.measure(SMALL)["at_40"]
    assert found["findings"] > 2
    assert 0 < found["finding"]["p50_ms"] <= found["finding"]["p99_ms"]
    assert found["event"]["p50_ms"] > 0


@pytest.mark.usefixtures("kafka", "postgres")
@pytest.mark.timeout(300)
def test_worker_supervises_what_is_open_before_it_is_called_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waited in every partition is committed, beside the open cases, after the worker had become their owner."""
    monkeypatch.setattr(takeover, "STEADY_SECONDS", 0.5)
    found = takeover.measure(SMALL)
    assert (found["open_cases"], found["partitions"]) == (1_000, topic.PARTITIONS)
    assert 0 < found["owner_after_seconds"] <= found["supervises_after_seconds"]
    assert found["memory_mb"]["max"] > 20


def test_a_tape_gives_back_transactions_in_their_order(tmp_path: Path) -> None:
    """What was written comes back statement by statement, as it was given to the driver, and nothing else does."""
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as ledger, blank() as tape:
        with tape.recording():
            for value in ("1", "2"):
                with ledger.write() as connection:
                    upsert(connection, meta, [{"name": "a", "value": value}])
                tape.cut()
        ledger.publish(RULEBOOK)
        played = [[(write.statement[:17], write.rows) for write in writes] for writes in tape.play()]
    assert played == [[("INSERT INTO meta ", [("a", "1")])], [("INSERT INTO meta ", [("a", "2")])]]


def test_a_profile_charges_all_the_time_that_passed() -> None:
    """A long call into C is charged in full, to the function that made it."""
    with profiling() as profile:
        for _ in range(20):
            sum(range(int(EVERY_SECONDS * 5e8)))
    assert next(iter(profile.summary()["areas"])) == "other"
    assert next(iter(profile.summary()["functions"])).endswith("test_a_profile_charges_all_the_time_that_passed")


def test_figures_are_written_down_with_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document names machine, versions and sizes beside what was measured."""
    monkeypatch.setattr(program, "QUICK", SMALL)
    file = tmp_path / "new" / "bench.json"
    with pytest.raises(SystemExit, match="0"):
        program.run(["assess", "--days", "6", "--json", str(file)])
    document = msgspec.json.decode(file.read_bytes())
    assert document["machine"]["cores"] >= 1
    assert document["size"]["days"] == 6
    assert document["benchmarks"].keys() == {"assess"}


def test_a_benchmark_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Who mistypes a name is told which there are."""
    with pytest.raises(SystemExit, match="2"):
        program.run(["asess"])
    assert "there is no benchmark asess" in capsys.readouterr().err
