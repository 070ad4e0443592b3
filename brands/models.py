"""The platform's own rows, in the public schema only: who the brands are and where they answer."""

import uuid

from django.db import models
from django.utils.translation import get_language, gettext_lazy as _
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
        default=ActivationRequires.GENERATED,
    )
    labels_max_odds = models.FloatField(_("highest guess odds"), default=1e-6)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

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
