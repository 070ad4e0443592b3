"""The regions in which attempts were made, as their device, address and number tell: rows beside the scans.

Regions are the brand's own (`channel.Region`), found by the operator's polygons, else by the nearest city, or by name; a
brand that has loaded none gets the cities of `common.geo`. An address and a number leave a region's code and nothing else,
and no city is told to others by them: they are too often wrong.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from channel.models import Region as Row, Territory
from common import geo, ip_places, issued, polygons
from common.db import array, ask, column, moments, rows_from, schema_name, texts
from common.kept import Kept
from members.queries import phones_of
from redemption.facts import Case
from redemption.models import ScanPlace
from redemption.rules import Place

FINE_M = 20_000.0  # a fix less accurate than this tells the province at most
KEPT_S = 60.0
GPS, IP, PHONE = (source.value for source in (ScanPlace.Source.GPS, ScanPlace.Source.IP, ScanPlace.Source.PHONE))
IP_CONFIDENCE, NUMBER_CONFIDENCE = 0.6, 0.5
FINE_RADIUS_KM = 50.0
BORDER_KM = 15.0
"""Without polygons, a fix so near to the middle between two cities may be of either."""
MOST_BESIDE = 8
_ENDINGS = ("特别行政区", "维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市")


class PlaceRow(NamedTuple):
    """A row of `ScanPlace`."""

    scan_id: int
    source: str
    region: geo.Region
    place: Place | None
    at: datetime
    beside: tuple[str, ...] = ()


class Located(NamedTuple):
    """The region of a fix. ``beside``: codes of the cities across a border that runs within 15 km, as far as is known."""

    region: geo.Region
    beside: tuple[str, ...] = ()


class Index:
    """The brand's regions, to be found by position or by name.

    ``split``: the ids of cities in which counties are given to partners; only of these a county is told.
    """

    def __init__(self, rows: Sequence[Row], split: Collection[int] = ()) -> None:
        by_id = {row.pk: row for row in rows}
        cities = [row for row in rows if row.kind == Row.Kind.CITY and row.lat is not None and row.lon is not None]
        self.cities = [geo.Region(row.code, row.name, row.name_zh) for row in cities]
        self.provinces = [self._above(row, by_id) for row in cities]
        self.vectors: npt.NDArray[np.float64] = np.array(
            [_unit(row.lat or 0.0, row.lon or 0.0) for row in cities], np.float64
        ).reshape(-1, 3)
        wide = [row for row in rows if row.kind != Row.Kind.COUNTY]
        self.by_code = {row.code: geo.Region(row.code, row.name, row.name_zh) for row in wide}
        # What a polygon's code tells: a county of a split city by its city's name, any other county as its city.
        self.outlined = {row.code: self.by_code[row.code] for row in wide if row.kind == Row.Kind.CITY}
        for row in rows:
            city = by_id.get(row.parent_id or 0)
            if row.kind == Row.Kind.COUNTY and city is not None and city.code in self.outlined:
                told = self.outlined[city.code]
                self.outlined[row.code] = told._replace(code=row.code) if city.pk in split else told
        self.by_area: dict[str, geo.Region | None] = {}  # by the name of a number's area; filled as asked
        self.by_name: dict[tuple[str, str], geo.Region] = {}
        if not rows:  # without regions of its own a brand still knows China's provinces
            self.by_name = {("CN", _short(one.name_zh)): one for one in geo.provinces_of_china()}
        for row in wide:
            parent = by_id[row.parent_id].code if row.parent_id else ""
            for name in (row.name, _short(row.name_zh)):
                if name and row.kind in {Row.Kind.PROVINCE, Row.Kind.CITY}:
                    self.by_name.setdefault((parent, name), self.by_code[row.code])

    @staticmethod
    def _above(row: Row, by_id: dict[int, Row]) -> geo.Region:
        parent = by_id.get(row.parent_id or 0, row)
        return geo.Region(parent.code, parent.name, parent.name_zh)

    def locate(self, place: Place, outlines: Sequence[str] = ()) -> Located:
        """Return the region of a fix: that of ``outlines`` (the smallest first) if known, else the nearest city's.

        A coarse or remote fix tells the province at most, or no region.
        """
        accuracy_m = place.accuracy_m or 0.0
        if not self.cities:
            found = geo.nearest_place(place.lat, place.lon, accuracy_m)
            return Located(self.province_of(found) if accuracy_m > FINE_M else found)
        trust = math.exp(-accuracy_m / geo.COARSE_M / 2)
        outlined = next((self.outlined[code] for code in outlines if code in self.outlined), None)
        if outlined is not None and accuracy_m <= FINE_M:
            return Located(outlined._replace(confidence=round(0.98 * trust, 2)))
        within = np.array([province.code in outlines for province in self.provinces])
        cosines = self.vectors @ np.asarray(_unit(place.lat, place.lon))
        if within.any():  # a province's outline: the nearest of its own cities
            cosines = np.where(within, cosines, -1.0)
        away_km = geo.EARTH_RADIUS_KM * np.arccos(np.clip(cosines, -1.0, 1.0))
        nearest = int(np.argmin(away_km))
        if away_km[nearest] > geo.PROVINCE_REACH_KM and not within.any():
            return Located(geo.NOWHERE)
        if accuracy_m > FINE_M or away_km[nearest] > geo.CITY_REACH_KM:
            return Located(self.provinces[nearest]._replace(confidence=round(0.8 * trust, 2)))
        return Located(self.cities[nearest]._replace(confidence=round(0.95 * trust, 2)), self._beside(nearest, away_km))

    def _beside(self, nearest: int, away_km: npt.NDArray[np.float64]) -> tuple[str, ...]:
        """Return the cities that are as near as ``nearest``, but for 15 km either way.

        The border between two cities is taken to be the line half way; a point at d and d' km from them lies
        (d'² − d²) / 2D km from it, D their distance.
        """
        others = np.flatnonzero(away_km <= away_km[nearest] + 2 * BORDER_KM)
        others = others[others != nearest]
        between = geo.EARTH_RADIUS_KM * np.arccos(np.clip(self.vectors[others] @ self.vectors[nearest], -1.0, 1.0))
        to_border_km = (away_km[others] ** 2 - away_km[nearest] ** 2) / np.maximum(2 * between, 1e-6)
        near = others[to_border_km <= BORDER_KM]
        return tuple(self.cities[number].code for number in near[np.argsort(away_km[near])][:MOST_BESIDE])

    def province_of(self, region: geo.Region) -> geo.Region:
        """Return the province of a city of `common.geo`: its code is the beginning of the city's."""
        code = "-".join(region.code.split("-")[:2])
        known = {one.code: one for one in geo.provinces_of_china()}
        return known.get(code, region)._replace(confidence=region.confidence)

    def named(self, country: str, province: str, city: str, confidence: float) -> geo.Region | None:
        """Return the city, else the province, that these names or codes mean."""
        found = self.by_code.get(f"{country}-{province}") or self.by_name.get((country, _short(province)))
        if found is None:
            return None
        inside = self.by_name.get((found.code, _short(city))) if city else None
        return (inside or found)._replace(confidence=confidence)


@lru_cache(maxsize=4096)
def _short(name: str) -> str:
    """Return a Chinese name without what kind of place it is; any other name as it is."""
    return next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end) and len(name) > len(end) + 1), name)


