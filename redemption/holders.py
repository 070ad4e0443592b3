"""Who holds labels that were redeemed: the members, clients and partners of some ranges, for a recall."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from channel.models import Partner
from lottery.models import Claim
from members.models import Member
from redemption.models import Redemption, Reversal

MOST_RANGES = 500


@dataclass(frozen=True, slots=True)
class Holder:
    """A redeemed label: who redeemed it (None: a user of an API client who has not signed in yet), when, and where."""

    label_no: int
    member: Member | None
    at: datetime
    retailer: Partner | None
    promoter: Partner | None
    taken_back: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """Labels redeemed in some ranges, by how many accounts, how many of them taken back; prizes still on their way."""

    labels: int
    accounts: int
    taken_back: int
    prizes: int


def redemptions_of(label_ranges: Sequence[tuple[int, int]]) -> QuerySet[Redemption, Redemption]:
    """Return the redemptions of labels in half-open ranges, at most `MOST_RANGES` of them."""
    asked = Q(pk__in=[])
    for first, end in label_ranges[:MOST_RANGES]:
        asked |= Q(label_no__gte=first, label_no__lt=end)
    return Redemption.objects.filter(asked)


def sums(label_ranges: Sequence[tuple[int, int]]) -> Sums:
    """Count, in one query for each figure."""
    found = redemptions_of(label_ranges)
    plays = Q(play__label_no__in=[])
    for first, end in label_ranges[:MOST_RANGES]:
        plays |= Q(play__label_no__gte=first, play__label_no__lt=end)
    ended = [*Claim.ENDED_WITHOUT, Claim.State.DONE]
    return Sums(
        labels=found.count(),
        accounts=found.values("account_id").distinct().count(),
        taken_back=found.filter(_reversed()).count(),
        prizes=Claim.objects.filter(plays).exclude(state__in=ended).count(),
    )


def _reversed() -> Exists:
    return Exists(Reversal.objects.filter(redemption_id=OuterRef("pk")))


def partners(label_ranges: Sequence[tuple[int, int]]) -> list[tuple[Partner, int, int]]:
    """Return the retailers and promoters of redeemed labels, each with labels and points, most labels first."""
    counts: dict[int, list[int]] = {}
    for role in ("retailer", "promoter"):
        rows = redemptions_of(label_ranges).filter(**{f"{role}__isnull": False}).values_list(role)
        for partner_id, labels, points in rows.annotate(Count("pk"), Sum(f"{role}_points")):
            known = counts.setdefault(partner_id, [0, 0])
            known[0], known[1] = known[0] + labels, known[1] + points
    found = Partner.objects.in_bulk(counts)
    return sorted(((found[key], *value) for key, value in counts.items()), key=lambda row: (-row[1], row[0].pk))  # type: ignore[misc]


def holders(rows: Sequence[Redemption]) -> list[Holder]:
    """Return who holds the labels of these redemptions, in their order."""
    members = {one.account_id: one for one in Member.objects.filter(account_id__in={row.account_id for row in rows})}
    ids = {row.retailer_id for row in rows} | {row.promoter_id for row in rows}
    known = Partner.objects.in_bulk([pk for pk in ids if pk is not None])
    back = set(
        Reversal.objects.filter(redemption_id__in=[row.pk for row in rows]).values_list("redemption_id", flat=True)
    )
    return [
        Holder(
            row.label_no,
            members.get(row.account_id),
            row.at,
            known.get(row.retailer_id or 0),
            known.get(row.promoter_id or 0),
            row.pk in back,
        )
        for row in rows
    ]
