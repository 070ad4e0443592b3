"""Regions by polygons: what a file says of a position, and what is told of a file that cannot be used."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common import operator_file, polygons
from common.polygons import BadPolygons

Ring = list[list[float]]


def square(west: float, south: float, east: float, north: float) -> Ring:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feature(code: str, *rings: Ring, also: list[Ring] | None = None) -> dict[str, Any]:
    geometry: dict[str, Any] = {"type": "Polygon", "coordinates": list(rings)}
    if also:
        geometry = {"type": "MultiPolygon", "coordinates": [list(rings), also]}
    return {"type": "Feature", "properties": {"code": code}, "geometry": geometry}


def write(path: Path, *features: Any) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


# Guangdong as a square with a hole, in which another region lies, and an island.
GUANGDONG = feature("CN-GD", square(112, 22, 116, 26), square(113, 23, 114, 24), also=[square(110, 20, 111, 21)])
HOLE = feature("CN-GD-01", square(113, 23, 114, 24))


@pytest.fixture
def file(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = write(tmp_path / "regions.geojson", GUANGDONG, HOLE)
    settings.REGION_POLYGONS_FILE = str(path)
    monkeypatch.setattr(operator_file, "LOOK_EVERY_S", 0.0)
    polygons.forget()
    yield path
    polygons.forget()


@pytest.mark.parametrize(
    ("lat", "lon", "codes"),
    [
        (25.0, 115.0, ["CN-GD"]),
        (23.5, 113.5, ["CN-GD-01"]),  # in the hole
        (20.5, 110.5, ["CN-GD"]),  # on the island
        (21.5, 111.5, []),  # between the two
        (113.5, 23.5, []),
    ],
)
def test_a_position_lies_in_a_polygon_but_not_in_its_hole(file: Path, lat: float, lon: float, codes: list[str]) -> None:
    assert polygons.regions_at(lat, lon) == codes


def test_of_two_regions_the_smaller_comes_first(tmp_path: Path) -> None:
    whole = feature("CN-GD", square(112, 22, 116, 26))

    found = polygons.read(write(tmp_path / "p.geojson", whole, HOLE), "code")

    assert found.at(23.5, 113.5) == ["CN-GD-01", "CN-GD"]


def test_an_outline_that_crosses_itself_is_mended(tmp_path: Path) -> None:
    bow = [[112.0, 22.0], [116.0, 26.0], [116.0, 22.0], [112.0, 26.0], [112.0, 22.0]]

    found = polygons.read(write(tmp_path / "p.geojson", feature("CN-GD", bow)), "code")

    assert found.mended == ("CN-GD",)
    assert found.at(24.0, 115.5) == ["CN-GD"]
    assert found.at(25.9, 114.0) == []


def turned(ring: Ring) -> Ring:
    return [[lat, lon] for lon, lat in ring]


FAULTS = {
    "swapped by range": ([feature("CN-GD", turned(square(112, 22, 116, 26)))], "axes are swapped"),
    "swapped by country": ([feature("DE-BY", turned(square(10, 48, 12, 50)))], "axes are swapped"),
    "not on earth": ([feature("CN-GD", square(112, 22, 400, 26))], "not on earth"),
    "no code": ([{**HOLE, "properties": {"name": "x"}}], "feature 1: the property code"),
    "no properties": ([HOLE, {**HOLE, "properties": None}], "feature 2: the property code"),
    "a point": ([{**HOLE, "geometry": {"type": "Point", "coordinates": [1, 2]}}], "neither Polygon"),
    "no geometry": ([{**HOLE, "geometry": None}], "neither Polygon"),
    "words": ([feature("CN-GD", [["a", "b"]])], "cannot be read"),
    "two corners": ([feature("CN-GD", [[112.0, 22.0], [113.0, 23.0]])], "cannot be read"),
    "no ring": ([feature("CN-GD")], "cannot be read"),
    "a line": ([feature("CN-GD", [[112.0, 22.0], [113.0, 23.0], [114.0, 24.0], [112.0, 22.0]])], "encloses nothing"),
    "a number": ([7], "feature 1"),
    "nothing": ([], "holds no region"),
}


@pytest.mark.parametrize(("features", "told"), FAULTS.values(), ids=FAULTS)
def test_a_bad_file_is_told_plainly(tmp_path: Path, features: list[Any], told: str) -> None:
    with pytest.raises(BadPolygons, match=told):
        polygons.read(write(tmp_path / "p.geojson", *features), "code")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"[]", "not a FeatureCollection"),
        (b'{"type": "FeatureCollection"}', "no list of features"),
        (b'{"type": "FeatureCollection", "crs": {"name": "EPSG:4490"}, "features": []}', "another coordinate system"),
    ],
)
def test_what_is_no_geojson_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "p.geojson"
    path.write_bytes(content)

    with pytest.raises(BadPolygons, match=told):
        polygons.read(path, "code")


def spoil(path: Path) -> None:
    path.write_text("{")


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(("harm", "told"), [(spoil, "not JSON"), (remove, "FileNotFoundError")])
def test_a_file_is_read_again_when_it_was_replaced_and_a_bad_one_is_passed_over(
    file: Path, harm: Callable[[Path], None], told: str
) -> None:
    assert polygons.regions_at(25.0, 115.0) == ["CN-GD"]

    harm(file)

    assert polygons.regions_at(25.0, 115.0) == ["CN-GD"], "what was in use stays in use"
    assert told in polygons.loaded().error
    write(file, feature("CN-HI", square(112, 22, 116, 26)))
    assert polygons.regions_at(25.0, 115.0) == ["CN-HI"]
    assert polygons.loaded().error == ""


def test_without_a_file_nothing_is_known_and_nothing_fails(settings: Any) -> None:
    settings.REGION_POLYGONS_FILE = ""
    polygons.forget()

    assert polygons.regions_at(25.0, 115.0) == []
