"""What people are told: the same words for each outcome at every door, in both languages.

A text is written as an SMS says it, with the brand before it; page and voice leave the brand out. Tests hold each text
to its number of SMS parts with the longest values allowed.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _, ngettext

from brands.queries import brand_zone
from redemption.rules import By, Detail, Door, Outcome, Receipt, Standing

STANDINGS = {
    Outcome.GENUINE_FIRST: Standing.OK,
    Outcome.REDEEMED: Standing.OK,
    Outcome.CAMPAIGN_EXHAUSTED: Standing.OK,
    Outcome.GENUINE_REPEAT: Standing.WAIT,
    Outcome.ALREADY_REDEEMED: Standing.WAIT,
    Outcome.NOT_RELEASED: Standing.WAIT,
    Outcome.ENDED: Standing.OK,
    Outcome.TYPO: Standing.WAIT,
    Outcome.TOO_MANY_TRIES: Standing.WAIT,
    Outcome.RECALLED: Standing.NO,
    Outcome.WITHDRAWN: Standing.NO,
    Outcome.UNKNOWN: Standing.NO,
}


def standing(receipt: Receipt) -> Standing:
    """Return how an answer looks on a page: green tick, amber clock or red cross."""
    if receipt.outcome in {Outcome.GENUINE_REPEAT, Outcome.ALREADY_REDEEMED} and _is_yours(receipt):
        return Standing.OK
    if receipt.detail is Detail.RETIRED:
        return Standing.WAIT
    return STANDINGS[receipt.outcome]


def django_language(language: str) -> str:
    """Return the catalogue for a language tag, the brand's own where there is none."""
    tag = language or connection.tenant.default_language
    return "zh-hans" if tag.lower().startswith("zh") else "en"


def say(receipt: Receipt, language: str, door: Door | str) -> str:
    """Return the text of an answer; a message begins with the brand's name."""
    with translation.override(django_language(language)):
        return _at_door(_text(receipt), _values(receipt, door), door)


def say_try_later(language: str, door: Door | str) -> str:
    """Return what is said when nothing could be answered and nothing was written."""
    with translation.override(django_language(language)):
        text = _(
            "{brand}: we cannot answer now. Nothing was used up. Please send the same code again in a few minutes."
        )
        return _at_door(text, {"brand": connection.tenant.message_name}, door)


def group_receipt(receipt_no: str) -> str:
    """Return a receipt number as it is said and printed: 4-4-4."""
    return " ".join(receipt_no[start : start + 4] for start in range(0, len(receipt_no), 4))


def _at_door(text: str, values: dict[str, Any], door: Door | str) -> str:
    said = text.format(**values)
    if door == Door.SMS:
        return said
    brand = _("{brand}: ").format(**values)
    rest = said.removeprefix(brand)
    return rest[:1].upper() + rest[1:]


def _values(receipt: Receipt, door: Door | str) -> dict[str, Any]:
    """Return what the texts name. The date and place are those of the redemption where the text speaks of one."""
    brand, chinese = connection.tenant, translation.get_language() == "zh-hans"
    told = receipt.redeemed if receipt.outcome is Outcome.ALREADY_REDEEMED else None
    first_at = told.at if told else receipt.earlier.first_at if receipt.earlier else None
    place = _place(receipt)
    product, number = receipt.product, receipt.receipt_no or ""
    return {
        "brand": brand.message_name,
        "hotline": brand.hotline,
        "product": (product.name_zh if chinese else product.name) if product else "",
        # A Chinese message has 70 characters in all: there the number stands without blanks.
        "receipt": number if chinese and door == Door.SMS else group_receipt(number),
        "points": receipt.points,
        "balance": receipt.balance,
        "n": receipt.earlier.count if receipt.earlier else 0,
        "date": _day(receipt.ended_on if receipt.outcome is Outcome.ENDED else first_at),
        "place": place[chinese] if place else "",
        "want": receipt.want,
        "got": receipt.got,
        "left": receipt.tries_left,
        "time": _time(receipt.at, receipt.retry_after_s or 0),
    }


