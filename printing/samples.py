"""The sample sheet of a print that is drawn: a few labels as they will be, for the brand to look at and sign off.

Its codes come from the key of purpose "preview" and open nothing. What is signed off is a template with its texts, for one
host, GTIN and form of code: the same again needs no further signature.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from common.canonical import canonical
from common.errors import Conflict, Invalid
from labels import keys, queries
from labels.codes.forms import B12
from labels.models import Batch
from printing import labels, proof
from printing.models import PrintJob, SignOff
from printing.source import BulkSource, Order
from printing.symbols import ProofFailed
from printing.template import Code, DataMatrix, Qr, Serial, Template
from staff import audit
from staff.models import User

LABELS, MARK = 16, "SAMPLE"


class BadForBatch(Invalid):
    """The template cannot be printed for this batch."""

    code = "bad_for_batch"


class NotSignedOff(Conflict):
    """Nobody has signed off the sample sheet of this template."""

    code = "not_signed_off"


class NotDrawn(Invalid):
    """Rows of data are not drawn, and have no sample sheet."""

    code = "not_drawn"


def order_of(batch: Batch, roll: int) -> Order:
    """Return what all lines of a roll's file share. Roll 0 is the sample sheet."""
    host = connection.tenant.get_primary_domain().domain
    form = queries.slot_ref(batch.secret_slot).form
    return Order(host, batch.gtin_printed, form, f"{batch.number}/{roll}")


def values_of(batch: Batch) -> dict[str, str]:
    """Return what the texts of a template may name: the brand's and the product's own."""
    brand, product = connection.tenant, batch.product
    return {
        "product": product.name,
        "product_zh": product.name_zh,
        "gtin": batch.gtin_printed,
        "brand": brand.name,
        "brand_zh": brand.name_zh,
        "hotline": brand.hotline,
        "host": brand.get_primary_domain().domain,
    }


def refuse_template(template: Template, order: Order) -> None:
    """Raise `BadForBatch` for a template that cannot be printed, and proved, for these labels."""
    shown = {type(element) for element in template.elements}
    if not {Serial, Code} <= shown or not {Qr, DataMatrix} & shown:
        raise BadForBatch(_("A label to be printed shows a QR code or a DataMatrix, its serial, and its hidden code."))
    _sheet_file(template, order)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample sheet: the PDF, and the SHA-256 of what it shows (template, host, GTIN and form of code)."""

    content: bytes
    sheet: str
    template: Template


def sample_of(row: PrintJob) -> Sample:
    """Return the sample sheet of a print that is drawn: sixteen labels or a page of them, with codes that open nothing.

    The labels are as they will be, at their true size, under the word SAMPLE; it is proved like a roll, every label
    decoded. Raises `NotDrawn`, `BadForBatch`.
    """
    template, order = row.template, order_of(row.batch, 0)
    if template is None:
        raise NotDrawn(_("Rows of data are not drawn, and have no sample sheet."))
    return Sample(_sheet_file(template, order), _sheet_of(template, order), template)


def _sheet_file(template: Template, order: Order) -> bytes:
    serial, secret = (keys.preview_series(form) for form in (B12, order.form))
    source = BulkSource(serial, secret, [(1, 1 + max(LABELS, template.sheet.places))])
    ordered = proof.Ordered(source.count, proof.label_nos(serial, secret), source.label_nos, source.count)
    try:
        made = labels.roll(template, order, source.count, deflate=True, mark=MARK)
        return b"".join(proof.Passing(made.pieces(source), made, ordered))
    except (ValueError, ProofFailed) as fault:
        raise BadForBatch(_("This template cannot be printed for this batch: {why}.").format(why=fault)) from fault


def _sheet_of(template: Template, order: Order) -> str:
    shown = {"template": template.sha256, "host": order.host, "gtin": order.gtin, "form": order.form.name}
    return hashlib.sha256(canonical(shown)).hexdigest()


def sign_off_of(row: PrintJob) -> SignOff | None:
    """Return who signed off the sample sheet of exactly this template, host, GTIN and form of code."""
    template = row.template
    if template is None:
        return None
    sheet = _sheet_of(template, order_of(row.batch, 0))
    return SignOff.objects.select_related("signed_by").filter(sheet=sheet).first()


def sign_off(row: PrintJob, *, by: User, at: datetime, note: str = "") -> SignOff:
    """Record that somebody has looked at the sample sheet and finds it right; the first who does is kept."""
    sample = sample_of(row)
    facts = {"print": row.public_id, "sheet": sample.sheet}
    with transaction.atomic(durable=True):
        made, new = SignOff.objects.get_or_create(
            sheet=sample.sheet,
            defaults={
                "template_hash": sample.template.sha256,
                "file_hash": hashlib.sha256(sample.content).hexdigest(),
                "signed_by": by,
                "signed_at": at,
                "note": note[:200],
            },
        )
        if new:
            audit.record("sign_off", at=at, table="printing_signoff", row_id=str(made.pk), facts=facts)
    return made


def refuse_unsigned(row: PrintJob) -> None:
    """Raise `NotSignedOff` for a print that is drawn and whose sample sheet nobody has signed off."""
    if row.version is not None and sign_off_of(row) is None:
        raise NotSignedOff(_("Nobody has signed off the sample sheet of this template."))
