"""Signs that codes are harvested for their points and not bought: found once a night, decided by people.

Goods are not diverted by it: what the labels earn from then on is held (`redemption.services.caution`) until somebody
lifts that, and nothing else follows.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from math import exp, lgamma, log, log1p

from django.db import connection, transaction

from analytics.models import FarmFinding, FitRun
from redemption.models import Caution
from redemption.services import caution

SHARE = 0.2
"""The share of a case's labels that honest buyers redeem at most."""
RARE = 1e-4
SEQUENCE = 8
"""Neighbouring labels redeemed by one asker within `DAYS`: more than anybody buys in one pack and opens at once."""
DAYS = 7
BY = "analytics"
"""Under this name the night holds rewards."""
_FULL_CASES = """
SELECT h.unit_id, h.redeemed, min(lower(u.label_range)), max(upper(u.label_range)) - 1,
       sum(upper(u.label_range) - lower(u.label_range))
  FROM (SELECT r.unit_id, count(*) AS redeemed, min(d.label_no) AS first, max(d.label_no) AS last
          FROM redemption_redemption d
          JOIN redemption_scanroute r ON r.scan_id = d.scan_id
          LEFT JOIN redemption_reversal v ON v.redemption_id = d.label_no
         WHERE d.at >= %(since)s AND d.at < %(until)s AND r.unit_id IS NOT NULL AND v.redemption_id IS NULL
         GROUP BY r.unit_id HAVING count(*) >= %(least)s) h
  JOIN channel_unitrange u ON u.label_range && int8range(h.first, h.last, '[]')
   AND (u.unit_id = h.unit_id OR EXISTS (
        SELECT FROM channel_unitparent p WHERE p.parent_id = h.unit_id AND p.child_id = u.unit_id))
 GROUP BY h.unit_id, h.redeemed ORDER BY h.unit_id
"""
# Neighbours differ from their rank among the asker's labels by one and the same number.
_SEQUENCES = """
SELECT asker, min(label_no), max(label_no), count(*)
  FROM (SELECT d.asker, d.label_no, d.at,
               d.label_no - row_number() OVER (PARTITION BY d.asker ORDER BY d.label_no) AS island
          FROM redemption_redemption d
          LEFT JOIN redemption_reversal v ON v.redemption_id = d.label_no
          LEFT JOIN analytics_inspector i ON i.asker = d.asker
         WHERE d.at >= %(since)s AND d.at < %(until)s AND v.redemption_id IS NULL AND i.asker IS NULL) n
 GROUP BY asker, island
HAVING count(*) >= %(least)s AND max(at) - min(at) <= make_interval(days => %(days)s)
 ORDER BY asker, min(label_no)
"""


@lru_cache(maxsize=4_096)
def chance_of(redeemed: int, labels: int) -> float:
    """Return the probability that at least so many of ``labels`` are redeemed: the upper tail of Binomial(N, `SHARE`)."""
    if redeemed <= 0:
        return 1.0
    total = 0.0
    for k in range(redeemed, labels + 1):
        ways = lgamma(labels + 1) - lgamma(k + 1) - lgamma(labels - k + 1)
        total += exp(ways + k * log(SHARE) + (labels - k) * log1p(-SHARE))
    return min(total, 1.0)


def note_farms(run: FitRun, *, since: datetime, until: datetime) -> int:
    """Write down, under ``run``, the signs among what was redeemed in that time; return how many there are."""
    values = {"since": since, "until": until}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(_FULL_CASES, {**values, "least": 3})
            cases = cursor.fetchall()
            cursor.execute(_SEQUENCES, {**values, "least": SEQUENCE, "days": DAYS})
            sequences = cursor.fetchall()
        found = [*_full(run, cases, at=until), *_taken(run, sequences, at=until)]
        return len(FarmFinding.objects.bulk_create(found, batch_size=2_000, ignore_conflicts=True))


def hold_rewards(run: FitRun, *, at: datetime) -> int:
    """Hold what the labels of this run's signs earn from now on; return how many were not held yet.

    What was once held and lifted is not held again, as long as no more of it is taken.
    """
    signs = list(run.farms.order_by("pk"))
    farm = Caution.objects.filter(reason=Caution.Reason.FARM, label_range__in=[sign.hold_range for sign in signs])
    known = {(row.lower, row.upper) for row in farm.values_list("label_range", flat=True)}
    fresh = {sign.hold_range: sign for sign in signs if sign.hold_range not in known}
    for (first, end), sign in fresh.items():
        caution(
            first=first, end=end, effect=Caution.Effect.HOLD_REWARD, reason=Caution.Reason.FARM,
            note=sign.get_kind_display(), at=at, by=BY,
        )  # fmt: skip
    return len(fresh)


def _full(run: FitRun, rows: Sequence[tuple[int, ...]], *, at: datetime) -> list[FarmFinding]:
    return [
        FarmFinding(
            run=run,
            kind=FarmFinding.Kind.FULL_CASE,
            unit_id=unit_id,
            first_label=first,
            last_label=last,
            redeemed=redeemed,
            labels=int(labels),
            chance=chance_of(redeemed, int(labels)),
            found_at=at,
        )
        for unit_id, redeemed, first, last, labels in rows
        if chance_of(redeemed, int(labels)) < RARE
    ]


def _taken(run: FitRun, rows: Sequence[tuple[int, ...]], *, at: datetime) -> list[FarmFinding]:
    return [
        FarmFinding(
            run=run,
            kind=FarmFinding.Kind.SEQUENCE,
            asker=asker,
            first_label=first,
            last_label=last,
            redeemed=redeemed,
            labels=last - first + 1,
            found_at=at,
        )
        for asker, first, last, redeemed in rows
    ]
