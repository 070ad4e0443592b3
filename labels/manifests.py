"""Manifests: a Merkle root over the labels of a batch, to which a game with prizes can commit.

``leaf = SHA-256(00 ‖ be64(label_no) ‖ serial ‖ salt)``, the salt being the first 16 bytes of HMAC-SHA256(manifest key,
be64(label_no)): without it nobody can tell from a root which serials exist. Only the nodes above each 1,024 leaves are
kept; the leaves under one are computed again for a proof.
"""

import hmac
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from hashlib import sha256

from django.db import transaction

from common import jobs, merkle
from common.db import inside_transaction
from common.errors import NotFound
from labels import keys, queries
from labels.models import Batch, Manifest

JOB_KIND = "label_manifest"
GROUP = 1024
_STEP = 64 * GROUP


class NoManifest(NotFound):
    """The batch has no manifest yet."""

    code = "no_manifest"


def salt_of(key: bytes, label_no: int) -> bytes:
    """Return the 16 bytes that hide a label's leaf."""
    return hmac.digest(key, label_no.to_bytes(8, "big"), "sha256")[:16]


def leaf_of(label_no: int, serial: str, salt: bytes) -> bytes:
    """Return the hash of a label's leaf."""
    return sha256(b"\x00" + label_no.to_bytes(8, "big") + serial.encode("ascii") + salt).digest()


@inside_transaction
def ask_for(batch: Batch, *, at: datetime, asked_by: str = "") -> Manifest:
    """Ask for the manifest of a batch, once."""
    Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)
    found = Manifest.objects.filter(batch=batch).first()
    if found is not None:
        return found
    total = batch.label_range.upper - batch.label_range.lower
    job = jobs.create(kind=JOB_KIND, subject=batch.number, total=total, at=at, asked_by=asked_by)
    found = Manifest.objects.create(batch=batch, job=job, asked_at=at)
    transaction.on_commit(partial(_push, found.pk))
    return found


def _push(manifest_id: int) -> None:
    from labels.tasks import make_manifest, push

    push(make_manifest, manifest_id)


def make(manifest_id: int) -> None:
    """Compute a manifest, from wherever a run before has come to."""
    found = Manifest.objects.select_related("batch").get(pk=manifest_id)
    first, beyond = found.batch.label_range.lower, found.batch.label_range.upper
    key = keys.manifest_key()
    made = _nodes(key, first, beyond)
    nodes: list[bytes] = []

    def step(done: int) -> int:
        # A run that died repeats the whole: nodes are cheap, and kept only once all are there.
        while len(nodes) * GROUP < min(done + _STEP, beyond - first):
            nodes.append(next(made))
        return int(min(done + _STEP, beyond - first))

    def finish() -> None:
        while len(nodes) * GROUP < beyond - first:
            nodes.append(next(made))
        Manifest.objects.filter(pk=manifest_id).update(root=merkle.root(nodes), nodes=b"".join(nodes))

    jobs.run(found.job_id, step, finish)


def _nodes(key: bytes, first: int, beyond: int) -> Iterator[bytes]:
    for start in range(first, beyond, _STEP):
        leaves = _leaves(key, start, min(start + _STEP, beyond))
        for place in range(0, len(leaves), GROUP):
            yield merkle.root(leaves[place : place + GROUP])


def _leaves(key: bytes, first: int, beyond: int) -> list[bytes]:
    labels = range(first, beyond)
    return [
        leaf_of(label_no, serial, salt_of(key, label_no))
        for label_no, serial in zip(labels, queries.serials_of(labels), strict=True)
    ]


def root_of(batch: Batch) -> bytes:
    """Return the root of a batch's manifest. Raises `NoManifest`."""
    root = Manifest.objects.filter(batch=batch).values_list("root", flat=True).first()
    if root is None:
        raise NoManifest
    return bytes(root)


def proof_of(label_no: int) -> tuple[bytes, int, int, list[bytes]]:
    """Return a label's leaf, its place, the number of leaves, and the audit path to the root. Raises `NoManifest`."""
    found = Manifest.objects.select_related("batch").filter(batch__label_range__contains=label_no, root__isnull=False)
    manifest = found.first()
    if manifest is None:
        raise NoManifest
    first, beyond = manifest.batch.label_range.lower, manifest.batch.label_range.upper
    index = label_no - first
    start = first + index // GROUP * GROUP
    leaves = _leaves(keys.manifest_key(), start, min(start + GROUP, beyond))
    kept = bytes(manifest.nodes or b"")
    nodes = [kept[place : place + 32] for place in range(0, len(kept), 32)]
    path = [*merkle.path(leaves, index % GROUP), *merkle.path(nodes, index // GROUP)]
    return leaves[index % GROUP], index, beyond - first, path
