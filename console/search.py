"""The one search box: what was typed is tried as every kind of number whose check symbol fits; all hits are shown."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _, pgettext
from phonenumbers import is_valid_number, parse as parse_number
from phonenumbers.phonenumberutil import NumberParseException

from analytics.models import Case, Finding
from channel.models import Document, Partner
from common.errors import DomainError
from common.phone import parse_phone
from common.templatetags.show import groups, moment
from console.history import receipt_href
from console.outcomes import look_of
from console.scanned import Reading, readings
from labels import queries as labels
from labels.models import Batch, Product
from ledger.models import Account
from lottery.models import Campaign
from members.card_numbers import member_id_of
from members.models import Member
from members.queries import member_by_phone
from printing.models import Run, Template
from printing.runs import pack_of
from redemption.models import Scan
from staff.models import User
from staff.permissions import allowed

MOST_TYPED = 300
MOST_HITS = 8


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was meant, perhaps: what it is, its name, and its page."""

    kind: str
    icon: str
    title: str
    detail: str
    href: str


def cleaned(typed: str) -> str:
    """Return what was typed without what no reader can use; a scanner's separators stay."""
    return typed.strip(" \t\r\n\xa0\u3000")[:MOST_TYPED].replace("\x00", "")


def search(typed: str, read: Sequence[Reading], user: User) -> list[Hit]:
    """Return every hit that this person may open, the surest first."""
    text = cleaned(typed)
    if not text:
        return []
    hits: dict[str, Hit] = {}
    for operation, find in _KINDS:
        if allowed(user, operation):
            for hit in find(text, read):
                hits.setdefault(hit.href, hit)
    return list(hits.values())


def kinds() -> list[str]:
    """Return what the box understands, for people."""
    return [
        _("hidden code"),
        _("serial or link of the QR code"),
        _("what a scanner reads from a GS1 symbol"),
        _("SSCC of a case or pallet"),
        _("receipt number"),
        _("batch number"),
        _("GTIN or product name"),
        _("telephone number of a member"),
        _("number of a member's card"),
        _("partner number or name"),
        _("name of a campaign"),
        _("number of a shipment with a finding, or of a file (F-0001)"),
        _("any id with a prefix, such as bat_ or mem_"),
    ]


def label_no_of(typed: str) -> int | None:
    """Return the label that a serial, a hidden code, a Digital Link or an element string names, or None."""
    return next(iter(_label_nos(readings(cleaned(typed)))), None)


def _label_nos(read: Sequence[Reading]) -> list[int]:
    """Return each label that may be meant: one by its serial, another by its hidden code."""
    tries = [labels.Typed(reading.serial, "serial") for reading in read if reading.serial]
    tries += [labels.Typed(reading.secret, "secret") for reading in read if reading.secret]
    found = (resolution.label_no for resolution in labels.resolve_many(tries)) if tries else ()
    return list(dict.fromkeys(label_no for label_no in found if label_no is not None))


def _labels(_text: str, read: Sequence[Reading]) -> Iterable[Hit]:
    for label_no in _label_nos(read):
        serial = labels.serials_of([label_no])[0]
        batch = Batch.objects.select_related("product").filter(label_range__contains=label_no).first()
        detail = _("batch {number}, {product}").format(number=batch.number, product=batch.product) if batch else ""
        yield Hit(_("Label"), "tag", groups(serial), detail, f"/console/labels/{serial}")


