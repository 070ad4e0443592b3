"""Telephone numbers: E.164 inside, masked outside."""

import re
from functools import lru_cache

import phonenumbers

from common.errors import Invalid

_MOBILE = re.compile(r"\+861[3-9][0-9]{9}")  # as most callers write it already


class BadPhone(Invalid):
    """That is not a telephone number."""

    code = "bad_phone"


def parse_phone(text: str, region: str = "CN") -> str:
    """Return ``text`` as E.164 ("+8613800138000"); a number without country code is read as of ``region``.

    Raises `BadPhone`, which never repeats the text.
    """
    if _MOBILE.fullmatch(text):
        return text
    if len(text) > 40:
        raise BadPhone
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise BadPhone from None
    if not phonenumbers.is_possible_number(number):
        raise BadPhone
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=4096)
def region_of(e164: str) -> str:
    """Return the country of a number in two letters, or ""."""
    if _MOBILE.fullmatch(e164):
        return "CN"
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(e164)) or ""
    except phonenumbers.NumberParseException:
        return ""


def mask_phone(e164: str) -> str:
    """Return a number as staff and owners see it: 138****8000 (national form, middle hidden)."""
    try:
        number = phonenumbers.parse(e164)
        national = phonenumbers.national_significant_number(number)
    except phonenumbers.NumberParseException:
        national = e164.lstrip("+")
    return f"{national[:3]}****{national[-4:]}" if len(national) >= 9 else f"{national[:1]}****{national[-2:]}"
