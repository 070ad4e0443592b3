"""The verbs of templates: make, change by a new version, retire, propose for a product; and what stands on a sample.

A version is a row that never changes. Saving the same look again makes no new one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from common.db import inside_transaction
from common.errors import Conflict
from labels import keys
from labels.codes.encode import cipher, encode
from labels.codes.forms import B12, N16, R12, Form
from labels.models import Product
from printing import art, gs1
from printing.models import ART, Art, DefaultTemplate, Template, TemplateVersion, with_art
from printing.preview import Sample
from printing.records import Record
from printing.source import Order
from printing.template import PACKS, BadTemplate, Template as Layout, parse
from staff.keys import brand_uuid, root_key

SAMPLE_GTIN = "09501101530003"  # published by GS1 as an example
SAMPLE_PREFIX = "9501101"
LONG = "雾岭高山乌龙茶特级礼盒装二百五十克"
LONG_NAME = "Wilhelmina Featherstonehaugh"


class NameTaken(Conflict):
    """There is already a template of that name."""

    code = "name_taken"


class TemplateRetired(Conflict):
    """The template is not in use any more."""

    code = "template_retired"


def create_template(
    *, name: str, kind: str, layout: Mapping[str, Any], at: datetime, asked_by: str = ""
) -> TemplateVersion:
    """Make a template with its first version. Raises `NameTaken`, `printing.template.BadTemplate`."""
    checked(layout, kind)
    try:
        with transaction.atomic():
            made = Template.objects.create(name=name, kind=kind, created_at=at, created_by=asked_by)
            return _add_version(made, layout, at=at, asked_by=asked_by)
    except IntegrityError as error:
        if "printing_template_name" not in str(error):
            raise
        raise NameTaken(_("There is already a template of that name.")) from error


def save_version(template: Template, *, layout: Mapping[str, Any], at: datetime, asked_by: str = "") -> TemplateVersion:
    """Make a new version, unless the newest looks the same. Raises `printing.template.BadTemplate`."""
    checked(layout, template.kind)
    with transaction.atomic():
        locked = Template.objects.select_for_update().get(pk=template.pk)
        return _add_version(locked, layout, at=at, asked_by=asked_by)


def change_template(template: Template, *, name: str, is_active: bool) -> None:
    """Rename a template, or take it in or out of use. Raises `NameTaken`."""
    try:
        with transaction.atomic():
            Template.objects.filter(pk=template.pk).update(name=name, is_active=is_active)
    except IntegrityError as error:
        raise NameTaken(_("There is already a template of that name.")) from error


def propose(template: Template, *, product: Product | None) -> None:
    """Let a template be the one proposed for a product's labels of its kind, or for all products. Raises `TemplateRetired`."""
    if not template.is_active:
        raise TemplateRetired(_("The template is not in use any more."))
    DefaultTemplate.objects.update_or_create(product=product, kind=template.kind, defaults={"template": template})


def proposed(kind: str, product: Product | None = None) -> Template | None:
    """Return the template that is proposed: the product's own, else that of all products, else the newest in use."""
    rows = DefaultTemplate.objects.filter(kind=kind, template__is_active=True).select_related("template")
    found = {row.product_id: row.template for row in rows.filter(product__in=[product] if product else [])}
    found |= {row.product_id: row.template for row in rows.filter(product=None)}
    own = found.get(product.pk) if product else None
    newest = Template.objects.filter(kind=kind, is_active=True).order_by("-created_at", "-id")
    return own or found.get(None) or newest.first()


def add_art(sent: bytes, *, name: str, at: datetime, asked_by: str = "") -> Art:
    """Keep a picture; the same picture again is the same row. Raises `printing.art.BadArt`."""
    picture = art.clean(sent)
    row, _made = Art.objects.get_or_create(
        sha256=picture.sha256,
        defaults={
            "name": name[:80],
            "media_type": picture.media_type,
            "data": picture.data,
            "width": picture.width,
            "height": picture.height,
            "source_sha256": picture.source_sha256,
            "created_at": at,
            "created_by": asked_by,
        },
    )
    return row


