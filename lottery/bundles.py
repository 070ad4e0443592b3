"""The public proofs: `bundle.zip` of a draw, `reveal.zip` of an instant game, each with its verifier inside.

An edition is written once; a later one (new claims) names the hash of the manifest before it. No phone, name or label
number is in a draw's bundle.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from common.canonical import canonical
from common.db import inside_transaction
from common.signing import public_of, sign
from ledger.models import Anchor, Seal
from ledger.seals import inclusion, seal_json
from lottery import content, prf, verify_draw
from lottery.beacon_settings import default_beacon
from lottery.beacons import Beacon
from lottery.models import BeaconValue, Bundle, Campaign, Claim, ClaimMove, Commitment, Draw, Entry, Play, Pool
from lottery.queries import entry_told
from lottery.rules import Terms
from lottery.told import EntryTold

_README = """This is the proof of a draw or of an instant game.

Check it on your own computer, with Python 3.11 or later:

    pip install drand-verify cryptography
    python verify_draw.py {name} --key <the brand's key, from a place you trust>

Better still, take verify_draw.py from somebody else than the brand. It opens no network connection.
What each file holds, and why nobody could choose the winners: see the algorithm LD1 or IW1 in the documentation.
"""


def _lines(values: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical(value) + b"\n" for value in values)


def pack(
    kind: str,
    files: dict[str, bytes],
    signatures: Mapping[str, str],
    *,
    edition: int,
    before: bytes | None,
    key: bytes,
) -> bytes:
    """Return the container of a proof: the files, the manifest over them, all signatures."""
    files = {
        **files,
        "README.txt": _README.format(name="bundle.zip" if kind == "draw" else "reveal.zip").encode(),
        "verify_draw.py": Path(verify_draw.__file__).read_bytes(),
    }
    manifest = canonical(
        {
            "v": 1,
            "kind": kind,
            "edition": edition,
            "before": before.hex() if before else None,
            "key": public_of(key).hex(),
            "files": {name: sha256(data).hexdigest() for name, data in files.items()},
        }
    )
    all_signatures = {**signatures, "manifest": sign(key, content.MANIFEST_TAG, manifest).hex()}
    return verify_draw.pack(  # type: ignore[no-untyped-call, no-any-return]  # a program of its own, without types
        {**files, "manifest.json": manifest, "signatures.json": canonical(all_signatures)}
    )


def manifest_hash(data: bytes) -> bytes:
    """Return the hash of the manifest in a proof."""
    files = verify_draw.unpack(data)  # type: ignore[no-untyped-call]
    return sha256(files["manifest.json"]).digest()


def seals_of(hashes: list[bytes], declared: dict[str, int]) -> bytes:
    """Return seals.json: the anchors of some hashes with their proofs, as far as they are sealed."""
    anchors = Anchor.objects.filter(hash__in=hashes).order_by("id").values_list("id", flat=True)
    proofs = inclusion(anchors=list(anchors))
    seals = Seal.objects.filter(n__in={proof["seal"] for proof in proofs}).order_by("n")
    return canonical({"declared": declared, "proofs": proofs, "seals": [seal_json(one) for one in seals]})


def beacon_json(beacon: Beacon, round_no: int) -> bytes:
    """Return beacon.json: the public value as it is stored."""
    row = BeaconValue.objects.get(source=beacon.source, chain=beacon.chain, round=round_no)
    value = bytes(row.value)
    said = {"text": value.decode("ascii")} if beacon.source == "manual" else {"signature": value.hex()}
    return canonical(
        {"v": 1, "source": beacon.source, "chain": beacon.chain, "round": round_no, "url": row.url, **said}
    )


# --- draws -----------------------------------------------------------------------------------------------------------------


def claims_of(draw: Draw) -> list[dict[str, Any]]:
    """Return the claims of a draw's picks as they stand: no word of who."""
    rows = Claim.objects.filter(pick__draw=draw).select_related("pick").order_by("pick__pick_no")
    reasons = {
        row["claim"]: row["reason"]
        for row in ClaimMove.objects.filter(claim__pick__draw=draw).order_by("id").values("claim", "reason")
    }
    return [
        {
            "pick": row.pick.pick_no,
            "tier": row.pick.tier,
            "state": row.state,
            "reason": reasons.get(row.pk, "") or (row.state if row.state in Claim.ENDED_WITHOUT else ""),
        }
        for row in rows
        if row.pick is not None
    ]


@inside_transaction
def write_edition(draw: Draw, *, key: bytes, at: datetime) -> Bundle:
    """Write the next edition of a draw's proof."""
    from lottery.services.drawing import live_lines, voided_lines

    before = Bundle.objects.filter(draw=draw).order_by("-edition").first()
    terms = Terms.read(draw.campaign.terms, beacon=default_beacon())
    entries = sorted((line.leaf(), line.as_json()) for line in live_lines(draw))
    rules, root = bytes(draw.rules or b""), bytes(draw.root_json or b"")
    edition = (before.edition if before else 0) + 1
    data = pack(
        "draw",
        {
            "rules.json": rules,
            "entries.jsonl": _lines([line for _leaf, line in entries]),
            "voided.jsonl": _lines(voided_lines(draw)),
            "root.json": root,
            "beacon.json": beacon_json(terms.beacon, draw.round or 0),
            "result.json": bytes(draw.result or b""),
            "claims.jsonl": _lines(claims_of(draw)),
            "seals.json": seals_of(
                [sha256(rules).digest(), sha256(root).digest()],
                {"rules_at": content.unix(draw.rules_at) if draw.rules_at else 0},
            ),
        },
        {
            "draw_rules": bytes(draw.rules_signature or b"").hex(),
            "root": bytes(draw.root_signature or b"").hex(),
        },
        edition=edition,
        before=manifest_hash(bytes(before.data)) if before else None,
        key=key,
    )
    return Bundle.objects.create(
        campaign=draw.campaign,
        draw=draw,
        kind=Bundle.Kind.DRAW,
        edition=edition,
        data=data,
        hash=sha256(data).digest(),
        at=at,
    )


