"""Fonts as PDF objects, cut down to what is used: one monospaced for codes, one with hanzi for other text.

Both are under the SIL Open Font License and come with this application's requirements: IBM Plex Mono (TrueType) and
Noto Sans SC (CFF, keyed by CID).
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
ADVANCE = 0.6  # ems that a symbol of the monospaced font takes


class FontMissing(Exception):
    """A font that is needed is not installed."""


@dataclass(frozen=True, slots=True)
class Mono:
    """The monospaced font: ``objects`` are (dictionary, stream or None); in them, ``{n}`` names the n-th of them."""

    objects: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Wide:
    """The font for any text. ``cids`` maps characters to what a PDF string holds, ``widths`` to thousandths of an em."""

    objects: tuple[tuple[str, bytes | None], ...]
    cids: dict[str, int]
    widths: dict[str, int]

    def string(self, text: str) -> str:
        """Return text as hex digits of glyphs, four a character."""
        return "".join(f"{self.cids[character]:04X}" for character in text)

    def width(self, text: str, size: float) -> float:
        """Return how wide text is, in the unit of ``size``."""
        return sum(self.widths[character] for character in text) * size / 1000


def mono_path() -> Path:
    """Return the file of the monospaced font. Raises FontMissing."""
    return _package("fontpkg_ibm_plex_mono") / "files" / "IBMPlexMono-Regular.ttf"


def wide_path() -> Path:
    """Return the file of the font with hanzi. Raises FontMissing."""
    return _package("pylopdf_fonts_zh_cn") / "NotoSansSC-Regular.otf"


@lru_cache(maxsize=1)
def mono() -> Mono:
    """Return the monospaced font, with all printable ASCII characters."""
    font = _subset(mono_path(), PRINTABLE)
    data = BytesIO()
    font.save(data, reorderTables=False)
    widths = " ".join(str(round(font["hmtx"][font.getBestCmap()[ord(each)]][0])) for each in PRINTABLE)
    name = "/ZHENBI+IBMPlexMono"
    return Mono(
        (
            (
                f"<< /Type /Font /Subtype /TrueType /BaseFont {name} /FirstChar 32 /LastChar 126 /Widths [{widths}]"
                " /Encoding /WinAnsiEncoding /FontDescriptor {1} >>",
                None,
            ),
            (_descriptor(font, name, 33, "/FontFile2 {2}"), None),
            (f"<< /Length1 {len(data.getvalue())}", data.getvalue()),
        )
    )


@lru_cache(maxsize=16)
def wide(characters: str) -> Wide:
    """Return the font for any text, with the characters given (sorted, each once). Raises FontMissing, ValueError."""
    font = _subset(wide_path(), characters)
    cmap = font.getBestCmap()
    missing = [each for each in characters if ord(each) not in cmap]
    if missing:
        raise ValueError(f"the font has no glyph for {' '.join(missing)}")
    cids = {each: int(cmap[ord(each)].removeprefix("cid")) for each in characters if cmap[ord(each)] != ".notdef"}
    widths = {each: round(font["hmtx"][cmap[ord(each)]][0]) for each in characters}
    listed = " ".join(f"{cids[each]} [{widths[each]}]" for each in characters)
    name = "/ZHENBI+NotoSansSC-Regular"
    objects: tuple[tuple[str, bytes | None], ...] = (
        (
            f"<< /Type /Font /Subtype /Type0 /BaseFont {name} /Encoding /Identity-H /DescendantFonts [{{1}}]"
            " /ToUnicode {4} >>",
            None,
        ),
        (
            f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont {name} /CIDSystemInfo"
            f" << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 1000 /W [{listed}] /FontDescriptor {{2}} >>",
            None,
        ),
        (_descriptor(font, name, 4, "/FontFile3 {3}"), None),
        ("<< /Subtype /CIDFontType0C", font.getTableData("CFF ")),
        ("<<", _to_unicode(cids)),
    )
    return Wide(objects, cids, widths)


@dataclass(frozen=True, slots=True)
class Outline:
    """Text as shapes: ``path`` is SVG in units of the font, upwards; ``width`` in ems; what has no glyph is left out."""

    path: str
    width: float
    units: int


def outline(text: str, *, fixed: bool = False) -> Outline:
    """Return text as shapes of exactly the font that is printed: the monospaced one or the one for any text."""
    face = _face(fixed=fixed)
    pen, at = SVGPathPen(face.glyphs, ntos=lambda number: f"{number:.0f}"), 0.0
    for letter in text:
        name = face.cmap.get(ord(letter))
        if name is not None:
            glyph = face.glyphs[name]
            glyph.draw(TransformPen(pen, (1, 0, 0, 1, at, 0)))
            at += glyph.width
    return Outline(pen.getCommands(), at / face.units, face.units)


def width_of(text: str, *, fixed: bool = False) -> float:
    """Return how wide text is, in ems."""
    face = _face(fixed=fixed)
    names = (face.cmap.get(ord(letter)) for letter in text)
    return float(sum(face.glyphs[name].width for name in names if name is not None)) / face.units


def missing(text: str, *, fixed: bool = False) -> str:
    """Return the characters that the font has no glyph for, each once."""
    cmap = _face(fixed=fixed).cmap
    return "".join(dict.fromkeys(letter for letter in text if ord(letter) not in cmap))


class _Face(NamedTuple):
    glyphs: Any
    cmap: dict[int, str]
    units: int


@lru_cache(maxsize=2)
def _face(*, fixed: bool) -> _Face:
    font = TTFont(mono_path() if fixed else wide_path(), lazy=True)
    return _Face(font.getGlyphSet(), font.getBestCmap(), font["head"].unitsPerEm)


def stream(head: str, data: bytes) -> bytes:
    """Return a compressed stream object's body; ``head`` is its dictionary, not yet closed."""
    packed = zlib.compress(data, 9)
    return f"{head} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode() + packed + b"\nendstream"


