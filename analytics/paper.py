"""Text and tables on A4 pages as PDF, in Latin letters and hanzi, the fonts inside. Pure: the same calls make the same bytes.

Made with fpdf2 (LGPL 3). Lines are broken here, since it knows spaces only: between hanzi, but never before a closing or
after an opening mark (GB/T 15834, and CLREQ 3.1.1, "prohibited at line start and end").
"""

import io
import re
from collections.abc import Sequence
from datetime import datetime

import PIL.Image
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TextMode, XPos, YPos
from fpdf.fonts import FontFace

from printing.fonts import mono_path, wide_path

WIDTH_MM, MARGIN_MM = 210.0, 18.0
TEXT_MM = WIDTH_MM - 2 * MARGIN_MM
INK, GREY, PALE = (28, 33, 40), (98, 106, 117), (240, 242, 244)
BODY, SMALL = 9.5, 7.5  # points
PICTURE_PIXELS = 1_400
_TOKENS = re.compile(
    r"\s+|[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f“”‘’…—]|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f“”‘’…—]+"
)
_NOT_FIRST = frozenset("，。、；：？！）》」』】”’％…—·")
_NOT_LAST = frozenset("（《「『【“‘")


class Paper:
    """A document under way. ``note``: what stands at the foot of each page, beside its number."""

    def __init__(self, *, title: str, note: str, language: str, at: datetime, page: str) -> None:
        """``at`` is the document's date; ``page``: how a page is named ("Page %(number)s")."""
        self.pdf = pdf = _Pages(note, page)
        pdf.set_margins(MARGIN_MM, MARGIN_MM)
        pdf.set_auto_page_break(True, margin=20)
        pdf.c_margin = 1
        pdf.set_creation_date(at)
        pdf.set_title(title)
        pdf.set_lang(language)
        pdf.add_font("text", fname=str(wide_path()))
        pdf.add_font("mono", fname=str(mono_path()))
        pdf.add_page()

    def title(self, text: str, under: str) -> None:
        """Write the head of the document."""
        self._bold(text, 19)
        self.paragraph(under, colour=GREY)
        self.gap(2)

    def heading(self, text: str) -> None:
        """Begin a part, on a new page if there is no room for some of its text."""
        pdf = self.pdf
        self.gap(4)
        if pdf.will_page_break(30):
            pdf.add_page()
        pdf.set_text_color(*INK)
        self._bold(text, 13)
        pdf.set_draw_color(*GREY)
        pdf.line(MARGIN_MM, pdf.y + 0.6, WIDTH_MM - MARGIN_MM, pdf.y + 0.6)
        self.gap(2.5)

    def subheading(self, text: str) -> None:
        """Name what follows."""
        self.gap(1.5)
        if self.pdf.will_page_break(18):
            self.pdf.add_page()
        self._bold(text, 10.5)

    def _bold(self, text: str, size: float) -> None:
        pdf = self.pdf
        pdf.set_draw_color(*INK)
        pdf.set_text_color(*INK)
        with pdf.local_context(text_mode=TextMode.FILL_STROKE, line_width=size / 72 * 25.4 * 0.03):
            self._write(text, "text", size)

    def paragraph(
        self, text: str, *, colour: tuple[int, int, int] = INK, size: float = BODY, font: str = "text"
    ) -> None:
        """Write a paragraph; each line of the text begins a new one."""
        self.pdf.set_text_color(*colour)
        self._write(text, font, size)
        self.gap(1.2)

    def _write(self, text: str, font: str, size: float) -> None:
        pdf = self.pdf
        pdf.set_font(font, size=size)
        lines = self.broken(text, TEXT_MM - 2.2)
        pdf.set_x(MARGIN_MM)
        pdf.multi_cell(TEXT_MM, size * 0.53, lines, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Write pairs of a name and what it is."""
        self.table(("", ""), rows, widths=(1, 2.6), heading=False)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        widths: Sequence[float],
        mono: Sequence[int] = (),
        right: Sequence[int] = (),
        heading: bool = True,
    ) -> None:
        """Write a table; ``mono`` and ``right`` are columns of codes, and of figures. Its head stands on each page."""
        pdf = self.pdf
        share = TEXT_MM / sum(widths)
        sizes = [width * share for width in widths]
        size = SMALL + 0.5
        pdf.set_font("text", size=size)
        pdf.set_draw_color(205, 209, 214)
        pdf.set_text_color(*INK)
        with pdf.table(
            col_widths=tuple(sizes),
            width=TEXT_MM,
            align="L",
            text_align=tuple("RIGHT" if place in right else "LEFT" for place in range(len(sizes))),
            v_align="T",
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(color=GREY, fill_color=PALE),
            first_row_as_headings=heading,
            line_height=size * 0.52,
            padding=(0.9, 1.2),
        ) as table:
            for values in [columns, *rows] if heading else rows:
                row = table.row()
                for place, value in enumerate(values):
                    is_code = place in mono and values is not columns
                    pdf.set_font("mono" if is_code else "text", size=size - 1 if is_code else size)
                    style = FontFace(family="mono", size_pt=size - 1) if is_code else None
                    row.cell(self.broken(value, sizes[place] - 3), style=style)
                pdf.set_font("text", size=size)
        self.gap(2)

    def picture(self, data: bytes, caption: Sequence[str]) -> bool:
        """Show a picture with words below; return whether it is one that can be shown here."""
        try:
            with PIL.Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as source:
                source.load()
                image = source.convert("RGB")
        except (OSError, ValueError, SyntaxError):
            return False
        image.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
        width = min(TEXT_MM * 0.62, 100 * image.width / image.height)
        height = width * image.height / image.width
        pdf = self.pdf
        if pdf.will_page_break(height + 16):
            pdf.add_page()
        shown = io.BytesIO()
        image.save(shown, "JPEG", quality=82)
        pdf.image(shown, x=MARGIN_MM, w=width, h=height)
        self.gap(1)
        for line in caption:
            self.paragraph(line, colour=GREY, size=SMALL)
        return True

    def gap(self, mm: float) -> None:
        """Leave room."""
        self.pdf.ln(mm)

    def as_bytes(self) -> bytes:
        """Return the document."""
        return bytes(self.pdf.output())

    # --- lines ---------------------------------------------------------------------------------------------------------

    def broken(self, text: str, width: float) -> str:
        """Return text in lines of at most ``width`` mm in the present font."""
        return "\n".join(line for part in text.split("\n") for line in self._lines(part, width))

    def _lines(self, text: str, width: float) -> list[str]:
        lines, line = [], ""
        for unit in _units(text):
            if self._fits(line + unit.rstrip(), width):
                line += unit
                continue
            if line.strip():
                lines.append(line.rstrip())
            line = unit.lstrip()
            while not self._fits(line, width) and len(line) > 1:  # a long word or number
                cut = next(at for at in range(len(line) - 1, 0, -1) if at == 1 or self._fits(line[:at], width))
                lines.append(line[:cut])
                line = line[cut:]
        return [*lines, line.rstrip()]

    def _fits(self, text: str, width: float) -> bool:
        return float(self.pdf.get_string_width(text)) <= width


def _units(text: str) -> list[str]:
    """Return what is not parted: words, single hanzi, and marks with the sign that they cling to."""
    units: list[str] = []
    for token in _TOKENS.findall(text):
        clings = units and (token[0] in _NOT_FIRST or units[-1][-1:] in _NOT_LAST)
        if clings:
            units[-1] += token
        else:
            units.append(token)
    return units


class _Pages(FPDF):
    def __init__(self, note: str, page: str) -> None:
        super().__init__(format="A4")
        self._note, self._page = note, page

    def footer(self) -> None:
        """Write what stands at the foot of each page."""
        self.set_y(-13)
        self.set_font("text", size=SMALL)
        self.set_text_color(*GREY)
        self.cell(TEXT_MM * 0.8, 5, self._note)
        self.cell(TEXT_MM * 0.2, 5, self._page % {"number": self.page_no()}, align="R")
