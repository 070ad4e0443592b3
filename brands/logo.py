"""A brand's logo: an SVG of shapes alone, so that it can do nothing where it is shown."""

import re
from xml.etree import ElementTree as ET

from django.utils.translation import gettext as _

from common.errors import Invalid

_SVG = "{http://www.w3.org/2000/svg}"
_TAGS = frozenset(
    {
        "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "title", "desc", "defs",
        "linearGradient", "radialGradient", "stop", "clipPath", "mask", "symbol", "text", "tspan",
    }
)  # fmt: skip
_FORBIDDEN = re.compile(r"(?i)<!|<\?(?!xml )|javascript:|data:|expression\(|@import|url\(\s*['\"]?(?!#)")


class BadLogo(Invalid):
    """The logo is not an SVG of shapes alone."""

    code = "bad_logo"


def check_logo(text: str) -> None:
    """Raise `BadLogo` unless ``text`` is empty or an SVG with nothing but shapes in it."""
    if not text:
        return
    if _FORBIDDEN.search(text):
        raise BadLogo(_("The SVG holds something that is not a shape: a document type, a script or a link."))
    try:
        root = ET.fromstring(text)  # noqa: S314 - entities and document types are refused above
    except ET.ParseError:
        raise BadLogo(_("That is not a whole SVG file.")) from None
    if root.tag != f"{_SVG}svg":
        raise BadLogo(_("That is not an SVG file."))
    for element in root.iter():
        name = element.tag.removeprefix(_SVG) if isinstance(element.tag, str) else ""
        if name not in _TAGS:
            raise BadLogo(_("The SVG holds something that is not a shape: {name}.").format(name=name[:40]))
        for attribute in element.attrib:
            local = attribute.rpartition("}")[2].lower()
            if local.startswith("on") or local in {"href", "src", "style"}:
                raise BadLogo(_("The SVG holds an attribute that is not allowed: {name}.").format(name=local[:40]))
