"""What lies under the map: the operator's own GeoJSON, else outlines of the world, else nothing.

The operator names a file by `MAP_BASE`, read again when it was replaced, and what must stand beside it by
`MAP_ATTRIBUTION` (in China the approval number, 审图号). Without a file, maps of China have no outlines at all.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.templatetags.static import static
from django.utils.translation import gettext as _

CHINA = frozenset({"CN", "HK", "MO", "TW"})
MOST_BYTES = 20_000_000
log = logging.getLogger(__name__)


class Base(NamedTuple):
    """``outlines``: where the page reads them, "" for none. ``trouble``: why the operator's file is not used."""

    outlines: str
    attribution: str
    trouble: str = ""


class _Kept(NamedTuple):
    path: str
    modified: float
    content: bytes
    trouble: str


_kept = _Kept("", 0.0, b"", "")


def base_for(codes: Iterable[str]) -> Base:
    """Return what lies under a map of these regions."""
    places = _("Names and positions of places: GeoNames, CC BY 4.0.")
    own = settings.MAP_ATTRIBUTION
    if settings.MAP_BASE == "none":
        return Base("", f"{own} {places}".strip())
    if settings.MAP_BASE:
        content, trouble = supplied()
        url = "/console/diversion/map/base.json" if content else ""
        return Base(url, f"{own} {places}".strip() if content else places, trouble)
    if any(code.split("-")[0] in CHINA for code in codes):
        return Base("", _("Places are shown by their centres, without borders.") + " " + places)
    return Base(static("build/world.json"), _("Outlines: Natural Earth.") + " " + places)


def supplied() -> tuple[bytes, str]:
    """Return the operator's GeoJSON, and else why there is none."""
    global _kept
    path = Path(settings.MAP_BASE)
    try:
        modified = path.stat().st_mtime
        if (_kept.path, _kept.modified) != (str(path), modified):
            _kept = _Kept(str(path), modified, *_checked(path))
    except OSError as error:
        _kept = _Kept(str(path), 0.0, b"", type(error).__name__)
    return _kept.content, _kept.trouble


def _checked(path: Path) -> tuple[bytes, str]:
    try:
        if path.stat().st_size > MOST_BYTES:
            return b"", _("the file is larger than 20 MB")
        features = json.loads(path.read_bytes())["features"]
        content = json.dumps({"type": "FeatureCollection", "features": [_feature(one) for one in features]})
    except (ValueError, KeyError, TypeError, AttributeError):
        log.warning("the base map cannot be read")
        return b"", _("the file is no GeoJSON collection of polygons")
    return (content.encode(), "") if features else (b"", _("the file has no outlines"))


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
