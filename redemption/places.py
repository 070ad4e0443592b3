"""The regions in which attempts were made, as their device, address and number tell: rows beside the scans.

Regions are the brand's own (`channel.Region`), found by the nearest city or by name; a brand that has loaded none gets
the cities of `common.geo`. An address and a number leave a region's code and nothing else, and no city is told to others
by them: they are too often wrong.
"""

import math
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from channel.models import Region as Row
from common import geo, ip_places, issued
from common.db import array, ask, moments, schema_name
from redemption.facts import Case
from redemption.models import ScanPlace
from redemption.rules import Place

FINE_M = 20_000.0  # a fix less accurate than this tells the province at most
KEPT_S = 60.0
IP_CONFIDENCE, NUMBER_CONFIDENCE = 0.6, 0.5
FINE_RADIUS_KM = 50.0
_ENDINGS = ("特别行政区", "维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市")


class PlaceRow(NamedTuple):
    """A row of `ScanPlace`."""

    scan_id: int
    source: str
    region: geo.Region
    place: Place | None
    at: datetime


class Index:
    """The brand's regions, to be found by position or by name."""

    def __init__(self, rows: Sequence[Row]) -> None:
        by_id = {row.pk: row for row in rows}
        cities = [row for row in rows if row.kind == Row.Kind.CITY and row.lat is not None and row.lon is not None]
        self.cities = [geo.Region(row.code, row.name, row.name_zh) for row in cities]
        self.provinces = [self._above(row, by_id) for row in cities]
        self.vectors: npt.NDArray[np.float32] = np.array(
            [_unit(row.lat or 0.0, row.lon or 0.0) for row in cities], np.float32
        ).reshape(-1, 3)
        self.by_code = {row.code: geo.Region(row.code, row.name, row.name_zh) for row in rows}
        self.by_name: dict[tuple[str, str], geo.Region] = {}
        for row in rows:
            parent = by_id[row.parent_id].code if row.parent_id else ""
            for name in (row.name, _short(row.name_zh)):
                if name and row.kind in {Row.Kind.PROVINCE, Row.Kind.CITY}:
                    self.by_name.setdefault((parent, name), self.by_code[row.code])

    @staticmethod
    def _above(row: Row, by_id: dict[int, Row]) -> geo.Region:
        parent = by_id.get(row.parent_id or 0, row)
        return geo.Region(parent.code, parent.name, parent.name_zh)

    def at(self, place: Place) -> geo.Region:
        """Return the nearest city, its province if the fix is coarse or remote, or no region."""
        accuracy_m = place.accuracy_m or 0.0
        if not self.cities:
            found = geo.nearest_place(place.lat, place.lon, accuracy_m)
            return self.province_of(found) if accuracy_m > FINE_M else found
        cosines = self.vectors @ np.asarray(_unit(place.lat, place.lon), np.float32)
        nearest = int(np.argmax(cosines))
        away_km = geo.EARTH_RADIUS_KM * math.acos(min(max(float(cosines[nearest]), -1.0), 1.0))
        trust = math.exp(-accuracy_m / geo.COARSE_M / 2)
        if away_km > geo.PROVINCE_REACH_KM:
            return geo.Region("", "", "", 0.0)
        if accuracy_m > FINE_M or away_km > geo.CITY_REACH_KM:
            return self.provinces[nearest]._replace(confidence=round(0.8 * trust, 2))
        return self.cities[nearest]._replace(confidence=round(0.95 * trust, 2))

    def province_of(self, region: geo.Region) -> geo.Region:
        """Return the province of a city of `common.geo`: its code is the beginning of the city's."""
        code = "-".join(region.code.split("-")[:2])
        known = {one.code: one for one in geo.provinces_of_china()}
        return known.get(code, region)._replace(confidence=region.confidence)

    def named(self, country: str, province: str, city: str, confidence: float) -> geo.Region | None:
        """Return the city, else the province, that these names or codes mean."""
        found = self.by_code.get(f"{country}-{province}") or self.by_name.get((country, _short(province)))
        if found is None and not self.by_code and country == "CN":
            found = next((one for one in geo.provinces_of_china() if one.name_zh == _short(province)), None)
        if found is None:
            return None
        inside = self.by_name.get((found.code, _short(city))) if city else None
        return (inside or found)._replace(confidence=confidence)


