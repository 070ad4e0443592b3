"""An evidence bundle as bytes: files in one container, a manifest over them, the brand's signature under it. Pure.

The container is a ZIP file without compression, dates or order of its own (`lottery.verify_draw.pack`), so that the same
files make the same bytes. ``manifest.json`` is canonical JSON (`common.canonical`) with the size and the SHA-256 of each
file; ``manifest.sig`` is its Ed25519 signature under `TAG` (`common.signing`). The hash of the whole container is anchored in
the ledger (kind `ANCHOR`), so that the next seal covers it: `proof_of` is checked against that.
"""

import io
import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from common import merkle
from common.canonical import canonical
from common.signing import is_signed, public_of, sign
from lottery.verify_draw import pack as container

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
TAG, SEAL_TAG = "evidence-bundle/v1", "ledger-seal/v1"
ANCHOR = "evidence"
MOST_BYTES = 2_000_000_000


class NoBundle(Exception):
    """The file is no evidence bundle, or no proof of a seal."""


@dataclass
class Report:
    """What was checked, in plain words: ``faults`` say what differs, ``lacking`` what could not be shown."""

    holds: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)


def pack(files: Mapping[str, bytes], about: Mapping[str, Any], *, key: bytes) -> bytes:
    """Return the bundle of these files. ``about`` is put into the manifest; ``key``: the brand's private signing key."""
    manifest = canonical(
        {
            **about,
            "v": 1,
            "key": public_of(key).hex(),
            "files": {name: {"bytes": len(data), "sha256": sha256(data).hexdigest()} for name, data in files.items()},
        }
    )
    packed: bytes = container(  # type: ignore[no-untyped-call]  # a program of its own, without types
        {**files, MANIFEST: manifest, SIGNATURE: sign(key, TAG, manifest)}
    )
    return packed


def manifest_of(data: bytes) -> dict[str, Any]:
    """Return the manifest of a bundle. Raises `NoBundle`."""
    files, _broken = _read(data)
    return _manifest(files)


def check(data: bytes, *, keys: Collection[bytes] = ()) -> Report:
    """Check every file against the manifest, the manifest against its signature, the container against its files.

    ``keys``: the brand's public keys, from a place that is trusted. Raises `NoBundle`.
    """
    report = Report()
    files, broken = _read(data)
    report.faults += [f"{name} was changed: its bytes do not agree with their own checksum." for name in broken]
    manifest = _manifest(files)
    listed = manifest["files"]
    report.faults += list(_differences(files, listed, broken))
    if not report.faults:
        report.holds.append(f"{len(listed)} files are as the manifest lists them, by size and SHA-256.")
    signed_by = bytes.fromhex(manifest["key"])
    if not is_signed(signed_by, TAG, files[MANIFEST], files.get(SIGNATURE, b"")):
        report.faults.append("manifest.json was changed: the signature in manifest.sig is not of it.")
    elif keys and signed_by not in keys:
        report.faults.append(f"The manifest is signed by another key than the brand's: {signed_by.hex()}.")
    elif keys:
        report.holds.append("The manifest is signed by the brand.")
    else:
        report.lacking.append(f"Whose key signed: compare {signed_by.hex()} with the brand's published key.")
    if not report.faults and container(files) != data:  # type: ignore[no-untyped-call]
        report.faults.append("The container was changed: it is not byte for byte what its files make.")
    return report


