"""A public value that no machine brings: two persons read and type it, and neither sees before what the other typed.

Locks: the draw's row.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from lottery import proofs
from lottery.beacons import key_string
from lottery.errors import BadValue, DrawState
from lottery.models import BeaconValue, Draw, TypedValue
from lottery.services import beaconing
from staff import audit

_LONGEST = 1000
_BLANKS = re.compile(r"[\s,.;/、，。；]+")
_WIDE = str.maketrans("０１２３４５６７８９", "0123456789")
_NUMBER = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one person read: ``numbers``, a line for each source; the publisher's day; where; a picture (JPEG)."""

    numbers: str
    published_on: date
    url: str
    image: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the typing of a value is, for one person: their own row, and no other's."""

    mine: TypedValue | None
    others: int
    differs: bool


def awaits_typing(draw: Draw, *, at: datetime) -> bool:
    """Return whether a draw waits for a value that persons type, and its moment has come."""
    beacon = proofs.beacon_of(draw.campaign)
    due = proofs.moment_of(beacon, draw.round)
    return beacon.source == "manual" and draw.state == Draw.State.LISTED and due is not None and due <= at


def key_text(numbers: str) -> str:
    """Return RFC 3797's key string of typed numbers: a line for each source, in the order typed. Raises `BadValue`."""
    lines = [_BLANKS.split(line.strip(" \t,.;/、，。；")) for line in numbers.translate(_WIDE).splitlines()]
    sources = [line for line in lines if line != [""]]
    if not sources or not all(_NUMBER.fullmatch(word) for line in sources for word in line):
        raise BadValue(_("Type whole numbers with blanks between, a line for each source."))
    text = key_string([([int(word) for word in line], True) for line in sources])
    if len(text) > _LONGEST:
        raise BadValue(_("These are too many numbers."))
    return text


def standing(draw: Draw, *, by: str) -> Standing:
    """Return how far the typing of a draw's value is, as one person may know it."""
    typed = list(typed_values(draw))
    mine = next((row for row in typed if row.typed_by == by), None)
    return Standing(mine, len(typed) - (mine is not None), mine is not None and len(typed) > 1)


def typed_values(draw: Draw) -> list[TypedValue]:
    """Return who typed what of a draw's value; to be shown once the value is stored, and not before."""
    beacon = proofs.beacon_of(draw.campaign)
    if beacon.source != "manual":
        return []
    return list(TypedValue.objects.filter(chain=beacon.chain, round=draw.round or 0).order_by("id"))


def type_for(draw_id: int, reading: Reading, *, by: str, at: datetime) -> BeaconValue | None:
    """Note what one person read for a draw; None while another person must type it, too.

    The same again changes nothing. Raises `BadValue`, `DrawState`.
    """
    text = key_text(reading.numbers)
    with transaction.atomic():
        draw = Draw.objects.select_related("campaign").select_for_update(no_key=True, of=("self",)).get(pk=draw_id)
        if not awaits_typing(draw, at=at):
            raise DrawState(_("This draw does not wait for numbers now."))
        beacon, round_no = proofs.beacon_of(draw.campaign), draw.round or 0
        zone = ZoneInfo(draw.campaign.zone)
        due = proofs.moment_of(beacon, round_no) or at
        if not due.astimezone(zone).date() <= reading.published_on <= at.astimezone(zone).date():
            raise BadValue(_("The numbers must come out after the entries were listed, and not later than today."))
        value = beaconing.type_value(
            beacon,
            round_no,
            text,
            published_on=reading.published_on,
            url=reading.url,
            by=by,
            at=at,
            image=reading.image,
        )
        # What was typed stays out of the trail: who types second may read it.
        facts = {
            "draw": draw.public_id,
            "by": by,
            **({"hash": sha256(bytes(value.value)).hexdigest()} if value else {}),
        }
        act = "store_value" if value else "type_value"
        audit.record(act, at=at, table="lottery_campaign", row_id=str(draw.campaign_id), facts=facts)
    return value
