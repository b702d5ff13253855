"""`monitor rulebook` on the command line: immutable versions, and what they differ in."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from tests.monitor.rulebook.small import SMALL, written


class Office:
    """A folder with two states of a rulebook, and a ledger."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'ledger.sqlite'}"
        self.first = str(written(folder, SMALL, "first.yaml"))
        self.second = str(
            written(folder, SMALL.replace("promised_limit: 10 wd", "promised_limit: 8 wd"), "second.yaml")
        )
        self.faulty = str(written(folder, SMALL.replace("region: R1}", "region: R9}", 1), "faulty.yaml"))

    def run(self, *arguments: str) -> Result:
        """Run a subcommand as a person would."""
        return CliRunner().invoke(app, ["rulebook", *arguments, "--ledger", self.url, "--lang", "en"])

    def listed(self) -> list[dict[str, object]]:
        """Read the list of versions."""
        versions: list[dict[str, object]] = json.loads(self.run("list", "--json").stdout)
        return versions


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """An office whose ledger does not exist yet."""
    return Office(tmp_path)


def test_first_version_holds_from_the_beginning_and_the_next_from_now(office: Office) -> None:
    """The first version has no instant; a later one begins when it is published, and both stay as they were."""
    before = datetime.now(UTC)
    assert office.run("publish", office.first).exit_code == 0
    assert office.run("publish", office.second, "--reason", "shorter").exit_code == 0
    first, second = office.listed()
    assert (first["version"], first["in_force_from"], second["version"]) == (1, None, 2)
    assert before <= datetime.fromisoformat(str(second["in_force_from"])) <= datetime.now(UTC)
    with Ledger.open(office.url) as ledger:
        limits = [version.rulebook.item["I1"].promised_limit for version in ledger.rulebooks().versions]
    assert limits == ["10 wd", "8 wd"]


def test_version_may_be_published_for_later(office: Office) -> None:
    """A stated instant in the future is kept; with --json the version is one document."""
    office.run("publish", office.first)
    instant = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    result = office.run("publish", office.second, "--in-force-from", instant.isoformat(), "--json")
    assert result.exit_code == 0
    assert datetime.fromisoformat(json.loads(result.stdout)["in_force_from"]) == instant


@pytest.mark.parametrize("instant", ["2001-01-01T00:00:00+08:00", "2030-01-01T00:00:00", "soon"])
def test_version_cannot_begin_in_the_past_or_at_no_instant(office: Office, instant: str) -> None:
    """A past instant, one without offset and a word are refused, and nothing is published."""
    office.run("publish", office.first)
    result = office.run("publish", office.second, "--in-force-from", instant)
    assert result.exit_code == 2
    assert result.stderr
    assert len(office.listed()) == 1


def test_same_rulebook_is_not_published_twice(office: Office) -> None:
    """Publishing what is already the last version changes nothing and says so."""
    office.run("publish", office.first)
    assert "nothing was published" in office.run("publish", office.first).stdout
    assert len(office.listed()) == 1


def test_rulebook_with_faults_is_not_published(office: Office) -> None:
    """Faults are named on standard error, and the ledger stays without a rulebook."""
    result = office.run("publish", office.faulty)
    assert result.exit_code == 2
    assert f"{office.faulty}:7: departments[D1].region: There is no region R9." in result.stderr
    assert not Path(office.url.removeprefix("sqlite:///")).exists()


def test_versions_and_paths_can_be_compared(office: Office) -> None:
    """A version of the ledger is compared with another or with files, field by field."""
    office.run("publish", office.first)
    office.run("publish", office.second)
    told = "changed items.I1.promised_limit: 10 wd → 8 wd\n"
    assert office.run("diff", "1", "2").stdout == told
    assert office.run("diff", office.first, "2").stdout == told
    assert office.run("diff", "2", office.second).stdout == "They say the same.\n"
    change = json.loads(office.run("diff", "2", office.first, "--json").stdout)
    assert change == [
        {
            "section": "items",
            "key": "I1",
            "kind": "changed",
            "field": "promised_limit",
            "before": "8 wd",
            "after": "10 wd",
        }
    ]


