"""Verify a stream's journal: its chain, and each row against its event; note what it says of cases and sources."""

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from monitor.events import Event, TextMark, content_hash, from_content
from monitor.ledger.chain import missing_row
from monitor.ledger.difference import Difference, compare
from monitor.ledger.instants import from_us
from monitor.ledger.journal import genesis, hashes_at, row_hash
from monitor.ledger.judging import completed_by
from monitor.ledger.links import Walk, ancestors, link, skipped_to
from monitor.ledger.schema import journal
from monitor.ledger.stored import as_stored, plainly, shown
from monitor.ledger.verify_texts import verify_named

ROWS_AT_ONCE = 1_000

JournalRow = Mapping[Any, Any]


class SourceFacts(msgspec.Struct):
    """What a journal says of a source."""

    applied: int = 0
    complete_until: datetime | None = None
    last_event_time: datetime | None = None
    last_received_at: datetime | None = None
    live: bool = False

    def note(self, event: Event, received_at: datetime, backfill: bool) -> None:
        """Take notice of an event."""
        self.applied += 1
        self.last_event_time = max(self.last_event_time or event.time, event.time)
        self.last_received_at = max(self.last_received_at or received_at, received_at)
        self.live = self.live or not backfill
        until = completed_by(event)
        if until is not None:
            self.complete_until = max(self.complete_until or until, until)


class Journalled:
    """What the journals say of cases and sources; `prints` of a case do not depend on the order of its events."""

    def __init__(self) -> None:
        self.events = 0
        self.prints: dict[str, int] = defaultdict(int)
        self.live_cases: set[str] = set()
        self.sources: dict[tuple[str, str], SourceFacts] = defaultdict(SourceFacts)
        self.marks: list[tuple[str, str, str]] = []  # table, row and hash, until they are looked up

    def note(self, row: JournalRow, event: Event) -> None:
        """Take notice of a row that is sound."""
        self.events += 1
        received_at, backfill = from_us(row["received_at"]), bool(row["backfill"])
        self.sources[row["stream"], event.source].note(event, received_at, backfill)
        if isinstance(event.data.text, TextMark):
            self.marks.append(("journal", f"{row['stream']} {row['seq']}", event.data.text.hash))
        if event.case is not None:
            self.prints[event.case] += fingerprint(row["content"], row["received_at"], row["seq"])
            if not backfill:
                self.live_cases.add(event.case)


def fingerprint(written: bytes, received_us: int, seq: int) -> int:
    """Hash an event of a case so that the sum over a case does not depend on the order of its events."""
    stated = written + received_us.to_bytes(8, "big", signed=True) + seq.to_bytes(8, "big")
    return int.from_bytes(sha256(stated).digest()[:16])


def verify_journal(
    connection: Connection, position: Mapping[Any, Any], journalled: Journalled, since: tuple[int, bytes] | None = None
) -> Iterator[Difference]:
    """Check the journal of a position's stream from its first row, or after one whose hash is known, and its end."""
    stream = position["stream"]
    known = {0: genesis(stream)}
    if since is not None:
        known = yield from _bound_to(connection, stream, *since)
    walk = Walk(known)
    query = select(*as_stored(journal)).where(journal.c.stream == stream).order_by(journal.c.seq)
    if since is not None:
        query = query.where(journal.c.seq > walk.seq)
    with connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
        for row, following in _followed(iter(rows.mappings())):
            yield from _row(walk, row, following, position)
            journalled.note(row, from_content(row["content"]))
            walk.step(row["chain_hash"])
            if len(journalled.marks) >= ROWS_AT_ONCE:
                yield from _texts(connection, journalled)
    yield from _texts(connection, journalled)
    end = {"seq": walk.seq, "chain_hash": walk.chain_hash}
    if position["seq"] > walk.seq and position["chain_hash"] != walk.chain_hash:
        yield Difference("journal", f"{stream} {walk.seq + 1}", "seq", "a row", "none")
    yield from compare("positions", stream, end, position)


