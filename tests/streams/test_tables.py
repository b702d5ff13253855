"""CSV logs are read whatever their order, and a bad row costs itself alone."""

import gzip
from pathlib import Path

import pytest

from streams import tables
from streams.logs import BadRow, CaseRecord, LogFault, LogFile
from streams.tables import TableLog
from tests.streams.logs_at_hand import until_fault, write

NEEDED = frozenset({"activity", "time"})
HEADER = "case,activity,time\n"


def read(path: Path, encoding: str = "utf-8", delimiter: str = ",") -> list[CaseRecord | BadRow]:
    """Read all cases of a table."""
    with LogFile(path) as file:
        return list(TableLog(file, "case", NEEDED, delimiter, encoding))


def cases(found: list[CaseRecord | BadRow]) -> dict[str, list[str]]:
    """Give the activities of each case."""
    return {
        case.attributes["case"]: [row.attributes["activity"] for row in case.rows]
        for case in found
        if isinstance(case, CaseRecord)
    }


def fault_of(path: Path) -> LogFault:
    """Give the fault a table ends with."""
    with pytest.raises(LogFault) as caught:
        read(path)
    return caught.value


def test_rows_of_a_case_may_stand_anywhere(tmp_path: Path) -> None:
    """Every case is seen whole, with its rows in the order of the file and their line numbers."""
    found = read(write(tmp_path / "log.csv", HEADER + "a,one,1\nb,one,2\na,two,3\nb,two,4\na,three,5\n"))
    assert cases(found) == {"a": ["one", "two", "three"], "b": ["one", "two"]}
    assert isinstance(found[0], CaseRecord)
    assert [row.place for row in found[0].rows] == ["line 2", "line 4", "line 6"]


def test_the_first_value_of_a_column_is_the_case_s(tmp_path: Path) -> None:
    """A column that only some rows of a case fill in is an attribute of the case."""
    [case] = read(write(tmp_path / "log.csv", "case,activity,time,due\na,one,1,\na,two,2,x\na,three,3,y\n"))
    assert isinstance(case, CaseRecord)
    assert case.attributes["due"] == "x"
    assert "due" not in case.rows[0].attributes


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8-sig", ","), ("gb18030", ";"), ("utf-16", "\t")])
def test_encodings_delimiters_and_compression(tmp_path: Path, name: str, encoding: str, delimiter: str) -> None:
    """Chinese text arrives whole in the encodings and with the delimiters in use, compressed or not."""
    text = (HEADER + "玉林1,受理,1\n").replace(",", delimiter)
    stated = "utf-8" if encoding == "utf-8-sig" else encoding
    assert cases(read(write(tmp_path / name, text.encode(encoding)), stated, delimiter)) == {"玉林1": ["受理"]}


def test_a_row_of_another_width_is_rejected_by_line(tmp_path: Path) -> None:
    """Too few and too many columns are named with line and numbers; the rows around them are read."""
    found = read(write(tmp_path / "log.csv", HEADER + "a,one,1\na,two\na,two,2,3\nb,one,4\n"))
    bad = [(row.place, row.detail, row.written) for row in found if isinstance(row, BadRow)]
    assert bad == [("line 3", "2 columns, 3 expected", "a,two"), ("line 4", "4 columns, 3 expected", "a,two,2,3")]
    assert cases(found) == {"a": ["one"], "b": ["one"]}


def test_bytes_of_another_encoding_are_rejected_by_line(tmp_path: Path) -> None:
    """A row that is not of the stated encoding is shown escaped, not guessed at."""
    content = HEADER.encode() + b"a,\xca\xdc\xc0\xed,1\nb,one,2\n"
    found = read(write(tmp_path / "log.csv", content))
    [bad] = [row for row in found if isinstance(row, BadRow)]
    assert (bad.place, bad.detail) == ("line 2", "not utf-8-sig")
    assert "\\udcca" in bad.written
    assert cases(found) == {"b": ["one"]}


