"""What people are told: the same words for each outcome at every door, in both languages.

The words are in `redemption.texts`, or the brand's own (`redemption.wording`). They are written as an SMS says them,
with the brand before them; page and voice leave the brand out.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from brands.queries import brand_zone
from redemption import wording
from redemption.rules import Detail, Door, Outcome, Receipt, Standing
from redemption.texts import TEXTS, is_yours, key_of, place_of, play_key_of
from sms_gateway.segments import parts_of

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
_SPOKEN_ZH = str.maketrans("0123456789", "零幺二三四五六七八九")


def standing(receipt: Receipt) -> Standing:
    """Return how an answer looks on a page: green tick, amber clock or red cross."""
    if receipt.outcome in {Outcome.GENUINE_REPEAT, Outcome.ALREADY_REDEEMED} and is_yours(receipt):
        return Standing.OK
    if receipt.detail is Detail.RETIRED:
        return Standing.WAIT
    return STANDINGS[receipt.outcome]


def django_language(language: str) -> str:
    """Return the catalogue for a language tag, the brand's own where there is none."""
    tag = language or connection.tenant.default_language
    return "zh-hans" if tag.lower().startswith("zh") else "en"


def say(receipt: Receipt, language: str, door: Door | str) -> str:
    """Return the text of an answer; a message begins with the brand's name.

    What the label won follows; in a message, which draw it entered only where that makes it no dearer.
    """
    with translation.override(django_language(language)):
        values = _Values(receipt, door)
        said = _said(key_of(receipt), values, door)
        if receipt.play is not None:
            said = added(said, _said(play_key_of(receipt.play), values, door))
        if receipt.entries:
            first = min(entry.close_at for entry in receipt.entries)
            longer = added(said, _said("news_entered", values | {"date": _day(first)}, door))
            if door != Door.SMS or parts_of(longer).count == parts_of(said).count:
                said = longer
        return said


def added(text: str, sentence: str) -> str:
    """Return an answer with a further sentence, in the present language."""
    end = "。" if translation.get_language() == "zh-hans" else ". "
    return text.rstrip("。. ") + end + sentence


def say_try_later(language: str, door: Door | str) -> str:
    """Return what is said when nothing could be answered and nothing was written."""
    return say_text("try_later", language, door)


def say_text(key: str, language: str, door: Door | str = Door.SMS, **values: Any) -> str:
    """Return one of `redemption.texts`, with the brand's own values filled in. A ``date`` is given as one."""
    with translation.override(django_language(language)):
        known = {"brand": connection.tenant.message_name, "hotline": _hotline(door)}
        return _said(key, known | {name: _shown(value) for name, value in values.items()}, door)


def group_receipt(receipt_no: str) -> str:
    """Return a receipt number as it is said and printed: 4-4-4."""
    return " ".join(receipt_no[start : start + 4] for start in range(0, len(receipt_no), 4))


def spoken_digits(digits: str, language: str, *, group: int = 4) -> str:
    """Return digits one by one, a pause after each group; in Chinese 1 is read as 幺, as on the telephone."""
    groups = [digits[start : start + group] for start in range(0, len(digits), group)]
    if django_language(language) == "zh-hans":
        return "，".join(part.translate(_SPOKEN_ZH) for part in groups)
    return ", ".join(" ".join(part) for part in groups)


def _said(key: str, values: dict[str, Any], door: Door | str) -> str:
    text = TEXTS[key]
    words = wording.words_of(key, int(values[text.count_by] or 0) if text.count_by else 0)
    said = words.format_map(values)
    if door == Door.SMS:
        return wording.folded(said)
    brand = _("{brand}: ").format_map(values)
    rest = said.removeprefix(brand)
    rest = rest[:1].upper() + rest[1:]
    return _aloud(rest) if door == Door.VOICE else rest


def _aloud(text: str) -> str:
    """Return a text as it is read out: no words in capitals, which would be spelled, and no signs."""
    text = re.sub(r"\b[A-Z]{4,}\b", lambda word: word.group().capitalize(), text)
    if translation.get_language() == "zh-hans":
        return text.replace("+", "加")
    return text.replace("+", "plus ")


class _Values(dict[str, Any]):
    """What the texts name, each worked out when a text names it."""

    def __init__(self, receipt: Receipt, door: Door | str) -> None:
        super().__init__()
        self.receipt, self.door = receipt, door

    def __missing__(self, name: str) -> Any:
        """Work out a value and keep it."""
        self[name] = value = _VALUES[name](self.receipt, self.door)
        return value


def _product(receipt: Receipt, _door: Door | str) -> str:
    product, chinese = receipt.product, translation.get_language() == "zh-hans"
    return (product.name_zh if chinese else product.name) if product else ""


def _prize(receipt: Receipt) -> str:
    prize = receipt.play.prize if receipt.play else None
    return prize.in_language(translation.get_language()) if prize else ""


def _date(receipt: Receipt, _door: Door | str) -> str:
    """Return the day of the redemption where the text speaks of one, else that of the first visit."""
    told = receipt.redeemed if receipt.outcome is Outcome.ALREADY_REDEEMED else None
    first_at = told.at if told else receipt.earlier.first_at if receipt.earlier else None
    return _day(receipt.ended_on if receipt.outcome is Outcome.ENDED else first_at)


def _place(receipt: Receipt, _door: Door | str) -> str:
    place = place_of(receipt)
    return place[translation.get_language() == "zh-hans"] if place else ""


_VALUES: dict[str, Callable[[Receipt, Door | str], Any]] = {
    "brand": lambda _receipt, _door: connection.tenant.message_name,
    "hotline": lambda _receipt, door: _hotline(door),
    "product": _product,
    "receipt": lambda receipt, door: _receipt(receipt.receipt_no or "", door),
    "points": lambda receipt, _door: receipt.points,
    "balance": lambda receipt, _door: receipt.balance,
    "n": lambda receipt, _door: receipt.earlier.count if receipt.earlier else 0,
    "date": _date,
    "place": _place,
    "want": lambda receipt, _door: receipt.want,
    "got": lambda receipt, _door: receipt.got,
    "left": lambda receipt, _door: receipt.tries_left or 0,
    "prize": lambda receipt, _door: _prize(receipt),
    "won": lambda receipt, _door: receipt.play.points if receipt.play else 0,
    "time": lambda receipt, _door: _time(receipt.at, receipt.retry_after_s or 0),
}


def _receipt(number: str, door: Door | str) -> str:
    language = translation.get_language() or ""
    if door == Door.VOICE:
        return spoken_digits(number, language)
    # A Chinese message has 70 characters in all: there the number stands without blanks.
    return number if language == "zh-hans" and door == Door.SMS else group_receipt(number)


def _hotline(door: Door | str) -> str:
    hotline = str(connection.tenant.hotline)
    if door != Door.VOICE:
        return hotline
    groups = re.findall(r"\d+", hotline)
    language = translation.get_language() or ""
    return ("，" if language == "zh-hans" else ", ").join(spoken_digits(group, language, group=8) for group in groups)


def _shown(value: Any) -> Any:
    return _day(value) if isinstance(value, date) else value


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