def _bound_to(
    connection: Connection, stream: str, seq: int, chain_hash: bytes
) -> Generator[Difference, None, dict[int, bytes]]:
    """Give the hashes that rows after a sealed one are bound to, each proved by the one before down from that one."""
    needed = {row for each in ancestors(seq) - {0} for row in (each - 1, each)}
    stored = hashes_at(connection, stream, needed | ancestors(seq))
    query = select(*as_stored(journal)).where(journal.c.stream == stream, journal.c.seq.in_(ancestors(seq)))
    rows = {row["seq"]: row for row in connection.execute(query).mappings()}
    known = {0: genesis(stream), seq: chain_hash}
    for each in sorted(ancestors(seq) - {0}, reverse=True):
        key, skipped = f"{stream} {each}", skipped_to(each)
        if each not in rows or each - 1 not in stored or skipped not in stored:
            yield Difference("journal", key, "seq", "a row, and those it is bound to", "not all there")
            return known
        found = link(stored[each - 1], stored[skipped], row_hash(rows[each]))
        if found != known[each]:
            yield Difference("journal", key, "chain_hash", f"hash {known[each].hex()}", f"hash {found.hex()}")
        known.setdefault(skipped, stored[skipped])
    return known


def _texts(connection: Connection, journalled: Journalled) -> Iterator[Difference]:
    marks, journalled.marks = journalled.marks, []
    yield from verify_named(connection, marks)


def _followed(rows: Iterator[JournalRow]) -> Iterator[tuple[JournalRow, JournalRow | None]]:
    last: JournalRow | None = None
    for row in rows:
        if last is not None:
            yield last, row
        last = row
    if last is not None:
        yield last, None


def _row(
    walk: Walk, row: JournalRow, following: JournalRow | None, position: Mapping[Any, Any]
) -> Iterator[Difference]:
    """Check a row against the chain before it and the event in it, and name what was changed.

    What the event says itself is compared with it; of the rest, that is changed which what follows does not rest on.
    """
    seq, key = walk.seq + 1, f"{row['stream']} {walk.seq + 1}"
    if row["seq"] != seq:
        missing = missing_row(row["seq"], seq)
        yield Difference("journal", f"{row['stream']} {missing.seq}", "seq", missing.expected, missing.found)
        return
    expected = walk.expect(row_hash(row))
    bound = row["chain_hash"] == expected
    if not isinstance(row["content"], bytes):
        # SQLite lets anybody put a text where bytes belong.
        yield Difference("journal", key, "content", "bytes", type(row["content"]).__name__)
        return
    if (found := content_hash(row["content"])) != row["content_hash"]:
        changed = "content_hash" if bound else "content"
        yield Difference("journal", key, changed, f"hash {shown(row['content_hash'])}", f"hash {found.hex()}")
        return
    try:
        event = from_content(row["content"])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        yield Difference("journal", key, "content", "an event", str(error))
        return
    if isinstance(event.data.text, str):
        yield Difference("journal", key, "content", "the mark of its text", "the text in clear")
    told = {"case": event.case, "source": event.source, "id": event.id, "type": event.type.value}
    yield from compare("journal", key, {**told, "time": plainly(event.time)}, row)
    if not bound:
        yield Difference("journal", key, _changed(walk, row, expected, following, position), *_hashes(expected, row))


def _changed(
    walk: Walk, row: JournalRow, expected: bytes, following: JournalRow | None, position: Mapping[Any, Any]
) -> str:
    turned = {**row, "backfill": 1 - row["backfill"]} if row["backfill"] in (0, 1) else row
    if walk.expect(row_hash(turned)) == row["chain_hash"] or turned is row:
        return "backfill"
    if not _rests_on(walk, expected, following, position) and _rests_on(walk, row["chain_hash"], following, position):
        return "received_at"
    return "chain_hash"


def _rests_on(walk: Walk, chain_hash: Any, following: JournalRow | None, position: Mapping[Any, Any]) -> bool:
    if not isinstance(chain_hash, bytes):
        return False
    if following is None:
        return bool(position["chain_hash"] == chain_hash)
    return bool(walk.beyond(chain_hash).expect(row_hash(following)) == following["chain_hash"])


def _hashes(expected: bytes, row: JournalRow) -> tuple[str, str]:
    return f"hash {expected.hex()}", f"hash {shown(row['chain_hash'])}"
