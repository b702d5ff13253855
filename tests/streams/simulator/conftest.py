"""A centre with every kind of item and source, small enough to read."""

from datetime import date, time

import pytest

from monitor.events import EventType
from monitor.rulebook.base_calendar import CalendarFile, expand
from monitor.rulebook.model import (
    ClockProfile,
    Delegation,
    Department,
    DirectLine,
    Fee,
    Item,
    ItemType,
    Limits,
    Material,
    Region,
    Rulebook,
    RuleSetting,
    Season,
    Source,
    Window,
)

DEPARTMENTS = ("land", "build", "trade", "tax", "health", "water")
STEPS = tuple(EventType(step) for step in ("apply", "accept", "approve", "finish"))
ONESELF = (EventType.CONSULT, EventType.APPLY, EventType.HEARTBEAT)
WHOLE = (*STEPS[:2], EventType.TRANSFER, *STEPS[2:], EventType.ISSUE, EventType.ARCHIVE)


def _item(number: int) -> Item:
    kinds: tuple[ItemType, ...] = ("instant", "promised", "promised", "promised", "joint", "escalated")
    kind, department = kinds[number % 6], DEPARTMENTS[number // 6 % 6]
    licence = number % 3 != 2
    promised = {"instant": "0 wd", "joint": "30 wd", "escalated": "10 wd"}.get(kind, f"{5 + number % 5 * 4} wd")
    return Item(
        code=f"i{number:02d}",
        name=f"事项{number}",
        name_en=f"Item {number}",
        department=department,
        type=kind,
        nature="licence" if licence else "public_service",
        statutory_limit=("45 wd" if kind == "joint" else "24 wd") if licence else None,
        promised_limit=promised,
        steps=STEPS if kind == "instant" else WHOLE,
        step_limits={"accept": "1 wd", "transfer": "20 wd", "approve": "2 wd"} if number % 6 in (1, 2) else {},
        legs={"land": "15 wd", "build": "20 wd", "water": "10 wd"} if kind == "joint" else {},
        materials=(Material(code="m1", name="申请表"), Material(code="m2", name="身份证明")),
        fees=(Fee(code="f1", name="工本费", amount=10, basis="物价局"),) if number % 4 == 0 else (),
        procedures=("expert_review", "inspection", "hearing") if number % 2 else (),
        delegated=("accept", "review", "approve"),
        two_persons=kind == "promised" and number % 3 == 0,
    )


@pytest.fixture(scope="session")
def rulebook() -> Rulebook:
    """A centre of six departments: a system of its own for each, a portal, and one system that sends no accept."""
    items = tuple(_item(number) for number in range(72))
    return Rulebook(
        name="小中心",
        name_en="Small centre",
        regions=(Region(code="4509", name="玉林市", name_en="Yulin", level="city"),),
        departments=tuple(
            Department(code=d, name=d, name_en=d, region="4509", delegations_complete=d in ("trade", "tax", "health"))
            for d in DEPARTMENTS
        ),
        windows=tuple(Window(code=f"{d}-w{n}", department=d, name=f"{d}{n}") for d in DEPARTMENTS for n in (1, 2)),
        items=items,
        delegations=tuple(
            Delegation(item=item.code, power=power, operator=f"{item.department}-o{n}", valid_from=date(2009, 1, 1))
            for item in items
            for n, power in enumerate(item.delegated)
        ),
        direct_lines=(DirectLine(code="e01", name="企业", kind="enterprise", valid_from=date(2009, 1, 1)),),
        sources=(
            Source(code="hall", name="大厅", owner="中心", regions=("4509",)),
            Source(code="portal", name="网上", owner="中心", regions=("4509",), types=ONESELF),
            Source(
                code="vertical",
                name="垂管",
                owner="tax",
                regions=("4509",),
                types=(EventType.APPLY, EventType.APPROVE, EventType.FINISH),
                lateness_hours=24,
                precision="minute",
                suspensions_at_end=True,
            ),
        ),
        calendar=expand(CalendarFile(base="china")),
        profiles=(
            ClockProfile(
                code="next_day",
                kind="next_day",
                seasons=(
                    Season(sessions=((time(8), time(12)), (time(15), time(18)))),
                    Season(from_day="10-08", sessions=((time(8, 30), time(12)), (time(14, 30), time(17, 30)))),
                ),
            ),
        ),
        limits=Limits(archive="30 wd", reply="2 wd", complaint_accept="5 wd", complaint="30 wd", request="10 wd"),
        rules={f"V0{n}": RuleSetting(mode="card") for n in range(1, 8)},
    )
