"""`monitor try` on the command line: what events would do, in words, with nothing stored."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.events import Event, content
from monitor.ledger import Ledger
from monitor.rulebook.load import load
from tests.small_centre import RULEBOOK, at, event
from tests.streams.logs_at_hand import log, row, trace, write


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty ledger with the rulebook of the small centre."""
    name = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with Ledger.open(name) as ledger:
        ledger.publish(RULEBOOK)
    return name


def tries(path: Path, url: str, *options: str) -> Result:
    """Run the command as a person would."""
    return CliRunner().invoke(app, ["try", str(path), "--ledger", url, *options])


def lines(*events: Event) -> bytes:
    """Write events one on each line."""
    return b"\n".join(content(each) for each in events)


def test_each_event_is_told_in_the_language_asked_for(url: str, tmp_path: Path) -> None:
    """Step, case and consequences are named in Chinese or English."""
    path = write(tmp_path / "events.ndjson", lines(event("apply"), event("apply"), event("accept", time=at(1))))
    english = tries(path, url, "--lang", "en")
    assert english.exit_code == 0
    assert "1. apply of case c1: would be applied" in english.stdout
    assert "2. apply of case c1: is known already" in english.stdout
    assert "Nothing was stored" in english.stdout
    chinese = tries(path, url, "--lang", "zh").stdout
    assert "办件 c1 的申请：将被采纳" in chinese
    assert "未保存任何内容" in chinese
    with Ledger.open(url) as ledger:
        assert ledger.entries("c1") == []


def test_a_file_is_tried_as_one_request(tmp_path: Path) -> None:
    """A case told long after it ended comes out as its file sent at once does: nothing is contested."""
    project = Path(__file__).parents[3]
    url = f"sqlite:///{tmp_path / 'yulin.sqlite'}"
    with Ledger.open(url) as ledger:
        ledger.publish(load(project / "monitor" / "rulebooks" / "yulin"))
    told = json.loads(tries(project / "samples" / "one_case.json", url, "--json").stdout)["events"]
    raised = [finding for each in told for finding in each["raised"]]
    assert {finding["state"] for finding in raised} == {"live"}
    withdrawn = [finding["rule"] for each in told for finding in each["withdrawn"]]
    assert sorted(withdrawn) == sorted(finding["rule"] for finding in raised)
    assert [each["light"] for each in told if each["light"]][-1] == "normal"


def test_a_reject_has_reason_and_remedy_and_the_rest_goes_on(url: str, tmp_path: Path) -> None:
    """Code 1 says that something would be rejected; the document says what and why."""
    path = write(tmp_path / "events.ndjson", b'{"id": 7}\n' + lines(event("apply")))
    result = tries(path, url, "--json", "--lang", "en")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert (said["applied"], said["duplicate"], said["rejected"]) == (1, 0, 1)
    error = said["events"][0]["error"]
    assert error["field"]
    assert error["remedy"]
    assert said["events"][1]["stage"] == "applied"


def test_a_cloud_event_is_tried_like_any_other(url: str, tmp_path: Path) -> None:
    """The envelope is taken off as it is when events are sent."""
    envelope = {"specversion": "1.0", "id": "e1", "source": "hall", "type": "apply", "time": at().isoformat()}
    envelope |= {"subject": "c9", "data": {"region": "4509", "item": "i1", "department": "land"}}
    result = tries(write(tmp_path / "event.json", json.dumps(envelope)), url, "--json")
    assert json.loads(result.stdout)["events"][0]["case"] == "c9"


def test_a_log_is_tried_without_any_ledger(tmp_path: Path) -> None:
    """The shipped mapping brings the rulebook; no ledger is made."""
    path = write(tmp_path / "log.xes", log(trace("c1", row("T02 Check confirmation of receipt", at().isoformat()))))
    result = tries(path, f"sqlite:///{tmp_path / 'none' / 'ledger.sqlite'}", "--mapping", "receipt", "--lang", "en")
    assert result.exit_code == 0
    assert "trace 1, event 1: accept of case c1: would be applied" in result.stdout
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("content", "said"), [("", "empty"), ("[{]", "not JSON"), ("<log/>", "reject")])
def test_what_is_no_event_is_said(url: str, tmp_path: Path, content: str, said: str) -> None:
    """An empty file and broken JSON end with what to write instead."""
    result = tries(write(tmp_path / "events.json", content), url, "--lang", "en")
    assert result.exit_code != 0
    assert said in result.output


def test_without_ledger_and_mapping_it_says_what_is_missing(tmp_path: Path) -> None:
    """There is nothing to judge by: the message names the ledger looked for."""
    path = write(tmp_path / "events.json", lines(event("apply")))
    result = tries(path, f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert result.exit_code == 2
    assert "none.sqlite" in result.stderr
    missing = tries(tmp_path / "nothing.json", f"sqlite:///{tmp_path / 'none.sqlite'}")
    assert missing.exit_code == 2
