#!/usr/bin/env python3
"""Check a statement of points: every line of it is under a seal of the brand, and every seal is one that was published.

    python verify_statement.py statement.json [--seals 2026-11-25.json ...] [--key HEX] [--json]

statement.json is what the brand handed out; the files of --seals are the days' seals from the brand's public page /seals,
best taken by somebody else or earlier: a ledger that was rewritten since has other seals than they. --key is the brand's
public key, from a place you trust.

Ends with 0 if all holds; 1 if a check failed (the first is named); 2 if something cannot be read; 3 if the rest holds but
something was not shown: seals that no file holds, or lines too young for a seal.

One file, Python 3.11 or later, nothing else; it opens no network connection. Formats: docs/guide/statements.md.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

STATEMENT_TAG, SEAL_TAG, DAY_TAG = "ledger-statement/v1", "ledger-seal/v1", "ledger-seals-of-day/v1"
MOST_BYTES = 200_000_000


class Broken(Exception):
    """A check failed."""


class Unreadable(Exception):
    """A file is not what it should be."""


def sha256(data):
    return hashlib.sha256(data).digest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# --- Ed25519 (RFC 8032), strict ------------------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
I = pow(2, (P - 1) // 4, P)


def _point(data):
    """Return the point that 32 bytes encode, in extended coordinates; None if they encode none, or not in the one way."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * I % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * D * a[3] * b[3] % P, 2 * a[2] * b[2] % P
    k, m, n, o = f - e, h - g, h + g, f + e
    return k * m % P, n * o % P, m * n % P, k * o % P


def _times(number, point):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point = _add(point, point)
        number >>= 1
    return total


def _same(a, b):
    return not ((a[0] * b[2] - b[0] * a[2]) % P or (a[1] * b[2] - b[1] * a[2]) % P)


BASE = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(key, tag, content, signature):
    """Return whether a signature (64 bytes) over ``tag ‖ 00 ‖ SHA-256(content)`` is of this key (32 bytes)."""
    if len(key) != 32 or len(signature) != 64:
        return False
    message = tag.encode() + b"\0" + sha256(content)
    a, r, s = _point(key), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or _same(_times(8, a), (0, 1, 1, 0)):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return _same(_times(s, BASE), _add(r, _times(h, a)))


# --- Merkle trees (RFC 6962) -----------------------------------------------------------------------------------------------


def root_by_path(leaf, index, size, path):
    last, rest = size - 1, list(path)
    if not 0 <= index < size:
        return None
    while last:
        if index ^ 1 <= last:
            if not rest:
                return None
            step = rest.pop(0)
            leaf = sha256(b"\1" + step + leaf) if index % 2 else sha256(b"\1" + leaf + step)
        index, last = index // 2, last // 2
    return None if rest else leaf


# --- what is checked ---------------------------------------------------------------------------------------------------


class Report:
    def __init__(self):
        self.lines, self.short = [], []

    def holds(self, what, detail=""):
        self.lines.append({"check": what, "result": "holds", "detail": detail})

    def lacks(self, what, detail):
        self.lines.append({"check": what, "result": "not shown", "detail": detail})
        self.short.append(what)


