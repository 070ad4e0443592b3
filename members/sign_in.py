"""Signing in by one-time code, sent to the member's number; budgets against having codes sent for nothing."""

import hmac
import unicodedata
import uuid
from datetime import datetime, timedelta

import phonenumbers
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Min, Q
from django.utils import translation
from django.utils.translation import gettext as _

from common.db import inside_transaction
from common.errors import Forbidden, Invalid
from members.models import CodeSend, Member, SignInCode
from members.services import members_for_phones
from sms_gateway.models import OutboundMessage
from sms_gateway.services import queue_message
from staff import vault

CODE_DIGITS = 6
CODE_LIVES = timedelta(minutes=5)
CODE_TRIES = 5
SENDS_WINDOW = timedelta(hours=1)
SENDS_PER_NUMBER = 3
# Budgets against pumping: multiplied by FAILURE_BUDGET_SCALE in the demo and in tests.
SENDS_PER_NETWORK = 30
SENDS_PER_COUNTRY = 1_000
SENDS_PER_BRAND = 3_000


class TooManyCodes(Forbidden):
    """Too many codes were asked for. Please try again later."""

    code = "too_many_codes"


class WrongCode(Invalid):
    """That code is not valid. Check each digit, or ask for a new code."""

    code = "wrong_code"


def request_code(phone: str, *, at: datetime, language: str = "", ip_prefix: str = "") -> None:
    """Send a one-time code to a number (E.164): six digits, good for five minutes. Asking again sends the same code.

    Says nothing about whether the number has a member. Raises `TooManyCodes` (``retry_after_s``) when the number had
    three sends within the hour, or its network, its country or the brand has used up its budget.
    """
    index = vault.blind_index(phone)
    with transaction.atomic(durable=True):
        SignInCode.objects.bulk_create(
            [SignInCode(phone_index=index, uuid=uuid.uuid4(), expires_at=at)], ignore_conflicts=True
        )
        row = SignInCode.objects.select_for_update().get(phone_index=index)
        _count_send(phone, index, ip_prefix=ip_prefix, at=at)
        if row.expires_at <= at or row.tries >= CODE_TRIES:
            row.uuid, row.tries = uuid.uuid4(), 0
        row.expires_at = at + CODE_LIVES
        row.save()
        queue_message(
            phone, _code_text(_digits(row.uuid), language), purpose=OutboundMessage.Purpose.ONE_TIME_CODE, at=at
        )


def confirm_code(phone: str, code: str, *, at: datetime, language: str = "") -> Member:
    """Use up the code of a number and return its member, created or made active: this is the sign-in.

    Raises `WrongCode`, the same for wrong digits, an old code, a fifth wrong try and a number that asked for none.
    """
    index = vault.blind_index(phone)
    typed = "".join(unicodedata.normalize("NFKC", code[:40]).split()).encode(errors="replace")
    with transaction.atomic(durable=True):
        row = SignInCode.objects.select_for_update().filter(phone_index=index).first()
        live = row is not None and row.expires_at > at and row.tries < CODE_TRIES
        right = hmac.compare_digest(_digits(row.uuid if row else uuid.uuid4()).encode(), typed)
        member = None
        if row is not None and live:
            if right:
                row.expires_at = at
                member = _activate(phone, at=at, language=language)
            else:
                row.tries += 1
            row.save()
    if member is None:
        raise WrongCode(_("That code is not valid. Check each digit, or ask for a new code."))
    return member


def _activate(phone: str, *, at: datetime, language: str) -> Member:
    holder = members_for_phones([phone], at=at, language=language)[phone]
    member = Member.objects.select_for_update(no_key=True).get(account_id=holder.account_id)
    if member.state == Member.State.PROVISIONAL:
        member.state = Member.State.ACTIVE
        member.activated_at = at
        member.language = member.language or language
        member.save(update_fields=["state", "activated_at", "language"])
    return member


def _digits(row: uuid.UUID) -> str:
    """Return the code that belongs to a row: an HMAC under the brand's key, so that no table holds it."""
    number = int.from_bytes(vault.blind_index(row.hex, purpose="sign-in code")) % 10**CODE_DIGITS
    return f"{number:0{CODE_DIGITS}}"


def _code_text(code: str, language: str) -> str:
    brand = connection.tenant
    with translation.override("zh-hans" if (language or brand.default_language).startswith("zh") else "en"):
        return _("%(brand)s: your code is %(code)s. It is good for 5 minutes. Give it to nobody.") % {
            "brand": brand.message_name,
            "code": code,
        }


def _count_send(phone: str, index: bytes, *, ip_prefix: str, at: datetime) -> None:
    network = vault.blind_index(ip_prefix, purpose="network")
    country = phonenumbers.parse(phone).country_code or 0
    number = Q(phone_index=index)
    used = CodeSend.objects.filter(at__gt=at - SENDS_WINDOW).aggregate(
        number=Count("pk", filter=number),
        network=Count("pk", filter=Q(network_index=network)),
        country=Count("pk", filter=Q(country=country)),
        brand=Count("pk"),
        first=Min("at", filter=number),
    )
    scale = settings.FAILURE_BUDGET_SCALE
    if used["number"] >= SENDS_PER_NUMBER:
        raise TooManyCodes(_too_many(), retry_after_s=int((used["first"] + SENDS_WINDOW - at).total_seconds()) + 1)
    if (
        (ip_prefix and used["network"] >= SENDS_PER_NETWORK * scale)
        or used["country"] >= SENDS_PER_COUNTRY * scale
        or used["brand"] >= SENDS_PER_BRAND * scale
    ):
        raise TooManyCodes(_too_many(), retry_after_s=int(SENDS_WINDOW.total_seconds()))
    CodeSend.objects.create(phone_index=index, network_index=network, country=country, at=at)


def _too_many() -> str:
    return _("Too many codes were asked for. Please try again later.")


@inside_transaction
def forget_old_codes(*, at: datetime) -> None:
    """Drop what is no longer needed for signing in: sends older than the window, codes a day after their end."""
    CodeSend.objects.filter(at__lte=at - SENDS_WINDOW).delete()
    SignInCode.objects.filter(expires_at__lte=at - timedelta(days=1)).delete()
