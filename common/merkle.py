"""Merkle trees as in RFC 6962, section 2.1: what a signature over 32 bytes says about a million rows.

``leaf = SHA-256(00 ‖ data)``, ``node = SHA-256(01 ‖ left ‖ right)``; an odd last node moves up unchanged, which gives
the same tree as the RFC's split at the largest power of two. The root of no leaves is SHA-256 of nothing.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY = sha256().digest()


def leaf(data: bytes) -> bytes:
    """Return the hash of one leaf."""
    return sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash over two nodes."""
    return sha256(b"\x01" + left + right).digest()


def level_above(nodes: Sequence[bytes]) -> list[bytes]:
    """Return the nodes one level up."""
    pairs = [sha256(b"\x01" + nodes[i] + nodes[i + 1]).digest() for i in range(0, len(nodes) - 1, 2)]
    return [*pairs, nodes[-1]] if len(nodes) % 2 else pairs


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over hashed leaves."""
    nodes: Sequence[bytes] = list(leaves)
    if not nodes:
        return EMPTY
    while len(nodes) > 1:
        nodes = level_above(nodes)
    return nodes[0]


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of the leaf at ``index``, lowest node first. Raises IndexError."""
    return paths(leaves, [index])[0]


def paths(leaves: Sequence[bytes], indexes: Sequence[int]) -> list[list[bytes]]:
    """Return the audit paths of several leaves; the tree is computed once. Raises IndexError."""
    if any(not 0 <= index < len(leaves) for index in indexes):
        raise IndexError("there is no such leaf")
    found: list[list[bytes]] = [[] for _index in indexes]
    places, nodes = list(indexes), leaves
    while len(nodes) > 1:
        for steps, place in zip(found, places, strict=True):
            if place ^ 1 < len(nodes):
                steps.append(nodes[place ^ 1])
        places = [place // 2 for place in places]
        nodes = level_above(nodes)
    return found


def root_from(leaf_hash: bytes, index: int, size: int, steps: Sequence[bytes]) -> bytes | None:
    """Return the root that an audit path leads to, or None if it does not fit a tree of ``size`` leaves."""
    if not 0 <= index < size:
        return None
    found, last, rest = leaf_hash, size - 1, list(reversed(steps))
    while last:
        if index ^ 1 <= last:
            if not rest:
                return None
            step = rest.pop()
            found = node(step, found) if index % 2 else node(found, step)
        index, last = index // 2, last // 2
    return None if rest else found