def read_signed(data, tag, what):
    """Return content and key of a signed file. Raises Unreadable, Broken."""
    if len(data) > MOST_BYTES:
        raise Unreadable(f"{what} is larger than any such file")
    try:
        found = json.loads(data)
        content, key, signature = found["content"], bytes.fromhex(found["key"]), bytes.fromhex(found["signature"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f"{what} cannot be read: {error}") from error
    if canonical(found) != data.strip():
        raise Broken(f"{what}: it is not written canonically")
    if not is_signed(key, tag, canonical(content), signature):
        raise Broken(f"{what}: the signature is not of its key")
    return content, key


def check_seal(found, keys):
    """Check a seal's hash and signature; return its header. Raises Broken."""
    header = found["header"]
    text = canonical(header)
    if sha256(text).hex() != found["hash"]:
        raise Broken(f"seal {header['n']}: it has another hash than its header")
    if keys and header["key"] not in keys:
        raise Broken(f"seal {header['n']}: it is of another key than you gave")
    if not is_signed(bytes.fromhex(header["key"]), SEAL_TAG, text, bytes.fromhex(found["signature"])):
        raise Broken(f"seal {header['n']}: the signature is not of its key")
    return header


def published(files, brand, keys):
    """Return number → hash of the seals that the days' files hold, each file's chain checked. Raises Broken, Unreadable."""
    known = {}
    for name, data in files:
        content, _key = read_signed(data, DAY_TAG, name)
        if content["brand"] != brand:
            raise Broken(f"{name}: it is of another brand")
        before = None
        for found in content["seals"]:
            header = check_seal(found, keys)
            if before is not None and (header["previous"], header["n"]) != (before["hash"], before["header"]["n"] + 1):
                raise Broken(f"seal {header['n']}: it does not continue the seal before it")
            if known.setdefault(header["n"], found["hash"]) != found["hash"]:
                raise Broken(f"seal {header['n']}: two files hold two of them")
            before = found
    return known


def verify(data, files=(), keys=()):
    """Check a statement (bytes) and return the report. Raises Broken, Unreadable."""
    report = Report()
    content, key = read_signed(data, STATEMENT_TAG, "statement")
    if keys and key.hex() not in keys:
        raise Broken("statement: it is signed by another key than you gave")
    report.holds("signature", f"key {key.hex()[:16]}…" + ("" if keys else ": compare it with one from elsewhere"))
    seals = {}
    for found in content["seals"]:
        header = check_seal(found, keys)
        if header["key"] != key.hex() and not keys:
            report.lacks("key of seals", f"seal {header['n']} is of an earlier key, {header['key'][:16]}…")
        seals[header["n"]] = found
    report.holds("seals", f"{len(seals)} with hash and signature")
    report.holds("lines", f"{_lines(content, seals)} lines, each under its seal")
    _balance(report, content)
    known = published(files, content["brand"], keys)
    missing = [number for number in seals if number not in known]
    for number, found in seals.items():
        if number in known and known[number] != found["hash"]:
            raise Broken(f"seal {number}: another one was published")
    if missing:
        report.lacks("published seals", f"{len(missing)} of {len(seals)} seals are in no file given by --seals")
    else:
        report.holds("published seals", f"all {len(seals)}")
    return report


def _lines(content, seals):
    """Lead every line to the root of its seal. Raises Broken."""
    seen = set()
    for proof in content["proofs"]:
        row = json.loads(proof["row"])
        if content["account_id"] not in (row["debit_id"], row["credit_id"]) or row["table"] != "ledger_transfer":
            raise Broken(f"transfer {row['id']}: it is not of this account")
        if row["id"] in seen:
            raise Broken(f"transfer {row['id']}: it stands twice")
        seen.add(row["id"])
        if proof["seal"] not in seals:
            raise Broken(f"transfer {row['id']}: its seal {proof['seal']} is missing")
        path = [bytes.fromhex(step) for step in proof["path"]]
        root = root_by_path(sha256(b"\0" + proof["row"].encode()), proof["index"], proof["size"], path)
        if root is None or root.hex() != seals[proof["seal"]]["header"]["root"]:
            raise Broken(f"transfer {row['id']}: its proof does not lead to the root of seal {proof['seal']}")
    return len(seen)


def _balance(report, content):
    """Add the lines up: they make the balance, but for lines that are too young for a seal. Raises Broken."""
    rows = [json.loads(proof["row"]) for proof in content["proofs"]]
    total = sum(row["amount"] * (1 if row["credit_id"] == content["account_id"] else -1) for row in rows)
    if content["unsealed"]:
        report.lacks("balance", f"{content['unsealed']} lines are too young for a seal: ask again in ten minutes")
    elif total != content["balance"]:
        raise Broken(f"balance: the lines make {total}, the statement says {content['balance']}")
    else:
        report.holds("balance", f"{total} {content['unit']}")


def main(arguments):
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(description="Check a statement of points against the brand's seals.")
    parser.add_argument("statement")
    parser.add_argument("--seals", nargs="*", default=[], help="the days' files from the public page /seals")
    parser.add_argument(
        "--key", action="append", default=[], help="the brand's public key, in hex; repeat for earlier ones"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        files = [(name, Path(name).read_bytes()) for name in options.seals]
        report = verify(Path(options.statement).read_bytes(), files, {key.lower() for key in options.key})
    except Broken as error:
        print(json.dumps({"failed": str(error)}) if options.json else f"FAILED  {error}")
        return 1
    except (Unreadable, OSError) as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        print(f"cannot be read: a part is missing or of another kind: {error!r}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(report.lines))
    else:
        for line in report.lines:
            print(f"{line['result']:<10}{line['check']}" + (f" — {line['detail']}" if line["detail"] else ""))
    return 3 if report.short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