def _unit(lat: float, lon: float) -> tuple[float, float, float]:
    phi, theta = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


def _read_index(_schema: str) -> Index:
    wanted = Row.objects.filter(valid_to=None).order_by("id")
    split: set[int] = set()
    if polygons.loaded().content is None:
        wanted = wanted.exclude(kind=Row.Kind.COUNTY)
    else:
        given = Territory.objects.filter(region__kind=Row.Kind.COUNTY).values_list("region__parent_id", flat=True)
        split = {city_id for city_id in given if city_id is not None}
    return Index(list(wanted), split)


_kept: Kept[Index] = Kept(_read_index, for_s=KEPT_S)


def index() -> Index:
    """Return the index of the brand's regions; each process reads them once a minute at most."""
    return _kept(schema_name())


def forget() -> None:
    """Read the regions again at the next question."""
    _kept.forget()


def of_fix(place: Place | None) -> Located | None:
    """Return the region of a device's fix."""
    return _located(place) if place else None


def _located(place: Place) -> Located:
    return index().locate(place, polygons.regions_at(place.lat, place.lon))


def of_address(prefix: str) -> geo.Region | None:
    """Return the region of a network ("203.0.113.0/24"), if the operator's file knows it."""
    found = ip_places.locate(prefix.partition("/")[0]) if prefix else None
    if found is None:
        return None
    named = index().named(found.country, found.province, found.city, IP_CONFIDENCE)
    if found.lat is None or found.lon is None:
        return named
    if named is not None and found.city == "":
        return named
    coarse = found.radius_km > FINE_RADIUS_KM
    near = _located(Place(found.lat, found.lon, FINE_M + 1 if coarse else 0.0)).region
    return near._replace(confidence=IP_CONFIDENCE) if near.code else named


