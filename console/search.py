"""The one search box: what was typed is tried as every kind of number whose check symbol fits; all hits are shown."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from phonenumbers import is_valid_number, parse as parse_number
from phonenumbers.phonenumberutil import NumberParseException

from channel.models import Partner
from common.errors import DomainError
from common.phone import parse_phone
from common.templatetags.show import groups, moment
from console.history import receipt_href
from console.outcomes import look_of
from labels import digital_link, elements, queries as labels
from labels.models import Batch, Product
from ledger.models import Account
from lottery.models import Campaign
from members.models import Member
from members.queries import member_by_phone
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


def search(typed: str, user: User) -> list[Hit]:
    """Return every hit that this person may open, the surest first."""
    text = typed.strip()[:MOST_TYPED].replace("\x00", "")
    if not text:
        return []
    hits: dict[str, Hit] = {}
    for operation, find in _KINDS:
        if allowed(user, operation):
            for hit in find(text):
                hits.setdefault(hit.href, hit)
    return list(hits.values())


def kinds() -> list[str]:
    """Return what the box understands, for people."""
    return [
        _("hidden code"),
        _("serial or link of the QR code"),
        _("what a scanner reads from a GS1 symbol"),
        _("receipt number"),
        _("batch number"),
        _("GTIN or product name"),
        _("telephone number of a member"),
        _("partner number or name"),
        _("name of a campaign"),
        _("any id with a prefix, such as bat_ or mem_"),
    ]


def label_no_of(typed: str) -> int | None:
    """Return the label that a serial, a hidden code or a Digital Link names, or None."""
    text = typed.strip()[:MOST_TYPED].replace("\x00", "")
    reading = elements.read(text)
    if reading.serial:
        tries = [labels.Typed(reading.serial, "serial")]
    else:
        tries = [labels.Typed(text, "serial"), labels.Typed(text, "secret")]
    return next((found.label_no for found in labels.resolve_many(tries) if found.label_no is not None), None)


def read_by_scanner(typed: str) -> elements.Reading | None:
    """Return what a symbol said, element by element; None for a bare number, whose hits say what it is."""
    reading = elements.read(typed.replace("\x00", ""))
    return reading if reading.elements else None


def _labels(text: str) -> Iterable[Hit]:
    label_no = label_no_of(text)
    if label_no is not None:
        serial = labels.serials_of([label_no])[0]
        batch = Batch.objects.select_related("product").filter(label_range__contains=label_no).first()
        detail = _("batch {number}, {product}").format(number=batch.number, product=batch.product) if batch else ""
        yield Hit(_("Label"), "tag", groups(serial), detail, f"/console/labels/{serial}")


def _receipts(text: str) -> Iterable[Hit]:
    scan_id = labels.scan_id_of(text)
    scan = Scan.objects.filter(pk=scan_id).first() if scan_id else None
    if scan:
        number = labels.receipt_no(scan.pk)
        detail = f"{look_of(scan.outcome, scan.by).word}, {moment(scan.at)}"
        yield Hit(_("Receipt"), "file", groups(number), detail, receipt_href(number))


def _batches(text: str) -> Iterable[Hit]:
    found = Batch.objects.select_related("product").filter(Q(number__iexact=text) | Q(public_id=text))
    for batch in found[:MOST_HITS]:
        yield Hit(_("Batch"), "roll", batch.number, str(batch.product), f"/console/batches/{batch.public_id}")


def _products(text: str) -> Iterable[Hit]:
    reading = elements.read(text)
    digits = reading.gtin if reading.gtin and not reading.serial else re.sub(r"\s", "", text)
    gtin = digits.zfill(14) if re.fullmatch(r"[0-9]{8,14}", digits) else None
    wanted = Q(public_id=text) | Q(sku__iexact=text)
    if gtin and digital_link.check_digit_is_right(gtin):
        wanted |= Q(gtin=gtin)
    if _is_word(text):
        wanted |= Q(name__icontains=text) | Q(name_zh__icontains=text)
    for product in Product.objects.filter(wanted)[:MOST_HITS]:
        yield Hit(_("Product"), "box", str(product), product.gtin, f"/console/products/{product.public_id}")


def _members(text: str) -> Iterable[Hit]:
    member = Member.objects.filter(public_id=text).first() or _member_at(text)
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


def _partners(text: str) -> Iterable[Hit]:
    wanted = Q(number__iexact=text) | Q(public_id=text)
    if _is_word(text):
        wanted |= Q(name__icontains=text) | Q(name_zh__icontains=text)
    for partner in Partner.objects.filter(wanted)[:MOST_HITS]:
        detail = f"{partner.get_kind_display()}, {partner.number}"
        yield Hit(_("Partner"), "store", partner.display_name, detail, f"/console/partners/{partner.public_id}")


def _campaigns(text: str) -> Iterable[Hit]:
    wanted = Q(public_id=text)
    if _is_word(text):
        wanted |= Q(name__icontains=text) | Q(name_zh__icontains=text)
    for campaign in Campaign.objects.filter(wanted)[:MOST_HITS]:
        detail = str(campaign.get_state_display())
        yield Hit(_("Campaign"), "ticket", str(campaign), detail, f"/console/campaigns/{campaign.public_id}")


def _accounts(text: str) -> Iterable[Hit]:
    for account in Account.objects.filter(public_id=text):
        yield Hit(
            _("Account"), "book", account.name, account.public_id, f"/console/ledger/accounts/{account.public_id}"
        )


def _is_word(text: str) -> bool:
    """Return whether to look for it in names: letters in it, and two of them or one hanzi."""
    return any("\u3400" <= sign <= "\u9fff" for sign in text) or bool(re.search(r"[^\W\d_]{2}", text))


_KINDS: list[tuple[str, Callable[[str], Iterable[Any]]]] = [
    ("labels.read", _labels),
    ("redemption.read", _receipts),
    ("labels.read", _batches),
    ("labels.read", _products),
    ("members.read", _members),
    ("channel.read", _partners),
    ("lottery.read", _campaigns),
    ("ledger.read", _accounts),
]
