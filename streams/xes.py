"""Event logs in XES (IEEE 1849): cut into cases while the file is parsed, in bounded memory.

Expat is driven directly: no tree is built, and a document type declaration (the carrier of entity bombs and of
references to other files) is refused before anything in it is looked at. Nested attributes, extensions, globals
and classifiers say nothing about a case and are passed over.
"""

from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from streams.logs import ATTRIBUTES_MAX, BadRow, CaseRecord, LogFault, LogFile, Row

TAG_BYTES_MAX: Final = 4 * 1024 * 1024
"""One tag of a real log is under 10 kB; expat holds an unfinished tag in memory."""
DEPTH_MAX: Final = 64

_LOG, _TRACE, _EVENT = 1, 2, 3  # depth of the elements of these names


class XesLog:
    """The cases of an XES file, in its order; `place` counts traces and their events from 1."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._depth = 0
        self._traces = 0
        self._case: CaseRecord | None = None
        self._row: Row | None = None
        self._rows = 0
        self._finished: list[CaseRecord | BadRow] = []

    def __iter__(self) -> Iterator[CaseRecord | BadRow]:
        """Yield the cases, and rows too many before theirs. Raises LogFault where the XML breaks off."""
        fed = 0
        for chunk in self._file.chunks():
            fed += len(chunk)
            yield from self._parse(chunk, final=False)
            if fed - self._parser.CurrentByteIndex > TAG_BYTES_MAX:
                raise LogFault("tag_too_long", self._place(), f"{TAG_BYTES_MAX:,}")
        yield from self._parse(b"", final=True)

    def _parse(self, chunk: bytes, *, final: bool) -> Iterator[CaseRecord | BadRow]:
        """Parse a chunk and yield the cases it finishes, those before a fault too."""
        fault: LogFault | None = None
        try:
            self._parser.Parse(chunk, final)
        except LogFault as found:
            fault = found
        except (expat.ExpatError, ValueError) as error:  # ValueError: an encoding the parser cannot know
            fault = LogFault("malformed_xml", self._place(), str(error))
        yield from self._finished
        self._finished.clear()
        if fault is not None:
            raise fault

    def _place(self) -> str:
        trace = f", trace {self._traces}" if self._traces else ""
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1
        return f"{self._file.path.name}, line {line}, column {column}{trace}"

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        raise LogFault("doctype", self._place())

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        depth, name = self._depth, tag.rpartition(":")[2]
        if depth > DEPTH_MAX:
            raise LogFault("xml_too_deep", self._place(), str(DEPTH_MAX))
        if self._case is None:
            if depth == _LOG and name != "log":
                raise LogFault("not_xes", self._place(), tag[:100])
            if depth == _TRACE and name == "trace":
                self._traces += 1
                self._rows = 0
                self._case = CaseRecord(f"trace {self._traces}", {})
        elif self._row is not None:
            if depth == _EVENT + 1:
                self._put(self._row.attributes, attributes)
        elif depth == _EVENT:
            if name == "event":
                self._rows += 1
                self._row = Row(f"{self._case.place}, event {self._rows}", {})
            else:
                self._put(self._case.attributes, attributes)

    def _put(self, into: dict[str, str], attributes: dict[str, str]) -> None:
        key, value = attributes.get("key"), attributes.get("value")
        if key is None or value is None:  # a list or container attribute: it has no value of its own
            return
        into[key] = value
        if len(into) > ATTRIBUTES_MAX:
            raise LogFault("too_many_attributes", self._place(), str(ATTRIBUTES_MAX))

    def _end(self, tag: str) -> None:
        depth, self._depth = self._depth, self._depth - 1
        if self._case is None:
            return
        if depth == _EVENT and self._row is not None:
            if too_many := self._case.add(self._row):
                self._finished.append(too_many)
            self._row = None
        elif depth == _TRACE:
            self._finished.append(self._case)
            self._case = None