def _place(receipt: Receipt) -> tuple[str, str] | None:
    if receipt.outcome is Outcome.ALREADY_REDEEMED:
        return receipt.redeemed.place if receipt.redeemed else None
    return receipt.earlier.first_place if receipt.earlier else None


def _day(moment: Any) -> str:
    if moment is None:
        return ""
    day = moment.astimezone(brand_zone()).date() if isinstance(moment, datetime) else moment
    # Translators: the form of a date in short messages (Django's letters): 22 Nov 2026.
    return date_format(day, _("j M Y"))


def _time(at: datetime, after_s: int) -> str:
    """Return the minute, rounded up, from which a try is allowed again; with its day if that is another one."""
    zone = brand_zone()
    then = (at + timedelta(seconds=after_s + 59)).astimezone(zone)
    clock = f"{then:%H:%M}"
    return clock if then.date() == at.astimezone(zone).date() else f"{_day(then.date())} {clock}"


def _is_yours(receipt: Receipt) -> bool:
    if receipt.redeemed:
        return receipt.redeemed.by is By.YOU
    return receipt.earlier is not None and receipt.earlier.by is By.YOU


def _text(receipt: Receipt) -> str:
    match receipt.outcome:
        case Outcome.GENUINE_FIRST:
            return _("{brand}: GENUINE. {product}, first check of this label. Receipt {receipt}")
        case Outcome.REDEEMED:
            return _("{brand}: GENUINE. {product}. +{points} points, balance {balance}. Receipt {receipt}")
        case Outcome.GENUINE_REPEAT:
            return _repeat(receipt)
        case Outcome.ALREADY_REDEEMED:
            return _spent(receipt)
        case Outcome.NOT_RELEASED:
            return _(
                "{brand}: this label is not released for sale yet. Keep the pack and tell us where you got it: "
                "{hotline}. Receipt {receipt}"
            )
        case Outcome.RECALLED:
            return _("{brand}: this product is RECALLED. Do not use it. Call {hotline}. Receipt {receipt}")
        case Outcome.WITHDRAWN:
            return _withdrawn(receipt)
        case Outcome.ENDED:
            return _ended(receipt)
        case Outcome.CAMPAIGN_EXHAUSTED:
            return _(
                "{brand}: GENUINE. {product}. All points of this offer are given out; your code stays unused. "
                "Receipt {receipt}"
            )
        case Outcome.TYPO:
            return _typo(receipt)
        case Outcome.UNKNOWN:
            return _unknown(receipt)
        case Outcome.TOO_MANY_TRIES:
            return _("{brand}: too many tries. Please try again after {time} or call {hotline}.")


def _repeat(receipt: Receipt) -> str:
    count = receipt.earlier.count if receipt.earlier else 0
    place = _place(receipt)
    if _is_yours(receipt):
        return ngettext(
            "{brand}: GENUINE. You checked this label {n} time before, first on {date}. Receipt {receipt}",
            "{brand}: GENUINE. You checked this label {n} times before, first on {date}. Receipt {receipt}",
            count,
        )
    if receipt.by_serial and receipt.secret_unused:
        return _repeat_secret_unused(count, placed=place is not None)
    if place is None:
        return ngettext(
            "{brand}: the code is genuine but was checked {n} time before, first on {date}. If that was not you, it "
            "may be a copy: call {hotline}. Receipt {receipt}",
            "{brand}: the code is genuine but was checked {n} times before, first on {date}. If that was not you, it "
            "may be a copy: call {hotline}. Receipt {receipt}",
            count,
        )
    return ngettext(
        "{brand}: the code is genuine but was checked {n} time before, first on {date} near {place}. If that was not "
        "you, it may be a copy: call {hotline}. Receipt {receipt}",
        "{brand}: the code is genuine but was checked {n} times before, first on {date} near {place}. If that was not "
        "you, it may be a copy: call {hotline}. Receipt {receipt}",
        count,
    )


