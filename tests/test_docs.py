"""What the documentation states of the code: its tables are complete, its numbers those in force, its links good."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import yaml

from monitor.cli import COMMANDS
from monitor.events import EVENT_BYTES_MAX, Event, EventData, EventType
from monitor.kpi import FIGURES
from monitor.language import catalogue
from monitor.ledger.relays import FindingMessage, RejectMessage
from monitor.ledger.schema import cases, findings
from monitor.metrics import reject_codes
from monitor.readiness.advice import Code
from monitor.rulebook.load import load
from monitor.rulebook.model import CalendarRules, ClockProfile, Item, Limits, RuleException, RuleSetting, Source
from monitor.rules import RULES
from monitor.verdict import MEASURES
from streams.bodies import EVENTS_PER_REQUEST_MAX
from streams.requests import ANSWER_SECONDS, BODY_BYTES_MAX, BODY_SECONDS
from streams.simulator.dirty import DIRTS
from streams.simulator.violations import FORMS
from streams.turn import EVENTS_PER_CASE_MAX
from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = (*sorted(DOCS.glob("*.md")), ROOT / "README.md", ROOT / "README.zh.md")

OTHER_DEPARTMENTS = """
departments:
  - {code: GSJ, name: 工商行政管理局, name_en: Industry and Commerce Administration, region: "450921"}
  - {code: XFD, name: 消防大队, name_en: Fire Brigade, region: "450921"}
"""


def page(name: str) -> str:
    """Read a page of the documentation."""
    return (DOCS / name).read_text(encoding="utf-8")


def quoted(text: str) -> set[str]:
    """List what stands in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """Files and pictures a page refers to are in the repository."""
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert missing == []


def test_integrate_names_every_type_field_and_reason() -> None:
    """Who connects a system finds every event type, every field and every reason of a reject."""
    named = quoted(page("integrate.md"))
    assert {kind.value for kind in EventType} <= named
    assert set(Event.__struct_fields__) <= named
    assert set(EventData.__struct_fields__) - {"finding"} <= named, "all but the one for the console"
    assert reject_codes() - {"bad_row", "other"} <= named, "all but the one of imported logs"


def test_judging_lists_every_rule_with_its_version() -> None:
    """The table of rules has each rule, in the version the code has."""
    listed = dict(re.findall(r"(?m)^\| ([VD]\d\d) v(\d+) ", page("judging.md")))
    assert listed == {rule.id: str(rule.version) for rule in RULES.values()}


def test_operate_states_the_limits_in_force() -> None:
    """Sizes and times a sender runs into are those of the code."""
    said = page("operate.md")
    for limit in (
        f"{EVENT_BYTES_MAX:,} bytes",
        f"{BODY_BYTES_MAX // 2**20} MiB and {EVENTS_PER_REQUEST_MAX:,} events",
        f"{BODY_SECONDS} s to send it, answered within {ANSWER_SECONDS} s",
        f"{EVENTS_PER_CASE_MAX:,} events",
    ):
        assert limit in said


def test_the_rulebook_of_the_page_is_one(tmp_path: Path) -> None:
    """The examples of the page together are a rulebook without faults, and show every key there is."""
    blocks = re.findall(r"(?s)```yaml\n(.*?)```", page("rulebook.md"))
    for number, block in enumerate((*blocks, OTHER_DEPARTMENTS)):
        (tmp_path / f"{number}.yaml").write_text(block, encoding="utf-8")
    assert load(tmp_path).items
    shown = {key for block in blocks for key in _keys(yaml.safe_load(block))}
    for struct in (Item, Source, ClockProfile, Limits, RuleSetting, RuleException):
        assert set(struct.__struct_fields__) <= shown, struct
    assert {"base", "regional", *CalendarRules.__struct_fields__} - {"version", "announced"} <= shown


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return {*map(str, value), *(key for each in value.values() for key in _keys(each))}
    return {key for each in value for key in _keys(each)} if isinstance(value, list) else set()


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_readme_lists_the_commands_there_are(name: str) -> None:
    """The table of commands names those of `monitor --help`, and no others."""
    listed = re.findall(r"(?m)^\| `monitor (\w+)` \|", (ROOT / name).read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(COMMANDS)


def test_figures_defines_every_figure_as_the_code_does() -> None:
    """Each figure has one row: name, definition, numerator and denominator of the catalogue, measures of the code."""
    rows = [line.strip("| ").split(" | ") for line in page("figures.md").splitlines() if line.startswith("| `")]
    listed = {quoted(row[0]).pop(): row for row in rows}
    assert len(rows) == len(listed)
    assert set(listed) == set(FIGURES)
    for figure in FIGURES.values():
        head, definition, above, below, _, extents, source = listed[figure.id]
        english = catalogue("en")
        assert head == f"`{figure.id}` {catalogue('zh')[f'kpi.{figure.id}.name']}"
        said = [english[f"kpi.{figure.id}.{part}"] for part in ("definition", "above", "below")]
        assert [definition, above, below] == said
        assert extents == ("all" if len(figure.extents) == 3 else " ".join(figure.extents))
        measures = {name for name, _ in (*figure.above, *figure.below)}
        assert measures in (set(), quoted(source)), "what it is computed from"
        assert quoted(source) - set(MEASURES) <= KNOWN_COLUMNS


KNOWN_COLUMNS = {
    *("cases", "findings", "card", "promised"),
    *(column.name for table in (cases, findings) for column in table.columns),
    *Item.__struct_fields__,
}


@pytest.mark.parametrize(
    ("heading", "message"), [("`findings`", FindingMessage), ("`case-events-rejected`", RejectMessage)]
)
def test_kafka_describes_each_message_field_by_field(heading: str, message: type[msgspec.Struct]) -> None:
    """The table of a topic has the fields of its messages, in their order, and every word they can hold."""
    (section,) = (part for part in re.split(r"(?m)^##+ ", page("kafka.md")) if part.startswith(f"Topic {heading}"))
    assert re.findall(r"(?m)^\| `(\w+)` \|", section) == list(message.__struct_fields__)
    (described,) = msgspec.json.schema(message)["$defs"].values()
    words = {word for field in described["properties"].values() for word in field.get("enum", ())}
    assert words <= quoted(section)


def test_going_live_names_every_advice() -> None:
    """Whatever `monitor readiness` advises is explained on the page."""
    assert set(get_args(Code)) <= quoted(page("going-live.md"))


def test_simulate_names_every_dirt_and_every_rule_planted() -> None:
    """The page on the simulated centre has a row for each kind of dirt, and the forms of each rule."""
    named = page("simulate.md")
    assert set(DIRTS) <= quoted(named)
    planted = {form.rule for form in FORMS} | {"V01", "V02", "V03", "V04", "V05", "V23", "V28", "V31"}
    assert planted == {rule.id for rule in RULES.values() if rule.kind == "conduct"} | {"V31"}
    assert {rule for rule in planted if re.search(rf"^\| [V0-9, ]*{rule}", named, re.MULTILINE)} == planted
