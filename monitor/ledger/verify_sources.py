"""Verify what the ledger knows of its sources, its position in time, and what it rejected."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Column, Connection, Row, func, select

from monitor.events import EVENT_BYTES_MAX
from monitor.ledger.apart import is_alone
from monitor.ledger.deployment import has_accepted_gaps, owner_of
from monitor.ledger.difference import Difference, compare
from monitor.ledger.errors import LedgerError
from monitor.ledger.handover import taken_beside
from monitor.ledger.imports import ImportState, imports_told, told_live
from monitor.ledger.rejects import Vault
from monitor.ledger.schema import cases, findings, outbox, rejects, sources
from monitor.ledger.verify_journal import Journalled, SourceFacts


def verify_sources(connection: Connection, position: Row[Any], told: Journalled) -> Iterator[Difference]:
    """Compare counters and times of a stream's sources with its journal, and their holds with the audit."""
    stream = position.stream
    imports, live = imports_told(connection, stream), told_live(connection, stream)
    taken, known = 0, set()
    for row in connection.execute(select(sources).where(sources.c.stream == stream)):
        key = f"{stream} {row.source or '(unknown)'}"
        known.add(row.source)
        facts = told.sources.get((stream, row.source), SourceFacts())
        if row.source in live:
            facts = replace(facts, live=True)
        yield from compare("sources", key, _expected(facts, row), row)
        yield from compare("sources", key, msgspec.structs.asdict(imports.get(row.source, ImportState())), row)
        if not 0 <= row.copied <= (0 if is_alone(stream) else row.applied):
            yield Difference("sources", key, "copied", "heartbeats that another stream was sent", str(row.copied))
        taken += row.applied + row.duplicate + row.rejected
    for of_stream, source in sorted(told.sources):
        if of_stream == stream and source not in known:
            applied = told.sources[of_stream, source].applied
            yield Difference("sources", f"{stream} {source}", "applied", str(applied), "no row")
    taken -= taken_beside(connection, stream)
    if owner_of(connection) is None:
        yield from compare("positions", stream, {"next": taken}, position)
    elif position.next < taken and not has_accepted_gaps(connection):
        # An offset: there are records that are no events of this stream.
        yield Difference("positions", stream, "next", f"not below {taken}", str(position.next))
    yield from _horizon(connection, position)


def verify_rejects(connection: Connection, stream: str, vault: Vault) -> Iterator[Difference]:
    """Compare the rejects of a stream with its counters, and the bytes still kept with their digests."""
    counted = select(func.coalesce(func.sum(sources.c.rejected), 0)).where(sources.c.stream == stream)
    expected = connection.execute(counted).scalar_one()
    count = select(func.count()).select_from(rejects).where(rejects.c.stream == stream)
    found = connection.execute(count).scalar_one()
    if expected != found:
        yield Difference("rejects", stream, "count", str(expected), str(found))
    kept = select(rejects).where(rejects.c.stream == stream, rejects.c.expired_at.is_(None)).order_by(rejects.c.seq)
    with connection.execute(kept, execution_options={"yield_per": 100}) as rows:
        for row in rows:
            yield from _delivered(row, vault)


def _delivered(row: Row[Any], vault: Vault) -> Iterator[Difference]:
    try:
        raw = vault.decrypt(row.raw)
    except LedgerError as error:
        yield Difference("rejects", str(row.seq), "raw", "readable", str(error))
        return
    if row.bytes_count <= EVENT_BYTES_MAX:
        expected = {"digest": sha256(raw).hexdigest(), "bytes_count": len(raw)}
        yield from compare("rejects", str(row.seq), expected, row)
    elif len(raw) != EVENT_BYTES_MAX:
        yield Difference("rejects", str(row.seq), "bytes_count", str(len(raw)), str(row.bytes_count))


def _expected(facts: SourceFacts, row: Row[Any]) -> Mapping[str, Any]:
    """Tell what must stand in a source's row; what only a duplicate can have moved on may lie beyond the journal."""
    expected: dict[str, Any] = {
        "applied": facts.applied,
        "complete_until": facts.complete_until,
        "last_event_time": facts.last_event_time,
    }
    if not row.duplicate:
        return {**expected, "last_received_at": facts.last_received_at, "live": facts.live}
    later = facts.last_received_at is None or (row.last_received_at and row.last_received_at >= facts.last_received_at)
    if not later:
        expected["last_received_at"] = facts.last_received_at
    return {**expected, "live": True} if facts.live else expected


def _horizon(connection: Connection, position: Row[Any]) -> Iterator[Difference]:
    """Check that nothing was judged, found or told later than the horizon, nor by a later transaction."""
    stream = position.stream
    for column in (cases.c.judged_at, findings.c.changed_at, outbox.c.created_at):
        last = _last(connection, stream, column)
        if last is not None and last > position.horizon:
            expected = f"not before {last.isoformat()}, {column.table.name}.{column.name}"
            yield Difference("positions", stream, "horizon", expected, position.horizon.isoformat())
    written = _last(connection, stream, cases.c.version)
    if written is not None and written > position.version:
        yield Difference("positions", stream, "version", f"not before {written}", str(position.version))


def _last(connection: Connection, stream: str, column: Column[Any]) -> Any:
    return connection.execute(select(func.max(column)).where(column.table.c.stream == stream)).scalar_one()
