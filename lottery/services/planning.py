"""What the wizard keeps: each step as it was typed, and the papers that the law asks for.

Locks: the campaign's row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction
from django.utils.translation import gettext as _

from lottery.errors import BadCampaign
from lottery.models import Campaign, LawDocument, Plan, SignOff
from lottery.services.drafting import locked

Typed = Mapping[str, Sequence[str]]
MOST_BYTES = 5_000_000
_USUAL_START = timedelta(days=7)
_KINDS = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def start_plan(*, name: str, name_zh: str, kind: str, zone: str, typed: Typed, at: datetime, by: str) -> Campaign:
    """Begin a campaign with prizes: a draft that holds its name, and the first step as it was typed."""
    with transaction.atomic():
        campaign = Campaign.objects.create(
            kind=kind,
            name=name,
            name_zh=name_zh,
            zone=zone,
            opens_at=at + _USUAL_START,
            created_at=at,
            created_by=by,
        )
        Plan.objects.create(campaign=campaign, steps={"goal": _lists(typed)}, saved_at=at, saved_by=by)
    return campaign


def save_step(campaign_id: int, step: str, typed: Typed, *, at: datetime, by: str) -> Plan:
    """Keep a step as it was typed, right or wrong. Raises `CampaignState` once the rules are published."""
    with transaction.atomic():
        campaign = locked(campaign_id, Campaign.State.DRAFT)
        plan, _made = Plan.objects.get_or_create(campaign=campaign, defaults={"saved_at": at, "saved_by": by})
        plan.steps = {**plan.steps, step: _lists(typed)}
        plan.saved_at, plan.saved_by = at, by
        plan.save()
    return plan


def _lists(typed: Typed) -> dict[str, list[str]]:
    return {name: [value.replace("\x00", "") for value in values] for name, values in typed.items()}


def bring_document(
    campaign_id: int, item: str, *, file_name: str, data: bytes, name: str, brought_by: str, at: datetime
) -> LawDocument:
    """Keep a paper that an item of the checklist asks for, and that ``name`` stands for it. Raises `BadCampaign`."""
    media_type = next((kind for start, kind in _KINDS.items() if data.startswith(start)), None)
    if media_type is None or len(data) > MOST_BYTES:
        raise BadCampaign(_("Upload a PDF, PNG or JPEG file of at most 5 MB."))
    with transaction.atomic():
        campaign = locked(campaign_id, Campaign.State.DRAFT)
        document = LawDocument.objects.create(
            campaign=campaign,
            item=item,
            name=file_name.replace("\x00", "")[-120:],
            media_type=media_type,
            data=data,
            hash=sha256(data).digest(),
            brought_by=brought_by,
            at=at,
        )
        SignOff.objects.create(
            campaign=campaign, item=item, name=name.strip()[:100], note="", signed_by=brought_by, at=at
        )
    return document