def _subset(path: Path, characters: str) -> TTFont:
    font = TTFont(path, recalcTimestamp=False)
    options = Options()
    options.layout_features = []
    options.hinting = False
    options.desubroutinize = True
    options.notdef_outline = True
    options.name_IDs = [1, 2, 4, 6, 13]
    options.drop_tables += ["DSIG", "GDEF", "GPOS", "GSUB", "BASE", "VORG", "vhea", "vmtx", "meta"]
    subsetter = Subsetter(options)
    subsetter.populate(text=characters)
    subsetter.subset(font)
    return font


def _descriptor(font: TTFont, name: str, flags: int, file: str) -> str:
    head, scale = font["head"], 1000 / font["head"].unitsPerEm
    box = " ".join(str(round(value * scale)) for value in (head.xMin, head.yMin, head.xMax, head.yMax))
    measures = font["hhea"]
    return (
        f"<< /Type /FontDescriptor /FontName {name} /Flags {flags} /FontBBox [{box}] /ItalicAngle 0"
        f" /Ascent {round(measures.ascent * scale)} /Descent {round(measures.descent * scale)} /CapHeight 700 /StemV 80"
        f" {file} >>"
    )


def _to_unicode(cids: dict[str, int]) -> bytes:
    pairs = [f"<{cid:04X}> <{character.encode('utf-16-be').hex().upper()}>" for character, cid in cids.items()]
    lines = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
        "1 begincodespacerange <0000> <FFFF> endcodespacerange",
    ]
    for start in range(0, len(pairs), 100):  # at most 100 a block
        part = pairs[start : start + 100]
        lines += [f"{len(part)} beginbfchar", *part, "endbfchar"]
    lines.append("endcmap CMapName currentdict /CMap defineresource pop end end")
    return "\n".join(lines).encode()


def _package(name: str) -> Path:
    try:
        return Path(str(import_module(name).__file__)).parent
    except ImportError:
        raise FontMissing(f"the font package {name} is not installed: see requirements/runtime.txt") from None
