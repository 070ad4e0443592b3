#!/usr/bin/env python3
"""Check a draw or an instant game from its published proof, without trusting whoever published it.

    python verify_draw.py BUNDLE.zip [--receipt R.json] [--key HEX] [--root SAVED_ROOT.json] [--json]

Needs Python 3.11 or later and nothing else, but for two things: the package drand-verify checks the public value
(``pip install drand-verify``), and the package cryptography makes the recount of an instant game complete. It opens no
network connection and imports nothing of the publisher's.

Ends with 0 if everything holds; 1 if a check failed (the first one is named); 2 if the input cannot be read; 3 if the
rest holds but drand-verify is missing, labels were only sampled, or the beacon is a private chain. Without ``--key`` it
shows the fingerprint of the key for you to compare with one that you got another way. A time is "declared" if only the
publisher's signature says so, "anchored" if a seal of the publisher's ledger covers it as well.
"""

import hashlib
import hmac
import io
import json
import re
import struct
import sys
import zipfile
import zlib
from bisect import bisect_right
from itertools import accumulate, pairwise
from pathlib import Path

DRAW_FILES = {
    "README.txt", "beacon.json", "claims.jsonl", "entries.jsonl", "manifest.json", "result.json", "root.json",
    "rules.json", "seals.json", "signatures.json", "verify_draw.py", "voided.jsonl",
}  # fmt: skip
REVEAL_FILES = {
    "README.txt", "beacon.json", "commitments.json", "manifest.json", "reveal.json", "rules.json", "seals.json",
    "signatures.json", "verify_draw.py",
}  # fmt: skip
QUICKNET = (
    "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",  # pragma: allowlist secret
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"  # pragma: allowlist secret
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",  # pragma: allowlist secret
    1692803367,
    3,
)
MOST_BYTES = 1 << 30
SAMPLE = 10_000
LEAD_S, LATEST_S = 1800, 60


class Unreadable(Exception):
    """The input is no bundle, or not one that can be read safely: exit 2."""


class Broken(Exception):
    """A check failed: exit 1."""


def sha256(data):
    return hashlib.sha256(data).digest()


# --- the container: a zip of stored files with every field fixed ------------------------------------------------------

_LOCAL, _CENTRAL, _END = "<4s5H3I2H", "<4s6H3I5H2I", "<4s4H2IH"
_DATE = 0x21  # 1980-01-01


def pack(files):
    """Return the one container that holds these files (name → bytes)."""
    body, index, offset = [], [], 0
    for name in sorted(files):
        data, path = files[name], name.encode("ascii")
        crc, size = zlib.crc32(data), len(data)
        local = struct.pack(_LOCAL, b"PK\3\4", 20, 0, 0, 0, _DATE, crc, size, size, len(path), 0) + path
        entry = (b"PK\1\2", 20, 20, 0, 0, 0, _DATE, crc, size, size, len(path), 0, 0, 0, 0, 0, offset)
        body += [local, data]
        index.append(struct.pack(_CENTRAL, *entry) + path)
        offset += len(local) + size
    directory = b"".join(index)
    end = struct.pack(_END, b"PK\5\6", 0, 0, len(index), len(index), len(directory), offset, 0)
    return b"".join([*body, directory, end])


