import math

import pytest

from common.geo import BadPlace, Place, nearest_place, provinces_of_china


@pytest.mark.parametrize(
    ("lat", "lon", "code", "english", "chinese"),
    [
        (22.543, 114.058, "CN-GD-1795565", "Shenzhen", "深圳"),
        (31.304, 120.595, "CN-JS-1886760", "Suzhou", "苏州"),
        (30.25, 120.15, "CN-ZJ-1808926", "Hangzhou", "杭州"),
        (22.28, 114.15, "HK", "Hong Kong", "香港"),
        (48.85, 2.35, "FR-2988507", "Paris", "巴黎"),
    ],
)
def test_a_position_is_told_as_its_city(lat: float, lon: float, code: str, english: str, chinese: str) -> None:
    region = nearest_place(lat, lon, 20)

    assert region[:3] == (code, english, chinese)
    assert region.confidence > 0.9


def test_a_quarter_of_a_city_is_told_as_the_city() -> None:
    assert nearest_place(31.22, 121.54, 5).name_zh == "上海"  # Pudong
    assert nearest_place(22.56, 113.88, 5).name_zh == "深圳"  # Bao'an


def test_a_coarse_position_is_told_as_the_province() -> None:
    assert nearest_place(30.25, 120.15, 50_000).code.startswith("CN-ZJ-")
    assert nearest_place(30.25, 120.15, 50_001)[:3] == ("CN-ZJ", "Zhejiang", "浙江")


def test_trust_falls_with_accuracy() -> None:
    trust = [nearest_place(30.25, 120.15, accuracy_m).confidence for accuracy_m in (0, 10_000, 40_000, 60_000, 1e9)]

    assert trust == sorted(trust, reverse=True)
    assert trust[-1] == 0


def test_the_open_sea_is_nowhere() -> None:
    assert nearest_place(0, 0) == ("", "", "", 0.0)


@pytest.mark.parametrize(
    "position",
    [(91, 0, 0), (0, -180.1, 0), (0, 0, -1), (math.nan, 0, 0), (0, math.inf, 0), (0, 0, math.inf)],
)
def test_what_is_no_position_is_refused(position: tuple[float, float, float]) -> None:
    assert Place(90, -180, 0)

    with pytest.raises(BadPlace):
        Place(*position)


def test_every_province_has_both_names() -> None:
    provinces = provinces_of_china()

    assert len(provinces) == len({region.code for region in provinces}) == 34
    assert all(region.name_en and region.name_zh for region in provinces)
