"""Telephone calls, turn by turn."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from staff import vault

CALLER_FIELD = "sms_gateway.Call.caller"
DIGITS_FIELD = "sms_gateway.CallTurn.digits"
ANSWER_FIELD = "sms_gateway.CallTurn.answer"
STATE_FIELD = "sms_gateway.CallTurn.state"


class Call(models.Model):
    """One call to one of the brand's numbers. ``caller_index`` is null where the number is withheld, or forgotten."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    carrier = models.CharField(_("carrier"), max_length=20)
    call_id = models.CharField(_("the carrier's id"), max_length=80)
    number = models.CharField(_("our number"), max_length=20)
    caller_cipher = models.BinaryField(null=True)
    caller_index = models.BinaryField(max_length=vault.INDEX_BYTES, null=True)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    duration_s = models.PositiveIntegerField(_("seconds"), null=True, blank=True)
    cost = models.BigIntegerField(_("cost"), default=0, help_text=_("millionths of the currency"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["carrier", "call_id"], name="call_comes_in_once"),
            models.CheckConstraint(
                condition=Q(caller_cipher=None, caller_index=None)
                | Q(caller_cipher__isnull=False, caller_index__isnull=False),
                name="caller_is_known_or_not",
            ),
        ]
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="call_newest_first"),
            models.Index(fields=["caller_index", "-id"], name="call_by_number"),
        ]


class CallTurn(models.Model):
    """One question of the carrier's and our answer (TwiML), kept so that the same question gets the same answer.

    Digits, answer and state may hold a secret code: all three are encrypted, and cleared a day later.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    call = models.ForeignKey(Call, models.PROTECT, related_name="turns")
    turn = models.PositiveSmallIntegerField()
    step = models.CharField(max_length=40)
    language = models.CharField(max_length=7)
    digits_cipher = models.BinaryField(null=True)
    answer_cipher = models.BinaryField(null=True)
    state_cipher = models.BinaryField(null=True)
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["call", "turn"], name="a_turn_is_asked_once")]
        indexes = [models.Index(fields=["asked_at"], condition=~Q(answer_cipher=None), name="turn_to_be_cleared")]
