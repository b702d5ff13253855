"""`monitor simulate` as one types it."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from monitor.commands.simulate import simulate
from monitor.events import decode
from monitor.rulebook.load import load

app = typer.Typer()
app.command()(simulate)

RULEBOOK = """
name: 小城
name_en: Small town
regions: [{code: "4509", name: 玉林市, name_en: Yulin, level: city}]
departments: [{code: land, name: 国土局, name_en: Land, region: "4509"}]
items:
  - {code: i1, name: 许可, name_en: Permit, department: land, type: promised, nature: licence, promised_limit: 10 wd}
sources: [{code: hall, name: 大厅, owner: 中心, regions: ["4509"]}]
profiles: [{code: next_day, kind: next_day, seasons: [{sessions: [["08:00", "12:00"], ["15:00", "18:00"]]}]}]
"""


@pytest.fixture
def rulebook(tmp_path: Path) -> str:
    """The rulebook of a small town, in a file."""
    file = tmp_path / "town.yaml"
    file.write_text(RULEBOOK, encoding="utf-8")
    return str(file)


def run(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it said."""
    result = CliRunner().invoke(app, ["--lang", "en", *arguments])
    return result.exit_code, result.output


def test_a_period_is_written_in_order_of_time(rulebook: str, tmp_path: Path) -> None:
    """The file holds one event a line, in order of time, and the summary counts them."""
    file = tmp_path / "week.ndjson"
    code, said = run(
        "--rulebook", rulebook, "--from", "2009-03-02", "--to", "2009-03-06", "--out", str(file), "--json"
    )  # fmt: skip
    assert code == 0, said
    events = [decode(line) for line in file.read_bytes().splitlines()]
    assert json.loads(said)["events"] == len(events) > 1_000
    assert [e.time for e in events] == sorted(e.time for e in events)
    assert {e.time.date().isoformat() for e in events} == {f"2009-03-0{n}" for n in range(2, 7)}


def test_a_compressed_file_is_the_same_for_the_same_seed(rulebook: str, tmp_path: Path) -> None:
    """A name ending in .gz is compressed; the same seed gives the same bytes, under whatever name."""
    files = [tmp_path / "a.ndjson.gz", tmp_path / "b.ndjson.gz"]
    for file in files:
        code, said = run(
            "--rulebook", rulebook, "--seed", "5", "--from", "2009-03-02", "--to", "2009-03-02", "--out", str(file)
        )  # fmt: skip
        assert code == 0, said
        assert "Wrote" in said
    assert files[0].read_bytes() == files[1].read_bytes()
    assert decode(gzip.decompress(files[0].read_bytes()).splitlines()[0]).source == "hall"


def test_a_dirty_feed_is_written_as_it_is_delivered(rulebook: str, tmp_path: Path) -> None:
    """Lines are envelopes any source could send, in the order of their delivery, with the sources declared beside."""
    clean, dirty = tmp_path / "clean.ndjson", tmp_path / "dirty.ndjson"
    week = ("--rulebook", rulebook, "--from", "2009-03-02", "--to", "2009-03-06", "--out")
    assert run(*week, str(clean))[0] == 0
    code, said = run(*week, str(dirty), "--dirty", "dates,nightly")
    assert code == 0, said
    assert f"as in {dirty}.sources.yaml" in said.replace("\n", "")
    lines = dirty.read_bytes().splitlines()
    received = [json.loads(line)["received"] for line in lines]
    assert received == sorted(received)
    assert {instant[11:] for instant in received} == {"17:00:00Z"}  # one o'clock at night in Yulin
    events = {(event.case, event.id): event for event in map(decode, lines)}
    for event in map(decode, clean.read_bytes().splitlines()):
        assert events[event.case, event.id].recorded == event.recorded
        assert events[event.case, event.id].time.hour == 16
    town = Path(rulebook).read_text(encoding="utf-8").splitlines(keepends=True)
    declared = (tmp_path / "dirty.ndjson.sources.yaml").read_text(encoding="utf-8")
    copy = tmp_path / "declared.yaml"
    copy.write_text("".join(declared if line.startswith("sources:") else line for line in town), encoding="utf-8")
    source = load(copy).source["hall"]
    assert (source.precision, source.lateness_hours, source.name) == ("day", 24, "大厅")


def test_what_was_planted_is_written_down(tmp_path: Path) -> None:
    """Each violation stands in a line of its own: the case, the rule, and the subject its finding has to name."""
    file, planted = tmp_path / "week.ndjson", tmp_path / "planted.ndjson"
    code, said = run(
        "--from", "2009-03-02", "--to", "2009-03-31", "--out", str(file), "--planted", str(planted), "--json"
    )  # fmt: skip
    assert code == 0, said
    noted = [json.loads(line) for line in planted.read_bytes().splitlines()]
    cases = {decode(line).case for line in file.read_bytes().splitlines()}
    assert {each["case"] for each in noted} <= cases
    assert Counter(each["rule"] for each in noted) == json.loads(said)["planned"]
    assert len({each["rule"] for each in noted}) > 10
    assert all(each["subject"] == "promised" for each in noted if each["rule"] == "V01")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--year", "2009"], "Name a file with --out"),
        (["--out", "x", "--year", "2009", "--from", "2009-01-01", "--to", "2009-01-02"], "not by both"),
        (["--out", "x", "--from", "2009-01-02", "--to", "2009-01-01"], "not before the first"),
        (["--out", "x", "--from", "soon", "--to", "2009-01-01"], "YYYY-MM-DD"),
        (["--live", "--to", "http://localhost:1"], "Live needs"),
        (["--out", "x", "--year", "2009", "--dirty", "mud"], "there is no such dirt; known are skew, jitter, late,"),
        (["--live", "--to", "http://localhost:1", "--key-file", "nowhere"], "cannot be read"),
    ],
)
def test_what_is_asked_wrongly_is_explained(rulebook: str, arguments: list[str], said: str) -> None:
    """What cannot be done ends with an exit code of 2 and a sentence on what to write."""
    code, output = run("--rulebook", rulebook, *arguments)
    assert code == 2
    assert said in output


def test_a_failed_write_leaves_no_half_file(rulebook: str, tmp_path: Path) -> None:
    """Where a file cannot be written nothing is left, and the reason is told."""
    taken = tmp_path / "taken"
    taken.mkdir()
    code, said = run("--rulebook", rulebook, "--from", "2009-03-02", "--to", "2009-03-02", "--out", str(taken))
    assert code == 2, said
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("taken")] == ["taken"]