def of_number(e164: str | None, known: Index | None = None) -> geo.Region | None:
    """Return the region in which a number was issued; ``known`` is `index` where it is at hand."""
    area = issued.issued_in(e164) if e164 else ""
    if not area:
        return None
    known = known or index()
    if area not in known.by_area:
        known.by_area[area] = _of_area(known, area)
    return known.by_area[area]


def _of_area(known: Index, area: str) -> geo.Region | None:
    for end in ("省", "自治区", "特别行政区"):
        province, mark, city = area.partition(end)
        if mark and city:
            return known.named("CN", province + mark, city, NUMBER_CONFIDENCE)
    return known.named("CN", area, area if area.endswith("市") else "", NUMBER_CONFIDENCE)


def locate(cases: Iterable[Case]) -> None:
    """Fill in the regions that each case's sources tell. Before the transaction: the brand's regions may have to be read.

    Of a member who is signed in the number is known too; it is read for its region alone, and neither kept nor told.
    """
    cases = list(cases)
    numbers = phones_of({case.attempt.member_id for case in cases if case.attempt.member_id is not None})
    known: Index | None = None
    for case in cases:
        attempt = case.attempt
        if fix := of_fix(attempt.place):
            case.region, case.beside = fix
        if region := of_address(attempt.ip_prefix):
            case.other_regions.append((IP, region))
        if number := attempt.phone or numbers.get(attempt.member_id or 0):
            known = known or index()
            if region := of_number(number, known):
                case.other_regions.append((PHONE, region))


def rows_of(cases: Iterable[Case]) -> list[PlaceRow]:
    """Return what is known of the places of these cases, one row for each source."""
    rows = []
    for case in cases:
        at = case.attempt.at
        if case.attempt.place and case.region is not None:
            rows.append(PlaceRow(case.scan_id, GPS, case.region, case.attempt.place, at, case.beside))
        for source, region in case.other_regions:
            rows.append(PlaceRow(case.scan_id, source, region, None, at))
    return rows


_REGIONS = rows_from(
    {"scan_id": "bigint", "region": "text"}, source="text", confidence="float8", at="timestamptz"
)  # fmt: skip
_WRITE_REGIONS = f"""
    INSERT INTO redemption_scanplace (scan_id, source, region, city, city_zh, confidence, at)
    SELECT scan_id, source, region, '', '', confidence, at
      FROM {_REGIONS} AS n
        ON CONFLICT (scan_id, source) DO NOTHING
"""  # noqa: S608 - names of our own


def write_places(rows: Sequence[PlaceRow]) -> None:
    """Write rows; a scan that has a place of the source already keeps it. One statement for fixes, one for all others."""
    regions = [row for row in rows if row.place is None]
    fixes = [(row, row.place) for row in rows if row.place is not None]
    if regions:  # as of nearly every attempt: most columns are empty, and cost as much to send as those that are not
        ask(
            _WRITE_REGIONS,
            {
                "scan_id": array(row.scan_id for row in regions),
                "region": texts(row.region.code for row in regions),
                "source": column((row.source for row in regions), texts),
                "confidence": column(row.region.confidence for row in regions),
                "at": column((row.at for row in regions), moments),
            },
        )
    if fixes:
        ask(
            """
            INSERT INTO redemption_scanplace (scan_id, source, region, city, city_zh, lat, lon, accuracy_m, confidence,
                                              datum, consent, at, beside)
            SELECT scan_id, source, region, city, city_zh, lat, lon, accuracy_m, confidence, datum, consent, at,
                   beside::varchar(20)[]
              FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::float8[],
                          %s::float8[], %s::float8[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
                   AS n (scan_id, source, region, city, city_zh, lat, lon, accuracy_m, confidence, datum, consent, at, beside)
                ON CONFLICT (scan_id, source) DO NOTHING
            """,
            [
                array(row.scan_id for row, _place in fixes),
                texts([row.source for row, _place in fixes]),
                texts([row.region.code for row, _place in fixes]),
                texts([row.region.name_en for row, _place in fixes]),
                texts([row.region.name_zh for row, _place in fixes]),
                array(place.lat for _row, place in fixes),
                array(place.lon for _row, place in fixes),
                array(place.accuracy_m for _row, place in fixes),
                array(row.region.confidence for row, _place in fixes),
                texts([place.datum for _row, place in fixes]),
                texts([place.consent for _row, place in fixes]),
                moments(row.at for row, _place in fixes),
                texts("{" + ",".join(row.beside) + "}" if row.beside else None for row, _place in fixes),
            ],
        )
