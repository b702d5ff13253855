"""The example city: its published figures, its regeneration, its size in seconds."""

import subprocess
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path
from statistics import mean

from monitor.events import EventType
from monitor.rulebook.load import load
from monitor.rulebook.model import Item, Rulebook, parse_limit
from tests.conftest import ROOT

YULIN = ROOT / "monitor" / "rulebooks" / "yulin"


@cache
def yulin() -> Rulebook:
    """Load the example once."""
    return load(YULIN)


def promised() -> list[Item]:
    """List the promised-time items (承诺件), over which the speed-up figures are."""
    return [item for item in yulin().items if item.type == "promised"]


def test_sizes_are_those_published() -> None:
    """50 departments, 137 windows, 507 items, 56 enterprises and 55 projects on the direct line."""
    kinds = Counter(line.kind for line in yulin().direct_lines)
    assert (len(yulin().departments), len(yulin().windows), len(yulin().items)) == (50, 137, 507)
    assert kinds == {"enterprise": 56, "project": 55}


def test_mean_limits_are_those_published() -> None:
    """Over promised-time items the law allows 23.98 working days and the departments promise 13.80, 42.45 % less."""
    statutory = mean(parse_limit(item.statutory_limit or "").days for item in promised())
    promise = mean(parse_limit(item.promised_limit or "").days for item in promised())
    assert f"{statutory:.2f} {promise:.2f}" == "23.98 13.80"
    assert f"{(statutory - promise) / statutory:.2%}" == "42.45%"


def test_powers_given_to_windows_are_those_published() -> None:
    """Acceptance and review are delegated for every item, approval for 442 of 507, which is 87.2 %."""
    powers = Counter(power for item in yulin().items for power in item.delegated)
    assert powers == {"accept": 507, "review": 507, "approve": 442}
    given = {(delegation.item, delegation.power) for delegation in yulin().delegations}
    assert given == {(item.code, power) for item in yulin().items for power in item.delegated}


def test_departments_that_can_be_double_hundred_are_those_published() -> None:
    """26 of the 50 departments delegate every power over every item they have (双百部门 need that and no late case)."""
    keeping = {item.department for item in yulin().items if len(item.delegated) < 3}
    assert len(keeping) == 50 - 26


def test_every_kind_of_item_and_source_is_there() -> None:
    """All types and natures occur; a source is nightly, one tells suspensions late, one cannot tell acceptance."""
    assert {item.type for item in yulin().items} == {"instant", "promised", "joint", "escalated"}
    assert {item.nature for item in yulin().items} == {"licence", "non_licence", "public_service"}
    sources = yulin().sources
    assert any(source.lateness_hours == 24 for source in sources)
    assert any(source.suspensions_at_end for source in sources)
    assert any(source.can_send(EventType.FINISH) and not source.can_send(EventType.ACCEPT) for source in sources)
    assert all(source.can_send(EventType.HEARTBEAT) and source.can_send(EventType.RETRACT) for source in sources)


def test_required_steps_come_before_finish() -> None:
    """What must have happened at finish does not include what only follows it."""
    later = {EventType.ISSUE, EventType.ARCHIVE}
    assert not any(later & set(item.steps) for item in yulin().items)


def test_joint_items_are_handled_by_others() -> None:
    """Each joint item has legs of at least two departments other than its lead."""
    for item in yulin().items:
        if item.type == "joint":
            assert len(item.legs) >= 2
            assert item.department not in item.legs


def test_names_are_distinct_and_in_both_languages() -> None:
    """No two items share a Chinese or an English name."""
    assert len({item.name for item in yulin().items}) == len({item.name_en for item in yulin().items}) == 507


def test_files_come_out_of_the_script_byte_for_byte(tmp_path: Path) -> None:
    """What is checked in is what the seeded script writes, here and now."""
    script = ROOT / "scripts" / "generate_yulin.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    made = sorted(tmp_path.iterdir())
    assert [path.name for path in made] == [
        *("delegations.yaml", "departments.yaml", "direct_lines.yaml", "items.yaml", "regions.yaml", "windows.yaml")
    ]
    assert all(path.read_bytes() == (YULIN / path.name).read_bytes() for path in made)


def test_loading_takes_less_than_three_seconds() -> None:
    """A start does not wait for the rulebook: the whole city loads in under 3 s of processor time."""
    begun = time.process_time()
    load(YULIN)
    assert time.process_time() - begun < 3
