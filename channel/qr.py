"""QR codes as SVG paths. Pure."""

from itertools import groupby

import qrcode
from qrcode.constants import ERROR_CORRECT_M

QUIET = 4  # modules of empty border, ISO/IEC 18004


def qr_path(text: str) -> tuple[int, str]:
    """Return the side in modules, border included, and an SVG path of the dark modules, one run after another."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=0)
    code.add_data(text)
    rows: list[list[bool]] = code.get_matrix()
    path = ""
    for y, row in enumerate(rows):
        x = 0
        for dark, run in groupby(row):
            width = len(list(run))
            if dark:
                path += f"M{x + QUIET} {y + QUIET}h{width}v1h-{width}z"
            x += width
    return len(rows) + 2 * QUIET, path
