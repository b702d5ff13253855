"""A small town on files, as an operator would write it: its rulebook, the mapping of a log, the log, a live feed."""

import csv
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

ZONE = timezone(timedelta(hours=8))
"""Time of the town; it knows no summer time."""

RULEBOOK = """
name: 小镇
name_en: Small town
regions:
  - {code: "45", name: 广西, name_en: Guangxi, level: region}
  - {code: "4509", name: 玉林市, name_en: Yulin, level: city, parent: "45"}
  - {code: "4501", name: 南宁市, name_en: Nanning, level: city, parent: "45"}
departments:
  - {code: land, name: 国土局, name_en: Land, region: "4509"}
  - {code: water, name: 水利局, name_en: Water, region: "4509"}
items:
  - {code: permit, name: 许可, name_en: Permit, department: land, type: promised, nature: licence, promised_limit: 3 wd}
  - {code: service, name: 服务, name_en: Service, department: water, type: instant, nature: public_service}
sources:
  - code: files
    name: 存量文件
    owner: 中心
    regions: ["4509"]
    authentication: import
  - code: hall  # a month late without reproach: what is received when plays no part in a verdict on its cases
    name: 大厅
    owner: 中心
    regions: ["4509"]
    lateness_hours: 744
calendar: {base: weekdays, zone: Asia/Shanghai}
profiles:
  - code: next_day
    kind: next_day
    seasons: [{sessions: [["08:30", "12:00"], ["13:00", "17:00"]]}]
rules:
  V01: {mode: card}
  V02: {mode: card}
  V04: {mode: card}
  V06: {mode: card}
  V07: {mode: card}
"""

MAPPING = """
source: files
format: csv
zone: Asia/Shanghai
precision: second
rulebook: rulebook.yaml
case: case
activity: step
time: time
fields:
  region: {attribute: region}
  item: {attribute: item}
  department: {attribute: department}
activities:
  - {type: apply, names: [申请]}
  - {type: accept, names: [受理]}
  - type: suspend
    names: [中止]
    data: {procedure: {attribute: note}, planned_days: {value: "2"}}
  - {type: resume, names: [恢复], data: {procedure: {attribute: note}}}
  - {type: approve, names: [审批]}
  - {type: finish, names: [办结]}
"""

COLUMNS = ("case", "step", "time", "region", "item", "department", "note")
FIRST_DAY = datetime(2026, 3, 2, 9, tzinfo=ZONE)
STEPS = (("申请", 0.0), ("受理", 0.3), ("中止", 1.0), ("恢复", 2.2), ("审批", 3.1), ("办结", 4.0))


def write_rulebook(folder: Path) -> Path:
    """Write the town's rulebook."""
    path = folder / "rulebook.yaml"
    path.write_text(RULEBOOK, encoding="utf-8")
    return path


def write_mapping(folder: Path) -> Path:
    """Write the mapping, and beside it the rulebook it brings."""
    write_rulebook(folder)
    path = folder / "mapping.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


def write_log(path: Path, cases: int, seed: int) -> dict[str, int]:
    """Write a log of the town as CSV, its rows mixed; return how many rows of each kind are in it.

    There are cases on time, late, suspended and never finished, an item nobody knows, notes that are no step, and
    rows whose time or region is wrong.
    """
    draw = random.Random(seed)
    rows: list[list[str]] = []
    counted = {"cases": cases, "events": 0, "rejected": 0, "unmapped": 0}
    for number in range(cases):
        start = FIRST_DAY + timedelta(days=draw.randrange(40), minutes=draw.randrange(480))
        pace, steps = draw.choice((0.2, 0.9, 2.5)), STEPS[: draw.choice((2, 4, 6, 6, 6))]
        for step, after in steps:
            if step in ("中止", "恢复") and number % 5:
                continue
            when = (start + timedelta(days=after * pace)).isoformat()
            item = "unheard-of" if number % 97 == 0 else "permit"
            rows.append([f"甲{number}", step, when, "4509", item, "land", "hearing"])
            counted["events"] += 1
        if number % 50 == 0:
            rows.append([f"甲{number}", "备注", start.isoformat(), "4509", "permit", "land", ""])
            counted["unmapped"] += 1
        if number % 100 == 0:
            rows.append([f"甲{number}", "申请", "soon", "4509", "permit", "land", ""])
            rows.append([f"甲{number}", "申请", start.isoformat(), "4501", "permit", "land", ""])
            counted["events"] += 2
            counted["rejected"] += 2
    draw.shuffle(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return counted


def said(case: str, name: str = "apply", time: datetime = FIRST_DAY, **more: Any) -> dict[str, Any]:
    """Write an event as the hall says it; its type is its name unless said otherwise."""
    plain = {"id": name, "source": "hall", "type": name, "time": time.isoformat(), "case": case}
    return {**plain, "region": "4509", "item": "permit", "department": "land", **more}


def feed(cases: int, last: datetime, seed: int) -> list[dict[str, Any]]:
    """Say what happened in the twenty days up to an instant: on time, late, unfinished; one in fifty is not taken."""
    draw = random.Random(seed)
    events: list[dict[str, Any]] = []
    for number in range(cases):
        start = last - timedelta(days=20, minutes=-draw.randrange(9 * 1440))
        pace = draw.choice((0.2, 0.9, 2.5))
        steps = (("apply", 0.0), ("accept", 0.3), ("approve", 3.1), ("finish", 4.0))[: draw.choice((2, 4, 4))]
        events += [said(f"乙{number}", name, start + timedelta(days=after * pace)) for name, after in steps]
        if number % 16 == 0:
            events.append(said(f"乙{number}", "issue", start, region="4501"))
    draw.shuffle(events)
    return events
