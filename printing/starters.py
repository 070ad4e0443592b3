"""What a new template starts from: one sound layout for each kind."""

from collections.abc import Callable
from typing import Any

NAVY = "#1f3f6e"


def layout(kind: str) -> dict[str, Any]:
    """Return a layout that prints well, to be changed."""
    return {"kind": kind} | _MADE[kind]()


def _text(x: float, y: float, text: str, size: float, **more: Any) -> dict[str, Any]:
    return {"type": "text", "x": x, "y": y, "text": text, "size": size, **more}


def _band(width: float, height: float, color: str) -> dict[str, Any]:
    return {
        "type": "rect",
        "x": -2,
        "y": -2,
        "width": width + 4,
        "height": height,
        "line": 0,
        "tint": 1,
        "color": color,
    }


def unit(color: str = NAVY, *, hint: str = "扫二维码验真伪，刮开涂层得积分") -> dict[str, Any]:
    """Return a label of 50 × 30 mm with a QR code, a serial and a hidden code under a scratch layer."""
    return {
        "width": 50,
        "height": 30,
        "bleed": 2,
        "dpi": 300,
        "sheet": {"rows": 1, "columns": 1, "gap_x": 0, "gap_y": 0, "margin": 0},
        "elements": [
            _band(50, 6.4, color),
            _text(2, 3.2, "{brand_zh} · 扫码验真", 6, color="#ffffff", bold=True),
            _text(48, 3.2, "{product_zh}", 6, color="#ffffff", align="right"),
            {"type": "qr", "x": 3, "y": 7.4, "dots": 4},
            _text(17.5, 10, "一物一码 验真得积分", 8, bold=True),
            _text(17.5, 13, hint, 5),
            _text(17.5, 15.6, "电话 {hotline}", 5),
            {"type": "serial", "x": 17.5, "y": 19, "size": 7},
            {
                "type": "rect",
                "x": 3,
                "y": 21.5,
                "width": 44,
                "height": 6.5,
                "line": 0.15,
                "tint": 0,
                "color": "#888888",
            },
            {"type": "scratch_area", "x": 3, "y": 21.5, "width": 44, "height": 6.5},
            {"type": "code", "x": 7, "y": 26, "size": 9},
        ],
    }


def _pack(title: str) -> dict[str, Any]:
    """Return a logistic label of 105 × 148 mm (A6), laid out as GS1's guideline: text, then content, then SSCC."""
    return {
        "width": 105,
        "height": 148,
        "bleed": 0,
        "dpi": 300,
        "sheet": {"rows": 1, "columns": 1, "gap_x": 0, "gap_y": 0, "margin": 0},
        "elements": [
            _text(5, 9, "{brand}", 14, bold=True),
            _text(100, 9, title, 11, align="right"),
            {"type": "line", "x": 5, "y": 12, "x2": 100, "y2": 12, "width": 0.4},
            _text(5, 19, "{product}", 12),
            _text(5, 25, "{product_zh}", 11),
            _text(5, 32, "GTIN", 6), _text(5, 37, "{gtin}", 11, bold=True),
            _text(50, 32, "LOT", 6), _text(50, 37, "{lot}", 11, bold=True),
            _text(5, 43, "COUNT", 6), {"type": "field", "of": "count", "x": 5, "y": 48.5, "size": 12, "longest": 8},
            _text(50, 43, "SERIALS FROM / TO", 6),
            {"type": "field", "of": "first", "x": 50, "y": 47.5, "size": 9, "longest": 12},
            {"type": "field", "of": "last", "x": 50, "y": 52, "size": 9, "longest": 12},
            {"type": "qr", "x": 83, "y": 37, "dots": 6},
            {"type": "line", "x": 5, "y": 58, "x2": 80, "y2": 58, "width": 0.25},
            {"type": "gs1_128", "of": "content", "x": 8, "y": 62, "height": 26, "dots": 4},
            {"type": "datamatrix", "x": 5, "y": 92, "dots": 6},
            _text(28, 97, "SSCC", 8), {"type": "field", "of": "sscc", "x": 28, "y": 103, "size": 13, "longest": 24},
            {"type": "gs1_128", "of": "sscc", "x": 13, "y": 110, "height": 32, "dots": 6},
        ],
    }  # fmt: skip


