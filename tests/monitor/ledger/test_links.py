"""Links bind every row to all before it, and a few of them prove it."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.ledger.links import Walk, ancestors, hash_row, link, path, skipped_to

GENESIS = b"\x00" * 32


def chained(rows: int) -> list[bytes]:
    """Give the hashes of a chain, row 0 first."""
    walk, hashes = Walk({0: GENESIS}), [GENESIS]
    for seq in range(1, rows + 1):
        hashes.append(walk.expect(hash_row((seq,))))
        walk.step(hashes[-1])
        assert (walk.seq, walk.chain_hash) == (seq, hashes[-1])
    return hashes


HASHES = chained(300)


@given(st.integers(1, 300), st.data())
def test_a_head_leads_to_every_row_before_it(head: int, data: st.DataObject) -> None:
    """Each link names, as one of the two it is bound to, the row the next link is of; the last one names the row."""
    seq = data.draw(st.integers(0, head - 1))
    steps, expected = list(path(head, seq)), HASHES[head]
    for at, after in zip(steps, (*steps[1:], seq), strict=True):
        previous, skipped = HASHES[at - 1], HASHES[skipped_to(at)]
        assert link(previous, skipped, hash_row((at,))) == expected
        assert after in (at - 1, skipped_to(at))
        expected = previous if after == at - 1 else skipped
    assert expected == HASHES[seq]


@given(st.integers(1, 2**40), st.data())
def test_few_links_lead_far(head: int, data: st.DataObject) -> None:
    """Of 2^k rows at most k(k+1)/2 links lead from the last to any of them."""
    seq = data.draw(st.integers(0, head - 1))
    bits = head.bit_length()
    assert len(list(path(head, seq))) <= bits * (bits + 1) // 2


@given(st.integers(0, 299))
def test_a_walk_goes_on_from_any_row(seq: int) -> None:
    """The hashes of a row and those its number leads to are all that the rows after it are bound to."""
    walk = Walk({each: HASHES[each] for each in ancestors(seq)})
    assert walk.expect(hash_row((seq + 1,))) == HASHES[seq + 1]
    assert walk.beyond(HASHES[seq + 1]).seq == seq + 1
    assert walk.seq == seq


def test_another_value_anywhere_is_another_hash() -> None:
    """Order, number and kind of the values count; what nobody could have written equals nothing."""
    values = [("a", 1), ("a", True), ("a1",), (1, "a"), ("a", 1, None), (b"a", 1)]
    assert len({hash_row(each) for each in values}) == len(values)
    assert hash_row(("\udcff",)) == b""
