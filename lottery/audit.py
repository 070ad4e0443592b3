"""The inside of a published draw: each entry tied to what earned it, for an auditor's eyes.

The public proof shows that the list was drawn rightly; this shows that the list was right: that each entry has its own
redeemed label, hold or free entry, and that no entry of the list is missing from the books or the other way round.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction

from common.canonical import canonical
from common.signing import public_of, sign
from ledger.models import Hold
from ledger.services import anchor
from lottery import content, keys, verify_draw
from lottery.draw import carried_ref, ref_of
from lottery.errors import DrawState, NoSuchDraw
from lottery.models import Bundle, Draw, Entry, FreeEntry
from staff.keys import sign_key

TAG = "lottery-audit/v1"


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry that is not tied to what should have earned it."""

    entry: int
    what: str


Redeemed = Callable[[Collection[int]], set[int]]


def audit(public_id: str, *, redeemed: Redeemed, at: datetime, by: str) -> dict[str, Any]:
    """Return the signed audit of a published draw, and anchor its hash.

    ``redeemed``: label numbers → those that were redeemed, as the floor above knows. Raises `NoSuchDraw`, `DrawState`.
    """
    draw = Draw.objects.filter(public_id=public_id).first()
    if draw is None:
        raise NoSuchDraw
    bundle = Bundle.objects.filter(draw=draw).order_by("-edition").first()
    if bundle is None:
        raise DrawState
    key, secret = sign_key(at=at), keys.draw_key(draw)
    findings = [*_untied(draw, secret, redeemed), *_unlisted(draw, bytes(bundle.data))]
    live = draw.entries.filter(state=Entry.State.LIVE)
    found = {
        "v": 1,
        "draw": draw.uuid.hex,
        "bundle": bytes(bundle.hash).hex(),
        "entries": live.count(),
        "sources": {source: live.filter(source=source).count() for source in Entry.Source.values},
        "findings": [{"entry": one.entry, "what": one.what} for one in findings],
        "by": by,
        "at": content.unix(at),
    }
    text = canonical(found)
    with transaction.atomic():
        anchor(kind="audit", subject=draw.uuid.hex, digest=sha256(text).digest(), at=at)
    return {"content": found, "key": public_of(key).hex(), "signature": sign(key, TAG, text).hex()}


def _untied(draw: Draw, secret: bytes, redeemed: Redeemed) -> Iterator[Finding]:
    """Yield the live entries whose reference is not that of a redeemed label, hold, free entry or earlier entry."""
    entries = list(draw.entries.filter(state=Entry.State.LIVE).order_by("id"))
    by_source: dict[str, list[Entry]] = {source: [] for source in Entry.Source.values}
    for entry in entries:
        by_source[entry.source].append(entry)
    labels = redeemed([entry.source_id for entry in by_source[Entry.Source.LABEL]])
    held = {
        (hold.pk, hold.account_id): hold
        for hold in Hold.objects.filter(pk__in=[entry.source_id for entry in by_source[Entry.Source.POINTS]])
    }
    free = set(FreeEntry.objects.filter(draw=draw).values_list("pk", "account_id"))
    carried = {
        pk: (ref, account)
        for pk, ref, account in Entry.objects.filter(
            pk__in=[entry.source_id for entry in by_source[Entry.Source.CARRY]], draw__campaign=draw.campaign_id
        ).values_list("pk", "ref", "account_id")
    }
    for entry in entries:
        if entry.source == Entry.Source.CARRY:
            before = carried.get(entry.source_id)
            tied = before is not None and (carried_ref(secret, before[0]), entry.account_id) == (entry.ref, before[1])
        else:
            tied = entry.ref == ref_of(secret, entry.source, entry.source_id)
        if not tied:
            yield Finding(entry.pk, "its reference does not follow from what it names")
        elif entry.source == Entry.Source.LABEL and entry.source_id not in labels:
            yield Finding(entry.pk, "its label was not redeemed")
        elif entry.source == Entry.Source.POINTS:
            hold = held.get((entry.source_id, entry.account_id))
            if hold is None or hold.state not in {Hold.State.SETTLED, Hold.State.OPEN}:
                yield Finding(entry.pk, "its points were not spent")
        elif entry.source == Entry.Source.FREE and (entry.source_id, entry.account_id) not in free:
            yield Finding(entry.pk, "its free entry is not on record")


def _unlisted(draw: Draw, data: bytes) -> Iterator[Finding]:
    """Yield what stands in the books and not in the published list, or the other way round."""
    files = verify_draw.unpack(data)  # type: ignore[no-untyped-call]
    published = {sha256(b"\x00" + line).digest() for line in files["entries.jsonl"].split(b"\n")[:-1]}
    rows = draw.entries.filter(state=Entry.State.LIVE).values_list("id", "leaf")
    kept = {bytes(leaf): number for number, leaf in rows}
    for leaf in sorted(kept.keys() - published):
        yield Finding(kept[leaf], "it is in the books and not in the published list")
    for _leaf in sorted(published - kept.keys()):
        yield Finding(0, "a published entry is not in the books")
