"""The tables of the ledger, one schema for SQLite and PostgreSQL (design section 7).

Instants are microseconds since 1970 in UTC. Text that a person reads as JSON is JSON with sorted keys; what only
the engine reads is packed (`monitor.ledger.packing`).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

from monitor.ledger.instants import InstantColumn
from monitor.verdict import MEASURES

SCHEMA_VERSION: Final = 4
"""Counts up with every change of a table, or of what stands in one; a ledger of another version is refused."""

metadata = MetaData()

# SQLite numbers rows by itself only where the key is called INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("stream", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("case", String),  # null: a heartbeat
    Column("source", String, nullable=False),
    Column("id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("time", InstantColumn, nullable=False),
    Column("received_at", InstantColumn, nullable=False),
    Column("backfill", Boolean, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
Index(
    "journal_heartbeats",
    journal.c.stream,
    journal.c.source,
    journal.c.id,
    sqlite_where=text('"case" IS NULL'),
    postgresql_where=text('"case" IS NULL'),
)

cases = Table(
    "cases",
    metadata,
    Column("case", String, primary_key=True),
    Column("stream", String, nullable=False),
    Column("region", String, nullable=False),
    Column("item", String, nullable=False),
    Column("department", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("direct_line", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("light", String, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("started_at", InstantColumn),
    Column("accepted_at", InstantColumn),
    Column("finished_at", InstantColumn),
    Column("closed_at", InstantColumn),
    Column("suspended_at", InstantColumn),  # first
    Column("outcome", String, nullable=False),  # granted, refused, returned, lapsed, done; empty: not told
    Column("item_type", String, nullable=False),
    Column("statutory_millidays", Integer),  # limits and what was used of them, in thousandths of a working day
    Column("promised_millidays", Integer),
    Column("used_millidays", Integer),
    Column("waited_millidays", Integer),  # from receipt to delivery, in thousandths of 24 hours
    Column("complaint_accepted_at", InstantColumn),
    Column("complaint_closed_at", InstantColumn),
    Column("promised", String, nullable=False),  # phase of the promised clock, empty: the case has none
    Column("promised_due", InstantColumn),
    Column("statutory", String, nullable=False),
    Column("statutory_due", InstantColumn),
    Column("source_set", String, nullable=False),  # see judging.source_set
    Column("live", Boolean, nullable=False),  # an event of it was delivered live, not only by backfill
    Column("judged_at", InstantColumn, nullable=False),
    Column("next_change", InstantColumn),
    Column("rulebook", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),  # transaction of its stream that wrote it last
    Column("marked", Boolean, nullable=False, server_default=false()),  # to be assessed again by the next tick
    Column("events_count", Integer, nullable=False),
    Column("assessment", LargeBinary, nullable=False),
    Column("events", LargeBinary, nullable=False),
    Index("cases_due", "stream", "source_set", "next_change"),
    Index("cases_rulebook", "stream", "rulebook"),
    # Covers what every scrape counts: of a million open cases no row is read for it.
    Index("cases_light", "closed", "light", "region", "department"),
    Index("cases_promised_due", "closed", "promised_due"),
    Index("cases_department", "department", "closed"),
    Index("cases_accepted", "accepted_at"),
    Index("cases_finished", "finished_at"),
)
Index(
    "cases_complaints",
    cases.c.complaint_accepted_at,
    sqlite_where=text("complaint_accepted_at IS NOT NULL"),
    postgresql_where=text("complaint_accepted_at IS NOT NULL"),
)
# SQLite uses a partial index only where the query says literally the same; it has no booleans, so `marked = 1`.
Index("cases_marked", cases.c.stream, sqlite_where=text("marked = 1"), postgresql_where=text("marked"))

findings = Table(
    "findings",
    metadata,
    Column("id", String, primary_key=True),
    Column("stream", String, nullable=False),
    Column("case", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("state", String, nullable=False),  # see verdict.FindingState; withdrawn: no longer said
    Column("mode", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("department", String, nullable=False),
    Column("region", String, nullable=False),
    Column("item", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("occurred_at", InstantColumn, nullable=False),
    Column("detected_at", InstantColumn, nullable=False),  # horizon of the first detection
    Column("changed_at", InstantColumn, nullable=False),
    Column("evidence", Text, nullable=False),  # JSON
    Column("withdrawal", Text),  # JSON: what made it untrue
    Column("announced", Boolean, nullable=False),  # a standing raise in the outbox is meant to reach somebody
    Index("findings_case", "case"),
    Index("findings_newest", "kind", "detected_at"),
    Index("findings_rule", "rule", "state"),
    Index("findings_occurred", "mode", "occurred_at"),
)


def _measures() -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in MEASURES]


stats_units = Table(
    "stats_units",
    metadata,
    Column("stream", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("region", String, primary_key=True),
    Column("department", String, primary_key=True),
    Column("channel", String, primary_key=True),
    *_measures(),
)

stats_items = Table(
    "stats_items",
    metadata,
    Column("stream", String, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("item", String, primary_key=True),
    *_measures(),
)

positions = Table(
    "positions",
    metadata,
    Column("stream", String, primary_key=True),
    Column("epoch", BigInteger, nullable=False),  # counts the writers; an older one is fenced
    Column("version", BigInteger, nullable=False),  # counts the transactions
    Column("next", BigInteger, nullable=False),  # the next delivery to take
    Column("horizon", InstantColumn, nullable=False),
    Column("seq", BigInteger, nullable=False),  # last row of the journal, 0: none
    Column("chain_hash", LargeBinary, nullable=False),  # of that row
)

sources = Table(
    "sources",
    metadata,
    Column("stream", String, primary_key=True),
    Column("source", String, primary_key=True),  # empty: deliveries no registered source can be named for
    Column("complete_until", InstantColumn),  # largest that its heartbeats gave
    Column("imported_until", InstantColumn),  # largest that an ended import gave; counts until it delivers live
    Column("imported_at", InstantColumn),  # horizon at which an import last ended
    Column("hold", InstantColumn),  # while an import runs: judge no further than this
    Column("live", Boolean, nullable=False),
    Column("last_event_time", InstantColumn),
    Column("last_received_at", InstantColumn),
    Column("applied", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("copied", BigInteger, nullable=False),  # of those applied: heartbeats that another stream was sent
)

rulebooks = Table(
    "rulebooks",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("in_force_from", InstantColumn),  # null: from the beginning of time
    Column("published_at", InstantColumn, nullable=False),
    Column("reason", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("content", LargeBinary, nullable=False),  # canonical JSON
    Column("retroactive", Boolean, nullable=False, server_default=false()),  # it began before it was published
    Column("open_cases", Text, nullable=False, server_default="{}"),  # JSON: how many of each item were open then
)

proposals = Table(
    "proposals",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("proposed_at", InstantColumn, nullable=False),
    Column("proposed_by", String, nullable=False),
    Column("in_force_from", InstantColumn),  # null: from its approval on
    Column("retroactive", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("content", LargeBinary, nullable=False),  # canonical JSON of the rulebook
    Column("dangers", Text, nullable=False),  # JSON
    Column("state", String, nullable=False),  # open, approved, rejected
    Column("decided_at", InstantColumn),
    Column("decided_by", String),
    Column("note", Text),
    Column("version", Integer),  # of the rulebook it became
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("stream", String, nullable=False),
    Column("finding", String, nullable=False),
    Column("case", String, nullable=False),
    Column("act", String, nullable=False),  # raise, worsen, withdraw; notice: of a rulebook, named as the finding
    Column("delivery", String, nullable=False),  # send, digest, none
    Column("mode", String, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("department", String, nullable=False),
    Column("created_at", InstantColumn, nullable=False),
    Index("outbox_finding", "finding", "seq"),
)

relays = Table(
    "relays",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("stream", String, nullable=False),
    Column("topic", String, nullable=False),  # findings, rejected
    Column("key", String, nullable=False),
    Column("message", LargeBinary, nullable=False),  # JSON
    Index("relays_waiting", "topic", "stream", "seq"),
)

rejects = Table(
    "rejects",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("stream", String, nullable=False),
    Column("received_at", InstantColumn, nullable=False),
    Column("source", String, nullable=False),  # as far as it could be read, else empty
    Column("code", String, nullable=False),
    Column("field", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("digest", String, nullable=False),  # SHA-256 of the whole delivery
    Column("bytes_count", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),  # encrypted; at most EVENT_BYTES_MAX of it; empty: expired
    Column("expired_at", InstantColumn),
    Index("rejects_newest", "received_at"),
    Index("rejects_code", "source", "code"),
)
Index(
    "rejects_kept",
    rejects.c.stream,
    rejects.c.received_at,
    sqlite_where=text("expired_at IS NULL"),
    postgresql_where=text("expired_at IS NULL"),
)

chains = Table(
    "chains",
    metadata,
    Column("name", String, primary_key=True),  # the table whose rows are chained: actions, audit
    Column("seq", BigInteger, nullable=False),  # its last row, 0: none
    Column("chain_hash", LargeBinary, nullable=False),  # of that row
)

actions = Table(
    "actions",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", InstantColumn, nullable=False),
    Column("actor", String, nullable=False),  # name of a user
    Column("finding", String, nullable=False),
    Column("case", String, nullable=False),
    Column("act", String, nullable=False),  # acknowledge, answer, appeal, supervise, close
    Column("detail", Text, nullable=False),  # JSON; free text stands in it as its mark
    Column("prints", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Index("actions_finding", "finding", "seq"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", InstantColumn, nullable=False),
    Column("actor", String, nullable=False),  # name of a user, or who ran the command on this machine
    Column("act", String, nullable=False),
    Column("object", String, nullable=False),  # what it was done to: user:li, rulebook:3, reject:17
    Column("detail", Text, nullable=False),  # JSON
    Column("prints", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    Index("audit_object", "object", "seq"),
)

texts = Table(
    "texts",
    metadata,
    Column("hash", String, primary_key=True),  # keyed hash of case, source, event and text: what the journal has
    Column("case", String, nullable=False),
    Column("at", InstantColumn, nullable=False),
    Column("body", LargeBinary),  # encrypted; null: erased
    Column("erased_at", InstantColumn),
    Index("texts_case", "case"),
)

users = Table(
    "users",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),  # leader, inspector, department, operator, admin
    Column("region", String),  # sees this region and all below it; null: every region
    Column("department", String),  # sees this department alone; null: all of the region
    Column("password", String, nullable=False),  # argon2
    Column("created_at", InstantColumn, nullable=False),
    Column("disabled_at", InstantColumn),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("created_at", InstantColumn, nullable=False),
    Column("revoked_at", InstantColumn),
)


def _compare_by_bytes() -> None:
    """Have PostgreSQL compare and sort texts as SQLite and Python do, whatever the language of the database."""
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, String):
                column.type = column.type.with_variant(type(column.type)(collation="C"), "postgresql")


_compare_by_bytes()
