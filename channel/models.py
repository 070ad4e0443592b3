"""The brand's route to market: who sells and who recommends, each with an account in the one ledger."""

from functools import partial

from django.db import models
from django.utils.translation import get_language, gettext_lazy as _, pgettext_lazy

from common.ids import new_public_id
from ledger.models import Account


class Partner(models.Model):
    """A firm or a person on the way to the consumer. ``number`` is what is printed, spoken and named at redemption."""

    class Kind(models.TextChoices):
        DISTRIBUTOR = "distributor", _("distributor")
        RETAILER = "retailer", _("retailer")
        PROMOTER = "promoter", _("promoter")

    class State(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("partner", "active")
        PAUSED = "paused", pgettext_lazy("partner", "paused")
        CLOSED = "closed", pgettext_lazy("partner", "closed")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "par"))
    number = models.CharField(_("number"), max_length=12, unique=True)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    name = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=40, blank=True)
    region = models.CharField(_("region code"), max_length=20, blank=True)
    region_name = models.CharField(_("region in English"), max_length=60, blank=True)
    region_name_zh = models.CharField(_("region in Chinese"), max_length=30, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.ACTIVE)
    account = models.OneToOneField(Account, models.PROTECT, related_name="+", verbose_name=_("account"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(number__regex=r"^[A-Z][0-9]{4,11}$"), name="partner_number_is_letter_and_digits"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["distributor", "retailer", "promoter"]), name="partner_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["active", "paused", "closed"]), name="partner_state_is_known"
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="partner_newest_first")]

    def __str__(self) -> str:
        return f"{self.number} {self.display_name}"

    @property
    def display_name(self) -> str:
        """The name in the reader's language, if it is known in that language."""
        return (self.name_zh if (get_language() or "").startswith("zh") else self.name) or self.name

    @property
    def display_region(self) -> str:
        """The region in the reader's language, if it is known in that language."""
        chinese = (get_language() or "").startswith("zh")
        return (self.region_name_zh if chinese else self.region_name) or self.region_name
