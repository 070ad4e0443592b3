"""Budgets in slots, and counters of limits: exact, never below zero, without one row that everybody waits for."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ledger.models import Account
from lottery.models.campaign import Campaign
from lottery.models.prize import PrizeTier
from lottery.rules import SLOTS


class Budget(models.Model):
    """All the points that a campaign may give out, or all the units of a prize; what is left stands in its slots."""

    campaign = models.OneToOneField(Campaign, models.PROTECT, null=True, related_name="budget")
    tier = models.OneToOneField(PrizeTier, models.PROTECT, null=True, related_name="budget")
    total = models.BigIntegerField(_("points or units in all"))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(total__gte=0), name="budget_total_is_not_negative"),
            models.CheckConstraint(
                condition=Q(campaign=None, tier__isnull=False) | Q(campaign__isnull=False, tier=None),
                name="budget_is_of_a_campaign_or_a_prize",
            ),
        ]


class BudgetSlot(models.Model):
    """One sixteenth of a budget, so that redemptions at the same time do not wait for one row."""

    budget = models.ForeignKey(Budget, models.PROTECT, related_name="slots", db_index=False)
    slot = models.PositiveSmallIntegerField()
    left = models.BigIntegerField(_("left"))

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


class LimitUse(models.Model):
    """How often one subject has played, entered or won: in the hour or day that began at ``since``, or (null) in all.

    ``subject``: 16 bytes, HMAC of the kind of subject and its value (member, phone, device, household, payout account).
    """

    class Act(models.IntegerChoices):
        PLAY = 1, _("play")
        ENTRY = 2, _("entry")
        WIN = 3, _("win")

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+", db_index=False)
    act = models.SmallIntegerField(choices=Act.choices)
    subject = models.BinaryField(max_length=16)
    since = models.DateTimeField(null=True)
    used = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "act", "subject", "since"], name="limit_is_counted_once", nulls_distinct=False
            )
        ]
