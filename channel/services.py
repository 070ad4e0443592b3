"""Partners' verbs: take on, rename, pause, resume, close."""

import re
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from channel.models import Partner
from common.errors import Conflict, Invalid, NotFound
from common.geo import provinces_of_china
from common.luhn import luhn
from ledger.services import open_account

NUMBER = re.compile("[A-Z][0-9]{4,11}")
_LETTERS = {Partner.Kind.DISTRIBUTOR: "D", Partner.Kind.RETAILER: "R", Partner.Kind.PROMOTER: "P"}


class BadNumber(Invalid):
    """A partner's number is a capital letter and 4 to 11 digits."""

    code = "bad_number"


class NumberTaken(Conflict):
    """Another partner has that number."""

    code = "number_taken"


class UnknownRegion(Invalid):
    """There is no such region."""

    code = "unknown_region"


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
            account=open_account(party=kind),
            created_at=at,
        )


def edit_partner(public_id: str, *, name: str, name_zh: str, region: str) -> Partner:
    """Change a partner's names and region. Raises `NotFound`, `PartnerClosed`, `UnknownRegion`."""
    region_name, region_name_zh = _region_names(region)
    with transaction.atomic(durable=True):
        partner = _lock(public_id)
        partner.name, partner.name_zh = name, name_zh
        partner.region, partner.region_name, partner.region_name_zh = region, region_name, region_name_zh
        partner.save()
    return partner


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
