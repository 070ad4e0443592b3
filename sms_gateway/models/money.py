"""What messages may cost: the countries written to, hard limits, and what each day has taken."""

from django.db import models
from django.utils.translation import gettext_lazy as _, pgettext_lazy


class Subject(models.TextChoices):
    """Whose money: one number, the ten thousand numbers of its block, its country, the whole brand."""

    NUMBER = "number", pgettext_lazy("budget", "one number")
    PREFIX = "prefix", pgettext_lazy("budget", "block of 10,000 numbers")
    COUNTRY = "country", pgettext_lazy("budget", "country")
    BRAND = "brand", pgettext_lazy("budget", "brand")


class CountryRate(models.Model):
    """A country to which messages may go, and what one part costs there. What is not listed is refused."""

    region = models.CharField(_("country"), max_length=2, unique=True, help_text=_("two letters: CN, HK"))
    part_price = models.BigIntegerField(_("price of a part"), help_text=_("millionths of the currency"))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(part_price__gt=0), name="a_part_has_a_price"),
        ]


class SpendingBudget(models.Model):
    """A limit a day (the brand's) for each subject of a kind, or, with ``key``, for that country or block alone."""

    subject = models.CharField(_("for"), max_length=8, choices=Subject.choices)
    key = models.CharField(_("which"), max_length=20, blank=True, default="")
    per_day = models.BigIntegerField(_("limit a day"), help_text=_("millionths of the currency"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject", "key"], name="one_budget_for_each_subject"),
            models.CheckConstraint(condition=models.Q(per_day__gte=0), name="a_budget_is_not_negative"),
        ]


class Spending(models.Model):
    """What one subject's messages have taken on one day. Numbers stand as blind indexes (hex)."""

    subject = models.CharField(max_length=8, choices=Subject.choices)
    key_index = models.CharField(max_length=32)
    day = models.DateField()
    spent = models.BigIntegerField()
    refused = models.PositiveIntegerField(default=0)
    last_refused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "subject", "key_index"], name="one_sum_for_each_subject_and_day"),
            models.CheckConstraint(condition=models.Q(spent__gte=0), name="spending_is_not_negative"),
        ]
