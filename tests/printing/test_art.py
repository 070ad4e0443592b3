"""Pictures that people send: redrawn, named by their hash, refused where they are no pictures."""

import struct
import zlib
from io import BytesIO

import PIL.Image
import pytest

from printing.art import LONGEST_SIDE, BadArt, clean

SVG = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 20'><rect width='40' height='20' fill='#c00'/>{}</svg>"


def picture(kind: str, size: tuple[int, int] = (60, 40), mode: str = "RGB") -> bytes:
    file = BytesIO()
    PIL.Image.effect_mandelbrot(size, (-2, -1, 1, 1), 20).convert(mode).save(file, kind)
    return file.getvalue()


def bomb() -> bytes:
    """Return a PNG of a few bytes that says it is 30,000 pixels wide and high."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_redrawn_without_what_it_carried(kind: str) -> None:
    sent = picture(kind) + b"<script>alert(1)</script>"

    kept = clean(sent)

    assert (kept.width, kept.height) == (60, 40)
    assert b"script" not in kept.data
    assert kept.sha256 != kept.source_sha256
    assert clean(sent).sha256 == kept.sha256


def test_a_large_picture_is_made_smaller_and_a_transparent_one_stays_so() -> None:
    large = clean(picture("PNG", (LONGEST_SIDE + 500, 300)))
    file = BytesIO()
    PIL.Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(file, "PNG")

    assert large.width == LONGEST_SIDE
    assert PIL.Image.open(BytesIO(clean(file.getvalue()).data)).getpixel((1, 1))[3] == 0  # type: ignore[index]


def test_an_svg_of_shapes_is_drawn() -> None:
    kept = clean(SVG.format("<circle cx='9' cy='9' r='4' fill='#fff'/>").encode())

    drawn = PIL.Image.open(BytesIO(kept.data)).convert("RGB")
    assert (kept.width, kept.height) == (2400, 1200)
    assert drawn.getpixel((2300, 600)) == (204, 0, 0)
    assert drawn.getpixel((540, 540)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "whole"),
        (b"GIF89a" + bytes(40), "whole"),
        (b"%PDF-1.7", "whole"),
        (bomb(), "pixels"),
        (bytes(5_000_001), "5 MB"),
        (SVG.format("<script>alert(1)</script>").encode(), "not a shape"),
        (SVG.format("<image href='file:///etc/passwd'/>").encode(), "not a shape"),
        (SVG.format("<path onload='x' d=''/>").encode(), "not allowed"),
        (b"<!DOCTYPE svg [<!ENTITY a 'b'>]>" + SVG.format("&a;").encode(), "not a shape"),
        (SVG.replace("40 20", "1 90000").format("").encode(), "twenty times"),
        (b"<svg", "whole"),
    ],
)
def test_what_is_no_picture_is_refused(sent: bytes, said: str) -> None:
    clean(picture("PNG"))

    with pytest.raises(BadArt, match=said):
        clean(sent)
