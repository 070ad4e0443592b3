"""Text messages in and out, each try to send one, each report about one, and who wants none."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from staff import vault

TO_FIELD = "sms_gateway.OutboundMessage.to"
BODY_FIELD = "sms_gateway.OutboundMessage.body"
FROM_FIELD = "sms_gateway.InboundMessage.from"
TEXT_FIELD = "sms_gateway.InboundMessage.body"


class OutboundMessage(models.Model):
    """One text message to one number. Number and text are encrypted; ``to_index`` finds a person's messages again.

    A row is written in the transaction that gives rise to it and sent afterwards; a reply that went out with the answer
    to the carrier's own request is SENT from the start. The state only rises (`RANKS`), whatever order reports come in.
    """

    class Purpose(models.TextChoices):
        ONE_TIME_CODE = "one_time_code", _("one-time code")
        REPLY = "reply", _("reply")
        NOTICE = "notice", _("notice")
        MARKETING = "marketing", _("marketing")

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("message", "waiting")
        SENDING = "sending", pgettext_lazy("message", "being sent")
        SENT = "sent", pgettext_lazy("message", "sent")
        FAILED = "failed", pgettext_lazy("message", "failed")
        UNDELIVERED = "undelivered", pgettext_lazy("message", "undelivered")
        DELIVERED = "delivered", pgettext_lazy("message", "delivered")
        PARKED = "parked", pgettext_lazy("message", "parked")
        REFUSED = "refused", pgettext_lazy("message", "not sent")

    RANKS = {
        State.WAITING: 0,
        State.PARKED: 0,
        State.REFUSED: 0,
        State.SENDING: 1,
        State.SENT: 2,
        State.FAILED: 3,
        State.UNDELIVERED: 3,
        State.DELIVERED: 4,
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    to_cipher = models.BinaryField(null=True)
    to_index = models.BinaryField(max_length=vault.INDEX_BYTES, null=True)
    body_cipher = models.BinaryField(null=True)
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices)
    language = models.CharField(_("language"), max_length=7, blank=True, default="")
    template = models.CharField(
        _("template"),
        max_length=40,
        blank=True,
        default="",
        help_text=_("its name, where a carrier takes templates only"),
    )
    parameters_cipher = models.BinaryField(null=True)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.WAITING)
    priority = models.PositiveSmallIntegerField(_("priority"), help_text=_("the lowest number goes first"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("not before"))
    problem = models.CharField(_("problem"), max_length=60, blank=True, default="")
    number = models.CharField(_("our number"), max_length=20, blank=True, default="")
    carrier = models.CharField(_("carrier"), max_length=20, blank=True, default="")
    carrier_ref = models.CharField(_("the carrier's reference"), max_length=64, blank=True, default="")
    parts = models.PositiveSmallIntegerField(_("parts"), default=1)
    cost = models.BigIntegerField(_("cost"), default=0, help_text=_("millionths of the currency"))
    created_at = models.DateTimeField(_("created at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(to_cipher=None, to_index=None, body_cipher=None)
                | Q(to_cipher__isnull=False, to_index__isnull=False, body_cipher__isnull=False),
                name="message_is_whole_or_forgotten",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("parked", "refused")) | ~Q(problem=""), name="what_is_not_sent_says_why"
            ),
        ]
        indexes = [
            models.Index(
                fields=["priority", "id"],
                condition=Q(state__in=("waiting", "sending")),
                name="message_waiting_in_order",
            ),
            models.Index(fields=["to_index", "-id"], name="message_by_number"),
            models.Index(fields=["-created_at", "-id"], name="message_newest_first"),
            models.Index(fields=["carrier_ref"], condition=~Q(carrier_ref=""), name="message_by_carrier_ref"),
            models.Index(fields=["state", "-id"], condition=Q(state__in=("parked", "refused")), name="message_stopped"),
        ]


class InboundMessage(models.Model):
    """One text message from outside, kept before anything is decided about it.

    ``(carrier, message_id)`` is the carrier's own name for it: a message that comes again meets the first one's row and
    gets the first one's answer. Until the decision ``body_cipher`` holds the text as it came, afterwards the text with
    its codes masked; ``body_mac`` tells equal texts apart from others. ``due_at`` is until when whoever decides has
    it to himself, and then from when it may be tried again.
    """

    class State(models.TextChoices):
        NEW = "new", pgettext_lazy("message in", "new")
        DECIDED = "decided", pgettext_lazy("message in", "answered")
        PARKED = "parked", pgettext_lazy("message in", "parked")

    class ReplyState(models.TextChoices):
        NONE = "none", pgettext_lazy("reply", "none yet")
        INLINE = "inline", pgettext_lazy("reply", "with the answer to the carrier")
        OUTBOX = "outbox", pgettext_lazy("reply", "as a message of its own")
        SILENT = "silent", pgettext_lazy("reply", "none")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    carrier = models.CharField(_("carrier"), max_length=20)
    message_id = models.CharField(_("the carrier's id"), max_length=80)
    number = models.CharField(_("our number"), max_length=20)
    from_cipher = models.BinaryField(null=True)
    from_index = models.BinaryField(max_length=vault.INDEX_BYTES, null=True)
    body_cipher = models.BinaryField(null=True)
    body_mac = models.BinaryField(max_length=vault.INDEX_BYTES)
    received_at = models.DateTimeField(_("received at"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.NEW)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("not before"))
    problem = models.CharField(_("problem"), max_length=60, blank=True, default="")
    decided_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    reply_state = models.CharField(_("reply"), max_length=7, choices=ReplyState.choices, default=ReplyState.NONE)
    silence = models.CharField(_("why there is no reply"), max_length=20, blank=True, default="")
    reply = models.OneToOneField(OutboundMessage, models.PROTECT, null=True, blank=True, related_name="answers")
    error_mac = models.BinaryField(max_length=vault.INDEX_BYTES, null=True)
    opt_out = models.CharField(max_length=8, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["carrier", "message_id"], name="message_comes_in_once"),
            models.CheckConstraint(
                condition=Q(state="decided", decided_at__isnull=False) | (~Q(state="decided") & Q(decided_at=None)),
                name="answered_messages_have_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(reply_state="inline") | Q(reply__isnull=False), name="an_inline_reply_is_kept"
            ),
            models.CheckConstraint(condition=~Q(state="parked") | ~Q(problem=""), name="what_is_parked_says_why"),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(state="new"), name="inbound_undecided"),
            models.Index(fields=["from_index", "-id"], name="inbound_by_number"),
            models.Index(fields=["-received_at", "-id"], name="inbound_newest_first"),
            models.Index(
                fields=["from_index", "error_mac", "decided_at"],
                condition=Q(error_mac__isnull=False, silence=""),
                name="inbound_same_error",
            ),
        ]


class SendTry(models.Model):
    """One call to a carrier to send a message, and what it said."""

    message = models.ForeignKey(OutboundMessage, models.PROTECT, related_name="tries")
    number = models.CharField(max_length=20)
    carrier = models.CharField(max_length=20)
    at = models.DateTimeField()
    took_ms = models.PositiveIntegerField()
    ok = models.BooleanField()
    code = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["-at"], name="send_try_newest_first")]


class DeliveryReport(models.Model):
    """What a carrier reported about a message. Every report is kept; the same one twice is one (``mac``)."""

    message = models.ForeignKey(OutboundMessage, models.PROTECT, related_name="reports")
    status = models.CharField(max_length=20)
    code = models.CharField(max_length=40, blank=True, default="")
    parts = models.PositiveSmallIntegerField(null=True, blank=True)
    cost = models.BigIntegerField(null=True, blank=True)
    at = models.DateTimeField()
    mac = models.BinaryField(max_length=vault.INDEX_BYTES)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "mac"], name="a_report_is_kept_once")]


class Suppression(models.Model):
    """A number that wants no notices and no marketing from this brand, whatever carrier they would go by.

    It holds until the same number asks for messages again; erasing a member keeps it, as the wish outlives the member.
    """

    class Source(models.TextChoices):
        KEYWORD = "keyword", _("a message from the number")
        CARRIER = "carrier", _("the carrier")
        STAFF = "staff", _("staff")

    to_index = models.BinaryField(max_length=vault.INDEX_BYTES)
    source = models.CharField(_("by"), max_length=8, choices=Source.choices)
    since_at = models.DateTimeField(_("since"))
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["to_index"], condition=Q(lifted_at=None), name="a_number_is_suppressed_once"
            )
        ]
