"""Every answer in both languages: its words, and how many SMS parts it takes with the longest values allowed."""

import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db import connection

from brands.models import Brand
from lottery.told import EntryTold, PlayTold, Prize
from redemption import wording
from redemption.messages import say, say_try_later
from redemption.rules import Act, By, Detail, Door, Earlier, Outcome, ProductRef, Receipt, Redeemed
from redemption.texts import ADDED, LONGEST, TEXTS, key_of
from sms_gateway.segments import parts_of
from tests.conftest import NOW

PLACE = ("Xishuangbanna Dai Pr", "西双版纳傣族自治")  # 20 letters, 8 characters
PRODUCT = ProductRef(1, "prd_x", "09501101530003", "N" * 24, "茶" * 12)
EARLIER = Earlier(88, NOW - timedelta(days=300), PLACE, Door.SMS, By.OTHER)
YOURS = replace(EARLIER, by=By.YOU)
REDEEMED = Redeemed(NOW - timedelta(days=300), PLACE, Door.SMS, By.OTHER)
FULL = Receipt(
    outcome=Outcome.REDEEMED,
    at=NOW,
    receipt_no="482109735526",
    product=PRODUCT,
    points=9_999_999,
    balance=99_999_999,
    want=16,
    got=15,
    tries_left=9,
    retry_after_s=86_000,
    ended_on=date(2026, 12, 22),
)
MOST_PARTS: dict[str, tuple[Receipt, int]] = {
    "genuine_first": (replace(FULL, outcome=Outcome.GENUINE_FIRST), 1),
    "redeemed": (FULL, 1),
    "repeat_you": (replace(FULL, outcome=Outcome.GENUINE_REPEAT, earlier=YOURS), 1),
    "repeat_other": (replace(FULL, outcome=Outcome.GENUINE_REPEAT, earlier=EARLIER), 2),
    "repeat_nowhere": (
        replace(FULL, outcome=Outcome.GENUINE_REPEAT, earlier=replace(EARLIER, first_place=None, by=By.UNKNOWN)),
        2,
    ),
    "repeat_secret_unused": (
        replace(FULL, outcome=Outcome.GENUINE_REPEAT, earlier=EARLIER, by_serial=True, secret_unused=True),
        2,
    ),
    "repeat_secret_unused_nowhere": (
        replace(
            FULL,
            outcome=Outcome.GENUINE_REPEAT,
            earlier=replace(EARLIER, first_place=None),
            by_serial=True,
            secret_unused=True,
        ),
        2,
    ),
    "spent_by_you": (
        replace(FULL, outcome=Outcome.ALREADY_REDEEMED, earlier=YOURS, redeemed=replace(REDEEMED, by=By.YOU)),
        1,
    ),
    "spent_by_other": (replace(FULL, outcome=Outcome.ALREADY_REDEEMED, earlier=EARLIER, redeemed=REDEEMED), 2),
    "spent_nowhere": (
        replace(FULL, outcome=Outcome.ALREADY_REDEEMED, earlier=EARLIER, redeemed=replace(REDEEMED, place=None)),
        2,
    ),
    "not_released": (replace(FULL, outcome=Outcome.NOT_RELEASED), 1),
    "recalled": (replace(FULL, outcome=Outcome.RECALLED), 1),
    "withdrawn": (replace(FULL, outcome=Outcome.WITHDRAWN), 1),
    "stolen": (replace(FULL, outcome=Outcome.WITHDRAWN, detail=Detail.STOLEN), 1),
    "test_label": (replace(FULL, outcome=Outcome.WITHDRAWN, detail=Detail.TEST_LABEL), 1),
    "ended": (replace(FULL, outcome=Outcome.ENDED), 1),
    "retired": (replace(FULL, outcome=Outcome.ENDED, detail=Detail.RETIRED), 1),
    "exhausted": (replace(FULL, outcome=Outcome.CAMPAIGN_EXHAUSTED), 1),
    "malformed": (replace(FULL, outcome=Outcome.TYPO, detail=Detail.MALFORMED), 1),
    "typo": (replace(FULL, outcome=Outcome.TYPO, detail=Detail.TYPO), 1),
    "serial_typed": (replace(FULL, outcome=Outcome.TYPO, detail=Detail.SERIAL_TYPED), 1),
    "unknown": (replace(FULL, outcome=Outcome.UNKNOWN), 1),
    "mismatch": (replace(FULL, outcome=Outcome.UNKNOWN, detail=Detail.MISMATCH), 1),
    "wrong_gtin": (replace(FULL, outcome=Outcome.UNKNOWN, detail=Detail.WRONG_GTIN), 1),
    "too_many": (replace(FULL, outcome=Outcome.TOO_MANY_TRIES, receipt_no=None), 1),
}


