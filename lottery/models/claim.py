"""Claims: units won, on their way to those who won them, with what that takes: details, documents, codes, payouts."""

import uuid
from datetime import date
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from common.ids import new_public_id
from ledger.models import Account
from lottery.claims import last_day
from lottery.models.campaign import Campaign
from lottery.models.prize import PrizeTier
from members.models import Member
from staff import vault

DETAILS_FIELD = "lottery.ClaimDetails.cipher"
DOCUMENT_FIELD = "lottery.ClaimDocument.cipher"
CODE_FIELD = "lottery.VoucherCode.cipher"


class Claim(models.Model):
    """One unit won by somebody, on its way to them. Its moves are rows of `ClaimMove`.

    Of a play or of a pick. A refusal, expiry or disqualification of a pick makes a claim of the tier's next alternate.
    ``moved_at`` is null until the first step after the win. Which step may follow which: `lottery.claims.NEXT`.
    """

    class State(models.TextChoices):
        WON = "won", pgettext_lazy("claim", "won")
        NOTIFIED = "notified", pgettext_lazy("claim", "notified")
        CLAIMED = "claimed", pgettext_lazy("claim", "claimed")
        CHECKED = "checked", pgettext_lazy("claim", "checked")
        APPROVED = "approved", pgettext_lazy("claim", "approved")
        SENT = "sent", pgettext_lazy("claim", "sent")
        PAID = "paid", pgettext_lazy("claim", "paid")
        DONE = "done", pgettext_lazy("claim", "done")
        REFUSED = "refused", pgettext_lazy("claim", "refused")
        EXPIRED = "expired", pgettext_lazy("claim", "expired")
        DISQUALIFIED = "disqualified", pgettext_lazy("claim", "disqualified")

    ENDED_WITHOUT = ("refused", "expired", "disqualified")
    WAITING = ("won", "notified")  # for the winner, until the deadline

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "clm"))
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="claims")
    tier = models.ForeignKey(PrizeTier, models.PROTECT, related_name="claims", verbose_name=_("prize"))
    play = models.OneToOneField("lottery.Play", models.PROTECT, null=True, blank=True, related_name="claim")
    pick = models.OneToOneField("lottery.Pick", models.PROTECT, null=True, blank=True, related_name="claim")
    unit = models.PositiveIntegerField(_("unit"), help_text=_("which of the tier's units; 0 in an instant game"))
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", help_text=_("of who won"))
    member = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.WON)
    won_at = models.DateTimeField(_("won at"))
    deadline_at = models.DateTimeField(_("claim until"))
    moved_at = models.DateTimeField(_("last step at"), null=True)
    reminded = models.PositiveSmallIntegerField(_("reminders sent"), default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(play=None, pick__isnull=False) | Q(play__isnull=False, pick=None),
                name="claim_is_of_a_play_or_a_pick",
            ),
        ]
        indexes = [
            models.Index(
                fields=["deadline_at"],
                condition=Q(state__in=["won", "notified"]),
                name="claim_waiting_for_its_winner",
            ),
            models.Index(fields=["-won_at", "-id"], name="claim_newest_first"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def last_day(self) -> date:
        """The last day on which it can be claimed, in the campaign's zone."""
        return last_day(self.deadline_at, self.campaign.zone)


class ClaimMove(models.Model):
    """One step of a claim: from where to where, when, by whom and why. Append-only."""

    claim = models.ForeignKey(Claim, models.PROTECT, related_name="moves")
    before = models.CharField(max_length=12, blank=True, default="")
    after = models.CharField(max_length=12, choices=Claim.State.choices)
    reason = models.CharField(_("reason"), max_length=60, blank=True, default="")
    moved_by = models.CharField(_("by"), max_length=150, blank=True, default="")
    at = models.DateTimeField(_("at"))


class ClaimDetails(models.Model):
    """What the winner told us for one claim, encrypted: name, address, where to pay. Null once it is forgotten."""

    claim = models.OneToOneField(Claim, models.PROTECT, primary_key=True, related_name="details")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    cipher = models.BinaryField(null=True)
    courier = models.CharField(_("courier"), max_length=40, blank=True, default="")
    tracking_no = models.CharField(_("tracking number"), max_length=60, blank=True, default="")
    given_at = models.DateTimeField(_("given at"))


class ClaimDocument(models.Model):
    """A picture that proves who claims, encrypted, seen by staff; the picture is deleted 90 days after the claim ended."""

    class Kind(models.TextChoices):
        IDENTITY = "identity", _("identity document")
        TAX = "tax", _("tax form")
        NOTARY = "notary", _("notary's certificate")

    claim = models.ForeignKey(Claim, models.PROTECT, related_name="documents")
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    cipher = models.BinaryField(null=True)
    added_at = models.DateTimeField(_("added at"))
    added_by = models.CharField(_("added by"), max_length=150)
    seen_at = models.DateTimeField(_("seen at"), null=True, blank=True)
    seen_by = models.CharField(_("seen by"), max_length=150, blank=True, default="")
    deleted_at = models.DateTimeField(_("picture deleted at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(cipher__isnull=False, deleted_at=None) | Q(cipher=None, deleted_at__isnull=False),
                name="document_has_its_picture_until_deleted",
            ),
            models.CheckConstraint(
                condition=Q(seen_at=None, seen_by="") | Q(seen_at__isnull=False) & ~Q(seen_by=""),
                name="document_says_who_saw_it",
            ),
        ]


class VoucherCode(models.Model):
    """One code of the stock of a prize, encrypted. It goes to one claim, for ever; ``index`` finds a code held twice."""

    tier = models.ForeignKey(PrizeTier, models.PROTECT, related_name="codes", db_index=False)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    cipher = models.BinaryField()
    index = models.BinaryField(max_length=vault.INDEX_BYTES, unique=True)
    claim = models.OneToOneField(Claim, models.PROTECT, null=True, blank=True, related_name="code")
    taken_at = models.DateTimeField(_("taken at"), null=True, blank=True)
    uploaded_at = models.DateTimeField(_("uploaded at"))
    uploaded_by = models.CharField(_("uploaded by"), max_length=150)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(claim=None, taken_at=None) | Q(claim__isnull=False, taken_at__isnull=False),
                name="code_is_taken_by_a_claim",
            ),
        ]
        indexes = [
            models.Index(fields=["tier", "id"], condition=Q(claim=None), name="code_in_stock"),
        ]


