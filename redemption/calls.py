"""Calls as support sees them: who calls, what was keyed, what was noted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from common.db import inside_transaction
from common.errors import Invalid, NotFound
from common.phone import mask_phone
from members.models import Member
from redemption.models import CallNote, Request, Scan
from redemption.receipts import receipts_of
from redemption.rules import Door, Receipt
from sms_gateway.models import Call
from sms_gateway.models.calls import CALLER_FIELD
from staff import vault

LASTS_AT_MOST = timedelta(minutes=30)  # a call whose end the carrier never reported
SHOWN_AFTER = timedelta(minutes=2)
SHOWN_AT_ONCE = 3
NOTE_LENGTH = 300
KINDS = {
    "genuine": _("Is it genuine?"),
    "points": _("Points"),
    "complaint": _("Complaint"),
    "other": _("Something else"),
}


class BadNote(Invalid):
    """A note says what the call was about, in at most 300 characters."""

    code = "bad_note"


@dataclass(frozen=True, slots=True)
class Card:
    """One call with what is known about its caller. ``heard``: what the telephone has told in this call, newest first."""

    call: Call
    caller: str
    member: Member | None
    balance: int
    calls_before: int
    heard: list[Receipt]
    notes: list[CallNote]
    notes_before: list[CallNote]

    @property
    def is_over(self) -> bool:
        return self.call.ended_at is not None

    @property
    def withheld(self) -> bool:
        """Whether the caller shows no number (or it is forgotten by now)."""
        return self.call.caller_index is None


def calls_now(*, at: datetime) -> QuerySet[Call]:
    """Return the calls that go on, and those that ended a moment ago, newest first; of each caller the last one."""
    going_on = Q(ended_at=None, started_at__gt=at - LASTS_AT_MOST)
    found = Call.objects.filter(going_on | Q(ended_at__gt=at - SHOWN_AFTER))
    later = Call.objects.filter(caller_index=OuterRef("caller_index"), pk__gt=OuterRef("pk"))
    return found.filter(~Exists(later)).order_by("-started_at", "-pk")


def call_of(uuid: UUID) -> Call:
    """Return a call. Raises `NotFound`."""
    found = Call.objects.filter(uuid=uuid).first()
    if found is None:
        raise NotFound
    return found


def caller_of(call: Call) -> str:
    """Return the caller's number as staff see it, empty where it is withheld or forgotten."""
    if call.caller_cipher is None:
        return ""
    return mask_phone(vault.unseal(bytes(call.caller_cipher), field=CALLER_FIELD, row=call.uuid))


def member_of(call: Call) -> Member | None:
    """Return the member who calls, if the number has one."""
    if call.caller_index is None:
        return None
    return Member.objects.select_related("account").filter(phone_index=bytes(call.caller_index)).first()


def card_of(call: Call) -> Card:
    """Return all that support needs while the caller speaks."""
    member = member_of(call)
    before = Call.objects.none()
    if call.caller_index is not None:
        before = Call.objects.filter(caller_index=call.caller_index, pk__lt=call.pk)
    notes_before = CallNote.objects.filter(call_id__in=before.values("pk")).order_by("-pk")[:3]
    return Card(
        call=call,
        caller=caller_of(call),
        member=member,
        balance=member.account.posted if member else 0,
        calls_before=before.count(),
        heard=_heard(call),
        notes=list(CallNote.objects.filter(call_id=call.pk).order_by("pk")),
        notes_before=list(notes_before),
    )


def _heard(call: Call) -> list[Receipt]:
    asked = Request.objects.filter(door=Door.VOICE, request_id__startswith=f"voice:{call.call_id}:")
    scans = Scan.objects.filter(pk__in=list(asked.values_list("scan_id", flat=True))).order_by("-pk")
    return receipts_of(list(scans))


@inside_transaction
def note_call(call: Call, *, kind: str, text: str, by: str, at: datetime) -> CallNote:
    """Keep what a call was about. Raises `BadNote`."""
    if kind not in KINDS or len(text) > NOTE_LENGTH or "\x00" in text:
        raise BadNote
    member = member_of(call)
    return CallNote.objects.create(
        call_id=call.pk, member_id=member.pk if member else None, kind=kind, text=text.strip(), by=by[:150], at=at
    )
