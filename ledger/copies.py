"""Copies of seals outside the house: a folder that is carried away, and an address that receives them.

A copy holds the day's last seal and every erasure so far, so that after the restore of an older backup whoever asked to
be forgotten is forgotten again, and a ledger that was rewritten shows.
"""

import json
import urllib.request
from collections.abc import Callable
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from brands.queries import brand_date
from common.canonical import canonical
from common.db import schema_name
from common.signing import public_of, sign
from ledger.models import Anchor, Seal, SealCopy
from ledger.seals import moment, seal_json
from staff.keys import brand_uuid, sign_key

TAG = "ledger-seal-copy/v1"
_TIMEOUT_S = 10


def last_seal_of(day: date) -> Seal | None:
    """Return the last seal made on or before a day of the brand."""
    for found in Seal.objects.order_by("-n").iterator(chunk_size=100):
        if brand_date(found.sealed_at) <= day:
            return found
    return None


def copy_of(found: Seal, *, day: date, key: bytes) -> bytes:
    """Return the signed file: ``{"content": {v, brand, day, seal, erasures}, "key", "signature"}``."""
    erasures = Anchor.objects.filter(kind=Anchor.Kind.ERASURE).order_by("id")
    content = {
        "v": 1,
        "brand": brand_uuid().hex(),
        "day": day.isoformat(),
        "seal": seal_json(found),
        "erasures": [{"subject": row.subject, "hash": bytes(row.hash).hex(), "at": moment(row.at)} for row in erasures],
    }
    signature = sign(key, TAG, canonical(content))
    return canonical({"content": content, "key": public_of(key).hex(), "signature": signature.hex()})


def publish(day: date, *, at: datetime) -> None:
    """Write the day's copy to the folder and the address of the settings; each gets it once. Raises OSError."""
    found = last_seal_of(day)
    if found is None:
        return
    data = copy_of(found, day=day, key=sign_key(at=at))
    name = f"{schema_name()}-{day.isoformat()}.json"
    if settings.SEALS_FOLDER:
        _once(found, day, str(Path(settings.SEALS_FOLDER) / name), data, _write, at=at)
    if settings.SEALS_URL:
        _once(found, day, settings.SEALS_URL, data, _send, at=at)


def _once(found: Seal, day: date, place: str, data: bytes, send: Callable[[str, bytes], None], *, at: datetime) -> None:
    if SealCopy.objects.filter(day=day, place=place).exists():
        return
    send(place, data)
    with transaction.atomic():
        SealCopy.objects.create(seal=found, day=day, place=place, hash=sha256(data).digest(), at=at)


def _write(name: str, data: bytes) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.rename(path)


def _send(url: str, data: bytes) -> None:
    if not url.startswith("https://"):
        raise ImproperlyConfigured("SEALS_URL must begin with https://")
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310 - https only
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # nosec B310 - https only, the operator's own setting
        answer.read(1024)


def erasures_in(data: bytes) -> list[dict[str, Any]]:
    """Return the erasures that a copy lists, to be applied again after a restore."""
    return list(json.loads(data)["content"]["erasures"])