def _read(data: bytes) -> tuple[dict[str, bytes], list[str]]:
    """Return the files of a container, and the names of those whose checksum fails. Raises `NoBundle`."""
    files: dict[str, bytes] = {}
    broken: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if sum(info.file_size for info in infos) > MOST_BYTES:
                raise NoBundle("The container claims to hold more than a bundle can.")
            for info in infos:
                if info.filename in files or info.filename in broken:
                    raise NoBundle(f"{info.filename} stands twice in the container.")
                try:
                    files[info.filename] = archive.read(info)
                except zipfile.BadZipFile:
                    broken.append(info.filename)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise NoBundle(f"This is no evidence bundle, or its container was changed: {error}") from error
    return files, broken


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    if MANIFEST not in files:
        raise NoBundle(
            "This is no evidence bundle, or its manifest was taken out: there is no manifest.json to be read."
        )
    try:
        found = json.loads(files[MANIFEST])
        listed = found["files"]
        well_formed = (
            found["v"] == 1
            and len(bytes.fromhex(found["key"])) == 32
            and all(isinstance(one["bytes"], int) and isinstance(one["sha256"], str) for one in listed.values())
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoBundle(f"manifest.json was changed: it cannot be read ({error}).") from error
    if not well_formed:
        raise NoBundle("manifest.json was changed: it is no manifest of version 1.")
    return dict(found)


def _differences(
    files: Mapping[str, bytes], listed: Mapping[str, Mapping[str, Any]], broken: Collection[str]
) -> Iterator[str]:
    for name in sorted({*files, *listed} - {MANIFEST, SIGNATURE, *broken}):
        if name not in files:
            yield f"{name} was taken out: the manifest lists it, the bundle does not hold it."
        elif name not in listed:
            yield f"{name} was added: the manifest does not list it."
        elif sha256(files[name]).hexdigest() != listed[name]["sha256"]:
            yield f"{name} was changed: its SHA-256 is not what the manifest says."
        elif len(files[name]) != listed[name]["bytes"]:
            yield f"{name}: the manifest says {listed[name]['bytes']} bytes, it has {len(files[name])}."
    if SIGNATURE not in files and SIGNATURE not in broken:
        yield "manifest.sig was taken out."


# --- under a seal ------------------------------------------------------------------------------------------------------


def proof_of(inclusion: Mapping[str, Any], seal: Mapping[str, Any]) -> bytes:
    """Return the file that proves an anchor: its row with the audit path, and the seal (`ledger.seals`)."""
    return canonical({"v": 1, "proof": inclusion, "seal": seal})


def check_seal(data: bytes, proof: bytes, *, keys: Collection[bytes] = ()) -> Report:
    """Check that the hash of a bundle is what a seal covers, by the file of `proof_of`. Raises `NoBundle`."""
    report = Report()
    try:
        found = json.loads(proof)
        inclusion, header = found["proof"], found["seal"]["header"]
        row = json.loads(inclusion["row"])
        steps = [bytes.fromhex(step) for step in inclusion["path"]]
        signed_by, signature = bytes.fromhex(header["key"]), bytes.fromhex(found["seal"]["signature"])
        content = canonical(header)
        root = merkle.root_from(
            merkle.leaf(inclusion["row"].encode()), int(inclusion["index"]), int(inclusion["size"]), steps
        )
        number, sealed_at, stated = int(header["n"]), str(header["sealed_at"]), str(header["root"])
        said, kind, hash_of_seal = str(row["hash"]), str(row["kind"]), str(found["seal"]["hash"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoBundle(f"The proof of the seal cannot be read: {error}") from error
    if said != sha256(data).hexdigest() or kind != ANCHOR:
        report.faults.append("The anchor is of another bundle: its hash is not the hash of this file.")
    if root is None or root.hex() != stated:
        report.faults.append(f"The anchor does not lie under seal {number}: the path does not lead to its root.")
    if sha256(content).hexdigest() != hash_of_seal or not is_signed(signed_by, SEAL_TAG, content, signature):
        report.faults.append(f"Seal {number} was changed: its hash or signature is not of it.")
    elif keys and signed_by not in keys:
        report.faults.append(f"Seal {number} is signed by another key than the brand's: {signed_by.hex()}.")
    elif not keys:
        report.lacking.append(f"Whose key sealed: compare {signed_by.hex()} with the brand's published key.")
    if not report.faults:
        report.holds.append(f"The bundle is as it was when seal {number} was made, at {sealed_at}.")
    return report
