"""Who sells and who recommends, each with an account in the one ledger; their contracts and territories."""

from datetime import date
from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language, gettext_lazy as _, pgettext_lazy

from channel.models.regions import Region
from channel.models.units import gs1_check_digit_fits
from common.ids import new_public_id
from labels.models import Product
from ledger.models import Account

_KINDS = ["distributor", "sub_distributor", "retailer", "promoter", "ecommerce"]
_STATES = ["applied", "active", "paused", "closed"]


class Partner(models.Model):
    """A firm or a person on the way to the consumer. ``number`` is what is printed, spoken and named at redemption."""

    class Kind(models.TextChoices):
        DISTRIBUTOR = "distributor", _("distributor")
        SUB_DISTRIBUTOR = "sub_distributor", _("sub-distributor")
        RETAILER = "retailer", _("retailer")
        PROMOTER = "promoter", _("promoter")
        ECOMMERCE = "ecommerce", _("online shop")

    class State(models.TextChoices):
        APPLIED = "applied", pgettext_lazy("partner", "applied")
        ACTIVE = "active", pgettext_lazy("partner", "active")
        PAUSED = "paused", pgettext_lazy("partner", "paused")
        CLOSED = "closed", pgettext_lazy("partner", "closed")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "par"))
    number = models.CharField(_("number"), max_length=12, unique=True)
    kind = models.CharField(_("kind"), max_length=15, choices=Kind.choices)
    name = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=40, blank=True)
    region = models.CharField(_("region code"), max_length=20, blank=True)
    region_name = models.CharField(_("region in English"), max_length=60, blank=True)
    region_name_zh = models.CharField(_("region in Chinese"), max_length=30, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.ACTIVE)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    gln = models.CharField(_("GLN"), max_length=13, blank=True, default="", db_default="")
    zone = models.CharField(_("time zone"), max_length=40, blank=True, default="", db_default="")
    sells_online = models.BooleanField(_("may sell online, all over the country"), default=False, db_default=False)
    account = models.OneToOneField(Account, models.PROTECT, related_name="+", verbose_name=_("account"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(number__regex=r"^[A-Z][0-9]{4,11}$"), name="partner_number_is_letter_and_digits"
            ),
            models.CheckConstraint(condition=Q(kind__in=_KINDS), name="partner_kind_is_known"),
            models.CheckConstraint(condition=Q(state__in=_STATES), name="partner_state_is_known"),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="partner_is_not_its_own_parent"),
            # PostgreSQL asks in the order of names: 13 digits first, so that no cast below can fail.
            models.CheckConstraint(
                condition=Q(gln="") | Q(gln__regex=r"^[0-9]{13}$"), name="partner_gln_a_has_13_digits"
            ),
            models.CheckConstraint(
                condition=Q(gln="") | Q(gs1_check_digit_fits("gln", 13)), name="partner_gln_b_has_its_check_digit"
            ),
            models.UniqueConstraint(fields=["gln"], condition=~Q(gln=""), name="a_gln_is_one_partners"),
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


class Contract(models.Model):
    """What a partner and the brand have signed, by number and days (both inclusive; no last day: until ended)."""

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="contracts")
    number = models.CharField(_("number"), max_length=60)
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["partner", "number"], name="a_contract_is_numbered_once"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="contract_ends_after_it_began"
            ),
        ]


class ProductLine(models.Model):
    """Products that are given to partners together. The fewer products, the narrower the line."""

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "pln"))
    name = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=40, blank=True, default="")
    products = models.ManyToManyField(Product, related_name="+", verbose_name=_("products"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="a_product_line_has_its_own_name")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name in the reader's language, if it is known in that language."""
        return (self.name_zh if (get_language() or "").startswith("zh") else self.name) or self.name


class Territory(models.Model):
    """A region, for a product line or all, that is a partner's from one day to another (both inclusive).

    Of several that hold a place the most specific region wins, then the narrower line, then the later start; two that
    are equal in all this are refused unless both are shared.
    """

    partner = models.ForeignKey(Partner, models.PROTECT, related_name="territories")
    region = models.ForeignKey(Region, models.PROTECT, related_name="territories")
    line = models.ForeignKey(
        ProductLine, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("product line")
    )
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    is_shared = models.BooleanField(_("shared with others"), default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["region", "line", "valid_from"],
                condition=Q(is_shared=False),
                nulls_distinct=False,
                name="a_territory_is_one_partners_unless_shared",
            ),
            models.UniqueConstraint(
                fields=["partner", "region", "line", "valid_from"],
                nulls_distinct=False,
                name="a_partner_is_given_a_territory_once",
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="territory_ends_after_it_began"
            ),
        ]

    def is_valid_on(self, day: date) -> bool:
        """Return whether the territory is the partner's on that day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)
