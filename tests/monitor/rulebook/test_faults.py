"""Every kind of fault, found in the line it stands in; the table spoils one line of a valid rulebook."""

from pathlib import Path

import pytest

from monitor.language import LANGS, catalogue
from monitor.rulebook import files
from tests.monitor.rulebook.small import SMALL, faults, written

HERE = "# here"

SPOILT = [
    ("alias", "name: 小城", f"name: *nobody  {HERE}"),
    ("basis_missing", "    nature: public_service", f"    nature: public_service\n    statutory_limit: 5 wd  {HERE}"),
    ("choice", "    type: promised", f"    type: promise  {HERE}"),
    ("choice", "    delegated: [accept]", f"    delegated: [accept]\n    entered: yes  {HERE}"),
    ("closed_and_open", "  open: [2009-03-07]", f"  open: [2009-03-02]  {HERE}"),
    ("date_form", "  open: [2009-03-07]", f"  open: [7 March]  {HERE}"),
    ("day_twice", "  open: [2009-03-07]", f"  open: [2009-03-07, 2009-03-07]  {HERE}"),
    ("day_twice", "  closed: [{", f"  closed: [{{day: 2009-03-02, name: a}},  {HERE}\n    {{"),
    ("documents", "rules:", f"---  {HERE}\nrules:"),
    ("duplicate_code", "  - code: I3", f"  - code: I1  {HERE}"),
    ("empty", "    name: 即办", f"    name:  {HERE}"),
    ("empty", "name: 小城", f"name: ~  {HERE}"),
    ("empty", "    seasons: [{sessions: []}]", f"    seasons: []  {HERE}"),
    ("empty", "regions: [R1]}", f"regions: []}}  {HERE}"),
    ("exception_of_nothing", "  V01: {mode: card}", f"  V01: {{mode: card, exceptions: [{{mode: off}}]}}  {HERE}"),
    ("first_season", "      - {from_day: 01-01, sess", f"      - {HERE}\n        {{from_day: 02-01, sess"),
    ("fraction_without_sessions", "    promised_limit: 10", f"    profile: bare  {HERE}\n    promised_limit: 0.5"),
    ("fraction_without_sessions", "    legs: {D1: 5 wd", f"    profile: bare  {HERE}\n    legs: {{D1: 0.5 wd"),
    ("instant_with_days", "    type: instant", f"    type: instant\n    promised_limit: 3 wd  {HERE}"),
    ("invalid", "  profile: next_day", f"  profile: next_day\n  warning_days: few  {HERE}"),
    ("key", "  profile: next_day", f"  profile: next_day\n  [a]: b  {HERE}"),
    ("lead_only", "  V01: {mode: card}", f"  V10: {{mode: card}}  {HERE}"),
    ("lead_only", "  V01: {mode: card}", f"  V10: {{mode: lead, exceptions: [{{mode: card, item: I1}}]}}  {HERE}"),
    ("leg_above_item", "    legs: {D1: 5 wd, D2: 7 wd}", f"    legs: {{D1: 5 wd, D2: 21 wd}}  {HERE}"),
    ("legs_not_joint", "    type: instant", f"    type: instant\n    legs: {{D1: 1 wd, D2: 1 wd}}  {HERE}"),
    ("legs_too_few", "    legs: {D1: 5 wd, D2: 7 wd}", f"    legs: {{D1: 5 wd}}  {HERE}"),
    ("limit_form", "    promised_limit: 10 wd", f"    promised_limit: 10  {HERE}"),
    ("limit_form", "    step_limits: {accept: 1 wd}", f"    step_limits: {{accept: 1 day}}  {HERE}"),
    ("limit_zero", "    promised_limit: 10 wd", f"    promised_limit: 0 wd  {HERE}"),
    ("limit_zero", "    promised_limit: 10 wd", f"    statutory_limit: 0 wd  {HERE}"),
    ("limit_zero", "    promised_limit: 10 wd", f"    issue_limit: 0.0 wd  {HERE}"),
    ("limit_zero", "  profile: next_day\n", f"  profile: next_day\n  notice: 0 wd  {HERE}\n"),
    ("missing", "  - {code: W1, department: D1, name: 一号}", f"  - {{code: W1, department: D1}}  {HERE}"),
    ("missing", "name: 小城", HERE),
    ("no_such_day", "from_day: 05-01", f"from_day: 05-41  {HERE}\n       "),
    ("not_a_list", "windows:\n  - {code: W1, department: D1, name: 一号}\n", f"windows: W1  {HERE}\n"),
    ("not_a_list", "    steps: [apply, accept, finish]", f"    steps: apply  {HERE}"),
    ("not_a_table", "rules:\n  V01: {mode: card}", f"rules: V01  {HERE}"),
    ("not_a_table", "    step_limits: {accept: 1 wd}", f"    step_limits: 1 wd  {HERE}"),
    ("not_a_table", "  - {code: W1, department: D1, name: 一号}", f"  - W1  {HERE}"),
    ("promise_above_law", "    promised_limit: 10 wd", f"    promised_limit: 21 wd  {HERE}"),
    ("promise_above_law", "    promised_limit: 20 wd", f"    promised_limit: 46 wd  {HERE}"),
    ("region_circle", "parent: R1}", f"parent: R2}}  {HERE}"),
    ("repeated", "    delegated: [accept]", f"    delegated: [accept, accept]  {HERE}"),
    ("repeated", "    steps: [apply, accept, finish]", f"    steps: [apply, apply]  {HERE}"),
    ("repeated_key", "    nature: public_service", f"    nature: public_service\n    nature: licence  {HERE}"),
    ("repeated_key", "name_en: Town", f"name_en: Town\nname: again  {HERE}"),
    ("season_length", "[15:00, 18:00]]}", f"[15:00, 18:30]]}}  {HERE}"),
    ("season_order", "from_day: 05-01", f"from_day: 01-01  {HERE}\n       "),
    ("second_root", ", parent: R1}", f"}}  {HERE}"),
    ("session_backwards", "[15:00, 18:00]", f"[18:00, 15:00]  {HERE}\n       "),
    ("session_overlap", "[15:00, 18:00]", f"[11:00, 14:00]  {HERE}\n       "),
    ("sessions_missing", "    seasons: [{s", f"    day_end: closing\n    seasons: {HERE}\n      [{{s"),
    ("sessions_missing", "    kind: next_day\n    seasons: [", f"    kind: work_time\n    seasons: {HERE}\n      ["),
    ("syntax", "name_en: Town", f"name_en: [Town  {HERE}\n}}"),
    ("tag", "name: 小城", f"name: !!python/name:os.system x  {HERE}"),
    ("time_form", "[15:00, 18:00]", f"[15:00, 25:00]  {HERE}\n       "),
    ("too_deep", "name: 小城", f"name: {'[' * 20}{']' * 20}  {HERE}"),
    ("unknown_department", "{code: W1, department: D1,", f"{{code: W1, department: D9,  {HERE}\n   "),
    ("unknown_department", "    department: D2", f"    department: D9  {HERE}"),
    ("unknown_department", "    legs: {D1: 5 wd, D2: 7 wd}", f"    legs: {{D1: 5 wd, D9: 7 wd}}  {HERE}"),
    ("unknown_field", "    type: instant", f"    type: instant\n    tpye: instant  {HERE}"),
    ("unknown_item", "  - {item: I1,", f"  - {{item: I9,  {HERE}\n   "),
    ("unknown_overlay", "  regional: [guangxi]", f"  regional: [atlantis]  {HERE}"),
    ("unknown_profile", "  profile: next_day", f"  profile: nobody  {HERE}"),
    ("unknown_profile", "    type: instant", f"    type: instant\n    profile: nobody  {HERE}"),
    ("unknown_region", "name_en: Two, region: R1}", f"name_en: Two, region: R9}}  {HERE}"),
    ("unknown_region", "regions: [R1]}", f"regions: [R9]}}  {HERE}"),
    ("unknown_region", "parent: R1}", f"parent: R9}}  {HERE}"),
    ("unknown_rule", "  V01: {mode: card}", f"  V99: {{mode: card}}  {HERE}"),
    ("unknown_parameter", "  V01: {mode: card}", f"  V01: {{mode: card, parameters: {{nonsense: 1}}}}  {HERE}"),
    ("unknown_section", "windows:", f"window: []  {HERE}\nwindows:"),
    ("unknown_source", "  V01: {mode: card}",
     f"  V01: {{mode: card, exceptions: [{{mode: off, source: mall}}]}}  {HERE}"),
    ("unknown_department", "  V01: {mode: card}",
     f"  V01: {{exceptions: [{{mode: off, department: D9}}]}}  {HERE}"),
    ("unknown_item", "  V01: {mode: card}", f"  V01: {{exceptions: [{{mode: off, item: I9}}]}}  {HERE}"),
    ("unknown_step", "    step_limits: {accept: 1 wd}", f"    step_limits: {{suspend: 1 wd}}  {HERE}"),
    ("unknown_step", "    steps: [apply, accept, finish]", f"    steps: [apply, suspend]  {HERE}"),
    ("unknown_zone", "  zone: Asia/Shanghai", f"  zone: Asia/Yulin  {HERE}"),
    ("unknown_zone", "regions: [R1]}", f"regions: [R1], zone: Mars}}  {HERE}"),
    ("validity", "valid_to: 2009-12-31}", f"valid_to: 2008-12-31}}  {HERE}"),
    ("validity", "kind: enterprise, valid_from: 2009-01-01}",
     f"kind: enterprise, valid_from: 2009-01-01, valid_to: 2008-01-01}}  {HERE}"),
]  # fmt: skip

