"""Where everything lies on a page, in whole dots of the device, so that no module is wider than its neighbour."""

from dataclasses import dataclass
from math import ceil

from printing.template import MM_PER_INCH, Template


@dataclass(frozen=True, slots=True)
class Layout:
    """The page of a template: its size and each label's corner in dots, from the page's upper left corner."""

    template: Template
    width: int
    height: int
    corners: tuple[tuple[int, int], ...]

    @property
    def places(self) -> int:
        """Labels on a page."""
        return len(self.corners)

    def x(self, place: int, mm: float) -> int:
        """Return how far right of the page's left edge something on one label lies."""
        return self.corners[place][0] + self.template.dots(mm)

    def y(self, place: int, mm: float) -> int:
        """Return how far below the page's upper edge something on one label lies."""
        return self.corners[place][1] + self.template.dots(mm)

    def boxes(self) -> dict[str, tuple[float, float, float, float]]:
        """Return MediaBox, TrimBox and (with bleed) BleedBox, in points from the lower left corner."""
        template, sheet = self.template, self.template.sheet
        points = template.points
        left, top = self.corners[0]
        wide = sheet.columns * template.width + (sheet.columns - 1) * sheet.gap_x
        high = sheet.rows * template.height + (sheet.rows - 1) * sheet.gap_y
        x, y = points(left), points(self.height - top) - high * 72 / MM_PER_INCH
        trim = (x, y, x + wide * 72 / MM_PER_INCH, points(self.height - top))
        boxes = {"MediaBox": (0.0, 0.0, points(self.width), points(self.height)), "TrimBox": trim}
        if template.bleed:
            more = template.bleed * 72 / MM_PER_INCH
            boxes["BleedBox"] = (
                max(trim[0] - more, 0.0),
                max(trim[1] - more, 0.0),
                min(trim[2] + more, boxes["MediaBox"][2]),
                min(trim[3] + more, boxes["MediaBox"][3]),
            )
        return boxes


def layout(template: Template) -> Layout:
    """Lay the labels of a template on a page, row by row."""
    sheet = template.sheet
    edge = sheet.margin + template.bleed
    wide = 2 * edge + sheet.columns * template.width + (sheet.columns - 1) * sheet.gap_x
    high = 2 * edge + sheet.rows * template.height + (sheet.rows - 1) * sheet.gap_y
    corners = tuple(
        (
            template.dots(edge + column * (template.width + sheet.gap_x)),
            template.dots(edge + row * (template.height + sheet.gap_y)),
        )
        for row in range(sheet.rows)
        for column in range(sheet.columns)
    )
    width, height = (ceil(round(mm * template.dpi / MM_PER_INCH, 6)) for mm in (wide, high))
    return Layout(template, width, height, corners)
