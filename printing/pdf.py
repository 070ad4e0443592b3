"""PDF by template: one page's bytes are made once, and each label's bytes are put into their slots, by numpy.

All pages have equally many bytes, so that object numbers, offsets and the cross-reference table follow by arithmetic
(ISO 32000-1, 7.5). Written as a stream: no more than a few thousand labels are in memory at a time.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Protocol

import numpy as np
import PIL.Image
from isal import isal_zlib
from numpy.typing import NDArray

from printing import code128, fonts, template as layouts
from printing.layout import Layout, layout
from printing.stencil import Bytes, Slot, Stencil, decimals

KIDS = 256  # of a node of the page tree
LABELS_AT_A_TIME = 4_096
MOST_BYTES = 10**10 - 1  # an offset has ten digits
NUMBER = 10
BLACK, GREY = "0 0 0 1 k", "0 0 0 0.15 k"
BOLD = 0.035  # ems that the outline of bold letters is thick
SHIFT = {"left": 0.0, "center": 0.5, "right": 1.0}  # parts of a text that stand left of its x
Columns = dict[str, Bytes]
Symbol = layouts.Qr | layouts.DataMatrix | layouts.Code128 | layouts.Gs1
Variable = Symbol | layouts.Serial | layouts.Code | layouts.CardNo | layouts.Name | layouts.Field


class Sink(Protocol):
    """A file, or anything else that takes bytes."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take bytes."""


