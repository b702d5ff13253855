"""XES logs are read case by case, and a file that is broken or hostile is told from one that is whole."""

import gzip
from pathlib import Path

import pytest

from streams import logs, xes
from streams.logs import BadRow, CaseRecord, LogFault, LogFile
from streams.xes import XesLog
from tests.streams.logs_at_hand import ACCEPTED, attribute, cases_of, log, many, row, trace, until_fault, write


def broken(path: Path) -> tuple[list[CaseRecord | BadRow], LogFault]:
    """Read a file up to its fault; give what came before, and the fault."""
    with LogFile(path) as file:
        read, fault = until_fault(XesLog(file))
    assert fault is not None
    return read, fault


def test_a_trace_is_a_case_with_attributes_and_rows(tmp_path: Path) -> None:
    """Attributes of the trace and of its events are kept as written; globals are nobody's attributes."""
    [case] = cases_of(write(tmp_path / "log.xes", log(trace("c1", ACCEPTED))))
    assert isinstance(case, CaseRecord)
    assert case.attributes["concept:name"] == "c1"
    assert case.attributes["deadline"] == "2011-03-11T00:00:00+01:00"
    assert [r.attributes["concept:name"] for r in case.rows] == ["check"]
    assert case.rows[0].place == "trace 1, event 1"


def test_nested_attributes_and_lists_are_passed_over(tmp_path: Path) -> None:
    """An attribute of an attribute is not one of the case."""
    inner = attribute("inner", "x")
    nested = f'<string key="outer" value="o">{inner}</string><list key="l"><values>{inner}</values></list>'
    text = log(f"<trace>{attribute('concept:name', 'c1')}{nested}</trace>")
    [case] = cases_of(write(tmp_path / "log.xes", text))
    assert isinstance(case, CaseRecord)
    assert case.attributes == {"concept:name": "c1", "outer": "o"}


@pytest.mark.parametrize("name", ["log.xes", "log.xes.gz", "log.of-any-name.gz"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_compression_and_byte_order_mark_change_nothing(tmp_path: Path, name: str, mark: bytes) -> None:
    """A log reads the same plain or compressed, with a byte order mark or without."""
    path = write(tmp_path / name, mark + log(trace("c1"), trace("c2")).encode())
    assert [c.attributes["concept:name"] for c in cases_of(path) if isinstance(c, CaseRecord)] == ["c1", "c2"]


def test_namespace_prefixes_are_read(tmp_path: Path) -> None:
    """Elements of a prefixed namespace are the same elements."""
    case_ = '<x:trace><x:string key="concept:name" value="c1"/></x:trace>'
    text = f'<x:log xmlns:x="http://www.xes-standard.org/">{case_}</x:log>'
    [case] = cases_of(write(tmp_path / "log.xes", text))
    assert isinstance(case, CaseRecord)
    assert case.attributes == {"concept:name": "c1"}


def test_cases_come_while_the_file_is_read(tmp_path: Path) -> None:
    """The first case is there long before the file has been read: memory does not grow with the file."""
    path = write(tmp_path / "log.xes", many(2_000))
    with LogFile(path) as file:
        next(iter(XesLog(file)))
        assert file.position < file.size / 2


def test_an_entity_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A document type declaration ends the reading, naming line and remedy; nothing is expanded."""
    bomb = '<?xml version="1.0"?>\n<!DOCTYPE log [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>\n'
    read, fault = broken(write(tmp_path / "log.xes", bomb + "<log><trace>&b;</trace></log>"))
    assert read == []
    assert fault.code == "doctype"
    assert "line 2" in fault.place
    assert "DOCTYPE" in fault.describe("en")


def test_xml_that_breaks_off_gives_what_came_before_and_its_place(tmp_path: Path) -> None:
    """Cases before the break are read; the fault names line, column and the trace being read."""
    text = log(trace("c1"), trace("c2"), trace("c3"))
    read, fault = broken(write(tmp_path / "log.xes", text[: text.index("c3")]))
    assert [case.place for case in read] == ["trace 1", "trace 2"]
    assert fault.code == "malformed_xml"
    assert "trace 3" in fault.place
    assert "line 6" in fault.place


def test_mismatched_tags_name_their_place(tmp_path: Path) -> None:
    """Malformed XML in the middle ends the reading there."""
    text = log(trace("c1"), "<trace></event>", trace("c3"))
    read, fault = broken(write(tmp_path / "log.xes", text))
    assert len(read) == 1
    assert (fault.code, "line 5" in fault.place) == ("malformed_xml", True)


def test_a_truncated_gz_gives_what_came_before_and_its_place(tmp_path: Path) -> None:
    """A compressed file cut off is a fault that names the byte reached; the cases before are read."""
    whole = gzip.compress(many(3_000).encode())
    path = tmp_path / "log.xes.gz"
    path.write_bytes(whole[: len(whole) // 2])
    read, fault = broken(path)
    assert 500 < len(read) < 2_500
    assert fault.code == "truncated_gz"
    assert "after byte" in fault.place


def test_a_damaged_gz_is_a_fault(tmp_path: Path) -> None:
    """Flipped bytes in a compressed file are noticed, by its checksum at the latest."""
    whole = bytearray(gzip.compress(many(100).encode()))
    whole[-6] ^= 0xFF
    path = tmp_path / "log.xes.gz"
    path.write_bytes(bytes(whole))
    assert broken(path)[1].code == "damaged_gz"


@pytest.mark.parametrize(
    ("content", "code"), [("", "malformed_xml"), ("<html/>", "not_xes"), ("\x00\x01", "malformed_xml")]
)
def test_what_is_no_log_is_said_so(tmp_path: Path, content: str, code: str) -> None:
    """An empty file, another document and binary rubbish are named as what they are."""
    assert broken(write(tmp_path / "log.xes", content))[1].code == code


def test_an_endless_tag_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag that does not end is given up at a limit instead of filling the memory."""
    monkeypatch.setattr(xes, "TAG_BYTES_MAX", 100_000)
    text = '<log><trace><string key="a" value="' + "x" * 400_000
    assert broken(write(tmp_path / "log.xes", text))[1].code == "tag_too_long"


def test_deep_nesting_and_too_many_attributes_are_refused(tmp_path: Path) -> None:
    """Both are limits with a name, not a crash."""
    deep = "<log><trace>" + '<string key="a" value="b">' * 100
    assert broken(write(tmp_path / "deep.xes", deep))[1].code == "xml_too_deep"
    wide = "<log><trace>" + "".join(attribute(f"k{n}", "v") for n in range(2_000))
    assert broken(write(tmp_path / "wide.xes", wide))[1].code == "too_many_attributes"


def test_rows_beyond_the_limit_of_a_case_are_given_back_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trace that does not end costs its own rows, each named, and not the rest of the file."""
    monkeypatch.setattr(logs, "ROWS_PER_CASE_MAX", 2)
    rows = [row("check", f"2011-03-02T09:00:0{n}+01:00") for n in range(4)]
    read = cases_of(write(tmp_path / "log.xes", log(trace("c1", *rows), trace("c2"))))
    assert [bad.place for bad in read if isinstance(bad, BadRow)] == ["trace 1, event 3", "trace 1, event 4"]
    assert [len(case.rows) for case in read if isinstance(case, CaseRecord)] == [2, 0]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """A missing file and a folder are faults with path and remedy."""
    for path in (tmp_path / "none.xes", tmp_path):
        with pytest.raises(LogFault) as caught:
            LogFile(path)
        assert caught.value.code == "unopened"
        assert str(path) in str(caught.value)
