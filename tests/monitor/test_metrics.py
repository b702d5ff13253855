"""What Prometheus scrapes: valid, bounded, complete from the first scrape, and equal to the ledger."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from monitor.ledger import Ledger
from monitor.ledger.verified import note_verification
from monitor.metrics import LedgerCollector
from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook
from monitor.verdict import Light
from streams.engine import Delivery, Engine
from streams.kafka.intake import IntakeMeters
from streams.kafka.meters import WorkerMeters
from streams.pipeline import Pipeline
from tests.databases import ledger_url
from tests.small_centre import MONDAY, RULEBOOK, at, delivered, event

pytestmark = pytest.mark.usefixtures("each_database")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger with a rulebook."""
    with Ledger.open(ledger_url(tmp_path)) as made:
        made.publish(RULEBOOK)
        yield made


def scrape(ledger: Ledger, pipeline: bool = False) -> dict[str, Metric]:
    """Scrape a ledger as Prometheus does, through the text format."""
    registry = Pipeline().registry if pipeline else CollectorRegistry()
    registry.register(LedgerCollector(ledger))
    return parsed(registry)


def parsed(registry: CollectorRegistry) -> dict[str, Metric]:
    """Read what a registry exposes."""
    return {family.name: family for family in text_string_to_metric_families(generate_latest(registry).decode())}


def everything(ledger: Ledger) -> list[Metric]:
    """Scrape processes of every kind: `up`, `serve` and a worker."""
    serving, worker = CollectorRegistry(), WorkerMeters()
    IntakeMeters(serving)
    found = (scrape(ledger, pipeline=True), parsed(serving), parsed(worker.registry))
    return [family for families in found for family in families.values()]


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    """Find the value of one series."""
    [sample] = [s for s in found[name].samples if s.labels == labels]
    return sample.value


def test_every_series_is_there_before_the_first_event(ledger: Ledger) -> None:
    """An empty ledger exposes every department, light, source and rule at zero, so that a first event is a change."""
    found = scrape(ledger)
    assert value(found, "supervision_events", source="hall", outcome="applied") == 0
    for light in Light:
        assert value(found, "supervision_cases_open", region="4509", department="land", light=light.value) == 0
    assert value(found, "supervision_rejects", code="malformed") == 0
    assert value(found, "supervision_findings", rule="V01", severity="promised_breach", state="live") == 0


def test_figures_are_those_of_the_ledger(ledger: Ledger) -> None:
    """What was applied, repeated and refused is counted as such, and an open case stands under its department."""
    engine = Engine(ledger)
    batch = [*delivered(event(), event(case="c2")), *delivered(event()), Delivery(b"{", MONDAY, bound_source="hall")]
    engine.process(batch, at(hours=1))
    engine.close()
    found = scrape(ledger)
    counted = {o: value(found, "supervision_events", source="hall", outcome=o) for o in ("applied", "duplicate")}
    assert counted == {"applied": 2, "duplicate": 1}
    refused = [s.value for s in found["supervision_events"].samples if s.labels["outcome"] == "rejected"]
    assert sum(refused) == 1
    assert value(found, "supervision_rejects", code="malformed") == 1
    open_cases = [s.value for s in found["supervision_cases_open"].samples if s.labels["department"] == "land"]
    assert sum(open_cases) == 2
    assert value(found, "supervision_cases_applied", region="4509", department="land") == 2
    assert value(found, "supervision_source_last_event_timestamp_seconds", source="hall") == MONDAY.timestamp()


def test_result_of_verification_is_a_metric(ledger: Ledger) -> None:
    """A ledger that was never verified shows no result; afterwards it shows the last one."""
    assert scrape(ledger)["supervision_verify_sound"].samples == []
    note_verification(ledger, sound=True)
    assert value(scrape(ledger), "supervision_verify_sound") == 1
    note_verification(ledger, sound=False)
    assert value(scrape(ledger), "supervision_verify_sound") == 0


def test_codes_from_outside_make_no_series(ledger: Ledger) -> None:
    """A thousand invented departments are one series called other: what somebody sends never grows a label."""
    before = scrape(ledger)
    engine = Engine(ledger)
    strange = [msgspec.structs.replace(event(case=f"c{n}"), department=f"invented-{n}") for n in range(1000)]
    engine.process(delivered(*strange), at(hours=1))
    engine.close()
    after = scrape(ledger)
    assert _series(after) - _series(before) <= 3, "only the ledger's horizon and the source's two timestamps are new"
    others = [s.value for s in after["supervision_cases_open"].samples if s.labels["department"] == "other"]
    assert sum(others) == 1000


def test_yulin_stays_below_its_limit_of_series(tmp_path: Path) -> None:
    """Fifty departments, every figure of month and year and every meter of the runtime are far below 20,000 series."""
    with Ledger.open(ledger_url(tmp_path)) as ledger:
        ledger.publish(_yulin())
        assert _series(scrape(ledger, pipeline=True)) < 8_000


def test_names_follow_the_rules_of_prometheus(ledger: Ledger) -> None:
    """Every name has the prefix and a help text, only counters end in _total, and no label names a case or person."""
    forbidden = {"case", "operator", "window", "applicant", "person"}
    for family in everything(ledger):
        assert family.name.startswith("supervision_"), family.name
        assert family.documentation
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            assert forbidden.isdisjoint(sample.labels), sample


def test_documentation_lists_every_metric_with_its_labels(ledger: Ledger) -> None:
    """docs/metrics.md names exactly the metrics there are, each with its labels."""
    engine = Engine(ledger)
    engine.process(delivered(event()), at(hours=1))
    engine.close()
    written = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    documented = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(supervision_\w+)` \| [a-z]+ \|([^|]*)\|", written, re.MULTILINE)
    }
    exposed = {}
    for family in everything(ledger):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        exposed[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    assert exposed == documented


def _yulin() -> Rulebook:
    return load(ROOT / "monitor" / "rulebooks" / "yulin")


def _series(found: dict[str, Metric]) -> int:
    return sum(len(family.samples) for family in found.values())