def _receipts(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    scan_id = labels.scan_id_of(text)
    scan = Scan.objects.filter(pk=scan_id).first() if scan_id else None
    if scan:
        number = labels.receipt_no(scan.pk)
        detail = f"{look_of(scan.outcome, scan.by).word}, {moment(scan.at)}"
        yield Hit(_("Receipt"), "file", groups(number), detail, receipt_href(number))


def _batches(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    found = Batch.objects.select_related("product").filter(Q(number__iexact=text) | Q(public_id=text))
    for batch in found[:MOST_HITS]:
        yield Hit(_("Batch"), "roll", batch.number, str(batch.product), f"/console/batches/{batch.public_id}")


def _products(text: str, read: Sequence[Reading]) -> Iterable[Hit]:
    gtins = [reading.gtin for reading in read if reading.gtin and (reading.serial is None or reading.notes)]
    wanted = Q(public_id=text) | Q(sku__iexact=text) | Q(gtin__in=gtins)
    if _is_word(text):
        wanted |= Q(name__icontains=text) | Q(name_zh__icontains=text)
    for product in Product.objects.filter(wanted)[:MOST_HITS]:
        yield Hit(_("Product"), "box", str(product), product.gtin, f"/console/products/{product.public_id}")


def _packs(_text: str, read: Sequence[Reading]) -> Iterable[Hit]:
    for sscc in [value for reading in read for name, value in reading.parts if name == "SSCC"]:
        pack = pack_of(sscc)
        if pack is not None:
            detail = _("{count} × {product}").format(
                count=pack.count, product=pack.run.batch and pack.run.batch.product
            )
            yield Hit(str(pack.run.get_kind_display()), "box", sscc, detail, f"/console/runs/{pack.run.public_id}")


def _designs(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    for run in Run.objects.select_related("version__template").filter(public_id=text):
        yield Hit(_("Print"), "printer", run.public_id, str(run.version), f"/console/runs/{run.public_id}")
    wanted = Q(public_id=text) | Q(name__icontains=text) if _is_word(text) else Q(public_id=text)
    for one in Template.objects.filter(wanted)[:MOST_HITS]:
        yield Hit(_("Template"), "pencil", one.name, str(one.get_kind_display()), f"/console/templates/{one.public_id}")


def _members(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    of_card = member_id_of(text)
    member = Member.objects.filter(Q(public_id=text) | Q(pk=of_card)).first() or _member_at(text)
    if member:
        detail = str(member.get_state_display())
        yield Hit(
            _("Member"), "user", member.masked_phone or member.public_id, detail, f"/console/members/{member.public_id}"
        )


def _member_at(text: str) -> Member | None:
    try:
        phone = parse_phone(text)
        valid = is_valid_number(parse_number(phone))
    except (DomainError, NumberParseException):
        return None
    return member_by_phone(phone) if valid else None


def _partners(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    wanted = Q(number__iexact=text) | Q(public_id=text)
    if _is_word(text):
        wanted |= Q(name__icontains=text) | Q(name_zh__icontains=text)
    for partner in Partner.objects.filter(wanted)[:MOST_HITS]:
        detail = f"{partner.get_kind_display()}, {partner.number}"
        yield Hit(_("Partner"), "store", partner.display_name, detail, f"/console/partners/{partner.public_id}")


def _campaigns(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    wanted = Q(public_id=text)
    if _is_word(text):
        wanted |= Q(name__icontains=text) | Q(name_zh__icontains=text)
    for campaign in Campaign.objects.filter(wanted)[:MOST_HITS]:
        detail = str(campaign.get_state_display())
        yield Hit(_("Campaign"), "ticket", str(campaign), detail, f"/console/campaigns/{campaign.public_id}")


def _accounts(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    for account in Account.objects.filter(public_id=text):
        yield Hit(
            _("Account"), "book", account.name, account.public_id, f"/console/ledger/accounts/{account.public_id}"
        )


def _diverted(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    found = Finding.objects.filter(public_id=text).values("shipment_id")
    written = Finding.objects.filter(shipment_id=OuterRef("pk"))
    shipments = Document.objects.filter(Q(number__iexact=text) | Q(public_id=text) | Q(pk__in=found), Exists(written))
    for shipment in shipments.order_by("-pk")[:MOST_HITS]:
        href = f"/console/diversion/shipments/{shipment.public_id}"
        yield Hit(pgettext("investigation", "Finding"), "map", shipment.number, moment(shipment.happened_at), href)


def _files(text: str, _read: Sequence[Reading]) -> Iterable[Hit]:
    number = re.fullmatch(r"[Ff]-0*([0-9]{1,9})", text)
    for file in Case.objects.filter(Q(public_id=text) | Q(pk=int(number[1]) if number else 0)):
        yield Hit(
            pgettext("investigation", "File"),
            "file",
            file.number,
            str(file.get_state_display()),
            f"/console/cases/{file.public_id}",
        )


def _is_word(text: str) -> bool:
    """Return whether to look for it in names: letters in it, and two of them or one hanzi."""
    return any("\u3400" <= sign <= "\u9fff" for sign in text) or bool(re.search(r"[^\W\d_]{2}", text))


_KINDS: list[tuple[str, Callable[[str, Sequence[Reading]], Iterable[Hit]]]] = [
    ("labels.read", _labels),
    ("redemption.read", _receipts),
    ("labels.read", _batches),
    ("labels.read", _products),
    ("templates.read", _packs),
    ("templates.read", _designs),
    ("members.read", _members),
    ("channel.read", _partners),
    ("lottery.read", _campaigns),
    ("ledger.read", _accounts),
    ("diversion.read", _diverted),
    ("cases.read", _files),
]
