"""Reading messages: codes as people type them, command words, slips; and text that no person ever typed."""

import random
import time
import unicodedata

import pytest
from hypothesis import given, strategies as st

from labels.codes.encode import assemble
from labels.codes.forms import B12, LABEL_FORMS, N16, N18, N20, Form
from redemption.rules import Act
from redemption.sms_text import WORDS, Kind, Word, read, slot_of

CODE = assemble(N16, 3, 90425903095916)
OTHER = assemble(N16, 3, 11111111111111)
LONG = assemble(N20, 123, 9042590309591699)
SERIAL = assemble(B12, 5, 590490000000001)
WRONG = CODE[:-1] + str((int(CODE[-1]) + 1) % 10)


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        N16.grouped(CODE),
        f"  {N16.grouped(CODE)}  ",
        f"{CODE[:4]}-{CODE[4:8]}-{CODE[8:12]}-{CODE[12:]}",
        f"{CODE[:4]}.{CODE[4:8]}. {CODE[8:12]}\r\n{CODE[12:]}",
        f"{CODE[:4]}—{CODE[4:8]}\u2212{CODE[8:12]}－{CODE[12:]}",
        f"My code is {N16.grouped(CODE)}, thank you!",
        f"您好，我的号码是{CODE}，谢谢",
        f"I bought 2 on 5 May: {CODE} for 30 yuan",
        f"2 {N16.grouped(CODE)}",
        f"{N16.grouped(CODE)} {N16.grouped(CODE)}",
        f"{CODE}\n{CODE}",
        CODE.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
        CODE.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        CODE.translate(str.maketrans("0123456789", "०१२३४५६७८९")),
        CODE.translate(str.maketrans("0123456789", "零一二三四五六七八九")),
        CODE.translate(str.maketrans("0123456789", "〇幺二三四五六七八九")),
        N16.grouped(CODE.translate(str.maketrans("0123456789", "零一二三四五六七八九"))),
        CODE.replace("0", "O").replace("1", "l"),
        "\u200b\u202e" + "\u2060".join(CODE) + "\ufeff",
        "\x00".join(CODE),
        f"兑换{CODE}",
        f"redeem {CODE}",
    ],
)
def test_a_code_is_read_however_it_is_typed(text: str) -> None:
    reading = read(text)

    assert (reading.kind, reading.code, reading.form, reading.act) == (Kind.CODE, CODE, N16, Act.REDEEM)


@pytest.mark.parametrize(
    "text",
    [
        f"CHECK {CODE}",
        f"check:{CODE}",
        f"ｃｈｅｃｋ　{CODE}",
        f"查{CODE}",
        f"查询 {CODE}",
        f"查询：{N16.grouped(CODE)}",
        f"请查一下 {CODE}".replace("请", ""),
        f"please check {CODE}",
        f"我想查询{CODE}",
        f"check this please {CODE}",
    ],
)
def test_a_word_of_checking_uses_nothing_up(text: str) -> None:
    reading = read(text)

    assert (reading.kind, reading.code, reading.act) == (Kind.CODE, CODE, Act.CHECK)


@pytest.mark.parametrize("text", [f"CHECKED {CODE}", f"{CODE} check", f"recheck {CODE}"])
def test_other_words_do_not_turn_a_redemption_into_a_check(text: str) -> None:
    assert read(text).act is Act.REDEEM


@pytest.mark.parametrize("form", [N16, N18, N20])
def test_each_digit_form_is_read_among_words(form: Form) -> None:
    code = assemble(form, 7, 12345)

    assert read(f"see {form.grouped(code)} here").form is form


@pytest.mark.parametrize("form", list(LABEL_FORMS.values()))
def test_each_form_is_read_alone_and_after_a_keyword(form: Form) -> None:
    code = assemble(form, 7, 123456789)

    for text in (code, form.grouped(code), code.lower(), f"check {form.grouped(code)}", f"兑换 {code}"):
        reading = read(text)
        assert (reading.kind, reading.code) == (Kind.CODE, code)
    if form.radix == 32:
        assert read(f"my code is {code} thanks").kind is not Kind.CODE


def test_the_address_in_a_qr_code_is_read_as_its_serial() -> None:
    reading = read(f"https://brand.example/01/09501101530003/21/{SERIAL}")

    assert (reading.kind, reading.code, reading.may_be_serial) == (Kind.CODE, SERIAL, True)


@pytest.mark.parametrize(("word", "text"), [(word, text) for word, texts in WORDS.items() for text in texts])
def test_every_command_word_is_obeyed(word: Word, text: str) -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)
    for said in (text, text.lower(), f" {text}! ", f"{text}。", wide, f"“{text}”"):
        assert (read(said).kind, read(said).word) == (Kind.COMMAND, word), said