class Document:
    """A PDF file of ``count`` labels. ``shapes`` are the (columns, rows) of modules of each symbol."""

    def __init__(
        self,
        template: layouts.Template,
        *,
        count: int,
        shapes: Mapping[str, tuple[int, int]],
        widths: Mapping[str, int],
        deflate: bool = False,
        name: bytes = b"",
        characters: str = "",
        mark: str = "",
    ) -> None:
        """``widths`` are bytes of the text columns; ``characters`` those of names, which the font must have.

        ``mark``, in ASCII, stands across each label in grey, under all else.
        """
        if count < 1:
            raise ValueError("a file has at least one label")
        self.template, self.count, self.deflate, self.mark = template, count, deflate, mark
        self.layout: Layout = layout(template)
        self.places = self.layout.places
        self.page_count = -(-count // self.places)
        # as many decimals as one dot needs, four at most
        self._decimals = next(
            (places for places in range(4) if round(template.points(1), places) == template.points(1)), 4
        )
        longest = template.points(max(self.layout.width, self.layout.height))
        self._width_of_numbers = len(f"{longest:.{self._decimals}f}")
        self.shapes, self.widths = shapes, widths
        letters = "".join(sorted({*template.texts(), *characters}))
        self.wide = fonts.wide(letters) if letters else None
        used = count - (self.page_count - 1) * self.places
        block = self._block(0)
        self._label = block
        self._statics = _Statics(self, name, used)
        self._head, self._stream_head, self._tail = self._page_parts()
        self.preamble = self._statics.bytes
        content = len(_ART) + self.places * len(block)
        self.stride = len(self._head) + len(self._stream_head) + content + len(self._tail)
        self.content_bytes = content

    # --- one page ---------------------------------------------------------------------------------------------------

    def columns(self) -> set[str]:
        """Return the names of the columns that the template wants."""
        return {name for name, _, _ in self._label.places}

    def places_of(self, name: str) -> list[tuple[int, int]]:
        """Return (offset in a label's block, width) of each slot of a column."""
        return [(offset, width) for found, offset, width in self._label.places if found == name]

    @property
    def block_bytes(self) -> int:
        """How long a label's block is."""
        return len(self._label)

    def _block(self, place: int) -> Stencil:
        """Return one label's variable content; equally long at every place."""
        parts: list[bytes | Slot] = []
        for element in self.template.elements:
            if isinstance(element, Variable) and not (isinstance(element, layouts.Code128) and element.of.isdecimal()):
                parts += self._draw(element, place)
        return Stencil(parts)

    def _draw(self, element: Variable, place: int) -> list[bytes | Slot]:
        template, x = self.template, self.layout.x(place, element.x)
        if isinstance(element, Symbol):
            name = column_of(element)
            wide, high = self.shapes[name]
            height = (
                template.dots(element.height)
                if isinstance(element, layouts.Code128 | layouts.Gs1)
                else element.dots * high
            )
            y = self.layout.height - self.layout.y(place, element.y) - height
            size = f"{_short(template.points(element.dots * wide))} 0 0 {_short(template.points(height))}"
            at = f"{self._fixed(x)} {self._fixed(y)}"
            head = f"q {size} {at} cm BI/W {wide}/H {high}/IM true/F/AHx ID "
            return [head.encode(), Slot(name, 2 * -(-wide // 8) * high), b">\nEI Q\n"]
        at = f"{self._fixed(x)} {self._fixed(self.layout.height - self.layout.y(place, element.y))}"
        name, hexed = column_of(element), isinstance(element, layouts.Name | layouts.Field)
        font = "/F2" if isinstance(element, layouts.Name) or name == "field partner" else "/F1"
        head = f"BT{font} {_short(element.size)} Tf {at} Td{'<' if hexed else '('}"
        return [head.encode(), Slot(name, self.widths[name]), f"{'>' if hexed else ')'}Tj ET\n".encode()]

    def _fixed(self, dots: int) -> str:
        """Return a place in points, with equally many characters all over the page."""
        return f"{self.template.points(dots):0{self._width_of_numbers}.{self._decimals}f}"

    def _page_parts(self) -> tuple[bytes, bytes, bytes]:
        boxes = " ".join(f"/{name} [{' '.join(map(_short, box))}]" for name, box in self.layout.boxes().items())
        reference = b" " * NUMBER + b" 0 R"
        head = (
            b" " * NUMBER
            + b" 0 obj\n<< /Type /Page /Parent "
            + reference
            + f" {boxes} /Resources {self._statics.resources} 0 R /Contents ".encode()
            + reference
            + b" >>\nendobj\n"
        )
        stream_head = b" " * NUMBER + b" 0 obj\n<< /Length " + b" " * NUMBER
        stream_head += b" /Filter /FlateDecode >>\nstream\n" if self.deflate else b" >>\nstream\n"
        return head, stream_head, b"\nendstream\nendobj\n"

    # --- pages ------------------------------------------------------------------------------------------------------

    def pages(self, first: int, columns: Columns) -> list[bytes | memoryview]:
        """Return the bytes of pages from ``first`` on, one item if they are equally long, else one a page and part."""
        lines = len(next(iter(columns.values()))) if columns else 0
        last_is_here = first * self.places + lines == self.count
        pages = -(-lines // self.places)
        buffer = np.empty((pages, self.stride), np.uint8)
        buffer[:] = self._blank_page
        self._number(buffer, first)
        self._fill(buffer, lines, columns)
        if last_is_here:
            self._finish(buffer[-1], lines - (pages - 1) * self.places)
        return self._deflated(buffer) if self.deflate else [buffer.reshape(-1).data]

    @property
    def _blank_page(self) -> Bytes:
        if not hasattr(self, "_page"):
            blocks = [self._block(place).text for place in range(self.places)]
            if len({len(block) for block in blocks}) != 1:
                raise ValueError("the blocks of a page differ in length")
            content = _ART + b"".join(blocks)
            page = self._head + self._stream_head + content + self._tail
            self._page = np.frombuffer(page, np.uint8).copy()
            if not self.deflate:
                self._page[self._length_at : self._length_at + NUMBER] = decimals(np.array([len(content)]), NUMBER)
        return self._page

    @property
    def _length_at(self) -> int:
        return len(self._head) + self._stream_head.index(b"/Length ") + len(b"/Length ")

    def _number(self, buffer: Bytes, first: int) -> None:
        """Write object numbers: page p is k + 1 + 2p, its content the next; its node is p // 256 of the tree."""
        pages = np.arange(first, first + len(buffer), dtype=np.int64)
        own = self._statics.count + 1 + 2 * pages
        parent_at = self._head.index(b"/Parent ") + len(b"/Parent ")
        contents_at = self._head.index(b"/Contents ") + len(b"/Contents ")
        for place, numbers in (
            (0, own),
            (parent_at, self._statics.first_leaf + pages // KIDS),
            (contents_at, own + 1),
            (len(self._head), own + 1),
        ):
            buffer[:, place : place + NUMBER] = decimals(numbers, NUMBER)

    def _fill(self, buffer: Bytes, lines: int, columns: Columns) -> None:
        pages, block = len(buffer), len(self._label)
        start = len(self._head) + len(self._stream_head) + len(_ART)
        whole = lines // self.places
        for name, offset, width in self._label.places:
            rows = columns[name]
            shape, strides = (pages, self.places, width), (self.stride, block, 1)
            # reshaping a slice would copy it and lose what is written
            view = np.ndarray(shape, np.uint8, buffer, start + offset, strides)
            view[:whole] = rows[: whole * self.places].reshape(whole, self.places, width)
            if whole < pages:
                view[whole, : lines - whole * self.places] = rows[whole * self.places :]

    def _finish(self, page: Bytes, used: int) -> None:
        """Leave the unused places of the last page blank, the art that is the same on all labels too."""
        start = len(self._head) + len(self._stream_head)
        page[start + 2] = ord("1")  # /S0 becomes /S1
        page[start + len(_ART) + used * len(self._label) : self.stride - len(self._tail)] = ord(" ")

    def _deflated(self, buffer: Bytes) -> list[bytes | memoryview]:
        content_at = len(self._head) + len(self._stream_head)
        parts: list[bytes | memoryview] = []
        for page in buffer:
            # ISA-L's zlib: five times faster than the usual one here, and a tenth smaller
            packed = isal_zlib.compress(page[content_at : content_at + self.content_bytes].data, 1)
            page[self._length_at : self._length_at + NUMBER] = np.frombuffer(b"%10d" % len(packed), np.uint8)
            parts += [page[:content_at].data, packed, self._tail]
        return parts

    # --- the file ---------------------------------------------------------------------------------------------------

    def write(self, file: Sink, columns_of: Callable[[int, int], Columns]) -> int:
        """Write the whole file; ``columns_of(start, end)`` gives the columns of labels. Return its bytes."""
        written = 0
        for piece in self.pieces(columns_of):
            file.write(piece)
            written += len(piece)
        return written

    def pieces(self, columns_of: Callable[[int, int], Columns]) -> Iterator[bytes | memoryview]:
        """Yield the file, piece by piece."""
        lengths = np.empty(self.page_count if self.deflate else 0, np.int64)
        yield self.preamble
        for first, end in self.chunks():
            parts = self.pages(first, columns_of(first * self.places, min(end * self.places, self.count)))
            if self.deflate:
                lengths[first:end] = [len(packed) for packed in parts[1::3]]
            yield from parts
        yield from self.ending(lengths)

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Yield (first page, end) of what is made at a time."""
        step = max(1, LABELS_AT_A_TIME // self.places)
        for first in range(0, self.page_count, step):
            yield first, min(first + step, self.page_count)

    def ending(self, lengths: NDArray[np.int64]) -> Iterator[bytes]:
        """Yield cross-reference table and trailer; ``lengths`` are those of deflated contents."""
        pages = np.arange(self.page_count, dtype=np.int64)
        if self.deflate:
            fixed = self.stride - self.content_bytes
            ends = np.cumsum(lengths) + fixed * (pages + 1)
            starts = len(self.preamble) + np.concatenate([[0], ends[:-1]])
            end = len(self.preamble) + int(ends[-1])
        else:
            starts = len(self.preamble) + pages * self.stride
            end = len(self.preamble) + self.page_count * self.stride
        if end > MOST_BYTES:
            raise ValueError("a PDF file holds at most 10 GB: make smaller rolls")
        count = self._statics.count + 1 + 2 * self.page_count
        yield f"xref\n0 {count}\n0000000000 65535 f\r\n".encode()
        yield self._entries(np.array(self._statics.offsets, np.int64))
        for first in range(0, self.page_count, 65_536):
            part = pages[first : first + 65_536]
            numbers = self._statics.count + 1 + 2 * part[:, None] + np.array([0, 1])
            digits = np.floor(np.log10(numbers)).astype(np.int64) + 1
            offsets = starts[first : first + 65_536, None] + np.array([0, len(self._head)]) + NUMBER - digits
            yield self._entries(offsets.reshape(-1))
        yield self._statics.trailer(count, end)

    def excerpt(self, pages: Sequence[bytes]) -> bytes:
        """Return a file of some finished pages, each as it is: under a catalogue and a list of pages of their own."""
        out = bytearray(self.preamble)
        listed, sections = [], []
        for page in pages:
            number = int(page[:NUMBER])
            starts = (len(out), len(out) + len(self._head))
            offsets = [start + NUMBER - len(str(place)) for place, start in enumerate(starts, number)]
            sections.append(b"%d 2\n" % number + self._entries(np.array(offsets, np.int64)))
            listed.append(f"{number} 0 R")
            out += page
        root = self._statics.count + 1 + 2 * self.page_count
        own = []
        for number, body in (
            (root, f"<< /Type /Catalog /Pages {root + 1} 0 R >>"),
            (root + 1, f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(listed)}] >>"),
        ):
            own.append(len(out))
            out += f"{number} 0 obj\n{body}\nendobj\n".encode()
        start = len(out)
        out += b"xref\n0 %d\n0000000000 65535 f\r\n" % (self._statics.count + 1)
        out += self._entries(np.array(self._statics.offsets, np.int64)) + b"".join(sections)
        out += b"%d 2\n" % root + self._entries(np.array(own, np.int64))
        out += f"trailer\n<< /Size {root + 2} /Root {root} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
        return bytes(out)

    def _entries(self, offsets: NDArray[np.int64]) -> bytes:
        rows = np.empty((len(offsets), 20), np.uint8)
        rows[:, :NUMBER] = decimals(offsets, NUMBER, ord("0"))
        rows[:, NUMBER:] = np.frombuffer(b" 00000 n\r\n", np.uint8)
        return rows.tobytes()


_ART = b"/S0 Do " + BLACK.encode() + b"\n"


def column_of(element: Variable) -> str:
    """Return the name of the column of something that differs from label to label."""
    return (
        f"{element.type} {element.of}"
        if isinstance(element, layouts.Code128 | layouts.Gs1 | layouts.Field)
        else element.type
    )


def hexadecimal(images: Bytes, size: int) -> Bytes:
    """Return images as rows of hex digits. ``images`` may be followed in memory by padding."""
    digits = _HEX.take(images[:, :size])
    return digits.view(np.uint8).reshape(len(images), 2 * size)


_HEX = np.frombuffer(b"".join(b"%02X" % byte for byte in range(256)), np.uint16)


class _Statics:
    """All objects before the pages: catalogue, resources, art, fonts, and the tree of pages."""

    def __init__(self, document: Document, name: bytes, used: int) -> None:
        self._document, self._name = document, name
        self._bodies: list[bytes | None] = [None]  # number 1 is the catalogue
        self._pictures: dict[str, int] = {}
        self.resources = self._reserve()
        art = self._add(self._art())
        for labels in (document.places, used):
            self._add(self._sheet(art, labels))
        self._resources(art)
        root = self._tree()
        self._bodies[0] = f"<< /Type /Catalog /Pages {root} 0 R >>".encode()
        self.count = len(self._bodies)
        self.bytes = self._written()

    def trailer(self, size: int, start: int) -> bytes:
        """Return the end of the file."""
        mark = hashlib.sha256(self._name + self._document.template.sha256.encode()).hexdigest()[:32].upper()
        return f"trailer\n<< /Size {size} /Root 1 0 R /ID [<{mark}> <{mark}>] >>\nstartxref\n{start}\n%%EOF\n".encode()

    def _reserve(self) -> int:
        self._bodies.append(None)
        return len(self._bodies)

    def _add(self, body: bytes) -> int:
        number = self._reserve()
        self._bodies[number - 1] = body
        return number

    def _written(self) -> bytes:
        out = bytearray(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")
        self.offsets = []
        for number, body in enumerate(self._bodies, 1):
            self.offsets.append(len(out))
            out += b"%d 0 obj\n%b\nendobj\n" % (number, body or b"null")
        return bytes(out)

    def _form(self, content: str, *, whole_page: bool) -> bytes:
        points, place = self._document.template.points, self._document.layout
        bleed = 0.0 if whole_page else self._document.template.bleed * 72 / 25.4
        wide, high = (points(place.width), points(place.height)) if whole_page else self._label_size()
        box = f"{_short(-bleed)} {_short(-bleed)} {_short(wide + bleed)} {_short(high + bleed)}"
        head = f"<< /Type /XObject /Subtype /Form /BBox [{box}] /Resources {self.resources} 0 R"
        return fonts.stream(head, content.encode())

    def _label_size(self) -> tuple[float, float]:
        template = self._document.template
        return template.width * 72 / 25.4, template.points(template.dots(template.height))

    def _sheet(self, art: int, labels: int) -> bytes:
        place = self._document.layout
        points, high = self._document.template.points, self._label_size()[1]
        moves = [
            f"q 1 0 0 1 {_short(points(x))} {_short(points(place.height - y) - high)} cm /A0 Do Q"
            for x, y in place.corners[:labels]
        ]
        return self._form("\n".join(moves), whole_page=True)

    def _art(self) -> bytes:
        elements = self._document.template.elements
        lines = [self._mark(), BLACK, BLACK.upper(), *(self._drawn(element) for element in elements)]
        return self._form("\n".join(line for line in lines if line), whole_page=False)

    def _mark(self) -> str:
        mark, (wide, high) = self._document.mark, self._label_size()
        if not mark:
            return ""
        size = 0.9 * wide / (fonts.ADVANCE * len(mark))
        return (
            f"{GREY} BT /F1 {_short(size)} Tf {_short(wide / 20)} {_short((high - 0.7 * size) / 2)} Td ({mark}) Tj ET"
        )

    def _drawn(self, element: layouts.Element) -> str:
        """Draw something that is the same on all labels; the origin is the label's lower left corner."""
        template, (_, high) = self._document.template, self._label_size()
        x, y = template.points(template.dots(element.x)), high - template.points(template.dots(element.y))
        match element:
            case layouts.Text() if self._document.wide and element.text:
                wide, string = self._document.wide, self._document.wide.string(element.text)
                x -= SHIFT[element.align] * wide.width(element.text, element.size)
                ink = layouts.cmyk(element.color)
                bold = f"2 Tr {_short(BOLD * element.size)} w " if element.bold else ""
                return f"q {ink} k {ink} K BT {bold}/F2 {_short(element.size)} Tf {_short(x)} {_short(y)} Td <{string}> Tj ET Q"
            case layouts.Line():
                end = f"{_short(element.x2 * 72 / 25.4)} {_short(high - element.y2 * 72 / 25.4)}"
                width = _short(element.width * 72 / 25.4)
                return f"q {layouts.cmyk(element.color)} K {width} w {_short(x)} {_short(y)} m {end} l S Q"
            case layouts.Rect():
                box, ink = _box(element, high), layouts.cmyk(element.color)
                tinted = " ".join(_short(float(part) * element.tint) for part in ink.split())
                fill = f"q {tinted} k {box} re f Q" if element.tint else ""
                line = f"q {ink} K {_short(element.line * 72 / 25.4)} w {box} re S Q" if element.line else ""
                return f"{fill}\n{line}".strip()
            case layouts.ScratchArea():
                return f"q /GS0 gs /CS0 CS 1 SCN 0.5 w [2 1] 0 d {_box(element, high)} re S Q"
            case layouts.Image():
                name = f"/P{self._picture(element.data)}"
                at = _box(element, high).split()
                return f"q {at[2]} 0 0 {at[3]} {at[0]} {at[1]} cm {name} Do Q"
            case layouts.Code128() if element.of.isdecimal():
                bars = code128.modules(np.frombuffer(element.of.encode(), np.uint8).reshape(1, -1))
                digits = np.packbits(1 - bars, axis=1).tobytes().hex().upper()
                across = template.points(element.dots * bars.shape[1])
                up = template.points(template.dots(element.height))
                return (
                    f"q {_short(across)} 0 0 {_short(up)} {_short(x)} {_short(y - up)} cm "
                    f"BI /W {bars.shape[1]} /H 1 /BPC 1 /IM true /F /AHx ID {digits}>\nEI Q"
                )
            case _:
                return ""

    def _picture(self, data: str) -> int:
        if data not in self._pictures:
            with PIL.Image.open(BytesIO(base64.b64decode(data))) as opened:
                white = PIL.Image.new("RGBA", opened.size, "white")
                white.alpha_composite(opened.convert("RGBA"))
            grey = not np.array(white.convert("RGB").convert("HSV"))[:, :, 1].any()
            image = white.convert("RGB").convert("L" if grey else "CMYK")
            space = "/DeviceGray" if grey else "/DeviceCMYK"
            head = (
                f"<< /Type /XObject /Subtype /Image /Width {image.width} /Height {image.height} "
                f"/ColorSpace {space} /BitsPerComponent 8"
            )
            self._pictures[data] = self._add(fonts.stream(head, image.tobytes()))
        return self._pictures[data]

    def _resources(self, art: int) -> None:
        named = {"F1": self._font(fonts.mono().objects)}
        if self._document.wide:
            named["F2"] = self._font(self._document.wide.objects)
        pictures = "".join(f" /P{number} {number} 0 R" for number in self._pictures.values())
        scratch = (
            "[/Separation /Scratch#20layer /DeviceCMYK"
            " << /FunctionType 2 /Domain [0 1] /C0 [0 0 0 0] /C1 [0 0.5 0 0] /N 1 >>]"
        )
        listed = " ".join(f"/{name} {number} 0 R" for name, number in named.items())
        self._bodies[self.resources - 1] = (
            f"<< /Font << {listed} >> /ColorSpace << /CS0 {scratch} >> /ExtGState << /GS0 << /OP true /op true >> >>"
            f" /XObject << /A0 {art} 0 R /S0 {art + 1} 0 R /S1 {art + 2} 0 R{pictures} >> >>"
        ).encode()

    def _font(self, objects: tuple[tuple[str, bytes | None], ...]) -> int:
        first = len(self._bodies) + 1
        for text, data in objects:
            for place in range(len(objects)):
                text = text.replace(f"{{{place}}}", f"{first + place} 0 R")  # noqa: PLW2901
            self._add(text.encode() if data is None else fonts.stream(text, data))
        return first

    def _tree(self) -> int:
        """Add the nodes of the page tree, leaves first, and return the root's number."""
        pages = self._document.page_count
        first_page = 0  # known once all nodes are
        levels = [-(-pages // KIDS)]
        while levels[-1] > 1:
            levels.append(-(-levels[-1] // KIDS))
        self.first_leaf = len(self._bodies) + 1
        first_page = self.first_leaf + sum(levels)
        first, below, step, span = self.first_leaf, first_page, 2, 1
        kids_of_level = pages
        for level, nodes in enumerate(levels):
            for node in range(nodes):
                kids = range(node * KIDS, min((node + 1) * KIDS, kids_of_level))
                held = min((node + 1) * KIDS * span, pages) - node * KIDS * span
                parent = f" /Parent {first + nodes + node // KIDS} 0 R" if level + 1 < len(levels) else ""
                listed = " ".join(f"{below + step * kid} 0 R" for kid in kids)
                self._add(f"<< /Type /Pages{parent} /Count {held} /Kids [{listed}] >>".encode())
            below, first, step, span, kids_of_level = first, first + nodes, 1, span * KIDS, nodes
        return len(self._bodies)


def _box(element: layouts.Rect | layouts.ScratchArea | layouts.Image, high: float) -> str:
    left, wide, tall = (value * 72 / 25.4 for value in (element.x, element.width, element.height))
    bottom = high - element.y * 72 / 25.4 - tall
    return " ".join(_short(value) for value in (left, bottom, wide, tall))


def _short(points: float) -> str:
    return f"{points:.4f}".rstrip("0").rstrip(".") or "0"
