"""Check a roll's manifest and files before printing. Needs Python 3.9 and the package `cryptography`.

    python verify_manifest.py MANIFEST.json MANIFEST.sig [ENCRYPTED.age] [DECRYPTED]

Says what the manifest holds, and ends with 0 only if all that was given is genuine. The encryption does not say who
sent a file: this does.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC_KEY = ""
TAG = b"handover/v1"


def sha256(path: str) -> str:
    """Return the hash of a file, read in pieces."""
    found = hashlib.sha256()
    with Path(path).open("rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            found.update(piece)
    return found.hexdigest()


def check(public_key: str, paths: "list[str]") -> int:
    """Print what was found; return 0 if all is genuine."""
    manifest, signature = Path(paths[0]).read_bytes(), Path(paths[1]).read_bytes()
    print(f"manifest_sha256: {hashlib.sha256(manifest).hexdigest()}")
    message = TAG + b"\x00" + hashlib.sha256(manifest).digest()
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, message)
    except InvalidSignature:
        print("REFUSED: the manifest is not as the brand signed it.")
        return 1
    facts = json.loads(manifest)
    wanted = zip(paths[2:], (facts["cipher_sha256"], facts["plain_sha256"]))
    wrong = [path for path, digest in wanted if sha256(path) != digest]
    for path in wrong:
        print(f"REFUSED: {path} is not the file of this manifest.")
    for name in ("handover", "roll", "lines", "set_up", "gtin", "first_serial", "last_serial", "plain_sha256"):
        print(f"{name}: {facts[name]}")
    if not wrong:
        print("GENUINE")
    return 1 if wrong else 0


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        print(__doc__)
        sys.exit(2)
    sys.exit(check(PUBLIC_KEY, sys.argv[1:]))