# --- instant games -----------------------------------------------------------------------------------------------------------


def reveal_pool(pool: Pool, limits: list[prf.Threshold]) -> dict[str, Any]:
    """Return all that was hidden of a pool."""
    return {
        "pool": pool.number,
        "ranges": pool.ranges,
        "ranges_salt": bytes(pool.ranges_salt or b"").hex(),
        "excluded": pool.excluded,
        "excluded_salt": bytes(pool.excluded_salt or b"").hex(),
        "th": prf.thresholds_json(limits),
    }


@inside_transaction
def write_reveal(
    campaign: Campaign,
    *,
    first: Commitment,
    second: Commitment,
    secrets: list[tuple[bytes, bytes]],
    game_key: bytes,
    limits: Mapping[int, list[prf.Threshold]],
    key: bytes,
    at: datetime,
) -> Bundle:
    """Write the proof of an instant game: secrets, key, thresholds, ranges, exclusions."""
    value = json.loads(bytes(first.content))
    versions = list(campaign.versions.order_by("n"))
    newest = versions[-1]
    given_up = Commitment.objects.filter(campaign=campaign).exclude(pk__in=[first.pk, second.pk]).order_by("id")
    data = pack(
        "reveal",
        {
            "rules.json": bytes(newest.content),
            "commitments.json": canonical(
                {
                    "v": 1,
                    "first": value,
                    "second": json.loads(bytes(second.content)),
                    "given_up": [json.loads(bytes(one.content)) for one in given_up],
                    "rules": [bytes(version.hash).hex() for version in versions],
                }
            ),
            "beacon.json": beacon_json(Beacon.from_json(value["beacon"]), value["beacon"]["round"]),
            "reveal.json": canonical(
                {
                    "v": 1,
                    "campaign": campaign.uuid.hex,
                    "secrets": [[secret.hex(), nonce.hex()] for secret, nonce in secrets],
                    "key": game_key.hex(),
                    "pools": [reveal_pool(pool, limits[pool.number]) for pool in campaign.pools.order_by("number")],
                }
            ),
            "seals.json": seals_of(
                [bytes(first.hash), bytes(second.hash)],
                {"committed_at": content.unix(first.at), "armed_at": content.unix(second.at)},
            ),
        },
        {
            "rules": bytes(newest.signature).hex(),
            "first": bytes(first.signature).hex(),
            "second": bytes(second.signature).hex(),
        },
        edition=1,
        before=None,
        key=key,
    )
    return Bundle.objects.create(
        campaign=campaign, kind=Bundle.Kind.REVEAL, edition=1, data=data, hash=sha256(data).digest(), at=at
    )


def entry_receipt(entry: Entry | EntryTold, *, key: bytes) -> dict[str, Any]:
    """Return the signed receipt of an entry: with it the member can ask for ever whether it took part."""
    told = entry_told(entry) if isinstance(entry, Entry) else entry
    found = {
        "v": 1,
        "kind": "entry",
        "draw": told.draw_uuid,
        "entry": told.entry,
        "leaf": told.leaf.hex(),
        "rules": told.rules.hex(),
        "at": content.unix(told.at),
    }
    return _signed(found, key)


def _signed(found: dict[str, Any], key: bytes) -> dict[str, Any]:
    signature = sign(key, content.RECEIPT_TAG, canonical(found))
    return {"content": found, "signature": signature.hex(), "key": public_of(key).hex()}


def play_receipt(
    *,
    campaign: Campaign,
    pool: int,
    label_no: int,
    tier: int | None,
    outcome: str,
    commitments: tuple[str, ...],
    key: bytes,
) -> dict[str, Any]:
    """Return the signed receipt of a play: the label, its place in its batch's manifest, and what it won.

    Not inside a transaction: keys are unwrapped. Raises `labels.manifests.NoManifest`.
    """
    from labels import keys, manifests
    from labels.queries import serials_of

    _leaf, index, size, path = manifests.proof_of(label_no)
    found = {
        "v": 1,
        "kind": "play",
        "campaign": campaign.uuid.hex,
        "pool": pool,
        "label_no": label_no,
        "serial": serials_of([label_no])[0],
        "salt": manifests.salt_of(keys.manifest_key(), label_no).hex(),
        "index": index,
        "size": size,
        "path": [step.hex() for step in path],
        "outcome": outcome,
        "tier": tier,
        "commitments": list(commitments),
    }
    return _signed(found, key)


def receipt_of_play(play: Play, *, key: bytes) -> dict[str, Any]:
    """Return the signed receipt of a play, whose campaign, pool and tier were read with it. See `play_receipt`."""
    second = Commitment.objects.get(campaign=play.campaign, kind=Commitment.Kind.SECOND)
    made = Commitment.objects.filter(campaign=play.campaign, kind__gt=0, attempt=second.attempt).order_by("kind")
    return play_receipt(
        campaign=play.campaign,
        pool=play.pool.number,
        label_no=play.label_no,
        tier=play.tier.tier if play.tier else None,
        outcome=Play.Outcome(play.outcome).name.lower(),
        commitments=tuple(bytes(one.hash).hex() for one in made),
        key=key,
    )
