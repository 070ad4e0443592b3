"""A partner's report: its territory, how much of its goods is scanned, and what others' goods do in its area.

Counts come from whole weeks of the brand's calendar and are shown as `portal.cells` allows; of others' goods nobody is
named, and no time finer than the week. A count that grows from week to week is told in steps of five, so that what one
more device added cannot be read from two answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q
from django.utils.translation import get_language

from brands.queries import brand_date
from channel.models import Document, Partner, Territory
from channel.queries import owners_of
from portal.area import Drawing, Place, draw
from portal.cells import LEAST, Cell, Group, suppress
from portal.stock import counterparty, documents

WEEKS, NEW_WEEKS = 12, 3
MOST_SHIPMENTS = 60
MOST_PLACES = 400

_COVERAGE = """
SELECT r.shipment_id, count(DISTINCT r.label_no), count(DISTINCT s.asker)
FROM redemption_scanroute r JOIN redemption_scan s ON s.id = r.scan_id
WHERE r.shipment_id = ANY(%(shipments)s::bigint[]) AND r.at < %(until)s GROUP BY 1
"""
# The best source of a scan's place tells it; coarse ones name a province.
_SURFACED = """
WITH RECURSIVE area (id, code) AS (
    SELECT r.id, r.code FROM channel_region r JOIN channel_territory t ON t.region_id = r.id
    WHERE t.partner_id = %(partner)s
    UNION
    SELECT r.id, r.code FROM channel_region r JOIN area ON r.parent_id = area.id
), chain (id) AS (
    SELECT %(partner)s::bigint
    UNION
    SELECT p.id FROM channel_partner p JOIN chain ON p.parent_id = chain.id
), seen AS (
    SELECT DISTINCT ON (s.id) s.id, s.asker, s.label_no, s.product_id, s.at, p.region, p.city, p.city_zh
    FROM redemption_scanroute r
    JOIN redemption_scan s ON s.id = r.scan_id
    JOIN redemption_scanplace p ON p.scan_id = s.id
    WHERE r.at >= %(since)s AND r.at < %(until)s AND r.distributor_id IS NOT NULL
      AND r.distributor_id NOT IN (SELECT id FROM chain) AND p.region <> ''
    ORDER BY s.id, CASE p.source WHEN 'gps' THEN 0 WHEN 'ip' THEN 1 ELSE 2 END
)
SELECT date_trunc('week', seen.at AT TIME ZONE %(zone)s)::date, seen.region, seen.product_id,
       min(coalesce(nullif(seen.city, ''), g.name)), min(coalesce(nullif(seen.city_zh, ''), g.name_zh)),
       min(i.name), min(i.name_zh), count(DISTINCT seen.label_no), array_agg(DISTINCT seen.asker) FILTER (WHERE seen.asker IS NOT NULL)
FROM seen LEFT JOIN labels_product i ON i.id = seen.product_id LEFT JOIN channel_region g ON g.code = seen.region
WHERE seen.region IN (SELECT code FROM area)
GROUP BY 1, 2, 3 ORDER BY 1 DESC, 4, 6
"""
_OWN = """
SELECT date_trunc('week', r.at AT TIME ZONE %(zone)s)::date, count(DISTINCT r.label_no), count(DISTINCT s.asker)
FROM redemption_scanroute r JOIN redemption_scan s ON s.id = r.scan_id
WHERE r.distributor_id = %(partner)s AND r.at >= %(since)s AND r.at < %(until)s GROUP BY 1
"""
# Of nested territories the partner's own smallest one tells whether the place is its for one product line only.
_AREA = """
WITH RECURSIVE area (id, code, kind, for_a_line) AS (
    SELECT r.id, r.code, r.kind, t.line_id IS NOT NULL FROM channel_region r JOIN channel_territory t ON t.region_id = r.id
    WHERE t.partner_id = %(partner)s AND t.valid_from <= %(today)s AND (t.valid_to IS NULL OR t.valid_to >= %(today)s)
    UNION
    SELECT r.id, r.code, r.kind, area.for_a_line FROM channel_region r JOIN area ON r.parent_id = area.id
    WHERE r.valid_to IS NULL OR r.valid_to >= %(today)s
)
SELECT r.code, r.name, r.name_zh, r.lat, r.lon, coalesce(r.population, 0), bool_or(a.for_a_line)
FROM area a JOIN channel_region r ON r.id = a.id
WHERE r.lat IS NOT NULL AND (r.kind = 'city' OR r.code = ANY(%(seen)s))
GROUP BY r.id ORDER BY coalesce(r.population, 0) DESC, r.code LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many packs of a shipment were scanned by anybody, at least; None: by fewer than five devices."""

    document: Document
    other: str
    labels: int
    scanned: int | None


@dataclass(frozen=True, slots=True)
class Surfaced:
    """Others' goods of one product in one place in one week: how many packs were seen."""

    week: date
    region: str
    place: str
    product: str
    packs: int


@dataclass(frozen=True, slots=True)
class OwnWeek:
    """How many packs of the partner's own goods were scanned in a week, at least; None: too few devices to say."""

    starts_on: date
    packs: int | None


@dataclass(frozen=True, slots=True)
class Week:
    """A week's sum and the cells that may be shown; ``total`` None: too few devices to say."""

    starts_on: date
    total: int | None
    cells: tuple[Surfaced, ...]
    hidden: bool


