"""Notices to winners, on the door they came by: that they won, and that the time to claim runs out."""

from datetime import datetime
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from brands.queries import base_url
from common.db import inside_transaction
from lottery import claims as rules
from lottery.models import Claim
from lottery.services.claiming import notified
from members.models import Member
from sms_gateway.models import OutboundMessage
from sms_gateway.services import queue_message
from staff.keys import brand_uuid

MOST = 200


def tell_winners(*, at: datetime) -> int:
    """Send word to winners whom no door has told; return how many. One notice a claim, whoever sweeps."""
    claims = Claim.objects.filter(state=Claim.State.WON, deadline_at__gt=at).exclude(member=None)
    count = 0
    for claim in claims.select_related("tier", "campaign", "member").order_by("pk")[:MOST]:
        with transaction.atomic():
            if notified([claim.pk], at=at, how="sms"):
                queue_notice(claim, won_text(claim), key="won", at=at)
                count += 1
    return count


def remind_winners(*, at: datetime) -> int:
    """Remind those who have not claimed: at half time, seven days and one day before the end; return how many.

    A sweep that was late sends one reminder for all that are due.
    """
    waiting = Claim.objects.filter(state=Claim.State.NOTIFIED, deadline_at__gt=at).exclude(member=None)
    count = 0
    for claim in waiting.select_related("tier", "campaign", "member").order_by("deadline_at", "pk").iterator():
        due = sum(moment <= at for moment in rules.reminders(claim.won_at, claim.deadline_at))
        if due <= claim.reminded:
            continue
        with transaction.atomic():
            mine = Claim.objects.filter(pk=claim.pk, reminded=claim.reminded, state=Claim.State.NOTIFIED)
            if mine.update(reminded=due):
                queue_notice(claim, reminder_text(claim), key=f"reminder-{due}", at=at)
                count += 1
    return count


@inside_transaction
def queue_notice(claim: Claim, text: str, *, key: str, at: datetime) -> OutboundMessage | None:
    """Keep a notice to the winner's number for sending; None where there is none any more. Once for each ``key``."""
    member = claim.member
    if member is None or not member.phone:
        return None
    return queue_message(
        member.phone,
        text,
        purpose=OutboundMessage.Purpose.NOTICE,
        at=at,
        language=member.language,
        key=uuid5(UUID(bytes=brand_uuid()), f"claim/{claim.public_id}/{key}"),
    )


def language_of(member: Member | None) -> str:
    """Return the catalogue in which somebody is told."""
    tag = (member.language if member else "") or connection.tenant.default_language  # type: ignore[attr-defined]
    return "zh-hans" if tag.startswith("zh") else "en"


def won_text(claim: Claim) -> str:
    """Return what a winner is told first."""
    with translation.override(language_of(claim.member)):
        return _("%(brand)s: you have won %(prize)s. Claim it by %(day)s: %(url)s") % _values(claim)


def reminder_text(claim: Claim) -> str:
    """Return what a winner is told again."""
    with translation.override(language_of(claim.member)):
        return _("%(brand)s: your prize %(prize)s is waiting until %(day)s. Claim it: %(url)s") % _values(claim)


def _values(claim: Claim) -> dict[str, str]:
    return {
        "brand": connection.tenant.message_name,  # type: ignore[attr-defined]
        "prize": claim.tier.display_name,
        "day": date_format(claim.last_day, "SHORT_DATE_FORMAT"),
        "url": f"{base_url()}/me/prizes",
    }