def test_a_quotation_mark_never_closed_is_a_bad_row(tmp_path: Path) -> None:
    """The row it swallowed to the end of the file is named; what came before is read."""
    found = read(write(tmp_path / "log.csv", HEADER + 'a,one,1\nb,"one,2\n'))
    assert [row.place for row in found if isinstance(row, BadRow)] == ["line 3"]
    assert cases(found) == {"a": ["one"]}


def test_line_breaks_and_delimiters_in_quotes_belong_to_the_value(tmp_path: Path) -> None:
    """Quoted values are taken as they are."""
    assert cases(read(write(tmp_path / "log.csv", HEADER + 'a,"one,\n""1""",1\n'))) == {"a": ['one,\n"1"']}


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        ("", "empty_table", "log.csv"),
        ("case,time\na,1\n", "missing_columns", "activity"),
        ("case,time,activity,time\n", "repeated_columns", "time"),
        ('"case\n', "bad_header", "log.csv"),
    ],
)
def test_a_table_without_its_columns_is_refused(tmp_path: Path, content: str, code: str, named: str) -> None:
    """The fault names what is missing before anything is imported."""
    fault = fault_of(write(tmp_path / "log.csv", content))
    assert fault.code == code
    assert named in str(fault)


def test_a_line_too_long_is_a_bad_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of any length costs itself; the rows behind it keep their line numbers."""
    monkeypatch.setattr(tables, "LINE_CHARACTERS_MAX", 1_000)
    found = read(write(tmp_path / "log.csv", HEADER + f"a,one,1\nb,{'x' * 5_000},2\na,two\nc,one,3\n"))
    bad = [(row.place, row.detail) for row in found if isinstance(row, BadRow)]
    assert bad == [("line 3", "longer than 1,000 characters"), ("line 4", "2 columns, 3 expected")]
    assert cases(found) == {"a": ["one"], "c": ["one"]}


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is one endless line is given up at a limit; what stood before it is read."""
    monkeypatch.setattr(tables, "LINE_CHARACTERS_MAX", 1_000)
    monkeypatch.setattr(tables, "LINE_PASSED_MAX", 3_000)
    with LogFile(write(tmp_path / "log.csv", HEADER + "a,one,1\n" + "x" * 5_000)) as file:
        got, fault = until_fault(TableLog(file, "case", NEEDED))
    assert (fault and fault.code, cases(got)) == ("line_too_long", {"a": ["one"]})


def test_bytes_of_another_encoding_are_shown_wherever_they_stand(tmp_path: Path) -> None:
    """A row both of another width and another encoding is rejected by line, a column name so written is shown."""
    found = read(write(tmp_path / "log.csv", HEADER.encode() + b"\xff,x\na,one,1\n"))
    assert [(row.place, row.written) for row in found if isinstance(row, BadRow)] == [("line 2", "\\udcff,x")]
    assert cases(found) == {"a": ["one"]}
    fault = fault_of(write(tmp_path / "log.csv", HEADER.encode().strip() + b",n\xff,n\xff\n"))
    assert "n\\udcff" in str(fault)


def test_lines_swallowed_by_an_open_quotation_mark_are_all_named(tmp_path: Path) -> None:
    """Who reads the reject knows which rows are missing."""
    found = read(write(tmp_path / "log.csv", HEADER + 'a,one,1\nb,"one,2\nc,one,3\nd,one,4\n'))
    assert [row.place for row in found if isinstance(row, BadRow)] == ["lines 3 to 5"]


def test_a_truncated_gz_gives_the_rows_before_it(tmp_path: Path) -> None:
    """Whole rows before the end of a cut file are given, then the fault."""
    whole = gzip.compress((HEADER + "".join(f"c{n},one,{n}\n" for n in range(50_000))).encode())
    path = tmp_path / "log.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with LogFile(path) as file:
        got, fault = until_fault(TableLog(file, "case", NEEDED))
    assert fault is not None
    assert fault.code == "truncated_gz"
    assert 10_000 < len(got) < 40_000
    assert all(isinstance(case, CaseRecord) for case in got)