@inside_transaction
def _add_version(template: Template, layout: Mapping[str, Any], *, at: datetime, asked_by: str) -> TemplateVersion:
    whole = {**layout, "kind": template.kind}
    digest = parse(with_art(whole)).sha256
    newest = template.versions.order_by("-number").first()
    if newest is not None and newest.sha256 == digest:
        return newest
    return TemplateVersion.objects.create(
        template=template,
        number=newest.number + 1 if newest else 1,
        layout=whole,
        sha256=digest,
        created_at=at,
        created_by=asked_by,
    )


def checked(layout: Mapping[str, Any], kind: str) -> Layout:
    """Return a layout ready to draw. Raises `BadTemplate`, also for a picture that did not go through `add_art`."""
    elements = layout.get("elements", [])
    named = [one["data"] for one in elements if isinstance(one, dict) and "data" in one]
    if not all(isinstance(data, str) and data.startswith(ART) for data in named):
        raise BadTemplate(_("Choose a picture: it is sent first, and then named."))
    whole = with_art({**layout, "kind": kind})
    if any(str(one.get("data", "")).startswith(ART) for one in whole["elements"] if isinstance(one, dict)):
        raise BadTemplate(_("There is no such picture."))
    return parse(whole)


# --- what is filled in ---------------------------------------------------------------------------------------------


def values_for(product: Product | None, *, lot: str = "") -> dict[str, str]:
    """Return what ``{product}`` and its like say on the labels of one product."""
    brand = connection.tenant
    return {
        "product": product.name if product else "",
        "product_zh": product.name_zh if product else "",
        "gtin": product.gtin if product else "",
        "brand": brand.name,
        "brand_zh": brand.name_zh,
        "hotline": brand.hotline,
        "host": _host(),
        "lot": lot,
    }


def sample(
    kind: str, product: Product | None = None, *, longest: bool = False, form: Form = N16
) -> tuple[Sample, dict[str, str]]:
    """Return what stands on a preview, and what is filled in. Preview codes are of a key that serves nothing else.

    ``longest``: the longest values that can come, so that what does not fit is seen.
    """
    serial, code = (_preview_code(one, 99_999_999_999_999 if longest else 123_456_789) for one in (B12, form))
    values = values_for(product, lot="2611A")
    if product is None:
        values |= {"product": "Mist Ridge Oolong 250 g", "product_zh": "雾岭乌龙250克", "gtin": SAMPLE_GTIN}
    if longest:
        values |= {
            "product": "Mist Ridge High Mountain Oolong, gift box",
            "product_zh": LONG,
            "lot": "LOT-2611-A/000123456",
        }
    card_no = "6299999999999996" if longest else "6200123456789018"
    order = Order(values["host"], values["gtin"], form, "SAMPLE")
    return (
        Sample(
            order,
            serial,
            code,
            card_no=card_no,
            name=LONG_NAME if longest else "王小明",
            record=Record({}, card_no) if kind == "card" else _sample_record(kind, values, serial, longest=longest),
        ),
        values,
    )


def _sample_record(kind: str, values: dict[str, str], serial: str, *, longest: bool) -> Record:
    host = values["host"]
    if kind in PACKS:
        number = gs1.sscc(gs1.first_number(connection.tenant.gs1_prefix or SAMPLE_PREFIX, 99_999 if longest else 1))
        count = 12_000 if longest else 24
        return gs1.pack_record(
            host=host, sscc=number, gtin=values["gtin"], count=count, lot=values["lot"],
            first=serial, last=serial, seq=99_999 if longest else 1,
        )  # fmt: skip
    if kind == "talker":
        name = LONG if longest else "青石街茶铺"
        return Record(
            {"partner": name, "partner_no": "R10001234567" if longest else "R10018"}, f"https://{host}/p/R10018"
        )
    number = _preview_code(R12, 99_999_999_999 if longest else 7)
    return gs1.coupon_record(number=number, prefix=SAMPLE_PREFIX, seq=99_999 if longest else 1)


def _preview_code(form: Form, number: int) -> str:
    key = keys.derive(root_key(), brand_uuid(), purpose="preview", form=form.name)
    return encode(form, 0, cipher(key, form, 0, 0), number)


def _host() -> str:
    return str(connection.tenant.get_primary_domain().domain)
