"""What lies under the map: the operator's own GeoJSON, else outlines of the world, else nothing.

The operator names a file by `MAP_BASE`, read again when it was replaced, and what must stand beside it by
`MAP_ATTRIBUTION` (in China the approval number, 审图号). Without a file, maps of China have no outlines at all.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.templatetags.static import static
from django.utils.translation import gettext as _, gettext_lazy

from common.operator_file import Loaded, OperatorFile, Unusable

CHINA = frozenset({"CN", "HK", "MO", "TW"})
MOST_BYTES = 20_000_000


class Base(NamedTuple):
    """``outlines``: where the page reads them, "" for none. ``trouble``: why the operator's file is not used."""

    outlines: str
    attribution: str
    trouble: str = ""


def base_for(codes: Iterable[str]) -> Base:
    """Return what lies under a map of these regions."""
    places = _("Names and positions of places: GeoNames, CC BY 4.0.")
    own = settings.MAP_ATTRIBUTION
    if settings.MAP_BASE == "none":
        return Base("", f"{own} {places}".strip())
    if settings.MAP_BASE:
        own_file = supplied()
        url = "/console/diversion/map/base.json" if own_file.content else ""
        return Base(url, f"{own} {places}".strip() if own_file.content else places, str(own_file.error))
    if any(code.split("-")[0] in CHINA for code in codes):
        return Base("", _("Places are shown by their centres, without borders.") + " " + places)
    return Base(static("build/world.json"), _("Outlines: Natural Earth.") + " " + places)


def supplied() -> Loaded[bytes]:
    """Return the operator's GeoJSON, if it is named and can be used."""
    return _file("" if settings.MAP_BASE == "none" else settings.MAP_BASE)


def _read(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise Unusable(gettext_lazy("the file is larger than 20 MB"))
    try:
        features = [_feature(one) for one in json.loads(path.read_bytes())["features"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unusable(gettext_lazy("the file is no GeoJSON collection of polygons")) from error
    if not features:
        raise Unusable(gettext_lazy("the file has no outlines"))
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


_file = OperatorFile("the base map", _read)
forget = _file.forget


def _feature(one: dict[str, Any]) -> dict[str, Any]:
    """Return what the page needs of a feature: its outline, and the region code that it may have. Raises ValueError."""
    geometry = one["geometry"]
    if geometry["type"] not in {"Polygon", "MultiPolygon"} or not geometry["coordinates"]:
        raise ValueError(geometry["type"])
    code = str((one.get("properties") or {}).get("code", ""))
    return {
        "type": "Feature",
        "properties": {"name": code, "code": code},
        "geometry": {"type": geometry["type"], "coordinates": geometry["coordinates"]},
    }
