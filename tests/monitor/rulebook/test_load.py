"""Loading a rulebook that has no faults."""

from datetime import date, time
from decimal import Decimal
from pathlib import Path

import msgspec

from monitor.rulebook.load import load
from monitor.rulebook.model import Rulebook, Season, parse_limit
from tests.conftest import ROOT
from tests.monitor.rulebook.small import SMALL, faults, written


def test_folder_and_single_file_give_the_same_rulebook(tmp_path: Path) -> None:
    """A rulebook spread over files is the rulebook in one file; entries of a section follow the order of names."""
    one = load(written(tmp_path, SMALL, "one.txt").rename(tmp_path / "one.yml"))
    folder = tmp_path / "folder"
    folder.mkdir()
    head, items = SMALL[: SMALL.index("  - code: I2")], SMALL[SMALL.index("  - code: I2") :]
    written(folder, head, "a.yaml")
    written(folder, "items:\n" + items, "b.yml")
    written(folder, "", "empty.yaml")
    written(folder, "not: read", "notes.txt")
    assert load(folder) == one
    assert [item.code for item in load(folder).items] == ["I1", "I2", "I3"]


def test_field_written_in_two_files_is_a_fault(tmp_path: Path) -> None:
    """What can be said once and stands in two files is reported with both places."""
    written(tmp_path, SMALL, "a.yaml")
    second = written(tmp_path, "name: 另一个\nlimits:\n  profile: next_day\n", "b.yaml")
    found = faults(tmp_path)
    assert [(fault.code, fault.file, fault.line) for fault in found] == [
        ("repeated_key", str(second), 1),
        ("repeated_key", str(second), 3),
    ]
    assert str(tmp_path / "a.yaml") in found[0].reason("en")


def test_values_mean_what_is_written(tmp_path: Path) -> None:
    """YAML turns no office hour, date, code like a number or word like a truth value into something else."""
    text = SMALL.replace("W1", "0755").replace("code: E1, name: 企业", "code: 1e3, name: no")
    rulebook = load(written(tmp_path, text))
    morning, afternoon = (time(8, 30), time(12)), (time(14, 30), time(17, 30))
    assert rulebook.profile["next_day"].seasons[0] == Season(from_day="01-01", sessions=(morning, afternoon))
    assert rulebook.windows[0].code == "0755"
    assert (rulebook.direct_lines[0].code, rulebook.direct_lines[0].name) == ("1e3", "no")
    assert rulebook.direct_lines[0].valid_from == date(2009, 1, 1)
    assert rulebook.direct_lines[0].valid_to is None


def test_limits_may_be_parts_of_days(tmp_path: Path) -> None:
    """Half a working day is a limit where the profile knows its office hours."""
    rulebook = load(written(tmp_path, SMALL.replace("promised_limit: 10 wd", "promised_limit: 0.5 wd")))
    written_limit = rulebook.item["I1"].promised_limit
    assert written_limit is not None
    assert parse_limit(written_limit).days == Decimal("0.5")


def test_instant_item_may_state_the_same_day(tmp_path: Path) -> None:
    """An instant item (即办件) promises nothing or `0 wd`, and both load."""
    spelled = SMALL.replace("    type: instant", "    type: instant\n    promised_limit: 0 wd")
    assert load(written(tmp_path, spelled)).item["I3"].promised_limit == "0 wd"


def test_limits_of_different_units_are_not_compared(tmp_path: Path) -> None:
    """A promise in calendar days beside a legal limit in working days is no fault: only a date could decide it."""
    load(written(tmp_path, SMALL.replace("promised_limit: 10 wd", "promised_limit: 25 cd")))


def test_rulebook_survives_being_stored(tmp_path: Path) -> None:
    """A loaded rulebook, encoded as the ledger does and read back, is the same."""
    rulebook = load(written(tmp_path, SMALL))
    assert msgspec.json.decode(msgspec.json.encode(rulebook), type=Rulebook) == rulebook


def test_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    """A file saved by Windows Notepad, with a byte order mark and CRLF, loads."""
    path = written(tmp_path, b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(path).name == "小城"


def test_sample_has_an_item_of_each_type() -> None:
    """The commented sample loads and shows every type of item."""
    rulebook = load(ROOT / "samples" / "rulebook")
    assert {item.type for item in rulebook.items} == {"instant", "promised", "joint", "escalated"}