def talker(color: str = NAVY) -> dict[str, Any]:
    """Return a card for a shop's shelf, 74 × 105 mm (A7), with the partner's own QR code."""
    return {
        "width": 74,
        "height": 105,
        "bleed": 2,
        "dpi": 300,
        "sheet": {"rows": 1, "columns": 1, "gap_x": 0, "gap_y": 0, "margin": 0},
        "elements": [
            _band(74, 28, color),
            _text(37, 12, "{brand_zh}", 20, color="#ffffff", bold=True, align="center"),
            _text(37, 21, "扫码关联门店 刮码得积分", 10, color="#ffffff", align="center"),
            {"type": "qr", "x": 22.5, "y": 32, "dots": 13},
            _text(37, 75, "先扫这里，再扫瓶身标签", 11, bold=True, align="center"),
            _text(37, 81, "Scan here first, then the label on the pack", 7, align="center"),
            {"type": "line", "x": 8, "y": 87, "x2": 66, "y2": 87, "width": 0.25, "color": "#888888"},
            {"type": "field", "of": "partner", "x": 8, "y": 94, "size": 10, "longest": 17},
            {"type": "field", "of": "partner_no", "x": 8, "y": 99.5, "size": 9, "longest": 12},
            _text(66, 99.5, "{hotline}", 8, align="right"),
        ],
    }


def card(color: str = NAVY) -> dict[str, Any]:
    """Return a member card, CR80."""
    return {
        "width": 85.6,
        "height": 54,
        "bleed": 2,
        "dpi": 300,
        "sheet": {"rows": 1, "columns": 1, "gap_x": 0, "gap_y": 0, "margin": 0},
        "elements": [
            _band(85.6, 20, color),
            _text(6, 10, "{brand_zh}", 16, color="#ffffff", bold=True),
            _text(79, 10, "会员卡 MEMBER", 9, color="#ffffff", align="right"),
            {"type": "name", "x": 6, "y": 27, "size": 11, "longest": 24},
            {"type": "card_no", "x": 6, "y": 34, "size": 11},
            {"type": "code128", "of": "card_no", "x": 8, "y": 38, "height": 10, "dots": 4},
            {"type": "qr", "x": 66, "y": 35, "dots": 6},
        ],
    }


def coupon(color: str = "#8a2f52") -> dict[str, Any]:
    """Return a coupon of 85 × 55 mm with its own number, as QR code and as a GS1 coupon number (GCN)."""
    return {
        "width": 90,
        "height": 50,
        "bleed": 2,
        "dpi": 300,
        "sheet": {"rows": 1, "columns": 1, "gap_x": 0, "gap_y": 0, "margin": 0},
        "elements": [
            {"type": "rect", "x": -2, "y": -2, "width": 30, "height": 54, "line": 0, "tint": 1, "color": color},
            _text(13.5, 20, "¥10", 24, color="#ffffff", bold=True, align="center"),
            _text(13.5, 28, "优惠券", 11, color="#ffffff", align="center"),
            _text(31, 8, "{brand_zh}", 12, bold=True),
            _text(31, 14, "满100元可用一次，不找零，不兑现", 7),
            {"type": "field", "of": "coupon", "x": 31, "y": 21, "size": 10, "longest": 19},
            {"type": "qr", "x": 72, "y": 6, "dots": 6},
            {"type": "gs1_128", "of": "coupon", "x": 32, "y": 29, "height": 14, "dots": 3},
            {"type": "field", "of": "seq", "x": 81, "y": 47.5, "size": 5, "longest": 6},
        ],
    }


_MADE: dict[str, Callable[[], dict[str, Any]]] = {
    "unit": unit,
    "inner": lambda: _pack("内包装 INNER"),
    "case": lambda: _pack("箱 CASE"),
    "pallet": lambda: _pack("托盘 PALLET"),
    "talker": talker,
    "card": card,
    "coupon": coupon,
}
