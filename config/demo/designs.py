"""The demo's templates: a label, a shelf talker, a card, a case and a coupon, in the brand's colour and with its mark."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from printing import starters
from printing.designs import add_art, create_template, propose
from printing.models import ART, Template

_NAMES = {
    "unit": "Label 50 × 30 标签",
    "talker": "Shelf talker A7 货架贴",
    "card": "Member card 会员卡",
    "case": "Case label A6 箱标签",
    "coupon": "Coupon 优惠券",
}


def seed_templates(*, began: datetime) -> None:
    """Make the templates that are not there yet, and propose them for all products."""
    brand = connection.tenant
    at = began - timedelta(days=19)
    mark = add_art(_mark(brand.colour), name="mark.svg", at=at, asked_by="owner")
    layouts = {
        "unit": _unit(brand.colour, ART + mark.sha256),
        "talker": starters.talker(brand.colour),
        "card": _card(brand.colour, ART + mark.sha256),
        "case": starters.layout("case"),
        "coupon": starters.coupon(brand.colour),
    }
    for kind, name in _NAMES.items():
        if not Template.objects.filter(name=name).exists():
            version = create_template(name=name, kind=kind, layout=layouts[kind], at=at, asked_by="owner")
            propose(version.template, product=None)


def _unit(colour: str, art: str) -> dict[str, Any]:
    made = starters.unit(colour, hint="扫码验真伪，刮开得积分")
    made["elements"].insert(1, {"type": "image", "x": 40, "y": 12, "width": 8, "height": 8, "data": art})
    return made


def _card(colour: str, art: str) -> dict[str, Any]:
    made = starters.card(colour)
    made["elements"].insert(1, {"type": "image", "x": 68, "y": 22, "width": 10.5, "height": 10.5, "data": art})
    return made


def _mark(colour: str) -> bytes:
    """Return a seal in the brand's colour, drawn for paper: the logo itself is white on colour."""
    brand = connection.tenant
    drawing = brand.logo_svg.partition("stroke-linejoin='round'>")[2].partition("</g>")[0]
    return (
        "<svg xmlns='http://www.w3.org/2000/svg' width='80' height='80' viewBox='0 0 40 40'>"
        f"<circle cx='20' cy='20' r='18.6' fill='#ffffff' stroke='{colour}' stroke-width='1.6'/>"
        f"<g fill='none' stroke='{colour}' stroke-width='1.9' stroke-linecap='round' stroke-linejoin='round' "
        f"transform='translate(3.4 3.4) scale(.83)'>{drawing}</g></svg>"
    ).encode()
