"""Who may not win, and who live together."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Exclusion(models.Model):
    """Somebody who takes part in nothing: by phone (blind index) or device, for the reason given."""

    class Why(models.TextChoices):
        STAFF = "staff", _("staff")
        AGENCY = "agency", _("agency")
        PRINTER = "printer", _("printer")
        PARTNER = "partner", _("partner")
        HOUSEHOLD = "household", _("household of one of these")

    class By(models.TextChoices):
        PHONE = "phone", _("phone")
        DEVICE = "device", _("device")

    by = models.CharField(_("known by"), max_length=6, choices=By.choices)
    index = models.BinaryField(max_length=16)
    why = models.CharField(_("why"), max_length=9, choices=Why.choices)
    note = models.CharField(_("note"), max_length=100, blank=True, default="")
    added_by = models.CharField(_("added by"), max_length=150)
    added_at = models.DateTimeField(_("added at"))
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["by", "index"], condition=Q(removed_at=None), name="somebody_is_excluded_once"
            )
        ]


class Household(models.Model):
    """That the holder of a phone lives in a household: its people count as one where the rules say so."""

    index = models.BinaryField(max_length=16, unique=True)
    household = models.UUIDField()
    declared_at = models.DateTimeField(_("declared at"))

    class Meta:
        indexes = [models.Index(fields=["household"], name="household_by_its_people")]
