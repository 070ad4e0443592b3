"""What goods are packed in: inner packs, cases and pallets, each with an SSCC, and what was in them at any moment."""

from functools import partial

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast, Mod, Substr
from django.db.models.lookups import Exact, GreaterThanOrEqual
from django.utils.translation import gettext_lazy as _, pgettext_lazy

from common.ids import new_public_id
from labels.models import Product


def gs1_check_digit_fits(field: str, length: int) -> Exact:
    """Say that the digits of a field end with the check digit of the others (GS1 General Specifications, 7.9)."""
    digits = [Cast(Substr(field, place, 1), models.IntegerField()) for place in range(length, 0, -1)]
    total = sum((digit * 3 for digit in digits[3::2]), digits[1] * 3)
    return Exact(Mod(sum(digits[2::2], total) + digits[0], 10), 0)


def range_is_sound(name: str) -> models.CheckConstraint:
    """Say that ``label_range`` is one: an empty or open range has a NULL bound, and a CHECK lets NULL pass."""
    lower = Func(F("label_range"), function="lower", output_field=models.BigIntegerField())
    return models.CheckConstraint(
        condition=Q(label_range__isempty=False)
        & Q(label_range__lower_inf=False)
        & Q(label_range__upper_inf=False)
        & Q(GreaterThanOrEqual(lower, 1)),
        name=name,
    )


def _during() -> Func:
    return Func("opened_at", "closed_at", function="tstzrange", output_field=DateTimeRangeField())


def _only(field: str) -> Func:
    """Return a number as a range of itself alone: equality in a GiST index, without the extension btree_gist."""
    return Func(F(field), F(field), Value("[]"), function="int8range", output_field=BigIntegerRangeField())


class Unit(models.Model):
    """An inner pack, a case or a pallet. Its SSCC is issued by a counter and never used again, or is somebody else's."""

    class Kind(models.TextChoices):
        INNER = "inner", _("inner pack")
        CASE = "case", pgettext_lazy("carton", "case")
        PALLET = "pallet", _("pallet")

    RANK = {Kind.INNER: 0, Kind.CASE: 1, Kind.PALLET: 2}

    public_id = models.CharField(max_length=26, unique=True, editable=False, default=partial(new_public_id, "unt"))
    sscc = models.CharField(_("SSCC"), max_length=18, unique=True)
    kind = models.CharField(_("kind"), max_length=6, choices=Kind.choices)
    product = models.ForeignKey(Product, models.PROTECT, null=True, blank=True, related_name="+")
    lot = models.CharField(_("lot"), max_length=20, blank=True, default="")
    is_foreign = models.BooleanField(_("numbered by another company"), default=False)
    created_at = models.DateTimeField(_("created at"))
    retired_at = models.DateTimeField(_("given up at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(sscc__regex=r"^[0-9]{18}$"), name="a_unit_sscc_has_18_digits"),
            models.CheckConstraint(condition=gs1_check_digit_fits("sscc", 18), name="b_unit_sscc_has_its_check_digit"),
            models.CheckConstraint(condition=Q(kind__in=["inner", "case", "pallet"]), name="unit_kind_is_known"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="unit_newest_first")]

    def __str__(self) -> str:
        return self.sscc


class UnitAlias(models.Model):
    """An SSCC that a unit had before it was relabelled: it still finds the unit."""

    sscc = models.CharField(_("SSCC"), max_length=18, unique=True)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="aliases")
    replaced_at = models.DateTimeField(_("replaced at"))


class UnitRange(models.Model):
    """Labels in a unit from a moment to another: at any moment a label lies in one unit at most."""

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="ranges")
    label_range = BigIntegerRangeField(_("label numbers"))
    opened_at = models.DateTimeField(_("packed at"))
    closed_at = models.DateTimeField(_("taken out at"), null=True, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="a_label_lies_in_one_unit_at_a_time",
                expressions=[("label_range", RangeOperators.OVERLAPS), (_during(), RangeOperators.OVERLAPS)],
            ),
            range_is_sound("unit_range_is_sound"),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("opened_at")),
                name="labels_leave_a_unit_after_they_came",
            ),
        ]

    @property
    def count(self) -> int:
        """How many labels there are."""
        return int(self.label_range.upper - self.label_range.lower)


class UnitParent(models.Model):
    """A unit inside another from a moment to another: inside one at most."""

    child = models.ForeignKey(Unit, models.PROTECT, related_name="parents")
    parent = models.ForeignKey(Unit, models.PROTECT, related_name="children")
    opened_at = models.DateTimeField(_("packed at"))
    closed_at = models.DateTimeField(_("taken out at"), null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["child"], condition=Q(closed_at=None), name="a_unit_is_inside_one_other_now"
            ),
            ExclusionConstraint(
                name="a_unit_is_inside_one_other_at_a_time",
                expressions=[(_only("child_id"), RangeOperators.OVERLAPS), (_during(), RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(condition=~Q(child=F("parent")), name="a_unit_is_never_inside_itself"),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("opened_at")), name="a_unit_leaves_after_it_came"
            ),
        ]