def unpack(data):
    """Return the files of a container. Raises Unreadable, and Broken if it is not the one container of its files."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len(set(names)) < len(names):
                raise Unreadable("a name stands twice in the container")
            if set(names) not in (DRAW_FILES, REVEAL_FILES):
                raise Unreadable("the container holds other files than a proof does")
            for info in archive.infolist():
                if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(data):
                    raise Unreadable("a file in the container is compressed")
            files = {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise Unreadable(f"this is no container: {error}") from error
    except (struct.error, OverflowError, UnicodeError, zlib.error) as error:
        raise Unreadable(f"this is no container: {error}") from error
    if pack(files) != data:
        raise Broken("container: it is not byte for byte what its files make")
    return files


# --- canonical JSON (RFC 8785 without fractions) -----------------------------------------------------------------------


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _no_fraction(text):
    raise ValueError(f"{text} is no integer")


def read_json(data, what):
    """Return the value, which must be written canonically."""
    try:
        value = json.loads(data.decode(), parse_float=_no_fraction, parse_constant=_no_fraction)
        if canonical(value) == data:
            return value
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{what} cannot be read: {error}") from error
    raise Broken(f"{what}: it is not written canonically")


def read_lines(data, what):
    if data and not data.endswith(b"\n"):
        raise Broken(f"{what}: it does not end with its last line")
    return [read_json(line, what) for line in data.split(b"\n")[:-1]]


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


def merkle_root(nodes):
    if not nodes:
        return sha256(b"")
    while len(nodes) > 1:
        pairs = [sha256(b"\1" + nodes[i] + nodes[i + 1]) for i in range(0, len(nodes) - 1, 2)]
        nodes = [*pairs, nodes[-1]] if len(nodes) % 2 else pairs
    return nodes[0]


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


# --- AES-256, for machines without the package cryptography -----------------------------------------------------------------


def _sbox():
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q = (q ^ q << 4) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        x = q
        for turn in range(1, 5):
            x ^= (q << turn | q >> (8 - turn)) & 0xFF
        box[p] = x ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


SBOX = _sbox()


def _double(byte):
    return (byte << 1) & 0xFF ^ (0x1B if byte & 0x80 else 0)


def aes_rounds(key):
    """Return the 15 round keys of AES-256 (FIPS 197)."""
    words = [list(key[i : i + 4]) for i in range(0, 32, 4)]
    constant = 1
    while len(words) < 60:
        word = list(words[-1])
        if len(words) % 8 == 0:
            word = [SBOX[byte] for byte in word[1:] + word[:1]]
            word[0] ^= constant
            constant = _double(constant)
        elif len(words) % 8 == 4:
            word = [SBOX[byte] for byte in word]
        words.append([a ^ b for a, b in zip(word, words[-8], strict=True)])
    return [sum(words[i : i + 4], []) for i in range(0, 60, 4)]


_SHIFT = [(i + 4 * (i % 4)) % 16 for i in range(16)]


def aes_block(rounds, block):
    state = [a ^ b for a, b in zip(block, rounds[0], strict=True)]
    for number, keys in enumerate(rounds[1:], 1):
        state = [SBOX[state[i]] for i in _SHIFT]
        if number < 14:
            mixed = []
            for i in range(0, 16, 4):
                column = state[i : i + 4]
                whole = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [byte ^ whole ^ _double(byte ^ column[(place + 1) % 4]) for place, byte in enumerate(column)]
            state = mixed
        state = [a ^ b for a, b in zip(state, keys, strict=True)]
    return bytes(state)


# --- what is printed ------------------------------------------------------------------------------------------------------


class Report:
    def __init__(self):
        self.lines, self.short = [], []

    def holds(self, what, detail=""):
        self.lines.append({"check": what, "result": "holds", "detail": detail})

    def lacks(self, what, detail):
        self.lines.append({"check": what, "result": "not shown", "detail": detail})
        self.short.append(what)

    def require(self, condition, what, wrong, detail=""):
        if not condition:
            raise Broken(f"{what}: {wrong}")
        self.holds(what, detail)


# --- the beacon -----------------------------------------------------------------------------------------------------------


def time_of(beacon, number):
    return beacon["genesis"] + beacon["period"] * (number - 1)


def first_round_from(beacon, moment):
    return max(1, -(-(moment - beacon["genesis"]) // beacon["period"]) + 1)


def check_beacon(report, beacon, value):
    """Check the public value (beacon.json) against the beacon and round that the rules name; return its bytes."""
    number, source = beacon["round"], beacon["source"]
    if (value["source"], value["chain"], value["round"]) != (source, beacon["chain"], number):
        raise Broken("beacon: another beacon or round than the rules say")
    if source == "manual":
        if not re.fullmatch(r"(?:(?:[0-9]{1,20}\.)+/)+", value["text"]):
            raise Broken("beacon: the public value is not written as RFC 3797 says")
        report.holds("beacon", f"typed by two persons: {value['text']} — compare it with the publisher, {value['url']}")
        return value["text"].encode("ascii")
    signature = value["signature"]
    if not re.fullmatch("[0-9a-f]{96}", signature):
        raise Broken("beacon: the signature has another form")
    known = (beacon["chain"], beacon["key"], beacon["genesis"], beacon["period"])
    if source == "drand" and known != QUICKNET:
        raise Broken("beacon: this is not drand quicknet")
    try:
        import drand_verify
    except ImportError:
        report.lacks("beacon", "drand-verify is not installed: the signature of the public value was not checked")
    else:
        try:
            found = drand_verify.verify_bls_unchained_g1_rfc9380(number, signature, beacon["key"])
        except BaseException as error:  # the library panics on keys that are none, and a panic is no Exception
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            raise Broken(f"beacon: the signature is not that of round {number}") from error
        if found != sha256(bytes.fromhex(signature)).hex():
            raise Broken("beacon: the signature does not give that randomness")
        if source == "drand":
            report.holds("beacon", f"round {number} of drand quicknet")
        else:
            report.lacks("beacon", f"round {number} of a private chain — NOT the public drand network")
    return bytes.fromhex(signature)


# --- seals ----------------------------------------------------------------------------------------------------------------


def check_seals(report, seals, key):
    """Check seals and proofs; return hash (hex) → time at which a seal covered it ("…Z"), as far as there are seals."""
    headers, covered = {}, {}
    for one in seals["seals"]:
        header = one["header"]
        good = is_signed(
            bytes.fromhex(header["key"]), "ledger-seal/v1", canonical(header), bytes.fromhex(one["signature"])
        )
        if not good or header["key"] != key.hex() or sha256(canonical(header)).hex() != one["hash"]:
            raise Broken("seals: a seal is not signed by this key")
        headers[header["n"]] = header
    for proof in seals["proofs"]:
        header = headers[proof["seal"]]
        leaf = sha256(b"\0" + proof["row"].encode())
        path = [bytes.fromhex(step) for step in proof["path"]]
        found = root_by_path(leaf, proof["index"], proof["size"], path)
        if found is None or found.hex() != header["root"]:
            raise Broken("seals: a proof does not lead to its seal")
        row = json.loads(proof["row"])
        covered[row["hash"]] = (row["at"], header["sealed_at"])
    report.holds("seals", f"{len(headers)} seals, {len(covered)} anchors")
    return covered


def unix_of(text):
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def told_by(covered, digest, moment, limit):
    """Return how we know that something was there before ``limit``, and since when: a seal made by then says so, or
    only the publisher's own word.
    """
    if digest.hex() in covered and unix_of(covered[digest.hex()][1]) <= limit:
        return "anchored", unix_of(covered[digest.hex()][1])
    return "declared", moment


# --- LD1: draws -----------------------------------------------------------------------------------------------------------


def check_draw(report, files, key, options):
    rules, root = read_json(files["rules.json"], "rules.json"), read_json(files["root.json"], "root.json")
    result, value = read_json(files["result.json"], "result.json"), read_json(files["beacon.json"], "beacon.json")
    rules_hash = sha256(files["rules.json"])
    for one in (rules, root):
        if one["v"] != 1:
            raise Broken("rules: they are of a version that this program does not know")
    report.require(rules["algorithm"] == "LD1-SHA256", "algorithm", "it is not LD1-SHA256")
    same = root["draw"] == rules["draw"] == result["draw"] and root["rules"] == rules_hash.hex()
    report.require(same, "one draw", "rules, root and result are not of one draw")
    if options.get("root") is not None:
        saved = json.loads(options["root"])
        if not isinstance(saved, dict) or saved.get("draw") != root["draw"] or not isinstance(saved.get("root"), str):
            raise Unreadable("the saved root is not one of this draw")
        report.require(saved == root, "saved root", "another root was published before: FRAUD")
    covered = check_seals(report, read_json(files["seals.json"], "seals.json"), key)
    declared = read_json(files["seals.json"], "seals.json")["declared"]

    how, moment = told_by(covered, rules_hash, declared["rules_at"], rules["opens_at"])
    report.require(moment <= rules["opens_at"], "rules before first entry", "they came after", f"{how} {int(moment)}")
    beacon = {**rules["beacon"], "round": root["round"]}
    _check_round(report, rules, root, beacon)
    due = time_of(beacon, root["round"])
    how, moment = told_by(covered, sha256(files["root.json"]), root["published_at"], due)
    report.require(moment < due, "root before beacon", "it came after", f"{how} {int(moment)}")
    drawn = check_beacon(report, beacon, value)

    weights, keys, leaves = _check_entries(report, rules, root, files)
    seed = sha256(b"LD1" + rules_hash + bytes.fromhex(root["root"]) + drawn)
    report.require(seed.hex() == result["seed"], "seed", "it does not follow from rules, root and beacon", seed.hex())
    prizes = _check_prizes(report, rules, root)
    _check_picks(report, prizes, result, seed, weights, keys, leaves)
    _check_claims(report, result, read_lines(files["claims.jsonl"], "claims.jsonl"))
    if options.get("receipt") is not None:
        _check_entry_receipt(report, files, key, rules, rules_hash, leaves, options["receipt"])


def _check_round(report, rules, root, beacon):
    close, named = rules["close_at"], rules["beacon"]["round"]
    if beacon["source"] != "manual":
        if named != first_round_from(beacon, close + LEAD_S):
            raise Broken("round: the rules name another round than the first one half an hour after the close")
        late = root["published_at"] > time_of(beacon, named) - LATEST_S
        due = first_round_from(beacon, root["published_at"] + LEAD_S) if late else named
        if root["round"] != due:
            raise Broken("round: it is not the round that the rules give")
    report.require(root["published_at"] >= close, "list after close", "the entries were listed before the close")
    report.require(time_of(beacon, root["round"]) > close, "round after close", "the value was known before the close")


def _check_entries(report, rules, root, files):
    """Check the list; return of each entry its weight, what may be picked once, and its leaf."""
    weights, keys, leaves, refs, by_label = [], [], [], set(), 0
    data = files["entries.jsonl"]
    if data and not data.endswith(b"\n"):
        raise Broken("entries: they do not end with their last line")
    for line in io.BytesIO(data):
        entry = read_json(line[:-1], "entries.jsonl")
        if set(entry) != {"entry", "who", "kin", "weight", "src", "ref"} or entry["src"] not in rules_sources():
            raise Broken("entries: an entry has another form")
        if type(entry["weight"]) is not int or not 1 <= entry["weight"] <= rules["max_weight"]:
            raise Broken("weight caps: an entry weighs more than the rules allow")
        leaves.append(sha256(b"\0" + line[:-1]))  # the line is canonical: it is what the leaf is made of
        weights.append(entry["weight"])
        keys.append(key_of(entry, rules["one_per"]))
        refs.add(bytes.fromhex(entry["ref"]))
        by_label += entry["src"] == "label"
    report.require(
        all(a < b for a, b in pairwise(leaves)), "order of entries", "they do not stand in the order of their leaves"
    )
    report.require(
        merkle_root(leaves).hex() == root["root"], "root from entries", "the entries make another root", root["root"]
    )
    report.holds("weight caps", f"none above {rules['max_weight']}")
    same = (len(weights), sum(weights)) == (root["n"], root["weight"])
    report.require(same, "number and weight", "they are not those signed", f"{len(weights)} entries, {sum(weights)}")
    report.require(len(refs) == len(weights), "no reference twice", "a reference entered twice")
    if rules["eligible_labels"]:
        fits = by_label <= rules["eligible_labels"]
        report.require(fits, "label entries", "there are more than labels", f"{by_label} of {rules['eligible_labels']}")
    voided = read_lines(files["voided.jsonl"], "voided.jsonl")
    report.require(sha256(canonical(voided)).hex() == root["voided"], "void entries", "they are not those signed")
    return weights, keys, leaves


def key_of(entry, one_per):
    """Return what may be picked once."""
    if one_per == "kin":
        return entry["kin"] or entry["who"]
    return entry[{"entry": "entry", "who": "who"}[one_per]]


def rules_sources():
    return {"label", "points", "free", "carry"}


def _check_prizes(report, rules, root):
    if rules["prizes"] != "reserve":
        stated = [{**prize, "alternates": rules["alternates"][str(prize["tier"])]} for prize in rules["prizes"]]
        report.require(stated == root["prizes"], "prizes", "they are not those of the rules")
    else:
        report.holds("prizes", "the reserve of the instant game, as signed with the root")
    return sorted(root["prizes"], key=lambda prize: prize["tier"])


def _check_picks(report, prizes, result, seed, weights, keys, leaves):
    order = [(p["tier"], unit, "winner") for p in prizes for unit in range(1, p["quantity"] + 1)]
    order += [(p["tier"], unit, "alternate") for p in prizes for unit in range(1, p["alternates"] + 1)]
    upto = list(accumulate(weights))
    total = upto[-1] if upto else 0
    weight_of = {}
    for one, weight in zip(keys, weights):
        weight_of[one] = weight_of.get(one, 0) + weight
    left, gone, picks = total, set(), []
    limit = 2**256 // total * total if total else 0
    for j, (tier, unit, role) in enumerate(order):
        if not left:
            break
        tries = 0
        while True:
            x = int.from_bytes(hmac.digest(seed, struct.pack(">II", j, tries), "sha256"), "big")
            tries += 1
            if x < limit:
                index = bisect_right(upto, x % total)
                if keys[index] not in gone:
                    break
        gone.add(keys[index])
        left -= weight_of[keys[index]]
        picks.append({"pick": j, "tries": tries, "leaf": leaves[index].hex(), "tier": tier, "unit": unit, "role": role})
    for found, told in zip(picks, result["picks"]):
        if found != told:
            raise Broken(f"pick {found['pick']}: the draw gives leaf {found['leaf'][:16]}…, not {told['leaf'][:16]}…")
    unfilled = len(order) - len(picks)
    same = len(picks) == len(result["picks"]) and unfilled == result["unfilled"]
    report.require(same, "quantities", "there are more or fewer picks than the rules give")
    report.holds("picks", f"{len(picks)} picks, {unfilled} unfilled")


def _check_claims(report, result, claims):
    """Alternates move up in their order, one for each winner of their tier who did not take the prize."""
    role = {pick["pick"]: pick for pick in result["picks"]}
    lost, used = {}, {}
    for claim in claims:
        pick = role.get(claim["pick"])
        if pick is None or pick["tier"] != claim["tier"]:
            raise Broken("claims: one is of no pick of its tier")
        if claim["state"] in ("refused", "expired", "disqualified"):
            if not claim["reason"]:
                raise Broken("claims: one was lost without a reason")
            lost[claim["tier"]] = lost.get(claim["tier"], 0) + 1
        if pick["role"] == "alternate":
            used.setdefault(claim["tier"], []).append(pick["unit"])
    for tier, units in used.items():
        if sorted(units) != list(range(1, len(units) + 1)) or len(units) > lost.get(tier, 0):
            raise Broken(f"claims: alternates of tier {tier} did not move up in their order")
    report.holds("order of claims", f"{len(claims)} claims")


def _check_entry_receipt(report, files, key, rules, rules_hash, leaves, receipt):
    content = receipt["content"]
    if not is_signed(key, "lottery-receipt/v1", canonical(content), bytes.fromhex(receipt["signature"])):
        raise Broken("receipt: it is not signed by this key")
    if content["draw"] != rules["draw"] or content["rules"] != rules_hash.hex():
        raise Broken("receipt: it is of another draw or other rules")
    if bytes.fromhex(content["leaf"]) in leaves:
        report.holds("receipt", f"entry {content['entry']} took part")
        return
    for line in read_lines(files["voided.jsonl"], "voided.jsonl"):
        if line["leaf"] == content["leaf"]:
            report.holds("receipt", f"entry {content['entry']} is void: {line['reason']}, {line['at']}")
            return
    raise Broken("receipt: this entry is neither listed nor void: FRAUD")


# --- IW1: the instant game ------------------------------------------------------------------------------------------------


def hkdf(key, salt, info):
    return hmac.digest(hmac.digest(salt, key, "sha256"), info + b"\1", "sha256")


def spans_without(spans, out):
    """Return the labels of sorted spans that are in none of the sorted ``out``."""
    found = []
    for first, beyond in spans:
        here = first
        for start, end in out:
            if end <= here or start >= beyond:
                continue
            if start > here:
                found.append((here, start))
            here = max(here, end)
        if here < beyond:
            found.append((here, beyond))
    return found


class Numbers:
    """r(i) of labels: with cryptography for all, else with our own AES for a sample."""

    def __init__(self, key):
        self.key, self.rounds = key, aes_rounds(key)
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

            self.stream = lambda tag, first, n: (
                Cipher(algorithms.AES(key), modes.CTR(tag + struct.pack(">Q", first))).encryptor().update(bytes(16 * n))
            )
        except ImportError:
            self.stream = None

    def one(self, tag, label):
        return int.from_bytes(aes_block(self.rounds, tag + struct.pack(">Q", label))[:8], "big")

    def all(self, tag, first, beyond):
        for start in range(first, beyond, 1 << 16):
            n = min(1 << 16, beyond - start)
            values = struct.unpack(f">{2 * n}Q", self.stream(tag, start, n))[::2]
            yield from zip(values, range(start, start + n))


def check_reveal(report, files, key, options):
    rules, told = read_json(files["rules.json"], "rules.json"), read_json(files["commitments.json"], "commitments.json")
    reveal, value = read_json(files["reveal.json"], "reveal.json"), read_json(files["beacon.json"], "beacon.json")
    first, second = told["first"], told["second"]
    campaign = bytes.fromhex(first["campaign"])
    one_game = first["campaign"] == second["campaign"] == rules["campaign"] == reveal["campaign"]
    report.require(one_game, "one game", "rules, commitments and reveal are not of one game")
    report.require(first["alg"] == "IW1-AES256", "algorithm", "it is not IW1-AES256")
    report.require(first["rules"] in told["rules"], "rules committed to", "the commitment names other rules")
    covered = check_seals(report, read_json(files["seals.json"], "seals.json"), key)
    declared = read_json(files["seals.json"], "seals.json")["declared"]
    beacon = first["beacon"]
    due = time_of(beacon, beacon["round"])
    how, moment = told_by(covered, sha256(canonical(first)), declared["committed_at"], due)
    report.require(moment < due, "commitment before beacon", "it came after", f"{how} {int(moment)}")
    bound = [sha256(b"IW1-SECRET" + bytes.fromhex(s) + bytes.fromhex(n)).hex() for s, n in reveal["secrets"]]
    report.require(bound == first["k"], "secrets", "they are not those committed to")
    drawn = check_beacon(report, beacon, value)
    report.require(
        second["first"] == sha256(canonical(first)).hex()
        and second["round"] == beacon["round"]
        and second["signature"] == value.get("signature"),
        "second commitment",
        "it does not follow from the first and the beacon",
    )
    secrets = b"".join(bytes.fromhex(s) for s, _n in reveal["secrets"])
    game_key = hkdf(secrets, drawn, b"IW1-KEY" + campaign)
    same = game_key.hex() == reveal["key"] and sha256(game_key).hex() == second["key"]
    report.require(same, "key", "it does not follow from the secrets and the beacon")
    limits = [{"pool": pool["pool"], "th": pool["th"]} for pool in reveal["pools"]]
    report.require(
        sha256(canonical(limits)).hex() == second["thresholds"], "thresholds", "they are not those committed to"
    )
    _check_pools(report, first, reveal, campaign, Numbers(game_key))
    if options.get("receipt") is not None:
        _check_play_receipt(report, first, second, reveal, campaign, key, Numbers(game_key), options["receipt"])


def _check_pools(report, first, reveal, campaign, numbers):
    if [pool["pool"] for pool in first["pools"]] != [pool["pool"] for pool in reveal["pools"]]:
        raise Broken("pools: they are not those committed to")
    for told, pool in zip(first["pools"], reveal["pools"]):
        name = f"pool {pool['pool']}"
        for what in ("ranges", "excluded"):
            if sha256(bytes.fromhex(pool[f"{what}_salt"]) + canonical(pool[what])).hex() != told[what]:
                raise Broken(f"{name}: its {what} are not those committed to")
            if any(a[1] > b[0] for a, b in pairwise(pool[what])):
                raise Broken(f"{name}: its {what} overlap")
        spans = spans_without(pool["ranges"], pool["excluded"])
        count = sum(beyond - start for start, beyond in spans)
        report.require(count == told["n"], f"{name}, labels", "their number is not the one committed to", str(count))
        tag = sha256(b"IW1-POOL" + campaign + struct.pack(">I", pool["pool"]))[:8]
        limits = [None if one is None else (int(one[0], 16), int(one[1])) for one in pool["th"]]
        if len(limits) != len(told["tiers"]):
            raise Broken(f"{name}: it has other tiers than those committed to")
        if numbers.stream is None:
            _sample(report, name, numbers, tag, spans, limits)
        else:
            _recount(report, name, numbers, tag, spans, limits, told["tiers"])


def _recount(report, name, numbers, tag, spans, limits, quantities):
    highest = max((limit for limit in limits if limit is not None), default=None)
    low = []
    if highest is not None:
        for first, beyond in spans:
            low += [pair for pair in numbers.all(tag, first, beyond) if pair <= highest]
    low.sort()
    upto = 0
    for tier, (limit, quantity) in enumerate(zip(limits, quantities), 1):
        upto += quantity
        # The threshold must itself be the pair at its rank: then exactly so many labels win.
        if upto > len(low) or (limit is None) != (upto == 0) or (limit is not None and low[upto - 1] != limit):
            raise Broken(f"{name}: tier {tier} does not have exactly {quantity} winners")
    report.holds(f"{name}, winners", f"exactly {quantities} of tiers 1 to {len(quantities)}, all labels recounted")


def _sample(report, name, numbers, tag, spans, limits):
    for limit in limits:
        if limit is not None and numbers.one(tag, limit[1]) != limit[0]:
            raise Broken(f"{name}: a threshold is no label's number")
    total = sum(beyond - first for first, beyond in spans)
    step = max(1, total // SAMPLE)
    seen = won = 0
    for first, beyond in spans:
        for label in range(first, beyond, step):
            seen += 1
            won += any(limit is not None and (numbers.one(tag, label), label) <= limit for limit in limits[-1:])
    report.lacks(
        f"{name}, winners", f"cryptography is not installed: {won} of {seen} sampled labels win, none recounted"
    )


def _check_play_receipt(report, first, second, reveal, campaign, key, numbers, receipt):
    content = receipt["content"]
    if not is_signed(key, "lottery-receipt/v1", canonical(content), bytes.fromhex(receipt["signature"])):
        raise Broken("receipt: it is not signed by this key")
    hashes = [sha256(canonical(first)).hex(), sha256(canonical(second)).hex()]
    if content["campaign"] != first["campaign"] or content["commitments"] != hashes:
        raise Broken("receipt: it is of another game")
    pool = next((one for one in reveal["pools"] if one["pool"] == content["pool"]), None)
    told = next((one for one in first["pools"] if one["pool"] == content["pool"]), None)
    if pool is None or told is None:
        raise Broken("receipt: it is of no pool of this game")
    label = content["label_no"]
    leaf = sha256(b"\0" + struct.pack(">Q", label) + content["serial"].encode() + bytes.fromhex(content["salt"]))
    path = [bytes.fromhex(step) for step in content["path"]]
    found = root_by_path(leaf, content["index"], content["size"], path)
    if found is None or found.hex() not in told["manifests"]:
        raise Broken("receipt: the label's path does not lead to a batch of the pool")
    tag = sha256(b"IW1-POOL" + campaign + struct.pack(">I", pool["pool"]))[:8]
    pair = (numbers.one(tag, label), label)
    limits = [None if one is None else (int(one[0], 16), int(one[1])) for one in pool["th"]]
    takes = any(a <= label < b for a, b in spans_without(pool["ranges"], pool["excluded"]))
    tier = next((n for n, limit in enumerate(limits, 1) if takes and limit is not None and pair <= limit), None)
    if content["outcome"] != "points_only" and content["tier"] != tier:
        raise Broken("receipt: the label should have won something else")
    report.holds("receipt", f"label {label}: tier {tier}" if tier else f"label {label}: no prize")


# --- the whole ------------------------------------------------------------------------------------------------------------

TAGS = {
    "manifest": "lottery-bundle/v1", "draw_rules": "ld1-rules/v1", "root": "ld1-root/v1",
    "rules": "lottery-rules/v1", "first": "iw1-commitment/v1", "second": "iw1-commitment/v1",
}  # fmt: skip


def verify(data, options):
    """Check a bundle (bytes) and return the report. Raises Broken, Unreadable."""
    if len(data) > MOST_BYTES:
        raise Unreadable("the file is larger than any proof")
    report = Report()
    files = unpack(data)
    report.holds("container")
    manifest = read_json(files["manifest.json"], "manifest.json")
    is_draw = manifest["kind"] == "draw"
    if set(files) != (DRAW_FILES if is_draw else REVEAL_FILES) or manifest["kind"] not in ("draw", "reveal"):
        raise Unreadable("the container holds other files than such a proof does")
    hashes = {
        name: sha256(data).hex() for name, data in files.items() if name not in ("manifest.json", "signatures.json")
    }
    report.require(hashes == manifest["files"], "file hashes", "a file is not the one that was signed")
    key = bytes.fromhex(manifest["key"])
    if options.get("key") is not None:
        report.require(key.hex() == options["key"], "key", "the proof is signed by another key than you gave")
    else:
        report.holds("key", f"fingerprint {sha256(key).hex()[:32]}: compare it")
    signed = {"manifest": files["manifest.json"]}
    if is_draw:
        signed.update(draw_rules=files["rules.json"], root=files["root.json"])
    else:
        told = read_json(files["commitments.json"], "commitments.json")
        signed.update(rules=files["rules.json"], first=canonical(told["first"]), second=canonical(told["second"]))
    signatures = read_json(files["signatures.json"], "signatures.json")
    if set(signatures) != set(signed):
        raise Broken("signatures: there are others than those of the proof")
    for name, content in signed.items():
        if not is_signed(key, TAGS[name], content, bytes.fromhex(signatures[name])):
            raise Broken(f"signatures: that of {name} is not of this key")
    report.holds("signatures", ", ".join(sorted(signed)))
    (check_draw if is_draw else check_reveal)(report, files, key, options)
    return report


def _read(path, most=MOST_BYTES):
    try:
        with Path(path).open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error


def _options(arguments):
    options, names = {}, []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--json":
            options["json"] = True
        elif word in ("--receipt", "--key", "--root") and rest:
            options[word[2:]] = rest.pop(0)
        elif word.startswith("-"):
            raise Unreadable(f"{word} is not understood")
        else:
            names.append(word)
    if len(names) != 1:
        raise Unreadable("name one bundle")
    if not re.fullmatch("[0-9a-f]{64}", options.get("key", "0" * 64)):
        raise Unreadable("--key: 64 hexadecimal digits in small letters are asked for")
    if "receipt" in options:
        options["receipt"] = json.loads(_read(options["receipt"], 1 << 20))
    if "root" in options:
        options["root"] = _read(options["root"])
    return names[0], options


def main(arguments):
    """Run the checks and print a line for each; return the exit code."""
    wants_json, lines, code, message = "--json" in arguments, [], 0, "everything holds"
    try:
        name, options = _options(arguments)
        report = verify(_read(name), options)
        lines = report.lines
        if report.short:
            code, message = 3, "the rest holds, but not shown: " + ", ".join(report.short)
    except Broken as error:
        code, message = 1, f"FAILED {error}"
    except Unreadable as error:
        code, message = 2, f"cannot be read: {error}"
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        code, message = 2, f"cannot be read: {type(error).__name__} {error}"
    except struct.error as error:
        code, message = 2, f"cannot be read: {error}"
    if wants_json:
        print(json.dumps({"exit": code, "message": message, "checks": lines}, ensure_ascii=False))
    else:
        for line in lines:
            print(f"{line['result']:10} {line['check']}" + (f" — {line['detail']}" if line["detail"] else ""))
        print(message)
        if code == 2 and not arguments:
            print(__doc__)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
