"""The platform's own rows, in the public schema only: who the brands are and where they answer."""

import uuid

from django.db import models
from django.utils.translation import get_language, gettext_lazy as _, pgettext_lazy
from django_tenants.models import DomainMixin, TenantMixin


class Brand(TenantMixin):
    """One brand; its business data live in the PostgreSQL schema named ``schema_name``."""

    class ActivationRequires(models.TextChoices):
        RECEIVED = "received", _("rolls received")
        GENERATED = "generated", _("batch generated")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name in English"), max_length=60)
    name_zh = models.CharField(_("name in Chinese"), max_length=30)
    short_name = models.CharField(_("name in messages, English"), max_length=18)
    short_name_zh = models.CharField(_("name in messages, Chinese"), max_length=8)
    hotline = models.CharField(_("hotline"), max_length=16)
    default_language = models.CharField(_("default language"), max_length=7, default="zh-hans")
    time_zone = models.CharField(_("time zone"), max_length=40, default="Asia/Shanghai")
    colour = models.CharField(_("brand colour"), max_length=7, default="#1f3f6e")
    on_colour = models.CharField(_("text on brand colour"), max_length=7, default="#ffffff")
    logo_svg = models.TextField(_("logo (SVG)"), blank=True, default="")
    filing_no = models.CharField(_("filing number"), max_length=40, blank=True, default="")
    activation_requires = models.CharField(
        _("activation requires"),
        max_length=10,
        choices=ActivationRequires.choices,
        default=ActivationRequires.RECEIVED,
    )
    activation_limit = models.BigIntegerField(
        _("labels that one person may put on sale at once"), null=True, blank=True
    )
    claim_limit = models.BigIntegerField(
        _("prize above which two persons approve a claim"),
        default=100_000,
        db_default=100_000,
        help_text=_("market price, in minor units of the prize's currency"),
    )
    gs1_prefix = models.CharField(_("GS1 company prefix"), max_length=10, blank=True, default="")
    labels_max_odds = models.FloatField(_("highest guess odds"), default=1e-6)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(activation_requires__in=["received", "generated"]),
                name="activation_requires_something_known",
            ),
            models.CheckConstraint(
                condition=models.Q(labels_max_odds__gt=0, labels_max_odds__lte=1e-4),
                name="guess_odds_stay_below_the_law",  # Commission Delegated Regulation (EU) 2016/161, Article 4 (c)
            ),
            models.CheckConstraint(
                condition=models.Q(activation_limit=None) | models.Q(activation_limit__gte=1),
                name="activation_limit_is_above_zero",
            ),
            models.CheckConstraint(condition=models.Q(claim_limit__gte=0), name="claim_limit_is_not_negative"),
            models.CheckConstraint(
                condition=models.Q(gs1_prefix__regex=r"^([0-9]{4,10})?$"), name="gs1_prefix_is_4_to_10_digits"
            ),
        ]

    auto_create_schema = True
    auto_drop_schema = False

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The brand's name in the reader's language."""
        return self.name_zh if (get_language() or "").startswith("zh") else self.name

    @property
    def message_name(self) -> str:
        """The brand's short name, for messages, in the reader's language."""
        return self.short_name_zh if (get_language() or "").startswith("zh") else self.short_name


class Domain(DomainMixin):
    """A host name at which a brand answers."""


class SlotLease(models.Model):
    """A platform-wide code slot (N20, B16) lent to one brand: a message can then be routed by its code alone."""

    form = models.CharField(max_length=3)
    number = models.PositiveIntegerField()
    brand = models.ForeignKey(Brand, models.PROTECT, related_name="slot_leases")
    leased_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["form", "number"], condition=models.Q(ended_at=None), name="slot_is_leased_to_one_brand"
            )
        ]


class CarrierAccount(models.Model):
    """An account of the platform with a carrier. Its tokens are wrapped by the key-encryption key.

    ``path_digest`` (SHA-256) finds the account by the secret in the path of carriers that do not sign; ``sources`` are
    the networks from which such a carrier may call ("203.0.113.0/24").
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=40, unique=True)
    carrier = models.CharField(_("carrier"), max_length=20)
    secrets_blob = models.BinaryField()
    path_digest = models.BinaryField(max_length=32, null=True, unique=True)
    sources = models.JSONField(_("source networks"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"))


class PhoneNumber(models.Model):
    """A number at which people text or call: of one brand, or (``brand`` empty) shared by those with platform slots.

    ``base_url`` is the address at which the carrier was told to reach us, against which signatures are checked; empty:
    `PUBLIC_BASE_URL`. ``texts``: see `sms_gateway.doors.Line`.
    """

    e164 = models.CharField(pgettext_lazy("telephone", "number"), max_length=20)
    account = models.ForeignKey(CarrierAccount, models.PROTECT, related_name="numbers")
    brand = models.ForeignKey(Brand, models.PROTECT, null=True, blank=True, related_name="phone_numbers")
    base_url = models.URLField(_("webhook base URL"), max_length=200, blank=True, default="")
    languages = models.JSONField(_("languages"), default=list)
    texts = models.JSONField(_("texts"), default=dict, blank=True)
    takes_texts = models.BooleanField(_("takes messages"), default=True)
    takes_calls = models.BooleanField(_("takes calls"), default=False)
    preference = models.PositiveSmallIntegerField(
        pgettext_lazy("rank", "order"),
        default=10,
        help_text=_("messages leave by the number with the lowest order that works"),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["e164", "account"], name="a_number_stands_once_with_an_account"),
            models.CheckConstraint(
                condition=models.Q(takes_calls=False) | models.Q(brand__isnull=False),
                name="a_number_that_takes_calls_has_a_brand",
            ),
        ]


class UnroutedMessage(models.Model):
    """A message to a shared number that names no brand's slot: answered, and shown to no brand.

    Nothing personal is kept: the sender's number only masked, of the text nothing but its length.
    """

    carrier = models.CharField(max_length=20)
    message_id = models.CharField(max_length=80)
    number = models.CharField(max_length=20)
    sender_masked = models.CharField(max_length=20)
    length = models.PositiveIntegerField()
    form = models.CharField(max_length=3, blank=True, default="")
    slot = models.PositiveIntegerField(null=True, blank=True)
    language = models.CharField(max_length=7)
    answered = models.BooleanField(default=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["carrier", "message_id"], name="unrouted_message_comes_in_once")]
