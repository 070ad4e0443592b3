"""Prizes: tiers of them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import get_language, gettext_lazy as _

from lottery.models.campaign import Campaign


class PrizeTier(models.Model):
    """One kind of prize of a game; tier 1 is the dearest. Money is in minor units of ``currency``.

    A draw of a series has ``quantity`` units each time; an instant game has them in all.
    """

    class Use(models.TextChoices):
        INSTANT = "instant", _("instant win")
        DRAW = "draw", _("draw")

    class Kind(models.TextChoices):
        POINTS = "points", _("points")
        COUPON = "coupon", _("coupon")
        VOUCHER = "voucher", _("voucher")
        CASH = "cash", _("cash")
        GOODS = "goods", _("goods")

    AT_ONCE = (Kind.POINTS, Kind.COUPON)

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="tiers", db_index=False)
    use = models.CharField(_("game"), max_length=7, choices=Use.choices)
    tier = models.PositiveSmallIntegerField(_("tier"))
    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    name = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=40)
    quantity = models.BigIntegerField(_("quantity"))
    points = models.BigIntegerField(_("points"), null=True, blank=True)
    unit_cost = models.BigIntegerField(_("unit cost"))
    market_price = models.BigIntegerField(_("market price"))
    delivery_cost = models.BigIntegerField(_("cost of delivery"), default=0)
    withheld_tax = models.BigIntegerField(_("tax withheld"), default=0)
    currency = models.CharField(_("currency"), max_length=3)
    claim_days = models.PositiveSmallIntegerField(_("days to claim"), default=30)
    id_level = models.PositiveSmallIntegerField(_("level of identification"), default=0)
    alternates = models.PositiveIntegerField(_("alternates"), null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "use", "tier"], name="tier_exists_once_in_a_game"),
            models.CheckConstraint(condition=Q(tier__gte=1, tier__lte=100), name="tiers_count_from_one"),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, quantity__lt=2**31), name="prize_quantity_is_countable"
            ),
            models.CheckConstraint(
                condition=Q(unit_cost__gte=0, market_price__gte=0, delivery_cost__gte=0, withheld_tax__gte=0),
                name="prize_costs_nothing_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind="points", points__gt=0, points__lte=10**9) | ~Q(kind="points") & Q(points=None),
                name="only_a_prize_of_points_has_points",
            ),
            models.CheckConstraint(condition=Q(id_level__lte=3), name="identification_has_four_levels"),
            models.CheckConstraint(condition=Q(claim_days__range=(1, 3650)), name="claim_lasts_at_least_a_day"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="currency_has_three_letters"),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The prize's name in the reader's language."""
        return self.name_zh if (get_language() or "").startswith("zh") else self.name
