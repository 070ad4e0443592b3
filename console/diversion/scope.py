"""Whose findings somebody may see: a regional manager those that touch the own regions, others all."""

from collections.abc import Collection, Mapping

from django.db.models import Q, QuerySet

from analytics.models import Finding
from channel.models import Region, Territory
from staff.models import Role, User


def partners_in(codes: Collection[str]) -> set[int]:
    """Return the partners that have, or had, a territory in, below or around these regions."""
    parent: dict[int, int | None] = dict(Region.objects.values_list("pk", "parent_id"))
    mine = set(Region.objects.filter(code__in=codes).values_list("pk", flat=True))
    around = {above for region in mine for above in _up(region, parent)}
    held = Territory.objects.values_list("partner_id", "region_id")
    return {partner for partner, region in held if region in around or mine & set(_up(region, parent))}


def _up(region: int | None, parent: Mapping[int, int | None]) -> list[int]:
    """Return a region and all that it lies in."""
    found: list[int] = []
    while region is not None:
        found.append(region)
        region = parent[region]
    return found


def touching(findings: "QuerySet[Finding]", codes: Collection[str]) -> "QuerySet[Finding]":
    """Return the findings of goods that were sold into these regions, or surfaced there."""
    partners = partners_in(codes)
    return findings.filter(Q(distributor_id__in=partners) | Q(dest_id__in=partners))


def partners_of(user: User) -> set[int] | None:
    """Return the partners about whose goods somebody may know, None for all: a regional manager's are those of the regions."""
    return partners_in(user.regions.split()) if user.role == Role.REGIONAL else None


def seen_by(user: User, findings: "QuerySet[Finding]") -> "QuerySet[Finding]":
    """Return those of the findings that somebody may see. A regional manager without regions sees none."""
    return touching(findings, user.regions.split()) if user.role == Role.REGIONAL else findings
