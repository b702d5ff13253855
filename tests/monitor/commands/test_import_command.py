"""`monitor import` on the command line: one summary, exit codes that say how it went, errors that help."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from tests.streams.logs_at_hand import ACCEPTED, RULEBOOK, log, many, row, trace, write
from tests.streams.running import running

FIGURES = {"cases", "events", "duplicates", "rejected", "unmapped", "on_time", "overdue", "open", "unjudged"}
MAPPING = {
    "source": "files",
    "format": "xes",
    "zone": "Europe/Amsterdam",
    "precision": "second",
    "fields": {
        "region": {"value": "r1"},
        "item": {"value": "i1"},
        "department": {"attribute": "department", "values": {"Land office": "land"}},
    },
    "case_events": [
        {"type": "apply", "time": "start", "data": {"due": {"attribute": "deadline"}}},
        {"type": "finish", "time": "end"},
    ],
    "activities": [{"type": "accept", "names": ["check"]}],
}


class Desk:
    """A folder with a mapping, and the ledger of the small town."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mapping = folder / "mapping.yaml"
        self.mapping.write_text(yaml.safe_dump(MAPPING), encoding="utf-8")
        self.url = f"sqlite:///{folder / 'ledger.sqlite'}"

    def imports(self, path: Path, *options: str, mapping: str = "") -> Result:
        """Run the command as a person would."""
        arguments = ["import", str(path), "--mapping", mapping or str(self.mapping), "--ledger", self.url, *options]
        return CliRunner().invoke(app, arguments)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk whose ledger has its rulebook."""
    made = Desk(tmp_path)
    with Ledger.open(made.url) as ledger:
        ledger.publish(RULEBOOK)
    return made


def test_json_is_one_document_with_the_figures(desk: Desk) -> None:
    """Standard output holds the document and nothing else; progress goes to standard error."""
    result = desk.imports(write(desk.folder / "log.xes.gz", many(9)), "--json")
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert said.keys() >= FIGURES
    assert {name: said[name] for name in ("cases", "events", "on_time", "overdue", "open", "unjudged", "unmapped")} == {
        "cases": 9,
        "events": 24,
        "on_time": 3,
        "overdue": 3,
        "open": 3,
        "unjudged": 0,
        "unmapped": 9,
    }
    assert said["unmapped_activities"] == {"letter": 9}
    assert said["fault"] is None


def test_the_summary_is_told_in_the_language_asked_for(desk: Desk) -> None:
    """Figures, unmapped names and rejects with place, reason and remedy, in Chinese or English."""
    path = write(desk.folder / "log.xes", log(trace("c1", row("check", "soon"), row("letter", "2011-03-02T09:00:00Z"))))
    english = desk.imports(path, "--lang", "en")
    assert english.exit_code == 0
    for expected in ("1  on time", "Not mapped", "1  letter", "trace 1, event 1: time:"):
        assert expected in english.stdout
    chinese = desk.imports(path, "--lang", "zh").stdout
    for expected in ("按时办结", "未映射", "拒收"):
        assert expected in chinese


def test_a_broken_file_ends_with_code_1_and_its_place(desk: Desk) -> None:
    """What was read stays, the place is named, and the summary is still given."""
    text = log(trace("c1", ACCEPTED), trace("c2", ACCEPTED))
    path = write(desk.folder / "log.xes", text[: text.index("c2")])
    result = desk.imports(path, "--json", "--lang", "en")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert (said["cases"], said["events"], said["on_time"]) == (1, 3, 1)
    assert "log.xes, line 5" in said["fault"]
    assert said["complete_until"] is None
    assert "trace 2" in desk.imports(path, "--lang", "en").stderr


def test_the_completeness_can_be_given(desk: Desk) -> None:
    """The instant given is the one used; one without offset is refused with an example."""
    path = write(desk.folder / "log.xes", many(3))
    result = desk.imports(path, "--json", "--complete-until", "2011-03-05T00:00:00+01:00")
    assert json.loads(result.stdout)["complete_until"] == "2011-03-05T00:00:00+01:00"
    refused = desk.imports(path, "--complete-until", "2011-03-05", "--lang", "en")
    assert refused.exit_code == 2
    assert "+08:00" in refused.stderr


@pytest.mark.parametrize(("mapping", "said"), [("nothing", "receipt"), ("receipt", "registers no source receipt")])
def test_what_cannot_begin_ends_with_code_2(desk: Desk, mapping: str, said: str) -> None:
    """An unknown mapping lists the shipped ones; a mapping of an unregistered source says what to do."""
    result = desk.imports(write(desk.folder / "log.xes", many(1)), "--lang", "en", mapping=mapping)
    assert result.exit_code == 2
    assert said in result.stderr


def test_faults_of_a_mapping_are_told_with_their_lines(desk: Desk) -> None:
    """Every fault of the file is listed."""
    desk.mapping.write_text("source: files\nformat: xlsx\n", encoding="utf-8")
    result = desk.imports(write(desk.folder / "log.xes", many(1)), "--lang", "zh")
    assert result.exit_code == 2
    assert "mapping.yaml:2: mapping.format" in result.stderr


def test_a_missing_file_is_said(desk: Desk) -> None:
    """The path is named."""
    result = desk.imports(desk.folder / "none.xes", "--lang", "en")
    assert result.exit_code == 2
    assert "none.xes" in result.stderr


def test_an_empty_ledger_takes_the_rulebook_of_the_mapping(tmp_path: Path) -> None:
    """Two commands from nothing: the shipped mapping brings all it needs."""
    fresh = Desk(tmp_path)
    path = write(
        tmp_path / "log.xes", log(trace("c1", row("T02 Check confirmation of receipt", "2011-03-02T09:00:00Z")))
    )
    result = fresh.imports(path, "--json", mapping="receipt")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["applied"] == 1


def test_beside_a_running_monitor_it_posts_to_it(tmp_path: Path) -> None:
    """The ledger has one writer: the import hands its events to it."""
    with running(tmp_path, RULEBOOK):
        result = Desk(tmp_path).imports(write(tmp_path / "log.xes", many(9)), "--json", "--lang", "en")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["on_time"] == 3
    assert "posting to it" in result.stderr
