"""Merkle trees: the RFC's recursive definition, and proofs that lead nowhere else."""

from hashlib import sha256

import pytest
from hypothesis import given, strategies as st

from common import merkle

LEAVES = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


def recursive(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, on hashed leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + recursive(leaves[:half]) + recursive(leaves[half:])).digest()


@given(LEAVES)
def test_an_odd_node_that_moves_up_gives_the_rfcs_tree(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == recursive(leaves)


def test_published_roots() -> None:
    """The tree of certificate transparency's own test data (certificate-transparency-go, testdata)."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [merkle.leaf(bytes.fromhex(text)) for text in inputs]
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.root(leaves[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    assert merkle.root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(LEAVES.filter(bool), st.data())
def test_a_path_leads_to_the_root_and_only_from_its_leaf_and_place(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, steps = merkle.root(leaves), merkle.path(leaves, index)

    assert merkle.root_from(leaves[index], index, len(leaves), steps) == root
    assert merkle.root_from(sha256(leaves[index]).digest(), index, len(leaves), steps) != root
    assert merkle.root_from(leaves[index], index, len(leaves), [*steps, bytes(32)]) is None
    assert merkle.root_from(leaves[index], len(leaves), len(leaves), steps) is None
    if steps:
        assert merkle.root_from(leaves[index], index, len(leaves), steps[:-1]) is None
        assert merkle.root_from(leaves[index], index, len(leaves), [bytes(32), *steps[1:]]) != root


def test_there_is_no_path_from_beyond_the_last_leaf() -> None:
    with pytest.raises(IndexError):
        merkle.path([bytes(32)], 1)
