"""Generate the example rulebook of Yulin City, Guangxi, at its published size of 2009 (domain.md section 4.4).

50 departments, 137 windows, 507 items; over promised-time items (承诺件) a mean statutory limit of 23.98 and a mean
promised limit of 13.80 working days; approval delegated to the window for 442 items, in 26 departments for all they
have; 56 enterprises and 55 projects on the direct line. Everything is drawn from one seed, so that the files come out
the same byte for byte.

Usage: python scripts/generate_yulin.py [FOLDER]
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from yulin_tables import (
    ACTIONS,
    AMOUNTS,
    AT_ONCE,
    CITY,
    COMPLETE,
    DISCLOSURES,
    LEGS,
    LICENSING_LAW,
    LONG_LAW,
    MATERIALS,
    PROCEDURES,
    REGIONS,
    REPLACED,
    SHORT_LAW,
    TRADES,
    WORKS,
)

HERE: Final = Path(__file__).resolve().parent
TARGET: Final = HERE.parent / "monitor" / "rulebooks" / "yulin"
WINDOWS, OPERATORS, ITEMS, APPROVE_DELEGATED = 137, 180, 507, 442
DEPARTMENTS, DOUBLE_HUNDRED = 50, 26  # 双百部门: every power delegated, every case on time
STATUTORY_MEAN, PROMISED_MEAN = 23.98, 13.8
ENTERPRISES, PROJECTS = 56, 55

HEAD: Final = """\
# {title}
# Written by scripts/generate_yulin.py: do not edit, change the script. An example at the size Yulin City published
# for 2009; departments and items are of real kinds, {invented} invented.
"""


@dataclass
class Department:
    """A department of the catalogue, with the law its limits are drawn from."""

    code: str
    name: str
    name_en: str
    law: str


@dataclass
class Item:
    """An item of the catalogue while its limits are being drawn; days are working days."""

    code: str
    name: str
    name_en: str
    department: Department
    nature: str
    type: str
    action: str
    statutory: int = 0
    promised: int = 0
    approve_delegated: bool = True
    clerk: str = ""
    reviewer: str = ""
    approvers: tuple[str, ...] = ()
    legs: dict[str, int] = field(default_factory=dict)


def catalogue(source: str) -> tuple[list[Department], list[Item]]:
    """Read the departments and items of yulin_catalogue.txt."""
    departments: list[Department] = []
    items: list[Item] = []
    for line in source.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            code, rest = line[1:].split("] ", 1)
            departments.append(Department(code, *rest.split(" | ")))
            number = 0
            continue
        name, name_en, kind = line.split(" | ")
        nature, type_, *actions = kind.split(" ")
        for action in actions[0] if actions else "-":
            number += 1
            zh, en = ACTIONS.get(action, ("", ""))
            items.append(
                Item(
                    code=f"{departments[-1].code}-{number:03}",
                    name=name + zh,
                    name_en=f"{en} {name_en}".strip(),
                    department=departments[-1],
                    nature="non_licence" if action == "a" else nature,
                    type="instant" if action in AT_ONCE else type_,
                    action=action,
                )
            )
    return departments, items


def draw_limits(rng: Random, items: list[Item]) -> None:
    """Draw limits, then move single ones until the means over promised-time items are the published ones."""
    promised = [item for item in items if item.type == "promised"]
    choices = {item.code: SHORT_LAW if item.action in {"c", "r"} else LONG_LAW for item in promised}
    for item in promised:
        item.statutory = rng.choice(choices[item.code])
    total = round(STATUTORY_MEAN * len(promised))
    while (missing := total - sum(item.statutory for item in promised)) != 0:
        item = rng.choice(promised)
        other = rng.choice(choices[item.code])
        # Limits differ by steps of two, three and more: a last day is only reached by way of small detours.
        if abs(missing - (other - item.statutory)) < max(abs(missing), 5):
            item.statutory = other
    for item in promised:
        item.promised = max(1, round(item.statutory * rng.uniform(0.4, 0.75)))
    total = round(PROMISED_MEAN * len(promised))
    while (missing := total - sum(item.promised for item in promised)) != 0:
        item = rng.choice(promised)
        if 1 <= item.promised + (step := 1 if missing > 0 else -1) <= item.statutory:
            item.promised += step
    for item in items:
        if item.type == "escalated":
            item.statutory, item.promised = 20, rng.choice((7, 10, 12, 15))
        elif item.type == "joint":
            item.statutory, item.promised = 45, rng.choice((25, 30))
            item.legs = {department: rng.choice((10, 12, 15)) for department in LEGS[item.name]}


def withhold_approval(rng: Random, items: list[Item]) -> None:
    """Leave approval with the department for part of its items, in all but the 26 that delegate everything.

    What goes up or needs others comes first: the departments with most of it keep approval of it, and of a few more.
    """
    hard = [item for item in items if item.type in {"escalated", "joint"}]
    counts = Counter(item.department.code for item in hard)
    keeping = {code for code, _ in counts.most_common(DEPARTMENTS - DOUBLE_HUNDRED)}
    withheld = [item for item in hard if item.department.code in keeping]
    others = [
        item
        for item in items
        if item.type == "promised" and item.nature == "licence" and item.department.code in keeping
    ]
    withheld += rng.sample(others, len(items) - APPROVE_DELEGATED - len(withheld))
    for item in withheld:
        item.approve_delegated = False


def assign(items: list[Item], operators: dict[str, int]) -> None:
    """Give acceptance and review to the operators in turn, approval to the chief representative, who is the first.

    In some departments the second took the chief representative's place in the middle of the year.
    """
    for turn, item in enumerate(items):
        department = item.department.code
        count = operators[department]
        item.clerk, item.reviewer = f"{department}-{turn % count + 1:02}", f"{department}-{(turn + 1) % count + 1:02}"
        if item.approve_delegated:
            item.approvers = tuple(f"{department}-{n:02}" for n in ((1, 2) if department in REPLACED else (1,)))


def written_item(rng: Random, item: Item) -> dict[str, Any]:
    """Give an item the form it has in items.yaml."""
    own = Random(item.code)  # noqa: S311 - a generator of its own: what is drawn here moves nothing else
    entry: dict[str, Any] = {"code": item.code, "name": item.name, "name_en": item.name_en}
    entry |= {"department": item.department.code, "type": item.type, "nature": item.nature}
    if item.statutory:
        by_default = item.nature == "licence" and item.statutory == 20
        entry["statutory_limit"] = f"{item.statutory} wd"
        entry["statutory_basis"] = LICENSING_LAW if by_default else item.department.law
    entry["promised_limit"] = f"{item.promised} wd"
    if item.type == "instant":
        entry["steps"] = ["apply", "accept", "approve", "finish"]
        entry["procedures"] = []
    elif item.type == "escalated":
        entry["steps"] = ["apply", "accept"]
    else:
        handed_on = item.type == "joint" or item.promised > 10
        entry["steps"] = ["apply", "accept", *(["transfer"] if handed_on else []), "approve", "finish"]
        if handed_on and rng.random() < 0.6:
            entry["step_limits"] = {"accept": "1 wd", "approve": "2 wd"}
        procedures = sorted({PROCEDURES[word] for word in PROCEDURES if word in item.name})
        if procedures:
            entry["procedures"] = procedures
    if item.legs:
        entry["legs"] = {department: f"{days} wd" for department, days in item.legs.items()}
    held_before = ["原许可证件"] if item.action in set("crsxa") else []
    names = ["申请表", *held_before, *rng.sample(MATERIALS, rng.randint(1, 3))]
    entry["materials"] = [{"code": f"M{n}", "name": name} for n, name in enumerate(names, 1)]
    if item.nature != "public_service" and rng.random() < 0.12:
        basis = item.department.law
        fees = [{"code": "F1", "name": "证照工本费", "amount": rng.choice((5, 10, 20, 50)), "basis": basis}]
        if own.random() < 0.3:
            fees.append({"code": "F2", "name": "检验检测费", "amount": own.choice((80, 120, 200)), "basis": basis})
        entry["fees"] = fees
    entry["delegated"] = ["accept", "review", *(["approve"] if item.approve_delegated else [])]
    hidden = rng.choice(DISCLOSURES[3:]) if rng.random() < 0.05 else None
    entry["disclosures"] = [disclosure for disclosure in DISCLOSURES if disclosure != hidden]
    licensed = item.type == "promised" and item.nature == "licence" and item.clerk not in item.approvers
    if licensed and own.random() < 0.3:
        entry["two_persons"] = "true"
    return entry


def share(total: int, weights: dict[str, int]) -> dict[str, int]:
    """Give everyone one, and divide the rest in proportion to the weights, larger remainders first."""
    rest, whole = total - len(weights), sum(weights.values())
    exact = {code: rest * weight / whole for code, weight in weights.items()}
    shares = {code: 1 + int(part) for code, part in exact.items()}
    by_remainder = sorted(exact, key=lambda code: (int(exact[code]) - exact[code], code))
    for code in by_remainder[: total - sum(shares.values())]:
        shares[code] += 1
    return shares


def delegations(items: list[Item]) -> Iterator[dict[str, Any]]:
    """List who may do what with the cases of each item, since when, and until when or up to how much."""
    for item in items:
        yield {"item": item.code, "power": "accept", "operator": item.clerk, "valid_from": "2009-01-01"}
        yield {"item": item.code, "power": "review", "operator": item.reviewer, "valid_from": "2009-01-01"}
        most = next(({"amount_max": amount} for word, amount in AMOUNTS.items() if word in item.name), {})
        begins = "2009-01-01"
        for turn, operator in enumerate(item.approvers, 1):
            row = {"item": item.code, "power": "approve", "operator": operator, "valid_from": begins}
            if turn < len(item.approvers):
                row["valid_to"], begins = REPLACED[item.department.code]
            yield row | most


def direct_lines(rng: Random) -> Iterator[dict[str, Any]]:
    """Invent enterprises and projects for the direct line (直通车)."""
    first, second = "岭云沙龙谷松石溪清", "峰源泰和丰景澜盛晖原"
    brands = [one + other for one in first for other in second]
    for number, brand in enumerate(rng.sample(brands, ENTERPRISES), 1):
        name = f"玉林市{brand}{rng.choice(TRADES)}有限公司"
        yield {"code": f"E{number:02}", "name": name, "kind": "enterprise", "valid_from": "2009-01-01"}
    for number, brand in enumerate(rng.sample(brands, PROJECTS), 1):
        name = f"{brand}{rng.choice(WORKS)}项目"
        yield {"code": f"P{number:02}", "name": name, "kind": "project", "valid_from": "2009-01-01"}


def flow(value: Any) -> str:
    """Write a value on one line, in quotes where YAML could take it for something else."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    text = str(value)
    plain = re.fullmatch(r"[\w《][\w /.+()（）《》、-]*", text) and not re.fullmatch(r"[\d.]+", text)
    return text if plain or isinstance(value, int) else json.dumps(text, ensure_ascii=False)


