"""Countries, provinces, cities and counties: a tree in which nothing is ever deleted."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language, gettext_lazy as _


class Region(models.Model):
    """A place that has a code: ISO 3166-1, ISO 3166-2, then GB/T 2260 ("CN-440100") or GeoNames admin-2 ("US-CA-037").

    A code that was abolished stays, with its last day and what took its place, so that old scans still name a place.
    """

    class Kind(models.TextChoices):
        COUNTRY = "country", _("country")
        PROVINCE = "province", _("province")
        CITY = "city", _("city")
        COUNTY = "county", _("county")

    code = models.CharField(_("code"), max_length=20, unique=True)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    name = models.CharField(_("name in English"), max_length=80)
    name_zh = models.CharField(_("name in Chinese"), max_length=60, blank=True, default="")
    lat = models.FloatField(_("latitude"), null=True, blank=True)
    lon = models.FloatField(_("longitude"), null=True, blank=True)
    population = models.BigIntegerField(_("population"), null=True, blank=True)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    replaced_by = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="replaces")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["country", "province", "city", "county"]), name="region_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="country", parent=None) | (~Q(kind="country") & Q(parent__isnull=False)),
                name="only_a_country_has_no_parent",
            ),
            models.CheckConstraint(
                condition=~Q(parent=F("id")) & ~Q(replaced_by=F("id")), name="region_is_not_its_own_parent"
            ),
            models.CheckConstraint(
                condition=Q(lat=None, lon=None) | Q(lat__range=(-90, 90), lon__range=(-180, 180)),
                name="region_centre_is_on_earth",
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="region_ends_after_it_began",
            ),
            models.CheckConstraint(
                condition=Q(population=None) | Q(population__gte=0), name="region_has_people_or_none"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.display_name}"

    @property
    def display_name(self) -> str:
        """The name in the reader's language, if it is known in that language."""
        return (self.name_zh if (get_language() or "").startswith("zh") else self.name) or self.name
