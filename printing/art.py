"""A picture that somebody sends, made safe to keep and to print: redrawn as PNG or JPEG, so that nothing else is left.

An SVG is taken only if it holds nothing but shapes (`brands.logo.check_logo`), and is drawn at a fixed size by resvg,
which runs no scripts and loads nothing. Sizes are looked at before anything is unpacked.
"""

import hashlib
import re
import warnings
from dataclasses import dataclass
from io import BytesIO
from xml.etree import ElementTree as ET

import PIL.Image
import PIL.ImageOps
import resvg_py
from django.utils.translation import gettext as _

from brands.logo import BadLogo, check_logo
from common.errors import Invalid
from printing import fonts

MOST_BYTES = 5_000_000
MOST_SVG_BYTES = 300_000
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 3_000  # 254 mm at 300 dpi
DRAWN_SIDE = 2_400
MOST_RATIO = 20
MOST_KEPT_BYTES = 1_400_000  # as base64 within what a template's picture may have
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:px|pt|mm|cm|in|pc)?\s*")


class BadArt(Invalid):
    """The file is no picture that can be printed."""

    code = "bad_art"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is kept: ``sha256`` names ``data``, ``source_sha256`` is that of the file sent."""

    data: bytes
    media_type: str
    width: int
    height: int
    sha256: str
    source_sha256: str


def clean(sent: bytes) -> Picture:
    """Redraw a PNG, a JPEG or an SVG. Raises BadArt."""
    if len(sent) > MOST_BYTES:
        raise BadArt(_("The file is larger than 5 MB."))
    image = _opened(_drawn(sent) if sent.lstrip()[:1] == b"<" else sent)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    data, media_type = _kept(image)
    while len(data) > MOST_KEPT_BYTES:  # each round halves the pixels at least
        image.thumbnail((int(image.width * 0.7) or 1, int(image.height * 0.7) or 1))
        data, media_type = _kept(image)
    name, source = (hashlib.sha256(part).hexdigest() for part in (data, sent))
    return Picture(data, media_type, image.width, image.height, name, source)


def _opened(data: bytes) -> PIL.Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            image = PIL.Image.open(BytesIO(data), formats=("PNG", "JPEG"))
            if image.width * image.height > MOST_PIXELS:
                raise BadArt(_("The picture has too many pixels: at most 40 million."))
            image.load()
            upright = PIL.ImageOps.exif_transpose(image)
            return upright.convert("RGBA" if "A" in upright.mode or "transparency" in upright.info else "RGB")
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        raise BadArt(_("The picture has too many pixels: at most 40 million.")) from None
    except (OSError, SyntaxError, ValueError, EOFError):
        raise BadArt(_("That is not a whole PNG, JPEG or SVG file.")) from None


def _kept(image: PIL.Image.Image) -> tuple[bytes, str]:
    """Return the smaller of PNG and, where nothing is transparent, JPEG; line art is kept without loss."""
    png = BytesIO()
    image.save(png, "PNG", optimize=False)
    few_colours = image.convert("RGB").getcolors(4_096) is not None
    if image.mode == "RGBA" or few_colours:
        return png.getvalue(), "image/png"
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=92, subsampling=0)
    return min((png.getvalue(), "image/png"), (jpeg.getvalue(), "image/jpeg"), key=lambda one: len(one[0]))


def _drawn(sent: bytes) -> bytes:
    """Return an SVG of shapes alone as PNG, its longer side `DRAWN_SIDE` pixels."""
    if len(sent) > MOST_SVG_BYTES:
        raise BadArt(_("The SVG is larger than 300 kB: reduce its paths, or send a PNG."))
    try:
        text = sent.decode("utf-8-sig")
        check_logo(text.strip())
        wide, high = _size(ET.fromstring(text.strip()))  # noqa: S314 - document types are refused by check_logo
        files = [str(fonts.wide_path()), str(fonts.mono_path())]
        side = (DRAWN_SIDE, None) if wide >= high else (None, DRAWN_SIDE)
        drawn = resvg_py.svg_to_bytes(
            svg_string=text, skip_system_fonts=True, font_files=files, width=side[0], height=side[1]
        )
        return bytes(drawn)
    except BadLogo as error:
        raise BadArt(error.detail) from None
    except (UnicodeDecodeError, ET.ParseError, ValueError):
        raise BadArt(_("That is not a whole PNG, JPEG or SVG file.")) from None


def _size(root: ET.Element) -> tuple[float, float]:
    numbers = [float(part) for part in re.findall(r"[0-9]+(?:\.[0-9]+)?", root.get("viewBox", ""))][-2:]
    for place, side in enumerate(("width", "height")):
        found = _NUMBER.fullmatch(root.get(side, ""))
        if found:
            numbers[place : place + 1] = [float(found[1])]
    if len(numbers) != 2 or min(numbers) <= 0 or max(numbers) > MOST_RATIO * min(numbers):
        raise BadArt(_("The SVG must say its width and height, neither twenty times the other."))
    return numbers[0], numbers[1]
