"""Bad files through `monitor import` and `monitor try`: what can be read is taken, the rest is named with its place."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.ledger import Ledger
from monitor.ledger.verify import verify
from tests.integration import town
from tests.integration.bad_events import BAD, written
from tests.integration.program import events_of, received, run

HEADER = ",".join(town.COLUMNS).encode() + b"\n"


def row(case: str, **more: str) -> bytes:
    """Write one row of a CSV log, in order but for what is given."""
    plain = {
        "step": "申请",
        "time": "2026-03-02T09:00:00+08:00",
        "region": "4509",
        "item": "permit",
        "department": "land",
    }
    said = {"case": case, **plain, "note": "", **more}
    return ",".join(said[column] for column in town.COLUMNS).encode() + b"\n"


A, B, C = (row(case) for case in "ABC")

# What stands between (or behind) good rows: how many are applied, rejected; the fault that ends the file, if any.
TABLES: dict[str, tuple[bytes, int, int, str]] = {
    "invalid UTF-8": (HEADER + A + row("X").replace(b"land", b"l\xff") + B, 2, 1, ""),
    "invalid UTF-8 in a short row": (HEADER + A + b"\xff,x\n" + B, 2, 1, ""),
    "NUL": (HEADER + A + row("X", item="p\0") + row("Y\0") + B, 2, 2, ""),
    "control characters": (HEADER + A + row("X\x1b[31m") + B, 2, 1, ""),
    "too many columns": (HEADER + A + row("X").strip() + b",y,z\n" + B, 2, 1, ""),
    "a line of 10 MB": (HEADER + A + row("X", note="x" * 10_000_000) + B, 2, 1, ""),
    "a value of 200 kB": (HEADER + A + row("X", note="x" * 200_000) + B, 2, 1, ""),
    "a code of 70 kB": (HEADER + A + row("X", item="x" * 70_000) + B, 2, 1, ""),
    "years 0, 1, 9999, 10000": (
        HEADER + A + b"".join(row("X", time=f"{y}-01-01T00:00:00") for y in ("0000", "0001", "9999", "10000")) + B,
        *(2, 4, ""),
    ),
    "the end of all time": (HEADER + A + row("X", time="9999-12-31T23:59:59-12:00") + B, 2, 1, ""),
    "another city": (HEADER + A + row("X", region="4501") + B, 2, 1, ""),
    "unknown codes": (HEADER + A + row("X", item="?") + row("Y", department="?") + B, 4, 0, ""),
    "no case number": (HEADER + A + row("") + B, 2, 1, ""),
    "text behind a quotation": (HEADER + A + b'"X"y,1\n' + B, 2, 1, ""),
    "a quotation never closed": (HEADER + A + b'"X,1\n' + B + C, 1, 1, ""),
    "a byte order mark, CRLF": (b"\xef\xbb\xbf" + (HEADER + A + B).replace(b"\n", b"\r\n"), 2, 0, ""),
    "no last line end": ((HEADER + A + B)[:-1], 2, 0, ""),
    "nothing": (b"", 0, 0, "empty"),
    "no such columns": (b"a,b\n1,2\n", 0, 0, "no column"),
    "invalid UTF-8 in the header": (HEADER.strip() + b",\xff,\xff\n", 0, 0, "twice"),
    "UTF-16": ((HEADER + A).decode().encode("utf-16"), 0, 0, "no column"),
    "binary noise": (bytes(range(256)) * 100, 0, 0, "line 1"),
    "gzip with garbage behind": (gzip.compress(HEADER + A + B) + b"garbage", 2, 0, "damaged"),
    "gzip cut off": (gzip.compress(HEADER + A + B)[:-9], 2, 0, "too early"),
}

XES = '<?xml version="1.0"?>\n<log xes.version="1.0">'
XES_MAPPING = town.MAPPING.replace("format: csv", "format: xes").replace("activity: step", "activity: 'concept:name'")


def attribute(key: str, value: str) -> str:
    """Write one attribute."""
    return f'<string key="{key}" value="{value}"/>'


def trace(case: str, **more: str) -> str:
    """Write one trace of one event."""
    plain = {"concept:name": "申请", "time": "2026-03-02T09:00:00+08:00", "region": "4509", "item": "permit"}
    said = {**plain, "department": "land", **more}
    event = "".join(attribute(key, value) for key, value in said.items())
    return f"<trace>{attribute('case', case)}<event>{event}</event></trace>"


BOMB = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 10))
LOGS: dict[str, tuple[str, int, int, str]] = {
    "cut off": (XES + trace("A") + trace("B")[:-30], 1, 0, "line 2"),
    "a wrong tag": (XES + trace("A") + "</trace>" + trace("B") + "</log>", 1, 0, "mismatched"),
    "an entity bomb": (f'<!DOCTYPE x [<!ENTITY b0 "x">{BOMB}]>' + XES[22:] + trace("&b9;") + "</log>", 0, 0, "DOCTYPE"),
    "100,000 levels": (XES + trace("A") + "<list>" * 100_000, 1, 0, "64"),
    "a value of 10 MB": (XES + trace("A") + trace("X" * 10_000_000) + "</log>", 1, 0, "4,194,304"),
    "not XES": ("<html></html>", 0, 0, "html"),
    "nothing": ("", 0, 0, "line 1"),
    "a wrong time and a wrong code": (
        XES + trace("A") + trace("X", time="0000-01-01T00:00:00Z") + trace("Y", item="x&#9;y") + trace("B") + "</log>",
        *(2, 2, ""),
    ),
}


def imported(folder: Path, name: str, content: bytes, mapping: str, fault: str) -> dict[str, Any]:
    """Import a file into a ledger of its own, and check that the ledger is sound after it."""
    town.write_mapping(folder).write_text(mapping, encoding="utf-8")
    (folder / name).write_bytes(content)
    url = f"sqlite:///{folder / 'ledger.sqlite'}"
    options = ("--mapping", str(folder / "mapping.yaml"), "--ledger", url, "--json", "--lang", "en")
    summary: dict[str, Any] = run("import", str(folder / name), *options, code=1 if fault else 0)
    assert (fault in summary["fault"]) if fault else summary["fault"] is None, summary["fault"]
    assert all(reject["place"] and reject["reason"] and reject["remedy"] for reject in summary["rejects"])
    with Ledger.open(url) as book:
        assert received(book) == summary["events"] == summary["applied"] + summary["rejected"]
        assert len(events_of(book)) == summary["applied"]
        assert len(book.rejects()) == summary["rejected"]
        assert verify(book).difference is None
    return summary


@pytest.mark.parametrize("name", TABLES)
def test_a_bad_table_is_read_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    """A bad row is one reject with its line; a file that breaks off says where, and what came before is kept."""
    content, applied, rejected, fault = TABLES[name]
    summary = imported(tmp_path, "log.csv", content, town.MAPPING, fault)
    assert (summary["applied"], summary["rejected"]) == (applied, rejected)


@pytest.mark.parametrize("name", LOGS)
def test_a_bad_log_is_read_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    """XML that breaks off, or that is an attack, is given up with its place; whole cases before it are kept."""
    content, applied, rejected, fault = LOGS[name]
    summary = imported(tmp_path, "log.xes", content.encode(), XES_MAPPING, fault)
    assert (summary["applied"], summary["rejected"]) == (applied, rejected)


def test_trying_bad_events_tells_all_and_stores_nothing(tmp_path: Path) -> None:
    """Every wrong line has its reason, the good ones their effect, and the ledger is as it was."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    run("rulebook", "publish", str(town.write_rulebook(tmp_path)), "--ledger", url, "--json")
    lines = [written(case="first"), *(bad.raw for bad in BAD.values()), written(case="last")]
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(lines))
    tried = run("try", str(tmp_path / "events.ndjson"), "--ledger", url, "--json", "--lang", "en", code=1)
    *_, last = tried["events"]
    assert (tried["events"][0]["status"], last["status"], last["case"]) == ("applied", "applied", "last")
    # Trying is bound to no key: what is wrong with another's event is told only when it is sent.
    for told, bad in zip(tried["events"][1:-1], BAD.values(), strict=True):
        if bad.code != "foreign_source":
            assert (told["status"], told["error"]["code"], told["error"]["field"]) == ("rejected", bad.code, bad.field)
            assert told["error"]["reason"]
            assert told["error"]["remedy"]
    with Ledger.open(url) as book:
        assert not events_of(book)
        assert not book.rejects()


@pytest.mark.parametrize(("content", "said"), [(b"", "empty"), (b"[" * 100_000, "deep"), (b"[{}", "JSON")])
def test_trying_a_hopeless_file_says_why(tmp_path: Path, content: bytes, said: str) -> None:
    """The command ends with code 2 and a sentence."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    run("rulebook", "publish", str(town.write_rulebook(tmp_path)), "--ledger", url, "--json")
    (tmp_path / "events.json").write_bytes(content)
    result = CliRunner().invoke(app, ["try", str(tmp_path / "events.json"), "--ledger", url, "--lang", "en"])
    assert result.exit_code == 2
    assert said in result.stderr
