"""Links: how each row of a chain is bound to all rows before it, and how few links prove that a row is among them.

A row's hash is made of three: the hash of the row before it, that of an earlier row its number leads to (its lowest
bit set to 0), and the hash of its own values. So a head leads to any row before it in a few links, without the rows
in between: of 2^k rows at most k(k+1)/2. Row 0 stands for the beginning of a chain, whose hash is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

_canonical = msgspec.msgpack.Encoder()


def hash_row(values: Sequence[Any]) -> bytes:
    """Hash the values of a row, canonically encoded; instants are given in microseconds.

    Values that nobody could have hashed, such as a text that is none, have a hash equal to no other.
    """
    try:
        return sha256(_canonical.encode(values)).digest()
    except (UnicodeEncodeError, OverflowError):
        return b""


def skipped_to(seq: int) -> int:
    """Give the number of the earlier row that a row is bound to beside the one before it; it may be the same."""
    return seq & (seq - 1)


def link(previous: bytes, skipped: bytes, row_hash: bytes) -> bytes:
    """Bind a row to the row before it and to the one its number leads to."""
    return sha256(previous + skipped + row_hash).digest()


def path(head: int, seq: int) -> Iterator[int]:
    """Name the rows whose links lead from a head down to a row, the head first and the row left out."""
    while head > seq:
        yield head
        head = skipped_to(head) if skipped_to(head) >= seq else head - 1


def ancestors(seq: int) -> set[int]:
    """Name the rows whose hashes are needed to bind rows after one: itself and those its number leads to, down to 0."""
    found = {seq}
    while seq > 0:
        seq = skipped_to(seq)
        found.add(seq)
    return found


class Walk:
    """A chain walked upward: keeps the few hashes that later rows are bound to.

    It begins after the last of the rows whose hashes are given, which are `ancestors` of it: row 0 at least.
    """

    def __init__(self, hashes: Mapping[int, bytes]) -> None:
        self._kept = sorted(hashes.items())

    @property
    def seq(self) -> int:
        """Number of the row last walked over."""
        return self._kept[-1][0]

    @property
    def chain_hash(self) -> bytes:
        """The hash of that row."""
        return self._kept[-1][1]

    def expect(self, row_hash: bytes) -> bytes:
        """Compute the hash of the next row from what it states."""
        skipped = skipped_to(self.seq + 1)
        return link(self.chain_hash, next(each for seq, each in self._kept if seq == skipped), row_hash)

    def beyond(self, chain_hash: bytes) -> "Walk":
        """Give the walk as it goes on from a next row of this hash."""
        walk = Walk(dict(self._kept))
        walk.step(chain_hash)
        return walk

    def step(self, chain_hash: bytes) -> None:
        """Walk over the next row, whose hash is given."""
        seq = self.seq + 1
        while self._kept[-1][0] > skipped_to(seq):
            self._kept.pop()
        self._kept.append((seq, chain_hash))
