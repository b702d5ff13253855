"""What no event of a stream tells of a source, in the audit: imports of it, and that it is live in another stream."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from monitor.ledger import audit
from monitor.ledger.judging import SourceState
from monitor.ledger.schema import audit as lines
from monitor.ledger.schema import sources

BEGIN, END, LIVE = "import.begin", "import.end", "source.live"


class ImportState(msgspec.Struct, frozen=True):
    """The columns of a source that only its imports set."""

    hold: datetime | None = None
    imported_until: datetime | None = None
    imported_at: datetime | None = None


def note_import(connection: Connection, stream: str, act: str, source: str, state: SourceState) -> None:
    """Write down that an import of a source began or ended, and how it left it."""
    left = ImportState(state.hold, state.imported_until, state.imported_at)
    detail = {"stream": stream, "source": source, "state": msgspec.to_builtins(left)}
    audit.record(connection, audit.operator_account(), act, f"source:{source}", detail)


def imports_told(connection: Connection, stream: str) -> dict[str, ImportState]:
    """Read how the last import of each source left it; one that was never imported is not named."""
    query = select(lines.c.detail).where(lines.c.act.in_((BEGIN, END))).order_by(lines.c.seq)
    told = [msgspec.json.decode(detail) for detail in connection.execute(query).scalars()]
    return {line["source"]: msgspec.convert(line["state"], ImportState) for line in told if line["stream"] == stream}


def note_live(connection: Connection, told: Mapping[str, Collection[str]]) -> None:
    """Write down of sources that they deliver live, and which streams were told so before they heard it themselves."""
    for source in sorted(told):
        detail = {"source": source, "streams": sorted(told[source])}
        audit.record(connection, audit.operator_account(), LIVE, f"source:{source}", detail)


def told_live(connection: Connection, stream: str) -> set[str]:
    """Read which sources a stream was told to be live."""
    query = select(lines.c.detail).where(lines.c.act == LIVE)
    told = [msgspec.json.decode(detail) for detail in connection.execute(query).scalars()]
    return {line["source"] for line in told if stream in line["streams"]}


def is_announced(connection: Connection, source: str) -> bool:
    """Tell whether a stream has told all others that a source is live, as it does before it commits its first event.

    One that only was told so proves nothing: who told it may have failed before it had reached the others.
    """
    live = select(sources.c.stream).where(sources.c.source == source, sources.c.live)
    known = set(connection.execute(live).scalars())
    query = select(lines.c.detail).where(lines.c.act == LIVE, lines.c.object == f"source:{source}")
    told = [msgspec.json.decode(detail) for detail in connection.execute(query).scalars()] if known else []
    return bool(known.difference(*(line["streams"] for line in told)))
