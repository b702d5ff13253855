"""Proofs: the few links of a chain that tie the rows of a bundle to a head somebody has signed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from monitor.evidence.contents import Link
from monitor.ledger.chain import ACTIONS
from monitor.ledger.errors import LedgerError
from monitor.ledger.journal import genesis, row_hash
from monitor.ledger.links import link, path, skipped_to
from monitor.ledger.schema import journal
from monitor.ledger.stored import as_stored

ROWS_AT_ONCE = 500


class _Row(NamedTuple):
    row_hash: bytes
    chain_hash: bytes


def journal_links(connection: Connection, stream: str, heads: Iterable[int], rows: Iterable[int]) -> list[Link]:
    """Read the links of a stream's journal that lead from heads to rows before them. Raises LedgerError for a gap."""
    needed = _needed(heads, rows)
    found: dict[int, _Row] = {0: _Row(b"", genesis(stream))}
    for part in _parts(_with_bound(needed)):
        query = select(*as_stored(journal)).where(journal.c.stream == stream, journal.c.seq.in_(part))
        found.update((row["seq"], _Row(row_hash(row), row["chain_hash"])) for row in _all(connection, query))
    return _links(f"the journal of stream {stream}", needed, found)


def action_links(connection: Connection, heads: Iterable[int], rows: Iterable[int]) -> list[Link]:
    """Read the links of the chain of actions that lead from heads to rows before them. Raises LedgerError."""
    needed = _needed(heads, rows)
    found: dict[int, _Row] = {0: _Row(b"", ACTIONS.genesis)}
    for part in _parts(_with_bound(needed)):
        query = select(*as_stored(ACTIONS.table)).where(ACTIONS.table.c.seq.in_(part))
        found.update((row["seq"], _Row(ACTIONS.row_hash(row), row["chain_hash"])) for row in _all(connection, query))
    return _links("the chain of actions", needed, found)


class BrokenLink(ValueError):
    """A link that is not there, or not the one that leads to a row."""


def broken(links: Mapping[int, Link], head: tuple[str, int], seq: int, row_hash: bytes) -> str | None:
    """Follow links from a head (hash and number) down to a row; say why it is not proved, None: it is.

    Raises BrokenLink where the links themselves do not lead there.
    """
    chain_hash, last = head
    if seq > last:
        return "was not there when the head was sealed"
    expected = chain_hash
    rows = [*path(last, seq), seq]
    for at, after in zip(rows, [*rows[1:], seq], strict=True):
        known = links.get(at)
        if known is None:
            raise BrokenLink(f"there is no link of row {at}, which leads to row {seq}")
        if _hash_of(known) != expected:
            raise BrokenLink(f"the link of row {at} is not that which leads to row {seq}")
        expected = known.previous if after == at - 1 else known.skipped
    return None if links[seq].row == row_hash.hex() else "is not as it was chained"


def _hash_of(known: Link) -> str | None:
    try:
        return link(*(bytes.fromhex(part) for part in (known.previous, known.skipped, known.row))).hex()
    except ValueError:
        return None


def _needed(heads: Iterable[int], rows: Iterable[int]) -> set[int]:
    rows = set(rows)
    return {at for head in heads for seq in rows if seq <= head for at in (*path(head, seq), seq)} | rows


def _with_bound(needed: set[int]) -> list[int]:
    return sorted({seq for at in needed for seq in (at, at - 1, skipped_to(at))} - {0})


def _parts(rows: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]


def _all(connection: Connection, query: Any) -> Iterable[Mapping[Any, Any]]:
    return connection.execute(query).mappings()


def _links(chain: str, needed: set[int], found: Mapping[int, _Row]) -> list[Link]:
    links: list[Link] = []
    for at in sorted(needed):
        missing = next((seq for seq in (at, at - 1, skipped_to(at)) if seq not in found), None)
        if missing is not None:
            raise LedgerError(f"{chain} has no row {missing}; run 'monitor verify'")
        bound_to = (found[at - 1].chain_hash, found[skipped_to(at)].chain_hash, found[at].row_hash)
        links.append(Link(at, *(each.hex() for each in bound_to)))
    return links
