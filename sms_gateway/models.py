"""Messages to telephones, as rows: written in the transaction that gives rise to them, sent afterwards."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from staff import vault

TO_FIELD = "sms_gateway.OutboundMessage.to"
BODY_FIELD = "sms_gateway.OutboundMessage.body"


class OutboundMessage(models.Model):
    """One text message to one number. Number and text are encrypted; ``to_index`` finds a person's messages again.

    Until a carrier is set up nothing leaves: the demo shows the messages on /dev/phone.
    """

    class Purpose(models.TextChoices):
        ONE_TIME_CODE = "one_time_code", _("one-time code")
        REPLY = "reply", _("reply")
        NOTICE = "notice", _("notice")

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("message", "waiting")
        SENT = "sent", pgettext_lazy("message", "sent")
        FAILED = "failed", pgettext_lazy("message", "failed")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    to_cipher = models.BinaryField(null=True)
    to_index = models.BinaryField(max_length=vault.INDEX_BYTES, null=True)
    body_cipher = models.BinaryField(null=True)
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.WAITING)
    priority = models.PositiveSmallIntegerField(_("priority"), help_text=_("the lowest number goes first"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(to_cipher=None, to_index=None, body_cipher=None)
                | Q(to_cipher__isnull=False, to_index__isnull=False, body_cipher__isnull=False),
                name="message_is_whole_or_forgotten",
            )
        ]
        indexes = [
            models.Index(fields=["priority", "id"], condition=Q(state="waiting"), name="message_waiting_in_order"),
            models.Index(fields=["to_index"], name="message_by_number"),
            models.Index(fields=["-created_at", "-id"], name="message_newest_first"),
        ]
