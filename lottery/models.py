"""Campaigns that offer points for redeemed codes, and the budgets that pay for them."""

from functools import partial

from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language, gettext_lazy as _

from common.ids import new_public_id
from labels.models import Product
from ledger.models import Account
from lottery.rules import SLOTS


class Campaign(models.Model):
    """An offer: points per product and party, between two moments, within caps and a budget."""

    class Kind(models.TextChoices):
        POINTS = "points", _("points")

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")
        HALTED = "halted", _("halted")

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "cmp"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.POINTS)
    name = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=40)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.DRAFT)
    opens_at = models.DateTimeField(_("opens at"))
    closes_at = models.DateTimeField(_("closes at"), null=True, blank=True, help_text=_("empty: until it is closed"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    halt_reason = models.CharField(_("reason of the halt, public"), max_length=200, blank=True, default="")
    daily_cap = models.PositiveIntegerField(
        _("codes a day for each consumer"), null=True, blank=True, help_text=_("empty: no cap")
    )
    total_cap = models.PositiveIntegerField(
        _("codes in all for each consumer"), null=True, blank=True, help_text=_("empty: no cap")
    )
    created_at = models.DateTimeField(_("created at"))
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(closes_at=None) | Q(closes_at__gt=F("opens_at")), name="campaign_closes_after_it_opens"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "open"], ended_at=None)
                | Q(state__in=["closed", "halted"], ended_at__isnull=False),
                name="campaign_that_ended_says_when",
            ),
            models.CheckConstraint(condition=~Q(state="halted") | ~Q(halt_reason=""), name="halted_campaign_says_why"),
            models.CheckConstraint(
                condition=(Q(daily_cap=None) | Q(daily_cap__gt=0)) & (Q(total_cap=None) | Q(total_cap__gt=0)),
                name="campaign_caps_are_positive",
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="campaign_newest_first")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The campaign's name in the reader's language."""
        return self.name_zh if (get_language() or "").startswith("zh") else self.name


class Award(models.Model):
    """How many points one party gets for one code of a product (or of any product)."""

    class Party(models.TextChoices):
        CONSUMER = "consumer", _("consumer")
        RETAILER = "retailer", _("retailer")
        PROMOTER = "promoter", _("promoter")

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="awards")
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", help_text=_("empty: any product")
    )
    party = models.CharField(_("party"), max_length=8, choices=Party.choices)
    points = models.BigIntegerField(_("points"))
    expires_after_months = models.PositiveSmallIntegerField(
        _("points expire after"), null=True, blank=True, help_text=_("months, to the end of the month; empty: never")
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "product", "party"], name="award_is_stated_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(points__gt=0, points__lte=10**9), name="award_points_are_positive"),
            models.CheckConstraint(
                condition=Q(expires_after_months=None) | Q(expires_after_months__range=(1, 120)),
                name="award_expires_within_ten_years",
            ),
        ]


class Budget(models.Model):
    """All the points that a campaign may give out; what is left stands in its slots."""

    campaign = models.OneToOneField(Campaign, models.PROTECT, related_name="budget")
    total = models.BigIntegerField(_("points in all"))

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(total__gte=0), name="budget_total_is_not_negative")]


class BudgetSlot(models.Model):
    """One sixteenth of a budget, so that redemptions at the same time do not wait for one row."""

    budget = models.ForeignKey(Budget, models.PROTECT, related_name="slots", db_index=False)
    slot = models.PositiveSmallIntegerField()
    left = models.BigIntegerField(_("points left"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget", "slot"], name="budget_slot_exists_once"),
            models.CheckConstraint(condition=Q(slot__lt=SLOTS), name="budget_has_sixteen_slots"),
            models.CheckConstraint(condition=Q(left__gte=0), name="budget_is_never_overdrawn"),
        ]


class CapUse(models.Model):
    """How many codes one consumer's account has been paid for by one campaign: on one day, or (no day) in all."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField(null=True, help_text=_("in the brand's time zone"))
    used = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "account", "day"], name="cap_is_counted_once", nulls_distinct=False
            )
        ]
