"""Which region a position lies in, by polygons that the operator supplies: a GeoJSON file (RFC 7946) of regions.

The file is named by the setting `REGION_POLYGONS_FILE` and is read again when it was replaced; `REGION_POLYGONS_PROPERTY`
names the property that holds a region's code, as the brand's regions have it. Without a file the nearest city counts. A
file that cannot be used leaves the one before it in use, or none; ``manage.py check_polygons`` says what is wrong with it.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shapely
from django.conf import settings
from shapely import MultiPolygon, Point, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from common import geo
from common.operator_file import Loaded, OperatorFile, Unusable

MOST_BYTES = 256 * 1024 * 1024
MOST_TRIED = 60
"""Regions whose country is looked up to see whether the axes are swapped."""
CODE_LENGTH = 20


class BadPolygons(Unusable):
    """The file cannot be used; the text says why, and which feature is at fault, counted from 1."""


@dataclass(frozen=True)
class Polygons:
    """Regions by their outlines. ``mended``: codes whose outlines crossed themselves."""

    codes: tuple[str, ...]
    areas: tuple[float, ...]
    tree: STRtree
    mended: tuple[str, ...] = field(default=())

    def at(self, lat: float, lon: float) -> list[str]:
        """Return the codes of the regions that hold a position (WGS 84, degrees), the smallest first."""
        found = self.tree.query(Point(lon, lat), predicate="intersects").tolist()
        return list(dict.fromkeys(self.codes[number] for number in sorted(found, key=lambda one: self.areas[one])))


def read(path: Path, code_property: str) -> Polygons:
    """Read a file. Raises `BadPolygons`."""
    codes: list[str] = []
    shapes: list[BaseGeometry] = []
    mended: list[str] = []
    for number, feature in enumerate(_features(path), 1):
        code, shape = _feature(feature, number, code_property)
        if not shape.is_valid:
            shape = shapely.make_valid(shape, method="structure")
            mended.append(code)
        if shape.area == 0:
            raise BadPolygons(f"feature {number} ({code}): the outline encloses nothing")
        codes.append(code)
        shapes.append(shape)
    if not codes:
        raise BadPolygons("the file holds no region")
    _refuse_swapped_axes(codes, shapes)
    return Polygons(tuple(codes), tuple(float(one.area) for one in shapes), STRtree(shapes), tuple(mended))


def _features(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadPolygons(f"the file is larger than {MOST_BYTES >> 20} MB")
        told = json.loads(path.read_bytes())
    except OSError as error:
        raise BadPolygons(f"the file cannot be opened ({type(error).__name__})") from None
    except (ValueError, RecursionError) as error:
        raise BadPolygons(f"the file is not JSON: {error}") from None
    if not isinstance(told, dict) or told.get("type") != "FeatureCollection":
        raise BadPolygons("the file is not a FeatureCollection of GeoJSON")
    if "crs" in told and "CRS84" not in str(told["crs"]) and "4326" not in str(told["crs"]):
        raise BadPolygons("the file names another coordinate system than WGS 84")
    features = told.get("features")
    if not isinstance(features, list):
        raise BadPolygons("the file has no list of features")
    return features


def _feature(feature: Any, number: int, code_property: str) -> tuple[str, BaseGeometry]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    code = str((properties or {}).get(code_property) or "").strip() if isinstance(properties or {}, dict) else ""
    if not code or len(code) > CODE_LENGTH:
        raise BadPolygons(f"feature {number}: the property {code_property} holds no code of a region")
    geometry = feature.get("geometry")
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in {"Polygon", "MultiPolygon"}:
        raise BadPolygons(f"feature {number} ({code}): neither Polygon nor MultiPolygon")
    try:
        parts = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
        polygons = [Polygon(rings[0], rings[1:]) for rings in parts]
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, shapely.errors.GEOSException) as error:
        raise BadPolygons(f"feature {number} ({code}): the outline cannot be read: {error}") from None
    shape = polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
    _refuse_impossible(shape, f"feature {number} ({code})")
    return code, shape


def _refuse_impossible(shape: BaseGeometry, name: str) -> None:
    west, south, east, north = shape.bounds or (float("nan"),) * 4
    if west >= -180 and east <= 180 and south >= -90 and north <= 90:
        return
    if west >= -90 and east <= 90 and south >= -180 and north <= 180:
        raise BadPolygons(f"{name}: the axes are swapped: GeoJSON writes the longitude first")
    raise BadPolygons(f"{name}: a position is not on earth, in degrees")


def _refuse_swapped_axes(codes: list[str], shapes: list[BaseGeometry]) -> None:
    """Compare the country that begins each code with the one that the region lies in, and with the axes swapped."""
    votes: Counter[str] = Counter()
    step = max(len(codes) // MOST_TRIED, 1)
    for code, shape in zip(codes[::step], shapes[::step], strict=True):
        inside = shape.representative_point()
        country = code[:2].upper()
        votes["as written"] += _country(inside.y, inside.x) == country
        votes["swapped"] += abs(inside.x) <= 90 and _country(inside.x, inside.y) == country
    if votes["swapped"] > votes["as written"]:
        raise BadPolygons("the axes are swapped: GeoJSON writes the longitude first")


def _country(lat: float, lon: float) -> str:
    return geo.nearest_place(lat, lon).code[:2]


# --- the file in use ---------------------------------------------------------------------------------------------------


def loaded() -> Loaded[Polygons]:
    """Return the file in use. Never fails."""
    return _file(settings.REGION_POLYGONS_FILE)


def regions_at(lat: float, lon: float) -> list[str]:
    """Return the codes of the regions that hold a position, the smallest first; none without a file."""
    polygons = loaded().content
    return polygons.at(lat, lon) if polygons else []


_file = OperatorFile("the file of polygons of regions", lambda path: read(path, settings.REGION_POLYGONS_PROPERTY))
forget = _file.forget
