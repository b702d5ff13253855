"""A small valid rulebook as text, to be spoilt one line at a time."""

from pathlib import Path

from monitor.rulebook.faults import Fault, RulebookFaults
from monitor.rulebook.load import load

SMALL = """\
name: 小城
name_en: Town
regions:
  - {code: R1, name: 市, name_en: City, level: city}
  - {code: R2, name: 县, name_en: County, level: county, parent: R1}
departments:
  - {code: D1, name: 甲局, name_en: One, region: R1}
  - {code: D2, name: 乙局, name_en: Two, region: R1}
windows:
  - {code: W1, department: D1, name: 一号}
items:
  - code: I1
    name: 许可
    name_en: Licence
    department: D1
    type: promised
    nature: licence
    promised_limit: 10 wd
    steps: [apply, accept, finish]
    step_limits: {accept: 1 wd}
    delegated: [accept]
  - code: I2
    name: 联办
    name_en: Joint
    department: D1
    type: joint
    nature: licence
    promised_limit: 20 wd
    legs: {D1: 5 wd, D2: 7 wd}
  - code: I3
    name: 即办
    name_en: At once
    department: D2
    type: instant
    nature: public_service
delegations:
  - {item: I1, power: accept, operator: O1, valid_from: 2009-01-01, valid_to: 2009-12-31}
direct_lines:
  - {code: E1, name: 企业, kind: enterprise, valid_from: 2009-01-01}
sources:
  - {code: hall, name: 大厅, owner: 中心, regions: [R1]}
calendar:
  base: china
  regional: [guangxi]
  zone: Asia/Shanghai
  closed: [{day: 2009-03-02, name: 停电}]
  open: [2009-03-07]
profiles:
  - code: next_day
    kind: next_day
    day_end: closing
    seasons:
      - {from_day: 01-01, sessions: [[8:30, 12:00], [14:30, 17:30]]}
      - {from_day: 05-01, sessions: [[8:30, 12:00], [15:00, 18:00]]}
  - code: bare
    kind: next_day
    seasons: [{sessions: []}]
limits:
  profile: next_day
rules:
  V01: {mode: card}
"""


def written(folder: Path, text: str | bytes, name: str = "rulebook.yaml") -> Path:
    """Write a file of a rulebook."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def faults(path: Path) -> tuple[Fault, ...]:
    """Load a rulebook that must not load; return its faults."""
    try:
        load(path)
    except RulebookFaults as found:
        return found.faults
    raise AssertionError("the rulebook has no faults")
