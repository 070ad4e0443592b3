"""What people are told: the same words for each outcome at every door, in both languages.

The words are in `redemption.texts`, or the brand's own (`redemption.wording`). They are written as an SMS says them,
with the brand before them; page and voice leave the brand out.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
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
    values = _Values(receipt, door, django_language(language))
    said = _said(key_of(receipt), values)
    if receipt.play is not None:
        said = added(said, _said(play_key_of(receipt.play), values), values.language)
    if receipt.entries:
        first = min(entry.close_at for entry in receipt.entries)
        longer = added(said, _said("news_entered", values.also(date=first)), values.language)
        if door != Door.SMS or parts_of(longer).count == parts_of(said).count:
            said = longer
    return said


def added(text: str, sentence: str, language: str) -> str:
    """Return an answer with a further sentence; both in ``language``, a catalogue's."""
    end = "。" if language == "zh-hans" else ". "
    return text.rstrip("。. ") + end + sentence


def say_try_later(language: str, door: Door | str) -> str:
    """Return what is said when nothing could be answered and nothing was written."""
    return say_text("try_later", language, door)


def say_text(key: str, language: str, door: Door | str = Door.SMS, **values: Any) -> str:
    """Return one of `redemption.texts`, with the brand's own values filled in. A ``date`` is given as one."""
    return _said(key, _Values(None, door, django_language(language)).also(**values))


def group_receipt(receipt_no: str) -> str:
    """Return a receipt number as it is said and printed: 4-4-4."""
    return " ".join(receipt_no[start : start + 4] for start in range(0, len(receipt_no), 4))


def spoken_digits(digits: str, language: str, *, group: int = 4) -> str:
    """Return digits one by one, a pause after each group; in Chinese 1 is read as 幺, as on the telephone."""
    groups = [digits[start : start + group] for start in range(0, len(digits), group)]
    if django_language(language) == "zh-hans":
        return "，".join(part.translate(_SPOKEN_ZH) for part in groups)
    return ", ".join(" ".join(part) for part in groups)


class _Values(dict[str, Any]):
    """What the texts name in one language, each worked out when a text names it."""

    def __init__(self, receipt: Receipt | None, door: Door | str, language: str) -> None:
        super().__init__()
        self._receipt, self.door, self.language = receipt, door, language

    @property
    def receipt(self) -> Receipt:
        if self._receipt is None:
            raise KeyError("this text tells of no receipt")
        return self._receipt

    @property
    def is_chinese(self) -> bool:
        return self.language == "zh-hans"

    def also(self, **values: Any) -> "_Values":
        """Return them with others; a date is given as one."""
        both = _Values(self._receipt, self.door, self.language)
        both.update(self)
        both.update({name: self.day(value) if isinstance(value, date) else value for name, value in values.items()})
        return both

    def day(self, moment: datetime | date | None) -> str:
        """Return a day as short messages write it: that of the brand's zone."""
        if moment is None:
            return ""
        return _day(moment.astimezone(brand_zone()).date() if isinstance(moment, datetime) else moment, self.language)

    def __missing__(self, name: str) -> Any:
        """Work out a value and keep it."""
        self[name] = value = _VALUES[name](self)
        return value


def _said(key: str, values: _Values) -> str:
    text, door, language = TEXTS[key], values.door, values.language
    words = wording.words_of(key, language, int(values[text.count_by] or 0) if text.count_by else 0)
    if door == Door.SMS:
        return wording.folded(words.format_map(values))
    rest = words.removeprefix(wording.brand_before(language)).format_map(values)
    rest = rest[:1].upper() + rest[1:]
    return _aloud(rest, language) if door == Door.VOICE else rest


def _aloud(text: str, language: str) -> str:
    """Return a text as it is read out: no words in capitals, which would be spelled, and no signs."""
    text = re.sub(r"\b[A-Z]{4,}\b", lambda word: word.group().capitalize(), text)
    return text.replace("+", "加" if language == "zh-hans" else "plus ")


def _brand(values: _Values) -> str:
    brand = connection.tenant
    return str(brand.short_name_zh if values.is_chinese else brand.short_name)


def _product(values: _Values) -> str:
    product = values.receipt.product
    return (product.name_zh if values.is_chinese else product.name) if product else ""


def _prize(values: _Values) -> str:
    prize = values.receipt.play.prize if values.receipt.play else None
    return prize.in_language(values.language) if prize else ""


def _date(values: _Values) -> str:
    """Return the day of the redemption where the text speaks of one, else that of the first visit."""
    receipt = values.receipt
    told = receipt.redeemed if receipt.outcome is Outcome.ALREADY_REDEEMED else None
    first_at = told.at if told else receipt.earlier.first_at if receipt.earlier else None
    return values.day(receipt.ended_on if receipt.outcome is Outcome.ENDED else first_at)


def _place(values: _Values) -> str:
    place = place_of(values.receipt)
    return place[values.is_chinese] if place else ""


def _receipt(values: _Values) -> str:
    number = values.receipt.receipt_no or ""
    if values.door == Door.VOICE:
        return spoken_digits(number, values.language)
    # A Chinese message has 70 characters in all: there the number stands without blanks.
    return number if values.is_chinese and values.door == Door.SMS else group_receipt(number)


def _hotline(values: _Values) -> str:
    hotline = str(connection.tenant.hotline)
    if values.door != Door.VOICE:
        return hotline
    groups = re.findall(r"\d+", hotline)
    return ("，" if values.is_chinese else ", ").join(spoken_digits(each, values.language, group=8) for each in groups)


@lru_cache(maxsize=1024)
def _day(day: date, language: str) -> str:
    with translation.override(language):
        # Translators: the form of a date in short messages (Django's letters): 22 Nov 2026.
        return date_format(day, _("j M Y"))


def _time(values: _Values) -> str:
    """Return the minute, rounded up, from which a try is allowed again; with its day if that is another one."""
    at, zone = values.receipt.at, brand_zone()
    then = (at + timedelta(seconds=(values.receipt.retry_after_s or 0) + 59)).astimezone(zone)
    clock = f"{then:%H:%M}"
    return clock if then.date() == at.astimezone(zone).date() else f"{values.day(then)} {clock}"


_VALUES: dict[str, Callable[[_Values], Any]] = {
    "brand": _brand,
    "hotline": _hotline,
    "product": _product,
    "receipt": _receipt,
    "points": lambda values: values.receipt.points,
    "balance": lambda values: values.receipt.balance,
    "n": lambda values: values.receipt.earlier.count if values.receipt.earlier else 0,
    "date": _date,
    "place": _place,
    "want": lambda values: values.receipt.want,
    "got": lambda values: values.receipt.got,
    "left": lambda values: values.receipt.tries_left or 0,
    "prize": _prize,
    "won": lambda values: values.receipt.play.points if values.receipt.play else 0,
    "time": _time,
}
