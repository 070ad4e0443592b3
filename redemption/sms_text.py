"""Reading a text message: which code stands in it, what is asked, in which language. Pure (docs/algorithms/sms-and-voice.md).

People type codes with blanks and dashes, in full-width or Arabic-Indic digits, in Chinese numerals, among words. Nothing
here guesses: a code counts only if its check symbol is right, and what is not understood is asked again.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from labels.codes.checks import check_is_right
from labels.codes.encode import split
from labels.codes.forms import B12, B14, B16, DECIMAL, N16, N18, N20, Form
from labels.codes.normalise import symbols_of
from redemption.rules import Act

MOST_CHARACTERS = 1600  # ten parts; more than that no telephone sends
SHORTEST_NUMERALS = 8  # fewer Chinese numerals in a row are words: 三十一, 五一
TYPO_FROM, TYPO_TO = 12, 24
FEWEST_DIGITS = 3  # of a code with letters that is typed in groups of one's own

NUMERALS = {**{symbol: digit for digit, symbol in enumerate("零一二三四五六七八九")}, "〇": 0, "○": 0, "幺": 1}
_JOINT = r"[\s.\-]{0,2}"
_MIXED_RUN = re.compile(rf"[0-9{''.join(NUMERALS)}](?:{_JOINT}[0-9{''.join(NUMERALS)}])*")
_RUN = re.compile(rf"[0-9](?:{_JOINT}[0-9])*")
_CHUNK = re.compile(r"[0-9]+")
_LINK = re.compile(r"/21/([0-9A-Z]{12})(?![0-9A-Z])")  # the QR code's own text, copied out of a scanner
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_DIGIT_FORMS = {form.length: form for form in (N16, N18, N20)}
_LETTER_FORMS = {form.length: form for form in (B12, B14, B16)}


class Word(StrEnum):
    """What a whole message may ask for."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    BALANCE = "balance"
    JOIN = "join"
    SIGN_IN = "sign_in"
    ENGLISH = "en"
    CHINESE = "zh-hans"


