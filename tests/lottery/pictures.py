"""A photograph as somebody sends one."""

from io import BytesIO

import PIL.Image


def photograph(size: tuple[int, int] = (60, 40), kind: str = "PNG") -> bytes:
    sent = BytesIO()
    PIL.Image.new("RGB", size, (200, 120, 40)).save(sent, kind)
    return sent.getvalue()