@pytest.fixture
def long_brand(brand: Brand) -> Brand:
    connection.tenant.short_name, connection.tenant.short_name_zh = "B" * 18, "茗" * 8
    connection.tenant.hotline = "+86 400 810 66660"[:16]
    return brand


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("name", MOST_PARTS)
def test_a_text_fits_its_parts(long_brand: Brand, name: str, language: str) -> None:
    receipt, most = MOST_PARTS[name]

    text = say(receipt, language, Door.SMS)

    parts = parts_of(text)
    assert parts.encoding == ("GSM-7" if language == "en" else "UCS-2"), text
    assert parts.count <= most, (parts, text)
    assert "{" not in text
    assert "None" not in text


def test_every_outcome_is_held() -> None:
    assert {receipt.outcome for receipt, _most in MOST_PARTS.values()} == set(Outcome)
    assert {receipt.detail for receipt, _most in MOST_PARTS.values()} == {None, *Detail}


@pytest.mark.parametrize(
    ("name", "english", "chinese"),
    [
        (
            "redeemed",
            "Xilan: GENUINE. Spring Tea. +100 points, balance 250. Receipt 4821 0973 5526",
            "【溪岚】正品。明前春茶。积分+100，余额250。回执482109735526",
        ),
        (
            "repeat_other",
            "Xilan: the code is genuine but was checked 1 time before, first on 22 Nov 2026 near Hangzhou. If that was "
            "not you, it may be a copy: call 400-810-6666. Receipt 4821 0973 5526",
            "【溪岚】号码为真，但此前已被查询1次，首次2026年11月22日，杭州。若非您本人，谨防仿冒，请致电400-810-6666。"
            "回执482109735526",
        ),
        (
            "too_many",
            "Xilan: too many tries. Please try again after 11:42 or call 400-810-6666.",
            "【溪岚】查询次数过多，请于11:42后再试，或致电400-810-6666。",
        ),
        (
            "malformed",
            "Xilan: the code has 16 digits, you sent 15. Please check and send it again.",
            "【溪岚】应为16位，您输入了15位。请核对后重发。",
        ),
    ],
)
def test_the_words(brand: Brand, name: str, english: str, chinese: str) -> None:
    connection.tenant.short_name, connection.tenant.short_name_zh = "Xilan", "溪岚"
    connection.tenant.hotline = "400-810-6666"
    receipt = replace(
        MOST_PARTS[name][0],
        product=ProductRef(1, "prd_x", "09501101530003", "Spring Tea", "明前春茶"),
        points=100,
        balance=250,
        retry_after_s=3600,
    )
    if receipt.earlier:
        receipt = replace(receipt, earlier=Earlier(1, NOW, ("Hangzhou", "杭州"), Door.WEB, By.OTHER))

    assert say(receipt, "en", Door.SMS) == english
    assert say(receipt, "zh-CN", Door.SMS) == chinese
    spoken = english.removeprefix("Xilan: ")
    assert say(receipt, "en", Door.WEB) == spoken[0].upper() + spoken[1:]
    assert say(receipt, "zh-CN", Door.WEB).replace(" ", "") == chinese.removeprefix("【溪岚】")


def test_try_later_is_said_without_a_receipt(long_brand: Brand) -> None:
    assert parts_of(say_try_later("en", Door.SMS)).count == 1
    assert parts_of(say_try_later("zh", Door.SMS)).count == 1
    assert say_try_later("zh", Door.WEB).startswith("系统繁忙")


def test_the_brand_s_own_language_stands_in(brand: Brand) -> None:
    connection.tenant.default_language = "zh-hans"

    assert "正品" in say(FULL, "", Door.WEB)
    assert FULL.act is Act.REDEEM


# --- the catalogue -------------------------------------------------------------------------------------------------------

SNAPSHOT = Path(__file__).parent / "texts.txt"


def _catalogue() -> str:
    """Return every text, each number of each language, with its parts at the longest values."""
    lines = []
    for key, text in TEXTS.items():
        for language in wording.LANGUAGES:
            for one in (1, 2) if wording.tells_one(text, language) else (2,):
                words = wording.delivered(text, language, one)
                parts = wording.length(text, words, language)
                name = f"{key}/{language}/{'one' if one == 1 else 'more'}"
                lines.append(f"{name} {parts.units} {parts.encoding} {parts.count}/{text.most_parts}: {words}")
    return "\n".join(lines) + "\n"


