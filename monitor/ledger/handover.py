"""What a new ledger takes over from an older one: all that does not follow from the events, as it is.

Rulebooks with their instants, proposals, users, API keys, actions, audit, texts and rejects are copied; of sources and
positions what no event tells. Cases, findings, statistics and outbox are computed again (`streams.replay`); of findings
only when they were first detected, whether anybody was told, and those withdrawn are remembered. What was sent is not
sent again. While it is under way, nobody else can open the new ledger: half of the figures would look true.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, RowMapping, Table, delete, func, insert, select, update

from monitor.ledger import audit as audit_lines
from monitor.ledger import judging
from monitor.ledger.access import Ledger
from monitor.ledger.errors import LedgerError
from monitor.ledger.schema import (
    actions,
    api_keys,
    audit,
    chains,
    findings,
    journal,
    meta,
    metadata,
    outbox,
    positions,
    proposals,
    rejects,
    relays,
    rulebooks,
    texts,
    users,
)
from monitor.ledger.upsert import append, upsert

ROWS_AT_ONCE: Final = 1_000
UNFINISHED: Final = "replay"
"""Name of the row of `meta` that keeps everybody else out."""
DEPLOYMENT: Final = "deployment"
BESIDE: Final = "replay.beside"
"""Act of the audit: a replay gave a stream of a topic deliveries that are no records of its partition."""
COPIED: Final = (rulebooks, proposals, users, api_keys, actions, audit, chains)

Recode = Callable[[dict[str, Any]], dict[str, Any]]


def begin(old: Connection, source: Ledger, target: Ledger) -> None:
    """Copy into an empty ledger what the events of the old one rest on, and keep everybody else out of it.

    Raises LedgerError for a ledger that is not empty, or has another key of texts.
    """
    with target.write() as new:
        shut(new, target)
        if source.texts.key is not None:
            target.texts.adopt(source.texts.key)
        for table in COPIED:
            _copy(old, new, table)
        _copy(old, new, texts, lambda row: {**row, "body": target.texts.sealed_again(row["body"], source.texts)})
        _copy(old, new, rejects, lambda row: {**row, "raw": target.vault.sealed_again(row["raw"], source.vault)})
        for table, column in ((proposals, "id"), (rejects, "seq")):
            _count_on(new, table, column)
        target.publications.settle(new, target.publications.published(new)[-1].published_at)


def streams_of(old: Connection) -> list[Row[Any]]:
    """Read the positions of every stream."""
    return list(old.execute(select(positions).order_by(positions.c.stream)).all())


def events_count(old: Connection) -> int:
    """Count the events of all streams."""
    return int(old.execute(select(func.count()).select_from(journal)).scalar_one())


def begin_stream(old: Connection, target: Ledger, stream: str) -> None:
    """Tell a stream of the new ledger what its sources were counted and held for; what was applied is counted anew."""
    states = judging.load_states(old, stream)
    for state in states.values():
        state.applied = 0
    with target.write() as new:
        judging.save_states(new, {stream: states})


def end_stream(target: Ledger, before: Row[Any], new_topic: bool) -> None:
    """Check that the journal of a stream is that of the old ledger, and set its position to where that one stands.

    Of a topic made again the position is its beginning. Raises LedgerError where an event was lost or changed.
    """
    with target.write() as new:
        after = new.execute(select(positions).where(positions.c.stream == before.stream)).one()
        if (after.seq, after.chain_hash) != (before.seq, before.chain_hash):
            raise LedgerError(
                f"stream {before.stream}: its journal of {before.seq} events does not end in the hash its position "
                "states, so that events of the old ledger were lost or changed; run 'monitor verify' on it"
            )
        place = 0 if new_topic else before.next
        if new_topic:
            note_beside(new, before.stream, before.next)
        new.execute(update(positions).where(positions.c.stream == before.stream).values(next=place))


def end(old: Connection, target: Ledger, new_topic: bool) -> None:
    """Let everybody in: from now on the ledger is as the old one would be, and tells nobody of what it found.

    It belongs to the same topic, unless that was made again: then to the first workers that come.
    """
    with target.write() as new:
        tell_nobody(new)
        new.execute(delete(findings).where(findings.c.state == "withdrawn"))
        new.execute(delete(outbox).where(outbox.c.finding.not_in(select(findings.c.id)), outbox.c.act != "notice"))
        query = select(findings).order_by(findings.c.id)
        for rows in old.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}).mappings().partitions():
            _remember(new, rows)
        _copy(old, new, relays)
        _count_on(new, relays, "seq")
        of_topic = select(meta).where(meta.c.name == DEPLOYMENT)
        for row in () if new_topic else old.execute(of_topic).mappings().all():
            new.execute(insert(meta).values(dict(row)))
        open_to_all(new)


def shut(new: Connection, target: Ledger) -> None:
    """Keep everybody else out of an empty ledger. Raises LedgerError for one that is not empty."""
    _refuse_unless_empty(new, target)
    new.execute(insert(meta).values(name=UNFINISHED, value="unfinished"))


def note_beside(new: Connection, stream: str, count: int) -> None:
    """Write down how many deliveries a replay gave a stream that are no records of its partition."""
    if count:
        audit_lines.record(new, audit_lines.operator_account(), BESIDE, f"stream:{stream}", {"count": count})


def taken_beside(connection: Connection, stream: str) -> int:
    """Count the deliveries that replays gave a stream beside its records."""
    query = select(audit.c.detail).where(audit.c.act == BESIDE, audit.c.object == f"stream:{stream}")
    return sum(int(msgspec.json.decode(detail)["count"]) for detail in connection.execute(query).scalars())


def tell_nobody(new: Connection) -> None:
    """Have nothing of what was found so far sent to anybody."""
    new.execute(update(outbox).values(delivery="none"))
    new.execute(update(findings).values(announced=False))


def open_to_all(new: Connection) -> None:
    """Let everybody open the ledger again."""
    new.execute(delete(meta).where(meta.c.name == UNFINISHED))


def _remember(new: Connection, rows: Sequence[RowMapping]) -> None:
    """Take over of findings when they were detected, and who was told; those withdrawn as they are."""
    query = select(findings).where(findings.c.id.in_([row["id"] for row in rows]))
    known = {row["id"]: row for row in new.execute(query).mappings()}
    kept: list[dict[str, Any]] = []
    for row in rows:
        again = known.get(row["id"])
        if again is None and row["state"] == "withdrawn":
            kept.append(dict(row))
        elif again is not None and row["state"] != "withdrawn":
            same = all(again[name] == row[name] for name in ("state", "severity"))
            changed_at = row["changed_at"] if same else again["changed_at"]
            told = {"detected_at": row["detected_at"], "changed_at": changed_at, "announced": row["announced"]}
            kept.append({**again, **told})
    upsert(new, findings, kept)


def _refuse_unless_empty(new: Connection, target: Ledger) -> None:
    for table in metadata.sorted_tables:
        if table is not meta and new.execute(select(func.count()).select_from(table)).scalar_one():
            raise LedgerError(
                f"{target.name}: this ledger is not empty, its table {table.name} has rows, and a replay would mix two "
                "histories; name a new file, or an empty database"
            )


def _copy(old: Connection, new: Connection, table: Table, recode: Recode = dict) -> None:
    query = select(table).order_by(*table.primary_key)
    for rows in old.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}).mappings().partitions():
        append(new, table, [recode(dict(row)) for row in rows])


def _count_on(new: Connection, table: Table, column: str) -> None:
    """Have PostgreSQL number the next row behind those copied, as SQLite does by itself."""
    if new.dialect.name == "postgresql":
        new.exec_driver_sql(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column}'), "  # noqa: S608 - names of ours
            f"coalesce(max({column}), 0) + 1, false) FROM {table.name}"
        )
