"""How an open game goes: prizes left against plan, plays a minute, the day on which they end, entries, alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.utils.formats import date_format
from django.utils.translation import pgettext

from common.charts import LineChart, line_chart
from lottery.models import Campaign, Entry, Play, PrizeTier

_RATE_WINDOW = timedelta(days=7)
_MINUTES = 10


@dataclass(frozen=True, slots=True)
class Left:
    """A prize of the instant game. ``planned``: left now, if its units went evenly over the campaign's time."""

    tier: PrizeTier
    left: int
    taken: int
    planned: int
    width: float
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Live:
    """The figures of one moment."""

    at: datetime
    plays: int
    wins: int
    points_only: int
    a_minute: float
    over_budget: int
    prizes: list[Left]
    ends_on: date | None
    draws: list[Any]
    days: list[tuple[date, int, int]]
    chart: LineChart | None


def live(campaign: Campaign, *, at: datetime) -> Live:
    """Return how a campaign stands. Counts are of committed plays; a projection is made from the last seven days."""
    plays = Play.objects.filter(campaign=campaign)
    outcomes = Play.Outcome
    counts = plays.aggregate(
        all=Count("pk"),
        won=Count("pk", filter=Q(outcome=outcomes.WON)),
        only=Count("pk", filter=Q(outcome=outcomes.POINTS_ONLY)),
        over=Count("pk", filter=Q(over_budget=True)),
        recent=Count("pk", filter=Q(at__gt=at - timedelta(minutes=_MINUTES), at__lte=at)),
    )
    prizes = _prizes(campaign, at=at)
    ends = [one.ends_on for one in prizes]
    draws = campaign.draws.annotate(
        live_entries=Count("entries", filter=Q(entries__state=Entry.State.LIVE)),
        live_weight=Sum("entries__weight", filter=Q(entries__state=Entry.State.LIVE)),
    ).order_by("number")
    days = _days(campaign, at=at)
    return Live(
        at=at,
        plays=counts["all"],
        wins=counts["won"],
        points_only=counts["only"],
        a_minute=round(counts["recent"] / _MINUTES, 1),
        over_budget=counts["over"],
        prizes=prizes,
        ends_on=max((end for end in ends if end), default=None) if ends and all(ends) else None,
        draws=list(draws),
        days=days,
        chart=_chart(days),
    )


def _prizes(campaign: Campaign, *, at: datetime) -> list[Left]:
    tiers = campaign.tiers.filter(use=PrizeTier.Use.INSTANT).annotate(units_left=Sum("budget__slots__left"))
    since = max(campaign.opens_at, at - _RATE_WINDOW)
    recent = dict(
        Play.objects.filter(campaign=campaign, outcome=Play.Outcome.WON, at__gt=since)
        .values_list("tier_id")
        .annotate(n=Count("pk"))
    )
    window = max((at - since) / timedelta(days=1), 1 / 24)
    found = []
    for tier in tiers.order_by("tier"):
        left = tier.units_left if tier.units_left is not None else tier.quantity
        rate = recent.get(tier.pk, 0) / window
        found.append(
            Left(
                tier=tier,
                left=left,
                taken=tier.quantity - left,
                planned=round(tier.quantity * (1 - _passed(campaign, at=at))),
                width=round(120 * left / tier.quantity, 1) if tier.quantity else 0.0,
                ends_on=_end(campaign, left, rate, at=at),
            )
        )
    return found


def _passed(campaign: Campaign, *, at: datetime) -> float:
    """Return which part of the campaign's time has passed, from 0 to 1."""
    if campaign.closes_at is None or at <= campaign.opens_at:
        return 0.0
    return min((at - campaign.opens_at) / (campaign.closes_at - campaign.opens_at), 1.0)


def _end(campaign: Campaign, left: int, rate: float, *, at: datetime) -> date | None:
    """Return the day on which so many units end at so many a day, None where that is after the close."""
    if left and not rate:
        return None
    days = left / rate if left else 0.0
    end = at + timedelta(days=min(days, 36_500))
    if campaign.closes_at is not None and end > campaign.closes_at:
        return None
    return end.astimezone(ZoneInfo(campaign.zone)).date()


def _days(campaign: Campaign, *, at: datetime) -> list[tuple[date, int, int]]:
    """Return plays and wins of each day since it opened, at most the last 31."""
    zone = ZoneInfo(campaign.zone)
    rows = (
        Play.objects.filter(campaign=campaign, at__gt=at - timedelta(days=32))
        .annotate(on=TruncDate("at", tzinfo=zone))
        .values_list("on")
        .annotate(plays=Count("pk"), wins=Count("pk", filter=Q(outcome=Play.Outcome.WON)))
    )
    counts = {on: (plays, wins) for on, plays, wins in rows}
    today = at.astimezone(zone).date()
    first = max(campaign.opens_at.astimezone(zone).date(), today - timedelta(days=30))
    return [
        (on, *counts.get(on, (0, 0)))
        for on in (first + timedelta(days=n) for n in range(max((today - first).days + 1, 0)))
    ]


def _chart(days: Sequence[tuple[date, int, int]]) -> LineChart | None:
    if len(days) < 2:
        return None
    return line_chart(
        [plays for _on, plays, _wins in days],
        [wins for _on, _plays, wins in days],
        [date_format(on, pgettext("date format", "j M")) for on, _plays, _wins in days],
        every=ceil(len(days) / 5),
    )