def test_unknown_version_is_refused_with_those_there_are(office: Office) -> None:
    """A number that is no version is answered with the versions there are."""
    office.run("publish", office.first)
    result = office.run("diff", "1", "7")
    assert result.exit_code == 2
    assert "There is no version 7; there are: 1." in result.stderr


def _people(office: Office, folder: Path) -> tuple[list[str], list[str]]:
    """Add an inspector and an admin; give how each says who he is."""
    secret = folder / "password"
    secret.write_text("correct horse battery")
    for name, role in (("li", "inspector"), ("chen", "admin")):
        added = ["users", "add", name, "--role", role, "--password-file", str(secret), "--ledger", office.url]
        assert CliRunner().invoke(app, added).exit_code == 0
    one, other = (["--as", name, "--as-password-file", str(secret)] for name in ("li", "chen"))
    return one, other


def test_dangerous_version_waits_for_a_second_person(office: Office, tmp_path: Path) -> None:
    """A longer promise becomes a proposal that says what is dangerous, and a version once somebody else approves."""
    office.run("publish", office.second)
    one, other = _people(office, tmp_path)
    refused = office.run("publish", office.first, "--reason", "trial")
    assert (refused.exit_code, "--as NAME" in refused.stderr) == (2, True)
    waiting = office.run("publish", office.first, "--reason", "trial", *one)
    assert (waiting.exit_code, "proposal 1 waits" in waiting.stdout) == (1, True)
    assert "I1.promised_limit grows from 8 wd to 10 wd" in waiting.stderr
    assert len(office.listed()) == 1
    assert "proposal 1 by li" in office.run("proposals").stdout
    own = office.run("approve", "1", *one)
    assert (own.exit_code, "cannot be the second person" in own.stderr) == (2, True)
    assert "version 2" in office.run("approve", "1", *other).stdout
    assert len(office.listed()) == 2
    assert "No proposals wait" in office.run("proposals").stdout
    (decided,) = json.loads(office.run("proposals", "--all", "--json").stdout)
    assert (decided["state"], decided["decided_by"], decided["version"]) == ("approved", "chen", 2)


def test_dangerous_version_is_rejected_or_published_alone(office: Office, tmp_path: Path) -> None:
    """Without users a reason is enough, and is told to be; with users it is not, and a proposal may be turned down."""
    office.run("publish", office.second)
    refused = office.run("publish", office.first, "--reason", "trial")
    assert (refused.exit_code, "--alone" in refused.stderr) == (2, True)
    assert office.run("publish", office.first, "--alone", "first set-up").exit_code == 0
    office.run("publish", office.second)
    one, other = _people(office, tmp_path)
    assert office.run("publish", office.first, "--alone", "again", *one).exit_code == 2
    document = json.loads(office.run("publish", office.first, "--reason", "again", "--json", *one).stdout)
    assert (document["proposal"], document["dangers"][0]["kind"]) == (1, "limit")
    assert json.loads(office.run("reject", "1", "--reason", "no", "--json", *other).stdout)["version"] is None
    assert "rejected by chen already" in office.run("approve", "1", *other).stderr
    assert len(office.listed()) == 3


def test_version_with_effect_for_the_past_must_say_so(office: Office) -> None:
    """--retroactive lets a version begin in the past, which is dangerous for that alone."""
    office.run("publish", office.first)
    begins = "2026-01-01T00:00:00+08:00"
    arguments = ("publish", office.second, "--in-force-from", begins, "--retroactive")
    refused = office.run(*arguments)
    assert (refused.exit_code, "before it was published" in refused.stderr) == (2, True)
    assert office.run(*arguments, "--alone", "announced then").exit_code == 0
    assert office.listed()[1]["in_force_from"] == "2025-12-31T16:00:00Z"
