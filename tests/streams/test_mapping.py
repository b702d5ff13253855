"""Mapping files are checked whole, and every fault names file, line, field and remedy."""

from pathlib import Path

import pytest

from monitor.language import LANGS
from monitor.rulebook.faults import Fault, RulebookFaults
from monitor.rulebook.load import load
from streams.mapping import read_mapping, shipped
from tests.conftest import ROOT

GOOD = """\
source: files
format: csv
zone: Asia/Shanghai
precision: minute
case: number
activity: step
time: at
fields:
  region: {value: "450900"}
  item: {attribute: item}
  department: {attribute: unit, values: {国土局: land}, otherwise: other}
activities:
  - {type: accept, names: [受理, "预受理*"]}
case_events:
  - type: apply
    time: applied
    when: {state: [open, closed]}
    data: {due: {attribute: deadline}}
"""


def faults_of(folder: Path, text: str) -> tuple[Fault, ...]:
    """Give the faults of a mapping."""
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RulebookFaults) as caught:
        read_mapping(str(path))
    return caught.value.faults


def test_a_mapping_reads_as_written(tmp_path: Path) -> None:
    """A good file is a mapping, called by its file name; its columns are all attributes it names."""
    path = tmp_path / "m.yaml"
    path.write_text(GOOD, encoding="utf-8")
    found = read_mapping(str(path))
    assert (found.mapping.name, found.rulebook) == ("m", None)
    expected = {"number", "step", "at", "item", "unit", "applied", "state", "deadline"}
    assert found.mapping.columns() == expected
    assert found.mapping.fields["region"].value == "450900"


@pytest.mark.parametrize(
    ("wrong", "right", "line", "code"),
    [
        ("zone: Mars/Base", "zone: Asia/Shanghai", 3, "mapping_zone"),
        ("precision: hour", "precision: minute", 4, "choice"),
        ("format: xlsx", "format: csv", 2, "choice"),
        ("sauce: files", "source: files", 1, "unknown_field"),
        ("{type: acept, names", "{type: accept, names", 13, "choice"),
        ("names: []", 'names: [受理, "预受理*"]', 13, "empty"),
        ("    due: deadline", "    data: {due: {attribute: deadline}}", 18, "unknown_field"),
        ("    data: {dew: {attribute: deadline}}", "    data: {due: {attribute: deadline}}", 18, "choice"),
        ("    data: {due: {}}", "    data: {due: {attribute: deadline}}", 18, "mapping_value"),
        ('region: {value: "450900", attribute: x}', 'region: {value: "450900"}', 9, "mapping_value"),
        ("  operator: {attribute: item}", "  item: {attribute: item}", 8, "mapping_field"),
        ("time: at\nencoding: klingon", "time: at", 8, "mapping_encoding"),
        ("time: at\nrulebook: none.yaml", "time: at", 8, "mapping_rulebook"),
        ("time: at\ntime: at", "time: at", 8, "repeated_key"),
    ],
)
def test_a_fault_names_its_line(tmp_path: Path, wrong: str, right: str, line: int, code: str) -> None:
    """Each mistake is found where it stands, and says in both languages what to do."""
    assert right in GOOD
    faults = faults_of(tmp_path, GOOD.replace(right, wrong))
    assert (line, code) in [(fault.line, fault.code) for fault in faults]
    for fault in faults:
        for lang in LANGS:
            assert fault.reason(lang)
            assert fault.remedy(lang)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Whoever writes a mapping corrects it once, not once per fault."""
    text = GOOD.replace("zone: Asia/Shanghai", "zone: Mars/Base").replace("region:", "window:")
    assert {fault.code for fault in faults_of(tmp_path, text)} == {"mapping_zone", "mapping_field"}


def test_two_case_events_need_two_ids(tmp_path: Path) -> None:
    """Two events made from one case with the same id would fight for one identity."""
    text = GOOD + "  - {type: apply, time: again}\n"
    assert [fault.code for fault in faults_of(tmp_path, text)] == ["mapping_repeated_id"]


@pytest.mark.parametrize("text", ["", "- a\n", "source: [\n", "\x00"])
def test_what_is_no_mapping_is_said_so(tmp_path: Path, text: str) -> None:
    """An empty file, a list and broken YAML are faults with a line, not crashes."""
    assert all(fault.line >= 1 for fault in faults_of(tmp_path, text))


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    """A name that is neither file nor shipped mapping is answered with what there is."""
    with pytest.raises(RulebookFaults, match=r"bpic15_1, receipt"):
        read_mapping("reciept")


@pytest.mark.parametrize("name", ["receipt", "bpic15_1"])
def test_a_shipped_mapping_agrees_with_the_rulebook_it_brings(name: str) -> None:
    """Its source is registered with its zone and precision, for its region, and for every type it makes."""
    assert name in shipped()
    found = read_mapping(name)
    assert found.rulebook is not None
    mapping, rulebook = found.mapping, load(found.rulebook)
    source = rulebook.source[mapping.source]
    assert (source.zone, source.precision) == (mapping.zone, mapping.precision)
    made = {part.type for part in (*mapping.case_events, *mapping.activities)}
    assert made == set(source.types)
    region, item, department = (mapping.fields[name] for name in ("region", "item", "department"))
    assert region.value in source.regions
    assert item.value in rulebook.item
    assert set(department.values.values()) | {department.value} - {None} <= set(rulebook.department)


def test_the_mapping_shown_in_the_documentation_is_valid(tmp_path: Path) -> None:
    """What integrators copy from docs/mapping.md is read without a fault."""
    shown = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    (tmp_path / "m.yaml").write_text(shown, encoding="utf-8")
    (tmp_path / "rulebook.yaml").touch()
    assert read_mapping(str(tmp_path / "m.yaml")).mapping.source == "land_bureau"
