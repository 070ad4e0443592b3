"""A brand's own words for the texts to telephones: kept per text and language, checked before they are kept.

The brand's name before a message is not part of the wording: it stands before every message. This process keeps what
it has read for ten seconds.
"""

from datetime import datetime
from functools import cache
from typing import NamedTuple

from django.utils.translation import gettext as _, ngettext, override

from common.db import inside_transaction, schema_name
from common.errors import Invalid
from common.kept import Kept
from redemption.models import Wording
from redemption.texts import ADDED, LONGEST, TEXTS, Text, names_in
from sms_gateway.segments import Parts, fold, is_gsm_7, parts_of

MOST_CHARACTERS = 400
LANGUAGES = ("en", "zh-hans")
BESIDE_AN_ANSWER = {"GSM-7": 306 - 160 - 2, "UCS-2": 134 - 70 - 1}  # what two parts hold beside an answer of one


class BadWording(Invalid):
    """These words cannot be sent."""

    code = "bad_wording"


class Own(NamedTuple):
    """A brand's words, the brand's name not before them; ``one``: for the number one, where the language tells."""

    words: str
    one: str


def words_of(key: str, language: str, count: int = 0) -> str:
    """Return a text with its names in braces: the brand's own words, else those delivered."""
    own = _kept(schema_name()).get((key, language))
    if own is None:
        return _delivered(key, language, 1 if count == 1 else 2)
    return _prefix(TEXTS[key], language) + (own.one if count == 1 and own.one else own.words)


@cache
def _delivered(key: str, language: str, count: int) -> str:
    """Return the delivered words, the brand before them; neither language tells more numbers apart than one and others."""
    with override(language):
        return TEXTS[key].said(count)


@cache
def brand_before(language: str) -> str:
    """Return what stands before every message: the brand's name."""
    with override(language):
        return _("{brand}: ")


def _prefix(text: Text, language: str) -> str:
    """Return what stands before a text; before what is added to one, nothing."""
    return "" if text.group in ADDED else brand_before(language)


def delivered(text: Text, language: str, count: int = 2) -> str:
    """Return the delivered words in a language, without the brand before them."""
    with override(language):
        return text.said(count).removeprefix(_prefix(text, language))


def own_wordings() -> dict[tuple[str, str], Own]:
    """Return all of the brand's own words by (text, language), as they stand now."""
    rows = Wording.objects.values_list("key", "language", "words", "one")
    return {(key, language): Own(words, one) for key, language, words, one in rows if key in TEXTS}


def tells_one(text: Text, language: str) -> bool:
    """Return whether a language has other words for the number one."""
    return bool(text.count_by) and language == "en"


def sample(text: Text, words: str, language: str, *, values: dict[str, str] | None = None) -> str:
    """Return the whole message with the longest values, or with ``values``."""
    chinese = language == "zh-hans"
    longest = {name: both[chinese] for name, both in LONGEST.items()}
    return folded((_prefix(text, language) + words).format(**(longest | (values or {}))))


def folded(message: str) -> str:
    """Return a message as it is sent: typographic signs that alone would make it UCS-2 are replaced."""
    plain = fold(message)
    return plain if is_gsm_7(plain) else message


def length(text: Text, words: str, language: str) -> Parts:
    """Return how long a wording can become. Raises `BadWording` for names that the text does not know."""
    _check_names(text, words)
    return parts_of(sample(text, words, language))


def check(text: Text, words: str, language: str) -> Parts:
    """Return how long a wording can become. Raises `BadWording` if it names too much or too little, or is too long."""
    parts = length(text, words, language)
    missing = sorted(text.facts - names_in(words))
    if missing:
        named = ", ".join(f"{{{name}}}" for name in missing)
        raise BadWording(_("These words leave out %(names)s, which every door tells.") % {"names": named})
    most = BESIDE_AN_ANSWER.get(parts.encoding, 0)
    if text.group == "play" and parts.units > most:
        raise BadWording(
            _("This follows an answer, and both may take 2 SMS parts: use at most %(most)d characters.")
            % {"most": most}
        )
    if parts.count > text.most_parts:
        raise BadWording(
            ngettext(
                "This text may take %(most)d SMS part; with the longest values it takes %(parts)d.",
                "This text may take %(most)d SMS parts; with the longest values it takes %(parts)d.",
                text.most_parts,
            )
            % {"most": text.most_parts, "parts": parts.count}
        )
    return parts


def _check_names(text: Text, words: str) -> None:
    if not words.strip() or len(words) > MOST_CHARACTERS:
        raise BadWording(_("Write from 1 to %(most)d characters.") % {"most": MOST_CHARACTERS})
    try:
        strange = sorted(names_in(words) - text.names)
    except ValueError:
        raise BadWording(_("Braces only stand around a name, as in {receipt}.")) from None
    if strange:
        named = ", ".join(f"{{{name}}}" for name in strange)
        raise BadWording(_("This text knows nothing called %(names)s.") % {"names": named})


@inside_transaction
def reword(key: str, language: str, words: str, one: str = "", *, by: str, at: datetime) -> None:
    """Keep the brand's words for a text, from the next message on. Raises `BadWording`."""
    text = TEXTS[key]
    wordings = [words, *([one] if tells_one(text, language) else [])]
    for each in wordings:
        check(text, each, language)
    Wording.objects.update_or_create(
        key=key,
        language=language,
        defaults={
            "words": words.strip(),
            "one": one.strip() if tells_one(text, language) else "",
            "changed_by": by[:150],
            "changed_at": at,
        },
    )
    forget()


@inside_transaction
def restore(key: str, language: str) -> None:
    """Go back to the delivered words."""
    Wording.objects.filter(key=key, language=language).delete()
    forget()


_kept: Kept[dict[tuple[str, str], Own]] = Kept(lambda _schema: own_wordings())


def forget() -> None:
    """Drop what this process keeps."""
    _kept.forget()
