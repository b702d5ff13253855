"""Import a log: read it, make its events, hand them to the engine in batches of whole cases, and sum up.

While the file is read its source is held back, so that nothing absent is judged; a file that cannot be read to its
end keeps the hold, and importing it again goes on where nothing is doubled. Not here: what rows mean
(`streams.drafts`), who holds the ledger (`Sink`: the engine in this process, or a running monitor over HTTP).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from monitor.events import EventError
from monitor.ledger import Ledger
from monitor.rulebook.load import load
from streams.admission import Delivery, Outcome
from streams.drafts import Draft, Drafter
from streams.engine import Engine
from streams.logs import BadRow, CaseRecord, LogFault, LogFile, LogReader
from streams.mapping import FoundMapping, Mapping, Precision
from streams.tables import TableLog
from streams.ticker import Horizon
from streams.xes import XesLog

BATCH_EVENTS: Final = 2_000
"""Enough to make one durable commit cheap per event, few enough to be done in a second."""
TICK_CASES: Final = 500
EXAMPLES_MAX: Final = 20
"""So many rejects are shown with place and reason; the ledger keeps all of them."""
ACTIVITY_NAMES_MAX: Final = 2_000
OTHER_NAMES: Final = "(other activities)"

_FINENESS: Final[dict[Precision, int]] = {"day": 0, "minute": 1, "second": 2}

Progress = Callable[[int, int], None]
"""Told how many bytes of the file have been read, and how many of its events were delivered."""


class Sink(Protocol):
    """Whoever writes the ledger."""

    def begin(self, source: str) -> None:
        """Hold a source back."""
        ...

    def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """Take a batch; return once it is committed, with an outcome for each delivery."""
        ...

    def end(self, source: str, complete_until: datetime | None) -> None:
        """Release the hold, and return once every case is judged up to where it may be."""
        ...


class EngineSink:
    """The engine of this process as a sink."""

    def __init__(self, engine: Engine, horizon: Horizon) -> None:
        self._engine, self._horizon = engine, horizon

    def begin(self, source: str) -> None:
        """Hold a source back."""
        self._engine.begin_import(source)

    def send(self, batch: Sequence[Delivery]) -> Sequence[Outcome]:
        """Take a batch in one transaction."""
        return self._engine.process(batch, self._horizon.read())

    def end(self, source: str, complete_until: datetime | None) -> None:
        """Release the hold and let time pass until nothing changes any more."""
        self._engine.end_import(source, complete_until)
        horizon = self._horizon.read()
        while self._engine.tick(horizon, TICK_CASES):
            pass


@dataclass(frozen=True)
class RejectedRow:
    """One reject with the place of its row in the log."""

    place: str
    error: EventError


@dataclass
class Imported:
    """What one import did: `events` made of `rows` and of cases' attributes are applied, duplicates or rejected.

    Accepted are those produced to a topic, of which the workers will say which of the two they are.
    """

    cases: int = 0
    rows: int = 0
    events: int = 0
    applied: int = 0
    duplicates: int = 0
    accepted: int = 0
    rejected: int = 0
    unmapped: int = 0
    unmapped_activities: dict[str, int] = field(default_factory=dict)
    rejects: list[RejectedRow] = field(default_factory=list)
    complete_until: datetime | None = None
    fault: LogFault | None = None  # why the file could not be read to its end


class ImportRefused(ValueError):
    """An import that cannot begin; `code` of the reason with its parameters."""

    def __init__(self, code: str, **params: str) -> None:
        self.code, self.params = code, params
        super().__init__(f"{code}: {params}")


def prepare(ledger: Ledger, found: FoundMapping) -> None:
    """Give an empty ledger the rulebook the mapping brings, and check that it knows the mapping's source.

    Raises ImportRefused, RulebookFaults.
    """
    mapping = found.mapping
    if not ledger.has_rulebook():
        if found.rulebook is None:
            raise ImportRefused("no_rulebook", mapping=mapping.name)
        ledger.publish(load(found.rulebook), reason=f"brought by the mapping {mapping.name}")
    source = ledger.rulebooks().current.rulebook.source.get(mapping.source)
    if source is None:
        raise ImportRefused("unknown_source", source=mapping.source)
    if _FINENESS[source.precision] > _FINENESS[mapping.precision]:
        raise ImportRefused("precision", source=mapping.source, registered=source.precision, mapped=mapping.precision)


def import_log(
    path: Path,
    mapping: Mapping,
    sink: Sink,
    complete_until: datetime | None = None,
    seen: Callable[[str], None] = lambda case: None,
    progress: Progress = lambda position, events: None,
) -> Imported:
    """Import a file; `complete_until` None: the file says everything up to its last event, or to `exported`.

    `seen` is told the number of every case, `progress` how far the import has come. A file that cannot be read
    to its end has its `fault` in the result, and its source stays held unless nothing of it was delivered.
    Raises LogFault where it cannot be opened, and what the sink raises.
    """
    run = _Run(mapping, sink, seen)
    with LogFile(path, lambda position: progress(position, run.done.events)) as file:
        try:
            for case in open_log(file, mapping):
                run.add(case)
                progress(file.position, run.done.events)
        except LogFault as fault:
            run.done.fault = fault
        run.flush()
        if run.done.fault is None:
            run.end(complete_until or mapping.exported or run.last_time)
    return run.done


def open_log(file: LogFile, mapping: Mapping) -> LogReader:
    """Choose the reader of a mapping's format."""
    if mapping.format == "xes":
        return XesLog(file)
    return TableLog(file, mapping.case, mapping.columns(), mapping.delimiter, mapping.encoding)