class Payout(models.Model):
    """The payment of one cash prize. ``key`` is its idempotency key for life: under it money moves at most once.

    A call that brought no answer leaves it ``unknown``: the payer is asked again, under the same key, until it says.
    """

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("payout", "waiting")
        ASKED = "asked", pgettext_lazy("payout", "under way")
        UNKNOWN = "unknown", pgettext_lazy("payout", "unknown")
        PAID = "paid", pgettext_lazy("payout", "paid")
        FAILED = "failed", pgettext_lazy("payout", "refused by the payer")

    UNDER_WAY = ("waiting", "asked", "unknown")

    claim = models.OneToOneField(Claim, models.PROTECT, related_name="payout")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    amount = models.BigIntegerField(_("amount"), help_text=_("in minor units"))
    currency = models.CharField(_("currency"), max_length=3)
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.WAITING)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    due_at = models.DateTimeField(_("next try at"))
    problem = models.CharField(_("problem"), max_length=60, blank=True, default="")
    reference = models.CharField(_("payer's number"), max_length=80, blank=True, default="")
    made_at = models.DateTimeField(_("made at"))
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payout_is_above_zero"),
            models.CheckConstraint(
                condition=Q(state="paid", paid_at__isnull=False) & ~Q(reference="")
                | ~Q(state="paid") & Q(paid_at=None),
                name="payout_that_is_paid_has_its_number",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(state__in=["waiting", "asked", "unknown"]), name="payout_to_be_made"
            ),
        ]