def lines(section: str, entries: Iterable[dict[str, Any]]) -> str:
    """Write a section with an entry a line."""
    return f"{section}:\n" + "".join(f"  - {flow(entry)}\n" for entry in entries)


def blocks(section: str, entries: Iterable[dict[str, Any]]) -> str:
    """Write a section with a field a line."""
    written = []
    for entry in entries:
        fields = [f"{key}: {flow(value)}\n" for key, value in entry.items()]
        written.append("  - " + "    ".join(fields))
    return f"{section}:\n" + "".join(written)


def build() -> dict[str, str]:
    """Make the content of every generated file, by name."""
    rng = Random(2009)  # noqa: S311 - seeded on purpose: the files must come out the same
    departments, items = catalogue((HERE / "yulin_catalogue.txt").read_text(encoding="utf-8"))
    assert len(items) == ITEMS, f"the catalogue makes {len(items)} items"
    draw_limits(rng, items)
    withhold_approval(rng, items)
    busy = {department.code: 0 for department in departments}
    for item in items:
        busy[item.department.code] += 1
    windows = [
        {"code": f"{d.code}-W{number:02}", "department": d.code, "name": f"{d.name}{number}号窗口"}
        for d in departments
        for number in range(1, share(WINDOWS, busy)[d.code] + 1)
    ]
    assign(items, share(OPERATORS, busy))
    places = [
        {"code": d.code, "name": f"玉林市{d.name}", "name_en": f"Yulin {d.name_en}", "region": CITY}
        | ({"delegations_complete": "true"} if d.code in COMPLETE else {})
        for d in departments
    ]
    regions = [
        {"code": code, "name": name, "name_en": name_en, **({"parent": parent} if parent else {}), "level": level}
        for code, name, name_en, parent, level in REGIONS
    ]
    return {
        "regions": HEAD.format(title="地区 Regions", invented="the local code of the new district")
        + "name: 玉林市政务服务中心（示例）\nname_en: Yulin Government Service Centre (example)\n\n"
        + lines("regions", regions),
        "departments": HEAD.format(title="部门 Departments", invented="codes") + lines("departments", places),
        "windows": HEAD.format(title="窗口 Windows", invented="codes and numbers") + lines("windows", windows),
        "items": HEAD.format(title="事项 Items", invented="codes, limits, their basis, materials and fees")
        + blocks("items", [written_item(rng, item) for item in items]),
        "delegations": HEAD.format(title="授权 Delegations", invented="operators")
        + lines("delegations", delegations(items)),
        "direct_lines": HEAD.format(title="直通车 Direct line", invented="all names here")
        + lines("direct_lines", direct_lines(rng)),
    }


def main() -> None:
    """Write the generated files into a folder, by default the one that ships."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in build().items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