def territories(partner: Partner, *, at: datetime) -> list[Territory]:
    """Return what is the partner's own today."""
    today = brand_date(at)
    found = Territory.objects.filter(partner=partner, valid_from__lte=today)
    found = found.filter(Q(valid_to=None) | Q(valid_to__gte=today))
    return list(found.select_related("region", "line").order_by("region__code", "id"))


def coverage(partner: Partner, *, at: datetime, zone: str) -> list[Coverage]:
    """Return the newest shipments to or from a partner, each with how many of its packs were scanned by last Monday."""
    found = documents(partner).filter(kind=Document.Kind.SHIPMENT, state=Document.State.DONE, labels__gt=0)
    shipments = list(found.order_by("-happened_at", "-id")[:MOST_SHIPMENTS])
    with connection.cursor() as cursor:
        until = _start(_monday(at, zone), zone)
        cursor.execute(_COVERAGE, {"shipments": [one.pk for one in shipments], "until": until})
        scanned = {pk: labels - labels % LEAST for pk, labels, devices in cursor.fetchall() if devices >= LEAST}
    return [
        Coverage(
            one,
            counterparty(partner, one.destination if one.source_id == partner.pk else one.source),
            one.labels,
            scanned.get(one.pk) or None,
        )
        for one in shipments
    ]


def own_weeks(partner: Partner, *, at: datetime, zone: str) -> list[OwnWeek]:
    """Return how many packs of a partner's own goods consumers scanned in each of the last twelve whole weeks."""
    until = _monday(at, zone)
    since = until - timedelta(weeks=WEEKS)
    values: dict[str, Any] = {"partner": partner.pk, "zone": zone}
    with connection.cursor() as cursor:
        cursor.execute(_OWN, values | {"since": _start(since, zone), "until": _start(until, zone)})
        told = {week: packs - packs % LEAST for week, packs, devices in cursor.fetchall() if devices >= LEAST}
    return [OwnWeek(day, told.get(day) or None) for day in _weeks(until)]


def surfaced(partner: Partner, *, at: datetime, zone: str) -> list[Week]:
    """Return what others' goods did in a partner's own area in the last twelve whole weeks, the newest first."""
    until = _monday(at, zone)
    since = until - timedelta(weeks=WEEKS)
    values: dict[str, Any] = {
        "partner": partner.pk,
        "since": _start(since, zone),
        "until": _start(until, zone),
        "zone": zone,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SURFACED, values)
        rows = cursor.fetchall()
    owned = owners_of((region, product, _start(week, zone)) for week, region, product, *_rest in rows)
    cells: list[Cell] = []
    names: dict[Any, tuple[str, str, str]] = {}
    for (week, region, product, city, city_zh, name, name_zh, packs, askers), owners in zip(rows, owned, strict=True):
        if partner.pk not in owners:
            continue
        cells.append(Cell(week, (region, product), packs, frozenset(askers or ())))
        names[region, product] = region, _named(city, city_zh) or region, _named(name, name_zh)
    groups = {group.group: group for group in suppress(cells)}
    return [_week(day, groups.get(day), names) for day in _weeks(until)]


def drawing(partner: Partner, weeks: Sequence[Week], *, at: datetime) -> Drawing | None:
    """Return the partner's area of today with the cells of ``weeks`` that are shown, and no others."""
    seen: dict[str, int] = {}
    for week in weeks:
        for cell in week.cells:
            seen[cell.region] = seen.get(cell.region, 0) + cell.packs
    values: dict[str, Any] = {"partner": partner.pk, "today": brand_date(at), "seen": list(seen), "most": MOST_PLACES}
    with connection.cursor() as cursor:
        cursor.execute(_AREA, values)
        rows = cursor.fetchall()
    owned = owners_of((code, None, at) for code, *_rest in rows)
    return draw(
        [
            Place(code, _named(name, name_zh), lat, lon, seen.get(code, 0), population)
            for (code, name, name_zh, lat, lon, population, for_a_line), owners in zip(rows, owned, strict=True)
            if partner.pk in owners or for_a_line
        ]
    )


def split(weeks: Sequence[Week]) -> tuple[list[Surfaced], list[Surfaced]]:
    """Return the cells shown of the newest weeks, and those of older ones."""
    new, old = weeks[:NEW_WEEKS], weeks[NEW_WEEKS:]
    return [cell for week in new for cell in week.cells], [cell for week in old for cell in week.cells]


def _week(day: date, group: Group | None, names: dict[Any, tuple[str, str, str]]) -> Week:
    if group is None:
        return Week(day, None, (), hidden=False)  # nothing is told apart from very little
    cells = tuple(Surfaced(day, *names[cell.key], cell.count) for cell in group.cells)
    return Week(day, group.total, cells, group.hidden)


def _weeks(until: date) -> list[date]:
    return [until - timedelta(weeks=back) for back in range(1, WEEKS + 1)]


def _monday(at: datetime, zone: str) -> date:
    today = at.astimezone(ZoneInfo(zone)).date()
    return today - timedelta(days=today.weekday())


def _start(day: date, zone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(zone))


def _named(name: str | None, name_zh: str | None) -> str:
    return ((name_zh if (get_language() or "").startswith("zh") else name) or name) or ""
