"""A past sent late over HTTP: what one request brings was received at one instant."""

from pathlib import Path

from monitor.rulebook.load import load
from tests.streams.running import running

ROOT = Path(__file__).resolve().parents[2]
CASE = "XFZD-20090923-01"


def lines() -> list[str]:
    """Read the events of a punctual case of the samples."""
    sample = (ROOT / "samples" / "three_cases.ndjson").read_text(encoding="utf-8").splitlines()
    return [line for line in sample if CASE in line]


OVERRUN = ("V13", "live")
"""The case was suspended longer than told; that is so however it is delivered."""


def test_a_punctual_case_sent_whole_is_reproached_with_nothing(tmp_path: Path) -> None:
    """Years late but in one request, in whatever order, a punctual case is not late, nor is anything contested."""
    with running(tmp_path, load(ROOT / "monitor" / "rulebooks" / "yulin")) as monitor:
        body = "\n".join(reversed(lines()))
        answer = monitor.post(body, **{"Content-Type": "application/x-ndjson"})
        assert (answer.status_code, answer.json()["applied"]) == (200, 8)
        said = monitor.ledger.assessment(CASE)
    assert said is not None
    assert [(finding.rule, finding.state) for finding in said.findings] == [OVERRUN]


def test_what_a_later_request_disproves_is_contested(tmp_path: Path) -> None:
    """Where the finish comes in a second request, what was found in between is left to an inspector."""
    with running(tmp_path, load(ROOT / "monitor" / "rulebooks" / "yulin")) as monitor:
        *first, finish, issue, archive = lines()
        for body in (first, (finish, issue, archive)):
            answer = monitor.post("\n".join(body), **{"Content-Type": "application/x-ndjson"})
            assert answer.status_code == 200
        said = monitor.ledger.assessment(CASE)
    assert said is not None
    contested = {("V01", "contested"), ("V05", "contested")}
    assert {(finding.rule, finding.state) for finding in said.findings} == {OVERRUN, *contested}