ON_THE_NEXT_LINE = {"day_twice", "first_season", "fraction_without_sessions", "sessions_missing", "syntax"}
"""Where a comment cannot stand on the line itself, it stands on the one above."""

NOT_OF_A_LINE = {
    "encoding",
    "no_files",
    "no_root",
    "not_found",
    "not_sections",
    "too_large",
    "too_many",
    "too_many_files",
    "unreadable",
}
"""Faults of a file or of the whole, tested below one by one."""


@pytest.mark.parametrize(("code", "old", "new"), SPOILT)
def test_fault_is_found_in_its_line(tmp_path: Path, code: str, old: str, new: str) -> None:
    """A spoilt line is reported with its file, its number, a reason and a remedy, and nothing else is reported."""
    assert old in SMALL
    spoilt = SMALL.replace(old, new, 1)
    path = written(tmp_path, spoilt)
    line = next(number for number, text in enumerate(spoilt.splitlines(), 1) if HERE in text)
    found = faults(path)
    assert [(fault.file, fault.code) for fault in found] == [(str(path), code)]
    assert abs(found[0].line - line) <= (1 if code in ON_THE_NEXT_LINE else 0)
    for lang in LANGS:
        assert found[0].reason(lang)
        assert found[0].remedy(lang)
        assert f"{path}:{found[0].line}: " in found[0].describe(lang)