class _Run:
    """An import under way: the batch being filled, and what was done so far."""

    def __init__(self, mapping: Mapping, sink: Sink, seen: Callable[[str], None]) -> None:
        self.done = Imported()
        self.last_time: datetime | None = None
        self._source = mapping.source
        self._began = False
        self._drafter = Drafter(mapping)
        self._sink, self._seen = sink, seen
        self._batch: list[Draft] = []
        self._unmapped: Counter[str] = Counter()

    def add(self, case: CaseRecord | BadRow) -> None:
        if isinstance(case, BadRow):
            self.done.rows += 1
            self._batch.append(self._drafter.bad_row(case))
        else:
            self._add_case(case)
        if len(self._batch) >= BATCH_EVENTS:
            self.flush()

    def _add_case(self, case: CaseRecord) -> None:
        made = self._drafter.draft(case)
        if made.case is not None:
            self._seen(made.case)
        self.done.cases += 1
        self.done.rows += len(case.rows)
        self._batch.extend(made.drafts)
        for name, count in made.unmapped.items():
            known = name in self._unmapped or len(self._unmapped) < ACTIVITY_NAMES_MAX
            self._unmapped[name if known else OTHER_NAMES] += count
        if made.last_time is not None:
            self.last_time = max(made.last_time, self.last_time or made.last_time)

    def flush(self) -> None:
        """Deliver what is waiting, and take account of what became of it."""
        batch, self._batch = self._batch, []
        if batch:
            self._begin()
        deliveries = [Delivery(draft.raw, backfill=True, event=draft.event, fault=draft.error) for draft in batch]
        outcomes = self._sink.send(deliveries) if deliveries else ()
        for draft, outcome in zip(batch, outcomes, strict=True):
            self._count(draft, outcome)
        self.done.unmapped = self._unmapped.total()
        self.done.unmapped_activities = dict(self._unmapped.most_common())

    def end(self, complete_until: datetime | None) -> None:
        """Say that the file was read to its end."""
        self._begin()
        self.done.complete_until = complete_until
        self._sink.end(self._source, complete_until)

    def _begin(self) -> None:
        # Not before there is something to deliver: a wrong file must not hold its source back for ever.
        if not self._began:
            self._sink.begin(self._source)
            self._began = True

    def _count(self, draft: Draft, outcome: Outcome) -> None:
        self.done.events += 1
        if outcome.status == "applied":
            self.done.applied += 1
        elif outcome.status == "duplicate":
            self.done.duplicates += 1
        elif outcome.status == "accepted":
            self.done.accepted += 1
        else:
            self.done.rejected += 1
            error = draft.error or outcome.error
            if error is not None and len(self.done.rejects) < EXAMPLES_MAX:
                self.done.rejects.append(RejectedRow(draft.place, error))
