"""What two rulebooks differ in."""

from pathlib import Path

from monitor.rulebook.diff import Change, diff
from monitor.rulebook.load import load
from tests.monitor.rulebook.small import SMALL, written


def changes(folder: Path, *replacements: tuple[str, str]) -> tuple[Change, ...]:
    """Compare the small rulebook with itself after replacements."""
    changed = SMALL
    for old, new in replacements:
        assert old in changed
        changed = changed.replace(old, new, 1)
    return diff(load(written(folder, SMALL, "a.yaml")), load(written(folder, changed, "b.yaml")))


def test_same_rulebook_has_no_difference(tmp_path: Path) -> None:
    """A rulebook equals itself, and the order of entries does not matter."""
    first = "  - {code: D1, name: 甲局, name_en: One, region: R1}\n"
    second = "  - {code: D2, name: 乙局, name_en: Two, region: R1}\n"
    assert changes(tmp_path) == ()
    assert changes(tmp_path, (first + second, second + first)) == ()


def test_changed_field_is_named_with_old_and_new_value(tmp_path: Path) -> None:
    """A changed limit says item, field, what it was and what it is."""
    found = changes(tmp_path, ("promised_limit: 10 wd", "promised_limit: 8 wd"))
    assert found == (Change("items", "I1", "changed", "promised_limit", "10 wd", "8 wd"),)


def test_added_and_removed_entries_are_told_whole(tmp_path: Path) -> None:
    """A removed and an added entry are given with all they said."""
    found = changes(tmp_path, ("{code: W1, department: D1, name: 一号}", "{code: W2, department: D2, name: 二号}"))
    assert [(change.kind, change.section, change.key) for change in found] == [
        ("removed", "windows", "W1"),
        ("added", "windows", "W2"),
    ]
    assert found[1].after == {"code": "W2", "department": "D2", "name": "二号"}


def test_calendar_limits_and_rules_are_compared_field_by_field(tmp_path: Path) -> None:
    """A day, a default limit, a rule's mode and the name are each one difference."""
    found = changes(
        tmp_path,
        ("day: 2009-03-02", "day: 2009-03-03"),
        ("  profile: next_day", "  profile: next_day\n  archive: 15 wd"),
        ("{mode: card}", "{mode: lead}"),
        ("name_en: Town", "name_en: City"),
    )
    assert {(change.section, change.key, change.kind, change.field) for change in found} == {
        ("name", "", "changed", "name_en"),
        ("calendar", "closed/2009-03-02", "removed", ""),
        ("calendar", "closed/2009-03-03", "added", ""),
        ("limits", "", "changed", "archive"),
        ("rules", "V01", "changed", "mode"),
    }