def test_a_changed_text_is_noticed() -> None:
    """After a change that is meant: REWRITE_TEXTS=1 pytest tests/redemption/test_messages.py, and read the difference."""
    if os.environ.get("REWRITE_TEXTS"):
        SNAPSHOT.write_text(_catalogue())

    assert _catalogue() == SNAPSHOT.read_text()


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("key", TEXTS)
def test_every_text_can_be_sent_as_it_is_delivered(key: str, language: str) -> None:
    text = TEXTS[key]

    for number in (1, 2):
        words = wording.delivered(text, language, number)
        parts = wording.check(text, words, language)
        assert parts.encoding == ("GSM-7" if language == "en" else "UCS-2"), words
        assert text.group in ADDED or text.said(number) != words
        assert not set("()!?,:;") & set(words) or language == "en", words


def test_every_answer_has_its_text() -> None:
    assert {key_of(receipt) for receipt, _most in MOST_PARTS.values()} == {
        key for key, text in TEXTS.items() if text.group == "outcome" and key != "try_later"
    }
    assert set(LONGEST) == {name for text in TEXTS.values() for name in text.names}


# --- what a label won ----------------------------------------------------------------------------------------------------

LONG_PRIZE = Prize(1, "goods", "W" * 80, "奖" * 40, None)
ENTRY = EntryTold(1, "drw_x", "00" * 16, NOW + timedelta(days=30), 1, bytes(32), bytes(32), NOW)


def played(outcome: str, prize: Prize | None = None) -> PlayTold:
    return PlayTold(outcome, "cmp_x", "Spring", "春季", prize, "clm_x" if prize else None)


PLAYS: dict[str, tuple[PlayTold, int]] = {
    "goods": (played("won", LONG_PRIZE), 2),
    "points": (played("won", LONG_PRIZE._replace(kind="points", points=9_999_999)), 2),
    "coupon": (played("won", LONG_PRIZE._replace(kind="coupon")), 2),
    "no_prize": (played("no_prize"), 1),
    "points_only": (played("points_only"), 2),
}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("name", PLAYS)
def test_what_a_label_won_fits_the_message(long_brand: Brand, name: str, language: str) -> None:
    play, most = PLAYS[name]

    text = say(replace(FULL, play=play, entries=(ENTRY,)), language, Door.SMS)

    parts = parts_of(text)
    assert parts.encoding == ("GSM-7" if language == "en" else "UCS-2"), text
    assert parts.count <= most, (parts, text)
    assert text.startswith(say(FULL, language, Door.SMS))
    assert ("W" * 80 in text or "奖" * 40 in text) is play.won


@pytest.mark.parametrize(
    ("play", "english", "chinese"),
    [
        (
            played("won", Prize(1, "goods", "A pair of cups", "酒盅一对", None)),
            ". You won A pair of cups. Claim it in your wallet.",
            "。恭喜中奖：酒盅一对，请到我的积分领取。",
        ),
        (
            played("won", Prize(3, "points", "Fifty points", "五十积分", 50)),
            ". You won Fifty points: +50 points.",
            "。恭喜中奖：五十积分，积分+50。",
        ),
        (played("no_prize"), ". No prize this time.", "。本次未中奖。"),
    ],
)
def test_the_words_of_a_play(brand: Brand, play: PlayTold, english: str, chinese: str) -> None:
    for language, told in (("en", english), ("zh-hans", chinese)):
        alone = say(FULL, language, Door.SMS)
        assert say(replace(FULL, play=play), language, Door.SMS) == alone + told
        assert say(replace(FULL, play=play), language, Door.WEB).endswith(told)


def test_what_follows_an_answer_leaves_it_its_part(brand: Brand) -> None:
    text = TEXTS["play_no_prize"]

    wording.check(text, "N" * 144, "en")
    with pytest.raises(wording.BadWording):
        wording.check(text, "N" * 145, "en")


def test_a_draw_entered_is_told_where_it_is_free(brand: Brand) -> None:
    entered = replace(FULL, product=ProductRef(1, "prd_x", "09501101530003", "Tea", "茶"), entries=(ENTRY,))

    assert say(entered, "en", Door.SMS).endswith(". You are in the draw of 22 Dec 2026.")
    long = replace(
        entered, product=ProductRef(1, "prd_x", "09501101530003", "N" * 24, "茶"), play=played("points_only")
    )
    assert "22 Dec" not in say(long, "en", Door.SMS)
    assert "22 Dec" in say(long, "en", Door.VOICE)