def _repeat_secret_unused(count: int, *, placed: bool) -> str:
    if not placed:
        return ngettext(
            "{brand}: genuine label, checked {n} time before, first on {date}. Its hidden code is unused: to be sure, "
            "send the code under the scratch layer. Receipt {receipt}",
            "{brand}: genuine label, checked {n} times before, first on {date}. Its hidden code is unused: to be sure, "
            "send the code under the scratch layer. Receipt {receipt}",
            count,
        )
    return ngettext(
        "{brand}: genuine label, checked {n} time before, first on {date} near {place}. Its hidden code is unused: to "
        "be sure, send the code under the scratch layer. Receipt {receipt}",
        "{brand}: genuine label, checked {n} times before, first on {date} near {place}. Its hidden code is unused: to "
        "be sure, send the code under the scratch layer. Receipt {receipt}",
        count,
    )


def _spent(receipt: Receipt) -> str:
    if _is_yours(receipt):
        return _("{brand}: you redeemed this code on {date}: +{points} points. Receipt {receipt}")
    if _place(receipt) is None:
        return _(
            "{brand}: this code was redeemed on {date}. If you have just scratched it, keep the pack and call "
            "{hotline}. Receipt {receipt}"
        )
    return _(
        "{brand}: this code was redeemed on {date} near {place}. If you have just scratched it, keep the pack and "
        "call {hotline}. Receipt {receipt}"
    )


def _withdrawn(receipt: Receipt) -> str:
    if receipt.detail is Detail.STOLEN:
        return _(
            "{brand}: this label was withdrawn from sale. Keep the pack and tell us where you got it: {hotline}. "
            "Receipt {receipt}"
        )
    if receipt.detail is Detail.TEST_LABEL:
        return _(
            "{brand}: this is a sample label. It is not for sale and earns nothing. Questions: {hotline}. "
            "Receipt {receipt}"
        )
    return _("{brand}: this label was withdrawn and is not valid. Keep the pack and call {hotline}. Receipt {receipt}")


def _ended(receipt: Receipt) -> str:
    if receipt.detail is Detail.RETIRED:
        return _(
            "{brand}: codes of this old series are no longer checked and earn no points. Questions: {hotline}. "
            "Receipt {receipt}"
        )
    return _("{brand}: GENUINE. {product}. The points offer ended on {date}. Receipt {receipt}")


def _typo(receipt: Receipt) -> str:
    if receipt.detail is Detail.SERIAL_TYPED:
        return _("{brand}: that is the number beside the QR code. Please use the one under the scratch layer.")
    if receipt.detail is Detail.MALFORMED and receipt.want is not None and receipt.want != receipt.got:
        return _("{brand}: the code has {want} digits, you sent {got}. Please check and send it again.")
    return _("{brand}: one digit seems wrong. Please compare each digit with the label and send the code again.")


def _unknown(receipt: Receipt) -> str:
    left = receipt.tries_left or 0
    if receipt.detail is Detail.MISMATCH:
        return ngettext(
            "{brand}: this is not the code of the label you scanned. Use both from one pack ({left} try left) or call "
            "{hotline}. Receipt {receipt}",
            "{brand}: this is not the code of the label you scanned. Use both from one pack ({left} tries left) or "
            "call {hotline}. Receipt {receipt}",
            left,
        )
    return ngettext(
        "{brand}: no such code. Check each digit, send it again ({left} try left). If it is the same, beware of a "
        "fake: {hotline}. Receipt {receipt}",
        "{brand}: no such code. Check each digit, send it again ({left} tries left). If it is the same, beware of a "
        "fake: {hotline}. Receipt {receipt}",
        left,
    )