def _short(name: str) -> str:
    """Return a Chinese name without what kind of place it is; any other name as it is."""
    return next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end) and len(name) > len(end) + 1), name)


def _unit(lat: float, lon: float) -> tuple[float, float, float]:
    phi, theta = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


_kept: dict[str, tuple[float, Index]] = {}


def index() -> Index:
    """Return the index of the brand's regions; each process reads them once a minute at most."""
    now, found = time.monotonic(), _kept.get(schema_name())
    if found is None or now - found[0] >= KEPT_S:
        wanted = Row.objects.exclude(kind=Row.Kind.COUNTY).filter(valid_to=None).order_by("id")
        found = _kept[schema_name()] = now, Index(list(wanted))
    return found[1]


def forget() -> None:
    """Read the regions again at the next question."""
    _kept.clear()


def of_fix(place: Place | None) -> geo.Region | None:
    """Return the region of a device's fix."""
    return index().at(place) if place else None


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
    near = index().at(Place(found.lat, found.lon, FINE_M + 1 if coarse else 0.0))
    return near._replace(confidence=IP_CONFIDENCE) if near.code else named


def of_number(e164: str | None) -> geo.Region | None:
    """Return the region in which a number was issued."""
    found = issued.issued_in(e164) if e164 else ""
    if not found:
        return None
    for end in ("省", "自治区", "特别行政区"):
        province, mark, city = found.partition(end)
        if mark and city:
            return index().named("CN", province + mark, city, NUMBER_CONFIDENCE)
    return index().named("CN", found, found if found.endswith("市") else "", NUMBER_CONFIDENCE)


def locate(cases: Iterable[Case]) -> None:
    """Fill in the regions that each case's sources tell. Before the transaction: the brand's regions may have to be read."""
    for case in cases:
        attempt = case.attempt
        case.region = of_fix(attempt.place)
        told = (ScanPlace.Source.IP, of_address(attempt.ip_prefix)), (ScanPlace.Source.PHONE, of_number(attempt.phone))
        case.other_regions = [(str(source), region) for source, region in told if region is not None]


def rows_of(cases: Iterable[Case]) -> list[PlaceRow]:
    """Return what is known of the places of these cases, one row for each source."""
    rows = []
    for case in cases:
        at = case.attempt.at
        if case.attempt.place and case.region is not None:
            rows.append(PlaceRow(case.scan_id, ScanPlace.Source.GPS, case.region, case.attempt.place, at))
        rows += [PlaceRow(case.scan_id, source, region, None, at) for source, region in case.other_regions]
    return rows


def write_places(rows: Sequence[PlaceRow]) -> None:
    """Write rows; a scan that has a place of the source already keeps it. One statement."""
    if not rows:
        return
    told = [row.place is not None for row in rows]
    ask(
        """
        INSERT INTO redemption_scanplace (scan_id, source, region, city, city_zh, lat, lon, accuracy_m, confidence,
                                          datum, consent, at)
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::float8[],
                             %s::float8[], %s::float8[], %s::text[], %s::text[], %s::timestamptz[])
            ON CONFLICT (scan_id, source) DO NOTHING
        """,
        [
            array(row.scan_id for row in rows),
            [str(row.source) for row in rows],
            [row.region.code for row in rows],
            [row.region.name_en if shown else "" for row, shown in zip(rows, told, strict=True)],
            [row.region.name_zh if shown else "" for row, shown in zip(rows, told, strict=True)],
            array(row.place.lat if row.place else None for row in rows),
            array(row.place.lon if row.place else None for row in rows),
            array(row.place.accuracy_m if row.place else None for row in rows),
            array(row.region.confidence for row in rows),
            [row.place.datum if row.place else "" for row in rows],
            [row.place.consent if row.place else "" for row in rows],
            moments(row.at for row in rows),
        ],
    )