def test_every_fault_that_can_be_said_is_tested() -> None:
    """The table and the tests below reach each fault of the catalogue of texts."""
    keys = [key for key in catalogue("en") if key.startswith("fault.") and not key.startswith("fault.mapping_")]
    said = {key.split(".")[1] for key in keys}
    assert {code for code, _, _ in SPOILT} | NOT_OF_A_LINE == said


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    """Faults of several entries, and several faults of one entry, are all reported, in the order of lines."""
    spoilt = (
        SMALL.replace("    type: promised", "    type: promise")
        .replace("    promised_limit: 10 wd", "    promised_limit: ten\n    fees: none")
        .replace("region: R1}", "region: R9}", 1)
        .replace("  V01: {mode: card}", "  V01: {mode: crad}")
    )
    found = faults(written(tmp_path, spoilt))
    assert [fault.code for fault in found] == ["unknown_region", "choice", "limit_form", "not_a_list", "choice"]
    assert [fault.line for fault in found] == sorted(fault.line for fault in found)


def test_faulty_entry_does_not_make_others_faulty(tmp_path: Path) -> None:
    """What refers to an entry with a fault of its own is not reported as referring to nothing."""
    found = faults(written(tmp_path, SMALL.replace("name_en: One, region", "nameen: One, region")))
    assert {fault.code for fault in found} == {"unknown_field", "missing"}


def test_missing_root_is_reported(tmp_path: Path) -> None:
    """Regions that are each other's parent have no root, and both stand in the circle."""
    found = faults(written(tmp_path, SMALL.replace("level: city}", "level: city, parent: R2}", 1)))
    assert [fault.code for fault in found] == ["no_root", "region_circle", "region_circle"]


def test_file_that_is_not_utf8_is_reported_with_its_line(tmp_path: Path) -> None:
    """A file in a Chinese code page is named as such, in the line of the first character that is not UTF-8."""
    found = faults(written(tmp_path, b"name_en: Town\nname: " + "小城".encode("gb18030")))
    assert ("encoding", 2) in {(fault.code, fault.line) for fault in found}


def test_folder_without_files_is_reported(tmp_path: Path) -> None:
    """A folder that holds no YAML file, and a path that does not exist, are faults of their own."""
    assert [fault.code for fault in faults(tmp_path)] == ["no_files"]
    assert [fault.code for fault in faults(tmp_path / "nowhere")] == ["not_found"]


def test_file_that_is_no_sections_is_reported(tmp_path: Path) -> None:
    """A file that is a list or a text is told to begin with a section; the other files are still read."""
    written(tmp_path, "- a\n- b\n", "list.yaml")
    written(tmp_path, SMALL)
    assert [fault.code for fault in faults(tmp_path)] == ["not_sections"]


def test_sizes_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large a file, too many files and too many entries are refused before they cost memory (I11)."""
    path = written(tmp_path, SMALL)
    monkeypatch.setattr(files, "ENTRIES_MAX", 2)
    assert [fault.code for fault in faults(path)] == ["too_many"]
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 100)
    assert "too_large" in {fault.code for fault in faults(path)}
    monkeypatch.setattr(files, "FILES_MAX", 0)
    assert [fault.code for fault in faults(tmp_path)] == ["too_many_files"]


def test_file_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file the system refuses to give is reported with the system's reason."""

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, SMALL)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    found = faults(path)
    assert found[-1].code == "unreadable" or "unreadable" in {fault.code for fault in found}
    assert any("Permission denied" in fault.reason("en") for fault in found)


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 5_000, "- " * 5_000, '"' + "a" * 100_000, 'a: "\\uD800"'])
def test_hostile_text_is_a_fault_and_not_a_crash(tmp_path: Path, text: str) -> None:
    """Nesting without end, texts without end and impossible characters are refused like any other mistake."""
    assert {fault.code for fault in faults(written(tmp_path, text))} & {"too_deep", "syntax"}