WORDS: dict[Word, tuple[str, ...]] = {
    Word.STOP: (
        *("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "R", "T", "TD"),
        *("退订", "退訂"),
    ),
    Word.START: ("START", "YES", "UNSTOP", "恢复", "恢復"),
    Word.HELP: ("HELP", "INFO", "帮助", "幫助"),
    Word.BALANCE: (
        *("BALANCE", "BAL", "POINTS", "MYPOINTS"),
        *("余额", "積分", "积分", "查积分", "查余额", "查询积分", "查询余额", "我的积分"),
    ),
    Word.JOIN: ("JOIN", "REGISTER", "SIGNUP", "注册", "加入", "入会", "会员", "注册会员"),
    Word.SIGN_IN: ("CODE", "LOGIN", "SIGNIN", "验证码", "登录", "登陆", "登录码"),
    Word.ENGLISH: ("ENGLISH", "EN", "英文", "英语"),
    Word.CHINESE: ("CHINESE", "ZH", "CN", "中文", "汉语", "简体中文"),
}
_WORD_OF = {text: word for word, texts in WORDS.items() for text in texts}
# Before a code; the longer ones first. Those of checking use nothing up.
CHECK_WORDS = ("CHECK", "查询", "查詢", "查")
REDEEM_WORDS = ("REDEEM", "兑换", "兌換", "兑")


class Kind(StrEnum):
    """What a message turned out to be."""

    COMMAND = "command"
    CODE = "code"
    SEVERAL = "several"
    TYPO = "typo"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reading:
    """One message, read. ``code``: ASCII symbols without blanks; of a TYPO, what was taken for one.

    ``form`` is that of a well-formed code. ``language``: "en", "zh-hans", or empty where only digits stand.
    """

    kind: Kind
    language: str
    word: Word | None = None
    code: str = ""
    form: Form | None = None
    act: Act = Act.REDEEM
    asks_to_redeem: bool = False

    @property
    def may_be_serial(self) -> bool:
        """Whether the code may be the open number beside a QR code: of that form, and nobody says it is to be redeemed."""
        return self.form is B12 and not self.asks_to_redeem


@dataclass(frozen=True, slots=True)
class _Found:
    code: str
    form: Form
    start: int


def read(body: str) -> Reading:
    """Read a message as docs/algorithms/sms-and-voice.md says: command words, then codes, else a slip, else nothing."""
    text = plain(body)
    language = language_of(text)
    word = _WORD_OF.get(_bare(text))
    if word is not None:
        return Reading(Kind.COMMAND, _of_word(word) or language, word=word)
    found = list(_codes(text))
    codes = {each.code for each in found}
    if len(codes) > 1:
        return Reading(Kind.SEVERAL, language)
    if found:
        act = Act.CHECK if _asks_to_check(text, found[0].start) else Act.REDEEM
        first = _keyword_at_start(text[: found[0].start])
        asks_to_redeem = first is not None and first.group(1) in REDEEM_WORDS
        return Reading(
            Kind.CODE, language, code=found[0].code, form=found[0].form, act=act, asks_to_redeem=asks_to_redeem
        )
    slip = _slip(text)
    return Reading(Kind.TYPO, language, code=slip) if slip else Reading(Kind.NOTHING, language)


def slot_of(body: str) -> tuple[str, int] | None:
    """Return (form, slot) of the one platform-wide code in a message, by which a shared number finds the brand."""
    reading = read(body)
    if reading.kind is not Kind.CODE or reading.form is None or not reading.form.platform_wide:
        return None
    return reading.form.name, split(reading.form, reading.code.encode())[0]


def plain(body: str) -> str:
    """Return the text in one alphabet: NFKC, upper case, ASCII digits and hyphens, nothing invisible."""
    text = body[:MOST_CHARACTERS]
    if text.isascii():
        return text.translate(_ASCII_STEPS).upper()
    text = "".join(map(_step, unicodedata.normalize("NFKC", text)))
    return _MIXED_RUN.sub(_numerals, text.upper())


def _step(symbol: str) -> str:
    digit = unicodedata.decimal(symbol, None)
    if digit is not None:
        return str(digit)
    if symbol.isspace():
        return "\n" if symbol in "\n\r\u2028\u2029\x0b\x0c\x85" else " "
    category = unicodedata.category(symbol)
    if category == "Pd" or symbol == "\u2212":
        return "-"
    return "" if category[0] == "C" else symbol


_ASCII_STEPS = {place: _step(chr(place)) for place in range(128)}


def _numerals(run: re.Match[str]) -> str:
    """Turn a run's Chinese numerals into digits, if there are eight or more: fewer are words."""
    text = run.group()
    if sum(symbol in NUMERALS for symbol in text) < SHORTEST_NUMERALS:
        return text
    return "".join(str(NUMERALS.get(symbol, symbol)) for symbol in text)


def _bare(text: str) -> str:
    """Return the letters and digits alone: "Stop!" and "ＳＴＯＰ。" are one word."""
    return "".join(filter(str.isalnum, text))


def language_of(text: str) -> str:
    """Return the language that the script of a message shows, or nothing: Han, else a Latin word beside the code."""
    if _HAN.search(text):
        return "zh-hans"
    words = re.findall(r"[^\W\d_]{2,}", re.sub(r"\S*\d\S*", " ", text))
    return "en" if any(word.isascii() for word in words) else ""


def _of_word(word: Word) -> str:
    return word.value if word in {Word.ENGLISH, Word.CHINESE} else ""


# --- codes -------------------------------------------------------------------------------------------------------------


def _codes(text: str) -> Iterator[_Found]:
    """Yield the well-formed codes: the whole message (after a keyword) in any form, else digit forms among words."""
    whole = _whole(text)
    if whole is not None:
        yield whole
        return
    for run in _RUN.finditer(text):
        yield from _codes_of_run(run)


def _whole(text: str) -> _Found | None:
    start = _after_keyword(text)
    link = _LINK.search(text)
    symbols = symbols_of(link.group(1) if link else text[start:])
    if not symbols:
        return None
    code = symbols.decode()
    form = _DIGIT_FORMS.get(len(code)) if code.isdigit() else _LETTER_FORMS.get(len(code))
    if form is None or not _fits(form, code) or (form.radix != DECIMAL and not link and _is_words(text[start:], form)):
        return None
    return _Found(code, form, start)


def _is_words(text: str, form: Form) -> bool:
    """Return whether letters are more likely words than a code: not in one piece, not grouped as printed, few digits."""
    pieces = [len(piece) for piece in re.split(r"[\W_]+", text) if piece]
    return len(pieces) > 1 and tuple(pieces) != form.groups and sum(map(str.isdigit, text)) < FEWEST_DIGITS


def _codes_of_run(run: re.Match[str]) -> Iterator[_Found]:
    """Yield what one run of digits holds: itself, or, where its length is no code's, the codes that its groups make up."""
    digits = re.sub(r"\D", "", run.group())
    if len(digits) in _DIGIT_FORMS:
        form = _DIGIT_FORMS[len(digits)]
        if _fits(form, digits):
            yield _Found(digits, form, run.start())
        return
    groups = [(chunk.group(), run.start() + chunk.start()) for chunk in _CHUNK.finditer(run.group())]
    first = 0
    while first < len(groups):
        found, used = _code_of_groups(groups[first:])
        if found:
            yield found
        first += used


def _code_of_groups(groups: list[tuple[str, int]]) -> tuple[_Found | None, int]:
    digits = ""
    for used, (group, _start) in enumerate(groups, 1):
        digits += group
        form = _DIGIT_FORMS.get(len(digits))
        if form and _fits(form, digits):
            return _Found(digits, form, groups[0][1]), used
        if len(digits) > N20.length:
            break
    return None, 1


def _fits(form: Form, code: str) -> bool:
    return check_is_right(form.radix, code.encode()) and (form.radix != DECIMAL or code.isdigit())


def _slip(text: str) -> str:
    """Return what was meant to be a code and is none: the longest run of 12 to 24 digits, or letters and digits alone."""
    runs = [re.sub(r"\D", "", run.group()) for run in _RUN.finditer(text)]
    slips = [digits for digits in runs if TYPO_FROM <= len(digits) <= TYPO_TO]
    if slips:
        return max(slips, key=len)
    start = _after_keyword(text)
    rest = text[start:].strip()
    alone = start or not re.search(r"\s", rest)
    symbols = (symbols_of(rest) or b"").decode() if alone else ""
    digits = sum(symbol.isdigit() for symbol in symbols)
    return symbols if TYPO_FROM - 1 <= len(symbols) <= TYPO_TO and 2 <= digits < len(symbols) else ""


# --- keywords ------------------------------------------------------------------------------------------------------------


def _after_keyword(text: str) -> int:
    """Return where the text goes on after a keyword that it begins with, else 0."""
    word = _keyword_at_start(text)
    return 0 if word is None else word.end()


_KEYWORD_FIRST = re.compile(rf"[\W_]*({'|'.join((*CHECK_WORDS, *REDEEM_WORDS))})(?![A-Z])[^\w]*")
_KEYWORD_LAST = re.compile(rf"(?<![A-Z])({'|'.join(CHECK_WORDS)})\W*$")


def _keyword_at_start(text: str) -> re.Match[str] | None:
    return _KEYWORD_FIRST.match(text)


def _asks_to_check(text: str, code_at: int) -> bool:
    """Return whether a word of checking stands first in the message or right before the code."""
    first = _keyword_at_start(text[:code_at])
    return (first is not None and first.group(1) in CHECK_WORDS) or bool(_KEYWORD_LAST.search(text[:code_at]))
