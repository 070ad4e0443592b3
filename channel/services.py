"""Partners' verbs: take on, change, pause, resume, close; their contracts and territories."""

import re
from collections.abc import Collection
from datetime import date, datetime

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from channel.models import Contract, Partner, ProductLine, Region, Territory
from common.errors import Conflict, Invalid, NotFound
from common.geo import provinces_of_china
from common.luhn import luhn
from labels.identifiers import check_digit_is_right
from labels.models import Product
from ledger.services import open_account

NUMBER = re.compile("[A-Z][0-9]{4,11}")
_LETTERS = {
    Partner.Kind.DISTRIBUTOR: "D",
    Partner.Kind.SUB_DISTRIBUTOR: "S",
    Partner.Kind.RETAILER: "R",
    Partner.Kind.PROMOTER: "P",
    Partner.Kind.ECOMMERCE: "E",
}
_PARTIES = {Partner.Kind.SUB_DISTRIBUTOR: "distributor", Partner.Kind.ECOMMERCE: "retailer"}  # as the ledger knows them


class BadNumber(Invalid):
    """A partner's number is a capital letter and 4 to 11 digits."""

    code = "bad_number"


class NumberTaken(Conflict):
    """Another partner has that number."""

    code = "number_taken"


class UnknownRegion(Invalid):
    """There is no such region."""

    code = "unknown_region"


class BadParent(Invalid):
    """The partner above is another partner, and not one below this one."""

    code = "bad_parent"


class BadGln(Invalid):
    """A GLN has 13 digits, of which the last is the check digit."""

    code = "bad_gln"


class BadDays(Invalid):
    """The last day is not before the first."""

    code = "bad_days"


class LineKnown(Conflict):
    """Another product line has that name."""

    code = "line_known"


class ContractKnown(Conflict):
    """The partner has a contract of that number already."""

    code = "contract_known"


class TerritoryTaken(Conflict):
    """Somebody has this region from that day already: choose another day, or mark both as shared."""

    code = "territory_taken"


class PartnerClosed(Conflict):
    """A closed partner stays closed: take the firm on anew."""

    code = "partner_closed"


def create_partner(
    *, kind: str, name: str, name_zh: str = "", region: str = "", number: str = "", at: datetime
) -> Partner:
    """Take on a partner, with an account in the ledger and a number of its own unless one is given.

    ``region`` is the code of a province ("CN-GD"), or empty. Raises `BadNumber`, `NumberTaken`,
    `UnknownRegion`.
    """
    region_name, region_name_zh = _region_names(region)
    if number and not NUMBER.fullmatch(number):
        raise BadNumber(_("A partner's number is a capital letter and 4 to 11 digits."))
    with transaction.atomic(durable=True):
        if number and Partner.objects.filter(number=number).exists():
            raise NumberTaken(_("Another partner has that number."))
        return Partner.objects.create(
            number=number or _next_number(Partner.Kind(kind)),
            kind=Partner.Kind(kind),
            name=name,
            name_zh=name_zh,
            region=region,
            region_name=region_name,
            region_name_zh=region_name_zh,
            account=open_account(party=_PARTIES.get(Partner.Kind(kind), kind)),
            created_at=at,
        )


def edit_partner(
    public_id: str,
    *,
    name: str,
    name_zh: str,
    region: str,
    parent: str | None = None,
    gln: str | None = None,
    sells_online: bool | None = None,
) -> Partner:
    """Change what is known about a partner; ``parent`` is the number of the partner above, None leaves as it is.

    Raises `NotFound`, `PartnerClosed`, `UnknownRegion`, `BadParent`, `BadGln`.
    """
    region_name, region_name_zh = _region_names(region)
    with transaction.atomic(durable=True):
        partner = _lock(public_id)
        if parent is not None:
            partner.parent = _parent_of(partner, parent)
        if gln is not None:
            partner.gln = _checked_gln(partner, gln)
        if sells_online is not None:
            partner.sells_online = sells_online
        partner.name, partner.name_zh = name, name_zh
        partner.region, partner.region_name, partner.region_name_zh = region, region_name, region_name_zh
        partner.save()
    return partner


def _parent_of(partner: Partner, number: str) -> Partner | None:
    if not number:
        return None
    parent = above = Partner.objects.filter(number=number).first()
    while above is not None and above.pk != partner.pk:
        above = above.parent
    if parent is None or above is not None:
        raise BadParent
    return parent


