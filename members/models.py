"""People who earn: members known by their telephone number, and holders whom only an API client can name yet."""

import uuid
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from common.ids import new_public_id
from common.phone import mask_phone
from ledger.models import Account
from staff import vault

PHONE_FIELD = "members.Member.phone"
NAME_FIELD = "members.Member.name"


class Member(models.Model):
    """A consumer. Provisional when a redemption names the number first; active from the first sign-in.

    An erased member is a tombstone: no number, no name, a closed account with nothing on it.
    """

    MOST_FAILURES = 100  # wrong codes in a row, before a person must look

    class State(models.TextChoices):
        PROVISIONAL = "provisional", pgettext_lazy("member", "provisional")
        ACTIVE = "active", pgettext_lazy("member", "active")
        ERASED = "erased", pgettext_lazy("member", "erased")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "mem"))
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    phone_cipher = models.BinaryField(null=True)
    phone_index = models.BinaryField(max_length=vault.INDEX_BYTES, unique=True, null=True)
    name_cipher = models.BinaryField(null=True)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.PROVISIONAL)
    account = models.OneToOneField(Account, models.PROTECT, related_name="+", verbose_name=_("account"))
    language = models.CharField(_("language"), max_length=7, blank=True, default="")
    created_at = models.DateTimeField(_("member since"))
    activated_at = models.DateTimeField(_("first sign-in"), null=True)
    erased_at = models.DateTimeField(_("erased at"), null=True)
    failures = models.PositiveSmallIntegerField(_("wrong codes in a row"), default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    state="erased", phone_cipher=None, phone_index=None, name_cipher=None, erased_at__isnull=False
                )
                | Q(
                    state__in=["provisional", "active"],
                    phone_cipher__isnull=False,
                    phone_index__isnull=False,
                    erased_at=None,
                ),
                name="member_has_a_number_until_erased",
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | Q(activated_at__isnull=False), name="active_member_has_signed_in"
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="member_newest_first")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def phone(self) -> str:
        """The number as E.164, decrypted; empty once erased."""
        if self.phone_cipher is None:
            return ""
        return vault.unseal(bytes(self.phone_cipher), field=PHONE_FIELD, row=self.uuid)

    @property
    def masked_phone(self) -> str:
        """The number as people see it: 138****8000; empty once erased."""
        return mask_phone(self.phone) if self.phone_cipher is not None else ""

    @property
    def name(self) -> str:
        """The name, decrypted; empty if unknown or erased."""
        if self.name_cipher is None:
            return ""
        return vault.unseal(bytes(self.name_cipher), field=NAME_FIELD, row=self.uuid)


class Consent(models.Model):
    """What a member allowed or took back, for which purpose, under which wording. Append-only: the newest row counts."""

    class Purpose(models.TextChoices):
        TERMS = "terms", _("programme terms")
        MARKETING = "marketing", _("news and offers")
        PRECISE_PLACE = "precise_place", _("precise place of a scan")

    member = models.ForeignKey(Member, models.PROTECT, related_name="consents")
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices)
    granted = models.BooleanField(_("granted"))
    wording_version = models.CharField(_("wording"), max_length=20)
    door = models.CharField(_("door"), max_length=8)
    at = models.DateTimeField(_("at"))

    class Meta:
        indexes = [models.Index(fields=["member", "purpose", "-id"], name="consent_newest_of_purpose")]


class SignInCode(models.Model):
    """The one-time code now under way to one number. The digits are nowhere: they are derived from ``uuid`` by HMAC."""

    phone_index = models.BinaryField(max_length=vault.INDEX_BYTES, unique=True)
    uuid = models.UUIDField()
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)


class CodeSend(models.Model):
    """One sending of a one-time code, kept for an hour, since sends are limited per number, network, country and brand."""

    phone_index = models.BinaryField(max_length=vault.INDEX_BYTES)
    network_index = models.BinaryField(max_length=vault.INDEX_BYTES)
    country = models.PositiveSmallIntegerField(help_text=_("calling code"))
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["at"], name="code_send_by_time")]


class PendingHolder(models.Model):
    """The end user of an API client, known only by that client's own reference: points wait here to be claimed.

    Claimed: ``claimed_by`` names the member who earns from then on. Lapsed: the reference is cleared, so that the same
    person starts anew.
    """

    client_id = models.BigIntegerField()
    asker_index = models.BinaryField(max_length=vault.INDEX_BYTES, null=True)
    account = models.OneToOneField(Account, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    lapses_at = models.DateTimeField()
    claimed_by = models.ForeignKey(Member, models.PROTECT, null=True, related_name="claims")
    claimed_at = models.DateTimeField(null=True)
    lapsed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client_id", "asker_index"], name="asker_of_a_client_has_one_holder"),
            models.CheckConstraint(
                condition=Q(claimed_by=None, claimed_at=None) | Q(claimed_by__isnull=False, claimed_at__isnull=False),
                name="claim_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(lapsed_at=None) | Q(asker_index=None), name="lapsed_holder_has_no_reference"
            ),
        ]
        indexes = [
            models.Index(
                fields=["lapses_at"], condition=Q(claimed_by=None, lapsed_at=None), name="holder_waiting_to_lapse"
            )
        ]


class Erasure(models.Model):
    """That a member asked to be forgotten and was. Append-only; holds nothing about the person."""

    member = models.OneToOneField(Member, models.PROTECT, related_name="erasure")
    asked_by = models.CharField(_("asked by"), max_length=60)
    points_settled = models.BigIntegerField(_("points settled"))
    at = models.DateTimeField(_("at"))