@pytest.mark.parametrize("text", ["STOP IT", "please stop", "我要退订短信", "RT", "help me", "endless", "恢复了"])
def test_a_command_word_among_others_is_none(text: str) -> None:
    assert read(text).kind is not Kind.COMMAND


def test_no_two_commands_share_a_word() -> None:
    texts = [text for words in WORDS.values() for text in words]

    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    "text", [f"{CODE} {OTHER}", f"{CODE}\n{OTHER}", f"{CODE} and {LONG}", f"check {CODE}, {OTHER}"]
)
def test_two_codes_are_one_too_many(text: str) -> None:
    assert read(text).kind is Kind.SEVERAL


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (WRONG, WRONG),
        (f"code {N16.grouped(WRONG)}", WRONG),
        (CODE[:-1], CODE[:-1]),
        (f"{CODE}5", f"{CODE}5"),
        ("1" * 12, "1" * 12),
        ("1" * 24, "1" * 24),
        (SERIAL[:-1] + ("0" if SERIAL[-1] != "0" else "1"), SERIAL[:-1] + ("0" if SERIAL[-1] != "0" else "1")),
        (f"查 {SERIAL[:-1]}", SERIAL[:-1]),
    ],
)
def test_a_slip_is_told_as_one(text: str, code: str) -> None:
    reading = read(text)

    assert (reading.kind, reading.code) == (Kind.TYPO, code)


@pytest.mark.parametrize(
    "text",
    ["", " ", "hello", "你好", "1" * 11, "1" * 25, "12345", "三十一号五一", "meet me at ten", "🎉🎉🎉", "check", "查", "\x00",
     "CONGRATULATIONS", "call 138 0013 8000"],
)  # fmt: skip
def test_anything_else_is_not_understood(text: str) -> None:
    assert read(text).kind is Kind.NOTHING


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (CODE, ""), (f"查{CODE}", "zh-hans"), (f"check {CODE}", "en"), ("余额", "zh-hans"), ("BALANCE", "en"),
        ("English", "en"), ("英文", "en"), ("中文", "zh-hans"), ("Chinese", "zh-hans"), (SERIAL, ""), (f"{CODE} ✓", ""),
        ("مرحبا", ""),
    ],
)  # fmt: skip
def test_the_language_is_that_of_the_script(text: str, language: str) -> None:
    assert read(text).language == language


def test_a_shared_number_finds_the_brand_by_the_slot() -> None:
    assert slot_of(LONG) == ("N20", 123)
    assert slot_of(f"查 {N20.grouped(LONG)}") == ("N20", 123)
    assert slot_of(CODE) is None
    assert slot_of(f"{LONG} {assemble(N20, 124, 5)}") is None
    assert slot_of("HELP") is None
    assert slot_of(LONG[:-1] + str((int(LONG[-1]) + 1) % 10)) is None


# --- what no person typed ------------------------------------------------------------------------------------------------

DIGITS = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) == "Nd"]
JOINTS = ["", " ", "-", ".", "\n", "  ", " - "[:2], "\u3000", "–", "\r\n"]


@given(
    core=st.integers(0, 10**14 - 1),
    slot=st.integers(0, 9),
    seed=st.integers(0, 2**32),
    before=st.sampled_from(["", "hi ", "号码：", "code=", "🎁"]),
    after=st.sampled_from(["", " thanks", "。", "!!", "\n-- sent from my phone"]),
)
def test_any_code_in_any_digits_and_groups_is_read(core: int, slot: int, seed: int, before: str, after: str) -> None:
    code, chance = assemble(N16, slot, core), random.Random(seed)
    typed = "".join(
        chance.choice([digit, chance.choice([d for d in DIGITS[:200] if unicodedata.decimal(d) == int(digit)])])
        + (chance.choice(JOINTS) if place < len(code) - 1 else "")
        for place, digit in enumerate(code)
    )

    reading = read(before + typed + after)

    assert (reading.kind, reading.code) == (Kind.CODE, code)


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    reading = read(text)

    assert reading == read(text)
    if reading.kind in {Kind.CODE, Kind.TYPO}:
        assert reading.code.isascii()
        assert reading.code.isalnum()
    assert (reading.word is not None) == (reading.kind is Kind.COMMAND)
    slot_of(text)


@given(st.text(alphabet="0123456789 -.\n零一二三幺OIl查CHECK", max_size=120))
def test_a_code_is_never_made_up(text: str) -> None:
    reading = read(text)

    if reading.kind is Kind.CODE and reading.form:
        assert len(reading.code) == reading.form.length
        assert slot_of(reading.code) == slot_of(text)


def test_a_huge_message_is_read_in_no_time() -> None:
    started = time.monotonic()

    for text in ("1 " * 50_000, "一" * 100_000, "9" * 100_000, "-" * 100_000, "查" * 100_000, "\u0301" * 100_000):
        read(text)

    assert time.monotonic() - started < 10