def _checked_gln(partner: Partner, gln: str) -> str:
    if gln and not (len(gln) == 13 and gln.isascii() and gln.isdecimal() and check_digit_is_right(gln)):
        raise BadGln
    if gln and Partner.objects.filter(gln=gln).exclude(pk=partner.pk).exists():
        raise BadGln(_("Another partner has that GLN."))
    return gln


# --- contracts and territories ------------------------------------------------------------------------------------------


def add_contract(
    partner: Partner, *, number: str, valid_from: date, valid_to: date | None = None, note: str = ""
) -> Contract:
    """Note a contract. Raises `BadDays`, `ContractKnown`."""
    _check_days(valid_from, valid_to)
    with transaction.atomic(durable=True):
        made, is_new = Contract.objects.get_or_create(
            partner=partner, number=number, defaults={"valid_from": valid_from, "valid_to": valid_to, "note": note}
        )
    if not is_new:
        raise ContractKnown
    return made


def give_territory(
    partner: Partner,
    *,
    region: str,
    valid_from: date,
    valid_to: date | None = None,
    line: ProductLine | None = None,
    is_shared: bool = False,
) -> Territory:
    """Give a partner a region, for a product line or all. Goods already under way keep the market of their shipment.

    Raises `UnknownRegion`, `BadDays`, `TerritoryTaken` where another has it with equal right.
    """
    _check_days(valid_from, valid_to)
    place = Region.objects.filter(code=region).first()
    if place is None:
        raise UnknownRegion(_("There is no such region."))
    try:
        with transaction.atomic():
            return Territory.objects.create(
                partner=partner,
                region=place,
                line=line,
                valid_from=valid_from,
                valid_to=valid_to,
                is_shared=is_shared,
            )
    except IntegrityError as error:
        raise TerritoryTaken from error


def change_territory(
    territory: Territory, *, valid_from: date, valid_to: date | None, is_shared: bool = False
) -> Territory:
    """Change from when to when a territory is a partner's. Goods already shipped keep the market that they had.

    Raises `BadDays`, `TerritoryTaken`.
    """
    _check_days(valid_from, valid_to)
    try:
        with transaction.atomic():
            row = Territory.objects.select_for_update().get(pk=territory.pk)
            row.valid_from, row.valid_to, row.is_shared = valid_from, valid_to, is_shared
            row.save(update_fields=["valid_from", "valid_to", "is_shared"])
    except IntegrityError as error:
        raise TerritoryTaken from error
    return row


# --- product lines ------------------------------------------------------------------------------------------------------


def keep_line(
    line: ProductLine | None, *, name: str, name_zh: str = "", products: Collection[Product] = ()
) -> ProductLine:
    """Make a product line (None) or change one: its names and its products. Raises `LineKnown`."""
    row = line or ProductLine()
    row.name, row.name_zh = name, name_zh
    try:
        with transaction.atomic():
            row.save()
            row.products.set(products)
    except IntegrityError as error:
        raise LineKnown from error
    return row


def _check_days(valid_from: date, valid_to: date | None) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise BadDays


def pause(public_id: str) -> Partner:
    """Let a partner earn nothing until it is resumed. Raises `NotFound`, `PartnerClosed`."""
    return _put(public_id, Partner.State.PAUSED)


def resume(public_id: str) -> Partner:
    """Let a paused partner earn again. Raises `NotFound`, `PartnerClosed`."""
    return _put(public_id, Partner.State.ACTIVE)


def close(public_id: str) -> Partner:
    """End the relation for good. What it has earned stays its own. Raises `NotFound`, `PartnerClosed`."""
    return _put(public_id, Partner.State.CLOSED)


def _put(public_id: str, state: Partner.State) -> Partner:
    with transaction.atomic(durable=True):
        partner = _lock(public_id)
        partner.state = state
        partner.save(update_fields=["state"])
    return partner


def _lock(public_id: str) -> Partner:
    partner = Partner.objects.select_for_update(no_key=True).filter(public_id=public_id).first()
    if partner is None:
        raise NotFound(_("There is no such partner."))
    if partner.state == Partner.State.CLOSED:
        raise PartnerClosed(_("A closed partner stays closed: take the firm on anew."))
    return partner


def _next_number(kind: Partner.Kind) -> str:
    """Return a letter for the kind, a counter, and a check digit, so that one wrong digit names nobody else's shop."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('channel_partner_number')")
        count = f"{cursor.fetchone()[0]}"
    return f"{_LETTERS[kind]}{count}{luhn(count)}"


def _region_names(code: str) -> tuple[str, str]:
    if not code:
        return "", ""
    for region in provinces_of_china():
        if region.code == code:
            return region.name_en, region.name_zh
    raise UnknownRegion(_("There is no such region."))
